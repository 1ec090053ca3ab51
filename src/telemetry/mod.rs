//! Logs: JSON lines in a file of the temp folder, for stdout belongs to the protocol.
use std::fs;
use std::path::{Path, PathBuf};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

const FILE: &str = "opencode-orchestrator.log";
/// At this size the log of earlier runs is set aside when a new one begins; one such file is kept.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Where the log is.
pub fn log_path() -> PathBuf {
    std::env::temp_dir().join(FILE)
}

/// Logs until the guard is dropped, which also writes what is still waiting. Without a file that can be written there
/// is no log: a mission matters more. Level from `GANTRY_LOG` (`info` when unset).
pub fn start() -> Option<WorkerGuard> {
    let path = log_path();
    rotate(&path);
    let file = fs::OpenOptions::new().create(true).append(true).open(&path).ok()?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let level = std::env::var("GANTRY_LOG").unwrap_or_else(|_| "info".into());
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(writer)
        .with_env_filter(filter)
        .with_current_span(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).ok()?;
    std::panic::set_hook(Box::new(|info| tracing::error!(%info, "panic")));
    Some(guard)
}

fn rotate(path: &Path) {
    if fs::metadata(path).is_ok_and(|m| m.len() > MAX_BYTES) {
        // Another process may be doing the same; either way the log goes on.
        let _ = fs::rename(path, path.with_extension("log.1"));
    }
}
