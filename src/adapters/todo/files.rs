//! The port, served: every call is one locked read-change-write on a thread that may block.
use super::change::{IfMissing, change};
use super::target::fault;
use super::watch::edited;
use crate::domain::todo::{Document, Edit, NoSection, TodoItem, TodoState};
use crate::ports::Fut;
use crate::ports::workspace::{Todo, TodoPlan, WorkspaceError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// A change takes a few milliseconds; whoever keeps others waiting this long has been stopped, or its disk has.
const PATIENCE: Duration = Duration::from_secs(10);

/// Threads that wait at one time. One whose patience is over stays where it is until the lock is free.
const THREADS: usize = 32;

/// Keeps locks and earlier versions below `todo/` of the data directory, so that a project gets its plan file
/// and nothing else.
pub struct TodoFiles {
    home: PathBuf,
    patience: Duration,
    threads: Arc<Semaphore>,
}

impl TodoFiles {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let threads = Arc::new(Semaphore::new(THREADS));
        Self { home: data_dir.into().join("todo"), patience: PATIENCE, threads }
    }

    #[cfg(test)]
    pub(super) fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn run(
        &self,
        file: PathBuf,
        mission: String,
        if_missing: IfMissing,
        edit: impl FnMut(&mut Document, &mut Vec<TodoItem>, u64) -> Result<bool, NoSection> + Send + 'static,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        let (home, deadline) = (self.home.clone(), Instant::now() + self.patience);
        Box::pin(async move {
            let path = file.clone();
            let work = async {
                let thread = self.threads.clone().acquire_owned().await;
                let work = move || {
                    let _thread = thread;
                    change(&home, &file, &mission, if_missing, deadline, edit)
                };
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
                    let path = path.display().to_string();
                    Err(WorkspaceError::File { path, reason: format!("the write was broken off: {error}") })
                })
            };
            // Who was in time to begin may take as long again to come to an end.
            let late = |_| Err(fault(&path, &ErrorKind::TimedOut.into()));
            timeout_at(deadline + self.patience, work).await.unwrap_or_else(late)
        })
    }
}

impl Todo for TodoFiles {
    fn publish(
        &self,
        root: PathBuf,
        file: String,
        plan: TodoPlan,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        Box::pin(async move {
            let file = root.join(file);
            make_folders(&root, &file)?;
            let mission = plan.mission.clone();
            self.run(file, mission, IfMissing::StartEmpty, move |document, base, version| {
                document.merge_section(&plan.mission, &plan.title, &plan.items, version, base, &seen);
                base.clone_from(&plan.items);
                Ok(true)
            })
            .await
        })
    }

    fn update(
        &self,
        file: PathBuf,
        mission: String,
        states: Vec<(String, TodoState)>,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        self.run(file, mission.clone(), IfMissing::Restore, move |document, base, version| {
            document.merge_states(&mission, &states, version, base, &seen)
        })
    }

    fn edited(&self, file: PathBuf, mission: String, known: Vec<Edit>) -> Fut<'_, Vec<Edit>> {
        Box::pin(edited(self.home.clone(), file, mission, known))
    }
}

/// A project that went away is not made again for its plan.
fn make_folders(root: &Path, file: &Path) -> Result<(), WorkspaceError> {
    match file.parent() {
        Some(folder) if root.is_dir() => std::fs::create_dir_all(folder).map_err(|error| fault(file, &error)),
        _ => Ok(()),
    }
}
