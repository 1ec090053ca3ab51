//! The engine on a real repository: git and checks as they are, agents that do what the test says, and a place for the
//! test to step in before anything is done to trees.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gantry::adapters::memory::MemoryStore;
use gantry::adapters::system::{CommandChecks, GitTree, SystemClock};
use gantry::domain::ids::{Directory, HostSessionId, Millis, MissionId, Role};
use gantry::domain::plan::Draft;
use gantry::domain::verdict::{CheckResult, TreeId};
use gantry::engine::Ports;
use gantry::engine::core::event::{Event, Options, ReportStatus};
use gantry::engine::handle::{self, Created, Handle, HostInput, ToolInput};
use gantry::ports::Fut;
use gantry::ports::host::*;
use gantry::ports::store::{OwnerIdentity, Store};
use gantry::ports::workspace::{Checks, WorkspaceError};
use gantry::ports::worktrees::{Left, Merged, Move, Proposal, Worktrees};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use xtask::lab::sample::git;

/// What a worker does in its folder: the task, and which of its turns it is.
pub type Work = Box<dyn Fn(&str, u32, &Path) + Send + Sync>;
/// Called before each thing that is done with trees, with its name.
pub type Step = Box<dyn Fn(&str) + Send + Sync>;

pub struct GitRig {
    pub engine: Handle,
    pub store: MemoryStore,
    pub project: PathBuf,
    pub team: Arc<Team>,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for GitRig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GitRig {
    pub fn new(files: &[(&str, &str)], plan: Draft, work: Work, step: Step) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (home, project) = (folder.path().join("home"), folder.path().join("project"));
        std::fs::create_dir_all(&project).expect("a folder");
        let project = project.canonicalize().expect("a folder");
        files.iter().for_each(|(name, text)| write(&project.join(name), text));
        commit(&project);

        let (real, parts) = (Arc::new(GitTree::new(&home)), crate::parts::project());
        let step: Arc<Step> = Arc::new(step);
        let store = MemoryStore::new();
        let team = Arc::new(Team::new(plan, work, step.clone()));
        let ports = Ports {
            clock: Arc::new(SystemClock),
            ids: parts.clone(),
            store: Arc::new(store.clone()),
            host: Arc::new(Agents(team.clone())),
            tree: real.clone(),
            worktrees: Arc::new(Stepped { inner: real.clone(), step: step.clone() }),
            history: real,
            checks: Arc::new(SteppedChecks { inner: CommandChecks::default(), step }),
            todo: parts.clone(),
            diagnostics: parts.clone(),
            markers: parts.clone(),
            memory: parts,
            identity: OwnerIdentity { owner: "rig".into(), pid: 1, pid_start: 1, boot: "b".into() },
            alive: |_| true,
            salvage: |_, _| None,
        };
        let (engine, run) = handle::start(ports);
        assert!(team.engine.set(engine.clone()).is_ok());
        Self { engine, store, project, team, task: tokio::spawn(run), _folder: folder }
    }

    /// Accepts a mission, in worktrees if nothing else is said; it runs to its end by itself.
    pub async fn begin(&self, options: Options) -> (MissionId, JoinHandle<()>) {
        self.begin_in("", options).await
    }

    /// The same for a folder of the project.
    pub async fn begin_in(&self, folder: &str, options: Options) -> (MissionId, JoinHandle<()>) {
        let parent = HostSessionId::new("user");
        let place = self.project.display().to_string();
        let created = Created {
            directory: Directory(self.project.join(folder).display().to_string()),
            worktree: place,
            parent: parent.clone(),
            text: "do it".into(),
            key: "key".into(),
            title: "do it".into(),
            options: Options {
                worktrees: options.worktrees.or(Some(true)),
                checks: options.checks.clone().or_else(|| Some(vec!["sh check.sh".into()])),
                ..options
            },
        };
        let (mission, _) = self.engine.create(created).await.expect("accepted");
        let engine = self.engine.clone();
        let brief =
            ToolInput::Mission { brief: "do it".into(), acceptance: Vec::new(), constraints: Vec::new() };
        let done = tokio::spawn(async move {
            engine.tool(engine.reply(), parent.clone(), "call".into(), brief).await.expect("a report");
            let call =
                HostInput::ToolMoved { session: parent, call: "call".into(), state: CallState::Completed };
            engine.events(vec![call]);
        });
        (mission, done)
    }

    pub async fn facts(&self, mission: &MissionId) -> Vec<(Millis, Event)> {
        handle::decode_all(&self.store.load(mission.clone()).await.expect("a journal")).expect("facts")
    }

    /// Waits until the journal says so.
    pub async fn until(&self, mission: &MissionId, what: &str, so: impl Fn(&[(Millis, Event)]) -> bool) {
        let wait = async {
            while !so(&self.facts(mission).await) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let ended = tokio::time::timeout(crate::SOON * 2, wait).await;
        ended.unwrap_or_else(|_| panic!("it never came to that: {what}"));
    }

    /// Waits for the report.
    pub async fn ended(&self, mission: &MissionId, done: JoinHandle<()>) {
        if tokio::time::timeout(crate::SOON * 2, done).await.is_err() {
            let facts = self.facts(mission).await;
            let last = facts.iter().rev().take(12).rev().map(|(_, e)| format!("{e:?}\n")).collect::<String>();
            panic!("it never ended:\n{last}");
        }
    }

    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.project.join(name)).ok()
    }
}

pub fn write(to: &Path, text: &str) {
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::write(to, text).expect("a file");
}

fn commit(project: &Path) {
    git(project, &["init", "--quiet", "--initial-branch", "main"]).expect("git");
    git(project, &["config", "user.name", "Rig"]).expect("git");
    git(project, &["config", "user.email", "rig@localhost"]).expect("git");
    git(project, &["add", "--all"]).expect("git");
    git(project, &["commit", "--quiet", "--no-gpg-sign", "--message", "Begin"]).expect("git");
}

/// The agents.
pub struct Team {
    engine: OnceLock<Handle>,
    plan: Draft,
    work: Work,
    step: Arc<Step>,
    /// Reviewers of tasks take one each before they say anything.
    pub reviews: Semaphore,
    pub waiting: AtomicU64,
    /// Conversations that want changes, by the first words of their title.
    pub objects: Mutex<BTreeSet<String>>,
    sessions: Mutex<BTreeMap<HostSessionId, Session>>,
}

#[derive(Clone)]
struct Session {
    title: String,
    role: Role,
    folder: PathBuf,
    turns: u32,
    busy: bool,
    messages: Vec<HostMessage>,
}

fn message(id: String, speaker: Speaker, text: String) -> HostMessage {
    HostMessage {
        id,
        speaker,
        text,
        completed: true,
        finish: Some("stop".into()),
        error: None,
        model: None,
        usage: Usage::default(),
        calls: Vec::new(),
    }
}

impl Team {
    fn new(plan: Draft, work: Work, step: Arc<Step>) -> Self {
        Self {
            engine: OnceLock::new(),
            plan,
            work,
            step,
            reviews: Semaphore::new(Semaphore::MAX_PERMITS / 2),
            waiting: AtomicU64::new(0),
            objects: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// Reviews of tasks wait from now on until they are let go.
    pub fn hold_reviews(&self) {
        self.reviews.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// The last conversation whose title begins so.
    pub fn session_of(&self, title: &str) -> Option<HostSessionId> {
        let sessions = self.sessions.lock();
        sessions.iter().rfind(|(_, session)| session.title.starts_with(title)).map(|(id, _)| id.clone())
    }

    /// The first prompt of that conversation.
    pub fn prompt_of(&self, title: &str) -> Option<String> {
        let id = self.session_of(title)?;
        self.sessions.lock().get(&id)?.messages.first().map(|message| message.text.clone())
    }

    pub fn release_reviews(&self) {
        self.reviews.add_permits(1_000);
    }

    async fn turn(self: Arc<Self>, id: HostSessionId) {
        let session = self.sessions.lock()[&id].clone();
        let subject = session.title.split(':').next().unwrap_or_default().to_owned();
        let submission = match session.role {
            Role::Planner => ToolInput::Plan(self.plan.clone()),
            Role::Worker => {
                (self.work)(&subject, session.turns, &session.folder);
                ToolInput::Report {
                    status: ReportStatus::Done,
                    summary: "done".into(),
                    files: Vec::new(),
                    notes: None,
                }
            }
            Role::Reviewer | Role::Commander => {
                if subject.starts_with("Review ") {
                    self.waiting.fetch_add(1, Ordering::SeqCst);
                    self.reviews.acquire().await.expect("open").forget();
                }
                (self.step)("review");
                let approved = !self.objects.lock().contains(&subject);
                let (summary, findings) = ("well done".into(), Vec::new());
                ToolInput::Review { approved, summary, findings, choice: choice(&session.messages) }
            }
        };
        let engine = self.engine.get().expect("it runs").clone();
        let call = format!("{id}.c{}", session.turns);
        let _ = engine.tool(engine.reply(), id.clone(), call, submission).await;
        let message = message(format!("{id}.m{}", session.turns), Speaker::Assistant, "said".into());
        if let Some(session) = self.sessions.lock().get_mut(&id) {
            session.busy = false;
            session.messages.push(message.clone());
        }
        engine.events(vec![
            HostInput::Message { session: id.clone(), message },
            HostInput::Status { session: id, state: TurnState::Idle, retry_at: None, message: None },
        ]);
    }
}

/// The last of the tries that a comparison names.
fn choice(messages: &[HostMessage]) -> Option<String> {
    let (_, names) = messages.last()?.text.split_once("`choice` one of ")?;
    names.split(", and say").next()?.split(", ").last().map(str::to_owned)
}

fn now<'a, T: Send + 'a>(value: T) -> Fut<'a, T> {
    Box::pin(std::future::ready(value))
}

/// Turns outlive the call that begins them.
struct Agents(Arc<Team>);

impl Host for Agents {
    fn create(&self, new: NewSession) -> Fut<'_, Result<HostSessionId, HostError>> {
        let mut sessions = self.0.sessions.lock();
        let id = HostSessionId(format!("ses_{}", sessions.len()));
        let folder = PathBuf::from(new.folder.unwrap_or(new.directory.0));
        let session =
            Session { title: new.title, role: new.role, folder, turns: 0, busy: false, messages: Vec::new() };
        sessions.insert(id.clone(), session);
        now(Ok(id))
    }

    fn open_folder(&self, _: Directory, folder: String) -> Fut<'_, Result<(), HostError>> {
        assert!(PathBuf::from(&folder).is_dir(), "{folder} is opened before it is there");
        now(Ok(()))
    }

    fn prompt(
        &self,
        _: Directory,
        id: HostSessionId,
        _: Role,
        text: String,
        no_reply: bool,
    ) -> Fut<'_, Result<(), HostError>> {
        let known = self.0.sessions.lock().get_mut(&id).map(|session| {
            session.turns += 1;
            session.busy = true;
            let asked = message(format!("{id}.u{}", session.turns), Speaker::User, text);
            session.messages.push(asked);
        });
        if known.is_some() && !no_reply {
            tokio::spawn(self.0.clone().turn(id));
        }
        now(Ok(()))
    }

    fn abort(&self, _: Directory, _: HostSessionId) -> Fut<'_, Result<(), HostError>> {
        now(Ok(()))
    }
    fn status(
        &self,
        _: Directory,
        sessions: Vec<HostSessionId>,
    ) -> Fut<'_, Result<Vec<(HostSessionId, TurnState)>, HostError>> {
        let known = self.0.sessions.lock();
        let busy = |id: &HostSessionId| known.get(id).is_some_and(|s| s.busy);
        let state = |id: &HostSessionId| if busy(id) { TurnState::Busy } else { TurnState::Absent };
        now(Ok(sessions.into_iter().map(|id| (id.clone(), state(&id))).collect()))
    }
    fn messages(
        &self,
        _: Directory,
        id: HostSessionId,
        _: u32,
    ) -> Fut<'_, Result<Vec<HostMessage>, HostError>> {
        let found = self.0.sessions.lock().get(&id).map(|s| s.messages.clone());
        now(Ok(found.unwrap_or_default()))
    }
    fn asks(&self, _: Directory, _: HostSessionId) -> Fut<'_, Result<Vec<HostAsk>, HostError>> {
        now(Ok(Vec::new()))
    }
    fn answer_ask(
        &self,
        _: Directory,
        _: HostSessionId,
        _: String,
        _: Option<String>,
    ) -> Fut<'_, Result<(), HostError>> {
        now(Ok(()))
    }
    fn toast(&self, _: Directory, _: ToastKind, _: String, _: String) -> Fut<'_, Result<(), HostError>> {
        now(Ok(()))
    }
    fn progress(
        &self,
        _: Directory,
        _: HostSessionId,
        _: String,
        _: String,
        _: Vec<(String, String)>,
    ) -> Fut<'_, Result<(), HostError>> {
        now(Ok(()))
    }
}

struct SteppedChecks {
    inner: CommandChecks,
    step: Arc<Step>,
}

impl Checks for SteppedChecks {
    fn detect(&self, root: PathBuf) -> Fut<'_, Vec<String>> {
        self.inner.detect(root)
    }
    fn run(&self, root: PathBuf, command: String, timeout_ms: u64) -> Fut<'_, CheckResult> {
        (self.step)("check");
        self.inner.run(root, command, timeout_ms)
    }
}

/// Worktrees as they are, with a step before each call.
struct Stepped {
    inner: Arc<GitTree>,
    step: Arc<Step>,
}

impl Worktrees for Stepped {
    fn give(
        &self,
        project: PathBuf,
        number: u32,
        base: TreeId,
        files: TreeId,
        links: Vec<String>,
    ) -> Fut<'_, Result<PathBuf, WorkspaceError>> {
        (self.step)("give");
        self.inner.give(project, number, base, files, links)
    }
    fn is_set_up(&self, worktree: &Path, commands: &[String]) -> bool {
        self.inner.is_set_up(worktree, commands)
    }
    fn set_up(&self, worktree: &Path, commands: &[String]) -> Result<(), WorkspaceError> {
        self.inner.set_up(worktree, commands)
    }
    fn merge(
        &self,
        project: PathBuf,
        base: TreeId,
        ours: TreeId,
        theirs: TreeId,
    ) -> Fut<'_, Result<Merged, WorkspaceError>> {
        (self.step)("merge");
        self.inner.merge(project, base, ours, theirs)
    }
    fn apply(
        &self,
        project: PathBuf,
        from: TreeId,
        to: TreeId,
        exclude: Vec<String>,
    ) -> Fut<'_, Result<Move, WorkspaceError>> {
        (self.step)("apply");
        self.inner.apply(project, from, to, exclude)
    }
    fn propose(&self, project: PathBuf, proposal: Proposal) -> Fut<'_, Result<Left, WorkspaceError>> {
        self.inner.propose(project, proposal)
    }
    fn release(&self, project: PathBuf) -> Fut<'_, Result<(), WorkspaceError>> {
        self.inner.release(project)
    }
}
