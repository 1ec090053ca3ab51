//! One writer at a time, across processes, and each in its turn.
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// A write takes a few milliseconds; whoever holds a lock this long has been stopped, or its disk has.
const PATIENCE: Duration = Duration::from_secs(10);

/// An advisory lock of the operating system: it ends with the process, however that ends.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Through a turnstile: whoever is next holds `turn` while it waits for `lock`, so a writer that comes back
    /// at once cannot overtake it (with one lock it did, and the unlucky waited a hundred times the usual).
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let _turn = wait(&folder.join("turn"), PATIENCE)?;
        Ok(Self { _file: wait(&folder.join("lock"), PATIENCE)? })
    }
}

/// The system wakes those that wait in the order in which they came, but its call cannot be given up. So it is
/// made by a thread of its own, on which nothing depends: when the wait is over first, the lock that it gets
/// later is dropped at once. (Asking again and again in pauses was tried: the longest waits were five times
/// the usual.)
fn wait(path: &Path, patience: Duration) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    let (answer, locked) = mpsc::channel();
    std::thread::Builder::new()
        .name("todo-lock".into())
        .spawn(move || answer.send(file.lock().map(|()| file)))?;
    locked.recv_timeout(patience).unwrap_or_else(|_| {
        let text = format!("another process has held {} for too long; end it and try again", path.display());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_a_sentence_and_leaves_nothing_locked() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("lock");
        let first = wait(&path, PATIENCE).expect("free");
        let error = wait(&path, Duration::from_millis(20)).expect_err("held");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().ends_with("for too long; end it and try again"), "{error}");
        drop(first);
        wait(&path, PATIENCE).expect("free again: the wait that was given up keeps nothing");
    }

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let count = folder.path().join("count");
        std::fs::write(&count, "0").expect("written");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::take(folder.path()).expect("a turn");
                        let seen: u32 =
                            std::fs::read_to_string(&count).expect("text").parse().expect("a number");
                        std::fs::write(&count, (seen + 1).to_string()).expect("written");
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&count).expect("text"), "200");
    }
}
