//! Suspended: nothing is at work, in the host or here, and what was begun goes on where it stood.
use super::outside::Outside;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::mission::Phase;
use crate::engine::core::event::{AttemptKind, Event, Outcome, PromptReason};
use crate::engine::core::worktrees::TreeWork;
use crate::engine::core::{Action, Control, MAX_WHOLE_ROUNDS};
use crate::ports::worktrees::Move;

fn at(phase: Phase) -> (World, MissionId) {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.phase == Some(phase)));
    (w, m)
}

fn busy(w: &World) -> usize {
    w.outside.sessions.values().filter(|s| s.busy && s.title != "Commander").count()
}

#[test]
fn in_any_phase_nothing_is_left_at_work_and_no_attempt_is_lost() {
    for phase in Phase::ALL {
        for later in [0, 5, 15, 250, 1_200, 2_600, 11_200, 13_000] {
            let (mut w, m) = at(phase);
            w.run_for(later);
            if w.control(&m, Control::Suspend).is_err() {
                continue;
            }
            let case = format!("{} + {later} ms", phase.name());
            w.run_for(10_000);
            assert_eq!(busy(&w), 0, "{case}: {}", w.story());
            let turns = w.outside.turns.len();
            w.run_for(3_600_000);
            assert_eq!((w.outside.turns.len(), w.state(&m)), (turns, "paused"), "{case}");
            w.control(&m, Control::Resume).expect("resumed");
            w.run();
            assert_eq!(w.state(&m), "completed", "{case}: {}", w.story());
            let outcomes = || w.mission(&m).attempts.values().map(|a| a.outcome.clone());
            assert!(
                outcomes().all(|o| o == Some(Outcome::Done)),
                "{case}: {:?}\n{}",
                outcomes().collect::<Vec<_>>(),
                w.story()
            );
            assert!(w.mission(&m).tasks.iter().all(|t| t.attempts == 1), "{case}");
        }
    }
}

/// The worker's first prompt has left, and takes five seconds to reach the host.
fn on_its_way() -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", "")]);
    let m = w.task("do it");
    w.run_until(|w| w.core.missions().any(|m| m.phase == Some(Phase::Executing)));
    w.lane_ms = 5_000;
    let worker = AttemptKind::Work("T1".into());
    w.run_until(|w| w.mission(&m).open_attempts().any(|a| a.kind == worker && !a.prompts.is_empty()));
    w.lane_ms = 0;
    (w, m)
}

#[test]
fn a_prompt_on_its_way_begins_no_turn_that_goes_on() {
    let (mut w, m) = on_its_way();
    w.run_for(100);
    w.control(&m, Control::Suspend).expect("suspended");
    w.run_for(10_000);
    assert_eq!((w.turns_of("T1").len(), busy(&w)), (1, 0), "{}", w.story());
    assert!(w.mission(&m).open_attempts().all(|a| !a.given_up && a.interrupted));
    // A second time, when the conversation ends with the error of the first.
    w.lane_ms = 5_000;
    w.control(&m, Control::Resume).expect("resumed");
    w.run_until(|w| w.mission(&m).open_attempts().any(|a| a.prompts.len() == 2));
    w.lane_ms = 0;
    w.control(&m, Control::Suspend).expect("suspended");
    w.run_for(10_000);
    assert_eq!((w.turns_of("T1").len(), busy(&w)), (2, 0), "{}", w.story());
    assert!(w.mission(&m).open_attempts().all(|a| !a.given_up && a.interrupted));
    w.control(&m, Control::Resume).expect("resumed");
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn the_end_of_a_turn_is_not_waited_for_when_its_prompt_fails() {
    let (mut w, m) = on_its_way();
    let fault = super::outside::fault("UnknownError", Some(500));
    w.outside.prompt_faults.push_back(crate::ports::host::HostError::Refused(fault));
    w.control(&m, Control::Suspend).expect("suspended");
    w.run_for(10_000);
    assert!(w.mission(&m).open_attempts().all(|a| !a.given_up && a.interrupted), "{}", w.story());
    w.control(&m, Control::Resume).expect("resumed");
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn words_in_a_hurry_wait_for_the_prompt_on_its_way() {
    let (mut w, m) = on_its_way();
    let steer = Control::Steer { text: "use tabs".into(), task: Some("T1".into()), now: true };
    w.control(&m, steer).expect("steered");
    w.run_for(10_000);
    let turns = w.turns_of("T1");
    assert_eq!(turns.len(), 2, "{}", w.story());
    assert!(turns[1].starts_with("The user has added since:\n- use tabs"), "{}", turns[1]);
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn who_waits_for_the_end_is_told_and_gets_the_report_later() {
    let (mut w, m) = at(Phase::Executing);
    w.run_for(2_000);
    w.control(&m, Control::Suspend).expect("suspended");
    w.run_for(5_000);
    let told = w.calls_of(&"u0".into());
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with(&format!("The user has suspended mission {m}:")), "{}", told[0]);
    assert!(w.outside.sessions.values().all(|s| !s.busy), "the conversation is free as well");
    w.control(&m, Control::Resume).expect("resumed");
    w.run();
    assert_eq!(w.trace(&m, &["handed"]), ["handed back: Message"]);
}

#[test]
fn in_the_next_process_it_goes_on_in_the_same_conversation() {
    // How long after the order the process goes, with its host or without.
    for (ms, host) in [(0, false), (5, false), (3_000, false), (0, true), (3_000, true)] {
        let (mut w, m) = at(Phase::Executing);
        w.run_for(2_000);
        w.control(&m, Control::Suspend).expect("suspended");
        w.run_for(ms);
        let events = w.log[&m].len();
        let mut next = w.take_over(w.now.plus(1_000), events, &w.outside.clone(), host);
        next.run_for(10_000);
        assert_eq!(busy(&next), 0, "{ms} {host}");
        assert_eq!(next.state(&m), "paused");
        next.control(&m, Control::Resume).expect("resumed");
        next.run();
        assert_eq!(next.state(&m), "completed", "{ms} {host}: {}", next.story());
        let first = next.mission(&m).attempts.values().find(|a| a.kind == AttemptKind::Work("T1".into()));
        let prompts = &first.expect("a worker").prompts;
        assert_eq!(prompts, &[PromptReason::First, PromptReason::Resumed], "{ms} {host}");
    }
}

#[test]
fn a_second_prompt_to_go_on_that_a_crash_kept_from_the_host_is_sent_again() {
    for host in [false, true] {
        let (mut w, m) = at(Phase::Executing);
        w.run_for(2_000);
        for _ in 0..2 {
            w.control(&m, Control::Suspend).expect("suspended");
            w.run_for(5_000);
            w.control(&m, Control::Resume).expect("resumed");
            w.run_for(3_000);
        }
        let resumed = |e: &Event| matches!(e, Event::Prompted { reason: PromptReason::Resumed, .. });
        let second = w.log[&m].iter().enumerate().filter(|(_, (_, e))| resumed(e)).nth(1);
        let (n, _) = second.expect("it was prompted to go on twice");
        let moment = w.moments.iter().find(|moment| moment.events > n).expect("its commit").clone();
        let mut next = w.take_over(moment.now, moment.events, &moment.before, host);
        if next.state(&m) == "paused" {
            next.control(&m, Control::Resume).expect("resumed");
        }
        next.run();
        assert_eq!(next.state(&m), "completed", "{host}: {}", next.story());
        let outcomes: Vec<_> = next.mission(&m).attempts.values().map(|a| a.outcome.clone()).collect();
        assert!(outcomes.iter().all(|o| *o == Some(Outcome::Done)), "{host}: {}", next.story());
        let turns = next.turns_of("T1");
        let last = turns.last().expect("a turn");
        assert!(
            last.starts_with(
                "The user had interrupted your turn, and lets you go on (said 3 times by now). "
            ),
            "{host}: {turns:?}"
        );
    }
}

/// In worktrees, to the moment at which this is being done for the last time.
fn while_trees_are(what: &str, wanted: impl Fn(&TreeWork) -> bool, script: impl Fn(&mut Outside)) {
    for order in [Control::Pause, Control::Suspend] {
        let mut w = planned(vec![task("T1", "a", "")]);
        script(&mut w.outside);
        let times = w.outside.landings.len() + w.outside.merge_faults.len();
        let options = crate::engine::core::event::Options { worktrees: Some(true), ..w.options() };
        let m = w.task_in("u0", "/p", "do it", options);
        let is = |(_, a): &&(_, Action)| matches!(a, Action::Trees { work, .. } if wanted(work));
        w.run_until(|w| w.actions.iter().filter(is).count() == times);
        w.control(&m, order.clone()).expect("paused");
        w.run_for(60_000);
        assert_eq!(w.state(&m), "paused", "{what}, {order:?}");
        w.control(&m, Control::Resume).expect("resumed");
        w.run();
        assert_eq!(w.state(&m), "completed", "{what}, {order:?}: {}", w.story());
    }
}

#[test]
fn what_fails_while_it_is_paused_is_tried_again_and_does_not_end_it() {
    let landing = |work: &TreeWork| matches!(work, TreeWork::Land { .. });
    let merging = |work: &TreeWork| matches!(work, TreeWork::Merge { .. });
    let in_the_way = || Ok(Move::InTheWay("a".into()));
    while_trees_are("landing fails", landing, |o| o.landings = [Err("no space".into())].into());
    while_trees_are("files in the way", landing, |o| o.landings = [in_the_way()].into());
    while_trees_are("files in the way for the last time", landing, |o| {
        o.landings = (0..MAX_WHOLE_ROUNDS).map(|_| in_the_way()).collect();
    });
    while_trees_are("putting together", merging, |o| {
        o.merge_faults = (0..3).map(|_| "no space".into()).collect()
    });
}

#[test]
fn one_that_is_suspended_keeps_no_permit_from_others() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
    let narrow = crate::engine::core::event::Options { workers: 1, ..w.options() };
    let first = w.task_in("u0", "/p", "first", narrow.clone());
    w.run_until(|w| !w.turns_of("T1").is_empty());
    w.control(&first, Control::Suspend).expect("suspended");
    w.run_for(5_000);
    let second = w.task_in("u1", "/q", "second", narrow);
    w.run_until(|w| {
        w.core.missions().any(|m| m.created.text == "second" && m.phase == Some(Phase::Reviewing))
    });
    w.control(&first, Control::Resume).expect("resumed");
    w.run();
    assert_eq!((w.state(&first), w.state(&second)), ("completed", "completed"));
    assert_eq!(w.most_turns, 1, "never more turns of workers than permits");
}

#[test]
fn what_the_host_asks_for_meanwhile_is_closed() {
    let (mut w, m) = at(Phase::Executing);
    w.outside.script("T1", vec![]);
    w.run_for(100);
    w.control(&m, Control::Suspend).expect("suspended");
    w.control(&m, Control::Suspend).expect("a second time changes nothing");
    w.run_for(5_000);
    let given_up = w.log[&m].iter().filter(|(_, e)| matches!(e, Event::TurnGivenUp { .. })).count();
    assert_eq!(given_up, 1);
}
