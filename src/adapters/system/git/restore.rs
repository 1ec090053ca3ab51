//! Trees that are kept, put together, and brought back into the project.
//!
//! The way back: the files as they are now are hashed, and only what is as `from` has it is replaced. Git writes the new
//! files into a folder of the private repository, with the project's own line ends and filters, through an index made
//! for it; from there each takes its place in one stroke. So the user's index, refs and hooks stay out of it.
use super::super::files;
use super::command::{Call, Git};
use super::diff;
use super::place::{Place, file};
use super::put::{Stamp, put, remove};
use super::snapshot;
use crate::domain::rollback::{Change, Entry, Step};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A ref for each tree that is kept, by its id.
pub(super) const KEPT: &str = "refs/gantry";

/// Written as a file: it is its age by which a tree is let go.
pub(super) fn keep(private: &Path, tree: &TreeId) -> Result<(), WorkspaceError> {
    let folder = private.join(KEPT);
    let name = diff::id(tree)?;
    files::make_folder(&folder)
        .and_then(|()| files::write_atomic(&folder.join(name), format!("{name}\n").as_bytes()))
        .map_err(|e| file(&folder, &e))
}

/// An index of its own, which goes with the folder it is in.
struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn new(private: &Path) -> Result<Self, WorkspaceError> {
        let folder = tempfile::Builder::new().prefix("stage-").tempdir_in(private);
        Ok(Self { folder: folder.map_err(|e| file(private, &e))? })
    }

    fn index(&self) -> PathBuf {
        self.folder.path().join("index")
    }
}

pub(super) async fn compose(
    git: &Git,
    private: &Path,
    tree: &TreeId,
    steps: &[Step],
) -> Result<TreeId, WorkspaceError> {
    let scratch = Scratch::new(private)?;
    let call = || diff::call(private).env("GIT_INDEX_FILE", scratch.index());
    git.text(call(), ["read-tree", diff::id(tree)?]).await?;
    // What goes first, for a file may be in the way of a folder.
    let (gone, there): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.to.is_none());
    let lines = gone.into_iter().chain(there).map(|step| (step.path.as_str(), step.to.as_ref()));
    add(git, call(), "", lines, tree.0.len()).await?;
    let id = git.text(call(), ["write-tree", "--missing-ok"]).await?;
    let composed = TreeId(String::from_utf8_lossy(&id).trim().to_owned());
    keep(private, &composed)?;
    Ok(composed)
}

/// Puts files into an index, or takes them out of it.
async fn add<'a>(
    git: &Git,
    mut call: Call<'_>,
    prefix: &str,
    lines: impl Iterator<Item = (&'a str, Option<&'a Entry>)>,
    id_length: usize,
) -> Result<(), WorkspaceError> {
    for (path, entry) in lines {
        let line = match entry {
            Some(entry) => format!("{:o} {}\t{prefix}{path}\0", entry.mode, entry.id),
            None => format!("0 {}\t{prefix}{path}\0", "0".repeat(id_length)),
        };
        call.input.extend(line.into_bytes());
    }
    if call.input.is_empty() {
        return Ok(());
    }
    git.text(call, ["update-index", "-z", "--replace", "--index-info"]).await?;
    Ok(())
}

pub(super) async fn restore(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    (from, to): (&TreeId, &TreeId),
    exclude: &[String],
) -> Result<Vec<String>, WorkspaceError> {
    let changes = diff::changes(git, &place.private, from, to).await?;
    // Before the look, so that whoever writes between the look and the stroke is seen.
    let stamps: Vec<_> = changes.iter().map(|c| Stamp::of(&place.root.join(&c.path))).collect();
    let now = snapshot::take(git, place, data_dir, exclude).await?;
    let paths: Vec<_> = changes.iter().map(|c| c.path.clone()).collect();
    let current = diff::entries(git, &place.private, &now, &paths).await?;
    let mut left = Vec::new();
    let mut due = Vec::new();
    for (change, stamp) in changes.into_iter().zip(stamps) {
        let is = current.get(&change.path);
        if is == change.to.as_ref() {
            continue;
        }
        // What is not in the tree and yet there is ignored by git, and the user's.
        if is != change.from.as_ref() || (is.is_none() && stamp.exists()) {
            left.push(format!("{}: it was edited since", change.path));
        } else {
            due.push((change, stamp));
        }
    }
    let staged = Staged::write(git, place, &due).await?;
    let root = place.root.clone();
    // Files that are put on the disk one by one hold up whatever else runs here.
    let put = tokio::task::spawn_blocking(move || put_all(&root, due, &staged)).await;
    left.extend(put.map_err(|e| WorkspaceError::Git(format!("the files could not be written: {e}")))?);
    Ok(left)
}

fn put_all(root: &Path, due: Vec<(Change, Stamp)>, staged: &Staged) -> Vec<String> {
    let mut left = Vec::new();
    // What goes first, for a file may be in the way of a folder.
    let (gone, there): (Vec<_>, Vec<_>) = due.into_iter().partition(|(change, _)| change.to.is_none());
    for (change, stamp) in gone {
        let done = stamp.unchanged().and_then(|()| remove(root, &change.path));
        left.extend(done.err().map(|e| format!("{}: {e}", change.path)));
    }
    for (change, stamp) in there {
        let executable = change.to.as_ref().is_some_and(|entry| entry.mode & 0o111 != 0);
        let done =
            stamp.unchanged().and_then(|()| put(root, &change.path, &staged.path(&change.path), executable));
        left.extend(done.err().map(|e| format!("{}: {e}", change.path)));
    }
    left
}

/// The new files as they are to be, beside the project.
struct Staged {
    scratch: Scratch,
    /// Git names files from the top of the user's repository.
    prefix: String,
}

impl Staged {
    async fn write(git: &Git, place: &Place, due: &[(Change, Stamp)]) -> Result<Self, WorkspaceError> {
        let scratch = Scratch::new(&place.private)?;
        let prefix = place.user.as_ref().map_or_else(String::new, |user| user.prefix.clone());
        let staged = Self { scratch, prefix };
        let call = || {
            let call = Call::at(&place.root).env("GIT_INDEX_FILE", staged.scratch.index());
            match place.user {
                Some(_) => call.env("GIT_OBJECT_DIRECTORY", place.private.join("objects")),
                None => call.env("GIT_DIR", &place.private).env("GIT_WORK_TREE", &place.root),
            }
        };
        let lines: Vec<_> = due.iter().filter(|(c, _)| c.to.is_some()).collect();
        if lines.is_empty() {
            return Ok(staged);
        }
        let lines = lines.into_iter().map(|(c, _)| (c.path.as_str(), c.to.as_ref()));
        add(git, call(), &staged.prefix, lines, 0).await?;
        let mut to = std::ffi::OsString::from("--prefix=");
        to.push(staged.scratch.folder.path().join("files"));
        to.push("/");
        // Fails where the content of any file is gone from the object stores, before the project is touched.
        git.text(call(), ["checkout-index".into(), "--all".into(), "--force".into(), to]).await?;
        Ok(staged)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.scratch.folder.path().join("files").join(format!("{}{path}", self.prefix))
    }
}
