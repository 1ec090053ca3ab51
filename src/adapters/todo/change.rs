//! One change of the plan file: read version N, change it, write N+1 only if N is still there.
//!
//! Writers of Gantry take turns under a lock. Editors do not know it, so the bytes are compared once more right
//! before the rename, and when they have changed the same edit is made on the new text. The rename is what
//! publishes: a reader, and whoever looks after a crash, finds the old text or the new one.
use super::base::Bases;
use super::lock::Lock;
use super::versions::Versions;
use crate::domain::todo::{Document, NoSection, TodoItem, temp_file_name};
use crate::ports::workspace::WorkspaceError;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A plan file is read whole; what is larger is not one.
const MAX_BYTES: u64 = 4 << 20;

/// Rounds lost against another program before giving up.
const ROUNDS: usize = 20;

/// Links followed from the name to the file; the limit of Linux.
const MAX_LINKS: usize = 40;

/// What to begin with where there is no file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IfMissing {
    StartEmpty,
    /// The last version that was written.
    Restore,
}

/// Makes one edit and answers with the version the file has then. The edit gets the text, what Gantry wrote of the
/// mission last and the version to write, says whether it changed the text, and may be called several times.
pub(super) fn change(
    home: &Path,
    file: &Path,
    mission: &str,
    if_missing: IfMissing,
    edit: impl FnMut(&mut Document, &mut Vec<TodoItem>, u64) -> Result<bool, NoSection>,
) -> Result<u64, WorkspaceError> {
    let target = resolve(file).map_err(|error| fault(file, &error))?;
    let version = change_locked(home, (file, &target), mission, if_missing, edit)?;
    // The name is made to last after the lock is given back: the next writer need not wait for that. It is done
    // where nothing was changed, too: an earlier call that did the work may have been killed before it came here.
    sync_folder(&target).map_err(|error| fault(file, &error))?;
    Ok(version)
}

fn change_locked(
    home: &Path,
    (file, target): (&Path, &Path),
    mission: &str,
    if_missing: IfMissing,
    mut edit: impl FnMut(&mut Document, &mut Vec<TodoItem>, u64) -> Result<bool, NoSection>,
) -> Result<u64, WorkspaceError> {
    let folder = home.join(key(target));
    let (_lock, mut versions) = open(&folder).map_err(|error| fault(&folder, &error))?;
    let bases = Bases::new(&folder);
    let keep = |version: u64, items: &[TodoItem]| {
        bases.keep(mission, version, items).map_err(|error| fault(&folder, &error))
    };
    for _ in 0..ROUNDS {
        let old = read(target).map_err(|error| fault(file, &error))?;
        let base = match (&old, if_missing) {
            (Some((text, _)), _) => text.clone(),
            (None, IfMissing::Restore) => versions.newest_text().unwrap_or_default(),
            (None, IfMissing::StartEmpty) => String::new(),
        };
        let mut document = Document::parse(&base);
        let next = document.version().max(versions.newest()).saturating_add(1);
        let stamped = document.section_version(mission);
        let known =
            stamped.and_then(|version| bases.read(mission, version)).or_else(|| bases.newest(mission));
        // Written by a Gantry that kept none: what stands there is taken for what was meant.
        let base = known.unwrap_or_else(|| document.items(mission));
        let mut written = base.clone();
        let changed = edit(&mut document, &mut written, next).map_err(|NoSection| WorkspaceError::File {
            path: file.display().to_string(),
            reason: "the section of this mission was removed; publish its plan again to go on".into(),
        })?;
        let stamp = document.section_version(mission).unwrap_or(next);
        if !changed && old.is_some() {
            if written != base {
                keep(stamp, &written)?;
            }
            return Ok(document.version());
        }
        keep(stamp, &written)?;
        let text = document.render();
        if replace(target, old.as_ref(), &text).map_err(|error| fault(file, &error))? {
            bases.drop_old(mission, stamp, &document.missions());
            if let Err(error) = versions.keep(document.version(), &text) {
                tracing::warn!(folder = %folder.display(), %error, "no copy of the plan file was kept");
            }
            return Ok(document.version());
        }
    }
    Err(WorkspaceError::File {
        path: file.display().to_string(),
        reason: "another program keeps changing it; close what has it open and try again".into(),
    })
}

fn temp_name(file: &Path) -> PathBuf {
    file.with_file_name(temp_file_name(&file.file_name().unwrap_or_default().to_string_lossy()))
}

fn open(folder: &Path) -> io::Result<(Lock, Versions)> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let lock = Lock::take(folder)?;
    Ok((lock, Versions::open(folder.into())?))
}

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
fn replace(target: &Path, old: Option<&(String, Permissions)>, text: &str) -> io::Result<bool> {
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
fn sync_folder(target: &Path) -> io::Result<()> {
    match target.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
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
        ErrorKind::NotFound | ErrorKind::NotADirectory => "its folder does not exist; create it".into(),
        _ => error.to_string(),
    };
    WorkspaceError::File { path: path.display().to_string(), reason }
}
