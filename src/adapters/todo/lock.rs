//! Advisory locks of the operating system, across processes: they end with the process, however that ends.
//!
//! The system's call cannot be given up. So it is made on a thread that may be left behind (`files`), and a lock that
//! comes after the deadline is dropped at once. Asking again and again in pauses was tried: the longest waits were
//! five times the usual. So was a thread of its own for each wait: on a busy machine every thread that has to be woken
//! costs as much as a flush.
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use tokio::time::Instant;

pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(path: &Path, deadline: Instant) -> io::Result<Self> {
        let file = open(path)?;
        if !taken(file.try_lock())? {
            wait(&file, File::lock, deadline)?;
        }
        Ok(Self { _file: file })
    }

    /// None while somebody else has it.
    pub(super) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        let free = taken(file.try_lock())?;
        Ok(free.then_some(Self { _file: file }))
    }

    /// Together with others that take it like this. When it gets free all of them go on at once, where those that want it
    /// for themselves are woken one after another.
    pub(super) fn shared(path: &Path, deadline: Instant) -> io::Result<Self> {
        let file = open(path)?;
        if !taken(file.try_lock_shared())? {
            wait(&file, File::lock_shared, deadline)?;
        }
        Ok(Self { _file: file })
    }
}

fn taken(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn wait(file: &File, lock: fn(&File) -> io::Result<()>, deadline: Instant) -> io::Result<()> {
    lock(file)?;
    if Instant::now() < deadline { Ok(()) } else { Err(ErrorKind::TimedOut.into()) }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_holder_at_a_time_and_none_after_its_deadline() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let (path, count) = (folder.path().join("lock"), folder.path().join("count"));
        std::fs::write(&count, "0").expect("written");
        let soon = || Instant::now() + Duration::from_secs(60);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::take(&path, soon()).expect("a turn");
                        let seen: u32 =
                            std::fs::read_to_string(&count).expect("text").parse().expect("a number");
                        std::fs::write(&count, (seen + 1).to_string()).expect("written");
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&count).expect("text"), "200");

        let held = Lock::take(&path, soon()).expect("free");
        assert!(Lock::try_take(&path).expect("asked").is_none());
        drop(held);
        for lock in [File::lock, File::lock_shared] {
            let file = open(&path).expect("opened");
            let error = wait(&file, lock, Instant::now()).expect_err("too late");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        assert!(Lock::try_take(&path).expect("asked").is_some(), "who gave up keeps nothing");
    }
}
