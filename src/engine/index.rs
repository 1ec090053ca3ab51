//! Which host session may write what: read by every tool call of a mission, written by the dispatcher after each
//! commit. An answer from here is always one that the journal already supports.
use super::core::Core;
use super::core::event::AttemptKind;
use super::core::state::{Attempt, Mission};
use crate::domain::ids::{HostSessionId, MissionId};
use crate::domain::lease::Pattern;
use crate::domain::permission::Rule;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone)]
pub struct Entry {
    pub mission: MissionId,
    pub root: PathBuf,
    /// The user's working tree, which is another than `root` for who works in a worktree.
    pub project: PathBuf,
    /// What relative paths of the session start from.
    pub directory: PathBuf,
    /// The plan file, which only Gantry writes.
    pub todo: String,
    /// Declared files of the task the session works on; else why it may not write, said to its model.
    pub may: Result<Arc<[Pattern]>, String>,
    /// The mission's own rules.
    pub rules: Arc<[Rule]>,
}

pub struct Index {
    sessions: DashMap<HostSessionId, Entry>,
    /// When write tools were last let through to a path, by mission; and when the last look after shell commands began.
    written: DashMap<MissionId, Written>,
    /// Until when the missions are certainly this process's own: another may take them over from then on.
    owned_until: Mutex<Instant>,
}

/// Paths that are kept of one mission.
const MAX_PATHS: usize = 10_000;
/// From the moment a write tool is let through to its write. A user who is asked in between may take longer: then
/// another task may be blamed, for a change it has not made and is told to leave alone.
const TOOL_TIME: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Written {
    paths: HashMap<String, Instant>,
    looked_at: Option<Instant>,
}

impl Default for Index {
    fn default() -> Self {
        Self { sessions: DashMap::new(), written: DashMap::new(), owned_until: Mutex::new(Instant::now()) }
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

    /// A write tool may write the path now.
    pub fn writes(&self, mission: &MissionId, path: String) {
        let mut written = self.written.entry(mission.clone()).or_default();
        if written.paths.len() < MAX_PATHS || written.paths.contains_key(&path) {
            written.paths.insert(path, Instant::now());
        }
    }

    /// A look after shell commands began at `began`: of what it found changed, that which no write tool may have
    /// written since the look before.
    pub fn not_written(&self, mission: &MissionId, began: Instant, changed: Vec<String>) -> Vec<String> {
        let mut written = self.written.entry(mission.clone()).or_default();
        let before = written.looked_at.replace(began);
        if written.paths.len() >= MAX_PATHS {
            // Not all were kept, so nobody is blamed.
            return Vec::new();
        }
        let by_tool = |path: &String| {
            written.paths.get(path).is_some_and(|at| before.is_none_or(|before| *at + TOOL_TIME >= before))
        };
        changed.into_iter().filter(|path| !by_tool(path)).collect()
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

    pub fn report_held(&self, gauges: &mut BTreeMap<String, u64>) {
        gauges.insert("held.indexed_sessions".into(), self.sessions.len() as u64);
        gauges.insert("held.written_paths".into(), self.written.len() as u64);
    }

    /// Brings the entries of one mission up to its state; drops them when it left memory.
    pub fn publish(&self, core: &Core, id: &MissionId) {
        let Some(mission) = core.mission(id) else {
            self.sessions.retain(|_, e| e.mission != *id);
            self.written.remove(id);
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
        project: PathBuf::from(&mission.created.worktree),
        directory: PathBuf::from(directory),
        todo: mission.created.options.todo.clone(),
        may: super::core::may_write(mission, Some(attempt)).map(|_| declared(attempt).into()),
        rules: mission.created.options.rules().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_write_tool_wrote_since_the_last_look_is_nobodys_shell() {
        let (index, m) = (Index::default(), MissionId::from("m1"));
        let changed = || vec!["a".to_owned(), "b".to_owned()];
        index.writes(&m, "a".into());
        assert_eq!(index.not_written(&m, Instant::now(), changed()), ["b"], "before the first look");
        tokio::time::advance(TOOL_TIME / 2).await;
        index.not_written(&m, Instant::now(), Vec::new());
        assert_eq!(index.not_written(&m, Instant::now(), changed()), ["b"], "it may be writing still");
        tokio::time::advance(TOOL_TIME).await;
        index.not_written(&m, Instant::now(), Vec::new());
        assert_eq!(index.not_written(&m, Instant::now(), changed()), ["a", "b"]);
        for n in 0..MAX_PATHS {
            index.writes(&m, format!("f{n}"));
        }
        assert_eq!(
            index.not_written(&m, Instant::now(), changed()),
            [""; 0],
            "not all are known, so nobody is blamed"
        );
        assert_eq!(index.written.get(&m).map(|w| w.paths.len()), Some(MAX_PATHS));
    }
}
