//! What is left behind when the process breaks down: the last lines of the log, and how far each journal was.
use super::place;
use crate::domain::mask::masked;
use parking_lot::Mutex;
use std::backtrace::Backtrace;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of the log in a report.
const LINES: usize = 200;
/// Longest of them, in bytes: one may hold an error's whole text.
const LINE: usize = 16 << 10;
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
    /// Kept as it is: it is masked when a report is made, which is seldom.
    pub fn line(&self, line: &str) {
        let line = line.trim_end();
        let line = if line.len() > LINE { cut(&masked(line)) } else { line.to_owned() };
        let mut lines = self.lines.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn position(&self, mission: String, seq: u64) {
        let mut positions = self.positions.lock();
        positions.insert(mission, seq);
        // Ids begin with the time they were made.
        while positions.len() > POSITIONS {
            positions.pop_first();
        }
    }

    /// Writes a report into `folder`; the newest few are kept. Where the disk is full it is cut short.
    pub fn report(&self, folder: &Path, stamp: &str, what: &dyn fmt::Display) -> io::Result<PathBuf> {
        let path = folder.join(format!("crash-{stamp}.txt"));
        place::make_folder(&path)?;
        // First, for the old ones may hold the room that the new one needs.
        prune(folder);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        let text = self.text(stamp, what);
        if let Err(error) = file.write_all(text.as_bytes()) {
            if file.metadata()?.len() == 0 {
                fs::remove_file(&path)?;
            }
            return Err(error);
        }
        Ok(path)
    }

    fn text(&self, stamp: &str, what: &dyn fmt::Display) -> String {
        let mut text = format!("gantry {} broke down at {stamp}\n\n", env!("CARGO_PKG_VERSION"));
        text +=
            &format!("{}\n\nJournals, with the number of their last record:\n", masked(&what.to_string()));
        for (mission, seq) in &*self.positions.lock() {
            text += &format!("  {mission}: {seq}\n");
        }
        text += "\nThe last lines of the log:\n";
        let lines = self.lines.lock().clone();
        for line in &lines {
            text += &format!("  {}\n", masked(line));
        }
        text + &format!("\n{}\n", Backtrace::force_capture())
    }
}

fn cut(line: &str) -> String {
    format!("{}…", &line[..line.floor_char_boundary(LINE)])
}

/// Leaves room for one more. What cannot be removed may have been by another process, and no report is missed for it.
fn prune(folder: &Path) {
    let mut reports: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    reports.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("crash-") && name.ends_with(".txt")
    });
    reports.sort();
    for old in reports.iter().rev().skip(REPORTS - 1) {
        let _ = fs::remove_file(old);
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
        recorder.line(&format!("{} token=abcdef123456", "x".repeat(2 * LINE)));
        fs::write(folder.path().join("crash-of-mine.sh"), "").expect("written");
        for n in 0..8 {
            recorder
                .report(folder.path(), &format!("{n}"), &"it broke with password=hunter22")
                .expect("written");
        }
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").flatten().map(|e| e.path()).collect();
        names.sort();
        assert_eq!(names.len(), REPORTS + 1, "another's file stays");
        let text = fs::read_to_string(&names[REPORTS - 1]).expect("text");
        assert!(
            text.contains("  m1: 7\n  m2: 1\n") && text.contains("line 102\n") && text.contains("line 299"),
            "{text}"
        );
        assert!(
            !text.contains("line 101\n") && !text.contains("abcdef") && !text.contains("hunter22"),
            "{text}"
        );
    }

    #[test]
    fn a_report_has_the_lines_that_no_file_took() {
        struct Nowhere;
        impl Write for Nowhere {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = Arc::new(Recorder::default());
        let layers = super::super::layers(recorder.clone(), || Nowhere, "info".into());
        tracing::subscriber::with_default(layers, || {
            tracing::info!("the line before");
            tracing::trace!(target: JOURNAL, mission = %"m1", seq = 3_u64);
        });
        let crashes = folder.path().join("crashes");
        let path = recorder.report(&crashes, "1", &"it broke").expect("written");
        let text = fs::read_to_string(path).expect("text");
        assert!(text.contains("the line before") && text.contains("  m1: 3\n"), "{text}");
    }
}
