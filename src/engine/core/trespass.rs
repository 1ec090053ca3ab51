//! What shell commands of workers changed. It cannot be foreseen, so the tree is compared after each command; a change in
//! a path that another task holds, and that no write tool made, is a finding of the gate of the task whose command ran.
//!
//! One look at a time for a mission; commands that end meanwhile share the next. A gate waits for the looks at the
//! commands of its task. Other changes of the same time (an editor of the user's) cannot be told apart: the finding
//! says so.
use super::event::*;
use super::io::*;
use super::live::Job;
use super::{Core, schedule};
use crate::domain::ids::{HostSessionId, Millis, MissionId, TaskId};
use crate::domain::lease::{Check, Holder};
use crate::domain::verdict::{Finding, TreeId};

/// Findings of one look; the first are enough to act on.
const MAX_FINDINGS: usize = 20;

impl Core {
    pub(super) fn shell_ran(&mut self, session: &HostSessionId) {
        let Some((id, attempt)) = self.owner_of(session) else { return };
        // In a worktree a command meets no file of another task.
        if self.missions[&id].isolation.is_some() {
            return;
        }
        if let Some(AttemptKind::Work(task)) = self.open(&id, &attempt).map(|a| a.kind.clone()) {
            self.live(&id).shells.insert(task);
        }
    }

    pub(super) fn advance_shells(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let surveyed = mission.survey.as_ref().and_then(|s| s.tree.clone());
        let (root, todo) = (mission.created.worktree.clone(), mission.created.options.todo.clone());
        let live = self.live(id);
        if live.shells.is_empty() || live.jobs.contains_key(&Job::Trespass) {
            return;
        }
        let Some(base) = live.shell_tree.clone().or(surveyed) else {
            // Nothing to compare with: no tree could be read before.
            live.shells.clear();
            return;
        };
        live.shells_looked_at = std::mem::take(&mut live.shells);
        if let Some(round) = live.begin(Job::Trespass) {
            self.act(Action::LookAtShells { mission: id.clone(), round, root, todo, base });
        }
    }

    /// Whether what a command of the task has changed is still being looked at.
    pub(super) fn shell_in_doubt(&self, id: &MissionId, subject: &Subject) -> bool {
        let Subject::Task(task) = subject else { return false };
        let under_way = |l: &super::live::Live| {
            l.shells.contains(task)
                || l.jobs.contains_key(&Job::Trespass) && l.shells_looked_at.contains(task)
        };
        self.live.get(id).is_some_and(under_way)
    }

    pub(super) fn shells_seen(
        &mut self,
        id: &MissionId,
        round: u64,
        result: Result<(TreeId, Vec<String>), String>,
    ) {
        if !self.live(id).end(&Job::Trespass, round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        let runners = std::mem::take(&mut self.live(id).shells_looked_at);
        // A tree that cannot be read blames nobody.
        let Ok((tree, changed)) = result else { return };
        let first = self.live(id).shell_tree.replace(tree).is_none();
        if first && self.live(id).adopted_at > Millis(0) {
            // What an earlier process knew of the writes until then is gone: this look is what later ones compare with.
            return;
        }
        let mission = &self.missions[id];
        let Some(table) = self.leases.get(mission.place()) else { return };
        let foreign: Vec<(String, Holder)> = changed
            .iter()
            .filter_map(|path| match table.check(&schedule::holder(mission, &TaskId::new("")), path) {
                Check::Held { holder, .. } => Some((path.clone(), holder)),
                Check::Mine | Check::Free => None,
            })
            .filter(|(_, holder)| holder.mission == *id && !runners.contains(&holder.task))
            .take(MAX_FINDINGS)
            .collect();
        for (path, holder) in foreign {
            for task in &runners {
                let finding = Finding {
                    file: Some(path.clone()),
                    ..Finding::of(
                        "high",
                        format!(
                            "this file is task {}'s, and it changed while a shell command of yours ran; if the command did it, take that change back and leave the file alone",
                            holder.task
                        ),
                    )
                };
                self.emit(id, Event::Trespassed { task: task.clone(), finding });
            }
        }
    }
}
