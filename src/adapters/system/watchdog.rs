//! Ends the checks and language servers of a sidecar that was killed and could not do it itself.
//!
//! A second process of this program is told of every group that is started and ended. When its input ends, the sidecar
//! is gone: what is still running then is killed. (The kernel's parent-death signal would reach only the first process
//! of a group, and needs unsafe code.)
use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

/// Name of the subcommand that runs `watch`.
pub const COMMAND: &str = "watchdog";

/// Started with the first group; ends with this process.
pub struct Watchdog {
    program: PathBuf,
    running: Mutex<Option<(Child, ChildStdin)>>,
}

impl Watchdog {
    /// `program` is this one: its subcommand `watchdog` is run as the watchdog.
    pub fn new(program: PathBuf) -> Self {
        Self { program, running: Mutex::new(None) }
    }

    pub(super) fn started(&self, group: Pid) {
        self.tell(&format!("+{}\n", group.as_raw_nonzero()));
    }

    pub(super) fn ended(&self, group: Pid) {
        self.tell(&format!("-{}\n", group.as_raw_nonzero()));
    }

    /// Checks run without it as well as with it, so a watchdog that cannot be started or has died is a line in the log.
    fn tell(&self, line: &str) {
        let mut running = self.running.lock();
        let told = match running.as_mut() {
            Some((_, input)) => input.write_all(line.as_bytes()),
            None => start(&self.program).and_then(|(child, mut input)| {
                input.write_all(line.as_bytes())?;
                *running = Some((child, input));
                Ok(())
            }),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "no watchdog: processes would outlive this one if it were killed");
            *running = None;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some((mut child, input)) = self.running.lock().take() {
            drop(input);
            // It ends with its input; waiting leaves no zombie.
            let _ = child.wait();
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a part of the process port")]
fn start(program: &Path) -> io::Result<(Child, ChildStdin)> {
    let mut command = std::process::Command::new(program);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own: what is sent to the sidecar's group must not reach it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    let input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((child, input))
}

/// The other process: reads until the end of `input`, then kills the groups that were started and not ended.
pub fn watch(input: impl BufRead) {
    let mut groups = BTreeSet::new();
    for line in input.lines().map_while(Result::ok) {
        let Some(group) = line.get(1..).and_then(|id| id.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        if line.starts_with('+') {
            groups.insert(group.as_raw_nonzero());
        } else {
            groups.remove(&group.as_raw_nonzero());
        }
    }
    for group in groups.into_iter().filter_map(|id| Pid::from_raw(id.get())) {
        // One that has ended meanwhile is no fault.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}
