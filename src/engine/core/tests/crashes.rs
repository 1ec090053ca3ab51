//! The process dies at every point of a mission and a new one takes over, of the same host or of one that was
//! started again: the end is the same, nothing finished is worked on again (the world watches that), the report
//! arrives once.
use super::outside::*;
use super::world::{Moment, World};
use super::*;
use crate::engine::core::event::*;

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
