//! What is left behind when the process breaks down: the last lines of the log, and how far each journal was.
use crate::domain::mask::masked;
use parking_lot::Mutex;
use std::backtrace::Backtrace;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of the log in a report.
const LINES: usize = 200;
/// Missions whose position is remembered; those that were written last.
const POSITIONS: usize = 100;
/// Reports that are kept.
const REPORTS: usize = 5;
/// Target of the events that say how far a journal is.
pub const JOURNAL: &str = "gantry::journal";

/// The newest lines and positions.
#[derive(Default)]
pub struct Recorder {
    lines: Mutex<VecDeque<String>>,
    positions: Mutex<BTreeMap<String, u64>>,
}

impl Recorder {
    pub fn line(&self, line: &str) {
        let mut lines = self.lines.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(masked(line.trim_end()).into_owned());
    }

    fn position(&self, mission: String, seq: u64) {
        let mut positions = self.positions.lock();
        positions.insert(mission, seq);
        // Ids begin with the time they were made.
        while positions.len() > POSITIONS {
            positions.pop_first();
        }
    }

    /// Writes a report into `folder`; the newest few are kept.
    pub fn report(&self, folder: &Path, stamp: &str, what: &dyn fmt::Display) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("crash-{stamp}.txt"));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        writeln!(file, "gantry {} broke down at {stamp}\n", env!("CARGO_PKG_VERSION"))?;
        writeln!(file, "{}\n", masked(&what.to_string()))?;
        writeln!(file, "Journals, with the number of their last record:")?;
        for (mission, seq) in &*self.positions.lock() {
            writeln!(file, "  {mission}: {seq}")?;
        }
        writeln!(file, "\nThe last lines of the log:")?;
        for line in &*self.lines.lock() {
            writeln!(file, "  {line}")?;
        }
        writeln!(file, "\n{}", Backtrace::force_capture())?;
        let mut reports: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
        reports
            .retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("crash-")));
        reports.sort();
        for old in reports.iter().rev().skip(REPORTS) {
            fs::remove_file(old)?;
        }
        Ok(path)
    }
}

/// Takes the positions of journals out of the stream of events.
pub struct Positions(pub Arc<Recorder>);

#[derive(Default)]
struct Seen {
    mission: Option<String>,
    seq: Option<u64>,
}

impl Visit for Seen {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "seq" {
            self.seq = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "mission" {
            self.mission = Some(format!("{value:?}"));
        }
    }
}

impl<S: Subscriber> Layer<S> for Positions {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        if let (Some(mission), Some(seq)) = (seen.mission, seen.seq) {
            self.0.position(mission, seq);
        }
    }
}

/// Passes lines on and remembers them.
pub struct Recording<W> {
    pub inner: W,
    pub recorder: Arc<Recorder>,
}

impl<W: Write> Write for Recording<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.recorder.line(&String::from_utf8_lossy(line));
        self.inner.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn a_report_has_the_newest_lines_and_positions_and_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = Arc::new(Recorder::default());
        let subscriber = tracing_subscriber::registry().with(Positions(recorder.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: JOURNAL, mission = %"m1", seq = 3_u64);
            tracing::trace!(target: JOURNAL, mission = %"m1", seq = 7_u64);
            tracing::trace!(target: JOURNAL, mission = %"m2", seq = 1_u64);
        });
        for n in 0..300 {
            recorder.line(&format!("line {n}\n"));
        }
        recorder.line("apiKey=abcdef123456");
        for n in 0..8 {
            recorder
                .report(folder.path(), &format!("{n}"), &"it broke with password=hunter22")
                .expect("written");
        }
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").flatten().map(|e| e.path()).collect();
        names.sort();
        assert_eq!(names.len(), REPORTS);
        let text = fs::read_to_string(names.last().expect("one")).expect("text");
        assert!(
            text.contains("  m1: 7\n  m2: 1\n") && text.contains("line 101\n") && text.contains("line 299"),
            "{text}"
        );
        assert!(
            !text.contains("line 100\n") && !text.contains("abcdef") && !text.contains("hunter22"),
            "{text}"
        );
    }
}
