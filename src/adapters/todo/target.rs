//! The plan file itself: found behind its links, read whole, replaced in one stroke.
//!
//! The rename is what publishes: a reader, and whoever looks after a crash, finds the old text or the new one. Editors
//! know no lock, so the bytes are compared once more right before it.
use crate::domain::todo::temp_file_name;
use crate::ports::workspace::WorkspaceError;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A plan file is read whole; what is larger is not one.
const MAX_BYTES: u64 = 4 << 20;

/// Links followed from the name to the file; the limit of Linux.
const MAX_LINKS: usize = 40;

/// The file behind every symbolic link, the last name of which need not exist. A link is never replaced.
pub(super) fn resolve(file: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(file)?;
    for _ in 0..MAX_LINKS {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ErrorKind::IsADirectory.into());
        };
        let real = folder.canonicalize()?.join(name);
        match std::fs::read_link(&real) {
            Ok(to) => path = real.with_file_name("").join(to),
            Err(_) => return Ok(real),
        }
    }
    Err(io::Error::other("too many symbolic links; point it at a file"))
}

/// Folder name for a file: the same from every process, whatever name it came by.
pub(super) fn key(target: &Path) -> String {
    let hash = Sha256::digest(target.as_os_str().as_encoded_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn read(target: &Path) -> io::Result<Option<(String, Permissions)>> {
    let meta = match std::fs::metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        meta => meta?,
    };
    if meta.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !meta.is_file() {
        return Err(io::Error::other("it is no plain file; move it away"));
    }
    if meta.len() > MAX_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    match std::fs::read_to_string(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => Ok(Some((text?, meta.permissions()))),
    }
}

/// Puts `text` in the place of `old`; false when something else stands there by now.
pub(super) fn replace(target: &Path, old: Option<&(String, Permissions)>, text: &str) -> io::Result<bool> {
    // The rename below would go through all the same: it asks only the folder.
    if old.is_some_and(|(_, permissions)| permissions.readonly()) {
        return Err(ErrorKind::ReadOnlyFilesystem.into());
    }
    let temp = Temp::create(target)?;
    let mut file = &temp.file;
    file.write_all(text.as_bytes())?;
    if let Some((_, permissions)) = old {
        file.set_permissions(permissions.clone())?;
    }
    file.sync_all()?;
    if read(target)?.map(|(text, _)| text) != old.map(|(text, _)| text.clone()) {
        return Ok(false);
    }
    temp.publish(target)?;
    Ok(true)
}

/// Only Unix lets a folder be opened and synced; elsewhere the file system's own journal has to do.
pub(super) fn sync_folder(target: &Path) -> io::Result<()> {
    match target.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn temp_name(file: &Path) -> PathBuf {
    file.with_file_name(temp_file_name(&file.file_name().unwrap_or_default().to_string_lossy()))
}

/// The new text before it has its name. Always called the same, so that one a killed process has left is taken
/// away by the next writer.
struct Temp {
    path: PathBuf,
    file: File,
}

impl Temp {
    fn create(target: &Path) -> io::Result<Self> {
        let path = temp_name(target);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { path, file })
    }

    fn publish(self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, target)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Nothing is there any more once it is published, and nothing is to be done where it cannot be removed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What a person is told.
pub(super) fn fault(path: &Path, error: &io::Error) -> WorkspaceError {
    let reason = match error.kind() {
        ErrorKind::PermissionDenied => {
            "may not be written; give the user that runs Gantry the right to".into()
        }
        ErrorKind::ReadOnlyFilesystem => "is read-only; make it writable to have the plan kept in it".into(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full; make room and go on".into(),
        ErrorKind::IsADirectory => "is a folder; move it away or set another path for the plan file".into(),
        ErrorKind::InvalidData => {
            "is not UTF-8 text; save it as UTF-8 or set another path for the plan file".into()
        }
        ErrorKind::FileTooLarge => {
            "is larger than 4 MB; move it away or set another path for the plan file".into()
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file is in the way of its folder; move it away or set another path for the plan file".into()
        }
        ErrorKind::TimedOut => {
            "another process has kept it locked for too long; end that process and try again".into()
        }
        ErrorKind::NotFound => "its folder does not exist; create it".into(),
        _ => error.to_string(),
    };
    WorkspaceError::File { path: path.display().to_string(), reason }
}
