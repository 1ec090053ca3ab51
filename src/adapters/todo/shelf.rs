//! What is kept of one plan file in the data directory: its locks, its last versions, what Gantry wrote of each mission,
//! and the mark that says which of the versions are in the file.
use super::base::Bases;
use super::lock::Lock;
use super::versions::Versions;
use crate::domain::todo::Document;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use tokio::time::Instant;

pub(super) struct Shelf {
    folder: PathBuf,
    /// When waiting for others ends.
    deadline: Instant,
}

/// The shelf while nobody else changes it.
pub(super) struct Open<'a> {
    shelf: &'a Shelf,
    _lock: Lock,
    pub(super) versions: Versions,
    /// None before the first version.
    pub(super) mark: Option<Mark>,
}

/// Which versions are in the file. Those of an epoch build on each other; it ends when the file is found changed by
/// somebody else, or cannot be written, and versions that are not in the file by then never come into it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    epoch: u64,
    /// The newest version in the file.
    pub(super) published: u64,
    /// The same at the end of the epoch before.
    before: u64,
}

/// A version that waits to come into the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ticket {
    epoch: u64,
    pub(super) version: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    InTheFile,
    Waits,
    /// Its change is to be made again.
    GivenUp,
}

impl Mark {
    pub(super) fn ticket(&self, version: u64) -> Ticket {
        Ticket { epoch: self.epoch, version }
    }

    pub(super) fn standing(&self, ticket: Ticket) -> Standing {
        let published = match self.epoch.checked_sub(ticket.epoch) {
            Some(0) if ticket.version > self.published => return Standing::Waits,
            Some(0) => true,
            Some(1) => ticket.version <= self.before,
            // Whoever slept through two epochs makes its change once more, which does no harm.
            _ => false,
        };
        if published { Standing::InTheFile } else { Standing::GivenUp }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { epoch: next()?, published: next()?, before: next()? })
    }

    /// Always as long, for it is written over the one before.
    fn render(&self) -> String {
        format!("{:020} {:020} {:020}\n", self.epoch, self.published, self.before)
    }
}

impl Shelf {
    pub(super) fn new(folder: PathBuf, deadline: Instant) -> Self {
        Self { folder, deadline }
    }

    pub(super) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    pub(super) fn open(&self) -> io::Result<Open<'_>> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)?;
        let lock = Lock::take(&self.folder.join("lock"), self.deadline)?;
        let versions = Versions::open(self.folder.clone())?;
        Ok(Open { shelf: self, _lock: lock, versions, mark: self.mark() })
    }

    /// The right to write the file, if nobody has it. It is taken before the shelf is opened, never while it is open.
    pub(super) fn try_turn(&self) -> io::Result<Option<Lock>> {
        Lock::try_take(&self.turn_file())
    }

    pub(super) fn turn(&self) -> io::Result<Lock> {
        Lock::take(&self.turn_file(), self.deadline)
    }

    /// Where a version stands when whoever writes the file at this moment is done. Without the shelf being opened, for all
    /// that wait may look at once.
    pub(super) fn standing_after_turn(&self, ticket: Ticket) -> io::Result<Standing> {
        let _nobody_writes = Lock::shared(&self.turn_file(), self.deadline)?;
        Ok(self.mark().unwrap_or_default().standing(ticket))
    }

    fn mark(&self) -> Option<Mark> {
        Mark::parse(&std::fs::read_to_string(self.folder.join("mark")).ok()?)
    }

    pub(super) fn bases(&self) -> Bases<'_> {
        Bases::new(&self.folder)
    }

    fn turn_file(&self) -> PathBuf {
        self.folder.join("writer")
    }
}

impl Open<'_> {
    /// `document`, version `version`, is in the file now.
    pub(super) fn published(&mut self, document: &Document, version: u64) -> io::Result<()> {
        let mark = Mark { published: version, ..self.mark.unwrap_or_default() };
        self.set(mark)?;
        self.shelf.bases().drop_old(&document.sections(), version);
        Ok(())
    }

    /// What is not in the file never comes into it. `seen` is the version that the file says it has: it may be there without
    /// the mark saying so, and is kept; as an answer to those that wait it does not count, for a person can write anything.
    pub(super) fn end_epoch(&mut self, seen: u64) -> io::Result<()> {
        // Without a mark, an earlier Gantry or a power cut before it, nobody waits and all that is kept was in the file.
        let all = self.mark.is_none();
        let mark = self.mark.unwrap_or_default();
        let in_the_file = |version: u64| all || version <= mark.published || version == seen;
        // First, so that nobody who waits takes a version for published whose number is used again.
        let published = mark.published.max(seen);
        self.set(Mark { epoch: mark.epoch + 1, published, before: mark.published })?;
        self.shelf.bases().keep_only(in_the_file);
        self.versions.keep_only(in_the_file)
    }

    /// Only by who has the turn. Written in place: a new file under an old name is flushed by some file systems, which
    /// would make every change of the plan slower than its own flush. One that a power cut has spoilt is none.
    fn set(&mut self, mark: Mark) -> io::Result<()> {
        let path = self.shelf.folder.join("mark");
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.write_all(mark.render().as_bytes())?;
        self.mark = Some(mark);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_where_a_version_stands() {
        use Standing::*;
        let mark = Mark { epoch: 5, published: 30, before: 20 };
        assert_eq!(Mark::parse(&mark.render()), Some(mark));
        assert_eq!([Mark::parse("1 2"), Mark::parse("a 2 3"), Mark::parse("")], [None; 3]);
        let table = [
            (5, 30, InTheFile),
            (5, 31, Waits),
            (4, 20, InTheFile),
            (4, 21, GivenUp),
            (3, 1, GivenUp),
            (6, 1, GivenUp),
        ];
        for (epoch, version, standing) in table {
            assert_eq!(mark.standing(Ticket { epoch, version }), standing, "{epoch} {version}");
        }
    }
}
