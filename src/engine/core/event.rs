//! The facts a mission is made of. Replaying them through `Mission::apply` gives its state; nothing else does.
pub use crate::domain::budget::{Budget, Spent};
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{AttemptId, Directory, HostSessionId, Role, TaskId};
use crate::domain::merge::Step;
use crate::domain::mission::{MissionState, Phase};
use crate::domain::permission::Rule;
use crate::domain::permits::Key;
use crate::domain::plan::{Plan, TaskSpec};
use crate::domain::race::{DEFAULT_TRIES, Races};
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckResult, Finding, TreeId, Verdict};

#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "the large one comes once in a mission")]
pub enum Event {
    Created(Created),
    StateChanged {
        to: MissionState,
        reason: String,
    },
    PhaseChanged {
        to: Phase,
    },
    /// The work is stated; from the Commander, or from the user's own words when no Commander did.
    Briefed {
        brief: Brief,
        source: BriefSource,
    },
    /// What the project looked like before any work.
    Surveyed {
        checks: Vec<String>,
        tree: Option<TreeId>,
        remark: Option<String>,
    },
    /// How its checks ended before any work.
    Baselined {
        results: Vec<CheckResult>,
        /// Files of the project that changed while they ran.
        wrote: Vec<String>,
    },
    PlanRefused {
        faults: Vec<String>,
        /// The task the plan was for; none for that of the mission.
        task: Option<TaskId>,
    },
    /// A task that is to be planned further has its parts; without any it is worked as it is.
    Expanded {
        task: TaskId,
        parts: Vec<TaskSpec>,
        remarks: Vec<String>,
    },
    /// The user has a task planned further that was not.
    ModeChosen {
        task: TaskId,
        fractal: bool,
    },
    /// Tries at a task begin side by side; without any it is worked by one worker.
    RaceBegun {
        task: TaskId,
        tries: Vec<TaskSpec>,
    },
    /// One of the tries is taken; it passes its gate as any task does.
    RaceWon {
        task: TaskId,
        taken: TaskId,
        why: String,
    },
    /// None was good enough: the task is worked by one worker, who is told what was found.
    RaceLost {
        task: TaskId,
    },
    /// The user's word on a plan that waited for it; with what is to be different, when it was refused.
    PlanJudged {
        approved: bool,
        reason: Option<String>,
    },
    /// Work that was completed under an earlier edition of the plan stays completed.
    Planned {
        plan: Plan,
        source: PlanSource,
        remarks: Vec<String>,
    },
    /// Tasks that had not begun are otherwise, new or gone, because the user said something; nothing of each when the plan
    /// stays as it is.
    PlanRevised {
        tasks: Vec<TaskSpec>,
        dropped: Vec<TaskId>,
        remarks: Vec<String>,
    },
    /// The plan grew: work that the review of the whole asked for.
    TaskAdded {
        spec: TaskSpec,
    },
    /// The plan grew: work that the user asked for.
    TaskRequested {
        spec: TaskSpec,
    },
    /// The user's words for a task.
    TaskReworded {
        task: TaskId,
        title: String,
    },
    TaskChanged {
        task: TaskId,
        to: TaskState,
        note: Option<String>,
    },
    /// The user takes a task (or the whole, when none is named) as done without a verdict of its gate.
    Accepted {
        task: Option<TaskId>,
        /// Who said so, in words.
        by: String,
        reason: String,
        /// Of a task in a worktree: its change, which is put on what is accepted like one that its gate approved.
        tree: Option<TreeId>,
    },
    /// The user wants a task that is over to be done again.
    Reopened {
        task: TaskId,
    },
    AttemptOpened {
        attempt: AttemptId,
        kind: AttemptKind,
        token: u64,
        ordinal: u32,
        session: Option<HostSessionId>,
        /// For a planner: the task it plans further; none for the mission.
        node: Option<TaskId>,
    },
    AttemptSession {
        attempt: AttemptId,
        session: HostSessionId,
    },
    /// Written before the prompt is sent, so a crash can only repeat a prompt, never lose one.
    Prompted {
        attempt: AttemptId,
        reason: PromptReason,
    },
    Submitted {
        attempt: AttemptId,
        submission: Submission,
    },
    AttemptClosed {
        attempt: AttemptId,
        outcome: Outcome,
        usage: Spent,
    },
    /// The turn of an attempt goes on in the host and is to be ended; owed until that is seen to. The attempt is closed, or
    /// was interrupted by the user and goes on later.
    TurnGivenUp {
        attempt: AttemptId,
    },
    TurnEnded {
        attempt: AttemptId,
    },
    /// A path outside the declared files that a worker took on the way.
    PathTaken {
        task: TaskId,
        path: String,
    },
    /// A path that another task holds changed while a shell command of this one ran.
    Trespassed {
        task: TaskId,
        finding: Finding,
    },
    Inspected {
        subject: Subject,
        inspection: Inspection,
    },
    Checked {
        subject: Subject,
        results: Vec<CheckResult>,
        /// Of the whole in the user's own files: those that changed while they ran.
        wrote: Vec<String>,
    },
    Judged {
        subject: Subject,
        verdict: Verdict,
    },
    /// A note of the mission, or of one task, was written or taken away.
    ContextPut {
        task: Option<TaskId>,
        key: String,
        value: Option<String>,
        by: AttemptId,
    },
    /// A working tree of its own stands ready for a task, or for looking at the whole: at this tree.
    WorktreeGiven {
        task: Option<TaskId>,
        number: u32,
        path: String,
        base: TreeId,
    },
    /// Approved changes on top of each other, on what is accepted.
    BatchMade {
        onto: TreeId,
        steps: Vec<Step>,
    },
    /// How the checks ended on so many changes of the batch.
    BatchChecked {
        changes: u32,
        passed: bool,
        results: Vec<CheckResult>,
    },
    /// So many changes of the batch are accepted, and the batch is done with.
    BatchMerged {
        changes: u32,
    },
    /// The user's files were looked at before the whole goes to its gate; put together with what is accepted, where the
    /// two do not contradict each other.
    UserTreeTaken {
        seen: TreeId,
        merged: Option<TreeId>,
        clashes: Vec<String>,
    },
    /// From now on the user's files may be in the middle of a move.
    LandingBegun {
        from: TreeId,
        to: TreeId,
    },
    /// The user's files are the result.
    Landed {
        tree: TreeId,
    },
    /// Nothing of the result came into the user's files; or a part of it did, or may have.
    LandingEnded {
        half: bool,
        why: String,
    },
    /// Where a result is to be found that did not go into the user's files; without a branch and a patch, why it is nowhere.
    ResultLeft {
        branch: Option<String>,
        patch: Option<String>,
        outside: Vec<String>,
        fault: Option<String>,
    },
    /// Nothing of the mission is in a worktree any more. `left_at` is written no more: results are left before the end is
    /// reported.
    WorktreesReleased {
        left_at: Option<String>,
    },
    /// Something that the user wants to be known: to all, or of one task.
    Steered {
        text: String,
        task: Option<TaskId>,
        /// What has not begun is planned anew with it.
        replan: Option<bool>,
    },
    /// An agent was told the first so many of these words. `call` is the tool call that was answered with the newest; none
    /// where a prompt says them.
    Told {
        attempt: AttemptId,
        steers: u32,
        call: Option<String>,
    },
    /// The host wants a word on a tool call of an attempt; `ask` is its own id for that.
    Asked {
        ask: String,
        attempt: AttemptId,
        permission: String,
        patterns: Vec<String>,
    },
    AskJudged {
        ask: String,
        allow: bool,
        by: Judge,
        reason: Option<String>,
    },
    /// The mission's report; owed to the conversation from now on. `calls` are the tool calls it answered.
    Reported {
        text: String,
        calls: Vec<String>,
    },
    HandedBack {
        how: HandBack,
    },
    /// The conversation the report is owed to.
    Attached {
        parent: HostSessionId,
    },
    /// A checkpoint besides those that every change of a task makes by itself.
    Checkpointed {
        trigger: Trigger,
    },
    /// A tree that is kept, and what it shows; none where it could not be read.
    TreeRecorded {
        moments: Vec<Moment>,
        tree: Option<TreeId>,
    },
    /// Files are to be taken back: from what they were when this was written to what they are to be.
    RollbackBegun {
        scope: Scope,
        from: TreeId,
        to: TreeId,
        files: u32,
        /// The work itself goes back to the checkpoint with them.
        with_state: bool,
    },
    /// They are, but for those that somebody wrote at that moment; with a fault nothing was changed.
    RolledBack {
        left: Vec<String>,
        fault: Option<String>,
    },
    /// The work was taken back to a checkpoint: what was completed then is completed, all else is open again.
    Restored {
        checkpoint: u32,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub struct Created {
    pub directory: Directory,
    pub worktree: String,
    pub parent: HostSessionId,
    pub text: String,
    pub key: String,
    pub title: String,
    pub options: Options,
}

/// What the user's configuration says, fixed when the mission is accepted.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    pub checks: Option<Vec<String>>,
    /// Path of the plan file relative to the worktree.
    pub todo: String,
    /// Most turns of a role at one time, over all missions: this one begins none beyond.
    pub workers: u32,
    pub planners: Option<u32>,
    pub reviewers: Option<u32>,
    /// The same for what the turns run on.
    pub providers: Vec<Ceiling>,
    pub turn_timeout_ms: u64,
    /// From the first start to the timeout of the mission.
    pub max_duration_ms: u64,
    /// Go on by itself after the host was stopped.
    pub auto_resume: bool,
    /// Most tokens of all kinds together.
    pub budget_tokens: Option<u64>,
    /// Most US dollars.
    pub budget_dollars: Option<f64>,
    /// Time from its start after which no turn is begun.
    pub budget_minutes: Option<u32>,
    /// The same for each task with all its attempts, reviews and parts; the time is that of its workers.
    pub task_budget_tokens: Option<u64>,
    pub task_budget_dollars: Option<f64>,
    pub task_budget_minutes: Option<u32>,
    /// Whether new errors that language servers find are held against a change; yes when not said.
    pub diagnostics: Option<bool>,
    /// Whether the plan waits for the user's word before work begins; no when not said.
    pub approval: Option<bool>,
    /// Whether tasks may be planned further; yes when not said.
    pub fractal: Option<bool>,
    /// The conversation goes on while the mission is at work, and is given the report later; no when not said.
    pub background: Option<bool>,
    /// What the user is told by toasts.
    pub toasts: Option<Toasts>,
    /// Whether each task works in a working tree of its own; no when not said.
    pub worktrees: Option<bool>,
    /// Whether the result of worktrees is left as a branch and the user's files stay; no when not said.
    pub as_branch: Option<bool>,
    /// Paths of the project that worktrees share; `node_modules` when not said.
    pub worktree_links: Option<Vec<String>>,
    /// Commands that make a new worktree ready.
    pub worktree_setup: Option<Vec<String>>,
    /// Tries at a task side by side: of each task when more than one, of none when one; of those that the plan says
    /// when not said.
    pub race: Option<u32>,
    /// What the tries run on in turn, as `provider/model`; what all workers do when not said.
    pub race_models: Option<Vec<String>>,
    /// Worktrees made ready while the plan is being made; four when not said.
    pub worktrees_ahead: Option<u32>,
    /// Whether a worker goes on in the conversation of a task that its own depends on; no when not said.
    pub follow: Option<bool>,
    /// The mission's own rules for what its agents do, in words; see `rules`.
    pub permissions: Option<Vec<String>>,
    /// Time after which an unanswered permission counts as refused.
    pub permission_timeout_ms: Option<u64>,
}

impl Options {
    /// Tries side by side have no other way to keep apart.
    pub fn wants_worktrees(&self) -> bool {
        self.worktrees == Some(true) || self.race.is_some_and(|tries| tries > 1)
    }
    pub fn races(&self) -> Races {
        match self.race {
            Some(tries) if tries > 1 => Races::All,
            Some(_) => Races::Off,
            None if self.wants_worktrees() => Races::Asked,
            None => Races::NoWorktrees,
        }
    }
    /// At a task that is raced.
    pub fn tries(&self) -> u32 {
        self.race.unwrap_or(DEFAULT_TRIES)
    }
    /// Those that can be read; faults were told when the mission was accepted.
    pub fn rules(&self) -> Vec<Rule> {
        self.permissions.iter().flatten().filter_map(|text| Rule::parse(text)).collect()
    }
    pub fn permission_timeout_ms(&self) -> u64 {
        self.permission_timeout_ms.unwrap_or(600_000)
    }

    pub fn worktrees_ahead(&self) -> u32 {
        self.worktrees_ahead.unwrap_or(4)
    }
}

/// Most turns of a provider, or of a model as `provider/model`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ceiling {
    pub name: String,
    pub most: u32,
}

/// Planners and reviewers where the user does not say.
const OF_A_ROLE: u32 = 10;

impl Options {
    /// Never exceeded by a turn of this mission.
    pub fn ceilings(&self) -> impl Iterator<Item = (Key, u32)> {
        let roles = [
            (Key::Role(Role::Planner), self.planners.unwrap_or(OF_A_ROLE)),
            (Key::Role(Role::Worker), self.workers),
            (Key::Role(Role::Reviewer), self.reviewers.unwrap_or(OF_A_ROLE)),
        ];
        let of_provider = |c: &Ceiling| {
            let key = if c.name.contains('/') { Key::Model } else { Key::Provider };
            (key(c.name.clone()), c.most)
        };
        roles.into_iter().chain(self.providers.iter().map(of_provider))
    }
    pub fn budget(&self) -> Budget {
        budget(self.budget_tokens, self.budget_dollars, self.budget_minutes)
    }
    pub fn task_budget(&self) -> Budget {
        budget(self.task_budget_tokens, self.task_budget_dollars, self.task_budget_minutes)
    }
}

fn budget(tokens: Option<u64>, cost: Option<f64>, minutes: Option<u32>) -> Budget {
    Budget { tokens, cost, wall_ms: minutes.map(|m| u64::from(m) * 60_000) }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checks: None,
            todo: "TODO.md".into(),
            workers: 10,
            planners: None,
            reviewers: None,
            providers: Vec::new(),
            turn_timeout_ms: 600_000,
            max_duration_ms: 86_400_000,
            auto_resume: true,
            budget_tokens: None,
            budget_dollars: None,
            budget_minutes: None,
            task_budget_tokens: None,
            task_budget_dollars: None,
            task_budget_minutes: None,
            diagnostics: None,
            approval: None,
            fractal: None,
            background: None,
            toasts: None,
            worktrees: None,
            as_branch: None,
            worktree_links: None,
            worktree_setup: None,
            race: None,
            race_models: None,
            worktrees_ahead: None,
            follow: None,
            permissions: None,
            permission_timeout_ms: None,
        }
    }
}

/// Each says all that the one before says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Toasts {
    /// That the user is waited for, and how a mission ended.
    Quiet,
    /// Also what begins, fails or waits.
    #[default]
    Normal,
    /// Also each step of a mission and each task.
    Verbose,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Brief {
    pub text: String,
    pub acceptance: Vec<String>,
    pub constraints: Vec<String>,
}

/// What a recorded tree shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moment {
    Before(TaskId),
    After(TaskId),
    Checkpoint(u32),
}

/// What is taken back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    Mission,
    Task(TaskId),
    /// All since then.
    Checkpoint(u32),
    /// The newest rollback itself.
    Undo,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BriefSource {
    Commander,
    User,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanSource {
    Planner,
    /// The planner's second try, after a list of faults.
    Repaired,
    /// The rule-based decomposition, after the planner failed.
    Rules,
}

#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum AttemptKind {
    Planning,
    Work(TaskId),
    Review(Subject),
}

/// What a gate stands before.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub enum Subject {
    Task(TaskId),
    Whole,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PromptReason {
    First,
    /// The turn ended without the submit call.
    Nudge,
    /// The host or the sidecar was restarted in the middle.
    Continue,
    /// Its answer was longer than the model may give.
    Cut,
    /// The provider failed; the same turn once more.
    Retry,
    /// The host ended the turn because a permission was refused.
    Denied,
    /// The user has said something since.
    Steered,
    /// The user had the turn interrupted, and lets the work go on.
    Resumed,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Submission {
    /// The plan itself is in `Planned`.
    Plan,
    Report {
        status: ReportStatus,
        summary: String,
        files: Vec<String>,
        notes: Option<String>,
    },
    Review {
        approved: bool,
        summary: String,
        findings: Vec<Finding>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportStatus {
    Done,
    Partial,
    Blocked,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Done,
    Failed { reason: String },
    Aborted,
}

/// What a look at the tree found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inspection {
    pub tree: Option<TreeId>,
    /// Paths changed since the base of the subject.
    pub changed: Vec<String>,
    /// Of a task: paths changed since its base that neither it nor another task has declared.
    pub undeclared: Vec<String>,
    /// Unified diff, bounded.
    pub diff: String,
    pub findings: Vec<Finding>,
    /// What is held against nobody and the reviewer should know: what could not be looked at, what is not installed.
    pub notes: Vec<String>,
}

/// Whose word an ask was answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judge {
    /// Given in the host: in its dialog, or by a client of it that answers by itself.
    Host,
    /// Given through Gantry.
    User,
    /// The mission's own rules.
    Policy,
    /// Nobody's: the time was up.
    Time,
    /// None was needed any more: its turn is over.
    Nobody,
}

impl Judge {
    pub fn name(self) -> &'static str {
        match self {
            Judge::Host => "host",
            Judge::User => "user",
            Judge::Policy => "policy",
            Judge::Time => "time",
            Judge::Nobody => "nobody",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandBack {
    /// As the result of the `mission` tool call that was waiting.
    ToolResult,
    /// As a message put into the conversation.
    Message,
    /// The conversation is gone; there is nobody to tell.
    Nobody,
}

impl Event {
    /// Name in the journal.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Created(_) => "created",
            Event::StateChanged { .. } => "state_changed",
            Event::PhaseChanged { .. } => "phase_changed",
            Event::Briefed { .. } => "briefed",
            Event::Surveyed { .. } => "surveyed",
            Event::Baselined { .. } => "baselined",
            Event::PlanRefused { .. } => "plan_refused",
            Event::Expanded { .. } => "expanded",
            Event::ModeChosen { .. } => "mode_chosen",
            Event::RaceBegun { .. } => "race_begun",
            Event::RaceWon { .. } => "race_won",
            Event::RaceLost { .. } => "race_lost",
            Event::PlanJudged { .. } => "plan_judged",
            Event::Planned { .. } => "planned",
            Event::PlanRevised { .. } => "plan_revised",
            Event::TaskAdded { .. } => "task_added",
            Event::TaskRequested { .. } => "task_requested",
            Event::TaskReworded { .. } => "task_reworded",
            Event::TaskChanged { .. } => "task_changed",
            Event::Accepted { .. } => "accepted",
            Event::Reopened { .. } => "reopened",
            Event::AttemptOpened { .. } => "attempt_opened",
            Event::AttemptSession { .. } => "attempt_session",
            Event::Prompted { .. } => "prompted",
            Event::Submitted { .. } => "submitted",
            Event::AttemptClosed { .. } => "attempt_closed",
            Event::TurnGivenUp { .. } => "turn_given_up",
            Event::TurnEnded { .. } => "turn_ended",
            Event::PathTaken { .. } => "path_taken",
            Event::Trespassed { .. } => "trespassed",
            Event::Inspected { .. } => "inspected",
            Event::Checked { .. } => "checked",
            Event::Judged { .. } => "judged",
            Event::ContextPut { .. } => "context_put",
            Event::WorktreeGiven { .. } => "worktree_given",
            Event::BatchMade { .. } => "batch_made",
            Event::BatchChecked { .. } => "batch_checked",
            Event::BatchMerged { .. } => "batch_merged",
            Event::UserTreeTaken { .. } => "user_tree_taken",
            Event::LandingBegun { .. } => "landing_begun",
            Event::Landed { .. } => "landed",
            Event::LandingEnded { .. } => "landing_ended",
            Event::ResultLeft { .. } => "result_left",
            Event::WorktreesReleased { .. } => "worktrees_released",
            Event::Steered { .. } => "steered",
            Event::Told { .. } => "told",
            Event::Asked { .. } => "asked",
            Event::AskJudged { .. } => "ask_judged",
            Event::Reported { .. } => "reported",
            Event::HandedBack { .. } => "handed_back",
            Event::Attached { .. } => "attached",
            Event::Checkpointed { .. } => "checkpointed",
            Event::TreeRecorded { .. } => "tree_recorded",
            Event::RollbackBegun { .. } => "rollback_begun",
            Event::RolledBack { .. } => "rolled_back",
            Event::Restored { .. } => "restored",
        }
    }
}
