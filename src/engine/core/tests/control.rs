//! What the user can do to a mission: cancel, pause, resume, retry, steer; and missions that wait for each other.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::mission::Phase;
use crate::engine::core::event::{Options, Outcome, ReportStatus};
use crate::engine::core::{Control, Refusal};

const CANCEL: Control = Control::Cancel { by: "you" };

/// A diamond, stopped at the first moment of a phase.
fn at(phase: Phase) -> (World, MissionId) {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.phase == Some(phase)));
    (w, m)
}

#[test]
fn cancelled_in_any_phase_nothing_is_left_running() {
    for phase in Phase::ALL {
        for later in [0, 5, 15, 250, 700, 1_500, 11_000, 13_000] {
            let (mut w, m) = at(phase);
            w.run_for(later);
            if !w.mission(&m).state.is_open() {
                continue;
            }
            w.control(&m, CANCEL).expect("cancelled");
            let case = format!("{} + {later} ms", phase.name());
            assert_eq!(w.mission(&m).open_attempts().count(), 0, "{case}");
            w.run();
            w.run_for(60_000);
            assert_eq!(w.state(&m), "stopped", "{case}");
            assert!(w.mission(&m).tasks.iter().all(|t| t.state.is_over()), "{case}: {}", w.story());
            let busy: Vec<_> = w.outside.sessions.iter().filter(|(_, s)| s.busy).map(|(id, _)| id).collect();
            assert_eq!(busy, Vec::<&crate::domain::ids::HostSessionId>::new(), "{case}");
            assert_eq!(w.outside.delivered.len(), 1, "{case}");
            let running =
                w.outside.todo.values().any(|s| matches!(format!("{s:?}").as_str(), "Running" | "Review"));
            assert!(!running, "{case}: {:?}", w.outside.todo);
        }
    }
}

#[test]
fn esc_on_the_running_call_cancels_the_mission() {
    let (mut w, m) = at(Phase::Executing);
    w.run_for(3_000);
    w.escape("u0");
    w.run();
    assert_eq!(w.state(&m), "stopped");
    let aborted = w.mission(&m).attempts.values().filter(|a| a.outcome == Some(Outcome::Aborted)).count();
    assert_eq!(aborted, 1);
    // The call was taken back, so the report comes as a message.
    assert_eq!(w.trace(&m, &["handed"]), ["handed back: Message"]);
}

#[test]
fn a_queued_mission_is_cancelled_before_it_began() {
    let mut w = diamond();
    let first = w.task("first");
    let second = w.task("second");
    assert_eq!(w.state(&second), "queued");
    w.control(&second, CANCEL).expect("cancelled");
    assert_eq!(w.state(&second), "cancelled");
    w.run();
    assert_eq!(w.state(&first), "completed");
    assert_eq!(w.trace(&second, &["phase", "open"]), Vec::<String>::new());
}

#[test]
fn missions_in_one_place_follow_each_other_and_elsewhere_they_do_not_wait() {
    let mut w = diamond();
    let first = w.task("first");
    let second = w.task("second");
    let elsewhere = w.task_in("u9", "/elsewhere", "third", w.options());
    assert_eq!([&first, &second, &elsewhere].map(|m| w.state(m)), ["running", "queued", "running"]);
    w.run_until(|w| !w.core.mission(&"m1".into()).expect("first").state.is_open());
    assert_eq!(w.state(&second), "running");
    w.run();
    assert!(w.core.missions().all(|m| m.state.name() == "completed"));
    assert_eq!(w.outside.delivered.len(), 3);
}

#[test]
fn the_calls_of_one_conversation_go_to_its_missions_in_turn() {
    let mut w = diamond();
    w.outside
        .script("Commander", vec![vec![(200, Step::Call(brief("brief of the first"))), (1, Step::Say("x"))]]);
    let first = w.task_in("u0", "/p", "first", w.options());
    let second = w.task_in("u0", "/p", "second", w.options());
    w.run();
    assert_eq!(w.trace(&first, &["briefed"]), ["briefed by Commander: brief of the first"]);
    assert_eq!(w.trace(&second, &["briefed"]), ["briefed by User: second"]);
}

#[test]
fn the_same_request_is_accepted_once() {
    let mut w = diamond();
    let m = w.task("do it");
    let created = w.mission(&m).created.clone();
    let reply = w.reply();
    w.step(crate::engine::core::Input::Create { reply, mission: "again".into(), created });
    let expected = crate::engine::core::Answer::Created { mission: m, queued_behind: vec![] };
    assert_eq!(w.answers[&reply], expected);
    assert_eq!(w.core.missions().count(), 1);
}

#[test]
fn paused_in_any_phase_it_rests_and_resumed_it_goes_on() {
    for phase in Phase::ALL {
        for later in [0, 5, 250, 1_200, 11_200] {
            let (mut w, m) = at(phase);
            w.run_for(later);
            if w.control(&m, Control::Pause).is_err() {
                continue;
            }
            let case = format!("{} + {later} ms", phase.name());
            // Turns under way end by themselves, and are the last.
            w.run_for(30_000);
            let turns = w.outside.turns.len();
            w.run_for(3_600_000);
            assert_eq!(w.outside.turns.len(), turns, "{case}");
            assert_eq!(w.state(&m), "paused", "{case}");
            w.control(&m, Control::Resume).expect("resumed");
            w.run();
            assert_eq!(w.state(&m), "completed", "{case}");
        }
    }
}

#[test]
fn nobody_is_reminded_or_taken_up_again_while_it_is_paused() {
    let table = [
        ("without the submit call", vec![(2_000, Step::Say("x"))]),
        ("cut off", vec![(2_000, Step::Cut)]),
        ("failed by the provider", vec![(2_000, Step::Fail("APIError", Some(503)))]),
    ];
    for (what, turn) in table {
        let mut w = planned(vec![task("T1", "a", "")]);
        w.outside.script("T1", vec![turn]);
        let m = w.task("do it");
        w.run_until(|w| !w.turns_of("T1").is_empty());
        w.run_for(1_000);
        w.control(&m, Control::Pause).expect("paused");
        w.run_for(300_000);
        assert_eq!(w.turns_of("T1").len(), 1, "{what}");
        w.control(&m, Control::Resume).expect("resumed");
        w.run();
        assert_eq!(w.state(&m), "completed", "{what}");
        assert_eq!(w.turns_of("T1").len(), 2, "{what}");
    }
}

#[test]
fn a_retry_keeps_what_was_completed() {
    let blocked = || does(reported(ReportStatus::Blocked, "no"));
    // Of two tasks these fail the first time; the states at the end, and after the retry.
    let table = [(vec!["T2"], "partially_completed"), (vec!["T1", "T2"], "failed")];
    for (failing, end) in table {
        let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
        for t in &failing {
            w.outside.script(t, vec![blocked(), blocked(), blocked()]);
        }
        let m = w.task("do it");
        w.run();
        assert_eq!(w.state(&m), end);
        w.control(&m, Control::Retry).expect("retried");
        w.run();
        assert_eq!(w.state(&m), "completed", "{end}:\n{}", w.story());
        assert_eq!(w.trace(&m, &["task T1 completed", "task T2 completed"]).len(), 2);
        assert_eq!(w.outside.delivered.len(), 2, "each end is reported");
    }
}

#[test]
fn a_retry_waits_its_turn_in_the_place() {
    let blocked = || does(reported(ReportStatus::Blocked, "no"));
    for (failing, waits) in [(vec!["T1", "T2"], true), (vec!["T2"], false)] {
        let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
        for t in &failing {
            w.outside.script(t, vec![blocked(), blocked(), blocked()]);
        }
        let first = w.task("first");
        w.run();
        let second = w.task("second");
        w.run_for(2_000);
        let retried = w.control(&first, Control::Retry);
        if waits {
            assert_eq!(retried, Ok(()));
            assert_eq!([w.state(&first), w.state(&second)], ["queued", "running"]);
        } else {
            // From here the states know no way but to running at once.
            let why = "another mission is at work in this project: retry when it has ended";
            assert_eq!(retried, Err(Refusal::Conflict(why.into())));
        }
        w.run();
        assert_eq!(w.state(&first), if waits { "completed" } else { "partially_completed" });
        assert_eq!(w.state(&second), "completed");
    }
}

#[test]
fn retries_are_bounded() {
    let blocked = || does(reported(ReportStatus::Blocked, "no"));
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", (0..100).map(|_| blocked()).collect());
    let m = w.task("do it");
    w.run();
    for _ in 0..3 {
        w.control(&m, Control::Retry).expect("retried");
        w.run();
        assert_eq!(w.state(&m), "failed");
    }
    let why = "it was retried 3 times already: start a new mission with what is left";
    assert_eq!(w.control(&m, Control::Retry), Err(Refusal::Conflict(why.into())));
}

#[test]
fn what_a_state_does_not_allow_is_refused_with_its_name() {
    let conflict = |text: &str| Err(Refusal::Conflict(text.into()));
    let steer = || Control::Steer { text: "left".into(), task: None, now: false };
    let (mut w, m) = at(Phase::Executing);
    assert_eq!(
        w.control(&m, Control::Resume),
        conflict("a mission that is running cannot be resumed: only a paused one can")
    );
    assert_eq!(
        w.control(&m, Control::Retry),
        conflict("a mission that is running cannot be retried: only one that failed or is partly done")
    );
    w.run();
    assert_eq!(
        w.control(&m, CANCEL),
        conflict("a mission that is completed cannot be cancelled: it has ended")
    );
    assert_eq!(
        w.control(&m, Control::Pause),
        conflict("a mission that is completed cannot be paused: only a running one can")
    );
    assert_eq!(
        w.control(&m, steer()),
        conflict("a mission that is completed cannot be steered: it has ended")
    );
    assert!(matches!(w.control(&"m9".into(), CANCEL), Err(Refusal::NotFound(_))));
}

#[test]
fn a_steer_reaches_the_workers_that_start_after_it() {
    let (mut w, m) = at(Phase::Executing);
    w.run_for(2_000);
    w.control(&m, Control::Steer { text: "no new dependencies".into(), task: None, now: false })
        .expect("steered");
    w.run();
    assert!(!w.turns_of("T1")[0].contains("no new dependencies"));
    for t in ["T2", "T3", "T4", "Integration review"] {
        assert!(w.turns_of(t)[0].contains("- no new dependencies"), "{t}");
    }
}

#[test]
fn the_time_limit_ends_a_mission_and_a_retry_goes_on() {
    let mut w = diamond();
    w.outside.script("T2", vec![vec![]]);
    let options = Options { max_duration_ms: 120_000, ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    let begin = w.now;
    w.run();
    assert_eq!(w.state(&m), "timeout");
    assert!(w.now.since(begin) < 125_000);
    w.run_for(1_000);
    assert!(w.outside.sessions.values().all(|s| !s.busy));
    w.control(&m, Control::Retry).expect("retried");
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(w.turns_of("T1").len(), 1);
}

#[test]
fn a_settled_mission_leaves_memory_after_half_an_hour() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    w.run_for(29 * 60_000);
    assert!(w.core.mission(&m).is_some());
    w.run_for(2 * 60_000);
    assert!(w.core.mission(&m).is_none());
    assert_eq!(w.core.next_wake(), None);
    assert!(w.core.leases("/p").is_none());
}
