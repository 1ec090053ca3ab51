//! What a task and all it is planned into may spend together. In these worlds every turn costs 110 tokens and half a
//! dollar, so a part (its work and its review) costs 220 and one, and the planner of the parts 110 and a half.
use super::outside::*;
use super::world::World;
use super::*;
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::plan::DraftTask;
use crate::engine::core::event::{AttemptKind, Event, Options, Subject};
use crate::engine::core::{Control, ToolInput};

const TURN: u64 = 110;

fn fractal(id: &str, files: &str) -> DraftTask {
    DraftTask { mode: Some("fractal".into()), ..task(id, files, "") }
}

/// T1 in four parts, the last of which is in two; and T2, which is one.
fn world() -> World {
    let mut w = planned(vec![fractal("T1", "a"), task("T2", "b", "")]);
    let parts = vec![task("A", "a/1", ""), task("B", "a/2", ""), task("C", "a/3", ""), fractal("D", "a/4")];
    w.outside.script("Plan T1", vec![does(ToolInput::Plan(draft(parts)))]);
    let parts = vec![task("A", "", ""), task("B", "", "")];
    w.outside.script("Plan T1.4", vec![does(ToolInput::Plan(draft(parts)))]);
    w
}

fn with(w: &mut World, budget: impl FnOnce(&mut Options)) -> MissionId {
    let mut options = w.options();
    budget(&mut options);
    let m = w.task_in("u0", "/p", "do it", options);
    w.run();
    m
}

fn subject(kind: &AttemptKind, node: Option<&TaskId>) -> Option<String> {
    match kind {
        AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(task.0.clone()),
        AttemptKind::Planning => node.map(|n| n.0.clone()),
        AttemptKind::Review(Subject::Whole) => None,
    }
}

/// Tokens of the task and its parts, read off the facts; no turn was begun when `limit` of them were spent.
fn below(w: &World, m: &MissionId, whole: &str, limit: u64) -> u64 {
    let (mut spent, mut mine) = (0, Vec::new());
    for (_, event) in &w.log[m] {
        match event {
            Event::AttemptOpened { attempt, kind, node, .. } => {
                let task = subject(kind, node.as_ref()).unwrap_or_default();
                if task == whole || task.starts_with(&format!("{whole}.")) {
                    assert!(spent < limit, "{attempt} on {task} was begun with {spent} of {limit} spent");
                    mine.push(attempt.clone());
                }
            }
            Event::AttemptClosed { attempt, usage, .. } if mine.contains(attempt) => spent += usage.tokens,
            _ => {}
        }
    }
    spent
}

fn warnings(w: &World, task: &str) -> usize {
    let title = format!("Budget of task {task} nearly spent");
    w.toasts().iter().filter(|(t, _)| *t == title).count()
}

#[test]
fn parts_spend_what_their_whole_may() {
    // All of T1: two planners, five parts.
    let all = 12 * TURN;
    let mut ends = std::collections::BTreeMap::new();
    for tokens in (50..all + 100).step_by(70) {
        let mut w = world();
        let m = with(&mut w, |o| (o.task_budget_tokens, o.workers) = (Some(tokens), 2));
        let spent = below(&w, &m, "T1", tokens);
        // Two workers, and the reviewer or planner whose last words come while they begin.
        assert!(spent < tokens + 3 * TURN, "{spent} of {tokens}");
        let state = w.task_state(&m, "T1");
        if tokens > all {
            assert_eq!((state, spent), ("completed", all), "{}", w.story());
        } else if tokens < all - 2 * TURN {
            // The last bit of a budget is for one turn, which may be the last there is.
            assert_ne!(state, "completed", "{tokens}: {}", w.story());
            let note = |t: &crate::engine::core::state::Task| t.note.clone().unwrap_or_default();
            let parts = w.mission(&m).tasks.iter().filter(|t| t.spec.id.0.starts_with("T1"));
            let told = parts.map(note).filter(|n| n.contains("the budget is spent")).count();
            assert!(told > 0, "{tokens}: {}", w.story());
            assert!(warnings(&w, "T1") == 1 || tokens < 6 * TURN, "{tokens}: {}", warnings(&w, "T1"));
        }
        if tokens > 3 * TURN {
            assert_eq!(w.task_state(&m, "T2"), "completed", "it has a budget of its own");
        }
        *ends.entry(state).or_insert(0) += 1;
    }
    assert_eq!(ends.len(), 2, "{ends:?}");
}

#[test]
fn money_counts_for_the_whole_too_and_a_retry_is_given_it_again() {
    let mut w = world();
    let m = with(&mut w, |o| (o.task_budget_dollars, o.workers) = (Some(4.0), 2));
    assert_eq!((w.task_state(&m, "T1"), w.task_state(&m, "T2")), ("failed", "completed"));
    assert_eq!(w.state(&m), "partially_completed");
    let said = w.mission(&m).tasks.iter().filter_map(|t| t.note.clone()).collect::<Vec<_>>().join("; ");
    assert!(said.contains("of task T1 and its parts: the budget is spent: $"), "{said}");
    let done = w.turns_of("T1.1").len();
    w.control(&m, Control::Retry).expect("retried");
    w.run();
    assert_eq!((w.state(&m), w.turns_of("T1.1").len()), ("completed", done), "{}", w.story());
}

#[test]
fn the_time_of_all_workers_counts_for_the_whole() {
    let mut w = planned(vec![fractal("T1", "a")]);
    let parts = vec![task("A", "", ""), task("B", "", "A"), task("C", "", "B")];
    w.outside.script("Plan T1", vec![does(ToolInput::Plan(draft(parts)))]);
    for part in ["T1.1", "T1.2", "T1.3"] {
        w.outside.script(part, vec![vec![(25_000, Step::Call(report(part))), (10, Step::Say("x"))]]);
    }
    let m = with(&mut w, |o| o.task_budget_minutes = Some(1));
    let states = |w: &World| ["T1", "T1.1", "T1.2", "T1.3"].map(|t| w.task_state(&m, t));
    assert_eq!(states(&w), ["failed", "completed", "completed", "failed"], "{}", w.story());
    w.control(&m, Control::Retry).expect("retried");
    w.run();
    assert_eq!(states(&w), ["completed"; 4], "what was worked before the retry is not held against it");
}

#[test]
fn a_process_that_takes_over_knows_what_the_parts_have_spent() {
    let mut w = world();
    let m = with(&mut w, |o| o.task_budget_tokens = Some(6 * TURN));
    for moment in w.moments.iter().step_by(4) {
        let mut next = w.take_over(moment.now, moment.events, &moment.after, false);
        next.run();
        let spent = below(&next, &m, "T1", 6 * TURN);
        assert!(spent < 16 * TURN, "{spent} after {} facts", moment.events);
    }
}
