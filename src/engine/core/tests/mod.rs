//! The core against a scripted world: literal expectations, no time but virtual time, and after every step the
//! promises that hold always (see `world.rs`).
mod ahead;
mod approval;
mod asks;
mod budget;
mod checkpoints;
mod context;
mod control;
mod conversations;
mod crashes;
mod edits;
mod fractal;
mod gates;
mod landings;
mod leases;
mod missions;
mod notices;
mod outside;
mod overrule;
mod planning;
mod pool;
mod provider;
mod queue;
mod race;
mod reports;
mod resources;
mod revision;
mod rollback;
mod steering;
mod subtree_budget;
mod suspend;
mod trace;
mod turns;
mod world;

use crate::domain::plan::{Draft, DraftTask};
use outside::Steps;
use world::World;

/// A task as a planner would write it: `files` and `after` separated by blanks.
fn task(id: &str, files: &str, after: &str) -> DraftTask {
    let list = |text: &str| text.split_whitespace().map(String::from).collect();
    DraftTask {
        id: id.into(),
        title: format!("task {id}"),
        files: list(files),
        depends_on: list(after),
        ..DraftTask::default()
    }
}

fn draft(tasks: Vec<DraftTask>) -> Draft {
    Draft { summary: "a plan".into(), tasks, ..Draft::default() }
}

/// A world whose planner hands in these tasks.
fn planned(tasks: Vec<DraftTask>) -> World {
    let mut world = World::new();
    world.outside.plan = draft(tasks);
    world
}

/// T1 before T2 and T3, which share nothing, before T4.
fn diamond() -> World {
    planned(vec![task("T1", "a", ""), task("T2", "b", "T1"), task("T3", "c", "T1"), task("T4", "d", "T2 T3")])
}

/// A turn that does one thing and ends.
fn does(tool: super::ToolInput) -> Steps {
    vec![(1_000, outside::Step::Call(tool)), (100, outside::Step::Say("so much for that"))]
}
