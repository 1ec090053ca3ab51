//! Clock, ids, tree, checks, plan file and markers of the simulated machine.
use super::Sim;
use super::mutation::Mutation;
use super::worktrees::known;
use crate::domain::ids::{Directory, Millis, MissionId};
use crate::domain::memory::MemoryUse;
use crate::domain::todo::{Edit, TodoState};
use crate::domain::verdict::{CheckOutcome, CheckResult, TreeId};
use crate::ports::Fut;
use crate::ports::code::{CodeError, Diagnosed, Diagnostics};
use crate::ports::system::{Clock, Ids, MemoryGauge, OpenMarkers};
use crate::ports::workspace::{Checks, Todo, TodoPlan, Tree, WorkspaceError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The project's one check: passes while no file is broken.
pub const CHECK: &str = "check";

#[derive(Clone)]
pub struct Machine(pub Arc<Sim>);

impl Clock for Machine {
    fn now(&self) -> Millis {
        self.0.wall()
    }
}

impl Ids for Machine {
    fn mission(&self) -> MissionId {
        let mut world = self.0.world.lock();
        MissionId(format!("m{:04}", world.id()))
    }
}

impl MemoryGauge for Machine {
    /// Short of memory for one minute in four.
    fn read(&self) -> Option<MemoryUse> {
        let short = self.0.elapsed() / 60_000 % 4 == 3;
        Some(MemoryUse { total: 100, available: if short { 10 } else { 60 }, own: 0 })
    }
}

impl OpenMarkers for Machine {
    fn set(&self, directory: Directory, open: bool) -> Fut<'_, std::io::Result<()>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(1, 10).await;
            let mut world = sim.world.lock();
            if open {
                world.markers.insert(directory)
            } else {
                world.markers.remove(&directory)
            };
            Ok(())
        })
    }
}

pub(super) fn text(root: &Path) -> String {
    root.to_string_lossy().into_owned()
}

impl Tree for Machine {
    fn hash(&self, root: PathBuf, _exclude: Vec<String>) -> Fut<'_, Result<TreeId, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(5, 200).await;
            let mut world = sim.world.lock();
            let stale = world.mutated(Mutation::OldTreeJudged);
            let place = world.place(&text(&root));
            let old = place.looked.clone();
            let tree = place.snapshot();
            place.looked = Some(tree.clone());
            Ok(old.filter(|_| stale).unwrap_or(tree))
        })
    }

    fn changed(
        &self,
        _root: PathBuf,
        from: TreeId,
        to: TreeId,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>> {
        let world = self.0.world.lock();
        let result = (|| {
            let (from, to) = (known(&world, &from)?, known(&world, &to)?);
            Ok(to
                .iter()
                .filter(|(path, c)| from.get(*path) != Some(c))
                .map(|(path, _)| path.clone())
                .collect())
        })();
        Box::pin(std::future::ready(result))
    }

    fn diff(
        &self,
        _root: PathBuf,
        _from: TreeId,
        _to: TreeId,
        paths: Vec<String>,
        _max_bytes: usize,
    ) -> Fut<'_, Result<String, WorkspaceError>> {
        Box::pin(std::future::ready(Ok(paths.join("\n"))))
    }

    fn read(
        &self,
        _root: PathBuf,
        _tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<Vec<Option<String>>, WorkspaceError>> {
        Box::pin(std::future::ready(Ok(vec![None; paths.len()])))
    }

    fn writable(&self, _root: &Path) -> Result<(), WorkspaceError> {
        Ok(())
    }

    fn confine(&self, root: &Path, path: &str) -> Result<String, WorkspaceError> {
        let inside = Path::new(path).strip_prefix(root).ok().map(text).filter(|p| !p.contains(".."));
        inside.ok_or_else(|| WorkspaceError::Outside { path: path.into(), root: text(root) })
    }
}

/// Language servers that take their time and find nothing: what they find is tested with the real ones.
impl Diagnostics for Machine {
    fn of(&self, _root: PathBuf, _paths: Vec<String>) -> Fut<'_, Result<Diagnosed, CodeError>> {
        Box::pin(std::future::ready(Ok(Diagnosed::default())))
    }

    fn new_errors(
        &self,
        _root: PathBuf,
        _before: Vec<(String, Option<String>)>,
    ) -> Fut<'_, Result<Diagnosed, CodeError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(20, 2_000).await;
            Ok(Diagnosed::default())
        })
    }
}

impl Checks for Machine {
    fn detect(&self, _root: PathBuf) -> Fut<'_, Vec<String>> {
        Box::pin(std::future::ready(vec![CHECK.to_owned()]))
    }

    fn run(&self, root: PathBuf, command: String, _timeout_ms: u64) -> Fut<'_, CheckResult> {
        let sim = self.0.clone();
        Box::pin(async move {
            let millis = sim.pause(500, 20_000).await;
            let mut world = sim.world.lock();
            let fails = world.place(&text(&root)).broken() && !world.mutated(Mutation::ChecksIgnored);
            let outcome = if fails { CheckOutcome::Failed(1) } else { CheckOutcome::Passed };
            CheckResult { command, outcome, millis, tail: String::new() }
        })
    }
}

impl Todo for Machine {
    fn publish(
        &self,
        root: PathBuf,
        file: String,
        plan: TodoPlan,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        self.written(root.join(file), plan.mission, plan.items.len(), seen)
    }
    fn update(
        &self,
        file: PathBuf,
        mission: String,
        states: Vec<(String, TodoState)>,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        self.written(file, mission, states.len(), seen)
    }
    fn edited(&self, _file: PathBuf, mission: String, known: Vec<Edit>) -> Fut<'_, Vec<Edit>> {
        let sim = self.0.clone();
        Box::pin(async move {
            let differ =
                |all: &BTreeMap<String, Vec<Edit>>| all.get(&mission).is_some_and(|now| *now != known);
            let all = sim.todo.wait_for(differ).await;
            sim.pause(1, 300).await;
            all.get(&mission).cloned().unwrap_or_default()
        })
    }
}

impl Machine {
    /// The plan file's own promises are tested with its adapter; here it takes time, and fails at times.
    fn written(
        &self,
        file: PathBuf,
        mission: String,
        items: usize,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(1, 30).await;
            let mut world = sim.world.lock();
            let odds = world.odds.store_refuses;
            if world.rng.chance(odds) {
                return Err(WorkspaceError::File { path: text(&file), reason: "no space left".into() });
            }
            drop(world);
            let mut all = sim.todo.get();
            if let Some(edits) = all.get_mut(&mission).filter(|_| !seen.is_empty()) {
                edits.retain(|edit| !seen.contains(edit));
                sim.todo.set(all);
            }
            Ok(items as u64)
        })
    }
}
