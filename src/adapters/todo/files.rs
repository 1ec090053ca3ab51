//! The port, served: every call is one locked read-change-write on a thread that may block.
use super::change::{IfMissing, change};
use super::watch::edited;
use crate::domain::todo::{Document, Edit, NoSection, TodoItem, TodoState};
use crate::ports::Fut;
use crate::ports::workspace::{Todo, TodoPlan, WorkspaceError};
use std::path::PathBuf;

/// Keeps locks and earlier versions below `todo/` of the data directory, so that a project gets its plan file
/// and nothing else.
pub struct TodoFiles {
    home: PathBuf,
}

impl TodoFiles {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { home: data_dir.into().join("todo") }
    }

    fn run(
        &self,
        file: PathBuf,
        mission: String,
        if_missing: IfMissing,
        edit: impl FnMut(&mut Document, &mut Vec<TodoItem>, u64) -> Result<bool, NoSection> + Send + 'static,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        let home = self.home.clone();
        Box::pin(async move {
            let path = file.display().to_string();
            let work = move || change(&home, &file, &mission, if_missing, edit);
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
                Err(WorkspaceError::File { path, reason: format!("the write was broken off: {error}") })
            })
        })
    }
}

impl Todo for TodoFiles {
    fn publish(
        &self,
        file: PathBuf,
        plan: TodoPlan,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        self.run(file, plan.mission.clone(), IfMissing::StartEmpty, move |document, base, version| {
            document.merge_section(&plan.mission, &plan.title, &plan.items, version, base, &seen);
            base.clone_from(&plan.items);
            Ok(true)
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
