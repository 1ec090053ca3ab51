//! The port, served: every call is one locked read-change-write on a thread that may block.
use super::change::{IfMissing, change};
use crate::domain::todo::{Document, NoSection, TodoState};
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
        if_missing: IfMissing,
        edit: impl FnMut(&mut Document, u64) -> Result<bool, NoSection> + Send + 'static,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        let home = self.home.clone();
        Box::pin(async move {
            let path = file.display().to_string();
            tokio::task::spawn_blocking(move || change(&home, &file, if_missing, edit)).await.unwrap_or_else(
                |error| {
                    Err(WorkspaceError::File { path, reason: format!("the write was broken off: {error}") })
                },
            )
        })
    }
}

impl Todo for TodoFiles {
    fn publish(&self, file: PathBuf, plan: TodoPlan) -> Fut<'_, Result<u64, WorkspaceError>> {
        self.run(file, IfMissing::StartEmpty, move |document, version| {
            document.set_section(&plan.mission, &plan.title, &plan.items, version);
            Ok(true)
        })
    }

    fn update(
        &self,
        file: PathBuf,
        mission: String,
        states: Vec<(String, TodoState)>,
    ) -> Fut<'_, Result<u64, WorkspaceError>> {
        self.run(file, IfMissing::Restore, move |document, version| {
            document.set_states(&mission, &states, version)
        })
    }
}
