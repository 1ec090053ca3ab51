//! A task of a mission, and where it stands before its gate.
use super::*;

/// The user's word in the place of a gate's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acceptance {
    pub by: String,
    pub reason: String,
    /// The change that counts, of a task in a worktree.
    pub tree: Option<TreeId>,
}

/// The change of a task in a worktree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub base: TreeId,
    pub tree: TreeId,
}

/// How the tries at a task ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RaceEnd {
    Won { taken: TaskId, why: String },
    Lost,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    pub spec: TaskSpec,
    pub state: TaskState,
    pub note: Option<String>,
    /// Work attempts opened so far.
    pub attempts: u32,
    /// Of the last worker.
    pub summary: Option<String>,
    /// What the next worker has to mend.
    pub findings: Vec<Finding>,
    pub taken: Vec<String>,
    /// The tree its first attempt began on. Leases make this exact for the paths it holds: whoever changed
    /// them before was looked at before the lease was given up.
    pub base: Option<TreeId>,
    /// The tree before its first attempt was looked at.
    pub recorded: bool,
    /// Notes for its own attempts and reviews, until it is over.
    pub context: Context,
    /// It was to be planned further, or raced, and is worked as it is after all.
    pub as_one: bool,
    pub race: Option<RaceEnd>,
    /// Plans of it that were refused.
    pub refusals: u32,
    pub gate: Gate,
    pub worktree: Option<Worktree>,
    /// What its gate last saw in a worktree. Stays when the task is begun anew, for the user may take it as it is.
    pub seen: Option<Change>,
    /// Work attempts that failed (not those sent back by a review).
    pub failures: u32,
    /// When work on it first began.
    pub began_at: Option<Millis>,
    /// When it came to its end.
    pub ended_at: Option<Millis>,
    /// When it came into its state.
    pub since: Millis,
    /// By its attempts and reviews that have ended, and by the planners of its parts, since the mission was last begun.
    pub spent: Spent,
    /// Time its workers took.
    pub worked_ms: u64,
    /// Of that, before the mission was last begun.
    pub worked_before: u64,
    /// Completed by the user's word, not by its gate.
    pub accepted: Option<Acceptance>,
    /// The user's own words for it. The title of the plan stays: prompts are known again by it.
    pub words: Option<String>,
    /// What its shell commands changed that is another's; held against it at its next gate.
    pub trespasses: Vec<Finding>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Gate {
    pub inspection: Option<Inspection>,
    pub checks: Option<Vec<CheckResult>>,
    pub verdict: Option<Verdict>,
    /// Review attempts of this round that failed to give a verdict.
    pub lost_reviews: u32,
}

impl Task {
    pub(in crate::engine::core) fn new(spec: TaskSpec) -> Self {
        Self {
            spec,
            state: TaskState::Pending,
            note: None,
            attempts: 0,
            summary: None,
            findings: Vec::new(),
            taken: Vec::new(),
            base: None,
            recorded: false,
            context: Context::default(),
            as_one: false,
            race: None,
            refusals: 0,
            gate: Gate::default(),
            worktree: None,
            seen: None,
            failures: 0,
            began_at: None,
            ended_at: None,
            since: Millis::default(),
            spent: Spent::default(),
            worked_ms: 0,
            worked_before: 0,
            accepted: None,
            words: None,
            trespasses: Vec::new(),
        }
    }

    /// The same work from its beginning.
    pub(in crate::engine::core) fn again(&self) -> Self {
        let (words, seen) = (self.words.clone(), self.seen.clone());
        Self { words, seen, ..Self::new(self.spec.clone()) }
    }

    /// The user took it as done, and it was the accepted change that was merged.
    pub(in crate::engine::core) fn accepted_as_merged(&self) -> bool {
        let tree = self.accepted.as_ref().and_then(|a| a.tree.as_ref());
        tree.is_some() && tree == self.gate.verdict.as_ref().and_then(|v| v.tree.as_ref())
    }

    pub fn title(&self) -> &str {
        self.words.as_deref().unwrap_or(&self.spec.title)
    }
}
