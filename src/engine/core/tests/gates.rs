//! The gates of tasks and of the whole.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::plan::DraftTask;
use crate::domain::verdict::CheckOutcome;
use crate::engine::core::event::Options;

const PASS: CheckOutcome = CheckOutcome::Passed;
const FAIL: CheckOutcome = CheckOutcome::Failed(1);

/// One task; the project's checks come out so, the first time before any work.
fn checked(outcomes: &[CheckOutcome]) -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.checks.insert("npm test".into(), outcomes.iter().copied().collect());
    let m = w.task("do it");
    (w, m)
}

#[test]
fn a_regression_in_the_whole_becomes_a_task_and_is_checked_again() {
    let (mut w, m) = checked(&[PASS, FAIL, PASS]);
    w.run();
    assert_eq!(
        w.trace(&m, &["phase", "judged", "added", "state"])[4..],
        [
            "phase executing",
            "judged T1: yes",
            "phase reviewing",
            "judged whole: no",
            "added R1",
            "phase executing",
            "judged R1: yes",
            "phase reviewing",
            "judged whole: yes",
            "phase integrating",
            "state completed"
        ]
    );
    let order = w.turns_of("R1")[0];
    assert!(order.contains("`npm test` fails:\nwhat it said"), "{order}");
    assert!(w.outside.delivered[0].contains("2 of 2 tasks done"), "{}", w.outside.delivered[0]);
}

#[test]
fn what_failed_before_any_work_is_not_held_against_it() {
    let (mut w, m) = checked(&[FAIL, FAIL]);
    w.run();
    assert_eq!(w.state(&m), "completed");
    let review = w.turns_of("Integration review")[0];
    assert!(review.contains("`npm test`: failed (exit 1)"), "the reviewer is told: {review}");
    assert!(w.outside.delivered[0].contains("`npm test`: failed (exit 1) → failed (exit 1)"));
    let reason = &w.mission(&m).reason;
    assert_eq!(reason, "gates passed but for checks that did not pass before either (`npm test`)");
    let told = |(title, text): &(String, String)| {
        format!("{title} {text}").contains("`npm test` failed (exit 1); not held against the mission")
    };
    assert!(w.toasts().iter().any(told), "{:?}", w.toasts());
}

#[test]
fn who_breaks_a_check_that_was_mended_has_broken_it() {
    let check = "npm test";
    let mut w = planned(vec![
        DraftTask { checks: vec![check.into()], ..task("T1", "a", "") },
        DraftTask { checks: vec![check.into()], ..task("T2", "b", "T1") },
    ]);
    // Before any work, T1, T2, T2 again, the whole.
    w.outside.checks.insert(check.into(), [FAIL, PASS, FAIL, PASS, PASS].into());
    let options = Options { checks: Some(vec![check.into()]), ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run();
    assert_eq!(w.trace(&m, &["judged T"]), ["judged T1: yes", "judged T2: no", "judged T2: yes"]);
    assert_eq!((w.state(&m), w.mission(&m).reason.as_str()), ("completed", "all gates passed"));
}

#[test]
fn a_check_that_has_lost_its_program_says_so() {
    let (mut w, m) = checked(&[PASS, CheckOutcome::NotRun, PASS]);
    w.run();
    let order = w.turns_of("R1")[0];
    assert!(
        order.contains("`npm test` could not be started here, though it could before any work:"),
        "{order}"
    );
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn rework_of_the_whole_is_bounded() {
    let (mut w, m) = checked(&[PASS, FAIL, FAIL, FAIL, PASS]);
    w.run();
    assert_eq!(w.trace(&m, &["added"]), ["added R1", "added R2"]);
    assert_eq!(w.state(&m), "partially_completed");
    assert!(
        w.mission(&m).reason.contains("not approved: the checks object: [high] `npm test` fails:"),
        "{}",
        w.mission(&m).reason
    );
}

#[test]
fn a_reviewer_of_the_whole_can_send_it_back_too() {
    let (mut w, m) = checked(&[]);
    w.outside.script("Integration review", vec![does(changes("the parts do not fit"))]);
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert!(w.turns_of("R1")[0].contains("the parts do not fit"));
    assert_eq!(w.turns_of("Integration review").len(), 2);
}

#[test]
fn a_check_of_a_task_that_fails_sends_it_back_without_a_review() {
    let check = "pytest tests/test_a.py";
    let mut w = planned(vec![DraftTask { checks: vec![check.into()], ..task("T1", "a", "") }]);
    w.outside.checks.insert(check.into(), [FAIL, PASS].into());
    let options = Options { checks: Some(vec!["pytest".into()]), ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run();
    assert_eq!(
        w.trace(&m, &["judged T1", "open review T1"]),
        ["judged T1: no", "open review T1 #2", "judged T1: yes"]
    );
    assert!(
        w.turns_of("T1")[1].contains(&format!("`{check}` fails:\nwhat it said")),
        "{}",
        w.turns_of("T1")[1]
    );
}

#[test]
fn an_edit_under_the_verdict_voids_it() {
    let (mut w, m) = checked(&[]);
    // The tree is looked at, reviewed, and then somebody edits.
    w.run_until(|w| w.core.missions().any(|m| m.whole.inspection.is_some()));
    w.outside.touch("by the user");
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(
        w.trace(&m, &["phase reviewing", "judged whole", "phase integrating"]),
        [
            "phase reviewing",
            "judged whole: yes",
            "phase integrating",
            "phase reviewing",
            "judged whole: yes",
            "phase integrating"
        ]
    );
    let mission = w.mission(&m);
    assert_eq!(mission.whole.verdict.as_ref().and_then(|v| v.tree.clone()), Some(w.tree()));
}

#[test]
fn a_tree_that_never_rests_is_not_called_complete() {
    let (mut w, m) = checked(&[]);
    loop {
        let rounds = w.mission(&m).whole_rounds;
        w.run_until(|w| {
            let mission = w.core.mission(&"m1".into()).expect("in memory");
            !mission.state.is_open() || mission.whole_rounds > rounds && mission.whole.inspection.is_some()
        });
        if !w.mission(&m).state.is_open() {
            break;
        }
        w.outside.touch("by the user");
    }
    assert_eq!(w.state(&m), "partially_completed");
    assert_eq!(w.mission(&m).reason, "the files kept changing while they were being reviewed: by the user");
    assert_eq!(w.trace(&m, &["judged whole: yes"]).len(), 6);
    assert_eq!(w.trace(&m, &["added"]), Vec::<String>::new());
}

#[test]
fn a_tree_that_cannot_be_read_is_reviewed_without_its_diff() {
    let (mut w, m) = checked(&[]);
    w.outside.tree_faults.push_back("git is broken".into());
    w.run();
    assert!(w.turns_of("Review T1")[0].contains("(the change could not be read: git is broken)"));
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn verdicts_carry_the_tree_that_was_looked_at() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script(
        "T1",
        vec![vec![(500, Step::Write("a")), (500, Step::Call(report("T1"))), (100, Step::Say("x"))]],
    );
    let m = w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.tasks.first().is_some_and(|t| t.gate.verdict.is_some())));
    let task = &w.mission(&m).tasks[0];
    assert_eq!(task.gate.verdict.as_ref().and_then(|v| v.tree.clone()), Some(w.tree()));
    assert_eq!(task.base.as_ref().map(|t| t.0.as_str()), Some("tree 0"));
}
