//! What a rollback would do: the look at the trees, and its outcome in words.
use super::Ports;
use super::core::{RollbackFound, RollbackLook, RollbackStep, RollbackStretch};
use super::inspect::plan_files;
use crate::domain::lease::Pattern;
use crate::domain::rollback::{Step, Stretch, plan, touched};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The tree as it is now, kept.
pub async fn record(ports: &Ports, root: &str, todo: &str) -> Result<TreeId, WorkspaceError> {
    let root = PathBuf::from(root);
    let tree = ports.tree.hash(root.clone(), plan_files(todo)).await?;
    ports.history.keep(root, tree.clone()).await?;
    Ok(tree)
}

/// Changes nothing but what is kept of trees.
pub async fn look(ports: &Ports, look: RollbackLook) -> Result<RollbackFound, WorkspaceError> {
    let root = PathBuf::from(&look.root);
    let now = record(ports, &look.root, &look.todo).await?;
    let mut stretches = Vec::new();
    for RollbackStretch { task, files, part, from, to } in look.stretches {
        let changes =
            if from == to { Vec::new() } else { ports.history.changes(root.clone(), from, to).await? };
        let files = files.map(|f| f.iter().filter_map(|f| Pattern::parse(f).ok()).collect());
        stretches.push(Stretch { task, files, part, changes });
    }
    let paths = touched(&stretches);
    let current = ports.history.entries(root.clone(), now.clone(), paths.clone()).await?;
    let mut todo = plan(&stretches, &current, look.force);
    let mut others = Vec::new();
    if let Some(since) = look.since.filter(|since| *since != now) {
        let known: BTreeSet<_> = paths.into_iter().collect();
        for change in ports.history.changes(root.clone(), since, now.clone()).await? {
            if known.contains(&change.path) {
                continue;
            }
            if look.force {
                let exists = change.to.is_some();
                todo.steps.push(Step { path: change.path, to: change.from, exists });
            } else {
                others.push(change.path);
            }
        }
    }
    let conflicts = todo.conflicts.iter().map(|c| format!("{}: {}", c.path, c.reason)).collect();
    let steps = todo.steps.iter().map(|s| RollbackStep { path: s.path.clone(), what: what(s) }).collect();
    let to = if todo.steps.is_empty() {
        now.clone()
    } else {
        ports.history.compose(root, now.clone(), todo.steps).await?
    };
    Ok(RollbackFound { from: now, to, steps, conflicts, others })
}

fn what(step: &Step) -> &'static str {
    match (step.exists, &step.to) {
        (_, None) => "removed",
        (true, Some(_)) => "changed back",
        (false, Some(_)) => "made again",
    }
}
