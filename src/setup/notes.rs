//! What is kept of each file that Gantry has written to: copies of it, and how it was without the entry.
use super::disk::Disk;
use super::edit::{self, Fault};
use super::install::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Copies of a file as it was before a change that are kept.
const BACKUPS: usize = 5;

/// Gantry's note on one file of the user's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    path: PathBuf,
    /// SHA-256 of the text that was written.
    wrote: String,
    /// SHA-256 of the text that it replaced, which stands there still where the writing was cut off.
    #[serde(default)]
    over: Option<String>,
    /// SHA-256 of the text without an entry, which is kept in `original`; none when there was no file.
    was: Option<String>,
    /// The list came with the entry.
    pub(super) list: bool,
}

impl Note {
    /// Whether nobody has changed the file since.
    pub(super) fn is_of(&self, text: &str) -> bool {
        let digest = digest(text);
        digest == self.wrote || Some(digest) == self.over
    }
}

/// What is to be kept of a file before it is written.
pub(super) struct Memo {
    note: Note,
    /// Takes the place of the one that is kept.
    original: Option<String>,
}

pub(super) struct Notes<'a> {
    pub(super) disk: &'a dyn Disk,
    /// Gantry's data folder.
    pub(super) home: &'a Path,
    pub(super) stamp: &'a dyn Fn() -> String,
}

impl Notes<'_> {
    /// The first text of the user's counts, through any number of updates. Where somebody has changed it since, or
    /// has written the entry by hand, it is the text there is without the entry.
    pub(super) fn memo(
        &self,
        path: &Path,
        before: Option<&str>,
        after: &str,
        ours: &dyn Fn(&Value) -> bool,
    ) -> Result<Memo, Error> {
        let (wrote, over) = (digest(after), before.map(digest));
        let known = self.note(path)?;
        if let (Some(known), Some(text)) = (&known, before)
            && known.is_of(text)
        {
            return Ok(Memo { note: Note { wrote, over, ..known.clone() }, original: None });
        }
        let config = |fault: Fault| Error::Config { path: path.to_owned(), fault };
        let (list, original) = match before {
            Some(text) if edit::count(text, ours).map_err(config)? > 0 => {
                let list = known.is_some_and(|known| known.list);
                (list, Some(edit::remove(text, list, ours).map_err(config)?.text))
            }
            _ => (before.is_none_or(|text| !edit::has_list(text)), before.map(str::to_owned)),
        };
        let was = original.as_deref().map(digest);
        let note = Note { path: path.to_owned(), wrote, over, was, list };
        Ok(Memo { note, original: Some(original.unwrap_or_default()) })
    }

    pub(super) fn remember(&self, path: &Path, memo: &Memo) -> Result<(), Error> {
        if let Some(original) = &memo.original {
            self.keep(&self.folder(path).join("original"), original.as_bytes())?;
        }
        let text = serde_json::to_vec_pretty(&memo.note).unwrap_or_default();
        self.keep(&self.folder(path).join("note.json"), &text)
    }

    pub(super) fn note(&self, path: &Path) -> Result<Option<Note>, Error> {
        let file = self.folder(path).join("note.json");
        let bytes = self.disk.read(&file).map_err(|reason| Error::Disk {
            path: file,
            what: "cannot be read",
            reason,
        })?;
        // A note that cannot be read counts as none: the entry alone is taken out then.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The text from before the installation, where it is kept whole; within it, none when there was no file.
    pub(super) fn original(&self, path: &Path, note: &Note) -> Result<Option<Option<String>>, Error> {
        let Some(was) = &note.was else { return Ok(Some(None)) };
        let file = self.folder(path).join("original");
        let bytes = self.disk.read(&file);
        let bytes = bytes.map_err(|reason| Error::Disk { path: file, what: "cannot be read", reason })?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.filter(|text| digest(text) == *was).map(Some))
    }

    pub(super) fn forget(&self, path: &Path) -> Result<(), Error> {
        let folder = self.folder(path);
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

    pub(super) fn back_up(&self, path: &Path, text: &str) -> Result<PathBuf, Error> {
        let folder = self.folder(path);
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

    /// The folder of what is kept about one file.
    fn folder(&self, path: &Path) -> PathBuf {
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
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
