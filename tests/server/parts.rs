//! The ports that are not the point here: a tree that counts, checks that pass, a plan file in memory.
use gantry::domain::memory::MemoryUse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gantry::domain::ids::{Directory, MissionId};
use gantry::domain::rollback::{Change, Entry, Step};
use gantry::domain::todo::{Edit, TodoState};
use gantry::domain::verdict::{CheckOutcome, CheckResult, TreeId};
use gantry::ports::Fut;
use gantry::ports::code::{CodeError, Diagnosed, Diagnostics};
use gantry::ports::history::History;
use gantry::ports::system::{Ids, MemoryGauge, OpenMarkers};
use gantry::ports::workspace::{Checks, Todo, TodoPlan, Tree, WorkspaceError};
use parking_lot::Mutex;

/// A project whose content is a number.
#[derive(Default)]
pub struct Project {
    pub version: AtomicU64,
    /// What every change looks like.
    diff: String,
    pub todo: Mutex<BTreeMap<String, TodoState>>,
    pub todo_fault: Mutex<Option<String>>,
    pub diagnosed: Mutex<Diagnosed>,
    /// Directories with open work.
    pub open: Mutex<BTreeSet<Directory>>,
    missions: AtomicU64,
}

fn now<'a, T: Send + 'a>(value: T) -> Fut<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Tree for Project {
    fn hash(&self, _: PathBuf, _: Vec<String>) -> Fut<'_, Result<TreeId, WorkspaceError>> {
        now(Ok(TreeId(format!("tree {}", self.version.load(Ordering::SeqCst)))))
    }
    fn changed(&self, _: PathBuf, from: TreeId, to: TreeId) -> Fut<'_, Result<Vec<String>, WorkspaceError>> {
        now(Ok(if from == to { Vec::new() } else { vec!["src/T1.txt".into()] }))
    }
    fn diff(
        &self,
        _: PathBuf,
        _: TreeId,
        _: TreeId,
        _: Vec<String>,
        _: usize,
    ) -> Fut<'_, Result<String, WorkspaceError>> {
        now(Ok(self.diff.clone()))
    }
    fn read(
        &self,
        _: PathBuf,
        _: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<Vec<Option<String>>, WorkspaceError>> {
        now(Ok(vec![None; paths.len()]))
    }
    fn writable(&self, _: &Path) -> Result<(), WorkspaceError> {
        Ok(())
    }
    fn confine(&self, root: &Path, path: &str) -> Result<String, WorkspaceError> {
        let outside = || WorkspaceError::Outside { path: path.into(), root: root.display().to_string() };
        let relative = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path));
        let inside = relative.is_relative() && !path.contains("..");
        inside.then(|| relative.display().to_string()).ok_or_else(outside)
    }
}

/// The one file of the project, which is another with each version.
impl History for Project {
    fn keep(&self, _: PathBuf, _: TreeId) -> Fut<'_, Result<(), WorkspaceError>> {
        now(Ok(()))
    }
    fn changes(&self, _: PathBuf, from: TreeId, to: TreeId) -> Fut<'_, Result<Vec<Change>, WorkspaceError>> {
        let entry = |tree: &TreeId| Some(Entry { mode: 0o100_644, id: tree.0.clone() });
        let change = Change { path: "src/T1.txt".into(), from: entry(&from), to: entry(&to) };
        now(Ok(if from == to { Vec::new() } else { vec![change] }))
    }
    fn entries(
        &self,
        _: PathBuf,
        tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<BTreeMap<String, Entry>, WorkspaceError>> {
        let entry = Entry { mode: 0o100_644, id: tree.0 };
        now(Ok(paths.into_iter().map(|path| (path, entry.clone())).collect()))
    }
    fn compose(&self, _: PathBuf, _: TreeId, steps: Vec<Step>) -> Fut<'_, Result<TreeId, WorkspaceError>> {
        let to = steps.into_iter().find_map(|step| step.to).expect("a file");
        now(Ok(TreeId(to.id)))
    }
    fn restore(
        &self,
        _: PathBuf,
        _: TreeId,
        to: TreeId,
        _: Vec<String>,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>> {
        let version = to.0.trim_start_matches("tree ").parse().expect("a number");
        self.version.store(version, Ordering::SeqCst);
        now(Ok(Vec::new()))
    }
}

/// What the servers of this project see is what the test has put here.
impl Diagnostics for Project {
    fn of(&self, _: PathBuf, _: Vec<String>) -> Fut<'_, Result<Diagnosed, CodeError>> {
        now(Ok(self.diagnosed.lock().clone()))
    }
    fn new_errors(
        &self,
        _: PathBuf,
        _: Vec<(String, Option<String>)>,
    ) -> Fut<'_, Result<Diagnosed, CodeError>> {
        now(Ok(self.diagnosed.lock().clone()))
    }
}

impl Checks for Project {
    fn detect(&self, _: PathBuf) -> Fut<'_, Vec<String>> {
        now(vec!["npm test".into()])
    }
    fn run(&self, _: PathBuf, command: String, _: u64) -> Fut<'_, CheckResult> {
        now(CheckResult { command, outcome: CheckOutcome::Passed, millis: 1, tail: String::new() })
    }
}

impl Project {
    pub fn showing(diff: String) -> Self {
        Self { diff, ..Self::default() }
    }

    fn write_todo(
        &self,
        states: impl IntoIterator<Item = (String, TodoState)>,
    ) -> Result<u64, WorkspaceError> {
        if let Some(reason) = self.todo_fault.lock().clone() {
            return Err(WorkspaceError::File { path: "/p/TODO.md".into(), reason });
        }
        self.todo.lock().extend(states);
        Ok(1)
    }
}

impl Todo for Project {
    fn publish(
        &self,
        _: PathBuf,
        _: String,
        plan: TodoPlan,
        _: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        now(self.write_todo(plan.items.into_iter().map(|i| (i.id, i.state))))
    }
    fn update(
        &self,
        _: PathBuf,
        _: String,
        states: Vec<(String, TodoState)>,
        _: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        now(self.write_todo(states))
    }
    fn edited(&self, _: PathBuf, _: String, _: Vec<Edit>) -> Fut<'_, Vec<Edit>> {
        Box::pin(std::future::pending())
    }
}

impl MemoryGauge for Project {
    fn read(&self) -> Option<MemoryUse> {
        None
    }
}

impl OpenMarkers for Project {
    fn set(&self, directory: Directory, open: bool) -> Fut<'_, std::io::Result<()>> {
        let mut all = self.open.lock();
        if open {
            all.insert(directory);
        } else {
            all.remove(&directory);
        }
        now(Ok(()))
    }
}

impl Ids for Project {
    fn mission(&self) -> MissionId {
        MissionId(format!("mission-{:04}", self.missions.fetch_add(1, Ordering::SeqCst)))
    }
}

pub fn project() -> Arc<Project> {
    Arc::new(Project::showing("+++ b/src/T1.txt\n+new\n".into()))
}
