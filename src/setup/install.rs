//! `gantry install` and `gantry uninstall` on one folder of configuration.
//!
//! What is to be done is written down first (a copy of the file as it was, and what it will be), then the file is
//! replaced in one step. Cut off at any point, the file is the old one or the new one, and either way the next call
//! goes on from there.
use super::disk::{Access, Disk};
use super::edit::{self, Change, Fault, HostLine};
use super::entry;
use super::places;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Copies of a file as it was before a change that are kept.
const BACKUPS: usize = 5;
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path} {fault}")]
    Config { path: PathBuf, fault: Fault },
    #[error("{path} is a {what}, not a file: move it away and try again")]
    NotAFile { path: PathBuf, what: &'static str },
    #[error("{path} is not UTF-8 text: save it as UTF-8 and try again")]
    NotText { path: PathBuf },
    #[error("{path} is read-only: allow writing with \"chmod u+w {path}\" and try again")]
    ReadOnly { path: PathBuf },
    #[error("{path} was changed by somebody else in this very moment; nothing was written. Try again")]
    Changed { path: PathBuf },
    #[error("{path} {what}: {reason}. It is as it was")]
    Disk { path: PathBuf, what: &'static str, reason: io::Error },
    #[error(
        "{path} did not read back as it was written, and the copy from before was put back: check the disk"
    )]
    NotKept { path: PathBuf },
}

/// What was done to a file, or would be.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    pub path: PathBuf,
    pub change: Change,
    /// The text before and after; none where there is no file.
    pub before: Option<String>,
    pub after: Option<String>,
    /// The copy of the text before.
    pub backup: Option<PathBuf>,
}

/// Gantry's notes on one file of the user's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Note {
    path: PathBuf,
    /// SHA-256 of the text that was written.
    wrote: String,
    /// SHA-256 of the text before, which is kept in `original`; none when there was no file.
    was: Option<String>,
    /// The list came with the entry.
    list: bool,
}

#[derive(Clone, Copy)]
pub struct Installer<'a> {
    /// Which of the host's files.
    pub kind: places::Kind,
    pub disk: &'a dyn Disk,
    /// Gantry's data folder: copies and notes are kept in it.
    pub home: &'a Path,
    /// Makes names of copies that sort by age.
    pub stamp: &'a dyn Fn() -> String,
    /// Only say what would be done.
    pub dry_run: bool,
}

impl Installer<'_> {
    /// Adds the entry to the configuration in `folder`, or brings it up to date.
    pub fn install(&self, folder: &Path, entry: &Value, line: HostLine) -> Result<Vec<Outcome>, Error> {
        let ours = |element: &Value| entry::is_ours(element, folder);
        let _lock = self.lock()?;
        let texts = self.texts(folder)?;
        let Some(chosen) = places::choose(&texts, &ours) else { return Ok(Vec::new()) };
        let mut outcomes = Vec::new();
        for (path, text) in texts {
            let config = |fault| Error::Config { path: path.clone(), fault };
            if path == chosen {
                let edited = match &text {
                    None => edit::Edited {
                        text: edit::new_file(entry, self.kind.schema()),
                        change: Change::Added,
                    },
                    Some(text) => edit::add(text, entry, line, &ours).map_err(config)?,
                };
                let list = text.as_deref().is_none_or(|text| !edit::has_list(text));
                outcomes.push(self.put(path, text, Some(edited.text), edited.change, Some(list))?);
            } else if let Some(old) = &text
                && edit::count(old, &ours).is_ok_and(|n| n > 0)
            {
                // The host would load it twice.
                let edited = edit::remove(old, false, &ours).map_err(config)?;
                outcomes.push(self.put(path, text, Some(edited.text), edited.change, None)?);
            }
        }
        Ok(outcomes)
    }

    /// Takes every entry out of the configuration in `folder`: the bytes from before the installation where nobody has
    /// changed the file since, else all but the entry.
    pub fn uninstall(&self, folder: &Path) -> Result<Vec<Outcome>, Error> {
        let ours = |element: &Value| entry::is_ours(element, folder);
        let _lock = self.lock()?;
        let mut outcomes = Vec::new();
        for (path, text) in self.texts(folder)? {
            let Some(old) = &text else {
                self.forget(&path)?;
                continue;
            };
            let note = self.note(&path)?;
            let count = edit::count(old, &ours);
            let untouched = note.as_ref().filter(|n| n.wrote == digest(old) && count != Ok(0));
            let original = untouched.map(|note| self.original(&path, note)).transpose()?.flatten();
            let (after, change) = match original {
                Some(original) => (original, Change::Removed(count.unwrap_or(1))),
                None => {
                    let list = note.as_ref().is_some_and(|n| n.list);
                    let edited = edit::remove(old, list, &ours)
                        .map_err(|fault| Error::Config { path: path.clone(), fault })?;
                    (Some(edited.text), edited.change)
                }
            };
            let outcome = self.put(path.clone(), text, after, change, None)?;
            if !self.dry_run {
                self.forget(&path)?;
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// The entries in a folder.
    pub fn entries(&self, folder: &Path) -> Result<Vec<(PathBuf, Vec<Value>)>, Error> {
        let ours = |element: &Value| entry::is_ours(element, folder);
        let mut found = Vec::new();
        for (path, text) in self.texts(folder)? {
            if let Some(text) = text {
                let entries = edit::entries(&text, &ours)
                    .map_err(|fault| Error::Config { path: path.clone(), fault })?;
                found.push((path, entries));
            }
        }
        Ok(found)
    }

    fn texts(&self, folder: &Path) -> Result<Vec<(PathBuf, Option<String>)>, Error> {
        let read = |path: PathBuf| {
            let bytes = match self.disk.read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::IsADirectory => {
                    return Err(Error::NotAFile { path, what: "folder" });
                }
                Err(reason) => return Err(Error::Disk { path, what: "cannot be read", reason }),
            };
            match bytes.map(String::from_utf8).transpose() {
                Ok(text) => Ok((path, text)),
                Err(_) => Err(Error::NotText { path }),
            }
        };
        places::files(self.kind, folder).into_iter().map(read).collect()
    }

    /// Brings the file from `before` to `after`. `list`: an installation, and whether the list comes with the entry.
    fn put(
        &self,
        path: PathBuf,
        before: Option<String>,
        after: Option<String>,
        change: Change,
        list: Option<bool>,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome { path: path.clone(), change, before, after, backup: None };
        if self.dry_run || outcome.before == outcome.after {
            return Ok(outcome);
        }
        let disk = |what| {
            let path = path.clone();
            move |reason| Error::Disk { path, what, reason }
        };
        let target = self.disk.resolve(&path).map_err(disk("cannot be followed to where it points"))?;
        let access = match &outcome.before {
            Some(_) => Some(self.disk.access(&target).map_err(disk("cannot be looked at"))?),
            None => None,
        };
        if access.is_some_and(|a| a.read_only()) {
            return Err(Error::ReadOnly { path });
        }
        if let Some(before) = &outcome.before {
            outcome.backup = Some(self.back_up(&path, before)?);
        }
        if let (Some(list), Some(after)) = (list, &outcome.after) {
            self.remember(&path, outcome.before.as_deref(), after, list)?;
        }
        self.replace(&path, &target, &outcome, access)?;
        Ok(outcome)
    }

    fn replace(
        &self,
        path: &Path,
        target: &Path,
        outcome: &Outcome,
        access: Option<Access>,
    ) -> Result<(), Error> {
        let fault = |reason| Error::Disk { path: path.to_owned(), what: "cannot be written", reason };
        let now = |path: &Path| self.disk.read(path).map_err(fault);
        let bytes = |text: &Option<String>| text.as_ref().map(|t| t.as_bytes().to_vec());
        let Some(after) = &outcome.after else {
            if now(target)? != bytes(&outcome.before) {
                return Err(Error::Changed { path: path.to_owned() });
            }
            return self.disk.remove(target).map_err(fault);
        };
        let folder = target.parent().unwrap_or(Path::new("/"));
        self.disk.make_folder(folder).map_err(fault)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let fresh = format!(".{name}.gantry-");
        // Of one that was killed; the lock says that nobody is at it.
        let left = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&fresh));
        for old in self.disk.list(folder).map_err(fault)?.iter().filter(|path| left(path)) {
            self.disk.remove(old).map_err(fault)?;
        }
        let fresh = folder.join(format!("{fresh}{}", (self.stamp)()));
        let swap = || {
            self.disk.write_new(&fresh, after.as_bytes(), access).map_err(fault)?;
            // As late as can be; the moment between this look and the next line is left.
            if now(target)? != bytes(&outcome.before) {
                return Err(Error::Changed { path: path.to_owned() });
            }
            self.disk.rename(&fresh, target).map_err(fault)
        };
        if let Err(error) = swap() {
            // It may not have come to be; what counts is the first error.
            let _ = self.disk.remove(&fresh);
            return Err(error);
        }
        if now(target).is_ok_and(|there| there.as_deref() == Some(after.as_bytes())) {
            return Ok(());
        }
        if let Some(before) = &outcome.before {
            self.disk.write_new(&fresh, before.as_bytes(), access).map_err(fault)?;
            self.disk.rename(&fresh, target).map_err(fault)?;
        }
        Err(Error::NotKept { path: path.to_owned() })
    }

    // ---- copies and notes

    fn lock(&self) -> Result<Option<Box<dyn Send>>, Error> {
        if self.dry_run {
            return Ok(None);
        }
        let folder = self.home.join("install");
        let path = folder.join("lock");
        let locked = self.disk.make_folder(&folder).and_then(|()| self.disk.lock(&path, LOCK_PATIENCE));
        locked.map(Some).map_err(|reason| Error::Disk { path, what: "cannot be locked", reason })
    }

    /// The folder of what is kept about one file.
    fn notes(&self, path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let digest = digest(&path.to_string_lossy());
        self.home.join("install").join(format!("{name}-{}", digest.get(..12).unwrap_or_default()))
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let fault = |reason| Error::Disk { path: path.to_owned(), what: "cannot be written", reason };
        let folder = path.parent().unwrap_or(Path::new("/"));
        let fresh = path.with_extension("new");
        self.disk.make_folder(folder).map_err(fault)?;
        // Left by one that was cut off.
        self.disk.remove(&fresh).map_err(fault)?;
        self.disk.write_new(&fresh, bytes, None).map_err(fault)?;
        self.disk.rename(&fresh, path).map_err(fault)
    }

    fn back_up(&self, path: &Path, text: &str) -> Result<PathBuf, Error> {
        let folder = self.notes(path);
        let copy = folder.join(format!("{}.backup", (self.stamp)()));
        self.keep(&copy, text.as_bytes())?;
        let fault = |reason| Error::Disk { path: folder.clone(), what: "cannot be tidied", reason };
        let is_copy = |p: &PathBuf| p.extension().is_some_and(|e| e == "backup");
        let copies: Vec<_> = self.disk.list(&folder).map_err(fault)?.into_iter().filter(is_copy).collect();
        for old in copies.iter().rev().skip(BACKUPS) {
            self.disk.remove(old).map_err(fault)?;
        }
        Ok(copy)
    }

    /// The first text of the user's counts, through any number of updates.
    fn remember(&self, path: &Path, before: Option<&str>, after: &str, list: bool) -> Result<(), Error> {
        let known = self.note(path)?.filter(|note| before.is_some_and(|text| note.wrote == digest(text)));
        let first = || (before.map(digest), list);
        let (was, list) = known.as_ref().map_or_else(first, |n| (n.was.clone(), n.list));
        if known.is_none() {
            self.keep(&self.notes(path).join("original"), before.unwrap_or_default().as_bytes())?;
        }
        let note = Note { path: path.to_owned(), wrote: digest(after), was, list };
        let text = serde_json::to_vec_pretty(&note).unwrap_or_default();
        self.keep(&self.notes(path).join("note.json"), &text)
    }

    fn note(&self, path: &Path) -> Result<Option<Note>, Error> {
        let file = self.notes(path).join("note.json");
        let bytes = self.disk.read(&file).map_err(|reason| Error::Disk {
            path: file,
            what: "cannot be read",
            reason,
        })?;
        // A note that cannot be read counts as none: the entry alone is taken out then.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The text from before the installation, where it is kept whole; within it, none when there was no file.
    fn original(&self, path: &Path, note: &Note) -> Result<Option<Option<String>>, Error> {
        let Some(was) = &note.was else { return Ok(Some(None)) };
        let file = self.notes(path).join("original");
        let bytes = self.disk.read(&file);
        let bytes = bytes.map_err(|reason| Error::Disk { path: file, what: "cannot be read", reason })?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.filter(|text| digest(text) == *was).map(Some))
    }

    fn forget(&self, path: &Path) -> Result<(), Error> {
        if self.dry_run {
            return Ok(());
        }
        let folder = self.notes(path);
        for name in ["note.json", "original"] {
            let file = folder.join(name);
            self.disk.remove(&file).map_err(|reason| Error::Disk {
                path: file,
                what: "cannot be removed",
                reason,
            })?;
        }
        Ok(())
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
