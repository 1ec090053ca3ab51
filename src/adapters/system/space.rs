//! Room on disks, and the right to use it.
use std::io;
use std::path::Path;

/// Bytes that this user may still write on the file system of a path.
#[cfg(unix)]
pub fn free_space(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
pub fn free_space(_path: &Path) -> Option<u64> {
    None
}

/// Whether it is a folder in which this user may make files.
pub fn may_make_files(folder: &Path) -> bool {
    folder.is_dir() && check_writable(folder).is_ok()
}

/// Why this user cannot make files in a folder.
#[cfg(unix)]
pub(super) fn check_writable(folder: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The rights there are in lists that only an attempt asks; the file is gone when it is closed.
#[cfg(not(unix))]
pub(super) fn check_writable(folder: &Path) -> io::Result<()> {
    tempfile::Builder::new().prefix(".gantry-").tempfile_in(folder).map(drop)
}
