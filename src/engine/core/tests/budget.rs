//! What a mission may spend. In these worlds every turn costs 110 tokens and half a dollar.
use super::diamond;
use super::world::World;
use crate::domain::ids::MissionId;
use crate::engine::core::Control;
use crate::engine::core::event::{Event, Options};

const TURN: u64 = 110;

fn with(budget: impl FnOnce(&mut Options)) -> (World, MissionId) {
    let mut w = diamond();
    let mut options = w.options();
    budget(&mut options);
    let m = w.task_in("u0", "/p", "do it", options);
    w.run();
    w.run_for(1_000);
    (w, m)
}

/// No attempt is begun once the budget is spent, so it goes over by what three turns cost at most: two workers, and the
/// planner or reviewer whose last words come while they begin.
fn within(w: &World, m: &MissionId, tokens: u64) {
    let mut spent = 0;
    for (_, event) in &w.log[m] {
        match event {
            Event::AttemptOpened { attempt, .. } => {
                assert!(spent < tokens, "{attempt} was begun with {spent} of {tokens} spent");
            }
            Event::AttemptClosed { usage, .. } => spent += usage.tokens,
            _ => {}
        }
    }
    assert_eq!(spent, w.mission(m).spent.tokens);
    assert!(spent < tokens + 3 * TURN, "{spent} of {tokens}");
}

fn warnings(w: &World) -> usize {
    w.toasts().iter().filter(|(title, _)| title == "Budget nearly spent").count()
}

#[test]
fn every_budget_is_kept_and_what_was_done_is_kept_too() {
    let mut ends = std::collections::BTreeMap::new();
    for tokens in (1..1_400).step_by(37) {
        let (w, m) = with(|o| o.budget_tokens = Some(tokens));
        within(&w, &m, tokens);
        let state = w.state(&m);
        assert!(w.outside.sessions.values().all(|s| !s.busy), "{tokens}");
        if state != "completed" {
            assert!(
                w.mission(&m).reason.starts_with("the budget is spent: "),
                "{tokens}: {}",
                w.mission(&m).reason
            );
            let kept = w.mission(&m).tasks.iter().any(|t| t.state.name() == "completed");
            assert_eq!(state, if kept { "partially_completed" } else { "failed" }, "{tokens}");
            // One turn can take a small budget from below the warning to its end.
            assert!(warnings(&w) == 1 || tokens < 5 * TURN && warnings(&w) == 0, "{tokens}");
        }
        *ends.entry(state.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(ends.len(), 3, "{ends:?}");
}

#[test]
fn money_counts_like_tokens() {
    let (w, m) = with(|o| o.budget_dollars = Some(2.0));
    assert_eq!(w.state(&m), "partially_completed");
    assert!((2.0..4.0).contains(&w.mission(&m).spent.cost), "{}", w.mission(&m).spent.cost);
    let (w, m) = with(|o| (o.budget_dollars, o.budget_tokens) = (Some(1_000.0), Some(500)));
    assert_eq!(w.state(&m), "partially_completed", "the tighter one counts");
    let (w, m) = with(|o| o.budget_dollars = Some(1_000.0));
    assert_eq!((w.state(&m), warnings(&w)), ("completed", 0));
}

#[test]
fn a_retry_is_given_the_same_again_and_does_nothing_twice() {
    let (mut w, m) = with(|o| o.budget_tokens = Some(700));
    assert_eq!(w.state(&m), "partially_completed");
    let done = w.turns_of("T1").len();
    w.control(&m, Control::Retry).expect("retried");
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(w.turns_of("T1").len(), done);
}

#[test]
fn a_take_over_knows_what_was_spent() {
    let (w, m) = with(|o| o.budget_tokens = Some(600));
    for moment in &w.moments {
        let mut next = w.take_over(moment.now, moment.events, &moment.after, false);
        next.run();
        next.run_for(1_000);
        let spent = next.mission(&m).spent.tokens;
        // What turns had used that were under way when the process died is counted at their end, or with it.
        assert!(spent < 600 + 5 * TURN, "{spent} after {} events", moment.events);
        assert_ne!(next.state(&m), "running");
    }
}
