//! `gantry install` and `gantry uninstall` on one folder of configuration.
//!
//! All files are read and looked at before the first is written. What is to be done to each is written down first (a
//! copy of the file as it was, and what it will be), then the file is replaced in one step. Cut off at any point, each
//! file is the old one or the new one, and either way the next call goes on from there; where one cannot be written,
//! those before it are put back.
use super::disk::{Access, Disk};
use super::edit::{self, Change, Fault, HostLine};
use super::entry;
use super::notes::{Memo, Notes};
use super::places::{self, Kind};
use serde_json::Value;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    #[error("{why}. But {path} was written already and could not be put back ({undo}){}", copy_of(.copy))]
    Half { why: Box<Error>, path: PathBuf, undo: Box<Error>, copy: Option<PathBuf> },
}

fn copy_of(copy: &Option<PathBuf>) -> String {
    copy.as_ref().map_or(String::new(), |copy| format!(": as it was before, it is in {}", copy.display()))
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

/// The entry for one of the host's files.
#[derive(Clone, Debug)]
pub struct Part {
    pub kind: Kind,
    pub entry: Value,
    pub line: HostLine,
    /// It is to stand there; else one that does is only brought up to date.
    pub wanted: bool,
}

#[derive(Clone, Copy)]
pub struct Installer<'a> {
    pub disk: &'a dyn Disk,
    /// Gantry's data folder: copies and notes are kept in it.
    pub home: &'a Path,
    /// Makes names of copies that sort by age.
    pub stamp: &'a dyn Fn() -> String,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// One file, and what is to be done to it.
struct Step {
    outcome: Outcome,
    /// Where the links of its path lead.
    target: PathBuf,
    /// Of the file that is there.
    access: Option<Access>,
    memo: Option<Memo>,
}

type Ours<'a> = &'a dyn Fn(&Value) -> bool;

impl Installer<'_> {
    /// Adds the entries to the configuration in `folder`, or brings them up to date: all of them, or none.
    pub fn install(&self, folder: &Path, parts: &[Part]) -> Result<Vec<Outcome>, Error> {
        let ours = |element: &Value| entry::is_ours(element, folder);
        let _lock = self.lock()?;
        let mut steps = Vec::new();
        for part in parts {
            self.add(folder, part, &ours, &mut steps)?;
        }
        self.carry_out(steps)
    }

    fn add(&self, folder: &Path, part: &Part, ours: Ours<'_>, steps: &mut Vec<Step>) -> Result<(), Error> {
        let texts = self.texts(part.kind, folder)?;
        let has_one = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| edit::count(text, ours).is_ok_and(|n| n > 0))
        };
        if !part.wanted && !texts.iter().any(|(_, text)| has_one(text)) {
            return Ok(());
        }
        let Some(chosen) = places::choose(part.kind, &texts, ours) else { return Ok(()) };
        for (path, text) in texts {
            let config = |fault| Error::Config { path: path.clone(), fault };
            if path == chosen {
                let edited = match &text {
                    None => edit::Edited {
                        text: edit::new_file(&part.entry, part.kind.schema()),
                        change: Change::Added,
                    },
                    Some(text) => edit::add(text, &part.entry, part.line, ours).map_err(config)?,
                };
                let memo = self.notes().memo(&path, text.as_deref(), &edited.text, ours)?;
                steps.push(self.step(path, text, Some(edited.text), edited.change, Some(memo))?);
            } else if part.kind != Kind::User
                && let Some(old) = text.as_ref().filter(|_| has_one(&text))
            {
                // The host may load it twice; in the user's folder it loads none of these.
                let edited = edit::remove(old, false, ours).map_err(config)?;
                steps.push(self.step(path, text, Some(edited.text), edited.change, None)?);
            }
        }
        Ok(())
    }

    /// Takes every entry out of the configuration in `folder`: the bytes from before the installation where nobody has
    /// changed the file since, else all but the entry.
    pub fn uninstall(&self, folder: &Path, kinds: &[Kind]) -> Result<Vec<Outcome>, Error> {
        let ours = |element: &Value| entry::is_ours(element, folder);
        let _lock = self.lock()?;
        let (mut steps, mut paths) = (Vec::new(), Vec::new());
        for kind in kinds {
            for (path, text) in self.texts(*kind, folder)? {
                paths.push(path.clone());
                if let Some(text) = text {
                    steps.push(self.taken_out(path, text, &ours)?);
                }
            }
        }
        let outcomes = self.carry_out(steps)?;
        if !self.dry_run {
            paths.iter().try_for_each(|path| self.notes().forget(path))?;
        }
        Ok(outcomes)
    }

    fn taken_out(&self, path: PathBuf, text: String, ours: Ours<'_>) -> Result<Step, Error> {
        let note = self.notes().note(&path)?;
        let count = edit::count(&text, ours);
        let untouched = note.as_ref().filter(|note| note.is_of(&text) && count != Ok(0));
        let original = untouched.map(|note| self.notes().original(&path, note)).transpose()?.flatten();
        // What counts as ours may be more now than it was then.
        let clean = |text: &Option<String>| text.as_ref().is_none_or(|t| edit::count(t, ours) == Ok(0));
        let (after, change) = match original.filter(clean) {
            Some(original) => (original, Change::Removed(count.unwrap_or(1))),
            None => {
                let list = note.is_some_and(|note| note.list);
                let edited = edit::remove(&text, list, ours)
                    .map_err(|fault| Error::Config { path: path.clone(), fault })?;
                (Some(edited.text), edited.change)
            }
        };
        self.step(path, Some(text), after, change, None)
    }

    fn texts(&self, kind: Kind, folder: &Path) -> Result<Vec<(PathBuf, Option<String>)>, Error> {
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
        places::in_order(kind, folder).into_iter().map(read).collect()
    }

    /// What brings the file from `before` to `after`, as far as can be told without writing.
    fn step(
        &self,
        path: PathBuf,
        before: Option<String>,
        after: Option<String>,
        change: Change,
        memo: Option<Memo>,
    ) -> Result<Step, Error> {
        let outcome = Outcome { path: path.clone(), change, before, after, backup: None };
        if outcome.before == outcome.after {
            return Ok(Step { outcome, target: path, access: None, memo });
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
        if access.is_some_and(Access::read_only) {
            return Err(Error::ReadOnly { path });
        }
        Ok(Step { outcome, target, access, memo })
    }

    /// All of them, or none where one cannot be.
    fn carry_out(&self, mut steps: Vec<Step>) -> Result<Vec<Outcome>, Error> {
        if !self.dry_run {
            for at in 0..steps.len() {
                let done = steps.get_mut(at).map_or(Ok(()), |step| self.put(step));
                if let Err(why) = done {
                    return Err(self.undone(steps.get(..=at).unwrap_or_default(), why));
                }
            }
        }
        Ok(steps.into_iter().map(|step| step.outcome).collect())
    }

    fn put(&self, step: &mut Step) -> Result<(), Error> {
        let outcome = &mut step.outcome;
        if outcome.before == outcome.after {
            return Ok(());
        }
        if let Some(before) = &outcome.before {
            outcome.backup = Some(self.notes().back_up(&outcome.path, before)?);
        }
        if let Some(memo) = &step.memo {
            self.notes().remember(&outcome.path, memo)?;
        }
        self.replace(step, step.outcome.before.as_deref(), step.outcome.after.as_deref())
    }

    /// Puts back what was written, the last first. A call that failed may have done its work all the same, so the one
    /// that failed is looked at too.
    fn undone(&self, steps: &[Step], why: Error) -> Error {
        for step in steps.iter().rev() {
            let (before, after) = (step.outcome.before.as_deref(), step.outcome.after.as_deref());
            let stands =
                self.disk.read(&step.target).is_ok_and(|now| now.as_deref() == after.map(str::as_bytes));
            if before != after
                && stands
                && let Err(undo) = self.replace(step, after, before)
            {
                let (path, copy) = (step.outcome.path.clone(), step.outcome.backup.clone());
                return Error::Half { why: Box::new(why), path, undo: Box::new(undo), copy };
            }
        }
        why
    }

    fn replace(&self, step: &Step, before: Option<&str>, after: Option<&str>) -> Result<(), Error> {
        let (path, target) = (&step.outcome.path, &step.target);
        let fault = |reason| Error::Disk { path: path.to_owned(), what: "cannot be written", reason };
        let now = |path: &Path| self.disk.read(path).map_err(fault);
        let is = |there: Option<Vec<u8>>, text: Option<&str>| there.as_deref() == text.map(str::as_bytes);
        let Some(after) = after else {
            if !is(now(target)?, before) {
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
            self.disk.write_new(&fresh, after.as_bytes(), step.access).map_err(fault)?;
            // As late as can be; the moment between this look and the next line is left.
            if !is(now(target)?, before) {
                return Err(Error::Changed { path: path.to_owned() });
            }
            self.disk.rename(&fresh, target).map_err(fault)
        };
        if let Err(error) = swap() {
            // It may not have come to be; what counts is the first error.
            let _ = self.disk.remove(&fresh);
            return Err(error);
        }
        if now(target).is_ok_and(|there| is(there, Some(after))) {
            return Ok(());
        }
        if let Some(before) = before {
            self.disk.write_new(&fresh, before.as_bytes(), step.access).map_err(fault)?;
            self.disk.rename(&fresh, target).map_err(fault)?;
        }
        Err(Error::NotKept { path: path.to_owned() })
    }

    fn notes(&self) -> Notes<'_> {
        Notes { disk: self.disk, home: self.home, stamp: self.stamp }
    }

    fn lock(&self) -> Result<Option<Box<dyn Send>>, Error> {
        if self.dry_run {
            return Ok(None);
        }
        let folder = self.home.join("install");
        let path = folder.join("lock");
        let locked = self.disk.make_folder(&folder).and_then(|()| self.disk.lock(&path, LOCK_PATIENCE));
        locked.map(Some).map_err(|reason| Error::Disk { path, what: "cannot be locked", reason })
    }
}
