//! One line that says where the mission stands.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// What `gantry missions --json` says of a mission; the rest of it is not needed here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mission {
    pub(super) id: String,
    pub(super) state: String,
    #[serde(default)]
    phase: Option<String>,
    done: u32,
    running: u32,
    waiting: u32,
    failed: u32,
    total: u32,
    pub(super) created_at: u64,
}

impl Mission {
    fn line(&self) -> String {
        let phase = self.phase.as_deref().unwrap_or(&self.state);
        if self.total == 0 {
            return phase.to_owned();
        }
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        let Self { done, running, waiting, total, .. } = self;
        format!("{phase}: {done} of {total} tasks done, {running} running, {waiting} waiting{failed}")
    }
}

/// Redraws a line on a terminal; elsewhere prints a line per change.
pub(super) struct Progress {
    started: Instant,
    terminal: bool,
    last: String,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), terminal: std::io::stderr().is_terminal(), last: String::new() }
    }

    pub(super) fn show(&mut self, mission: Option<&Mission>) {
        let line = mission.map_or_else(|| "starting the host".to_owned(), Mission::line);
        let elapsed = self.started.elapsed().as_secs_f64();
        let mut out = std::io::stderr().lock();
        // A terminal that went away is no reason to end the mission.
        if self.terminal {
            let _ = write!(out, "\r\x1b[2K{elapsed:6.1} s  {line}");
        } else if line != self.last {
            let _ = writeln!(out, "{elapsed:6.1} s  {line}");
        }
        let _ = out.flush();
        self.last = line;
    }

    /// Leaves the last line standing.
    pub(super) fn end(&self) -> Duration {
        if self.terminal {
            eprintln!();
        }
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_names_phase_and_counts() {
        let json = |phase: &str, total: u32, failed: u32| {
            let text = format!(
                r#"{{"id":"m1","title":"t","state":"running",{phase}"done":2,"running":1,"waiting":3,
                "failed":{failed},"total":{total},"createdAt":1}}"#
            );
            serde_json::from_str::<Mission>(&text).unwrap().line()
        };
        assert_eq!(json(r#""phase":"planning","#, 0, 0), "planning");
        assert_eq!(
            json(r#""phase":"executing","#, 6, 0),
            "executing: 2 of 6 tasks done, 1 running, 3 waiting"
        );
        assert_eq!(json("", 7, 1), "running: 2 of 7 tasks done, 1 running, 3 waiting, 1 failed");
    }
}
