//! The way of a mission's result out of its worktrees: what the user has edited meanwhile is taken in, the whole passes
//! its gate as it will be, and then the user's files are moved to that very tree, or a branch is left.
use super::event::*;
use super::isolation::INTEGRATION;
use super::live::Job;
use super::worktrees::{TreeJob, TreeWork};
use super::{Core, MAX_WHOLE_ROUNDS};
use crate::domain::ids::MissionId;
use crate::domain::mission::Phase;
use crate::domain::todo::plan_files;
use crate::domain::verdict::TreeId;
use crate::engine::prompts;
use crate::ports::worktrees::{Merged, Move, Proposal};

impl Core {
    /// Whether the whole can be looked at; else what it takes is under way.
    pub(super) fn whole_is_put_together(&mut self, id: &MissionId) -> bool {
        let mission = &self.missions[id];
        let Some(isolation) = &mission.isolation else { return true };
        if !isolation.taken_in {
            let (user, integration) = (isolation.user.clone(), isolation.integration.clone());
            let todo = mission.created.options.todo.clone();
            self.tree_work(id, TreeWork::TakeIn { user, integration, todo });
            return false;
        }
        if isolation.whole.is_none() {
            let (onto, outfit) = (isolation.integration.clone(), mission.outfit());
            self.tree_work(id, TreeWork::Give { task: None, number: INTEGRATION, onto, carry: None, outfit });
            return false;
        }
        true
    }

    pub(super) fn taken_in(&mut self, id: &MissionId, result: Result<(TreeId, Merged), String>) {
        let (seen, merged) = match result {
            Ok(found) => found,
            Err(fault) => return self.tree_fault(id, &fault),
        };
        self.live(id).tree_faults = 0;
        let clashes: Vec<_> = merged.conflicts.into_iter().map(|c| c.path).collect();
        let merged = clashes.is_empty().then_some(merged.tree);
        self.emit(id, Event::UserTreeTaken { seen, merged, clashes });
    }

    /// The result is approved. True when nothing is left but to end.
    pub(super) fn land(&mut self, id: &MissionId) -> bool {
        let mission = &self.missions[id];
        let Some(isolation) = &mission.isolation else { return false };
        let to = mission.whole.verdict.as_ref().and_then(|v| v.tree.clone());
        let (Some(to), true) = (to, isolation.clashes.is_empty()) else {
            let files = prompts::clip(&isolation.clashes.join(", "), 300);
            self.finish(id, format!("you changed the same places of {files}: the result is on a branch"));
            return true;
        };
        if isolation.landed.as_ref() == Some(&to) || mission.created.options.as_branch == Some(true) {
            let reason = mission.passed();
            self.finish(id, reason);
            return true;
        }
        let from = isolation.user.clone();
        let todo = mission.created.options.todo.clone();
        self.tree_work(id, TreeWork::Land { from, to, todo });
        true
    }

    /// Files of the user's are being written: the mission ends in a moment, and not before.
    pub(super) fn is_landing(&self, id: &MissionId) -> bool {
        self.live.get(id).is_some_and(|l| l.jobs.contains_key(&Job::Trees(TreeJob::Land)))
    }

    pub(super) fn landed(&mut self, id: &MissionId, tree: TreeId, result: Result<Move, String>) {
        match result {
            Ok(Move::Done) => self.emit(id, Event::Landed { tree }),
            // Paused meanwhile: it is tried again when it goes on.
            _ if !self.missions[id].running() => {}
            Ok(Move::InTheWay(_)) if self.missions[id].whole_rounds < MAX_WHOLE_ROUNDS => {
                self.phase(id, Phase::Reviewing);
            }
            Ok(Move::InTheWay(why)) => {
                self.not_integrated(
                    id,
                    None,
                    format!("the files kept changing ({why}): the result is on a branch"),
                );
            }
            Err(fault) => {
                self.not_integrated(id, None, format!("the result could not be put into your files: {fault}"))
            }
        }
    }

    // ---- the end

    /// The mission has ended and nobody works in its worktrees any more.
    pub(super) fn advance_release(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let Some(isolation) = &mission.isolation else { return };
        let at_work = mission.attempts.values().any(|a| a.open() || a.given_up);
        if mission.state.is_open() || isolation.released || at_work || self.is_landing(id) {
            return;
        }
        let proposal = isolation.owes_result().then(|| Proposal {
            name: branch_name(id),
            base: isolation.user.clone(),
            tree: isolation.integration.clone(),
            title: mission.created.title.clone(),
            at: mission.created_at.0 / 1_000,
            exclude: plan_files(&mission.created.options.todo),
        });
        self.tree_work(id, TreeWork::Release { proposal });
    }

    pub(super) fn released(&mut self, id: &MissionId, result: Result<Option<String>, String>) {
        // What could not be tidied is tidied after the next mission of the project.
        let left_at = result.unwrap_or_else(|fault| Some(format!("nowhere: {}", prompts::clip(&fault, 300))));
        self.emit(id, Event::WorktreesReleased { left_at });
    }
}

/// Where a result is left that does not go into the user's files.
pub fn branch_name(id: &MissionId) -> String {
    format!("gantry/{id}")
}
