//! A process with everything it starts, ended together.
use super::watchdog::Watchdog;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// Kills the whole group when dropped. A descendant that moves itself to another group or session (a daemon)
/// is not caught; no portable means exists for that without privileges.
pub(super) struct Group {
    child: Child,
    id: Option<rustix::process::Pid>,
    watchdog: Option<Arc<Watchdog>>,
}

impl Group {
    pub(super) fn spawn(mut command: Command, watchdog: Option<Arc<Watchdog>>) -> io::Result<Self> {
        command.process_group(0);
        command.kill_on_drop(true);
        let child = command.spawn()?;
        let id = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let (Some(watchdog), Some(id)) = (&watchdog, id) {
            watchdog.started(id);
        }
        Ok(Self { id, watchdog, child })
    }

    /// Standard input, output and error, once, where they were asked for.
    pub(super) fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks every process of the group to end.
    pub(super) fn ask_to_end(&mut self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Ends every process of the group now, also those that outlived their parent.
    pub(super) fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        let _ = self.child.start_kill();
    }

    /// The id of a group stays taken while any process is in it. An empty group is no error.
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(id) = self.id {
            let _ = rustix::process::kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        if let (Some(watchdog), Some(id)) = (&self.watchdog, self.id) {
            watchdog.ended(id);
        }
    }
}
