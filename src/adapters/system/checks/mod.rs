//! The project's own commands: which there are, and how one is run.
mod detect;
mod run;
mod words;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use super::watchdog::Watchdog;
use crate::domain::verdict::CheckResult;
use crate::ports::Fut;
use crate::ports::workspace::Checks;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the commands; what a killed process of ours leaves running is ended by its watchdog.
#[derive(Clone, Default)]
pub struct CommandChecks {
    watchdog: Option<Arc<Watchdog>>,
}

impl CommandChecks {
    pub fn watched(watchdog: Option<Arc<Watchdog>>) -> Self {
        Self { watchdog }
    }
}

impl Checks for CommandChecks {
    fn detect(&self, root: PathBuf) -> Fut<'_, Vec<String>> {
        Box::pin(async move {
            // A task that panics or is cut off at shutdown has found nothing.
            tokio::task::spawn_blocking(move || detect::commands(&root)).await.unwrap_or_default()
        })
    }

    fn run(&self, root: PathBuf, command: String, timeout_ms: u64) -> Fut<'_, CheckResult> {
        Box::pin(run::run(root, command, timeout_ms, self.watchdog.clone()))
    }
}
