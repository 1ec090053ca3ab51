//! Worktrees of the simulated machine. A worktree is a place like a project; trees are known by their text everywhere.
use super::Sim;
use super::mutation::Mutation;
use super::place_ports::{Machine, text};
use super::world::{Content, World};
use crate::domain::verdict::TreeId;
use crate::ports::Fut;
use crate::ports::workspace::WorkspaceError;
use crate::ports::worktrees::{Conflict, Left, Merged, Move, Proposal, Worktrees};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Files = BTreeMap<String, Content>;

/// The worktree with this number of a project.
pub fn worktree(project: &str, number: u32) -> String {
    format!("/data/worktrees{project}/{number}")
}

pub fn known(world: &World, tree: &TreeId) -> Result<Files, WorkspaceError> {
    let found = world.places.values().find_map(|place| place.snapshots.get(&tree.0));
    found.cloned().ok_or_else(|| WorkspaceError::Git(format!("no tree {}", tree.0)))
}

fn keep(world: &mut World, project: &str, files: Files) -> TreeId {
    let text = files.iter().map(|(path, c)| format!("{path}={},", c.id)).collect::<String>();
    world.place(project).snapshots.insert(text.clone(), files);
    TreeId(text)
}

/// File by file: one that both sides changed, and not alike, is a conflict. Its content is new, as one with both sides
/// between markers is; it counts as broken until somebody writes it.
fn merge(world: &mut World, base: &Files, ours: &Files, theirs: &Files) -> (Files, Vec<Conflict>) {
    let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    let (mut files, mut conflicts) = (Files::new(), Vec::new());
    for path in paths {
        let (was, mine, other) = (base.get(path), ours.get(path), theirs.get(path));
        let content = if mine == was || mine == other {
            other.copied()
        } else if other == was {
            mine.copied()
        } else {
            conflicts.push(Conflict { path: path.clone(), message: "both changed it".into() });
            Some(Content { id: world.id(), broken: true })
        };
        files.extend(content.map(|content| (path.clone(), content)));
    }
    (files, conflicts)
}

impl Worktrees for Machine {
    fn give(
        &self,
        project: PathBuf,
        number: u32,
        _base: TreeId,
        files: TreeId,
        _links: Vec<String>,
    ) -> Fut<'_, Result<PathBuf, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(50, 4_000).await;
            let path = worktree(&text(&project), number);
            super::check::given(&sim, &path);
            let mut world = sim.world.lock();
            let odds = world.odds.store_refuses;
            if world.rng.chance(odds) {
                return Err(WorkspaceError::File { path, reason: "no space left".into() });
            }
            let mut files = known(&world, &files)?;
            if world.mutated(Mutation::WorktreeNotCleared) {
                let old = world.place(&path).files.clone();
                for (path, content) in old {
                    files.entry(path).or_insert(content);
                }
            }
            world.place(&path).files = files;
            Ok(path.into())
        })
    }

    fn is_set_up(&self, _worktree: &Path, _commands: &[String]) -> bool {
        true
    }

    fn set_up(&self, _worktree: &Path, _commands: &[String]) -> Result<(), WorkspaceError> {
        Ok(())
    }

    fn merge(
        &self,
        project: PathBuf,
        base: TreeId,
        ours: TreeId,
        theirs: TreeId,
    ) -> Fut<'_, Result<Merged, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(5, 100).await;
            let mut world = sim.world.lock();
            let [base, ours, theirs] = [base, ours, theirs].map(|tree| known(&world, &tree));
            let (files, conflicts) = merge(&mut world, &base?, &ours?, &theirs?);
            Ok(Merged { tree: keep(&mut world, &text(&project), files), conflicts })
        })
    }

    fn apply(
        &self,
        project: PathBuf,
        from: TreeId,
        to: TreeId,
        _exclude: Vec<String>,
    ) -> Fut<'_, Result<Move, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            let place = text(&project);
            sim.pause(5, 100).await;
            super::check::applied(&sim, &place, &to);
            let (from, to) = {
                let world = sim.world.lock();
                (known(&world, &from)?, known(&world, &to)?)
            };
            if let Some(edited) = edited(&sim, &place, &from, &to) {
                return Ok(Move::InTheWay(edited));
            }
            // File by file, so that a crash can come in between.
            let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for path in paths {
                sim.pause(1, 30).await;
                let mut world = sim.world.lock();
                let blind = world.mutated(Mutation::EditsOverwritten);
                let files = &mut world.place(&place).files;
                let now = files.get(path).copied();
                if now != from.get(path).copied() && now != to.get(path).copied() && !blind {
                    drop(world);
                    back(&sim, &place, &from, &to);
                    return Ok(Move::InTheWay(path.clone()));
                }
                match to.get(path) {
                    Some(content) => files.insert(path.clone(), *content),
                    None => files.remove(path),
                };
                super::check::moved(&mut world, sim.elapsed(), path, now, [from.get(path), to.get(path)]);
            }
            Ok(Move::Done)
        })
    }

    fn propose(&self, _project: PathBuf, proposal: Proposal) -> Fut<'_, Result<Left, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(5, 100).await;
            known(&sim.world.lock(), &proposal.tree)?;
            Ok(Left { branch: Some(proposal.name), ..Left::default() })
        })
    }

    fn release(&self, _project: PathBuf) -> Fut<'_, Result<(), WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            sim.pause(5, 500).await;
            Ok(())
        })
    }
}

/// A file that is neither as before nor as wanted; what was moved already goes back then.
fn edited(sim: &Arc<Sim>, place: &str, from: &Files, to: &Files) -> Option<String> {
    let foreign = {
        let mut world = sim.world.lock();
        if world.mutated(Mutation::EditsOverwritten) {
            return None;
        }
        let now = world.place(place).files.clone();
        let paths: BTreeSet<&String> = from.keys().chain(to.keys()).chain(now.keys()).collect();
        let foreign =
            |path: &&&String| now.get(**path) != from.get(**path) && now.get(**path) != to.get(**path);
        paths.iter().find(foreign).map(|path| (*path).clone())
    };
    if foreign.is_some() {
        back(sim, place, from, to);
    }
    foreign
}

fn back(sim: &Arc<Sim>, place: &str, from: &Files, to: &Files) {
    let mut world = sim.world.lock();
    let files = &mut world.place(place).files;
    for path in from.keys().chain(to.keys()) {
        if files.get(path) == to.get(path) {
            match from.get(path) {
                Some(content) => files.insert(path.clone(), *content),
                None => files.remove(path),
            };
        }
    }
}
