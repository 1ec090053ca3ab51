//! Logs: JSON lines in a file of the temp folder, for stdout belongs to the protocol.
mod crash;
mod mask;
mod rotating;
#[cfg_attr(windows, path = "same_windows.rs")]
mod same;
mod tail;

use crash::{Positions, Recorder, Recording};
use mask::Masking;
use rotating::Rotating;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
pub use tail::Tail;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer};

const FILE: &str = "opencode-orchestrator.log";
/// At this size the log is set aside and a new one begun; one such part is kept.
const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// Lines that may wait to be written; further ones are dropped and counted. Room for all of them is taken at the start, 4 MB
/// for the 128,000 that are usual.
const LINES: usize = 4_096;

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
/// is no log: a mission matters more. Level from `GANTRY_LOG` (`info` when unset). A panic leaves a report in `crashes`.
pub fn start(crashes: PathBuf) -> Option<WorkerGuard> {
    let recorder = Arc::new(Recorder::default());
    report_panics(recorder.clone(), crashes);
    let file = Rotating::open(&log_path(), MAX_BYTES).ok()?;
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(Masking(file));
    let _ = DROPPED.set(writer.error_counter());
    let level = std::env::var("GANTRY_LOG").unwrap_or_else(|_| "info".into());
    let asked = EnvFilter::try_new(&level);
    let wrong = asked.as_ref().err().map(ToString::to_string);
    let filter = asked.unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = {
        let recorder = recorder.clone();
        move || Recording { inner: writer.clone(), recorder: recorder.clone() }
    };
    let lines = tracing_subscriber::fmt::layer().json().with_writer(writer).with_current_span(false);
    let journals = Targets::new().with_target(crash::JOURNAL, LevelFilter::TRACE);
    let layers = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(Positions(recorder).with_filter(journals));
    tracing::subscriber::set_global_default(layers).ok()?;
    if let Some(fault) = wrong {
        tracing::warn!(level, fault, "GANTRY_LOG is not understood; info is used");
    }
    Some(guard)
}

fn report_panics(recorder: Arc<Recorder>, crashes: PathBuf) {
    std::panic::set_hook(Box::new(move |info| {
        tracing::error!(%info, "panic");
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ").to_string();
        match recorder.report(&crashes, &stamp, info) {
            Ok(path) => tracing::error!(path = %path.display(), "a report was written"),
            Err(error) => tracing::error!(%error, "no report could be written"),
        }
    }));
}
