//! The user's word in the place of a gate's, and how a mission ends by it and without it.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::engine::core::event::{Outcome, ReportStatus, Subject};
use crate::engine::core::{Control, Refusal};

fn accept(task: Option<&str>) -> Control {
    let subject = task.map_or(Subject::Whole, |id| Subject::Task(id.into()));
    Control::Accept { subject, by: "the user", reason: "good enough".into() }
}

fn conflict(result: Result<(), Refusal>) -> String {
    match result {
        Err(Refusal::Conflict(text) | Refusal::NotFound(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn blocked() -> Steps {
    vec![(500, Step::Call(reported(ReportStatus::Blocked, "cannot"))), (1, Step::Say("x"))]
}

/// T1 fails for good, T2 waits for it, T3 takes an hour.
fn failing() -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1"), task("T3", "c", "")]);
    w.outside.script("T1", vec![blocked(), blocked(), blocked()]);
    let slow = vec![(3_600_000, Step::Call(report("T3"))), (1, Step::Say("x"))];
    w.outside.script("T3", vec![slow]);
    let m = w.task("do it");
    (w, m)
}

#[test]
fn nine_tasks_that_fail_and_one_that_is_done_are_never_complete() {
    for done in [0, 1, 9] {
        let ids: Vec<String> = (0..10).map(|n| format!("T{n}")).collect();
        let mut w = planned(ids.iter().map(|id| task(id, id, "")).collect());
        for id in &ids[done..] {
            w.outside.script(id, vec![blocked(), blocked(), blocked()]);
        }
        let m = w.task("do it");
        w.run();
        assert_eq!(w.state(&m), if done == 0 { "failed" } else { "partially_completed" }, "{done} done");
        let report = &w.outside.delivered[0];
        assert!(report.contains(&format!("{done} of 10 tasks done")), "{report}");
        assert_eq!(report.matches(" failed: task T").count(), 10 - done, "{report}");
    }
}

#[test]
fn a_failed_task_is_accepted_and_what_was_skipped_for_its_sake_is_done() {
    let (mut w, m) = failing();
    w.run_until(|w| w.core.missions().any(|m| m.tasks.iter().any(|t| t.state.name() == "skipped")));
    w.control(&m, accept(Some("T1"))).expect("accepted");
    assert_eq!([w.task_state(&m, "T1"), w.task_state(&m, "T2")], ["completed", "assigned"]);
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(w.mission(&m).reason, "gates passed but for what the user accepted (T1)");
    assert_eq!(w.trace(&m, &["accepted", "judged T1"]), ["accepted T1: good enough"]);
    let report = &w.outside.delivered[0];
    assert!(
        report.contains("- T1 accepted by the user, not by its gate: task T1 (3 attempts) — good enough")
    );
    assert!(report.contains("- T2 done: task T2"), "{report}");
    assert_eq!(w.outside.todo["T1"], crate::domain::todo::TodoState::Done);
    assert!(conflict(w.control(&m, accept(Some("T1")))).contains("task T1 is done already"));
}

#[test]
fn a_task_at_work_or_before_its_gate_is_accepted_and_its_turn_ended() {
    for stage in ["in_progress", "in_review"] {
        let mut w = planned(vec![task("T1", "a", ""), task("T2", "a", "")]);
        w.outside.script("Review T1", vec![vec![]]);
        let m = w.task("do it");
        w.run_until(|w| {
            w.core.missions().any(|m| m.tasks.first().is_some_and(|t| t.state.name() == stage))
                && (stage == "in_progress" || !w.turns_of("Review T1").is_empty())
        });
        w.control(&m, accept(Some("T1"))).expect("accepted");
        assert_eq!(w.task_state(&m, "T2"), "assigned", "{stage}: the lease is free");
        let aborted = w.mission(&m).attempts.values().filter(|a| a.outcome == Some(Outcome::Aborted)).count();
        assert_eq!(aborted, 1, "{stage}");
        w.run();
        assert_eq!(w.state(&m), "completed", "{stage}");
        w.run_for(60_000);
        assert!(w.outside.sessions.values().all(|s| !s.busy), "{stage}: a turn runs on");
    }
}

#[test]
fn accepted_while_the_whole_is_reviewed_the_whole_is_put_before_its_gate_anew() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
    w.outside.script("T1", vec![blocked(), blocked(), blocked()]);
    w.outside.script("Integration review", vec![vec![], does(approve())]);
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("Integration review").is_empty());
    w.control(&m, accept(Some("T1"))).expect("accepted");
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(
        w.trace(&m, &["phase reviewing", "accepted", "judged whole"]),
        ["phase reviewing", "accepted T1: good enough", "phase reviewing", "judged whole: yes"]
    );
}

#[test]
fn after_the_end_the_last_missing_task_takes_the_mission_to_the_gate_of_the_whole() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
    for id in ["T1", "T2"] {
        w.outside.script(id, vec![blocked(), blocked(), blocked()]);
    }
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "failed");
    w.control(&m, accept(Some("T1"))).expect("accepted");
    w.run();
    assert_eq!(w.state(&m), "failed", "T2 is not tried again unasked");
    assert_eq!(w.outside.delivered.len(), 2, "the report is told anew");
    assert!(w.outside.delivered[1].contains("- T1 accepted by the user"), "{}", w.outside.delivered[1]);
    w.control(&m, accept(Some("T2"))).expect("accepted");
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(w.trace(&m, &["judged whole"]), ["judged whole: yes"]);
    assert!(w.outside.delivered[2].contains("what the user accepted (T1, T2)"), "{}", w.outside.delivered[2]);
}

#[test]
fn the_whole_is_accepted_when_nothing_but_its_gate_is_left() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.checks.insert("npm test".into(), {
        use crate::domain::verdict::CheckOutcome::*;
        [Passed, Failed(1), Failed(1), Failed(1)].into()
    });
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("T1").is_empty());
    let text = conflict(w.control(&m, accept(None)));
    assert!(text.starts_with("task T1 is in_progress: accept or retry it first"), "{text}");
    w.run();
    assert_eq!(w.state(&m), "partially_completed");
    w.control(&m, accept(None)).expect("accepted");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let report = w.outside.delivered.last().expect("a second report");
    assert!(report.contains("Accepted by the user without the gate of the whole: good enough"), "{report}");
    assert!(report.contains("passed → failed (exit 1)"), "the checks say what they said: {report}");
    assert!(conflict(w.control(&m, accept(None))).contains("completed cannot be accepted"));
}

#[test]
fn what_cannot_be_accepted_is_refused_with_the_way_out() {
    let (mut w, m) = failing();
    w.run_until(|w| !w.turns_of("T3").is_empty());
    let text = conflict(w.control(&m, accept(Some("T9"))));
    assert_eq!(text, "the mission has no task T9; it has T1, T2, T3");
    w.control(&m, Control::Cancel { by: "you" }).expect("cancelled");
    let text = conflict(w.control(&m, accept(Some("T1"))));
    assert_eq!(text, "nothing of a mission that is stopped can be accepted");
}
