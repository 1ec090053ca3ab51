//! Room on disks, and the right to use it.
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
#[cfg(unix)]
pub fn may_make_files(folder: &Path) -> bool {
    use rustix::fs::Access;
    folder.is_dir() && rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
pub fn may_make_files(folder: &Path) -> bool {
    folder.is_dir()
}
