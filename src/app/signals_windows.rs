//! What a user or the system sends to end this process.
use std::io;
use tokio::signal::windows::{CtrlC, ctrl_c};

pub(super) struct Signals(CtrlC);

impl Signals {
    /// From now on they do not end the process by themselves.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self(ctrl_c()?))
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        self.0.recv().await;
        "Ctrl+C"
    }
}
