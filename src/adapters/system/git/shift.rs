//! Files of the user's moved all or none.
//!
//! `git read-tree -u` was rejected: it stops half way when the disk is full, takes the place of whatever git does not see,
//! and leaves out what is outside of a sparse checkout without a word. Here all new files stand ready beside their
//! targets before the first of them takes its place, and what is in the way is looked for with the eyes of the file system.
use super::command::Git;
use super::diff::{self, Raw};
use super::place::Place;
use super::put::{Ready, Stamp, remove};
use super::restore::{Scratch, Staged, add, seen};
use super::snapshot::{names, path_of};
use crate::domain::rollback::Entry;
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use crate::ports::worktrees::Move;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A repository within the project that counts as its commit id.
const REPOSITORY: u32 = 0o160_000;
const EXECUTABLE: u32 = 0o111;
const LINK: u32 = 0o120_000;

/// One file that is to become another; none: it is not there, or is to go.
pub(super) struct Due {
    pub(super) path: PathBuf,
    name: Vec<u8>,
    from: Option<Entry>,
    to: Option<Entry>,
}

impl Due {
    pub(super) fn new(raw: Raw) -> Self {
        Self { path: path_of(&raw.name), name: raw.name, from: raw.from, to: raw.to }
    }

    /// What undoes it.
    pub(super) fn back(raw: Raw) -> Self {
        Self::new(Raw { from: raw.to, to: raw.from, ..raw })
    }

    fn file(&self) -> Option<&Entry> {
        self.to.as_ref().filter(|entry| entry.mode != REPOSITORY)
    }

    fn was_file(&self) -> Option<&Entry> {
        self.from.as_ref().filter(|entry| entry.mode != REPOSITORY)
    }
}

pub(super) enum Shifted {
    Done,
    /// Nothing was touched.
    Not(Move),
    /// Some files have taken their places, these new ones among them.
    Half {
        why: String,
        new: Vec<PathBuf>,
    },
}

/// Moves the project's files, which are those of `now`.
pub(super) async fn shift(git: &Git, place: &Place, now: &TreeId, to: &TreeId, due: Vec<Due>) -> Shifted {
    let prepared = prepare(git, place, now, to, due).await;
    let (due, staged) = match prepared {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(stop)) => return Shifted::Not(stop),
        Err(error) => return Shifted::Not(Move::Refused(error.to_string())),
    };
    let root = place.root.clone();
    // Files that are put on the disk one by one hold up whatever else runs here.
    let strokes = tokio::task::spawn_blocking(move || put_all(&root, due, &staged)).await;
    strokes.unwrap_or_else(|error| Shifted::Half { why: error.to_string(), new: Vec::new() })
}

type Prepared = (Vec<(Due, Stamp)>, Staged);

async fn prepare(
    git: &Git,
    place: &Place,
    now: &TreeId,
    to: &TreeId,
    due: Vec<Due>,
) -> Result<Result<Prepared, Move>, WorkspaceError> {
    // Before the look, so that whoever writes between the look and the stroke is seen.
    let due: Vec<_> = due
        .into_iter()
        .map(|due| {
            let stamp = Stamp::of(&place.root.join(&due.path));
            (due, stamp)
        })
        .collect();
    let overlooked = overlooked(git, place, &due).await?;
    if !overlooked.is_empty() {
        let why = "outside of your sparse checkout, or files that your git was told to overlook";
        return Ok(Err(Move::Refused(format!("{}: {why}", listed(&overlooked)))));
    }
    let differing = differing(git, place, &due).await?;
    if !differing.is_empty() {
        return Ok(Err(Move::InTheWay(format!("changed meanwhile: {}", listed(&differing)))));
    }
    if let Some(unseen) = unseen(git, place, now, &due).await? {
        let why = "is there, and not in version control: move it away, or take it in";
        return Ok(Err(Move::Refused(format!("{} {why}", unseen.display()))));
    }
    let rules = due.iter().any(|(due, _)| due.path.file_name().is_some_and(|name| name == ".gitattributes"));
    let rules = if rules { Some(super::propose::rules(git, place, to).await?) } else { None };
    let files: Vec<_> = due.iter().map(|(due, _)| (due.name.as_slice(), due.file())).collect();
    let staged = Staged::write(git, place, &files, rules.as_ref()).await?;
    Ok(Ok((due, staged)))
}

/// At first everything that can fail for want of room, then the strokes.
fn put_all(root: &Path, due: Vec<(Due, Stamp)>, staged: &Staged) -> Shifted {
    let ready = |due: &Due| {
        let entry = due.file()?;
        Some(Ready::write(root, &due.path, &staged.path(&due.path), entry.mode & EXECUTABLE != 0))
    };
    let mut all = Vec::new();
    for (due, stamp) in due {
        match ready(&due).transpose() {
            Ok(ready) => all.push((due, stamp, ready)),
            Err(error) => {
                let why = format!("{}: {error}", due.path.display());
                return Shifted::Not(Move::Refused(why));
            }
        }
    }
    // What goes first, for a file may be in the way of a folder.
    let (gone, there): (Vec<_>, Vec<_>) = all.into_iter().partition(|(due, ..)| due.to.is_none());
    let (mut moved, mut new) = (false, Vec::new());
    for (due, stamp, ready) in gone.into_iter().chain(there) {
        let told = |error: io::Error| format!("{}: {error}", due.path.display());
        let done = stamp.unchanged().map_err(|e| Move::InTheWay(told(e)));
        match done.and_then(|()| stroke(root, &due, ready).map_err(|e| Move::Refused(told(e)))) {
            Ok(()) => {}
            Err(Move::InTheWay(why) | Move::Refused(why)) if moved => return Shifted::Half { why, new },
            Err(stop) => return Shifted::Not(stop),
        }
        moved = true;
        if due.from.is_none() {
            new.push(due.path);
        }
    }
    Shifted::Done
}

fn stroke(root: &Path, due: &Due, ready: Option<Ready>) -> io::Result<()> {
    let at = root.join(&due.path);
    if due.from.as_ref().is_some_and(|entry| entry.mode == REPOSITORY) {
        // Never checked out, or it would count with its files.
        let _ = fs::remove_dir(&at);
    } else if due.to.is_none() {
        return remove(root, &due.path);
    }
    match (ready, &due.to) {
        (Some(ready), _) => ready.put(root, &due.path),
        (None, Some(_)) => fs::create_dir_all(&at),
        (None, None) => Ok(()),
    }
}

/// Files that are on the disk, or not, whatever git says of them.
async fn overlooked(git: &Git, place: &Place, due: &[(Due, Stamp)]) -> Result<Vec<PathBuf>, WorkspaceError> {
    if place.user.is_none() {
        return Ok(Vec::new());
    }
    let paths: BTreeSet<&[u8]> = due.iter().map(|(due, _)| due.name.as_slice()).collect();
    let list = git.text(super::command::Call::at(&place.root), ["ls-files", "-v", "-z"]).await?;
    // `TAG NAME`: small letters for what is assumed to be unchanged, S for what is not checked out.
    let named = names(&list).filter_map(|entry| {
        let (tag, name) = (*entry.first()?, entry.get(2..)?);
        ((tag == b'S' || tag.is_ascii_lowercase()) && paths.contains(name)).then(|| path_of(name))
    });
    Ok(named.collect())
}

/// Files that are not as they are to be before the move. Git overlooks a change that leaves a file's size and time as
/// they were, so they are read.
async fn differing(git: &Git, place: &Place, due: &[(Due, Stamp)]) -> Result<Vec<PathBuf>, WorkspaceError> {
    let scratch = Scratch::new(&place.private)?;
    let lines: Vec<_> =
        due.iter().filter_map(|(due, _)| Some((due.name.as_slice(), Some(due.was_file()?)))).collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    add(git, seen(place, &scratch), place.prefix(), &lines, 0).await?;
    // 1: something differs, which the next call names.
    git.output(seen(place, &scratch), ["update-index", "-q", "--really-refresh"]).await?;
    let list = git.text(seen(place, &scratch), ["diff-files", "-z", "--name-only", "--relative"]).await?;
    Ok(names(&list).map(path_of).collect())
}

/// What is where a new file is to be, or on the way there, and in no tree: an ignored folder, say, or a link to one.
async fn unseen(
    git: &Git,
    place: &Place,
    now: &TreeId,
    due: &[(Due, Stamp)],
) -> Result<Option<PathBuf>, WorkspaceError> {
    let list = git.text(diff::call(&place.private), ["ls-tree", "-r", "-z", "--name-only", diff::id(now)?]);
    let list = list.await?;
    let known: BTreeSet<PathBuf> = names(&list).map(path_of).collect();
    for (due, _) in due.iter().filter(|(due, _)| due.from.is_none()) {
        let Some(found) = in_the_way(&place.root, &due.path, &known) else { continue };
        // A move that was cut off may have made it.
        let is_file = found == due.path && place.root.join(&found).is_file();
        let made = match due.file().filter(|entry| is_file && entry.mode != LINK) {
            Some(entry) => {
                let args = ["hash-object".as_ref(), "--".as_ref(), due.path.as_os_str()];
                let there = git.text(super::command::Call::at(&place.root), args).await?;
                String::from_utf8_lossy(&there).trim() == entry.id
            }
            None => false,
        };
        if !made {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn in_the_way(root: &Path, path: &Path, known: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let mut at = PathBuf::new();
    for part in path.components() {
        at.push(part);
        let found = fs::symlink_metadata(root.join(&at)).ok()?;
        if !found.is_dir() {
            // What is known and on the way goes first.
            return (!known.contains(&at)).then_some(at);
        }
    }
    first_unknown(root, at, known)
}

/// A folder has to go: all that is in it must be known, and go before.
fn first_unknown(root: &Path, folder: PathBuf, known: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(root.join(&folder)).ok()?.flatten().collect();
    if entries.is_empty() {
        return Some(folder);
    }
    entries.into_iter().find_map(|entry| {
        let path = folder.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => first_unknown(root, path, known),
            _ => (!known.contains(&path)).then_some(path),
        }
    })
}

pub(super) fn listed(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths.iter().take(5).map(|path| path.display().to_string()).collect();
    let shown = shown.join(", ");
    if paths.len() > 5 { format!("{shown} and {} more", paths.len() - 5) } else { shown }
}
