//! A provider that fails for everybody: the breaker, degraded missions, and that all of them come out of it.
use super::outside::*;
use super::*;
use crate::engine::core::Control;

fn failing() -> Steps {
    vec![(100, Step::Fail("APIError", Some(503)))]
}

/// Six tasks side by side whose first turns all fail: enough to open the breaker.
fn storm() -> World {
    let mut w = planned((1..=6).map(|i| task(&format!("T{i}"), "", "")).collect());
    for i in 1..=6 {
        w.outside.script(&format!("T{i}"), vec![failing()]);
    }
    w
}

#[test]
fn many_failures_degrade_the_mission_and_probes_bring_it_back() {
    let mut w = storm();
    let m = w.task("do it");
    w.run_until(|w| w.state(&"m1".into()) == "degraded");
    let turns = w.outside.turns.len();
    w.run_for(29_000);
    assert_eq!(w.outside.turns.len(), turns, "nothing is asked of a provider that is down");
    w.run_for(3_000);
    assert_eq!(w.outside.turns.len(), turns + 1, "one probe");
    w.run();
    assert_eq!(w.trace(&m, &["state"])[2..], ["state degraded", "state running", "state completed"]);
    assert!(w.mission(&m).tasks.iter().all(|t| t.attempts == 1), "no task pays for it with an attempt");
    assert!(w.toasts().iter().any(|(title, _)| title == "Model provider failing"));
}

#[test]
fn a_probe_that_is_taken_back_makes_room_for_another() {
    // The probing mission is cancelled, or dropped to be read again; the other one still gets its turn.
    for cancelled in [true, false] {
        let mut w = storm();
        let first = w.task("do it");
        w.outside.script("Commander", vec![vec![(200, Step::Call(brief("b"))), (1, Step::Say("x"))]]);
        let second = w.task_in("u9", "/elsewhere", "that too", w.options());
        w.run_until(|w| w.core.missions().all(|m| m.state.name() == "degraded"));
        let turns = w.outside.turns.len();
        w.run_until(|w| w.outside.turns.len() > turns);
        let prober =
            if w.actions.iter().rev().find_map(prompted) == Some(first.clone()) { &first } else { &second };
        if cancelled {
            w.control(prober, Control::Cancel { by: "you" }).expect("cancelled");
        } else {
            w.step(crate::engine::core::Input::Forget {
                mission: prober.clone(),
                gone: Some("taken over".into()),
            });
            w.outside.restart();
        }
        w.run();
        let other = if *prober == first { &second } else { &first };
        assert_eq!(w.state(other), "completed");
    }
}

fn prompted(
    (_, action): &(crate::domain::ids::Millis, crate::engine::core::Action),
) -> Option<crate::domain::ids::MissionId> {
    match action {
        crate::engine::core::Action::Prompt { mission, .. } => Some(mission.clone()),
        _ => None,
    }
}

#[test]
fn a_degraded_mission_can_be_cancelled_and_is_ended_by_its_time_limit() {
    for limit in [None, Some(20_000)] {
        let mut w = storm();
        let mut options = w.options();
        options.max_duration_ms = limit.unwrap_or(options.max_duration_ms);
        let m = w.task_in("u0", "/p", "do it", options);
        w.run_until(|w| w.state(&"m1".into()) == "degraded");
        if limit.is_none() {
            w.control(&m, Control::Cancel { by: "you" }).expect("cancelled");
        }
        w.run();
        assert_eq!(w.state(&m), if limit.is_none() { "stopped" } else { "timeout" });
    }
}
