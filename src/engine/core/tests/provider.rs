//! A provider that fails for everybody: the breaker, degraded missions, and that all of them come out of it.
use super::outside::*;
use super::*;
use crate::domain::ids::Millis;
use crate::domain::plan::DraftTask;
use crate::engine::core::event::{Ceiling, Event, Options, Outcome, PromptReason};
use crate::engine::core::{Action, Control, ToolInput};
use std::collections::BTreeMap;

/// As OpenCode 1.18 tries a 503 without a header again; it fails the turn after 66 s.
const UNAVAILABLE: &[u64] = &[2_000, 2_000, 5_000, 11_000, 18_000, 28_000];
/// … and a 429 that asks to wait 3 s.
const LIMITED: &[u64] = &[3_000; 5];

fn down(w: &mut World, ms: u64, status: u32) -> Millis {
    let until = w.now.plus(ms);
    let (why, waits) =
        if status == 429 { ("Too Many Requests", LIMITED) } else { ("Service Unavailable", UNAVAILABLE) };
    w.outside.down = Some(Down { until, why, status, waits });
    until
}

/// Titles of the call that waits for the end.
fn titles(w: &World) -> Vec<&str> {
    let titles = w.actions.iter().filter_map(|(_, a)| match a {
        Action::Progress { title, .. } => Some(title.as_str()),
        _ => None,
    });
    titles.collect()
}

fn lost(w: &World, m: &crate::domain::ids::MissionId) -> Vec<String> {
    let outcome = |(_, e): &(Millis, Event)| match e {
        Event::AttemptClosed { outcome: Outcome::Failed { reason }, .. } => Some(reason.clone()),
        _ => None,
    };
    w.log[m].iter().filter_map(outcome).collect()
}

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

#[test]
fn after_a_rate_limit_of_any_length_the_mission_goes_on_within_a_minute() {
    for minutes in [2, 30, 600] {
        let mut w = planned(vec![task("T1", "", "")]);
        w.outside.script("T1", vec![vec![(1_000, Step::Call(report("T1"))), (1, Step::Say("x"))]]);
        let m = w.task("do it");
        w.run_until(|w| w.turns_of("Plan").len() == 1);
        let over = down(&mut w, minutes * 60_000, 429);
        w.run_for(over.since(w.now));
        assert!(lost(&w, &m).is_empty(), "{}", w.story());
        w.run_for(60_000);
        assert_eq!(w.state(&m), "completed", "{minutes} minutes: {}", w.story());
        let said = |words: &str| titles(&w).iter().any(|t| t.contains(words));
        assert!(said("the host asks the model provider again in 3 s"), "{:?}", titles(&w));
    }
}

#[test]
fn an_outage_degrades_the_mission_and_eats_neither_attempts_nor_permits() {
    let mut w = planned((1..=4).map(|i| task(&format!("T{i}"), "", "")).collect());
    let m = w.task("do it");
    w.run_until(|w| w.turns_of("Plan").len() == 1);
    let over = down(&mut w, 3 * 3_600_000, 503);
    w.run_until(|w| w.state(&"m1".into()) == "degraded");
    assert!(w.now.plus(3 * 3_600_000).since(over) < 30_000, "it takes less than half a minute");
    w.run_for(over.since(w.now));
    let turns = w.outside.turns.len();
    assert!((100..600).contains(&turns), "{turns} turns in three hours of outage");
    assert_eq!((lost(&w, &m), w.state(&m)), (vec![], "degraded"), "{}", w.story());
    let mut gauges = BTreeMap::new();
    w.core.report(&mut gauges);
    // Nine failures at most until it opened: the planner's last words were an answer in between.
    assert!(gauges["permits.worker.allowed"] >= 6, "{gauges:?}");
    w.run();
    assert_eq!((w.state(&m), lost(&w, &m)), ("completed", vec![]));
    assert!(w.now.since(over) < 180_000, "{}", w.story());
    let said = |words: &str| titles(&w).iter().any(|t| t.contains(words));
    assert!(said("keeps failing; tried again in 2") && said("keeps failing; one turn tries it"));
}

#[test]
fn who_fails_again_and_again_while_others_are_answered_begins_anew() {
    let mut w = planned(vec![task("T1", "", ""), task("T2", "", "")]);
    let slow = || vec![(4_000, Step::Fail("APIError", Some(500)))];
    w.outside.script("T1", (0..5).map(|_| slow()).collect());
    let talks = (0..100).map(|_| (1_000, Step::Call(ToolInput::ContextGet { key: None })));
    w.outside.script("T2", vec![talks.chain(does(report("T2"))).collect()]);
    let m = w.task("do it");
    w.run();
    assert_eq!((w.state(&m), lost(&w, &m)), ("completed", vec!["APIError: scripted".to_owned()]));
    assert_eq!(w.mission(&m).task(&"T1".into()).map(|t| t.attempts), Some(2), "{}", w.story());
}

/// Of which the first that is tried again, when the breaker lets it, ends that way.
fn storm_and(probe: &Steps) -> World {
    let mut w = storm();
    for i in 1..=6 {
        // The first four are tried again before the fifth has failed.
        let again = (i <= 4).then(failing);
        w.outside.script(&format!("T{i}"), again.into_iter().chain([probe.clone()]).collect());
    }
    w
}

/// Whatever becomes of the turn that probes: the others get theirs, and it is prompted again itself.
#[test]
fn a_probe_that_has_no_outcome_keeps_nobody_out() {
    let endings: [(&str, Steps); 4] = [
        ("too long", vec![(100, Step::Fail("MessageOutputLengthError", None))]),
        ("cut off", vec![(100, Step::Cut)]),
        ("refused", vec![(100, Step::Ask)]),
        ("steered", vec![]),
    ];
    for (what, ending) in endings {
        let mut w = storm_and(&ending);
        let m = w.task("do it");
        w.run_until(|w| w.state(&"m1".into()) == "degraded");
        let turns = w.outside.turns.len();
        w.outside.dialog.push_back(false);
        w.run_until(|w| w.outside.turns.len() > turns);
        let probe = w.outside.turns[turns].1.clone();
        // Only the probe is to end that way.
        w.outside.script.clear();
        w.run_for(50);
        if what == "steered" {
            let task = Some(probe.as_str().into());
            w.control(&m, Control::Steer { text: "faster".into(), task, now: true }).expect("steered");
        }
        w.run_for(180_000);
        assert_eq!((w.state(&m), lost(&w, &m)), ("completed", vec![]), "{what}: {}", w.story());
    }
}

#[test]
fn who_waits_begins_as_soon_as_the_probe_is_answered_and_asks_nothing_until_then() {
    // Its answer calls a tool that takes for ever.
    let mut w = storm_and(&vec![(7_777, Step::Emit(Sign::Tool(crate::ports::host::CallState::Running)))]);
    w.task("do it");
    w.run_until(|w| w.state(&"m1".into()) == "degraded");
    let turns = w.outside.turns.len();
    w.run_until(|w| w.outside.turns.len() > turns);
    let probed = w.outside.turns[turns].0;
    w.run_until(|w| w.outside.turns.len() > turns + 1);
    assert_eq!(w.outside.turns[turns + 1].0, probed.plus(7_777), "{:?}", w.outside.turns);
    // Between them the core wanted no more than to show the time.
    let ticks = titles(&w).iter().filter(|t| t.contains("one turn tries it")).count();
    assert!((2..6).contains(&ticks), "{:?}", titles(&w));
}

#[test]
fn what_failed_before_the_first_answer_is_remembered_under_its_name() {
    let mut w = planned(vec![task("T1", "", "")]);
    let mut plan: Steps =
        (0..5).map(|_| (1_000, Step::Emit(Sign::HostRetry(1_000, "Service Unavailable")))).collect();
    plan.extend(does(ToolInput::Plan(w.outside.plan.clone())));
    w.outside.script("Plan", vec![plan]);
    let m = w.task("do it");
    w.run_until(|w| w.state(&"m1".into()) == "degraded");
    let opened = w.now;
    w.run_until(|w| w.turns_of("T1").len() == 1);
    assert!(w.now.since(opened) >= 30_000, "{}", w.story());
    w.run();
    assert_eq!(w.state(&m), "completed");
}

// ---- two providers

/// Tasks that are raced, after one that is not: what its worker ran on is usual for workers from then on.
fn raced(n: usize) -> World {
    let raced =
        |i: usize| DraftTask { mode: Some("race".into()), ..task(&format!("T{i}"), &format!("f{i}"), "T0") };
    let first = DraftTask { mode: Some("normal".into()), ..task("T0", "f0", "") };
    planned(std::iter::once(first).chain((1..=n).map(raced)).collect())
}

fn on_two(w: &World, ceiling: Option<u32>) -> Options {
    Options {
        worktrees: Some(true),
        race: Some(2),
        race_models: Some(vec!["a/x".into(), "b/y".into()]),
        providers: ceiling.map(|most| Ceiling { name: "a".into(), most }).into_iter().collect(),
        ..w.options()
    }
}

#[test]
fn a_ceiling_holds_for_what_a_try_is_to_run_on_before_it_has_answered() {
    let mut w = raced(6);
    let options = on_two(&w, Some(1));
    let m = w.task_in("u0", "/p", "do it", options);
    let busy = |w: &World, name: &str| {
        let on = |s: &&Session| s.busy && s.model.as_deref().is_some_and(|m| m.starts_with(name));
        w.outside.sessions.values().filter(on).count()
    };
    let (mut most, mut beside) = (0, 0);
    while w.state(&m) != "completed" {
        w.run_for(20);
        assert!(w.now.0 < 36_000_000, "{}", w.story());
        (most, beside) = (most.max(busy(&w, "a/")), beside.max(busy(&w, "b/")));
    }
    assert!(most == 1 && beside > 2, "{most} on a, {beside} on b");
}

#[test]
fn what_one_provider_says_does_not_hold_up_a_try_on_another() {
    let mut w = raced(1);
    // It waits for its provider; the other begins a second time meanwhile.
    let mut waits: Steps = vec![(100, Step::Emit(Sign::HostRetry(3_600_000, "Too Many Requests")))];
    waits.push((3_600_000, Step::Say("x")));
    w.outside.script("T1.r1", vec![waits]);
    w.outside.script("T1.r2", vec![vec![(500, Step::Say("not yet"))]]);
    let options = on_two(&w, None);
    let m = w.task_in("u0", "/p", "do it", options);
    w.run_for(600_000);
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    let prompts = |a: &&crate::engine::core::state::Attempt| a.prompted(PromptReason::Nudge) > 0;
    assert!(w.mission(&m).attempts.values().any(|a| prompts(&a)), "{}", w.story());
}
