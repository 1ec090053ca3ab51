//! What a mission asks of its worktrees, and what comes back. Each is a job of its own and safe to run twice.
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::merge::Step;
use crate::domain::verdict::{CheckResult, TreeId};
use crate::ports::worktrees::{Conflict, Left, Merged, Move, Proposal};

/// Kinds of work of which a mission has one under way at a time (of `Give` one for each task).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TreeJob {
    Prepare { number: u32 },
    Give { task: Option<TaskId>, number: u32 },
    Merge,
    Try,
    TakeIn,
    Land,
    Propose,
    Release,
}

/// What a new worktree gets beside the files of its tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outfit {
    pub links: Vec<String>,
    pub commands: Vec<String>,
}

/// A change that was approved: this tree, against that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub task: TaskId,
    pub base: TreeId,
    pub tree: TreeId,
}

#[derive(Clone, PartialEq, Debug)]
pub enum TreeWork {
    /// Makes a worktree ready that nobody has been given yet.
    Prepare { number: u32, onto: TreeId, outfit: Outfit },
    /// Makes a worktree ready at what is accepted; with a change that was made on something older.
    Give { task: Option<TaskId>, number: u32, onto: TreeId, carry: Option<Candidate>, outfit: Outfit },
    /// Puts approved changes on top of each other.
    Merge { onto: TreeId, candidates: Vec<Candidate> },
    /// Runs the checks on a tree, in the worktree of the whole.
    Try {
        tree: TreeId,
        commands: Vec<String>,
        /// Those that failed before any work.
        failing: Vec<String>,
        outfit: Outfit,
    },
    /// What the user's files are now, with what is accepted.
    TakeIn { user: TreeId, integration: TreeId, todo: String },
    /// Moves the user's files to the result.
    Land { from: TreeId, to: TreeId, todo: String },
    /// Leaves a result that did not go into the user's files where it can be looked at.
    Propose { proposal: Proposal },
    /// Gives the worktrees up.
    Release,
}

impl TreeWork {
    pub fn job(&self) -> TreeJob {
        match self {
            Self::Prepare { number, .. } => TreeJob::Prepare { number: *number },
            Self::Give { task, number, .. } => TreeJob::Give { task: task.clone(), number: *number },
            Self::Merge { .. } => TreeJob::Merge,
            Self::Try { .. } => TreeJob::Try,
            Self::TakeIn { .. } => TreeJob::TakeIn,
            Self::Land { .. } => TreeJob::Land,
            Self::Propose { .. } => TreeJob::Propose,
            Self::Release => TreeJob::Release,
        }
    }

    /// Name in the metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "prepare_worktree",
            Self::Give { .. } => "give_worktree",
            Self::Merge { .. } => "merge",
            Self::Try { .. } => "try_merged",
            Self::TakeIn { .. } => "take_in",
            Self::Land { .. } => "land",
            Self::Propose { .. } => "propose",
            Self::Release => "release_worktrees",
        }
    }

    /// A result is put into the user's files whole, and what ends a mission is not ended with it.
    pub fn stoppable(&self) -> bool {
        !matches!(self, Self::Land { .. } | Self::Propose { .. } | Self::Release)
    }

    /// What is told when the work itself broke down.
    pub fn failed(&self, why: &str) -> TreeDone {
        let why = why.to_owned();
        match self {
            Self::Prepare { number, .. } => TreeDone::Prepared { number: *number, result: Err(why) },
            Self::Give { task, number, onto, .. } => {
                TreeDone::Given { task: task.clone(), number: *number, base: onto.clone(), result: Err(why) }
            }
            Self::Merge { .. } => TreeDone::Merged(Err(why)),
            Self::Try { tree, .. } => TreeDone::Tried { tree: tree.clone(), result: Err(why) },
            Self::TakeIn { .. } => TreeDone::TakenIn(Err(why)),
            Self::Land { to, .. } => TreeDone::Landed { tree: to.clone(), result: Err(why) },
            Self::Propose { .. } => TreeDone::Proposed(Err(why)),
            Self::Release => TreeDone::Released,
        }
    }
}

/// Changes that fit on each other, and those that contradict what is accepted. What contradicts another change of the
/// batch is in neither: it waits until that one is accepted, or is not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stacked {
    pub steps: Vec<Step>,
    pub refused: Vec<(TaskId, Vec<Conflict>)>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum TreeDone {
    Prepared {
        number: u32,
        result: Result<String, String>,
    },
    Given {
        task: Option<TaskId>,
        number: u32,
        base: TreeId,
        result: Result<String, String>,
    },
    Merged(Result<Stacked, String>),
    Tried {
        tree: TreeId,
        result: Result<Vec<CheckResult>, String>,
    },
    /// The user's tree, and the merge.
    TakenIn(Result<(TreeId, Merged), String>),
    Landed {
        tree: TreeId,
        result: Result<Move, String>,
    },
    Proposed(Result<Left, String>),
    /// What could not be tidied is tidied after the next mission of the project.
    Released,
}

impl TreeDone {
    pub fn job(&self) -> TreeJob {
        match self {
            Self::Prepared { number, .. } => TreeJob::Prepare { number: *number },
            Self::Given { task, number, .. } => TreeJob::Give { task: task.clone(), number: *number },
            Self::Merged(_) => TreeJob::Merge,
            Self::Tried { .. } => TreeJob::Try,
            Self::TakenIn(_) => TreeJob::TakeIn,
            Self::Landed { .. } => TreeJob::Land,
            Self::Proposed(_) => TreeJob::Propose,
            Self::Released => TreeJob::Release,
        }
    }
}

/// An answer for a mission, with the round it was asked for in.
#[derive(Clone, PartialEq, Debug)]
pub struct TreeNews {
    pub mission: MissionId,
    pub round: u64,
    pub done: TreeDone,
}
