//! The process dies at every point of a mission and a new one takes over, of the same host or of one that was
//! started again: the end is the same, nothing finished is worked on again (the world watches that), the report
//! arrives once.
use super::outside::*;
use super::world::{Moment, World};
use super::*;
use crate::engine::core::event::*;
use crate::engine::core::{Action, Answer, Control, Input, Refusal};
use std::collections::BTreeSet;

/// The same with conversations that are handed on, after a look at them.
fn following() -> World {
    let mut w = diamond();
    w.outside.script("Review T1", vec![vec![(90_000, Step::Call(approve())), (100, Step::Say("seen"))]]);
    w.outside.script("Review T2", vec![does(changes("b is wrong"))]);
    let options = Options { follow: Some(true), ..w.options() };
    w.task_in("u0", "/p", "do it", options);
    w.run();
    assert_eq!(w.core.pool.hits, 2);
    w
}

#[test]
fn killed_after_any_commit_with_conversations_handed_on() {
    let w = following();
    let wrong: Vec<_> = w.moments.iter().flat_map(|m| each_way(&w, m, m.events)).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// A diamond in which T2 is sent back once.
fn mission() -> World {
    let mut w = diamond();
    w.outside.script("Review T2", vec![does(changes("b is wrong"))]);
    w.task("do it");
    w.run();
    w
}

fn in_the_end(w: &mut World, case: &str) {
    w.run();
    let m = "m1".into();
    let mission = w.mission(&m);
    assert_eq!(mission.state.name(), "completed", "{case}:\n{}", w.story());
    assert!(mission.tasks.iter().all(|t| t.state.name() == "completed"), "{case}");
    assert_eq!(w.outside.delivered.len(), 1, "{case}: times the report arrived\n{}", w.story());
    let ours = w.outside.sessions.values().filter(|s| s.key.is_some());
    let keys: BTreeSet<_> = ours.clone().map(|s| &s.key).collect();
    assert_eq!(keys.len(), ours.clone().count(), "{case}: host sessions nobody knows of");
    assert_eq!(ours.filter(|s| s.busy).count(), 0, "{case}: turns left running");
    every_order_arrived(w, case);
}

/// No attempt ends well whose own first prompt never reached its session.
fn every_order_arrived(w: &World, case: &str) {
    for attempt in w.mission(&"m1".into()).attempts.values().filter(|a| a.outcome == Some(Outcome::Done)) {
        let AttemptKind::Work(task) = &attempt.kind else { continue };
        let session = attempt.session.clone().expect("a session");
        let (head, nth) = (format!("Task {task}:"), format!("Attempt {} of", attempt.ordinal));
        let told = w.outside.sessions[&session]
            .messages
            .iter()
            .any(|m| m.text.starts_with(&head) && m.text.contains(&nth));
        assert!(
            told,
            "{case}: attempt {} at {task} ended without its order:\n{}",
            attempt.ordinal,
            w.story()
        );
    }
}

/// Runs on from one point in all four ways; answers with those that went wrong.
fn each_way(w: &World, moment: &Moment, events: usize) -> Vec<String> {
    let last = &w.trace(&"m1".into(), &[])[events - 1];
    let mut wrong = Vec::new();
    // Actions wait for the whole commit.
    let whole = events == moment.events;
    let worlds = [(&moment.before, "before its actions"), (&moment.after, "after its actions")];
    for (outside, place) in worlds.into_iter().take(1 + usize::from(whole)) {
        for host_restarted in [false, true] {
            let case = format!("{events} ({last}), {place}, host restarted: {host_restarted}");
            let run = || {
                let mut next = w.take_over(moment.now, events, outside, host_restarted);
                in_the_end(&mut next, &case);
            };
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                wrong.push(case.clone());
            }
        }
    }
    wrong
}

#[test]
fn killed_after_any_commit() {
    let w = mission();
    assert!(w.moments.len() > 40, "{} commits", w.moments.len());
    let wrong: Vec<_> = w.moments.iter().flat_map(|m| each_way(&w, m, m.events)).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// What `killed_after_any_commit` repeats: a process that dies when it has acted and before it heard of that leaves the
/// action to the next, which asks for it a second time.
#[test]
fn every_action_with_an_effect_is_repeated_by_a_take_over() {
    let mut w = diamond();
    // Reported into the conversation, and cut off in the middle of a gate.
    w.outside.script("Commander", vec![vec![(100, Step::Say("x"))]]);
    w.outside.script("Review T2", vec![does(changes("b is wrong"))]);
    w.task("do it");
    w.run();
    let mut repeated = BTreeSet::new();
    for moment in &w.moments {
        let done = w.actions.iter().filter(|(at, _)| *at == moment.now).map(|(_, a)| a.kind());
        let done: BTreeSet<_> = done.collect();
        for host_restarted in [false, true] {
            let mut next = w.take_over(moment.now, moment.events, &moment.after, host_restarted);
            in_the_end(&mut next, "taken over");
            repeated.extend(next.actions.iter().map(|(_, a)| a.kind()).filter(|kind| done.contains(kind)));
        }
    }
    let effects =
        ["baseline", "check", "create_session", "inspect", "prompt", "publish_todo", "survey", "update_todo"];
    let missing: Vec<_> = effects.into_iter().filter(|kind| !repeated.contains(kind)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "{repeated:?}");
    // The one that would be seen twice: the conversation is looked at first.
    assert!(!repeated.contains("hand_back"));
}

#[test]
fn the_end_of_a_turn_is_asked_for_again_by_a_take_over() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.turns_of("T3").len() == 1);
    w.control(&m, Control::Cancel { by: "you" }).expect("cancelled");
    let moment = w.moments.last().expect("a commit").clone();
    let aborts = |w: &World| w.actions.iter().filter(|(_, a)| a.kind() == "abort").count();
    assert!(aborts(&w) >= 2);
    assert!(!w.mission(&m).at_rest(), "found again by who comes next");
    for outside in [&moment.before, &moment.after] {
        let mut next = w.take_over(moment.now, moment.events, outside, false);
        next.run();
        assert!(aborts(&next) >= 2);
        assert_eq!(next.state(&m), "stopped");
        assert!(next.outside.sessions.values().all(|s| !s.busy || s.key.is_none()));
        next.run_for(1_000);
        assert!(next.mission(&m).at_rest());
    }
    let mut restarted = w.take_over(moment.now, moment.events, &moment.after, true);
    restarted.run();
    restarted.run_for(1_000);
    assert_eq!(aborts(&restarted), 0, "they ended with the host");
    assert!(restarted.mission(&m).at_rest());
}

/// A journal that ends within a commit (a copy that was cut off) is still a state to go on from.
#[test]
fn cut_off_at_any_fact() {
    let w = mission();
    let mut from = 1;
    let mut wrong = Vec::new();
    for moment in &w.moments {
        wrong.extend((from..moment.events).flat_map(|events| each_way(&w, moment, events)));
        from = moment.events + 1;
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn told_to_report_first_it_pauses_and_nothing_is_prompted_until_it_is_resumed() {
    let mut w = diamond();
    let options = Options { auto_resume: false, ..w.options() };
    w.task_in("u0", "/p", "do it", options);
    w.run_until(|w| w.turns_of("T1").len() == 1);
    let moment = w.moments.last().expect("a commit").clone();
    let mut next = w.take_over(moment.now, moment.events, &moment.after, true);
    let turns = next.outside.turns.len();
    next.run_for(3_600_000);
    assert_eq!(next.state(&"m1".into()), "paused");
    assert_eq!(next.outside.turns.len(), turns);
    let told = next
        .actions
        .iter()
        .filter(|(_, a)| matches!(a, Action::Tell { text, .. } if text.contains("is paused")));
    assert_eq!(told.count(), 1);
    next.control(&"m1".into(), Control::Resume).expect("resumed");
    in_the_end(&mut next, "resumed");
    // A sidecar that was restarted alone goes on: the host never stopped.
    let mut next = w.take_over(moment.now, moment.events, &moment.after, false);
    in_the_end(&mut next, "sidecar alone");
}

#[test]
fn a_new_process_of_the_same_host_leaves_running_turns_alone() {
    let mut w = diamond();
    w.task("do it");
    w.run_until(|w| w.turns_of("T3").len() == 1);
    w.run_for(2_000);
    let moment = w.moments.last().expect("a commit").clone();
    let outside = w.outside.clone();
    let mut next = w.take_over(w.now, moment.events, &outside, false);
    in_the_end(&mut next, "sidecar alone");
    for t in ["T1", "T2", "T3", "T4"] {
        assert_eq!(next.turns_of(t).len(), 1, "{t}");
    }
    assert_eq!(next.trace(&"m1".into(), &["prompt"]).iter().filter(|l| l.ends_with("Continue")).count(), 0);
}

#[test]
fn a_restarted_host_is_asked_to_go_on_in_the_same_conversations() {
    let mut w = diamond();
    w.task("do it");
    w.run_until(|w| w.turns_of("T3").len() == 1);
    w.run_for(2_000);
    let moment = w.moments.last().expect("a commit").clone();
    let outside = w.outside.clone();
    let mut next = w.take_over(w.now, moment.events, &outside, true);
    in_the_end(&mut next, "host restarted");
    let again = next.trace(&"m1".into(), &["prompt"]);
    let again: Vec<_> = again.iter().filter(|l| l.ends_with("Continue")).collect();
    assert_eq!(again, ["prompt T2 #1: Continue", "prompt T3 #1: Continue"]);
    assert!(next.turns_of("T2")[1].starts_with("The host was restarted in the middle of your turn."));
}

#[test]
fn leases_are_held_again_after_a_take_over() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "", "")]);
    w.outside.script("T1", vec![vec![]]);
    w.outside.script("T2", vec![vec![(500, Step::Write("c"))]]);
    w.task("do it");
    w.run_until(|w| !w.trace(&"m1".into(), &["taken"]).is_empty());
    let moment = w.moments.last().expect("a commit").clone();
    let mut next = w.take_over(moment.now, moment.events, &moment.after, false);
    let (s1, s2) = (next.session_of("T1"), next.session_of("T2"));
    assert_eq!([next.write(&s1, "a"), next.write(&s2, "c")], [None, None]);
    assert!(next.write(&s1, "c").is_some_and(|why| why.contains("task T2")));
    assert!(next.write(&s2, "a").is_some_and(|why| why.contains("task T1")));
}

#[test]
fn answers_to_an_earlier_state_of_a_mission_change_nothing() {
    let mut w = diamond();
    w.task("do it");
    w.run();
    let events = w.log[&"m1".into()].len();
    for (at, action) in w.actions.clone() {
        let late = match action {
            Action::CreateSession { mission, attempt, .. } => {
                Input::SessionCreated { mission, attempt, result: Ok("s99".into()) }
            }
            Action::Prompt { mission, attempt, .. } => {
                Input::PromptTaken { mission, attempt, result: Err(gone()) }
            }
            Action::Check { mission, subject, round, .. } => {
                Input::Checked { mission, subject, round, results: Vec::new(), wrote: Vec::new() }
            }
            Action::Inspect { mission, subject, round, .. } => {
                Input::Inspected { mission, subject, round, result: Err("late".into()) }
            }
            Action::LookAtParent { mission, .. } => Input::ParentLooked { mission, result: Err(gone()) },
            _ => continue,
        };
        w.step(late);
        assert_eq!(w.log[&"m1".into()].len(), events, "what was asked at {at:?}");
    }
    assert_eq!(w.core.late_reports, 17, "ten host sessions, six looks at the tree, one check");
}

#[test]
fn a_call_goes_on_waiting_while_its_mission_is_read_again_even_where_its_brief_was_lost() {
    // Facts that lead to nothing in the host: the actions of a refused commit are not carried out.
    for from in ["briefed", "close plan"] {
        let mut w = diamond();
        let m = w.task("do it");
        w.run_until(|w| !w.trace(&"m1".into(), &[from]).is_empty());
        // The commit with this fact is refused.
        let kept = w.trace(&m, &[]).iter().position(|l| l.starts_with(from)).expect("it is there");
        let events = w.log[&m][..kept].to_vec();
        w.log.insert(m.clone(), events.clone());
        w.step(Input::Forget { mission: m.clone(), gone: None });
        w.step(Input::Adopt { mission: m.clone(), events, host_restarted: false });
        in_the_end(&mut w, from);
        assert_eq!(
            w.trace(&m, &["briefed", "handed"]),
            ["briefed by Commander: the brief", "handed back: ToolResult"]
        );
    }
}

#[test]
fn a_call_is_told_when_its_mission_does_not_come_back() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.turns_of("T1").len() == 1);
    w.step(Input::Forget { mission: m.clone(), gone: Some("taken over".into()) });
    let told = w.answers.values().filter(|a| **a == Answer::Refused(Refusal::Cancelled("taken over".into())));
    assert_eq!(told.count(), 1);
    assert!(w.core.mission(&m).is_none());
}
