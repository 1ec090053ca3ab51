//! What Gantry wrote last of each mission's items, apart from what people made of it: `MISSION.VERSION.base`, beside the
//! kept versions. A base is written before the version it belongs to gets its name, so whoever reads a version finds
//! its base; those before it go afterwards.
use crate::domain::todo::{Document, TodoItem};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

pub(super) struct Bases<'a> {
    folder: &'a Path,
}

impl<'a> Bases<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder }
    }

    pub(super) fn read(&self, mission: &str, version: u64) -> Option<Vec<TodoItem>> {
        let text = std::fs::read_to_string(self.path(mission, version)).ok()?;
        Some(Document::parse(&text).items(mission))
    }

    /// The newest there is: for a section whose version a person has changed.
    pub(super) fn newest(&self, mission: &str) -> Option<Vec<TodoItem>> {
        let newest =
            self.all().filter(|(name, _)| *name == name_of(mission)).map(|(_, version)| version).max()?;
        self.read(mission, newest)
    }

    pub(super) fn keep(&self, mission: &str, version: u64, items: &[TodoItem]) -> io::Result<()> {
        let mut document = Document::parse("");
        document.set_section(mission, "", items, version);
        let unfinished = self.folder.join("unfinished.base");
        std::fs::write(&unfinished, document.render())?;
        std::fs::rename(unfinished, self.path(mission, version))
    }

    /// Drops what no section of the file needs any more, but for versions that are still to come into it. A reader
    /// that has the file before it reads both again.
    pub(super) fn drop_old(&self, sections: &[(String, u64)], published: u64) {
        let needed: Vec<_> = sections.iter().map(|(mission, version)| (name_of(mission), *version)).collect();
        self.retain(|base| base.1 > published || needed.contains(base));
    }

    pub(super) fn keep_only(&self, kept: impl Fn(u64) -> bool) {
        self.retain(|(_, of)| kept(*of));
    }

    fn retain(&self, keep: impl Fn(&(String, u64)) -> bool) {
        for base in self.all().filter(|base| !keep(base)).collect::<Vec<_>>() {
            // Left behind it is read by nobody, and dropped by the next write.
            let _ = std::fs::remove_file(self.folder.join(format!("{}.{}.base", base.0, base.1)));
        }
    }

    fn all(&self) -> impl Iterator<Item = (String, u64)> + use<> {
        let entries = std::fs::read_dir(self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| {
            let name = entry.file_name();
            let (mission, version) = name.to_str()?.strip_suffix(".base")?.rsplit_once('.')?;
            Some((mission.to_owned(), version.parse().ok()?))
        })
    }

    fn path(&self, mission: &str, version: u64) -> PathBuf {
        self.folder.join(format!("{}.{version}.base", name_of(mission)))
    }
}

/// Whatever a section calls its mission, it is a plain file name.
fn name_of(mission: &str) -> String {
    Sha256::digest(mission).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
