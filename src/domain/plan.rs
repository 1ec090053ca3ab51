//! The plan: a graph of tasks, the rules a proposed one must keep, and what can be read off a sound one.
mod checks;
mod fault;
mod graph;
mod revise;
mod validate;

pub use fault::Fault;
pub use revise::without;
pub use validate::{PlanRules, is_task_id, one_line, validate};

use super::ids::TaskId;

/// Most tasks a plan may have.
pub const MAX_TASKS: usize = 200;

/// What a task is taken to need when the planner does not say, in minutes.
pub const DEFAULT_ESTIMATE_MINUTES: f64 = 30.0;

/// Longest title of a task, in characters.
pub const MAX_TITLE_CHARS: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl Priority {
    pub fn name(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        [Priority::Low, Priority::Normal, Priority::High].into_iter().find(|p| p.name() == name)
    }
}

/// How a task is worked when not by one worker after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Planned further when its turn comes.
    Fractal,
    /// Several tries side by side, of which one is taken.
    Race,
    /// Such a try. No plan asks for one.
    Try,
}

impl Mode {
    pub fn parse(name: &str) -> Option<Self> {
        [("fractal", Mode::Fractal), ("race", Mode::Race)]
            .into_iter()
            .find(|(n, _)| *n == name)
            .map(|(_, m)| m)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct TaskSpec {
    pub id: TaskId,
    pub title: String,
    pub description: String,
    /// Paths or globs relative to the project that the task may change; empty: not declared.
    pub files: Vec<String>,
    pub depends_on: Vec<TaskId>,
    pub capabilities: Vec<String>,
    pub priority: Priority,
    pub checks: Vec<String>,
    pub estimate_minutes: f64,
    /// None: the usual way.
    pub mode: Option<Mode>,
    /// The task it is a part of, or a try at.
    pub parent: Option<TaskId>,
}

impl TaskSpec {
    /// One of several tries at the same task: nothing that people planned or count.
    pub fn is_try(&self) -> bool {
        self.mode == Some(Mode::Try)
    }
}

/// A plan that has passed `validate`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    pub summary: String,
    pub tasks: Vec<TaskSpec>,
}

/// A plan as a model handed it in: nothing about it is known to be true.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Draft {
    pub summary: String,
    pub tasks: Vec<DraftTask>,
    /// Of a plan that is made anew: what is not wanted any more.
    pub drop: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct DraftTask {
    pub id: String,
    pub title: String,
    pub description: String,
    pub files: Vec<String>,
    pub depends_on: Vec<String>,
    pub capabilities: Vec<String>,
    pub priority: Option<String>,
    pub checks: Vec<String>,
    pub estimate_minutes: Option<f64>,
    pub mode: Option<String>,
}

#[cfg(test)]
mod tests;
