//! Worktrees that are made ready, and opened in the host, while the plan is still being made.
//!
//! The host takes about a second for its first turn in a directory, and what a project needs installed may take minutes;
//! planning takes longer than either, and nobody waits for the machine then. Nothing of it is written down: what a task
//! is given is a fact of its own, and a process that takes over begins again, at the price of a look. One at a time, so that
//! the planner's turn has the host to itself for the most part.
use super::Core;
use super::io::*;
use super::isolation::INTEGRATION;
use super::state::Mission;
use super::worktrees::TreeWork;
use crate::domain::ids::MissionId;
use crate::domain::mission::Phase;
use crate::ports::host::HostError;
use std::collections::BTreeSet;

/// Folders that are kept in mind; beyond them all are forgotten, and opened once more.
const MOST_FOLDERS: usize = 1_000;

/// How far a mission has come with it.
#[derive(Default, Debug)]
pub struct Ahead {
    made: u32,
    opening: bool,
    /// It did not work once: what is wrong is told by the task that needs one.
    off: bool,
}

/// Folders beside the user's own that this host has had something to do in.
#[derive(Default, Debug)]
pub struct Folders {
    open: BTreeSet<String>,
    /// Conversations begun in a folder that was open, and in one that was not.
    pub hits: u64,
    pub misses: u64,
}

impl Folders {
    fn opened(&mut self, folder: String) {
        if self.open.len() >= MOST_FOLDERS {
            self.open.clear();
        }
        self.open.insert(folder);
    }

    /// A conversation begins there.
    pub(super) fn used(&mut self, folder: &str) {
        if self.open.contains(folder) {
            self.hits += 1;
        } else {
            self.misses += 1;
            self.opened(folder.to_owned());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

impl Core {
    /// Makes the next worktree ready, while there is no plan that says who needs one.
    pub(super) fn advance_ahead(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let Some(isolation) = mission.isolation.as_ref().filter(|_| mission.has_no_plan_yet()) else {
            return;
        };
        let options = &mission.created.options;
        let most = options.worktrees_ahead().min(options.workers);
        let (onto, outfit) = (isolation.integration.clone(), mission.outfit());
        let ahead = &self.live(id).ahead;
        if ahead.off || ahead.opening || ahead.made >= most {
            return;
        }
        let number = INTEGRATION + 1 + ahead.made;
        self.tree_work(id, TreeWork::Prepare { number, onto, outfit });
    }

    pub(super) fn prepared(&mut self, id: &MissionId, result: Result<String, String>) {
        let ahead = &mut self.live(id).ahead;
        match result {
            Ok(path) => {
                ahead.made += 1;
                self.open_folder(id, &path);
            }
            Err(_) => ahead.off = true,
        }
    }

    /// Has the host open the folder in a worktree that its conversations will work in.
    pub(super) fn open_folder(&mut self, id: &MissionId, worktree: &str) {
        let mission = &self.missions[id];
        let (directory, folder) = (mission.created.directory.clone(), mission.folder_below(worktree));
        if self.folders.open.contains(&folder) {
            return;
        }
        self.live(id).ahead.opening = true;
        self.act(Action::OpenFolder { mission: id.clone(), directory, folder });
    }

    pub(super) fn folder_opened(&mut self, id: &MissionId, folder: String, result: Result<(), HostError>) {
        if let Some(live) = self.live.get_mut(id) {
            live.ahead.opening = false;
            live.ahead.off |= result.is_err();
        }
        if result.is_ok() {
            self.folders.opened(folder);
        }
    }
}

impl Mission {
    fn has_no_plan_yet(&self) -> bool {
        let before = matches!(self.phase, Some(Phase::Briefing | Phase::Planning)) && self.plan.is_none();
        // Of a plan that was given up: who worked in a worktree may still write there.
        before && self.attempts.values().all(|a| !a.given_up)
    }
}
