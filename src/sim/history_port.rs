//! Trees that are kept and brought back, on the simulated disk.
use super::mutation::Mutation;
use super::place_ports::{Machine, text};
use super::worktrees::known;
use super::world::{Content, World};
use crate::domain::rollback::{Change, Entry, Step};
use crate::domain::verdict::TreeId;
use crate::ports::Fut;
use crate::ports::history::History;
use crate::ports::workspace::WorkspaceError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

type Files = BTreeMap<String, Content>;

fn entry(content: Content) -> Entry {
    Entry { mode: if content.broken { 0o100_755 } else { 0o100_644 }, id: content.id.to_string() }
}

fn content(entry: &Entry) -> Content {
    Content { id: entry.id.parse().unwrap_or_default(), broken: entry.mode == 0o100_755 }
}

fn snapshot(world: &mut World, root: &str, tree: &TreeId) -> Result<Files, WorkspaceError> {
    // All worktrees of a project share its store.
    world.place(root).snapshots.get(&tree.0).cloned().map_or_else(|| known(world, tree), Ok)
}

fn differing(from: &Files, to: &Files) -> Vec<Change> {
    let paths: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let change = |path: &String| Change {
        path: path.clone(),
        from: from.get(path).copied().map(entry),
        to: to.get(path).copied().map(entry),
    };
    paths.into_iter().map(change).filter(|c| c.from != c.to).collect()
}

/// What the user wrote, unless a task was at work on that file then: who wrote what within a task's time cannot be told.
fn lost(world: &World, root: &str, path: &str, now: Option<Content>) -> bool {
    let Some(now) = now.filter(|c| world.by_user.contains(&c.id)) else { return false };
    let here = world.mirror.missions.values().map(|k| &k.mission).filter(|m| m.place() == root);
    let left = here.flat_map(|m| m.spans.iter().filter_map(|s| s.after.as_ref()));
    let place = world.places.get(root);
    let seen =
        |tree: &TreeId| place.and_then(|p| p.snapshots.get(&tree.0)).and_then(|f| f.get(path)).copied();
    !left.map(|r| seen(&r.tree)).any(|c| c == Some(now))
}

/// What the newest task left, whatever was written since: the planted bug.
fn unseen(world: &World, root: &str, path: &str) -> Option<Entry> {
    let here = world.mirror.missions.values().map(|k| &k.mission).filter(|m| m.place() == root);
    let newest = here.flat_map(|m| m.spans.iter().filter_map(|s| s.after.as_ref())).max_by_key(|r| r.at)?;
    world.places.get(root)?.snapshots.get(&newest.tree.0)?.get(path).copied().map(entry)
}

impl History for Machine {
    fn keep(&self, root: PathBuf, tree: TreeId) -> Fut<'_, Result<(), WorkspaceError>> {
        let kept = snapshot(&mut self.0.world.lock(), &text(&root), &tree).map(|_| ());
        Box::pin(std::future::ready(kept))
    }

    fn changes(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
    ) -> Fut<'_, Result<Vec<Change>, WorkspaceError>> {
        let mut world = self.0.world.lock();
        let both = snapshot(&mut world, &text(&root), &from)
            .and_then(|from| Ok((from, snapshot(&mut world, &text(&root), &to)?)));
        Box::pin(std::future::ready(both.map(|(from, to)| differing(&from, &to))))
    }

    fn entries(
        &self,
        root: PathBuf,
        tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<BTreeMap<String, Entry>, WorkspaceError>> {
        let mut world = self.0.world.lock();
        let found = snapshot(&mut world, &text(&root), &tree);
        let blind = world.mutated(Mutation::EditsUnseen);
        let seen = |path: &String, files: &Files| match unseen(&world, &text(&root), path) {
            Some(old) if blind => Some(old),
            _ => files.get(path).copied().map(entry),
        };
        let found = found
            .map(|files| paths.iter().filter_map(|path| Some((path.clone(), seen(path, &files)?))).collect());
        Box::pin(std::future::ready(found))
    }

    fn compose(
        &self,
        root: PathBuf,
        tree: TreeId,
        steps: Vec<Step>,
    ) -> Fut<'_, Result<TreeId, WorkspaceError>> {
        let mut world = self.0.world.lock();
        let composed = snapshot(&mut world, &text(&root), &tree).map(|mut files| {
            for step in steps {
                match step.to {
                    Some(to) => files.insert(step.path, content(&to)),
                    None => files.remove(&step.path),
                };
            }
            world.place(&text(&root)).keep(files)
        });
        Box::pin(std::future::ready(composed))
    }

    fn restore(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
        _exclude: Vec<String>,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>> {
        let sim = self.0.clone();
        Box::pin(async move {
            let root = text(&root);
            let changes = {
                let mut world = sim.world.lock();
                differing(&snapshot(&mut world, &root, &from)?, &snapshot(&mut world, &root, &to)?)
            };
            let mut left = Vec::new();
            for change in changes {
                // One after the other, so that a process may die, and a user write, in between.
                sim.pause(1, 300).await;
                let mut world = sim.world.lock();
                let now = world.place(&root).files.get(&change.path).copied();
                if now.map(entry) == change.to {
                    continue;
                }
                if now.map(entry) != change.from {
                    left.push(format!("{}: it was edited since", change.path));
                    continue;
                }
                if lost(&world, &root, &change.path, now) {
                    let breach = format!("a rollback took {} back, which the user wrote", change.path);
                    world.breach(sim.elapsed(), breach);
                }
                let place = world.place(&root);
                match &change.to {
                    Some(to) => place.files.insert(change.path.clone(), content(to)),
                    None => place.files.remove(&change.path),
                };
            }
            Ok(left)
        })
    }
}
