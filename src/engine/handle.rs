//! The only door into the engine: a cheap handle that others clone.
use super::Ports;
use super::bulletin::Bulletin;
pub use super::bulletin::Notice;
pub use super::core::event::{
    Ceiling, Created, Inspection, Options, ReportStatus, Scope, Spent, Subject, Toasts,
};
pub use super::core::log::Note;
use super::core::state::{Ask, Mission};
pub use super::core::{
    Answer, Control, HostInput, Limits, NotePut, Refusal, RollbackAsk, RollbackStep, RollbackView, ToolInput,
};
use super::core::{Input, ReplyTo, STRANGER, replay};
pub use super::dispatcher::decode_all;
use super::dispatcher::{Dispatcher, Message};
use super::index::{Entry, Index};
use super::inspect::inspect;
use super::journal;
pub use super::metrics::Metrics;
pub use super::prompts::clip;
pub use super::report::rollback as rollback_text;
use super::report::{self, Forecast};
use super::views;
pub use super::views::{AttemptView, FindingView};
use crate::domain::budget::{Budget, Mean};
use crate::domain::checkpoint::Checkpoint;
use crate::domain::contain;
use crate::domain::ids::{Directory, HostSessionId, Millis, MissionId, Role};
use crate::domain::inside::shortened;
use crate::domain::mission::MissionState;
use crate::domain::permission;
use crate::domain::task::TaskState;
use crate::ports::queue::Queue;
use crate::ports::store::{MissionRow, OwnerIdentity, StoreError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Inputs that may wait for the loop. Calls wait for a place; events that find none are dropped and counted,
/// for the looks at the host make up for lost events.
const QUEUE: usize = 4096;

/// Missions of a directory among which that of a conversation is looked for.
const LOOK_BACK: u32 = 200;

/// The fence of the journal does not reach the files: who cannot know that a mission is still its own lets nothing be
/// written for it.
const UNCONFIRMED: &str = "Gantry's store has not answered for 15 s, so this call could not be checked; wait a moment and try it again";

#[derive(Clone)]
pub struct Handle {
    tx: mpsc::Sender<Message>,
    index: Arc<Index>,
    bulletin: Arc<Bulletin>,
    ports: Ports,
    next_reply: Arc<AtomicU64>,
    dropped_events: Arc<AtomicU64>,
}

/// What opening a directory found.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Missions of the directory that are not settled and are now ours.
    pub missions: Vec<MissionRow>,
    /// Host sessions that belong to them.
    pub sessions: Vec<HostSessionId>,
    /// Open missions that another process works on.
    pub held: Vec<(MissionRow, OwnerIdentity)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    pub id: String,
    pub title: String,
    pub state: String,
    /// The task that this one is a part of, or a try at.
    pub part_of: Option<String>,
    pub depends_on: Vec<String>,
    pub files: Vec<String>,
    /// Commands that have to pass for it.
    pub checks: Vec<String>,
    pub attempts: u32,
    /// Of what a worker of it is told at its start, as things stand.
    pub brief_bytes: u32,
    pub note: Option<String>,
    /// Of its budget: with all it is planned into, since the mission was last begun.
    pub budget_spent: Spent,
    pub began_at: Option<Millis>,
    pub ended_at: Option<Millis>,
}

/// A permission that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct AskView {
    pub id: String,
    pub session: Option<HostSessionId>,
    pub task: Option<String>,
    pub permission: String,
    pub patterns: Vec<String>,
    pub at: Millis,
    /// None while it is open.
    pub allowed: Option<bool>,
    pub by: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MissionView {
    pub row: MissionRow,
    pub tasks: Vec<TaskView>,
    /// The plan waits for the user's word.
    pub awaits_approval: bool,
    pub report: Option<String>,
    pub asks: Vec<AskView>,
    /// Oldest first.
    pub checkpoints: Vec<Checkpoint>,
    /// What the planner says of the plan.
    pub summary: Option<String>,
    pub attempts: Vec<AttemptView>,
    pub findings: Vec<FindingView>,
    /// Oldest first.
    pub log: Vec<Note>,
    pub spent: Spent,
    pub budget: Budget,
    /// Of each task.
    pub task_budget: Budget,
    /// Of the budget: since it was last begun.
    pub budget_spent: Spent,
    pub forecast: Option<Forecast>,
}

impl MissionView {
    /// `means`: what turns of each role cost, as far as is known.
    pub fn of(mission: &Mission, means: &BTreeMap<Role, Mean>) -> Self {
        let below = mission.spent_below();
        let tasks = mission.in_order().into_iter().map(|t| TaskView {
            id: t.spec.id.0.clone(),
            title: t.title().to_owned(),
            state: t.state.name().into(),
            part_of: t.spec.parent.as_ref().map(|of| of.0.clone()),
            depends_on: t.spec.depends_on.iter().map(|d| d.0.clone()).collect(),
            files: t.spec.files.clone(),
            checks: t.spec.checks.clone(),
            attempts: t.attempts,
            brief_bytes: super::prompts::brief_bytes(mission, t),
            note: match &t.accepted {
                Some(acceptance) if t.state == TaskState::Completed => {
                    Some(format!("accepted by {}: {}", acceptance.by, acceptance.reason))
                }
                _ if t.state == TaskState::Completed || t.note.is_none() => report::race(mission, t),
                _ => t.note.clone(),
            },
            budget_spent: below.get(&t.spec.id).map_or(Spent::default(), |(spent, _)| *spent),
            began_at: t.began_at,
            ended_at: t.ended_at,
        });
        Self {
            row: journal::row(mission),
            tasks: tasks.collect(),
            awaits_approval: mission.awaits_approval(),
            report: mission.report.clone(),
            asks: mission.asks.iter().map(|ask| AskView::of(mission, ask)).collect(),
            checkpoints: mission.checkpoints.iter().map(|c| mission.without_tries(c)).collect(),
            summary: mission.plan.as_ref().map(|plan| plan.summary.clone()),
            attempts: views::attempts(mission),
            findings: views::findings(mission),
            log: mission.log.iter().cloned().collect(),
            spent: mission.spent,
            budget_spent: mission.spent.beyond(mission.spent_before),
            budget: mission.created.options.budget(),
            task_budget: mission.created.options.task_budget(),
            forecast: report::forecast(mission, means),
        }
    }
}

/// Starts the engine with the default limits.
pub fn start(ports: Ports) -> (Handle, impl Future<Output = ()> + Send) {
    start_with(ports, Limits::default())
}

impl AskView {
    fn of(mission: &Mission, ask: &Ask) -> Self {
        let attempt = mission.attempts.get(&ask.attempt);
        let verdict = ask.verdict.as_ref();
        Self {
            id: ask.id.clone(),
            session: attempt.and_then(|a| a.session.clone()),
            task: ask.task(mission).map(|t| t.0.clone()),
            permission: ask.permission.clone(),
            patterns: ask.patterns.clone(),
            at: ask.at,
            allowed: verdict.map(|v| v.allow),
            by: verdict.map(|v| v.by.name()),
        }
    }
}

/// Starts the engine; the future runs until the handle's `shutdown`. Has to be called within a runtime.
pub fn start_with(ports: Ports, limits: Limits) -> (Handle, impl Future<Output = ()> + Send) {
    let (tx, rx) = mpsc::channel(QUEUE);
    let index = Arc::new(Index::default());
    let bulletin = Arc::new(Bulletin::default());
    let dispatcher = Dispatcher::new(ports.clone(), limits, index.clone(), bulletin.clone(), rx);
    let handle = Handle {
        tx,
        index,
        bulletin,
        ports,
        next_reply: Arc::new(AtomicU64::new(1)),
        dropped_events: Arc::new(AtomicU64::new(0)),
    };
    (handle, dispatcher.run())
}

impl Handle {
    pub fn reply(&self) -> ReplyTo {
        ReplyTo(self.next_reply.fetch_add(1, Ordering::Relaxed))
    }

    async fn ask(&self, reply: ReplyTo, input: Input) -> Result<Answer, Refusal> {
        let (tx, rx) = oneshot::channel();
        if self.tx.send(Message::Ask { reply, input: Box::new(input), tx }).await.is_ok() {
            match rx.await {
                Ok(Answer::Refused(refusal)) => return Err(refusal),
                Ok(answer) => return Ok(answer),
                Err(_) => {}
            }
        }
        // The engine is stopping and the process with it. An answer would end the call; without one the plugin asks the
        // next process, which goes on with the mission.
        std::future::pending().await
    }

    /// Takes over the directory's open missions that nobody works on.
    pub async fn open(&self, directory: Directory, host_restarted: bool) -> Result<Opened, Refusal> {
        let (tx, rx) = oneshot::channel();
        let stopping = || Refusal::Cancelled("Gantry is stopping".into());
        self.tx.send(Message::Open { directory, host_restarted, tx }).await.map_err(|_| stopping())?;
        rx.await.map_err(|_| stopping())?.map_err(|e: StoreError| Refusal::Store(e.to_string()))
    }

    /// The host no longer works in the directory; its missions are left to whoever opens it next.
    pub async fn close(&self, directory: Directory) {
        // A loop that has stopped has given them up already.
        let _ = self.tx.send(Message::Close { directory }).await;
    }

    /// What was told of the directory after the notice of that number, oldest first; without one, what is fresh.
    pub fn notices(&self, directory: &Directory, after: Option<u64>) -> Vec<Notice> {
        self.bulletin.after(self.ports.clock.now(), directory, after)
    }

    /// Durable when it returns.
    pub async fn create(&self, created: Created) -> Result<(MissionId, Vec<MissionId>), Refusal> {
        let reply = self.reply();
        let mission = self.ports.ids.mission();
        match self.ask(reply, Input::Create { reply, mission, created }).await? {
            Answer::Created { mission, queued_behind } => Ok((mission, queued_behind)),
            other => Err(Refusal::Conflict(format!("unexpected answer {other:?}"))),
        }
    }

    /// Takes over what is open in the directory; refused while another process is at work there, for two would put
    /// their changes into each other's verdicts.
    pub async fn claim_place(&self, directory: Directory) -> Result<(), Refusal> {
        let opened = self.open(directory, false).await?;
        // One that has ended and only owes its report changes nothing any more.
        let at_work = |row: &MissionRow| MissionState::parse(&row.state).is_none_or(MissionState::is_open);
        let Some((row, by)) = opened.held.iter().find(|(row, _)| at_work(row)) else { return Ok(()) };
        Err(Refusal::Conflict(format!(
            "another OpenCode (gantry process {}) is running mission {} in this project: wait for it, or cancel it there",
            by.pid, row.id
        )))
    }

    /// What an order needs before it can be carried out: a mission that is retried goes to work again, and so may one of
    /// which a task is accepted.
    async fn prepare(&self, mission: &MissionId, control: &Control) -> Result<(), Refusal> {
        if !matches!(
            control,
            Control::Retry
                | Control::Accept { .. }
                | Control::Rollback { .. }
                | Control::Restore { files: true, .. }
        ) {
            return Ok(());
        }
        let view = self.view(mission.clone()).await?;
        self.claim_place(view.row.directory).await
    }

    pub async fn control(&self, mission: MissionId, control: Control) -> Result<(), Refusal> {
        self.prepare(&mission, &control).await?;
        let reply = self.reply();
        match self.ask(reply, Input::Control { reply: Some(reply), mission, control }).await? {
            // Only a restore with its files is answered so.
            Answer::Rollback(view) if !view.done => Err(Refusal::Conflict(super::report::rollback(&view))),
            _ => Ok(()),
        }
    }

    /// Takes files back, or says what that would do.
    pub async fn rollback(&self, mission: MissionId, ask: RollbackAsk) -> Result<RollbackView, Refusal> {
        let control = Control::Rollback { ask };
        self.prepare(&mission, &control).await?;
        let reply = self.reply();
        match self.ask(reply, Input::Control { reply: Some(reply), mission, control }).await? {
            Answer::Rollback(view) => Ok(view),
            other => Err(Refusal::Conflict(format!("unexpected answer {other:?}"))),
        }
    }

    pub async fn attach(&self, mission: MissionId, parent: HostSessionId) -> Result<(), Refusal> {
        let reply = self.reply();
        self.ask(reply, Input::Attach { reply, mission, parent }).await.map(|_| ())
    }

    /// `reply` comes from `reply()`, so that the caller can take the call back with `drop_call`.
    pub async fn tool(
        &self,
        reply: ReplyTo,
        session: HostSessionId,
        call: String,
        tool: ToolInput,
    ) -> Result<Answer, Refusal> {
        if let ToolInput::Control { mission: Some(mission), control } = &tool {
            self.prepare(mission, control).await?;
        }
        self.ask(reply, Input::Tool { reply, session, call, tool }).await
    }

    pub async fn drop_call(&self, reply: ReplyTo) {
        // A closed loop has answered the call already.
        let _ = self.tx.send(Message::Tell(Box::new(Input::CallDropped { reply }))).await;
    }

    /// Whether a tool call of this session may go on; `Err` is the sentence for its model. Most calls are answered
    /// from the index; a path that is not declared goes to the loop, for taking it is a fact to write down.
    pub async fn lease_check(
        &self,
        session: &HostSessionId,
        tool: &str,
        paths: &[String],
    ) -> Result<(), String> {
        match self.lease_check_now(session, tool, paths) {
            Some(result) => result,
            None => self.lease_take(session, paths).await,
        }
    }

    /// The part of `lease_check` that needs no wait; none when the loop has to decide.
    pub fn lease_check_now(
        &self,
        session: &HostSessionId,
        tool: &str,
        paths: &[String],
    ) -> Option<Result<(), String>> {
        // What a shell command writes cannot be foreseen; who may not write may not run one either.
        if paths.is_empty() && !permission::is_shell(tool) {
            return Some(Ok(()));
        }
        let Some(entry) = self.index.get(session) else { return Some(Err(STRANGER.into())) };
        if !self.index.owned() {
            return Some(Err(UNCONFIRMED.into()));
        }
        if paths.is_empty() {
            return Some(entry.may.map(|_| ()));
        }
        let declared = match &entry.may {
            Ok(declared) => declared,
            Err(why) => return Some(Err(why.clone())),
        };
        let mut all_declared = true;
        let mut real = Vec::with_capacity(paths.len());
        for path in paths {
            match self.ports.tree.confine(&entry.root, &entry.absolute(path)) {
                Ok(path) => {
                    all_declared &= path != entry.todo && declared.iter().any(|p| p.covers(&path));
                    real.push(path);
                }
                Err(error) => {
                    return Some(Err(format!("{error}. Only files of the project can be changed.")));
                }
            }
        }
        if all_declared {
            real.into_iter().for_each(|path| self.index.writes(&entry.mission, path));
        }
        all_declared.then_some(Ok(()))
    }

    /// Whether a shell command may run, as far as its words tell; `Err` is the sentence for its model. In a worktree it may
    /// not name the user's own files: reading them there gains nothing, and writing cannot be told from reading.
    pub fn command_check(&self, session: &HostSessionId, command: &str) -> Result<(), String> {
        let Some(entry) = self.index.get(session) else { return Ok(()) };
        let (project, own) = (entry.project.to_string_lossy(), entry.root.to_string_lossy());
        if project == own || !contain::names(command, &project, &own) {
            return Ok(());
        }
        Err(format!(
            "{project} is the user's own working tree, which changes only when all of the mission is checked. This task has the same files in {own}, where commands run: write paths relative to it. To see a file that is only in the user's tree, read it with the read tool, for which the user may be asked."
        ))
    }

    /// Whether the rules of the mission deny a tool call; `Err` is the sentence for its model. What the host asks for besides
    /// is judged when it does.
    pub fn rules_check(&self, session: &HostSessionId, call: permission::Call<'_>) -> Result<(), String> {
        let Some(entry) = self.index.get(session).filter(|entry| !entry.rules.is_empty()) else {
            return Ok(());
        };
        let rules = &entry.rules;
        let subject = call.subject.map(String::from);
        let denied = match (call.command, call.tool) {
            (Some(full), _) => permission::denies_command(rules, call.subject.unwrap_or(full), full),
            _ if !call.paths.is_empty() => self.denies_paths(&entry, "edit", call.paths),
            (_, "read" | "list") if subject.is_some() => {
                self.denies_paths(&entry, call.tool, subject.as_slice())
            }
            _ => permission::denies(rules, call.tool, subject.as_slice(), &[]),
        };
        if denied { Err(permission::REFUSED.into()) } else { Ok(()) }
    }

    /// Judged by the file that is meant, and by its name as the model wrote it, which may go through a link.
    fn denies_paths(&self, entry: &Entry, permission: &str, paths: &[String]) -> bool {
        let (mut real, mut written) = (Vec::with_capacity(paths.len()), Vec::new());
        for path in paths {
            let path = entry.absolute(path);
            let short = shortened(Path::new(&path));
            let text = short.strip_prefix(&entry.root).unwrap_or(&short).to_string_lossy().into_owned();
            let anywhere = || self.ports.tree.confine(Path::new("/"), &path).map(|path| format!("/{path}"));
            let meant = self.ports.tree.confine(&entry.root, &path).or_else(|_| anywhere());
            real.push(meant.unwrap_or_else(|_| text.clone()));
            written.push(text);
        }
        permission::denies(&entry.rules, permission, &real, &written)
    }

    /// Where a conversation of a mission works: the root of its working tree, and its folder in there.
    pub fn place_of(&self, session: &HostSessionId) -> Option<(PathBuf, PathBuf)> {
        self.index.get(session).map(|entry| (entry.root, entry.directory))
    }

    async fn lease_take(&self, session: &HostSessionId, paths: &[String]) -> Result<(), String> {
        let Some(entry) = self.index.get(session) else { return Err(STRANGER.into()) };
        let relative: Vec<_> = paths
            .iter()
            .filter_map(|p| self.ports.tree.confine(&entry.root, &entry.absolute(p)).ok())
            .collect();
        let reply = self.reply();
        let input = Input::Write { reply, session: session.clone(), paths: relative.clone() };
        match self.ask(reply, input).await {
            // The answer may have waited for a store that did not answer.
            Ok(Answer::Write { denied: None }) if !self.index.owned() => Err(UNCONFIRMED.into()),
            Ok(Answer::Write { denied: None }) => {
                relative.into_iter().for_each(|path| self.index.writes(&entry.mission, path));
                Ok(())
            }
            Ok(Answer::Write { denied: Some(why) }) => Err(why),
            Ok(other) => Err(format!("unexpected answer {other:?}")),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    /// What the task of a conversation has changed, or its whole mission; narrowed to paths where some are given;
    /// without `max_bytes` only which files.
    pub async fn change(
        &self,
        session: &HostSessionId,
        whole: bool,
        only: Option<&[String]>,
        max_bytes: Option<usize>,
    ) -> Result<Inspection, Refusal> {
        let (tx, rx) = oneshot::channel();
        let asked = self.tx.send(Message::Ground { session: session.clone(), whole, tx }).await.is_ok();
        let ground = if asked { rx.await.ok().flatten() } else { None };
        let ground = ground.ok_or_else(|| {
            Refusal::NotFound("this conversation works for no mission, so there is no change to show".into())
        })?;
        inspect(&self.ports, &ground, only, max_bytes).await.map_err(|e| Refusal::Invalid(e.to_string()))
    }

    /// A path that a model wrote, relative to the project.
    pub fn confine(&self, root: &std::path::Path, path: &str) -> Result<String, Refusal> {
        self.ports.tree.confine(root, path).map_err(|e| Refusal::Invalid(e.to_string()))
    }

    /// In order. What does not fit is dropped and counted.
    pub fn events(&self, events: Vec<HostInput>) {
        for event in events {
            if self.tx.try_send(Message::Tell(Box::new(Input::Host { event }))).is_err() {
                self.dropped_events.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub fn dropped_events(&self) -> u64 {
        self.dropped_events.load(Ordering::Relaxed)
    }

    pub async fn metrics(&self) -> Metrics {
        let (tx, rx) = oneshot::channel();
        let asked = self.tx.send(Message::Metrics { tx }).await.is_ok();
        let mut metrics = if asked { rx.await.map(|m| *m).unwrap_or_default() } else { Metrics::default() };
        metrics.queues.push(Queue {
            name: "engine inputs",
            waiting: (self.tx.max_capacity() - self.tx.capacity()) as u64,
            limit: self.tx.max_capacity() as u64,
            when_full: "calls wait; events of the host are dropped, and looks at the host make up for them",
            turned_away: self.dropped_events(),
        });
        metrics
    }

    /// From memory, else from the store.
    pub async fn view(&self, mission: MissionId) -> Result<MissionView, Refusal> {
        let (tx, rx) = oneshot::channel();
        if self.tx.send(Message::View { mission: mission.clone(), tx }).await.is_ok()
            && let Ok(Some(view)) = rx.await
        {
            return Ok(*view);
        }
        read_mission(&self.ports, mission).await
    }

    /// Whether missions can work in the project at all.
    pub fn writable(&self, root: &std::path::Path) -> Result<(), Refusal> {
        self.ports.tree.writable(root).map_err(|e| Refusal::Invalid(e.to_string()))
    }

    pub async fn newest(&self, directory: Directory) -> Result<MissionId, Refusal> {
        let rows = self
            .ports
            .store
            .missions(Some(directory), false, 1)
            .await
            .map_err(|e| Refusal::Store(e.to_string()))?;
        rows.into_iter()
            .next()
            .map(|r| r.id)
            .ok_or_else(|| Refusal::NotFound("this project has had no mission yet".into()))
    }

    /// Newest first, at most `limit`.
    pub async fn missions(
        &self,
        directory: Directory,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<MissionRow>, Refusal> {
        let rows = self.ports.store.missions(Some(directory), open_only, limit).await;
        rows.map_err(|e| Refusal::Store(e.to_string()))
    }

    /// The mission of a conversation: the one at work, else the one that begins next, else the newest.
    pub async fn newest_of(&self, directory: Directory, parent: &str) -> Result<Option<MissionId>, Refusal> {
        let rows = self.ports.store.missions(Some(directory), false, LOOK_BACK).await;
        let mut rows = rows.map_err(|e| Refusal::Store(e.to_string()))?;
        rows.retain(|row| row.parent_session == parent);
        let waits = || rows.iter().rfind(|row| row.open);
        let meant = rows.iter().find(|row| row.begun).or_else(waits).or(rows.first());
        Ok(meant.map(|row| row.id.clone()))
    }

    /// Refuses new work, writes down what is decided, ends jobs and gives the missions up to the next process.
    pub async fn shutdown(&self) {
        let (tx, rx) = oneshot::channel();
        if self.tx.send(Message::Shutdown { tx }).await.is_ok() {
            let _ = rx.await;
        }
    }
}

/// A mission as its journal tells it, whoever owns it.
pub async fn read_mission(ports: &Ports, mission: MissionId) -> Result<MissionView, Refusal> {
    read_journal(&*ports.store, mission).await
}

pub async fn read_journal(
    store: &dyn crate::ports::store::Store,
    mission: MissionId,
) -> Result<MissionView, Refusal> {
    let records = store.load(mission.clone()).await.map_err(|e| Refusal::Store(e.to_string()))?;
    if records.is_empty() {
        return Err(Refusal::NotFound(format!(
            "there is no mission {mission}; `gantry missions` lists them"
        )));
    }
    let events = decode_all(&records).map_err(|e| Refusal::Store(format!("mission {mission}: {e}")))?;
    let mission = replay(&mission, &events)
        .ok_or_else(|| Refusal::Store(format!("the journal of {mission} is damaged")))?;
    Ok(MissionView::of(&mission, &mission.means))
}
