//! The parts of stored facts, and their conversions from and to the living types.
//!
//! Every conversion takes the living type apart field by field and variant by variant, so that what is added there
//! does not compile until it has a stored form here.
use crate::domain::ids::{AttemptId, Directory, HostSessionId, TaskId};
use crate::domain::verdict::TreeId;
use crate::domain::{checkpoint, merge, mission, plan, task, verdict};
use crate::engine::core::event;
use serde::{Deserialize, Serialize};

/// The stored form of `Live`.
pub(super) trait Stored<Live>: Sized {
    fn store(live: &Live) -> Self;
    fn restore(self) -> Live;
}

/// Objects, field for field. What is absent from `maybe` and `lists` is left out of the text.
macro_rules! objects {
    ($(struct $form:ident for $module:ident::$live:ident { $($field:ident: $ty:ty),* $(,)? }
        $(maybe { $($option:ident: $option_ty:ty),* $(,)? })?
        $(lists { $($list:ident: $item:ty),* $(,)? })?)*) => {$(
        #[derive(Serialize, Deserialize)]
        pub(super) struct $form {
            $($field: $ty,)*
            $($(#[serde(default, skip_serializing_if = "Option::is_none")] $option: Option<$option_ty>,)*)?
            $($(#[serde(default, skip_serializing_if = "Vec::is_empty")] $list: Vec<$item>,)*)?
        }

        impl Stored<$module::$live> for $form {
            fn store(live: &$module::$live) -> Self {
                let $module::$live { $($field,)* $($($option,)*)? $($($list,)*)? } = live;
                Self {
                    $($field: Stored::store($field),)*
                    $($($option: Stored::store($option),)*)?
                    $($($list: Stored::store($list),)*)?
                }
            }
            fn restore(self) -> $module::$live {
                $module::$live {
                    $($field: self.$field.restore(),)*
                    $($($option: self.$option.restore(),)*)?
                    $($($list: self.$list.restore(),)*)?
                }
            }
        }
    )*};
}

/// Enums without data, stored by the name of the variant in snake case.
macro_rules! names {
    ($(enum $form:ident for $module:ident::$live:ident { $($variant:ident),* $(,)? })*) => {$(
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $form {
            $($variant,)*
        }

        impl Stored<$module::$live> for $form {
            fn store(live: &$module::$live) -> Self {
                match live {
                    $($module::$live::$variant => Self::$variant,)*
                }
            }
            fn restore(self) -> $module::$live {
                match self {
                    $(Self::$variant => $module::$live::$variant,)*
                }
            }
        }
    )*};
}

/// Stored as they are.
macro_rules! plain {
    ($($ty:ty),*) => {$(
        impl Stored<$ty> for $ty {
            fn store(live: &$ty) -> Self {
                live.clone()
            }
            fn restore(self) -> $ty {
                self
            }
        }
    )*};
}

/// Typed names, stored as strings.
macro_rules! ids {
    ($($id:ident),*) => {$(
        impl Stored<$id> for String {
            fn store(live: &$id) -> Self {
                live.0.clone()
            }
            fn restore(self) -> $id {
                $id(self)
            }
        }
    )*};
}

plain!(String, bool, i32, u32, u64);
ids!(AttemptId, Directory, HostSessionId, TaskId, TreeId);

impl Stored<f64> for f64 {
    /// JSON has neither infinity nor NaN. The nearest number it has is stored: a record that cannot be read would
    /// cost the mission.
    fn store(live: &f64) -> Self {
        if live.is_nan() { 0.0 } else { live.clamp(f64::MIN, f64::MAX) }
    }
    fn restore(self) -> f64 {
        self
    }
}

impl<Live, S: Stored<Live>> Stored<Option<Live>> for Option<S> {
    fn store(live: &Option<Live>) -> Self {
        live.as_ref().map(S::store)
    }
    fn restore(self) -> Option<Live> {
        self.map(S::restore)
    }
}

impl<Live, S: Stored<Live>> Stored<Vec<Live>> for Vec<S> {
    fn store(live: &Vec<Live>) -> Self {
        live.iter().map(S::store).collect()
    }
    fn restore(self) -> Vec<Live> {
        self.into_iter().map(S::restore).collect()
    }
}

names! {
    enum MissionState for mission::MissionState {
        Pending, Queued, Running, Paused, Degraded, Completed, PartiallyCompleted, Failed, Timeout, Stopped,
        Cancelled, Orphaned,
    }
    enum Phase for mission::Phase { Briefing, Planning, Executing, Reviewing, Integrating }
    enum TaskState for task::TaskState {
        Pending, Ready, Assigned, InProgress, InReview, Blocked, Paused, Completed, Failed, Cancelled, Skipped,
    }
    enum Priority for plan::Priority { Low, Normal, High }
    enum Mode for plan::Mode { Fractal, Race, Try }
    enum BriefSource for event::BriefSource { Commander, User }
    enum Toasts for event::Toasts { Quiet, Normal, Verbose }
    enum PlanSource for event::PlanSource { Planner, Repaired, Rules }
    enum Trigger for checkpoint::Trigger { Periodic, TaskState, Manual, BeforeRisky }
    enum PromptReason for event::PromptReason { First, Nudge, Continue, Cut, Retry, Denied, Steered, Resumed }
    enum ReportStatus for event::ReportStatus { Done, Partial, Blocked }
    enum Judge for event::Judge { Host, User, Policy, Time, Nobody }
    enum HandBack for event::HandBack { ToolResult, Message, Nobody }
}

objects! {
    struct Created for event::Created {
        directory: String, worktree: String, parent: String, text: String, key: String, title: String,
        options: Options,
    }
    struct Options for event::Options { todo: String, workers: u32, turn_timeout_ms: u64, max_duration_ms: u64, auto_resume: bool }
        maybe { checks: Vec<String>, budget_tokens: u64, budget_dollars: f64, planners: u32, reviewers: u32, budget_minutes: u32, task_budget_tokens: u64, task_budget_dollars: f64,
            task_budget_minutes: u32, diagnostics: bool, approval: bool, fractal: bool, background: bool, toasts: Toasts,
            worktrees: bool, as_branch: bool, worktree_links: Vec<String>, worktree_setup: Vec<String>, race: u32, race_models: Vec<String>, worktrees_ahead: u32, follow: bool, permissions: Vec<String>, permission_timeout_ms: u64 }
        lists { providers: Ceiling }
    struct Ceiling for event::Ceiling { name: String, most: u32 }
    struct Brief for event::Brief { text: String }
        lists { acceptance: String, constraints: String }
    struct Plan for plan::Plan { summary: String, tasks: Vec<TaskSpec> }
    struct TaskSpec for plan::TaskSpec {
        id: String, title: String, description: String, priority: Priority, estimate_minutes: f64,
    }
        maybe { mode: Mode, parent: String }
        lists { files: String, depends_on: String, capabilities: String, checks: String }
    struct Step for merge::Step { task: String, tree: String }
    struct CheckResult for verdict::CheckResult {
        command: String, outcome: CheckOutcome, millis: u64, tail: String,
    }
    struct Finding for verdict::Finding { severity: String, message: String }
        maybe { file: String, line: u32 }
    struct Verdict for verdict::Verdict { approved: bool, summary: String }
        maybe { tree: String }
        lists { findings: Finding }
    struct Inspection for event::Inspection { diff: String }
        maybe { tree: String }
        lists { changed: String, undeclared: String, findings: Finding, notes: String }
    struct Spent for event::Spent { tokens: u64, cost: f64 }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Subject {
    Task(String),
    Whole,
}

impl Stored<event::Subject> for Subject {
    fn store(live: &event::Subject) -> Self {
        match live {
            event::Subject::Task(task) => Self::Task(Stored::store(task)),
            event::Subject::Whole => Self::Whole,
        }
    }
    fn restore(self) -> event::Subject {
        match self {
            Self::Task(task) => event::Subject::Task(task.restore()),
            Self::Whole => event::Subject::Whole,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    Before(String),
    After(String),
    Checkpoint(u32),
}

impl Stored<event::Moment> for Moment {
    fn store(live: &event::Moment) -> Self {
        match live {
            event::Moment::Before(task) => Self::Before(Stored::store(task)),
            event::Moment::After(task) => Self::After(Stored::store(task)),
            event::Moment::Checkpoint(sequence) => Self::Checkpoint(*sequence),
        }
    }
    fn restore(self) -> event::Moment {
        match self {
            Self::Before(task) => event::Moment::Before(task.restore()),
            Self::After(task) => event::Moment::After(task.restore()),
            Self::Checkpoint(sequence) => event::Moment::Checkpoint(sequence),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    Mission,
    Task(String),
    Checkpoint(u32),
    Undo,
}

impl Stored<event::Scope> for Scope {
    fn store(live: &event::Scope) -> Self {
        match live {
            event::Scope::Mission => Self::Mission,
            event::Scope::Task(task) => Self::Task(Stored::store(task)),
            event::Scope::Checkpoint(sequence) => Self::Checkpoint(*sequence),
            event::Scope::Undo => Self::Undo,
        }
    }
    fn restore(self) -> event::Scope {
        match self {
            Self::Mission => event::Scope::Mission,
            Self::Task(task) => event::Scope::Task(task.restore()),
            Self::Checkpoint(sequence) => event::Scope::Checkpoint(sequence),
            Self::Undo => event::Scope::Undo,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AttemptKind {
    Planning,
    Work(String),
    Review(Subject),
}

impl Stored<event::AttemptKind> for AttemptKind {
    fn store(live: &event::AttemptKind) -> Self {
        match live {
            event::AttemptKind::Planning => Self::Planning,
            event::AttemptKind::Work(task) => Self::Work(Stored::store(task)),
            event::AttemptKind::Review(subject) => Self::Review(Stored::store(subject)),
        }
    }
    fn restore(self) -> event::AttemptKind {
        match self {
            Self::Planning => event::AttemptKind::Planning,
            Self::Work(task) => event::AttemptKind::Work(task.restore()),
            Self::Review(subject) => event::AttemptKind::Review(subject.restore()),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CheckOutcome {
    Passed,
    Flaky,
    Failed(i32),
    TimedOut,
    NotRun,
}

impl Stored<verdict::CheckOutcome> for CheckOutcome {
    fn store(live: &verdict::CheckOutcome) -> Self {
        match live {
            verdict::CheckOutcome::Passed => Self::Passed,
            verdict::CheckOutcome::Flaky => Self::Flaky,
            verdict::CheckOutcome::Failed(code) => Self::Failed(*code),
            verdict::CheckOutcome::TimedOut => Self::TimedOut,
            verdict::CheckOutcome::NotRun => Self::NotRun,
        }
    }
    fn restore(self) -> verdict::CheckOutcome {
        match self {
            Self::Passed => verdict::CheckOutcome::Passed,
            Self::Flaky => verdict::CheckOutcome::Flaky,
            Self::Failed(code) => verdict::CheckOutcome::Failed(code),
            Self::TimedOut => verdict::CheckOutcome::TimedOut,
            Self::NotRun => verdict::CheckOutcome::NotRun,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Done,
    Failed { reason: String },
    Aborted,
}

impl Stored<event::Outcome> for Outcome {
    fn store(live: &event::Outcome) -> Self {
        match live {
            event::Outcome::Done => Self::Done,
            event::Outcome::Failed { reason } => Self::Failed { reason: reason.clone() },
            event::Outcome::Aborted => Self::Aborted,
        }
    }
    fn restore(self) -> event::Outcome {
        match self {
            Self::Done => event::Outcome::Done,
            Self::Failed { reason } => event::Outcome::Failed { reason },
            Self::Aborted => event::Outcome::Aborted,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Submission {
    Plan,
    Report {
        status: ReportStatus,
        summary: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<String>,
    },
    Review {
        approved: bool,
        summary: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<Finding>,
    },
}

impl Stored<event::Submission> for Submission {
    fn store(live: &event::Submission) -> Self {
        match live {
            event::Submission::Plan => Self::Plan,
            event::Submission::Report { status, summary, files, notes } => Self::Report {
                status: Stored::store(status),
                summary: summary.clone(),
                files: files.clone(),
                notes: notes.clone(),
            },
            event::Submission::Review { approved, summary, findings } => Self::Review {
                approved: *approved,
                summary: summary.clone(),
                findings: Stored::store(findings),
            },
        }
    }
    fn restore(self) -> event::Submission {
        match self {
            Self::Plan => event::Submission::Plan,
            Self::Report { status, summary, files, notes } => {
                event::Submission::Report { status: status.restore(), summary, files, notes }
            }
            Self::Review { approved, summary, findings } => {
                event::Submission::Review { approved, summary, findings: findings.restore() }
            }
        }
    }
}
