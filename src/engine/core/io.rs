//! All that can wake the core, and all it can ask for. Both lists are closed on purpose: this file is the place
//! to read what the engine reacts to and what it does.
use super::event::{Created, Event, Inspection, Scope, Subject};
use super::worktrees::{TreeNews, TreeWork};
use crate::domain::ids::Millis;
use crate::domain::ids::{AttemptId, Directory, HostSessionId, MissionId, Role, TaskId};
use crate::domain::memory::MemoryUse;
use crate::domain::plan::Draft;
use crate::domain::todo::{Edit, TodoItem, TodoState};
use crate::domain::verdict::{CheckResult, Finding, TreeId};
use crate::ports::host::{CallState, HostAsk, HostError, HostFault, HostMessage, ToastKind, TurnState};

/// What a change is seen against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ground {
    pub root: String,
    /// None where no tree could be read before.
    pub base: Option<TreeId>,
    /// The plan file, which is no part of any change.
    pub todo: String,
    /// Paths and globs a task may change; none for the whole.
    pub scope: Option<Vec<String>>,
}

/// Where an answer goes; given by the caller, meaningless to the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "the large one comes once in a mission")]
pub enum Input {
    /// `mission` was chosen by the caller, so that a repeat can be told from a new request.
    Create {
        reply: ReplyTo,
        mission: MissionId,
        created: Created,
    },
    Control {
        reply: Option<ReplyTo>,
        mission: MissionId,
        control: Control,
    },
    Attach {
        reply: ReplyTo,
        mission: MissionId,
        parent: HostSessionId,
    },
    Tool {
        reply: ReplyTo,
        session: HostSessionId,
        call: String,
        tool: ToolInput,
    },
    /// A worker is about to write a path outside what it is known to hold.
    Write {
        reply: ReplyTo,
        session: HostSessionId,
        paths: Vec<String>,
    },
    /// The caller of a tool no longer waits for its answer.
    CallDropped {
        reply: ReplyTo,
    },
    Host {
        event: HostInput,
    },
    SessionCreated {
        mission: MissionId,
        attempt: AttemptId,
        result: Result<HostSessionId, HostError>,
    },
    /// A conversation that is to be used again was looked at.
    SessionChecked {
        mission: MissionId,
        session: HostSessionId,
        result: Result<Look, HostError>,
    },
    /// A folder that turns are to begin in is open in the host.
    FolderOpened {
        mission: MissionId,
        folder: String,
        result: Result<(), HostError>,
    },
    PromptTaken {
        mission: MissionId,
        attempt: AttemptId,
        result: Result<(), HostError>,
    },
    Looked {
        mission: MissionId,
        attempt: AttemptId,
        result: Result<Look, HostError>,
    },
    ParentLooked {
        mission: MissionId,
        result: Result<Look, HostError>,
    },
    /// The host was told to end the turn of a closed attempt.
    AbortTaken {
        mission: MissionId,
        attempt: AttemptId,
    },
    HandBackTaken {
        mission: MissionId,
        /// The report that was sent.
        text: String,
        result: Result<(), HostError>,
    },
    Surveyed {
        mission: MissionId,
        checks: Vec<String>,
        tree: Option<TreeId>,
        remark: Option<String>,
    },
    Baselined {
        mission: MissionId,
        results: Vec<CheckResult>,
        /// Files that changed while they ran.
        wrote: Vec<String>,
    },
    Inspected {
        mission: MissionId,
        subject: Subject,
        round: u64,
        result: Result<Inspection, String>,
    },
    Checked {
        mission: MissionId,
        subject: Subject,
        round: u64,
        results: Vec<CheckResult>,
        wrote: Vec<String>,
    },
    Recorded {
        mission: MissionId,
        round: u64,
        result: Result<TreeId, String>,
    },
    RollbackPlanned {
        mission: MissionId,
        round: u64,
        result: Result<RollbackFound, String>,
    },
    /// Files that were left, each with the reason; with an error none was changed.
    FilesRestored {
        mission: MissionId,
        round: u64,
        result: Result<Vec<String>, String>,
    },
    /// The tree after shell commands, and what has changed since the one before but by write tools.
    ShellsSeen {
        mission: MissionId,
        round: u64,
        result: Result<(TreeId, Vec<String>), String>,
    },
    /// What could be read out of a last message whose author did not call the tool.
    Salvaged {
        mission: MissionId,
        attempt: AttemptId,
        found: Option<ToolInput>,
    },
    TodoWritten {
        mission: MissionId,
        result: Result<u64, String>,
    },
    /// Work on worktrees and merges is done.
    Trees(TreeNews),
    /// What people changed in the plan file since Gantry wrote it, all of it.
    TodoEdited {
        mission: MissionId,
        round: u64,
        edits: Vec<Edit>,
    },
    /// A mission of an earlier process, now ours.
    Adopt {
        mission: MissionId,
        events: Vec<(Millis, Event)>,
        host_restarted: bool,
    },
    /// The store refused its last events; it goes back to what is on disk (or away, when nothing is).
    Forget {
        mission: MissionId,
        /// Why it does not come back; none when it is read again at once, and who waits for it goes on waiting.
        gone: Option<String>,
    },
    /// How full memory is; told every few seconds.
    Memory {
        now: MemoryUse,
    },
    Tick,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Control {
    /// No turn begins any more; those that run end by themselves.
    Pause,
    /// Turns, checks and all else of the mission are ended as well.
    Suspend,
    Resume,
    Cancel {
        by: &'static str,
    },
    Retry,
    Steer {
        text: String,
        /// What it is about; none for the mission.
        task: Option<TaskId>,
        /// Who is at work on it is interrupted and told at once.
        now: bool,
    },
    /// The plan that waits is accepted; so does `Resume`.
    Approve,
    /// The plan that waits is made anew, with what the user wants to be different.
    Refuse {
        text: String,
    },
    /// A task, or the whole, is taken as done without its gate.
    Accept {
        subject: Subject,
        by: &'static str,
        reason: String,
    },
    /// A task that is not begun is planned further.
    Expand {
        task: TaskId,
    },
    /// The user's word on a permission; on the oldest that is open when none is named.
    Answer {
        ask: Option<String>,
        allow: bool,
        reason: Option<String>,
    },
    /// Makes a checkpoint now.
    Checkpoint,
    /// Takes the work back to a checkpoint, and with it the files changed since, where that is asked for.
    Restore {
        checkpoint: u32,
        files: bool,
    },
    /// Takes files back.
    Rollback {
        ask: RollbackAsk,
    },
}

/// A note to be written, or taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotePut {
    pub key: String,
    pub value: Option<String>,
    /// For the attempts and reviews of the own task only.
    pub of_task: bool,
    /// The version it was read at.
    pub expected: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RollbackAsk {
    pub scope: Scope,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Also what somebody else has changed; it can be undone like the rest.
    pub force: bool,
    /// The work itself goes back to the checkpoint too.
    pub with_state: bool,
}

/// What has to be looked at to know what a rollback would do.
#[derive(Clone, PartialEq, Debug)]
pub struct RollbackLook {
    pub root: String,
    /// The plan file, which is no part of it.
    pub todo: String,
    pub stretches: Vec<RollbackStretch>,
    /// Where the mission began, to say what else has changed since.
    pub since: Option<TreeId>,
    pub force: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct RollbackStretch {
    pub task: Option<TaskId>,
    /// Paths and globs; none for all that changed.
    pub files: Option<Vec<String>>,
    pub part: Part,
    pub from: TreeId,
    pub to: TreeId,
}

pub use crate::domain::rollback::Part;

/// What a rollback would do.
#[derive(Clone, PartialEq, Debug)]
pub struct RollbackFound {
    /// As the files are, and as they are to be.
    pub from: TreeId,
    pub to: TreeId,
    pub steps: Vec<RollbackStep>,
    /// Files that stand in the way, with the reason.
    pub conflicts: Vec<String>,
    /// Files that changed during the mission and cannot be told to be its work.
    pub others: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RollbackStep {
    pub path: String,
    /// `changed back`, `made again` or `removed`.
    pub what: &'static str,
}

/// What became of a rollback, or would.
#[derive(Clone, PartialEq, Debug)]
pub struct RollbackView {
    pub dry_run: bool,
    /// The files are as they are to be.
    pub done: bool,
    pub steps: Vec<RollbackStep>,
    pub conflicts: Vec<String>,
    pub others: Vec<String>,
    /// Written by somebody at that moment, and left.
    pub left: Vec<String>,
    pub fault: Option<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum ToolInput {
    Mission {
        brief: String,
        acceptance: Vec<String>,
        constraints: Vec<String>,
    },
    Status {
        mission: Option<MissionId>,
    },
    Control {
        mission: Option<MissionId>,
        control: Control,
    },
    ContextPut(NotePut),
    /// The note of that name and those below it; all without a name.
    ContextGet {
        key: Option<String>,
    },
    Plan(Draft),
    Report {
        status: super::event::ReportStatus,
        summary: String,
        files: Vec<String>,
        notes: Option<String>,
    },
    Review {
        approved: bool,
        summary: String,
        findings: Vec<Finding>,
        /// Which of several tries is to be taken, where they are compared.
        choice: Option<String>,
    },
    /// The arguments did not fit the tool; the text says how.
    Malformed {
        tool: String,
        fault: String,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub enum HostInput {
    Status {
        session: HostSessionId,
        state: TurnState,
        /// By the wall clock where it comes from, by the engine's own where the core gets it.
        retry_at: Option<Millis>,
        /// Why the host tries again.
        message: Option<String>,
    },
    Error {
        session: HostSessionId,
        fault: HostFault,
    },
    Message {
        session: HostSessionId,
        message: HostMessage,
    },
    /// A tool call of the session moved: a sign of life.
    ToolMoved {
        session: HostSessionId,
        call: String,
        state: CallState,
    },
    /// A shell command of the session has ended.
    ShellRan {
        session: HostSessionId,
    },
    Asked {
        ask: HostAsk,
    },
    /// An ask was answered in the host.
    AskAnswered {
        session: HostSessionId,
        ask: String,
        allow: bool,
    },
    Deleted {
        session: HostSessionId,
    },
}

/// What a look at a host session found.
#[derive(Clone, PartialEq, Debug)]
pub struct Look {
    pub state: TurnState,
    /// Newest messages, oldest first; none where they were not asked for.
    pub messages: Vec<HostMessage>,
    /// Permissions the session waits for; none where the host did not say.
    pub asks: Option<Vec<HostAsk>>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    Answer {
        to: ReplyTo,
        answer: Answer,
    },
    CreateSession {
        mission: MissionId,
        attempt: AttemptId,
        directory: Directory,
        /// Where it works, when that is not the directory.
        folder: Option<String>,
        parent: HostSessionId,
        title: String,
        role: Role,
        /// What it runs on, when that is not what its parent does.
        model: Option<String>,
        adopt: bool,
    },
    /// Whether a conversation is there, and rests.
    CheckSession {
        mission: MissionId,
        directory: Directory,
        session: HostSessionId,
    },
    /// Opens a folder in the host ahead of its first turn, which would take a second longer.
    OpenFolder {
        mission: MissionId,
        directory: Directory,
        folder: String,
    },
    Prompt {
        mission: MissionId,
        attempt: AttemptId,
        directory: Directory,
        session: HostSessionId,
        role: Role,
        text: String,
    },
    Abort {
        /// Whose turn; none when the mission is no longer ours.
        of: Option<(MissionId, AttemptId)>,
        directory: Directory,
        session: HostSessionId,
    },
    /// Status of an attempt's session, and its newest messages: always when it is not busy, else if `transcript`.
    Look {
        mission: MissionId,
        attempt: AttemptId,
        directory: Directory,
        session: HostSessionId,
        transcript: bool,
        /// As far back as the turn may have begun, for it has to be told from the one before.
        deep: bool,
    },
    LookAtParent {
        mission: MissionId,
        directory: Directory,
        session: HostSessionId,
        /// Fetch messages even while it is at work.
        transcript: bool,
    },
    HandBack {
        mission: MissionId,
        directory: Directory,
        session: HostSessionId,
        text: String,
    },
    /// A sentence put into the conversation without starting a turn.
    Tell {
        directory: Directory,
        session: HostSessionId,
        text: String,
    },
    /// What was decided about a permission.
    AnswerAsk {
        mission: MissionId,
        directory: Directory,
        session: HostSessionId,
        ask: String,
        /// Why not, for the model; none when it is allowed.
        refusal: Option<String>,
    },
    Survey {
        mission: MissionId,
        root: String,
        checks: Option<Vec<String>>,
        todo: String,
    },
    /// Runs the checks on the project as it is before any work.
    Baseline {
        mission: MissionId,
        root: String,
        commands: Vec<String>,
        /// The plan file, where it is to be said which other files change meanwhile.
        todo: Option<String>,
    },
    Inspect {
        mission: MissionId,
        subject: Subject,
        round: u64,
        ground: Ground,
        /// Errors that the change brings in, as language servers see them, are findings too.
        diagnose: bool,
    },
    /// What changed since `base`, but by write tools.
    LookAtShells {
        mission: MissionId,
        round: u64,
        root: String,
        todo: String,
        base: TreeId,
    },
    Check {
        mission: MissionId,
        subject: Subject,
        round: u64,
        root: String,
        commands: Vec<String>,
        /// Those that failed before any work: a second run would tell nothing new.
        failing: Vec<String>,
        /// As in `Baseline`.
        todo: Option<String>,
    },
    /// Read a submission out of a text.
    Salvage {
        mission: MissionId,
        attempt: AttemptId,
        role: Role,
        text: String,
    },
    /// Stops what Survey, Inspect or Check still does for the mission.
    StopWork {
        mission: MissionId,
    },
    /// Work on worktrees and merges.
    Trees {
        mission: MissionId,
        round: u64,
        project: String,
        work: TreeWork,
    },
    /// Hashes the tree and keeps it.
    Record {
        mission: MissionId,
        round: u64,
        root: String,
        todo: String,
    },
    PlanRollback {
        mission: MissionId,
        round: u64,
        look: RollbackLook,
    },
    RestoreFiles {
        mission: MissionId,
        round: u64,
        root: String,
        todo: String,
        from: TreeId,
        to: TreeId,
    },
    PublishTodo {
        mission: MissionId,
        root: String,
        file: String,
        title: String,
        items: Vec<TodoItem>,
        /// Edits of people that the mission has taken notice of: they may be overwritten.
        seen: Vec<Edit>,
    },
    UpdateTodo {
        mission: MissionId,
        root: String,
        file: String,
        states: Vec<(String, TodoState)>,
        seen: Vec<Edit>,
    },
    /// Waits for edits of people other than those known.
    WatchTodo {
        mission: MissionId,
        round: u64,
        root: String,
        file: String,
        known: Vec<Edit>,
    },
    UnwatchTodo {
        mission: MissionId,
    },
    Toast {
        directory: Directory,
        kind: ToastKind,
        title: String,
        message: String,
    },
    Progress {
        directory: Directory,
        session: HostSessionId,
        call: String,
        title: String,
        metadata: Vec<(String, String)>,
    },
}

impl Action {
    /// Name in the metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Answer { .. } => "answer",
            Action::CreateSession { .. } => "create_session",
            Action::CheckSession { .. } => "check_session",
            Action::OpenFolder { .. } => "open_folder",
            Action::Prompt { .. } => "prompt",
            Action::Abort { .. } => "abort",
            Action::Look { .. } => "look",
            Action::LookAtParent { .. } => "look_at_parent",
            Action::HandBack { .. } => "hand_back",
            Action::Tell { .. } => "tell",
            Action::AnswerAsk { .. } => "answer_ask",
            Action::Survey { .. } => "survey",
            Action::Baseline { .. } => "baseline",
            Action::Inspect { .. } => "inspect",
            Action::LookAtShells { .. } => "look_at_shells",
            Action::Check { .. } => "check",
            Action::Salvage { .. } => "salvage",
            Action::StopWork { .. } => "stop_work",
            Action::Trees { work, .. } => work.kind(),
            Action::Record { .. } => "record",
            Action::PlanRollback { .. } => "plan_rollback",
            Action::RestoreFiles { .. } => "restore_files",
            Action::PublishTodo { .. } => "publish_todo",
            Action::UpdateTodo { .. } => "update_todo",
            Action::WatchTodo { .. } => "watch_todo",
            Action::UnwatchTodo { .. } => "unwatch_todo",
            Action::Toast { .. } => "toast",
            Action::Progress { .. } => "progress",
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The mission as it now is; queued behind these.
    Created {
        mission: MissionId,
        queued_behind: Vec<MissionId>,
    },
    Mission {
        mission: MissionId,
    },
    Tool {
        title: String,
        output: String,
        metadata: Vec<(String, String)>,
    },
    Write {
        denied: Option<String>,
    },
    Rollback(RollbackView),
    Refused(Refusal),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Invalid(String),
    /// Text of the store's error.
    #[error("{0}")]
    Store(String),
    #[error("{0}")]
    Cancelled(String),
}
