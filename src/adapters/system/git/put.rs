//! One file of a project replaced or removed in one stroke, never through a link and never over what came in between.
use super::super::markers::digest;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a file looked like from outside, to tell whether anybody has written it since.
pub(super) struct Stamp {
    path: PathBuf,
    /// None for what is no file: a folder may be in the way until what is in it has gone.
    seen: Option<(u64, Option<SystemTime>)>,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        let found = fs::symlink_metadata(path).ok().filter(|m| !m.is_dir());
        Self { path: path.to_path_buf(), seen: found.map(|m| (m.len(), m.modified().ok())) }
    }

    pub(super) fn exists(&self) -> bool {
        self.seen.is_some()
    }

    pub(super) fn unchanged(&self) -> io::Result<()> {
        if Self::of(&self.path).seen == self.seen {
            return Ok(());
        }
        Err(io::Error::other("it was edited just now"))
    }
}

/// Removes a file, and the folders that are empty without it.
pub(super) fn remove(root: &Path, path: &Path) -> io::Result<()> {
    let folder = folder(root, path, false)?;
    match fs::remove_file(root.join(path)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut empty = folder.as_path();
    while empty != root && fs::remove_dir(empty).is_ok() {
        empty = empty.parent().unwrap_or(root);
    }
    Ok(())
}

/// Puts a copy of `staged` in the place of a file; who may read it stays as it is there.
pub(super) fn put(root: &Path, path: &Path, staged: &Path, executable: bool) -> io::Result<()> {
    let target = root.join(path);
    let temp = beside(&folder(root, path, true)?, &target);
    clear(&temp)?;
    let written = write(staged, &temp, &target, executable).and_then(|()| fs::rename(&temp, &target));
    if written.is_err() {
        // Not made at all, as a rule.
        let _ = fs::remove_file(&temp);
    }
    written
}

/// Where a file waits to take the place of another. The same name each time, so that a repeat takes up what a process that
/// was killed has left.
fn beside(folder: &Path, target: &Path) -> PathBuf {
    folder.join(format!(".gantry-{}", digest(target)))
}

fn clear(temp: &Path) -> io::Result<()> {
    if fs::symlink_metadata(temp).is_ok() { fs::remove_file(temp) } else { Ok(()) }
}

/// A file that stands ready on the very file system of its target, so that taking its place needs no room any more.
pub(super) struct Ready {
    temp: PathBuf,
}

impl Ready {
    /// In the folder of its target; above it, where that is still to be made.
    pub(super) fn write(root: &Path, path: &Path, staged: &Path, executable: bool) -> io::Result<Self> {
        let target = root.join(path);
        let folders = folders(root, path);
        let temp = beside(folders.last().map_or(root, PathBuf::as_path), &target);
        clear(&temp)?;
        let ready = Self { temp };
        write(staged, &ready.temp, &target, executable)?;
        Ok(ready)
    }

    pub(super) fn put(self, root: &Path, path: &Path) -> io::Result<()> {
        folder(root, path, true)?;
        fs::rename(&self.temp, root.join(path))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // It has taken its place, as a rule.
        let _ = fs::remove_file(&self.temp);
    }
}

/// Removes what a process that was killed may have left of a file that stood ready.
pub(super) fn sweep(root: &Path, path: &Path) -> io::Result<()> {
    let target = root.join(path);
    folders(root, path).iter().try_for_each(|folder| clear(&beside(folder, &target)))
}

/// The folders on the way to a file that are there, without going through a link; first the root.
fn folders(root: &Path, path: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_path_buf()];
    for part in path.parent().into_iter().flat_map(Path::components) {
        let next = found.last().map_or(root, PathBuf::as_path).join(part);
        if !fs::symlink_metadata(&next).is_ok_and(|it| it.is_dir()) {
            break;
        }
        found.push(next);
    }
    found
}

#[cfg(unix)]
fn write(staged: &Path, temp: &Path, target: &Path, executable: bool) -> io::Result<()> {
    if let Ok(points_to) = fs::read_link(staged) {
        return std::os::unix::fs::symlink(points_to, temp);
    }
    fs::copy(staged, temp)?;
    if let Some(now) = fs::symlink_metadata(target).ok().filter(fs::Metadata::is_file) {
        use std::os::unix::fs::PermissionsExt;
        let mode = now.permissions().mode() & 0o777;
        // Whoever may read it may run it, as git does.
        let mode = if executable { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
        fs::set_permissions(temp, fs::Permissions::from_mode(mode))?;
    }
    fs::File::open(temp)?.sync_all()
}

/// Files have no modes there, and git writes links as files that hold their target. Only a file that is open for writing can
/// be synced.
#[cfg(not(unix))]
fn write(staged: &Path, temp: &Path, _target: &Path, _executable: bool) -> io::Result<()> {
    fs::copy(staged, temp)?;
    fs::OpenOptions::new().write(true).open(temp)?.sync_all()
}

/// The folder of a file. A link on the way would lead out of the place that was looked at.
fn folder(root: &Path, path: &Path, make: bool) -> io::Result<PathBuf> {
    let mut folder = root.to_path_buf();
    for part in path.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(io::Error::other(format!("{} is no folder any more", folder.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound && make => fs::create_dir(&folder)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(folder)
}
