//! The few things the installer does to files, so that a test can let any of them fail or be the last one.
use super::access;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pause between two tries to get a lock.
const LOCK_STEP: Duration = Duration::from_millis(50);

pub use super::access::Access;

pub trait Disk {
    /// Nothing when there is no such file; links are followed.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    fn access(&self, path: &Path) -> io::Result<Access>;
    /// Where the links lead; the path itself where there is nothing.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// A new file, on the disk when this returns.
    fn write_new(&self, path: &Path, bytes: &[u8], access: Option<Access>) -> io::Result<()>;
    /// On the disk when this returns.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// No error when it is not there.
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Held until it is dropped, or the process ends in whatever way.
    fn lock(&self, path: &Path, patience: Duration) -> io::Result<Box<dyn Send>>;
}

/// The file system itself.
pub struct RealDisk;

impl Disk for RealDisk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn access(&self, path: &Path) -> io::Result<Access> {
        fs::metadata(path).map(|meta| Access::of(&meta))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        match fs::canonicalize(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A link to nowhere: the file comes to be where it points.
                match fs::read_link(path) {
                    Ok(target) => Ok(path.parent().unwrap_or(Path::new("/")).join(target)),
                    Err(_) => Ok(path.to_owned()),
                }
            }
            resolved => resolved,
        }
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8], access: Option<Access>) -> io::Result<()> {
        // Nobody else reads it before it has the rights of the file it stands for.
        let mut file = access::private(OpenOptions::new().write(true).create_new(true)).open(path)?;
        if let Some(access) = access {
            access.give(&file)?;
        }
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        to.parent().map_or(Ok(()), access::sync_folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<io::Result<Vec<_>>>()?;
        found.sort();
        Ok(found)
    }

    fn lock(&self, path: &Path, patience: Duration) -> io::Result<Box<dyn Send>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(file)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if waited >= patience => {
                    return Err(io::Error::new(ErrorKind::WouldBlock, "another gantry install is running"));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(LOCK_STEP);
                    waited += LOCK_STEP;
                }
            }
        }
    }
}
