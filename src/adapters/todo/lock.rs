//! One writer at a time, across processes.
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// A write takes a few milliseconds; whoever holds the lock this long has been stopped, or its disk has.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(3);

/// An advisory lock of the operating system: it ends with the process, however that ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits in short pauses rather than inside the system call: a thread that cannot be woken would keep the
    /// whole program from ending.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let (mut pause, mut waited) = (FIRST_PAUSE, Duration::ZERO);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if waited < PATIENCE => {
                    std::thread::sleep(pause);
                    waited += pause;
                    pause = (pause * 3 / 2).min(LONGEST_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let text =
                        format!("another process has held {} for 10 s; end it and try again", path.display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
            }
        }
    }
}
