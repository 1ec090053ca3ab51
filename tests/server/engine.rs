//! The engine alone: many missions at one time, against a host in the same process whose turns take as long as they are
//! told and cost nothing. Shared with `benches/soak.rs`.
use crate::parts::Project;
use gantry::adapters::system::GitTree;
use gantry::domain::ids::{Directory, HostSessionId, Role};
use gantry::domain::plan::{Draft, DraftTask};
use gantry::engine::Ports;
use gantry::engine::handle::{self, Created, Handle, HostInput, Limits, Options, ReportStatus, ToolInput};
use gantry::ports::Fut;
use gantry::ports::host::*;
use gantry::ports::store::{OwnerIdentity, Store};
use gantry::ports::system::{Clock, Ids, MemoryGauge};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Of each mission, none of which waits for another.
pub const TASKS: usize = 10;

/// What the engine stands on here.
pub struct Ground {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub store: Arc<dyn Store>,
    pub memory: Arc<dyn MemoryGauge>,
    pub limits: Limits,
}

pub struct Engine {
    pub handle: Handle,
    next: AtomicU64,
    workers: u32,
    /// How long the conversation that asks is at work before it has its brief.
    pub briefing: Duration,
}

impl Engine {
    pub fn start(ground: Ground, workers: u32, host: Arc<QuickHost>) -> Self {
        let diff = "+a line of a change of some size\n".repeat(600);
        let place = Arc::new(Project::showing(diff));
        let Ground { clock, ids, store, memory, limits } = ground;
        let ports = Ports {
            clock,
            ids,
            store,
            host: host.clone(),
            tree: place.clone(),
            // Never asked: no mission here works in worktrees.
            worktrees: Arc::new(GitTree::new(Path::new("/nowhere"))),
            history: place.clone(),
            checks: place.clone(),
            todo: place.clone(),
            diagnostics: place.clone(),
            markers: place,
            memory,
            identity: OwnerIdentity { owner: "bench".into(), pid: 1, pid_start: 1, boot: "here".into() },
            alive: |_| true,
            salvage: |_, _| None,
        };
        let (engine, run) = handle::start_with(ports, limits);
        tokio::spawn(run);
        assert!(host.engine.set(engine.clone()).is_ok());
        Self { handle: engine, next: AtomicU64::new(0), workers, briefing: Duration::ZERO }
    }

    /// So many missions, so many of them at one time, each in a project of its own.
    pub async fn missions(&self, count: usize, at_once: usize) {
        let places = Arc::new(tokio::sync::Semaphore::new(at_once));
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..count {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let (engine, places, workers) = (self.handle.clone(), places.clone(), self.workers);
            let briefing = self.briefing;
            running.spawn(async move {
                let _place = places.acquire().await;
                mission(&engine, n, workers, briefing).await;
            });
        }
        while let Some(done) = running.join_next().await {
            done.expect("a mission broke down");
        }
    }
}

async fn mission(engine: &Handle, n: u64, workers: u32, briefing: Duration) {
    let (directory, parent) = (format!("/project{n}"), HostSessionId(format!("user{n}")));
    let created = Created {
        directory: Directory(directory.clone()),
        worktree: directory,
        parent: parent.clone(),
        text: "do it".into(),
        key: format!("key{n}"),
        title: "do it".into(),
        options: Options {
            checks: Some(Vec::new()),
            workers,
            planners: Some(workers),
            reviewers: Some(workers),
            ..Options::default()
        },
    };
    engine.create(created).await.expect("accepted");
    if !briefing.is_zero() {
        let session = parent.clone();
        engine.events(vec![HostInput::Status {
            session,
            state: TurnState::Busy,
            retry_at: None,
            message: None,
        }]);
        tokio::time::sleep(briefing).await;
    }
    let call = format!("call{n}");
    let brief = ToolInput::Mission { brief: "do it".into(), acceptance: Vec::new(), constraints: Vec::new() };
    engine.tool(engine.reply(), parent.clone(), call.clone(), brief).await.expect("reported");
    engine.events(vec![HostInput::ToolMoved { session: parent, call, state: CallState::Completed }]);
}

#[derive(Default)]
pub struct QuickHost {
    engine: OnceLock<Handle>,
    sessions: Arc<Mutex<HashMap<HostSessionId, Session>>>,
    next: AtomicU64,
    turn: Duration,
    /// The first turn of a worker ends without its report.
    forgetful: bool,
    /// From the end of such a turn to the reminder.
    pub reminded: Arc<Mutex<Vec<Duration>>>,
    /// What was asked about each conversation: requests, and those of them that had messages for an answer.
    pub asked: Mutex<HashMap<HostSessionId, [u32; 2]>>,
}

#[derive(Clone)]
struct Session {
    role: Role,
    turns: u32,
    idle_at: Option<Instant>,
}

fn submission(role: Role) -> ToolInput {
    match role {
        Role::Planner => {
            let task = |n: usize| DraftTask {
                id: format!("T{n}"),
                title: format!("task {n}"),
                description: "what there is to be done, in a few words ".repeat(8),
                files: vec![format!("src/{n}.rs")],
                ..DraftTask::default()
            };
            ToolInput::Plan(Draft {
                summary: "a plan".into(),
                tasks: (1..=TASKS).map(task).collect(),
                ..Draft::default()
            })
        }
        Role::Worker => ToolInput::Report {
            status: ReportStatus::Done,
            summary: "what was done, in a few words ".repeat(8),
            files: Vec::new(),
            notes: None,
        },
        Role::Reviewer | Role::Commander => ToolInput::Review {
            approved: true,
            summary: "well done".into(),
            findings: Vec::new(),
            choice: None,
        },
    }
}

fn said(id: String) -> HostMessage {
    HostMessage {
        id,
        speaker: Speaker::Assistant,
        text: "said".into(),
        completed: true,
        finish: Some("stop".into()),
        error: None,
        model: Some("bench/model".into()),
        usage: Usage { input: 1_000, output: 100, cost: 0.01, ..Usage::default() },
        calls: Vec::new(),
    }
}

impl QuickHost {
    pub fn new(turn: Duration, forgetful: bool) -> Self {
        Self { turn, forgetful, ..Self::default() }
    }

    fn count(&self, session: &HostSessionId, messages: u32) {
        let mut asked = self.asked.lock();
        let [all, of_messages] = asked.entry(session.clone()).or_default();
        *all += 1;
        *of_messages += messages;
    }
}

impl Host for QuickHost {
    fn create(&self, new: NewSession) -> Fut<'_, Result<HostSessionId, HostError>> {
        let id = HostSessionId(format!("ses_{}", self.next.fetch_add(1, Ordering::Relaxed)));
        self.sessions.lock().insert(id.clone(), Session { role: new.role, turns: 0, idle_at: None });
        Box::pin(std::future::ready(Ok(id)))
    }

    fn open_folder(&self, _: Directory, _: String) -> Fut<'_, Result<(), HostError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn prompt(
        &self,
        _: Directory,
        id: HostSessionId,
        _: Role,
        _: String,
        no_reply: bool,
    ) -> Fut<'_, Result<(), HostError>> {
        if no_reply {
            return Box::pin(std::future::ready(Ok(())));
        }
        let engine = self.engine.get().expect("it runs").clone();
        let session = {
            let mut sessions = self.sessions.lock();
            let session = sessions.get_mut(&id).expect("it was made here");
            session.turns += 1;
            if let Some(at) = session.idle_at.take() {
                self.reminded.lock().push(at.elapsed());
            }
            session.clone()
        };
        let forgets = self.forgetful && session.role == Role::Worker && session.turns == 1;
        let turn = self.turn;
        // Left in the map, sessions would be what grows.
        if !forgets {
            self.sessions.lock().remove(&id);
        }
        let sessions = self.sessions.clone();
        Box::pin(async move {
            tokio::spawn(async move {
                engine.events(vec![HostInput::Status {
                    session: id.clone(),
                    state: TurnState::Busy,
                    retry_at: None,
                    message: None,
                }]);
                tokio::time::sleep(turn).await;
                if !forgets {
                    let call = format!("{id}.c");
                    let _ = engine.tool(engine.reply(), id.clone(), call, submission(session.role)).await;
                }
                if let Some(session) = sessions.lock().get_mut(&id) {
                    session.idle_at = Some(Instant::now());
                }
                let message = said(format!("{id}.m{}", session.turns));
                engine.events(vec![
                    HostInput::Message { session: id.clone(), message },
                    HostInput::Status { session: id, state: TurnState::Idle, retry_at: None, message: None },
                ]);
            });
            Ok(())
        })
    }

    fn abort(&self, _: Directory, _: HostSessionId) -> Fut<'_, Result<(), HostError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn status(
        &self,
        _: Directory,
        sessions: Vec<HostSessionId>,
    ) -> Fut<'_, Result<Vec<(HostSessionId, TurnState)>, HostError>> {
        sessions.iter().for_each(|session| self.count(session, 0));
        let busy = sessions.into_iter().map(|s| (s, TurnState::Busy)).collect();
        Box::pin(std::future::ready(Ok(busy)))
    }

    fn messages(
        &self,
        _: Directory,
        session: HostSessionId,
        _: u32,
    ) -> Fut<'_, Result<Vec<HostMessage>, HostError>> {
        self.count(&session, 1);
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn asks(&self, _: Directory, session: HostSessionId) -> Fut<'_, Result<Vec<HostAsk>, HostError>> {
        self.count(&session, 0);
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn answer_ask(
        &self,
        _: Directory,
        _: HostSessionId,
        _: String,
        _: Option<String>,
    ) -> Fut<'_, Result<(), HostError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn toast(&self, _: Directory, _: ToastKind, _: String, _: String) -> Fut<'_, Result<(), HostError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn progress(
        &self,
        _: Directory,
        _: HostSessionId,
        _: String,
        _: String,
        _: Vec<(String, String)>,
    ) -> Fut<'_, Result<(), HostError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
