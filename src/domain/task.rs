//! The task state machine.
use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaskState {
    Pending,
    Ready,
    Assigned,
    InProgress,
    InReview,
    Blocked,
    Paused,
    Completed,
    Failed,
    Cancelled,
    Skipped,
}

use TaskState::*;

impl TaskState {
    pub const ALL: [TaskState; 11] = [
        Pending, Ready, Assigned, InProgress, InReview, Blocked, Paused, Completed, Failed, Cancelled,
        Skipped,
    ];

    /// The states this one may change to. `Skipped` is reached from the states in which no work has begun:
    /// it is what a task becomes when a dependency has failed for good.
    pub fn next(self) -> &'static [TaskState] {
        match self {
            Pending => &[Ready, Assigned, Cancelled, Skipped],
            Ready => &[Assigned, Cancelled, Skipped],
            Assigned => &[InProgress, Ready, Cancelled],
            InProgress => &[InReview, Completed, Failed, Blocked, Paused],
            InReview => &[Completed, InProgress, Failed],
            Blocked | Paused => &[InProgress, Cancelled],
            Failed => &[Ready],
            Completed | Cancelled | Skipped => &[],
        }
    }

    pub fn change(self, to: TaskState) -> Result<TaskState, IllegalTaskChange> {
        if self.next().contains(&to) { Ok(to) } else { Err(IllegalTaskChange { from: self, to }) }
    }

    /// The steps that lead from here to cancelled: work that has begun is laid down first. Empty once over.
    pub fn cancel_path(self) -> &'static [TaskState] {
        match self {
            Pending | Ready | Assigned | Blocked | Paused => &[Cancelled],
            InProgress => &[Paused, Cancelled],
            InReview => &[InProgress, Paused, Cancelled],
            Completed | Failed | Cancelled | Skipped => &[],
        }
    }

    /// No work on it is going on or still to come (a failed task may be retried by hand).
    pub fn is_over(self) -> bool {
        matches!(self, Completed | Failed | Cancelled | Skipped)
    }

    /// Work on it has begun and has not ended.
    pub fn is_active(self) -> bool {
        matches!(self, Assigned | InProgress | InReview | Blocked | Paused)
    }

    pub fn name(self) -> &'static str {
        match self {
            Pending => "pending",
            Ready => "ready",
            Assigned => "assigned",
            InProgress => "in_progress",
            InReview => "in_review",
            Blocked => "blocked",
            Paused => "paused",
            Completed => "completed",
            Failed => "failed",
            Cancelled => "cancelled",
            Skipped => "skipped",
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IllegalTaskChange {
    pub from: TaskState,
    pub to: TaskState,
}

impl fmt::Display for IllegalTaskChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a task that is {} cannot become {}", self.from.name(), self.to.name())
    }
}

impl std::error::Error for IllegalTaskChange {}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(&str, &str)] = &[
        ("pending", "ready assigned cancelled skipped"),
        ("ready", "assigned cancelled skipped"),
        ("assigned", "in_progress ready cancelled"),
        ("in_progress", "in_review completed failed blocked paused"),
        ("in_review", "completed in_progress failed"),
        ("blocked", "in_progress cancelled"),
        ("paused", "in_progress cancelled"),
        ("failed", "ready"),
        ("completed", ""),
        ("cancelled", ""),
        ("skipped", ""),
    ];

    #[test]
    fn every_pair_follows_the_table() {
        for from in TaskState::ALL {
            let row = TABLE.iter().find(|(name, _)| *name == from.name()).expect("a row for each state").1;
            for to in TaskState::ALL {
                let allowed = row.split_whitespace().any(|n| n == to.name());
                assert_eq!(from.change(to).is_ok(), allowed, "{} -> {}", from.name(), to.name());
            }
            assert_eq!(TaskState::parse(from.name()), Some(from));
            let end = from.cancel_path().iter().try_fold(from, |state, to| state.change(*to));
            assert_eq!(end, Ok(if from.is_over() { from } else { Cancelled }));
        }
    }
}
