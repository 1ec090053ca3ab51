//! The door for the user's own programs is not there on Windows yet. A named pipe is open to other users of the machine
//! unless it is given a security descriptor, which tokio takes through unsafe code alone; the panel would have to look for pipes, too.
use std::io;
use std::path::{Path, PathBuf};

const MISSING: &str = "Gantry has no local socket on Windows yet";

/// None is ever opened.
pub enum Door {}

impl Door {
    /// Why there is none on this system.
    pub const MISSING: Option<&str> = Some(
        "orders from beside OpenCode are not there on Windows yet: tell the Commander in the conversation",
    );

    pub fn open(_: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
    }

    pub fn all(_: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    pub async fn next(&self) -> io::Result<(tokio::io::Empty, tokio::io::Sink)> {
        match *self {}
    }

    pub async fn visit(_: &Path) -> io::Result<(tokio::io::Empty, tokio::io::Sink)> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
    }
}
