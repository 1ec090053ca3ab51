//! Taking back what a mission in worktrees has put into the user's files.
//!
//! The user's files change once for each result, whole: that landing is what a rollback of the mission, or since a
//! checkpoint, takes back. Of a single task its merge is known, the tree without and with it; that is what the user's
//! files got of it, where nothing came on top.
use super::event::Scope;
use super::io::{Part, RollbackStretch};
use super::isolation::Isolation;
use super::state::Mission;
use super::trees::{By, Span};
use crate::domain::ids::TaskId;
use std::collections::BTreeSet;

impl Mission {
    pub(super) fn may_reach_landed(&self, isolation: &Isolation, scope: &Scope) -> Result<(), String> {
        if !self.spans.iter().any(|s| s.by == By::Landing) {
            let place = if self.state.is_open() {
                "its work is in worktrees until it is checked as a whole".into()
            } else if isolation.owes_result() {
                let left = isolation.left.as_ref();
                match left.and_then(|left| left.branch.as_ref().or(left.patch.as_ref()).zip(Some(left))) {
                    Some((branch, left)) if left.branch.is_some() => {
                        format!("its result is on the branch {branch}")
                    }
                    Some((patch, _)) => format!("its result is in {patch}"),
                    None => "its result is in Gantry's data folder".into(),
                }
            } else {
                "nothing of it was accepted".to_owned()
            };
            return Err(format!("it has changed no files of yours: {place}"));
        }
        match scope {
            Scope::Task(task) if !self.landed_tasks().any(|landed| landed == task) => {
                let landed: BTreeSet<_> = self.landed_tasks().collect();
                let names = self.tasks.iter().map(|t| &t.spec.id).filter(|id| landed.contains(id));
                let names: Vec<_> = names.map(TaskId::as_str).collect();
                Err(format!("no work of task {task} is in your files: choose one of {}", names.join(", ")))
            }
            Scope::Checkpoint(sequence) => {
                self.checkpoints.get(*sequence).map(drop).map_err(|e| e.to_string())
            }
            Scope::Task(_) | Scope::Mission | Scope::Undo => Ok(()),
        }
    }

    /// Spans before this one are in the user's files.
    fn last_landing(&self) -> usize {
        self.spans.iter().rposition(|s| s.by == By::Landing).unwrap_or(0)
    }

    fn landed_tasks(&self) -> impl Iterator<Item = &TaskId> {
        self.spans[..self.last_landing()].iter().filter_map(Span::merged)
    }

    pub(super) fn landed_stretches(&self, scope: &Scope) -> Vec<RollbackStretch> {
        let since = match scope {
            Scope::Checkpoint(n) => self.checkpoints.get(*n).ok().map(|c| c.at),
            _ => None,
        };
        let last = self.last_landing();
        let stretch = |(n, span): (usize, &Span)| {
            let (before, after) = (span.before.as_ref()?, span.after.as_ref()?);
            let (task, part) = match (&span.by, scope) {
                (By::Rollback, _) => (None, Part::Continues),
                // In no file of the user's.
                (By::Merge(_), _) if n > last => return None,
                (By::Merge(task), Scope::Task(chosen)) if task == chosen => (Some(task), Part::Chosen),
                (By::Merge(task), Scope::Task(_)) => (Some(task), Part::Other),
                (By::Landing, Scope::Task(_)) | (By::Merge(_), _) => return None,
                (By::Landing, _) if since.is_some_and(|since| after.at <= since) => (None, Part::Other),
                (By::Landing, _) => (None, Part::Chosen),
                // Of a journal from before landings were told apart; the worktree's tree, not the user's.
                (By::Task(_), _) => return None,
            };
            let (from, to) = (before.tree.clone(), after.tree.clone());
            Some(RollbackStretch { task: task.cloned(), files: None, part, from, to })
        };
        self.spans.iter().enumerate().filter_map(stretch).collect()
    }
}
