//! Which host session may write what: read by every tool call of a mission, written by the dispatcher after each
//! commit. An answer from here is always one that the journal already supports.
use super::core::Core;
use super::core::event::AttemptKind;
use super::core::state::{Attempt, Mission};
use crate::domain::ids::{HostSessionId, MissionId};
use crate::domain::lease::Pattern;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::time::Instant;

#[derive(Clone)]
pub struct Entry {
    pub mission: MissionId,
    pub root: PathBuf,
    /// What relative paths of the session start from.
    pub directory: PathBuf,
    /// The plan file, which only Gantry writes.
    pub todo: String,
    /// Declared files of the task the session works on; else why it may not write, said to its model.
    pub may: Result<Arc<[Pattern]>, String>,
}

pub struct Index {
    sessions: DashMap<HostSessionId, Entry>,
    /// Until when the missions are certainly this process's own: another may take them over from then on.
    owned_until: Mutex<Instant>,
}

impl Default for Index {
    fn default() -> Self {
        Self { sessions: DashMap::new(), owned_until: Mutex::new(Instant::now()) }
    }
}

impl Entry {
    /// The path a model wrote, as a text that means the same from anywhere.
    pub fn absolute(&self, path: &str) -> String {
        self.directory.join(path).to_string_lossy().into_owned()
    }
}

impl Index {
    pub fn get(&self, session: &HostSessionId) -> Option<Entry> {
        self.sessions.get(session).map(|e| e.clone())
    }

    /// The store has confirmed the ownership.
    pub fn own_until(&self, until: Instant) {
        let mut owned = self.owned_until.lock();
        *owned = until.max(*owned);
    }

    pub fn owned(&self) -> bool {
        Instant::now() < *self.owned_until.lock()
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Brings the entries of one mission up to its state; drops them when it left memory.
    pub fn publish(&self, core: &Core, id: &MissionId) {
        let Some(mission) = core.mission(id) else {
            self.sessions.retain(|_, e| e.mission != *id);
            return;
        };
        for session in mission.attempts.values().filter_map(|a| a.session.as_ref()) {
            if let Some((mission, attempt)) = core.attempt_of(session) {
                self.sessions.insert(session.clone(), entry(mission, attempt));
            }
        }
    }
}

fn entry(mission: &Mission, attempt: &Attempt) -> Entry {
    let declared = |attempt: &Attempt| match &attempt.kind {
        AttemptKind::Work(task) => mission.task(task).map(super::core::declared).unwrap_or_default(),
        _ => Vec::new(),
    };
    let worktree = mission.worktree_of(&attempt.kind);
    let own = worktree.map(|w| (w.path.clone(), mission.folder_in(w)));
    let (root, directory) =
        own.unwrap_or_else(|| (mission.created.worktree.clone(), mission.created.directory.0.clone()));
    Entry {
        mission: mission.id.clone(),
        root: PathBuf::from(root),
        directory: PathBuf::from(directory),
        todo: mission.created.options.todo.clone(),
        may: super::core::may_write(mission, Some(attempt)).map(|_| declared(attempt).into()),
    }
}
