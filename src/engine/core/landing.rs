//! The way of a mission's result out of its worktrees: what the user has edited meanwhile is taken in, the whole passes
//! its gate as it will be, and then the user's files are moved to that very tree, or a branch is left.
use super::event::*;
use super::isolation::{INTEGRATION, Isolation};
use super::state::Mission;
use super::worktrees::TreeWork;
use super::{Core, MAX_WHOLE_ROUNDS};
use crate::domain::ids::MissionId;
use crate::domain::mission::Phase;
use crate::domain::todo::plan_files;
use crate::domain::verdict::TreeId;
use crate::engine::prompts;
use crate::ports::worktrees::{Left, Merged, Move, Proposal};

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
            self.finish(
                id,
                format!("you changed the same places of {files}, so the result was not put into them"),
            );
            return true;
        };
        if isolation.landed.as_ref() == Some(&to) || mission.created.options.as_branch == Some(true) {
            let reason = mission.passed();
            self.finish(id, reason);
            return true;
        }
        if isolation.landing.is_none() {
            let from = isolation.user.clone();
            self.emit(id, Event::LandingBegun { from, to });
        }
        self.advance_landing(id);
        true
    }

    /// Files of the user's are being written: the mission ends in a moment, and not before.
    pub(super) fn is_landing(&self, id: &MissionId) -> bool {
        self.missions[id].isolation.as_ref().is_some_and(|i| i.landing.is_some())
    }

    /// What was begun is carried to its end, or taken back, whatever has become of the mission since.
    pub(super) fn advance_landing(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let Some((from, to)) = mission.isolation.as_ref().and_then(|i| i.landing.clone()) else { return };
        let todo = mission.created.options.todo.clone();
        self.tree_work(id, TreeWork::Land { from, to, todo });
    }

    pub(super) fn landed(&mut self, id: &MissionId, tree: TreeId, result: Result<Move, String>) {
        let (half, stop) = match result {
            Ok(Move::Done) => {
                self.live(id).tree_faults = 0;
                return self.emit(id, Event::Landed { tree });
            }
            Ok(Move::InTheWay(why)) => (false, Stop::InTheWay(why)),
            Ok(Move::Refused(why)) => (false, Stop::Refused(why)),
            Ok(Move::Half(why)) => (true, Stop::Refused(why)),
            // How the files are is not known: the same call says it.
            Err(fault) if self.fault_again(id) => (true, Stop::Refused(fault)),
            Err(_) => return,
        };
        self.live(id).tree_faults = 0;
        let (Stop::InTheWay(why) | Stop::Refused(why)) = &stop;
        self.emit(id, Event::LandingEnded { half, why: prompts::clip(why, 300) });
        // Paused meanwhile: it is tried again when it goes on.
        if !self.missions[id].running() {
            return;
        }
        match stop {
            Stop::InTheWay(_) if self.missions[id].whole_rounds < MAX_WHOLE_ROUNDS => {
                self.phase(id, Phase::Reviewing);
            }
            Stop::InTheWay(why) => {
                let why = format!("the files kept changing ({why}), so the result was not put into them");
                self.not_integrated(id, None, why);
            }
            Stop::Refused(why) if half => {
                let why = format!("only a part of the result could be put into your files: {why}");
                self.not_integrated(id, None, why);
            }
            Stop::Refused(why) => {
                let why = format!("the result could not be put into your files: {why}");
                self.not_integrated(id, None, why);
            }
        }
    }

    // ---- the end

    /// The mission has ended: its result is left where the report is going to say, and when nobody works in its worktrees
    /// any more, they are given up.
    pub(super) fn advance_release(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let Some(isolation) = &mission.isolation else { return };
        if mission.state.is_open() || isolation.landing.is_some() {
            return;
        }
        // What could be left nowhere is tried again by each process that reads of it.
        let again = isolation.lost() && self.live.get(id).is_none_or(|live| live.tree_faults == 0);
        if !isolation.is_settled() || again {
            let proposal = Proposal {
                name: branch_name(id),
                base: isolation.user.clone(),
                tree: isolation.integration.clone(),
                title: mission.created.title.clone(),
                at: mission.created_at.0 / 1_000,
                exclude: plan_files(&mission.created.options.todo),
            };
            return self.tree_work(id, TreeWork::Propose { proposal });
        }
        let at_work = mission.attempts.values().any(|a| a.open() || a.given_up);
        if !isolation.released && !at_work {
            self.tree_work(id, TreeWork::Release);
        }
    }

    pub(super) fn proposed(&mut self, id: &MissionId, result: Result<Left, String>) {
        let left = match result {
            Ok(left) => left,
            Err(fault) if self.fault_again(id) => {
                Left { fault: Some(prompts::clip(&fault, 300)), ..Left::default() }
            }
            Err(_) => return,
        };
        let known = self.missions[id].isolation.as_ref().is_some_and(|i| i.left.as_ref() == Some(&left));
        if known {
            return;
        }
        let Left { branch, patch, outside, fault } = left;
        self.emit(id, Event::ResultLeft { branch, patch, outside, fault });
        if self.missions[id].report.is_some() {
            // It had to say that the result is nowhere.
            self.owe_report(id);
        }
    }
}

/// Why a landing came to nothing.
enum Stop {
    /// With the files as they are now it can be tried again.
    InTheWay(String),
    Refused(String),
}

impl Mission {
    /// Whether a report could say where the result is.
    pub(super) fn has_its_result(&self) -> bool {
        self.isolation.as_ref().is_none_or(Isolation::is_settled)
    }
}

/// The branch that is made for a result, where git and the user's other branches allow it.
fn branch_name(id: &MissionId) -> String {
    format!("gantry/{id}")
}
