//! Conversations that the tasks to follow go on in.
use super::outside::*;
use super::*;
use crate::domain::ids::{HostSessionId, MissionId};
use crate::domain::memory::MemoryUse;
use crate::engine::core::event::*;
use crate::engine::core::{Action, Input};

fn following(mut w: World) -> (World, MissionId) {
    let m = follow(&mut w);
    (w, m)
}

fn follow(w: &mut World) -> MissionId {
    let options = Options { follow: Some(true), ..w.options() };
    w.task_in("u0", "/p", "do it", options)
}

/// Which tasks were worked in one conversation, in order, for each.
fn conversations(w: &World) -> Vec<String> {
    let mut attempts: Vec<_> = w.mission(&"m1".into()).attempts.values().collect();
    attempts.sort_by_key(|a| a.token);
    let mut all: Vec<(Option<HostSessionId>, Vec<String>)> = Vec::new();
    for attempt in attempts {
        let AttemptKind::Work(task) = &attempt.kind else { continue };
        match all.iter_mut().find(|(session, _)| *session == attempt.session) {
            Some((_, tasks)) => tasks.push(task.0.clone()),
            None => all.push((attempt.session.clone(), vec![task.0.clone()])),
        }
    }
    all.into_iter().map(|(_, tasks)| tasks.join(" ")).collect()
}

fn counts(w: &World) -> [u64; 3] {
    [w.core.pool.hits, w.core.pool.misses, w.core.pool.evicted]
}

fn checks(w: &World) -> usize {
    w.actions.iter().filter(|(_, a)| matches!(a, Action::CheckSession { .. })).count()
}

#[test]
fn a_task_goes_on_where_one_it_depends_on_was_done_and_only_one_does() {
    let (mut w, m) = following(diamond());
    w.run();
    assert_eq!(w.state(&m), "completed");
    // T2 and T3 come after T1; T4 goes on in the newest of the two.
    assert_eq!(conversations(&w), ["T1 T2", "T3 T4"]);
    assert_eq!((counts(&w), checks(&w)), ([2, 1, 0], 0), "heard of a moment ago");
    let told = |task: &str| {
        w.outside.turns.iter().filter(|(_, _, text)| text.starts_with(&format!("Task {task}:"))).count()
    };
    assert_eq!(["T1", "T2", "T3", "T4"].map(told), [1; 4], "each is told its work in full");
}

#[test]
fn without_the_users_wish_every_task_has_a_conversation_of_its_own() {
    let mut w = diamond();
    w.task("do it");
    w.run();
    assert_eq!(conversations(&w), ["T1", "T2", "T3", "T4"]);
    assert_eq!(counts(&w), [0, 0, 0]);
}

#[test]
fn work_sent_back_stays_where_it_is_and_the_next_task_follows_it() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1")]);
    w.outside.script("Review T1", vec![does(changes("a is wrong"))]);
    let (mut w, m) = following(w);
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(conversations(&w), ["T1 T1 T2"]);
}

#[test]
fn what_was_not_heard_of_for_a_minute_is_looked_at_first() {
    for (gone, expected, counted) in [(false, vec!["T1 T2"], [1, 0, 0]), (true, vec!["T1", "T2"], [0, 1, 1])]
    {
        let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1")]);
        w.outside.script("Review T1", vec![vec![(90_000, Step::Call(approve())), (100, Step::Say("seen"))]]);
        let (mut w, m) = following(w);
        w.run_until(|w| {
            w.mission(&"m1".into()).task(&"T1".into()).is_some_and(|t| t.state.name() == "in_review")
        });
        let session = w.session_of("T1");
        w.outside.sessions.get_mut(&session).expect("it is there").gone = gone;
        w.run();
        assert_eq!(
            (w.state(&m), conversations(&w)),
            ("completed", expected.iter().map(|t| (*t).to_owned()).collect())
        );
        assert_eq!((counts(&w), checks(&w)), (counted, 1), "gone: {gone}");
    }
}

#[test]
fn a_conversation_in_which_a_turn_failed_is_not_handed_on() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1")]);
    w.outside.script("T1", vec![vec![(100, Step::Fail("ProviderAuthError", Some(401)))]]);
    let (mut w, m) = following(w);
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(conversations(&w), ["T1", "T1 T2"], "the second try, which went well, is");
}

#[test]
fn ten_tasks_are_enough_for_one_conversation() {
    let chain = (1..=12).map(|n| {
        let after = if n > 1 { format!("T{}", n - 1) } else { String::new() };
        task(&format!("T{n}"), &format!("f{n}"), &after)
    });
    let (mut w, m) = following(planned(chain.collect()));
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(conversations(&w), ["T1 T2 T3 T4 T5 T6 T7 T8 T9 T10", "T11 T12"]);
    assert_eq!(counts(&w), [10, 1, 1]);
}

#[test]
fn what_has_waited_for_five_minutes_is_not_taken() {
    for (minutes, expected) in [(4, vec!["T1 T2", "T3"]), (6, vec!["T1", "T3", "T2"])] {
        let mut low = task("T2", "b", "T1");
        low.priority = Some("low".into());
        // Another is at work all the time, or memory would keep nobody waiting.
        let mut w = planned(vec![task("T1", "a", ""), low, task("T3", "c", "")]);
        w.outside.script("T3", vec![vec![(500_000, Step::Call(report("T3"))), (1, Step::Say("x"))]]);
        let (mut w, m) = following(w);
        let use_of =
            |percent: u64| Input::Memory { now: MemoryUse { total: 100, available: 100 - percent, own: 0 } };
        w.step(use_of(90));
        w.run_until(|w| {
            w.mission(&"m1".into()).task(&"T1".into()).is_some_and(|t| t.state.name() == "completed")
        });
        w.run_for(minutes * 60_000);
        w.step(use_of(10));
        w.run();
        assert_eq!(
            (w.state(&m), conversations(&w)),
            ("completed", expected.iter().map(|t| (*t).to_owned()).collect())
        );
    }
}

#[test]
fn of_many_that_wait_the_newest_five_are_taken() {
    // Seven are done one after the other, and nobody goes on in them; then each has a follower.
    let mut tasks: Vec<_> = (1..=7).map(|n| task(&format!("A{n}"), &format!("a{n}"), "")).collect();
    tasks.extend((1..=7).map(|n| task(&format!("B{n}"), &format!("b{n}"), &format!("A{n} L"))));
    tasks.push(task("L", "l", ""));
    let mut w = planned(tasks);
    w.outside.script("L", vec![vec![(60_000, Step::Call(report("L"))), (100, Step::Say("worked"))]]);
    for n in 1..=7 {
        let steps = vec![(n * 1_000, Step::Call(report("A"))), (100, Step::Say("worked"))];
        w.outside.script(&format!("A{n}"), vec![steps]);
    }
    let (mut w, m) = following(w);
    w.run();
    assert_eq!(w.state(&m), "completed");
    let mut pairs = conversations(&w);
    pairs.retain(|tasks| tasks.contains(' '));
    pairs.sort();
    assert_eq!(pairs, ["A3 B3", "A4 B4", "A5 B5", "A6 B6", "A7 B7", "L B1"], "one each, the newest first");
}
