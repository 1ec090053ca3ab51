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
pub(super) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    pub(super) fn new(private: &Path) -> Result<Self, WorkspaceError> {
        let folder = tempfile::Builder::new().prefix("stage-").tempdir_in(private);
        Ok(Self { folder: folder.map_err(|e| file(private, &e))? })
    }

    pub(super) fn index(&self) -> PathBuf {
        self.folder.path().join("index")
    }
}

pub(super) async fn compose(
    git: &Git,
    private: &Path,
    tree: &TreeId,
    steps: &[Step],
) -> Result<TreeId, WorkspaceError> {
    let lines: Vec<_> = steps.iter().map(|step| (step.path.as_bytes(), step.to.as_ref())).collect();
    let composed = graft(git, private, tree, "", &lines).await?;
    keep(private, &composed)?;
    Ok(composed)
}

/// `tree` with some files below `prefix` as they are given here.
pub(super) async fn graft(
    git: &Git,
    private: &Path,
    tree: &TreeId,
    prefix: &str,
    lines: &[Line<'_>],
) -> Result<TreeId, WorkspaceError> {
    let scratch = Scratch::new(private)?;
    let call = || diff::call(private).env("GIT_INDEX_FILE", scratch.index());
    git.text(call(), ["read-tree", diff::id(tree)?]).await?;
    // What goes first, for a file may be in the way of a folder.
    let (mut lines, there): (Vec<_>, Vec<_>) = lines.iter().copied().partition(|(_, to)| to.is_none());
    lines.extend(there);
    add(git, call(), prefix, &lines, tree.0.len()).await?;
    let id = git.text(call(), ["write-tree", "--missing-ok"]).await?;
    Ok(TreeId(String::from_utf8_lossy(&id).trim().to_owned()))
}

/// A file by its name, and what it is to be; none: it is to go.
pub(super) type Line<'a> = (&'a [u8], Option<&'a Entry>);

/// Puts files into an index, or takes them out of it.
pub(super) async fn add(
    git: &Git,
    mut call: Call<'_>,
    prefix: &str,
    lines: &[Line<'_>],
    id_length: usize,
) -> Result<(), WorkspaceError> {
    for &(path, entry) in lines {
        let head = match entry {
            Some(entry) => format!("{:o} {}\t{prefix}", entry.mode, entry.id),
            None => format!("0 {}\t{prefix}", "0".repeat(id_length)),
        };
        call.input.extend(head.into_bytes());
        call.input.extend(path);
        call.input.push(0);
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
    let files: Vec<_> = due.iter().map(|(c, _)| (c.path.as_bytes(), c.to.as_ref())).collect();
    let staged = Staged::write(git, place, &files, None).await?;
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
        let done = stamp.unchanged().and_then(|()| remove(root, change.path.as_ref()));
        left.extend(done.err().map(|e| format!("{}: {e}", change.path)));
    }
    for (change, stamp) in there {
        let executable = change.to.as_ref().is_some_and(|entry| entry.mode & 0o111 != 0);
        let done = stamp
            .unchanged()
            .and_then(|()| put(root, change.path.as_ref(), &staged.path(change.path.as_ref()), executable));
        left.extend(done.err().map(|e| format!("{}: {e}", change.path)));
    }
    left
}

/// The new files as they are to be, beside the project.
pub(super) struct Staged {
    scratch: Scratch,
    /// Git names files from the top of the user's repository.
    prefix: String,
}

/// A call that sees the project by the user's settings and rules, through an index of its own.
pub(super) fn seen<'a>(place: &'a Place, scratch: &Scratch) -> Call<'a> {
    let call = Call::at(&place.root).env("GIT_INDEX_FILE", scratch.index());
    match place.user {
        Some(_) => call.env("GIT_OBJECT_DIRECTORY", place.private.join("objects")),
        None => call.env("GIT_DIR", &place.private).env("GIT_WORK_TREE", &place.root),
    }
}

impl Staged {
    /// `attributes`: a tree whose rules say what the files look like on disk, where those of the project are other ones.
    pub(super) async fn write(
        git: &Git,
        place: &Place,
        files: &[Line<'_>],
        attributes: Option<&TreeId>,
    ) -> Result<Self, WorkspaceError> {
        let scratch = Scratch::new(&place.private)?;
        let prefix = place.prefix().to_owned();
        let staged = Self { scratch, prefix };
        let files: Vec<_> = files.iter().copied().filter(|(_, to)| to.is_some()).collect();
        if files.is_empty() {
            return Ok(staged);
        }
        add(git, seen(place, &staged.scratch), &staged.prefix, &files, 0).await?;
        let mut to = std::ffi::OsString::from("--prefix=");
        to.push(staged.scratch.folder.path().join("files"));
        to.push("/");
        let mut call = seen(place, &staged.scratch);
        if let Some(tree) = attributes {
            call = call.env("GIT_ATTR_SOURCE", diff::id(tree)?);
        }
        // Fails where the content of any file is gone from the object stores, before the project is touched.
        git.text(call, ["checkout-index".into(), "--all".into(), "--force".into(), to]).await?;
        Ok(staged)
    }

    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.scratch.folder.path().join("files").join(&self.prefix).join(path)
    }
}
