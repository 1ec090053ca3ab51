//! Wire types: what the shim and the sidecar say to each other, camelCase on the wire.
//!
//! These are the only definitions: the JSON Schemas in `schemas/` and the shim's TypeScript types are
//! generated from them. They are never stored and never used by the engine's rules; conversions are explicit.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of this protocol. A shim and a sidecar that disagree refuse each other at `initialize`.
pub const PROTOCOL_VERSION: u32 = 1;

macro_rules! wire {
    ($($(#[$m:meta])* pub $kind:ident $name:ident $body:tt)*) => {$(
        $(#[$m])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub $kind $name $body
    )*};
}

mod permissions;
pub use permissions::*;
pub(super) use wire;

pub use super::view_types::*;

wire! {
    /// First call on a connection.
    pub struct InitializeParams {
        pub protocol_version: u32,
        pub client: Peer,
        pub host: HostInfo,
    }

    /// Name and version of one end of the connection.
    pub struct Peer {
        pub name: String,
        pub version: String,
    }

    /// The OpenCode process behind the shim.
    pub struct HostInfo {
        pub line: HostLine,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub version: Option<String>,
        pub pid: u32,
    }

    /// The two host lines whose plugin interfaces differ.
    pub enum HostLine {
        V1,
        V2,
    }

    pub struct InitializeResult {
        pub protocol_version: u32,
        pub server: Peer,
        pub pid: u32,
        /// Data directory in use.
        pub home: String,
        /// Path of the store in use.
        pub store: String,
    }

    /// Announces one directory of the host. Open missions of it that nobody else owns are taken over.
    pub struct WorkspaceOpenParams {
        /// The directory the host runs in.
        pub directory: String,
        /// Root of the working tree; equals `directory` outside version control.
        pub worktree: String,
        /// Options of the plugin's entry in the host's configuration, as they stand there: they are judged when a mission
        /// is asked for, with those of the other layers.
        #[serde(default)]
        #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
        pub options: serde_json::Map<String, serde_json::Value>,
        /// True when this host process had the directory open before (the sidecar was restarted, not the host).
        #[serde(default)]
        pub reattach: bool,
    }

    pub struct WorkspaceOpenResult {
        /// Missions of this directory that are not at an end.
        pub missions: Vec<MissionSummary>,
        /// Host sessions that belong to those missions (their tool calls are checked).
        pub sessions: Vec<String>,
    }

    pub struct DirectoryParams {
        pub directory: String,
    }

    pub struct MissionCreateParams {
        pub directory: String,
        /// The conversation the request came from; the report goes back to it.
        pub parent_session: String,
        /// What the user typed after `/task`.
        pub text: String,
        /// Repeating a call with the same key answers with the same mission.
        pub key: String,
    }

    pub struct MissionCreateResult {
        pub mission: MissionSummary,
        /// Missions of this directory that run before this one.
        pub queued_behind: Vec<String>,
    }

    pub struct MissionAttachParams {
        pub directory: String,
        pub mission: String,
        pub parent_session: String,
    }

    pub struct MissionStatusParams {
        pub directory: String,
        /// That of the conversation, else the newest mission of the directory, when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub mission: Option<String>,
        /// Only a mission of this conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub parent_session: Option<String>,
    }

    pub struct MissionControlParams {
        pub directory: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub mission: Option<String>,
        pub action: ControlAction,
        /// For steer: what to tell the workers; for refuse: what is to be different; for accept and deny: why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub text: Option<String>,
        /// For allow and deny: the host's id of the ask; the oldest open one when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub ask: Option<String>,
        /// For restore: the number of the checkpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub checkpoint: Option<u32>,
        /// For restore: the files changed since go back too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub files: Option<bool>,
        /// For steer: interrupts who is at work on it, and tells him at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub now: Option<bool>,
        /// For steer: the id of the task it is about; all of the mission when absent. For accept: the id of the task; the
        /// mission as a whole when absent. For expand: the id of the task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task: Option<String>,
    }

    #[derive(Copy, Eq)]
    pub enum ControlAction {
        /// Begins nothing more; turns that run end by themselves.
        Pause,
        /// Pauses, and ends turns and checks that run; their attempts go on when the mission is resumed.
        Suspend,
        Resume,
        Cancel,
        Retry,
        Steer,
        /// Accepts the plan that waits.
        Approve,
        /// Has the plan made anew; the text says what is to be different.
        Refuse,
        /// Takes a task, or the mission as a whole, as done by the user's word; the text says why.
        Accept,
        /// Has a task that is not begun planned further.
        Expand,
        /// Allows what an agent asks for, this once.
        Allow,
        /// Refuses what an agent asks for; its model is told why and goes on.
        Deny,
        /// Makes a checkpoint now.
        Checkpoint,
        /// Takes the work back to a checkpoint; the mission has to be paused or at an end.
        Restore,
    }

    /// Files that a mission changed, taken back. Without task, checkpoint and undo: all of them.
    pub struct MissionRollbackParams {
        pub directory: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub mission: Option<String>,
        /// Only what this task changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task: Option<String>,
        /// Only what was changed since this checkpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub checkpoint: Option<u32>,
        /// The newest rollback is taken back itself.
        #[serde(default)]
        pub undo: bool,
        /// Only say what would be done.
        #[serde(default)]
        pub dry_run: bool,
        /// Also what somebody else has changed since.
        #[serde(default)]
        pub force: bool,
    }

    pub struct MissionRollbackResult {
        pub mission: MissionSummary,
        /// The files are as they are to be.
        pub done: bool,
        pub files: Vec<RollbackFile>,
        /// Files that stand in the way, each with the reason; nothing is changed then, unless by force.
        pub conflicts: Vec<String>,
        /// Files that changed during the mission and cannot be told to be its work.
        pub others: Vec<String>,
        /// Files that somebody wrote at that moment, and that were left.
        pub left: Vec<String>,
        /// All that in words.
        pub text: String,
    }

    pub struct RollbackFile {
        pub path: String,
        /// changed back, made again or removed.
        pub what: String,
    }

    pub struct MissionSummary {
        pub id: String,
        pub title: String,
        /// One of the twelve states, lower case with underscores.
        pub state: String,
        /// Present while running.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub phase: Option<String>,
        pub parent_session: String,
        pub directory: String,
        pub done: u32,
        pub running: u32,
        pub waiting: u32,
        pub failed: u32,
        pub total: u32,
        /// Milliseconds since the Unix epoch.
        #[cfg_attr(test, ts(type = "number"))]
        pub created_at: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub ended_at: Option<u64>,
    }

    pub struct MissionDetail {
        pub mission: MissionSummary,
        pub tasks: Vec<TaskDetail>,
        /// Tokens of all kinds together, as the host reports them.
        #[serde(default)]
        #[cfg_attr(test, ts(type = "number"))]
        pub tokens: u64,
        /// The plan waits for the user's word.
        #[serde(default)]
        pub awaits_approval: bool,
        /// US dollars, as the host reports them.
        #[serde(default)]
        pub cost: f64,
        /// Present once the mission is at an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub report: Option<String>,
        /// Permissions that were asked for, oldest first: all that are open, and the newest of the others.
        #[serde(default)]
        pub asks: Vec<AskDetail>,
        /// The newest hundred, oldest first.
        #[serde(default)]
        pub checkpoints: Vec<CheckpointDetail>,
        /// What it may spend since it was last begun; absent without a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub budget: Option<BudgetDetail>,
        /// What is still to come; absent without a plan, and once the mission is at an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub forecast: Option<Forecast>,
        /// The newest line of its log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub last_event: Option<LogLine>,
    }

    pub struct BudgetDetail {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub tokens: Option<u64>,
        /// US dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub cost: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub minutes: Option<u32>,
        /// Tokens of it that turns have spent which are over.
        #[cfg_attr(test, ts(type = "number"))]
        pub tokens_spent: u64,
        /// US dollars of it that are spent.
        pub cost_spent: f64,
    }

    /// Estimated from the plan and from what turns have taken so far.
    pub struct Forecast {
        pub minutes: f64,
        pub turns: u32,
        /// Absent while no turn of a kind that is still to come has ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub tokens: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub cost: Option<f64>,
    }

    pub struct CheckpointDetail {
        /// From 1, never used again.
        pub sequence: u32,
        /// Milliseconds since the Unix epoch.
        #[cfg_attr(test, ts(type = "number"))]
        pub at: u64,
        /// periodic, task_state, manual or before_risky.
        pub trigger: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub phase: Option<String>,
        /// Tasks completed by then, of all there were.
        pub completed: u32,
        pub total: u32,
        /// The files as they were then, where that was recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub tree: Option<String>,
    }

    pub struct TaskDetail {
        pub id: String,
        pub title: String,
        pub state: String,
        /// The task that this one is a part of, or a try at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub part_of: Option<String>,
        pub depends_on: Vec<String>,
        pub files: Vec<String>,
        /// Commands that have to pass for it.
        #[serde(default)]
        pub checks: Vec<String>,
        pub attempts: u32,
        /// Bytes of what a worker of the task is told at its start, as things stand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub brief_bytes: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub note: Option<String>,
        /// What it may spend with all it is planned into since the mission was last begun; absent without a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub budget: Option<BudgetDetail>,
        /// When work on it first began, and when it came to its end; milliseconds since the Unix epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub began_at: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub ended_at: Option<u64>,
    }

    pub struct MetricsResult {
        pub pid: u32,
        /// Grow for as long as the process lives.
        #[cfg_attr(test, ts(type = "Record<string, number>"))]
        pub counters: std::collections::BTreeMap<String, u64>,
        /// How it is now.
        #[cfg_attr(test, ts(type = "Record<string, number>"))]
        pub gauges: std::collections::BTreeMap<String, u64>,
        pub queues: Vec<QueueMetric>,
    }

    pub struct QueueMetric {
        pub name: String,
        #[cfg_attr(test, ts(type = "number"))]
        pub waiting: u64,
        #[cfg_attr(test, ts(type = "number"))]
        pub limit: u64,
        /// What happens to whoever finds it full.
        pub when_full: String,
        /// Times something was refused or dropped for want of room.
        #[cfg_attr(test, ts(type = "number"))]
        pub turned_away: u64,
    }

    /// A model called one of Gantry's tools. The call to `mission` answers when the mission ends;
    /// `$/cancel` on it cancels the mission.
    pub struct ToolCallParams {
        pub directory: String,
        pub session: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub message: Option<String>,
        /// The host's id of this call. A repeat with the same id (after the sidecar was restarted) is
        /// the same call.
        pub call: String,
        pub agent: String,
        pub tool: String,
        #[cfg_attr(test, ts(type = "unknown"))]
        pub args: serde_json::Value,
    }

    pub struct ToolCallResult {
        pub title: String,
        pub output: String,
        #[serde(default)]
        #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
        pub metadata: serde_json::Map<String, serde_json::Value>,
    }

    pub struct ToolListResult {
        pub tools: Vec<ToolInfo>,
    }

    pub struct ToolInfo {
        pub name: String,
        pub description: String,
        /// JSON Schema of the arguments.
        #[cfg_attr(test, ts(type = "unknown"))]
        pub input_schema: serde_json::Value,
        /// Agents that may see the tool.
        pub roles: Vec<String>,
        /// The permission of the host that a call asks for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub permission: Option<String>,
    }

    /// Asked before every tool of a mission's session runs.
    pub struct LeaseCheckParams {
        pub directory: String,
        pub session: String,
        pub call: String,
        pub tool: String,
        /// Paths the call is going to write, as the model gave them; empty for tools that write none.
        pub paths: Vec<String>,
        /// What a shell is going to run, with the folder that the model names for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub command: Option<String>,
        /// What the host's rules would compare of the call, as the model gave it: the path of what is read, an address, a
        /// pattern, the name of an agent, a command without its folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub subject: Option<String>,
    }

    pub struct LeaseCheckResult {
        pub allow: bool,
        /// Said to the model when not allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub reason: Option<String>,
    }

    /// Events of the host, in the order they happened (a notification).
    pub struct EventBatchParams {
        pub directory: String,
        pub events: Vec<HostEvent>,
    }

    pub struct Empty {}

    pub struct SessionCreateParams {
        pub directory: String,
        /// Where the conversation works, when that is not the directory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub folder: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub parent: Option<String>,
        pub title: String,
        pub agent: String,
        /// What it runs on, as `provider/model`; what its parent does when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub model: Option<String>,
        /// Kept with the host session, so that it can be found again.
        pub key: String,
        /// Look for a child of `parent` with this key first (after a restart).
        pub adopt: bool,
    }

    pub struct SessionCreateResult {
        pub session: String,
    }

    pub struct FolderParams {
        pub directory: String,
        /// A worktree of the directory's project.
        pub folder: String,
    }

    pub struct SessionPromptParams {
        pub directory: String,
        pub session: String,
        pub agent: String,
        pub text: String,
        /// Store the text in the conversation without starting a turn.
        pub no_reply: bool,
    }

    pub struct SessionParams {
        pub directory: String,
        pub session: String,
    }

    pub struct SessionStatusParams {
        pub directory: String,
        pub sessions: Vec<String>,
    }

    pub struct SessionStatusResult {
        pub sessions: Vec<SessionStatus>,
    }

    pub struct SessionStatus {
        pub session: String,
        pub state: SessionState,
    }

    #[derive(Copy, Eq)]
    pub enum SessionState {
        Busy,
        Retry,
        Idle,
        /// The host says nothing of it: not busy in this host process, which is not "finished".
        Absent,
    }

    pub struct SessionMessagesParams {
        pub directory: String,
        pub session: String,
        /// Newest messages wanted, 1 to 100.
        pub limit: u32,
    }

    pub struct SessionMessagesResult {
        /// Oldest first.
        pub messages: Vec<Message>,
    }

    pub struct Message {
        pub id: String,
        pub role: MessageRole,
        /// The text parts, joined.
        pub text: String,
        /// Whether the host has finished writing it.
        pub completed: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub finish: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub error: Option<HostFault>,
        /// What answered, as `provider/model`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub model: Option<String>,
        #[serde(default)]
        pub usage: Usage,
        /// The tool calls of the message.
        #[serde(default)]
        pub calls: Vec<MessageCall>,
    }

    pub struct MessageCall {
        pub call: String,
        pub tool: String,
        pub state: ToolState,
    }

    #[derive(Copy, Eq)]
    pub enum MessageRole {
        User,
        Assistant,
    }

    /// An error as the host names it.
    pub struct HostFault {
        /// The host's own name, for example `MessageAbortedError`.
        pub name: String,
        pub message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub status: Option<u32>,
    }

    /// Tokens and money of one message as the host counts them.
    #[derive(Default)]
    pub struct Usage {
        #[cfg_attr(test, ts(type = "number"))]
        pub input: u64,
        #[cfg_attr(test, ts(type = "number"))]
        pub output: u64,
        #[cfg_attr(test, ts(type = "number"))]
        pub reasoning: u64,
        #[cfg_attr(test, ts(type = "number"))]
        pub cache_read: u64,
        #[cfg_attr(test, ts(type = "number"))]
        pub cache_write: u64,
        /// US dollars.
        pub cost: f64,
    }

    pub struct ToastParams {
        pub directory: String,
        pub title: String,
        pub message: String,
        pub variant: ToastVariant,
        /// Milliseconds on the screen.
        pub duration: u32,
    }

    #[derive(Copy, Eq)]
    pub enum ToastVariant {
        Info,
        Success,
        Warning,
        Error,
    }

    /// Live title and metadata of a running tool call.
    pub struct ProgressParams {
        pub directory: String,
        pub session: String,
        pub call: String,
        pub title: String,
        #[serde(default)]
        #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
        pub metadata: serde_json::Map<String, serde_json::Value>,
    }

    /// `$/cancel`: the request with this id is no longer wanted.
    pub struct CancelParams {
        pub id: u64,
    }
}

/// What happened in a host session, in one vocabulary for both host lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum HostEvent {
    /// The session's turn state as announced.
    Status {
        session: String,
        state: SessionState,
        /// For `retry`: when the host tries again, milliseconds since the Unix epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        retry_at: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        message: Option<String>,
    },
    Error {
        session: String,
        error: HostFault,
    },
    /// An assistant message was finished.
    Message {
        session: String,
        message: Message,
    },
    /// A tool call changed its state; also the sign of life of a turn.
    Tool {
        session: String,
        call: String,
        tool: String,
        state: ToolState,
    },
    Permission {
        session: String,
        id: String,
        /// False once answered.
        open: bool,
        permission: String,
        /// What it is about, while it is open.
        #[serde(default)]
        patterns: Vec<String>,
        /// The answer was no.
        #[serde(default)]
        rejected: bool,
    },
    Deleted {
        session: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ToolState {
    Running,
    Completed,
    Error,
}
