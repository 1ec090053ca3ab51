//! Points a mission's work can be taken back to: when they are made, what restoring one does, when it is refused.
use super::outside::*;
use super::*;
use crate::domain::checkpoint::{PERIOD_MS, Trigger};
use crate::domain::ids::MissionId;
use crate::domain::task::TaskState;
use crate::domain::verdict::Finding;
use crate::engine::core::event::{AttemptKind, Event};
use crate::engine::core::{Control, Refusal, ToolInput, replay};
use crate::engine::report as text;

fn restore(checkpoint: u32) -> Control {
    Control::Restore { checkpoint, files: false }
}

fn reason(result: Result<(), Refusal>) -> String {
    match result {
        Err(Refusal::Conflict(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Times a worker was put to a task.
fn worked(w: &World, m: &MissionId, task: &str) -> usize {
    let of_task = |kind: &AttemptKind| matches!(kind, AttemptKind::Work(t) if t.0 == task);
    w.mission(m).attempts.values().filter(|a| of_task(&a.kind)).count()
}

/// The first checkpoint under the plan.
fn planned_at(w: &World, m: &MissionId) -> u32 {
    w.mission(m).checkpoints.iter().find(|c| c.edition == 1).unwrap().sequence
}

#[test]
fn every_change_of_a_task_and_every_five_minutes_make_one() {
    let mut w = diamond();
    w.outside
        .script("T1", vec![vec![(2 * PERIOD_MS + 1_000, Step::Call(report("T1"))), (1, Step::Say("x"))]]);
    let m = w.task("do it");
    w.run();
    let mission = w.mission(&m);
    let of = |trigger| mission.checkpoints.iter().filter(|c| c.trigger == trigger).collect::<Vec<_>>();
    let changes = w.log[&m].iter().filter(|(_, e)| matches!(e, Event::TaskChanged { .. })).count();
    assert_eq!(of(Trigger::TaskState).len(), changes);
    let periodic: Vec<_> = of(Trigger::Periodic).iter().map(|c| c.at.since(mission.created_at)).collect();
    assert_eq!(periodic, [0, PERIOD_MS, 2 * PERIOD_MS], "at its start and every five minutes");
    assert!(
        mission.checkpoints.iter().map(|c| c.sequence).eq(1..=(changes as u32 + 3 + 4)),
        "one more before each task"
    );
    // What was completed was verified for a tree, which the checkpoint names.
    let trees = of(Trigger::TaskState).iter().filter(|c| c.tree.is_some()).count();
    assert_eq!(trees, mission.tasks.len());
}

#[test]
fn restored_work_is_done_again_and_nothing_else() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.iter().filter(|t| t.state == TaskState::Completed).count() == 3);
    w.control(&m, Control::Pause).unwrap();
    let one_done = w.mission(&m).checkpoints.iter().find(|c| c.completed() == 1).unwrap().sequence;
    w.control(&m, restore(one_done)).unwrap();
    let mission = w.mission(&m);
    assert_eq!(mission.open_attempts().count(), 0);
    assert_eq!(mission.state.name(), "paused");
    assert_eq!(mission.tasks.iter().filter(|t| t.state == TaskState::Completed).count(), 1);
    assert_eq!(mission.checkpoints.last().unwrap().trigger, Trigger::BeforeRisky);
    assert_eq!(replay(&m, &w.log[&m]).as_ref(), Some(mission), "live and on replay");
    w.run_for(PERIOD_MS);
    let before: Vec<_> = ["T1", "T2", "T3", "T4"].map(|t| worked(&w, &m, t)).into();
    w.control(&m, Control::Resume).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
    let after: Vec<_> = ["T1", "T2", "T3", "T4"].map(|t| worked(&w, &m, t)).into();
    assert_eq!(after[0], before[0], "done by the checkpoint");
    assert!(after[1] == before[1] + 1 && after[2] == before[2] + 1, "{before:?} {after:?}");
}

#[test]
fn what_was_taken_back_is_brought_forward_again() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.iter().filter(|t| t.state == TaskState::Completed).count() == 3);
    w.control(&m, Control::Pause).unwrap();
    let before: Vec<_> = ["T1", "T2", "T3"].map(|t| worked(&w, &m, t)).into();
    w.control(&m, restore(planned_at(&w, &m))).unwrap();
    assert_eq!(w.mission(&m).tasks.iter().filter(|t| t.state == TaskState::Completed).count(), 0);
    let undo = w.mission(&m).checkpoints.last().unwrap().sequence;
    w.control(&m, restore(undo)).unwrap();
    w.control(&m, Control::Resume).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(Vec::from(["T1", "T2", "T3"].map(|t| worked(&w, &m, t))), before);
}

#[test]
fn restoring_is_refused_with_what_to_do() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.iter().any(|t| t.state == TaskState::Completed));
    let why = "a mission that is running cannot be taken back: pause it first";
    assert_eq!(reason(w.control(&m, restore(1))), why);
    w.control(&m, Control::Pause).unwrap();
    let last = w.mission(&m).checkpoints.last().unwrap().sequence;
    let why = format!("there is no checkpoint {}: 1 to {last} are kept", last + 1);
    assert_eq!(reason(w.control(&m, restore(last + 1))), why);
    w.control(&m, Control::Checkpoint).unwrap();
    assert_eq!(w.mission(&m).checkpoints.last().unwrap().trigger, Trigger::Manual);
    w.control(&m, Control::Resume).unwrap();
    w.run();
    let why = "a mission that is completed cannot be taken back: it has ended";
    assert_eq!(reason(w.control(&m, restore(1))), why);
    assert!(reason(w.control(&m, Control::Checkpoint)).contains("it has ended"));
}

#[test]
fn a_failed_mission_is_taken_back_and_retried() {
    let mut w = diamond();
    let fails = || vec![(10, Step::Fail("ProviderAuthError", Some(401)))];
    w.outside.script("T2", vec![fails(), fails(), fails()]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "partially_completed");
    let status = text::status(w.mission(&m));
    assert!(status.contains("Checkpoints it can be taken back to:"), "{status}");
    assert!(status.contains(": 0 of 4 tasks done"), "{status}");
    w.control(&m, restore(planned_at(&w, &m))).unwrap();
    w.control(&m, Control::Retry).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(worked(&w, &m, "T1"), 2);
}

#[test]
fn taken_back_to_before_the_plan_it_is_planned_anew() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.iter().any(|t| t.state == TaskState::Completed));
    w.control(&m, Control::Pause).unwrap();
    let status = text::status(w.mission(&m));
    assert!(status.contains("- 1: before it was planned\n"), "{status}");
    let under_the_plan = w.mission(&m).checkpoints.last().unwrap().sequence;
    w.control(&m, restore(1)).unwrap();
    assert!(w.mission(&m).plan.is_none() && w.mission(&m).tasks.is_empty());
    let why = format!("checkpoint {under_the_plan} is of an earlier plan: choose a later one");
    assert_eq!(reason(w.control(&m, restore(under_the_plan))), why);
    w.outside.plan = draft(vec![task("A", "a", ""), task("B", "b", "A")]);
    w.control(&m, Control::Resume).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert!(w.mission(&m).tasks.iter().map(|t| t.spec.id.as_str()).eq(["A", "B"]));
}

#[test]
fn work_that_the_review_of_the_whole_added_later_is_gone_with_it() {
    let mut w = planned(vec![task("T1", "a", "")]);
    let changes = ToolInput::Review {
        approved: false,
        summary: "one thing is missing".into(),
        findings: vec![Finding::of("high", "the other half")],
        choice: None,
    };
    w.outside.script("Integration review", vec![vec![(10, Step::Call(changes)), (1, Step::Say("x"))]]);
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.len() == 2);
    w.control(&m, Control::Pause).unwrap();
    w.control(&m, restore(2)).unwrap();
    assert_eq!(w.mission(&m).tasks.len(), 1);
    w.control(&m, Control::Resume).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(w.mission(&m).tasks.len(), 1);
}
