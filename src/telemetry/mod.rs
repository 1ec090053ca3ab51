//! Logs: JSON lines in a file of the temp folder, for stdout belongs to the protocol.
mod rotating;

use rotating::Rotating;
use std::path::PathBuf;
use std::sync::OnceLock;
use tracing_appender::non_blocking::{ErrorCounter, WorkerGuard};
use tracing_subscriber::EnvFilter;

const FILE: &str = "opencode-orchestrator.log";
/// At this size the log is set aside and a new one begun; one such part is kept.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Lines that were lost because the disk was slower than the log: nobody waits for it.
pub fn lines_dropped() -> u64 {
    DROPPED.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

/// Where the log is.
pub fn log_path() -> PathBuf {
    std::env::temp_dir().join(FILE)
}

/// Logs until the guard is dropped, which also writes what is still waiting. Without a file that can be written there
/// is no log: a mission matters more. Level from `GANTRY_LOG` (`info` when unset).
pub fn start() -> Option<WorkerGuard> {
    let file = Rotating::open(&log_path(), MAX_BYTES).ok()?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let _ = DROPPED.set(writer.error_counter());
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
