//! A host that takes nothing for granted: it serves the calls of the method table, and refuses and remembers every one
//! that a real host would not have understood.
use std::collections::BTreeMap;
use std::sync::Arc;

use gantry::protocol::errors::HOST;
use gantry::protocol::methods as m;
use gantry::protocol::types::*;
use gantry::rpc::{CallError, Limits, PeerHandle, Router, RpcError, connect};
use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::sync::watch;

use crate::SOON;
use crate::models::Script;
use crate::parts::Project;

pub const DIRECTORY: &str = "/p";
const AGENTS: [&str; 4] = ["commander", "planner", "worker", "reviewer"];

#[derive(Clone)]
pub struct FakeHost {
    pub state: Arc<Mutex<State>>,
    pub script: Script,
    pub project: Arc<Project>,
    peer: watch::Sender<Option<PeerHandle>>,
}

#[derive(Default)]
pub struct State {
    pub sessions: BTreeMap<String, Session>,
    /// Every turn: the title of its session, and the prompt.
    pub turns: Vec<(String, String)>,
    pub toasts: Vec<(String, String)>,
    pub progress: Vec<String>,
    /// Reports that reached the conversation.
    pub delivered: Vec<String>,
    /// What a well-behaved engine does not do.
    pub wrongs: Vec<String>,
}

#[derive(Clone)]
pub struct Session {
    pub title: String,
    pub agent: String,
    pub parent: Option<String>,
    pub key: String,
    pub busy: bool,
    pub turn: u64,
    pub messages: Vec<Message>,
}

impl FakeHost {
    pub fn new(project: Arc<Project>) -> Self {
        let peer = watch::Sender::new(None);
        Self { state: Arc::default(), script: Script::default(), project, peer }
    }

    /// The shim's half of the connection. Calls wait until the directory is open.
    pub async fn connect(&self, end: DuplexStream, reattach: bool) {
        let (read, write) = tokio::io::split(end);
        let (peer, connection) = connect(read, write, self.router(), Limits::default());
        tokio::spawn(connection.run());
        peer.call(m::Initialize, &hello(PROTOCOL_VERSION), SOON).await.expect("a handshake");
        let (directory, options) = (DIRECTORY.to_owned(), serde_json::Map::new());
        let params = WorkspaceOpenParams { worktree: directory.clone(), directory, options, reattach };
        peer.call(m::WorkspaceOpen, &params, SOON).await.expect("opened");
        self.peer.send_replace(Some(peer));
    }

    pub fn peer(&self) -> PeerHandle {
        self.peer.borrow().clone().expect("connected")
    }

    /// The peer that works, once there is one.
    pub async fn next_peer(&self) -> PeerHandle {
        let mut peers = self.peer.subscribe();
        let found = peers.wait_for(|p| p.as_ref().is_some_and(|p| !p.is_closed())).await;
        found.expect("the host lives").clone().expect("connected")
    }

    /// `/task` in a conversation: the mission is accepted first, then the Commander's turn begins.
    pub async fn task(&self, parent: &str, text: &str) -> Result<MissionCreateResult, CallError> {
        let created = self.request(parent, text).await?;
        self.begin(parent, &format!("Mission {}: {text}", created.mission.id));
        Ok(created)
    }

    /// The first half of it.
    pub async fn request(&self, parent: &str, text: &str) -> Result<MissionCreateResult, CallError> {
        let params = MissionCreateParams {
            directory: DIRECTORY.into(),
            parent_session: parent.into(),
            text: text.into(),
            key: format!("{parent} {text}"),
        };
        let created = self.peer().call(m::MissionCreate, &params, SOON).await?;
        self.conversation(parent);
        Ok(created)
    }

    pub fn conversation(&self, id: &str) {
        let session = Session {
            title: "Commander".into(),
            agent: "commander".into(),
            parent: None,
            key: String::new(),
            busy: false,
            turn: 0,
            messages: Vec::new(),
        };
        self.state.lock().sessions.entry(id.into()).or_insert(session);
    }

    /// The host is started anew: no turn runs any more.
    pub fn restart(&self) {
        for session in self.state.lock().sessions.values_mut() {
            session.busy = false;
            session.turn += 1;
            let calls = session.messages.iter_mut().flat_map(|m| &mut m.calls);
            calls.filter(|c| c.state == ToolState::Running).for_each(|c| c.state = ToolState::Error);
        }
    }

    // ---- what happened

    pub fn turns_of(&self, title: &str) -> Vec<String> {
        let state = self.state.lock();
        state.turns.iter().filter(|(t, _)| t.starts_with(title)).map(|(_, text)| text.clone()).collect()
    }

    pub fn busy(&self) -> Vec<String> {
        let state = self.state.lock();
        state.sessions.values().filter(|s| s.busy).map(|s| s.title.clone()).collect()
    }

    pub fn session_of(&self, title: &str) -> Option<String> {
        let state = self.state.lock();
        state.sessions.iter().find(|(_, s)| s.title.starts_with(title)).map(|(id, _)| id.clone())
    }

    pub fn delivered(&self) -> Vec<String> {
        self.state.lock().delivered.clone()
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.state.lock().wrongs.clone()
    }

    pub async fn events(&self, events: Vec<HostEvent>) {
        // Events that find no connection are lost, as they are in the shim.
        let _ = self
            .peer()
            .notify(m::EventBatch, &EventBatchParams { directory: DIRECTORY.into(), events })
            .await;
    }

    // ---- the calls

    fn router(&self) -> Router {
        macro_rules! served {
            ($method:ident) => {{
                let host = self.clone();
                move |params, _| {
                    let answer = host.$method(params);
                    async move { answer }
                }
            }};
        }
        let (toasts, progress) = (self.clone(), self.clone());
        Router::builder()
            .request(m::HostSessionCreate, served!(create))
            .request(m::HostSessionPrompt, served!(prompt))
            .request(m::HostSessionAbort, served!(abort))
            .request(m::HostSessionMessages, served!(messages))
            .request(m::HostSessionStatus, served!(status))
            .sync(m::HostToast, move |p: ToastParams, _| {
                toasts.known(&p.directory)?;
                toasts.state.lock().toasts.push((p.title, p.message));
                Ok(Empty {})
            })
            .sync(m::HostProgress, move |p: ProgressParams, _| {
                progress.known(&p.directory)?;
                progress.state.lock().progress.push(p.title);
                Ok(Empty {})
            })
            .build()
    }

    fn refuse<T>(&self, name: &str, status: u32, text: String) -> Result<T, RpcError> {
        self.state.lock().wrongs.push(text.clone());
        let fault = HostFault { name: name.into(), message: text.clone(), status: Some(status) };
        Err(RpcError::new(HOST, text).with_data(serde_json::to_value(fault).expect("plain")))
    }

    fn known(&self, directory: &str) -> Result<(), RpcError> {
        if directory == DIRECTORY {
            Ok(())
        } else {
            self.refuse("NotFoundError", 404, format!("no {directory} here"))
        }
    }

    fn session(&self, directory: &str, id: &str) -> Result<Session, RpcError> {
        self.known(directory)?;
        let found = self.state.lock().sessions.get(id).cloned();
        found.map_or_else(|| self.refuse("NotFoundError", 404, format!("no session {id}")), Ok)
    }

    fn create(&self, p: SessionCreateParams) -> Result<SessionCreateResult, RpcError> {
        self.known(&p.directory)?;
        if !AGENTS.contains(&p.agent.as_str()) {
            return self.refuse("BadRequest", 400, format!("no agent {}", p.agent));
        }
        let parent = p.parent.clone().unwrap_or_default();
        self.session(&p.directory, &parent)?;
        let mut state = self.state.lock();
        let twin = state.sessions.iter().find(|(_, s)| p.adopt && s.key == p.key && s.parent == p.parent);
        if let Some((id, _)) = twin {
            return Ok(SessionCreateResult { session: id.clone() });
        }
        let id = format!("ses_{}", state.sessions.len());
        let session = Session {
            title: p.title,
            agent: p.agent,
            parent: p.parent,
            key: p.key,
            busy: false,
            turn: 0,
            messages: Vec::new(),
        };
        state.sessions.insert(id.clone(), session);
        Ok(SessionCreateResult { session: id })
    }

    fn prompt(&self, p: SessionPromptParams) -> Result<Empty, RpcError> {
        let session = self.session(&p.directory, &p.session)?;
        if session.busy {
            return self.refuse(
                "BusyError",
                409,
                format!("a prompt into the running turn of {}", session.title),
            );
        }
        if session.agent != p.agent {
            return self.refuse(
                "BadRequest",
                400,
                format!("{} is of agent {}, not {}", session.title, session.agent, p.agent),
            );
        }
        if p.no_reply {
            let mut state = self.state.lock();
            if let Some(session) = state.sessions.get_mut(&p.session) {
                session.messages.push(message(MessageRole::User, session.messages.len(), &p.text));
            }
            state.delivered.push(p.text);
        } else {
            self.begin(&p.session, &p.text);
        }
        Ok(Empty {})
    }

    fn abort(&self, p: SessionParams) -> Result<Empty, RpcError> {
        self.session(&p.directory, &p.session)?;
        let host = self.clone();
        tokio::spawn(async move {
            let fault =
                HostFault { name: "MessageAbortedError".into(), message: "aborted".into(), status: None };
            host.end(&p.session, None, "", Some(fault)).await;
        });
        Ok(Empty {})
    }

    fn messages(&self, p: SessionMessagesParams) -> Result<SessionMessagesResult, RpcError> {
        let all = self.session(&p.directory, &p.session)?.messages;
        let from = all.len().saturating_sub(p.limit as usize);
        Ok(SessionMessagesResult { messages: all[from..].to_vec() })
    }

    fn status(&self, p: SessionStatusParams) -> Result<SessionStatusResult, RpcError> {
        self.known(&p.directory)?;
        let state = self.state.lock();
        let of = |id: &String| {
            // Busy sessions only are listed; the others are not known to be anything.
            let busy = state.sessions.get(id).is_some_and(|s| s.busy);
            SessionStatus {
                session: id.clone(),
                state: if busy { SessionState::Busy } else { SessionState::Absent },
            }
        };
        Ok(SessionStatusResult { sessions: p.sessions.iter().map(of).collect() })
    }
}

pub fn hello(protocol_version: u32) -> InitializeParams {
    InitializeParams {
        protocol_version,
        client: Peer { name: "opencode-gantry".into(), version: "0.0.0".into() },
        host: HostInfo { line: HostLine::V1, version: None, pid: 7 },
    }
}

pub fn message(role: MessageRole, n: usize, text: &str) -> Message {
    Message {
        id: format!("msg_{n}"),
        completed: role == MessageRole::User,
        role,
        text: text.into(),
        finish: None,
        error: None,
        model: None,
        usage: Usage::default(),
        calls: Vec::new(),
    }
}
