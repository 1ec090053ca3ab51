//! Logs: JSON lines in a file, for stdout belongs to the protocol.
mod crash;
mod mask;
mod place;
mod rotating;
#[cfg_attr(windows, path = "same_windows.rs")]
mod same;
mod tail;

use crash::{Positions, Recorder, Recording};
use mask::Masking;
pub use place::Look;
use place::Places;
use rotating::Rotating;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
pub use tail::Tail;
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer};

/// At this size the log is set aside and a new one begun; one such part is kept.
const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// Lines that may wait to be written; further ones are dropped and counted. Room for all of them is taken at the start, 4 MB
/// for the 128,000 that are usual.
const LINES: usize = 4_096;

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();
/// Lines that no file took.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines that were lost because the disk was slower than the log, for nobody waits for it, or took none.
pub fn lines_dropped() -> u64 {
    DROPPED.get().map_or(0, |counter| counter.dropped_lines() as u64) + LOST.load(Ordering::Relaxed)
}

/// Where the log is: in the temp folder, or in `data` where that cannot be.
pub fn look(data: Option<&Path>) -> Look {
    places(data).look()
}

fn places(data: Option<&Path>) -> Places {
    Places::new(&std::env::temp_dir(), data)
}

/// Logs until the guard is dropped, which also writes what is still waiting. Where no file can be written to there is no
/// log, for a mission matters more; each line tries again. Level from `GANTRY_LOG` (`info` when unset). A panic leaves a
/// report in the folder `crashes` of `data`, whatever became of the log.
pub fn start(data: Option<&Path>) -> Option<WorkerGuard> {
    let recorder = Arc::new(Recorder::default());
    report_panics(recorder.clone(), data.map(|data| data.join("crashes")));
    let file = Rotating::new(places(data), MAX_BYTES);
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(Masking(file));
    let _ = DROPPED.set(writer.error_counter());
    let level = std::env::var("GANTRY_LOG").ok().filter(|level| !level.is_empty()).unwrap_or("info".into());
    let (filter, wrong) = match filter(&level) {
        Ok(filter) => (filter, None),
        Err(fault) => (EnvFilter::new("info"), Some(fault)),
    };
    tracing::subscriber::set_global_default(layers(recorder, move || writer.clone(), filter)).ok()?;
    if let Some(fault) = wrong {
        tracing::warn!(level, fault, "GANTRY_LOG is not understood; info is used");
    }
    Some(guard)
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    // A word alone that is no level would be taken for the only part of the program that may log.
    if !level.contains(['=', ',', ':']) {
        level.parse::<LevelFilter>().map_err(|fault| fault.to_string())?;
    }
    EnvFilter::try_new(level).map_err(|fault| fault.to_string())
}

/// What is logged goes to the recorder first, so that a report has it even where no file takes it.
fn layers<W: std::io::Write + 'static>(
    recorder: Arc<Recorder>,
    writer: impl Fn() -> W + Send + Sync + 'static,
    filter: EnvFilter,
) -> impl Subscriber + Send + Sync {
    let recording = {
        let recorder = recorder.clone();
        move || Recording { inner: writer(), recorder: recorder.clone() }
    };
    let lines = tracing_subscriber::fmt::layer().json().with_writer(recording).with_current_span(false);
    let journals = Targets::new().with_target(crash::JOURNAL, LevelFilter::TRACE);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(Positions(recorder).with_filter(journals))
}

fn report_panics(recorder: Arc<Recorder>, crashes: Option<PathBuf>) {
    std::panic::set_hook(Box::new(move |info| {
        tracing::error!(%info, "panic");
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ").to_string();
        let Some(crashes) = &crashes else { return };
        match recorder.report(crashes, &stamp, info) {
            Ok(path) => tracing::error!(path = %path.display(), "a report was written"),
            Err(error) => tracing::error!(%error, "no report could be written"),
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_not_known_does_not_switch_the_log_off() {
        for level in ["info", "WARN", "off", "gantry::rpc=debug,info", "gantry::mission=off,info"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for level in ["verbose", "al l", "gantry=loud"] {
            assert!(filter(level).is_err(), "{level}");
        }
    }
}
