//! The host, OpenCode, as the engine sees it: conversations that run turns.
use super::Fut;
use crate::domain::ids::{Directory, HostSessionId, Role};

#[derive(Clone, PartialEq, Debug)]
pub struct NewSession {
    pub directory: Directory,
    /// Where it works, when that is not the directory; it is still the directory's.
    pub folder: Option<String>,
    pub parent: Option<HostSessionId>,
    pub title: String,
    pub role: Role,
    /// What it runs on, as `provider/model`, when that is not what its parent does.
    pub model: Option<String>,
    /// Kept with the host session so that it can be found again.
    pub key: String,
    /// Look for one with this key before making a new one.
    pub adopt: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnState {
    Busy,
    /// The host waits to try its provider again.
    Retry,
    Idle,
    /// Not busy in this host process; says nothing of how a turn ended.
    Absent,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    User,
    Assistant,
}

#[derive(Clone, PartialEq, Debug)]
pub struct HostMessage {
    pub id: String,
    pub speaker: Speaker,
    pub text: String,
    pub completed: bool,
    pub finish: Option<String>,
    pub error: Option<HostFault>,
    /// What answered, as `provider/model`.
    pub model: Option<String>,
    pub usage: Usage,
    pub calls: Vec<HostCall>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostCall {
    pub call: String,
    pub tool: String,
    pub state: CallState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallState {
    Running,
    Completed,
    /// Failed, denied or cut off.
    Error,
}

/// A permission that a tool call waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostAsk {
    pub id: String,
    pub session: HostSessionId,
    /// As the host names it, such as `bash`.
    pub permission: String,
    /// What it is about: commands, paths, addresses.
    pub patterns: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostFault {
    pub name: String,
    pub message: String,
    pub status: Option<u32>,
}

/// Tokens and money as the host counts them.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub reasoning: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// US dollars.
    pub cost: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToastKind {
    Info,
    Success,
    Warning,
    Error,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostError {
    /// The host answered, and said no.
    #[error("the host refused: {}: {}", .0.name, .0.message)]
    Refused(HostFault),
    #[error("the host did not answer within {0} ms")]
    TimedOut(u64),
    #[error("the connection to the host is closed")]
    Closed,
}

pub trait Host: Send + Sync {
    fn create(&self, new: NewSession) -> Fut<'_, Result<HostSessionId, HostError>>;
    /// Opens a folder ahead of the first turn there, so that this one need not wait for it. A repeat is harmless.
    fn open_folder(&self, directory: Directory, folder: String) -> Fut<'_, Result<(), HostError>>;
    /// Returns when the host has taken the prompt, not when the turn ends. With `no_reply` the text is
    /// stored without a turn.
    fn prompt(
        &self,
        directory: Directory,
        session: HostSessionId,
        role: Role,
        text: String,
        no_reply: bool,
    ) -> Fut<'_, Result<(), HostError>>;
    fn abort(&self, directory: Directory, session: HostSessionId) -> Fut<'_, Result<(), HostError>>;
    /// In the order asked for.
    fn status(
        &self,
        directory: Directory,
        sessions: Vec<HostSessionId>,
    ) -> Fut<'_, Result<Vec<(HostSessionId, TurnState)>, HostError>>;
    /// The newest messages, oldest first.
    fn messages(
        &self,
        directory: Directory,
        session: HostSessionId,
        limit: u32,
    ) -> Fut<'_, Result<Vec<HostMessage>, HostError>>;
    /// Permissions that wait for an answer where the session works; those of other sessions may be among them.
    fn asks(&self, directory: Directory, session: HostSessionId) -> Fut<'_, Result<Vec<HostAsk>, HostError>>;
    /// Allows what was asked for, or refuses it with a sentence for the model.
    fn answer_ask(
        &self,
        directory: Directory,
        session: HostSessionId,
        ask: String,
        refusal: Option<String>,
    ) -> Fut<'_, Result<(), HostError>>;
    fn toast(
        &self,
        directory: Directory,
        kind: ToastKind,
        title: String,
        message: String,
    ) -> Fut<'_, Result<(), HostError>>;
    /// Live title of a tool call that is running.
    fn progress(
        &self,
        directory: Directory,
        session: HostSessionId,
        call: String,
        title: String,
        metadata: Vec<(String, String)>,
    ) -> Fut<'_, Result<(), HostError>>;
}
