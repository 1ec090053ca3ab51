//! A process with everything it starts, ended together: a job object of Windows.
use super::watchdog::Watchdog;
use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

/// Kills the whole job when dropped. The kernel does so too when this process is gone and with it the job's last handle,
/// so there is no watchdog.
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
}

impl Group {
    pub(super) fn spawn(command: Command, _: Option<Arc<Watchdog>>) -> io::Result<Self> {
        let mut command = CommandWrap::from(command);
        command.wrap(KillOnDrop).wrap(JobObject);
        Ok(Self { child: command.spawn()? })
    }

    /// Standard input, output and error, once, where they were asked for.
    pub(super) fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin().take(), self.child.stdout().take(), self.child.stderr().take())
    }

    /// Until the first process ends; waiting for the job would wait for what it left running.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.inner_mut().wait().await
    }

    /// There is no way to ask a program without a window.
    pub(super) fn ask_to_end(&mut self) {
        self.kill();
    }

    /// Ends every process of the job now, also those that outlived their parent.
    pub(super) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
