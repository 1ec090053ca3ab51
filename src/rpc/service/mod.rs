//! The sidecar's side of the wire: each method of the table, served by the engine's handle.
mod asks;
pub mod code;
mod code_calls;
mod commands;
mod convert;
pub use convert::{detail, summary};
mod flags;
mod tool_args;

use code::CodeTools;
use flags::Budget;
pub use tool_args::salvage;

use super::{CallContext, PeerHandle, Router, RpcError};
use crate::domain::ids::{Directory, HostSessionId, MissionId};
use crate::domain::permission::Call;
use crate::engine::handle::{
    Answer, Created, Handle, Options, Refusal, RollbackAsk, ToolInput, clip, rollback_text,
};
use crate::protocol::errors::*;
use crate::protocol::methods as m;
use crate::protocol::tools::TOOLS;
use crate::protocol::types::*;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Longest text after `/task`, in bytes.
const MAX_TEXT: usize = 100_000;

/// Missions in one list.
const MAX_LISTED: u32 = 50;

/// What the service says about its own process.
#[derive(Clone)]
pub struct About {
    pub home: String,
    pub store: String,
    /// Lines of the log that were lost so far.
    pub log_lines_dropped: fn() -> u64,
    pub layered: Layered,
}

/// What a mission in a directory is to be like: the options of its plugin's entry with those of the other layers; a
/// sentence where one is wrong.
pub type Layered = Arc<dyn Fn(&Directory, &Workspace) -> Result<Options, String> + Send + Sync>;

#[derive(Clone)]
pub struct Workspace {
    /// Root of the working tree.
    pub worktree: String,
    /// Of the plugin's entry, as they stand there.
    pub options: serde_json::Map<String, serde_json::Value>,
}

struct Service {
    engine: Handle,
    about: About,
    code: CodeTools,
    workspaces: DashMap<Directory, Workspace>,
    /// Everyone who has said hello and is still there.
    peers: Mutex<Vec<PeerHandle>>,
    stop: CancellationToken,
}

macro_rules! served {
    ($service:ident, $method:ident) => {{
        let service = $service.clone();
        move |params, context| {
            let service = service.clone();
            async move { service.$method(params, context).await }
        }
    }};
}

/// What one process serves, on any number of connections.
#[derive(Clone)]
pub struct Served(Arc<Service>);

impl Served {
    /// `stop` is fired when the host asks the process to end.
    pub fn new(engine: Handle, about: About, code: CodeTools, stop: CancellationToken) -> Self {
        let (workspaces, peers) = (DashMap::new(), Mutex::default());
        Self(Arc::new(Service { engine, about, code, workspaces, peers, stop }))
    }

    /// For the user's own programs beside the host: missions are looked at and steered.
    pub fn viewer(&self) -> Router {
        let service = self.0.clone();
        let hello = service.clone();
        Router::builder()
            .sync(m::Initialize, move |params, context| hello.initialize(&params, context.peer.clone()))
            .request(m::MissionStatus, served!(service, mission_status))
            .request(m::MissionView, served!(service, mission_view))
            .request(m::MissionList, served!(service, mission_list))
            .request(m::NoticeList, served!(service, notice_list))
            .request(m::MissionControl, served!(service, visitors_control))
            .request(m::MissionRollback, served!(service, visitors_rollback))
            .request(m::CommandRun, served!(service, visitors_command))
            .request(m::MetricsRead, served!(service, metrics))
            .build()
    }

    /// For the host.
    pub fn host(&self) -> Router {
        router(self.0.clone())
    }
}

fn router(service: Arc<Service>) -> Router {
    let (hello, events, end) = (service.clone(), service.clone(), service.clone());
    Router::builder()
        .sync(m::Initialize, move |params, context| hello.initialize(&params, context.peer.clone()))
        .request(m::WorkspaceOpen, served!(service, workspace_open))
        .request(m::WorkspaceClose, served!(service, workspace_close))
        .request(m::MissionCreate, served!(service, mission_create))
        .request(m::MissionAttach, served!(service, mission_attach))
        .request(m::MissionStatus, served!(service, mission_status))
        .request(m::MissionView, served!(service, mission_view))
        .request(m::MissionList, served!(service, mission_list))
        .request(m::NoticeList, served!(service, notice_list))
        .request(m::MissionControl, served!(service, mission_control))
        .request(m::MissionRollback, served!(service, mission_rollback))
        .request(m::CommandRun, served!(service, command_run))
        .sync(m::ToolList, |_, _| Ok(tool_list()))
        .request(m::ToolCall, served!(service, tool_call))
        .request(m::LeaseCheck, served!(service, lease_check))
        .request(m::MetricsRead, served!(service, metrics))
        .sync(m::Shutdown, move |_, _| {
            end.stop.cancel();
            Ok(Empty {})
        })
        .notification(m::EventBatch, move |params, _| {
            events.engine.events(params.events.into_iter().flat_map(convert::host_events).collect());
        })
        .build()
}

/// Takes back files of the mission that is named.
pub async fn rollback(engine: &Handle, p: MissionRollbackParams) -> Result<MissionRollbackResult, RpcError> {
    let invalid = |fault: String| RpcError::new(INVALID_PARAMS, fault);
    let scope = convert::scope(p.task, p.checkpoint, p.undo).map_err(invalid)?;
    let mission = p.mission.ok_or_else(|| invalid("say which mission".into()))?;
    let mission = MissionId(mission);
    let ask = RollbackAsk { scope, dry_run: p.dry_run, force: p.force, with_state: false };
    let view = engine.rollback(mission.clone(), ask).await.map_err(convert::refusal)?;
    let row = engine.view(mission).await.map_err(convert::refusal)?.row;
    Ok(convert::rollback(&row, &view, rollback_text(&view)))
}

fn tool_list() -> ToolListResult {
    let tools = TOOLS.iter().map(|t| ToolInfo {
        name: t.name.into(),
        description: t.description.into(),
        input_schema: (t.schema)().to_value(),
        roles: t.roles.iter().map(ToString::to_string).collect(),
        permission: t.permission.map(Into::into),
    });
    ToolListResult { tools: tools.collect() }
}

impl Service {
    fn initialize(&self, params: &InitializeParams, peer: PeerHandle) -> Result<InitializeResult, RpcError> {
        if params.protocol_version != PROTOCOL_VERSION {
            let text = format!(
                "plugin {} speaks protocol {}, gantry {} speaks {PROTOCOL_VERSION}: install the same version of both",
                params.client.version,
                params.protocol_version,
                env!("CARGO_PKG_VERSION"),
            );
            return Err(RpcError::new(VERSION_MISMATCH, text));
        }
        {
            let mut peers = self.peers.lock();
            peers.retain(|peer| !peer.is_closed());
            peers.push(peer);
        }
        tracing::info!(client = %params.client.version, host_pid = params.host.pid, "connected");
        Ok(InitializeResult {
            protocol_version: PROTOCOL_VERSION,
            server: Peer { name: "gantry".into(), version: env!("CARGO_PKG_VERSION").into() },
            pid: std::process::id(),
            home: self.about.home.clone(),
            store: self.about.store.clone(),
        })
    }

    async fn workspace_open(
        &self,
        p: WorkspaceOpenParams,
        _: CallContext,
    ) -> Result<WorkspaceOpenResult, RpcError> {
        let directory = Directory(p.directory);
        let workspace = Workspace { worktree: p.worktree, options: p.options };
        self.workspaces.insert(directory.clone(), workspace);
        let opened = self.engine.open(directory, !p.reattach).await.map_err(convert::refusal)?;
        Ok(WorkspaceOpenResult {
            missions: opened.missions.iter().map(convert::summary).collect(),
            sessions: opened.sessions.into_iter().map(|s| s.0).collect(),
        })
    }

    async fn workspace_close(&self, p: DirectoryParams, _: CallContext) -> Result<Empty, RpcError> {
        let directory = Directory(p.directory);
        self.workspaces.remove(&directory);
        self.engine.close(directory).await;
        Ok(Empty {})
    }

    fn workspace(&self, directory: &Directory) -> Result<Workspace, RpcError> {
        let found = self.workspaces.get(directory).map(|w| w.clone());
        found.ok_or_else(|| {
            RpcError::new(NOT_FOUND, format!("{directory} is not open: call workspace/open first"))
        })
    }

    async fn mission_create(
        &self,
        p: MissionCreateParams,
        _: CallContext,
    ) -> Result<MissionCreateResult, RpcError> {
        let (mission, queued_behind) =
            self.create(Directory(p.directory), p.parent_session, p.text, p.key).await?;
        let view = self.engine.view(mission).await.map_err(convert::refusal)?;
        Ok(MissionCreateResult {
            mission: convert::summary(&view.row),
            queued_behind: queued_behind.into_iter().map(|m| m.0).collect(),
        })
    }

    async fn create(
        &self,
        directory: Directory,
        parent: String,
        text: String,
        key: String,
    ) -> Result<(MissionId, Vec<MissionId>), RpcError> {
        let invalid = |fault: String| RpcError::new(INVALID_PARAMS, fault);
        let flags = flags::parse(&text).map_err(invalid)?;
        let text = flags.text.to_owned();
        if text.is_empty() {
            return Err(RpcError::new(INVALID_PARAMS, "say what is to be done: /task followed by the work"));
        }
        if text.len() > MAX_TEXT {
            let fault = format!(
                "the task is {} bytes long, at most {MAX_TEXT} are taken: put the rest into a file and name it",
                text.len()
            );
            return Err(RpcError::new(INVALID_PARAMS, fault));
        }
        let workspace = self.workspace(&directory)?;
        // Read anew for each mission, so that a change counts for the next one.
        let mut options = (self.about.layered)(&directory, &workspace).map_err(invalid)?;
        if flags.approve {
            options.approval = Some(true);
        }
        if flags.worktree {
            options.worktrees = Some(true);
        }
        options.race = flags.race.or(options.race);
        match flags.budget {
            Some(Budget::Tokens(tokens)) => options.budget_tokens = Some(tokens),
            Some(Budget::Dollars(dollars)) => options.budget_dollars = Some(dollars),
            None => {}
        }
        options.background = flags.background.then_some(true);
        self.engine.writable(std::path::Path::new(&workspace.worktree)).map_err(convert::refusal)?;
        self.engine.claim_place(directory.clone()).await.map_err(convert::refusal)?;
        let created = Created {
            title: title(&text),
            directory,
            worktree: workspace.worktree,
            parent: HostSessionId(parent),
            text,
            key,
            options,
        };
        self.engine.create(created).await.map_err(convert::refusal)
    }

    async fn mission_attach(
        &self,
        p: MissionAttachParams,
        _: CallContext,
    ) -> Result<MissionDetail, RpcError> {
        let mission = MissionId(p.mission);
        self.engine
            .attach(mission.clone(), HostSessionId(p.parent_session))
            .await
            .map_err(convert::refusal)?;
        self.detail(mission).await
    }

    async fn mission_status(
        &self,
        p: MissionStatusParams,
        _: CallContext,
    ) -> Result<MissionDetail, RpcError> {
        let mission = self.looked_at(p).await?;
        self.detail(mission).await
    }

    async fn mission_view(
        &self,
        p: MissionStatusParams,
        _: CallContext,
    ) -> Result<MissionViewResult, RpcError> {
        let mission = self.looked_at(p).await?;
        self.engine.view(mission).await.map(|v| convert::whole(&v)).map_err(convert::refusal)
    }

    async fn looked_at(&self, p: MissionStatusParams) -> Result<MissionId, RpcError> {
        match (p.mission, p.parent_session) {
            (None, Some(parent)) => {
                let found = self.engine.newest_of(Directory(p.directory), &parent).await;
                let none = || RpcError::new(NOT_FOUND, "this conversation has had no mission");
                found.map_err(convert::refusal)?.ok_or_else(none)
            }
            (mission, _) => self.meant(mission, p.directory).await,
        }
    }

    async fn mission_list(
        &self,
        p: MissionListParams,
        _: CallContext,
    ) -> Result<MissionListResult, RpcError> {
        let rows = self.engine.missions(Directory(p.directory), p.open, MAX_LISTED).await;
        let missions = rows.map_err(convert::refusal)?.iter().map(convert::summary).collect();
        Ok(MissionListResult { missions })
    }

    async fn notice_list(&self, p: NoticeListParams, _: CallContext) -> Result<NoticeListResult, RpcError> {
        let directory = Directory(p.directory);
        self.is_open(&directory)?;
        let notices = self.engine.notices(&directory, p.after).into_iter().map(convert::notice).collect();
        Ok(NoticeListResult { notices })
    }

    /// An order from outside is for the process with a host in the directory: any other would take the mission over, and have
    /// nobody to work on it.
    fn is_open(&self, directory: &Directory) -> Result<(), RpcError> {
        if self.workspaces.contains_key(directory) {
            return Ok(());
        }
        Err(RpcError::new(NOT_FOUND, "this process has not opened the directory"))
    }

    async fn visitors_control(
        &self,
        p: MissionControlParams,
        context: CallContext,
    ) -> Result<MissionDetail, RpcError> {
        self.is_open(&Directory(p.directory.clone()))?;
        self.mission_control(p, context).await
    }

    async fn visitors_rollback(
        &self,
        p: MissionRollbackParams,
        context: CallContext,
    ) -> Result<MissionRollbackResult, RpcError> {
        self.is_open(&Directory(p.directory.clone()))?;
        self.mission_rollback(p, context).await
    }

    async fn mission_control(
        &self,
        p: MissionControlParams,
        _: CallContext,
    ) -> Result<MissionDetail, RpcError> {
        let mission = self.meant(p.mission.clone(), p.directory.clone()).await?;
        let control = convert::control(p)?;
        self.engine.control(mission.clone(), control).await.map_err(convert::refusal)?;
        self.detail(mission).await
    }

    async fn mission_rollback(
        &self,
        p: MissionRollbackParams,
        _: CallContext,
    ) -> Result<MissionRollbackResult, RpcError> {
        let mission = self.meant(p.mission.clone(), p.directory.clone()).await?;
        rollback(&self.engine, MissionRollbackParams { mission: Some(mission.0), ..p }).await
    }

    async fn meant(&self, mission: Option<String>, directory: String) -> Result<MissionId, RpcError> {
        let directory = Directory(directory);
        match mission {
            Some(id) => self.of_directory(MissionId(id), &directory).await,
            None => self.engine.newest(directory).await.map_err(convert::refusal),
        }
    }

    /// Two directories of one host do not see each other's missions.
    async fn of_directory(&self, mission: MissionId, directory: &Directory) -> Result<MissionId, RpcError> {
        let view = self.engine.view(mission.clone()).await.map_err(convert::refusal)?;
        if view.row.directory != *directory {
            let text =
                format!("mission {mission} is not of this project: open OpenCode in {}", view.row.directory);
            return Err(RpcError::new(NOT_FOUND, text));
        }
        Ok(mission)
    }

    /// Says which mission a Commander means, for it may have left memory.
    async fn named(
        &self,
        mission: Option<MissionId>,
        session: &str,
        directory: &str,
    ) -> Result<Option<MissionId>, RpcError> {
        let directory = Directory(directory.to_owned());
        match mission {
            Some(id) => self.of_directory(id, &directory).await.map(Some),
            None => self.engine.newest_of(directory, session).await.map_err(convert::refusal),
        }
    }

    async fn detail(&self, mission: MissionId) -> Result<MissionDetail, RpcError> {
        self.engine.view(mission).await.map(|v| convert::detail(&v)).map_err(convert::refusal)
    }

    async fn tool_call(&self, p: ToolCallParams, context: CallContext) -> Result<ToolCallResult, RpcError> {
        if code_calls::serves(&p.tool) {
            return self.code_call(&p, &context).await;
        }
        let tool = match tool_args::tool_input(&p.tool, p.args)? {
            ToolInput::Control { mission, control } => {
                let mission = self.named(mission, &p.session, &p.directory).await?;
                ToolInput::Control { mission, control }
            }
            ToolInput::Status { mission } => {
                ToolInput::Status { mission: self.named(mission, &p.session, &p.directory).await? }
            }
            other => other,
        };
        let session = HostSessionId(p.session);
        let mut answer = self.tool(&session, &p.call, tool.clone(), &context).await;
        if let (Err(Refusal::NotFound(_)), ToolInput::Mission { brief, .. }) = (&answer, &tool) {
            // Its mission may be on disk only: while it is read again, or left by another process.
            let directory = Directory(p.directory);
            self.engine.open(directory.clone(), false).await.map_err(convert::refusal)?;
            answer = self.tool(&session, &p.call, tool.clone(), &context).await;
            if let Err(Refusal::NotFound(_)) = answer {
                // The Commander was asked without `/task`: the brief is the request.
                self.create(directory, session.0.clone(), brief.clone(), p.call.clone()).await?;
                answer = self.tool(&session, &p.call, tool, &context).await;
            }
        }
        match answer.map_err(convert::refusal)? {
            Answer::Tool { title, output, metadata } => {
                let metadata = metadata.into_iter().map(|(k, v)| (k, v.into())).collect();
                Ok(ToolCallResult { title, output, metadata })
            }
            other => Err(RpcError::new(INTERNAL_ERROR, format!("unexpected answer {other:?}"))),
        }
    }

    async fn tool(
        &self,
        session: &HostSessionId,
        call: &str,
        tool: ToolInput,
        context: &CallContext,
    ) -> Result<Answer, Refusal> {
        let reply = self.engine.reply();
        tokio::select! {
            answer = self.engine.tool(reply, session.clone(), call.to_owned(), tool) => answer,
            () = context.cancel.cancelled() => {
                self.engine.drop_call(reply).await;
                Err(Refusal::Cancelled("the call was cancelled".into()))
            }
        }
    }

    async fn metrics(&self, _: Empty, _: CallContext) -> Result<MetricsResult, RpcError> {
        let mut metrics = self.engine.metrics().await;
        metrics.count("log.lines_dropped", (self.about.log_lines_dropped)());
        let peers = self.peers.lock().clone();
        for peer in peers.iter().filter(|peer| !peer.is_closed()) {
            let stats = peer.stats();
            metrics.count("lines.bad", stats.bad_lines);
            metrics.count("answers.stray", stats.stray_answers);
            metrics.count("notifications.dropped", stats.dropped_notifications);
            metrics.count("handlers.panicked", stats.panics);
            let (hits, misses) = peer.buffers().counts();
            metrics.count("pools.buffers.hits", hits);
            metrics.count("pools.buffers.misses", misses);
            *metrics.gauges.entry("pools.buffers.kept_bytes".into()).or_default() +=
                peer.buffers().kept() as u64;
            metrics.queues.extend(peer.queues());
        }
        Ok(convert::metrics(metrics))
    }

    async fn lease_check(&self, p: LeaseCheckParams, _: CallContext) -> Result<LeaseCheckResult, RpcError> {
        let session = HostSessionId(p.session);
        let own = TOOLS.iter().any(|tool| tool.name == p.tool);
        let (command, subject) = (p.command.as_deref(), p.subject.as_deref());
        let rules =
            || self.engine.rules_check(&session, Call { tool: &p.tool, paths: &p.paths, command, subject });
        let command = command.map_or(Ok(()), |c| self.engine.command_check(&session, c));
        let checked = match command.and_then(|()| if own { Ok(()) } else { rules() }) {
            Ok(()) => self.engine.lease_check(&session, &p.tool, &p.paths).await,
            Err(why) => Err(why),
        };
        Ok(LeaseCheckResult { allow: checked.is_ok(), reason: checked.err() })
    }
}

/// The first line, short enough for a list.
fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or(text);
    clip(line, 80)
}
