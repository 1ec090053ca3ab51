//! One running host process: captured output, ended with its whole process group.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A process in a group of its own. Dropping it kills the group.
pub struct HostProcess {
    child: Child,
    stdout: Capture,
    stderr: Capture,
}

/// A process that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Absent when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl HostProcess {
    /// Starts the command without standard input: the host would read a prompt from it.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
        let stdout = Capture::start(child.stdout.take().context("no stdout pipe")?);
        let stderr = Capture::start(child.stderr.take().context("no stderr pipe")?);
        Ok(Self { child, stdout, stderr })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the end. On a timeout the process goes on and the error holds its output.
    pub fn wait(&mut self, timeout: Duration) -> Result<Finished> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(self.finished(status));
            }
            if Instant::now() >= deadline {
                bail!(
                    "the host runs after {timeout:?}\nstdout:\n{}\nstderr:\n{}",
                    self.stdout(),
                    self.stderr()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGINT to the process alone, as Ctrl-C of a shell without job control.
    pub fn interrupt(&self) {
        signal(self.child.id(), Signal::INT);
    }

    /// `kill -9` of the host alone: what it started lives on and has to notice.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn finished(&mut self, status: ExitStatus) -> Finished {
        // A grandchild that holds the pipe open must not make us wait for ever.
        let patience = Duration::from_secs(2);
        Finished {
            code: status.code(),
            stdout: self.stdout.rest(patience),
            stderr: self.stderr.rest(patience),
        }
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        // Once the host is reaped its id may belong to someone else; what it left behind is then found by
        // the mark in its environment.
        if matches!(self.child.try_wait(), Ok(None)) {
            kill_group(self.child.id());
            let _ = self.child.wait();
        }
    }
}

/// SIGKILL to one process; one that is gone already is no error.
pub(super) fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = id(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// SIGKILL to a group that we made.
pub(crate) fn kill_group(leader: u32) {
    if let Some(pid) = id(leader) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

fn id(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Collects a pipe in a thread.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Capture {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = bytes.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, thread }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All of it once the pipe is closed, or what there is when that takes too long.
    fn rest(&self, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.text()
    }
}
