//! One change of the plan file, durable when it is answered.
//!
//! A change is made on the newest version, which need not be in the file yet, and becomes a version of its own; that
//! takes no flush. Then one of those that wait writes the newest version into the file, with the changes of all: so
//! eight writers wait for two flushes of the disk, not for eight. It is read version N, change it, write N+1 only if N
//! is still there: where the file is no version of Gantry's, because a person has saved it, the versions that wait are
//! given up, and everybody makes its change anew on what stands there.
use super::shelf::{Open, Shelf, Standing, Ticket};
use super::target::{fault, key, read, replace, resolve, sync_folder};
use crate::domain::todo::{Document, NoSection, TodoItem};
use crate::ports::workspace::WorkspaceError;
use std::fs::Permissions;
use std::io;
use std::path::{Path, PathBuf};
use tokio::time::Instant;

/// Rounds lost against another program before giving up.
const ROUNDS: usize = 20;

/// Times that a writer looks whether another one has done its work before it waits in line for the file.
const LOOKS: usize = 3;

/// What to begin with where there is no file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IfMissing {
    StartEmpty,
    /// The last version that was written.
    Restore,
}

/// Makes one edit and answers with the version it has. The edit gets the text, what Gantry wrote of the mission last and
/// the version to write, says whether it changed the text, and may be called several times. Others are waited for until
/// the deadline.
pub(super) fn change(
    home: &Path,
    file: &Path,
    mission: &str,
    if_missing: IfMissing,
    deadline: Instant,
    edit: impl FnMut(&mut Document, &mut Vec<TodoItem>, u64) -> Result<bool, NoSection>,
) -> Result<u64, WorkspaceError> {
    let target = resolve(file).map_err(|error| fault(file, &error))?;
    let shelf = Shelf::new(home.join(key(&target)), deadline);
    let mut change = Change { file, target, shelf: &shelf, mission, if_missing, edit };
    let version = change.rounds()?;
    // The name is made to last after the others may go on. It is done where nothing was changed, too: an earlier call
    // that did the work may have been killed before it came here.
    sync_folder(&change.target).map_err(|error| change.of_file(error))?;
    Ok(version)
}

struct Change<'a, E> {
    file: &'a Path,
    target: PathBuf,
    shelf: &'a Shelf,
    mission: &'a str,
    if_missing: IfMissing,
    edit: E,
}

enum Added {
    /// The file has the change.
    There(u64),
    Waits(Ticket),
    /// The file is no version of Gantry's.
    Foreign,
}

/// The text that the file has now.
type Found = Option<(String, Permissions)>;

impl<E> Change<'_, E>
where
    E: FnMut(&mut Document, &mut Vec<TodoItem>, u64) -> Result<bool, NoSection>,
{
    fn rounds(&mut self) -> Result<u64, WorkspaceError> {
        for _ in 0..ROUNDS {
            match self.add()? {
                Added::There(version) => return Ok(version),
                Added::Waits(ticket) => {
                    if self.see_published(ticket)? {
                        return Ok(ticket.version);
                    }
                }
                Added::Foreign => {
                    if let Some(version) = self.write_over()? {
                        return Ok(version);
                    }
                }
            }
        }
        Err(WorkspaceError::File {
            path: self.file.display().to_string(),
            reason: "another program keeps changing it; close what has it open and try again".into(),
        })
    }

    /// Makes the change on the newest version.
    fn add(&mut self) -> Result<Added, WorkspaceError> {
        let mut open = self.shelf.open().map_err(|error| self.of_shelf(error))?;
        let found = read(&self.target).map_err(|error| self.of_file(error))?;
        let Some(there) = version_of(&open, &found) else { return Ok(Added::Foreign) };
        let newest = open.versions.newest();
        let text = match found {
            Some((text, _)) if there == newest => text,
            _ => open.versions.newest_text().unwrap_or_default(),
        };
        let mark = open.mark.unwrap_or_default();
        let mut document = Document::parse(&text);
        if !self.edited(&open, &mut document)? {
            return Ok(if there == newest {
                Added::There(newest)
            } else {
                Added::Waits(mark.ticket(newest))
            });
        }
        let version = document.version();
        open.versions
            .keep(version, &document.render(), mark.published)
            .map_err(|error| self.of_shelf(error))?;
        Ok(Added::Waits(mark.ticket(version)))
    }

    /// Makes the edit and keeps what Gantry means the items to be; whether the text is another one.
    fn edited(&mut self, open: &Open<'_>, document: &mut Document) -> Result<bool, WorkspaceError> {
        let bases = self.shelf.bases();
        let next = document.version().max(open.versions.newest()).saturating_add(1);
        let stamped = document.section_version(self.mission);
        let exact = stamped.and_then(|version| bases.read(self.mission, version));
        let known = exact.clone().or_else(|| bases.newest(self.mission));
        // Written by a Gantry that kept none: what stands there is taken for what was meant.
        let mut written = known.unwrap_or_else(|| document.items(self.mission));
        let changed = (self.edit)(document, &mut written, next).map_err(|NoSection| self.no_section())?;
        if changed || exact.as_ref() != Some(&written) {
            let stamp = document.section_version(self.mission).unwrap_or(next);
            bases.keep(self.mission, stamp, &written).map_err(|error| self.of_shelf(error))?;
        }
        Ok(changed)
    }

    /// Waits until the file has the version, or writes it, with all that wait; false when it was given up.
    fn see_published(&self, ticket: Ticket) -> Result<bool, WorkspaceError> {
        let of_shelf = |error| self.of_shelf(error);
        for _ in 0..LOOKS {
            if let Some(_turn) = self.shelf.try_turn().map_err(of_shelf)? {
                return self.publish(ticket);
            }
            match self.shelf.standing_after_turn(ticket).map_err(of_shelf)? {
                Standing::InTheFile => return Ok(true),
                Standing::GivenUp => return Ok(false),
                Standing::Waits => {}
            }
        }
        let _turn = self.shelf.turn().map_err(of_shelf)?;
        self.publish(ticket)
    }

    /// Writes the newest version into the file. The caller has the turn.
    fn publish(&self, ticket: Ticket) -> Result<bool, WorkspaceError> {
        let open = self.shelf.open().map_err(|error| self.of_shelf(error))?;
        match open.mark.unwrap_or_default().standing(ticket) {
            Standing::InTheFile => return Ok(true),
            Standing::GivenUp => return Ok(false),
            Standing::Waits => {}
        }
        let found = match read(&self.target) {
            Ok(found) => found,
            Err(error) => return self.give_up(open, &None).and(Err(self.of_file(error))),
        };
        let (newest, text) = (open.versions.newest(), open.versions.newest_text());
        let (Some(text), Some(there)) = (text, version_of(&open, &found)) else {
            return self.give_up(open, &found).map(|()| false);
        };
        // Others go on making changes, for the next one who has the turn.
        drop(open);
        // Whoever wrote it may have been killed before it said so.
        let written = if there == newest { Ok(true) } else { replace(&self.target, found.as_ref(), &text) };
        let mut open = self.shelf.open().map_err(|error| self.of_shelf(error))?;
        match written {
            Ok(true) => open
                .published(&Document::parse(&text), newest)
                .map_err(|error| self.of_shelf(error))
                .map(|()| newest >= ticket.version),
            Ok(false) => self.give_up(open, &found).map(|()| false),
            // Whoever waits is told by its own try.
            Err(error) => self.give_up(open, &found).and(Err(self.of_file(error))),
        }
    }

    fn give_up(&self, mut open: Open<'_>, found: &Found) -> Result<(), WorkspaceError> {
        open.end_epoch(stamp(found)).map_err(|error| self.of_shelf(error))
    }

    /// Makes the change on what somebody else has left in the file; none when it was changed meanwhile.
    fn write_over(&mut self) -> Result<Option<u64>, WorkspaceError> {
        let _turn = self.shelf.turn().map_err(|error| self.of_shelf(error))?;
        let mut open = self.shelf.open().map_err(|error| self.of_shelf(error))?;
        let found = read(&self.target).map_err(|error| self.of_file(error))?;
        if version_of(&open, &found).is_some() {
            return Ok(None);
        }
        open.end_epoch(stamp(&found)).map_err(|error| self.of_shelf(error))?;
        let text = match (&found, self.if_missing) {
            (Some((text, _)), _) => text.clone(),
            (None, IfMissing::Restore) => open.versions.newest_text().unwrap_or_default(),
            (None, IfMissing::StartEmpty) => String::new(),
        };
        let mut document = Document::parse(&text);
        if !self.edited(&open, &mut document)? && found.is_some() {
            return Ok(Some(document.version()));
        }
        let (version, text) = (document.version(), document.render());
        if !replace(&self.target, found.as_ref(), &text).map_err(|error| self.of_file(error))? {
            return Ok(None);
        }
        open.versions
            .keep(version, &text, version)
            .and_then(|()| open.published(&document, version))
            .map_err(|error| self.of_shelf(error))?;
        Ok(Some(version))
    }

    fn of_file(&self, error: io::Error) -> WorkspaceError {
        fault(self.file, &error)
    }

    fn of_shelf(&self, error: io::Error) -> WorkspaceError {
        fault(self.shelf.folder(), &error)
    }

    fn no_section(&self) -> WorkspaceError {
        WorkspaceError::File {
            path: self.file.display().to_string(),
            reason: "the section of this mission was removed; publish its plan again to go on".into(),
        }
    }
}

/// The version that the file has, byte for byte, and on which the newest one builds.
fn version_of(open: &Open<'_>, found: &Found) -> Option<u64> {
    let (text, _) = found.as_ref()?;
    let version = Document::parse(text).version();
    let known = open.mark?.published <= version && open.versions.text(version)? == *text;
    known.then_some(version)
}

/// The version that the file says it has, whoever changed it since.
fn stamp(found: &Found) -> u64 {
    found.as_ref().map_or(0, |(text, _)| Document::parse(text).version())
}
