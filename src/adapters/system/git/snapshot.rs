//! The tree id of what is on disk now.
//!
//! The index to start from is the user's (copied with its times, by which git tells which files it need not
//! read again), or for a project without git that of the last time. Repositories inside the project,
//! submodules among them, are taken in with their files: as mere commit ids they would hide every edit.
use super::super::files;
use super::command::{Call, Git, failed};
use super::place::{self, Place, Repository, Slot, file};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;

/// Repositories within repositories; deeper ones count as their commit id.
const DEPTH: u32 = 8;

/// Rounds of taking in a project in which files come and go, and the pause between them.
const ROUNDS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// What one working tree needs to be hashed: a copy of its index, and where its objects go.
struct Work<'a> {
    git: &'a Git,
    /// The repository that new objects go to; also that of a working tree without one of its own.
    private: &'a Path,
    root: &'a Path,
    user: Option<&'a Repository>,
    slot: Option<&'a Slot>,
    /// A folder of its own: its age is that of the look, where the index keeps the age of what it was copied from.
    scratch: TempDir,
}

pub(super) async fn take(
    git: &Git,
    place: &Place,
    data_dir: &Path,
    exclude: &[String],
) -> Result<TreeId, WorkspaceError> {
    let (private, root, user) = (place.private.as_path(), place.root.as_path(), place.user.as_ref());
    let work = Work::begin(git, private, root, user, place.slot.as_ref())?;
    // A data directory inside the project would otherwise take in its own objects.
    let own = data_dir.strip_prefix(root).ok();
    let tree = work.tree(own, exclude, DEPTH).await?;
    if user.is_none() {
        // Where two calls finish at the same time either index will do.
        let kept = place.slot.as_ref().map_or_else(|| private.join("index"), Slot::index);
        fs::rename(work.index(), kept).map_err(|e| file(private, &e))?;
    }
    Ok(tree)
}

impl<'a> Work<'a> {
    fn begin(
        git: &'a Git,
        private: &'a Path,
        root: &'a Path,
        user: Option<&'a Repository>,
        slot: Option<&'a Slot>,
    ) -> Result<Self, WorkspaceError> {
        let seed = match (user, slot) {
            (Some(user), _) => user.index.clone(),
            (None, Some(slot)) => slot.index(),
            (None, None) => private.join("index"),
        };
        let scratch = tempfile::Builder::new().prefix("index-").tempdir_in(private);
        let scratch = scratch.map_err(|e| file(private, &e))?;
        copy(&seed, &scratch.path().join("index")).map_err(|e| file(&seed, &e))?;
        if let Some(user) = user {
            borrow(private, &user.objects).map_err(|e| file(private, &e))?;
        }
        Ok(Self { git, private, root, user, slot, scratch })
    }

    fn index(&self) -> PathBuf {
        self.scratch.path().join("index")
    }

    fn call(&self) -> Call<'_> {
        if let Some(slot) = self.slot {
            return slot.call(self.root, self.private, &self.index());
        }
        let call = Call::at(self.root).env("GIT_INDEX_FILE", self.index());
        match self.user {
            Some(_) => call.env("GIT_OBJECT_DIRECTORY", self.private.join("objects")),
            None => call.env("GIT_DIR", self.private).env("GIT_WORK_TREE", self.root),
        }
    }

    async fn tree(
        &self,
        own: Option<&Path>,
        exclude: &[String],
        depth: u32,
    ) -> Result<TreeId, WorkspaceError> {
        let broken = self.add(own, exclude).await?;
        if self.user.is_none() && self.slot.is_none() {
            self.drop_ignored().await?;
        }
        // Names are relative to the root here, and only those below it are listed.
        let list = self.git.text(self.call(), ["ls-files", "-z", "--stage"]).await?;
        let inner = if depth > 0 { self.inner_repositories(broken, &list) } else { Vec::new() };
        for inner in &inner {
            self.take_in(inner, depth).await?;
        }
        // Most looks find none of them: they were left out, and were never in the index.
        let there =
            |path: &&String| !inner.is_empty() || entries(&list).any(|(_, name)| name == path.as_bytes());
        self.forget(exclude.iter().filter(there).map(|path| path.as_bytes().to_vec())).await?;
        self.write_tree().await
    }

    /// Takes over what is on disk, as far as it can be read. Answers with the inner repositories that git
    /// cannot add because they have no commit.
    async fn add(&self, own: Option<&Path>, exclude: &[String]) -> Result<Vec<PathBuf>, WorkspaceError> {
        let unread = exclude.iter().map(Path::new);
        let mut output = self.add_all(unread.chain(own)).await?;
        // Git takes no path behind a link or in a submodule, not even to leave it out. What is read of them then is forgotten.
        if refused_path(&output) {
            output = self.add_all(own).await?;
        }
        // 1: some files could not be read. They stay as the index has them, or out.
        if !output.status.success() && output.status.code() != Some(1) {
            return Err(failed(self.root, &output.stderr));
        }
        let text = output.stderr.split(|byte| *byte == b'\n');
        let broken = text.filter_map(|line| {
            let name =
                line.strip_prefix(b"error: '")?.strip_suffix(b"/' does not have a commit checked out")?;
            Some(path_of(name))
        });
        // Git names them from the top of the repository.
        let prefix = self.prefix();
        Ok(broken.filter_map(|name| name.strip_prefix(prefix).ok().map(Path::to_path_buf)).collect())
    }

    async fn add_all(&self, but: impl IntoIterator<Item = &Path>) -> Result<Output, WorkspaceError> {
        // What is on the disk counts, also outside of a sparse checkout.
        let fixed = ["add", "--sparse", "--all", "--ignore-errors", "--", "."];
        let mut args: Vec<OsString> = fixed.map(Into::into).into();
        args.extend(but.into_iter().map(|path| {
            let mut pattern = OsString::from(":(exclude,literal)");
            pattern.push(path);
            pattern
        }));
        let adding = || self.call().env("GIT_LITERAL_PATHSPECS", "0");
        let mut output = self.git.output(adding(), &args).await?;
        if String::from_utf8_lossy(&output.stderr).starts_with("error: unknown option") {
            // Git before 2.34 takes such files in without being told to.
            args.remove(1);
            output = self.git.output(adding(), &args).await?;
        }
        // Git lists the files first and gives up over one that is gone when its turn comes.
        for _ in 1..ROUNDS {
            if !went_away(&output) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            output = self.git.output(adding(), &args).await?;
        }
        Ok(output)
    }

    /// What was taken in before an ignore rule came must go again, or the id would depend on the past.
    async fn drop_ignored(&self) -> Result<(), WorkspaceError> {
        let args = ["ls-files", "-z", "--cached", "--ignored", "--exclude-standard"];
        let list = self.git.text(self.call(), args).await?;
        self.forget(names(&list).map(<[u8]>::to_vec)).await
    }

    /// Relative to the root; those with files only.
    fn inner_repositories(&self, mut found: Vec<PathBuf>, list: &[u8]) -> Vec<PathBuf> {
        let links = entries(list).filter(|(head, _)| head.starts_with(b"160000 "));
        found.extend(links.map(|(_, name)| path_of(name)));
        // A submodule that was never checked out is an empty folder.
        found.retain(|inner| self.root.join(inner).join(".git").exists());
        found.sort();
        found.dedup();
        found
    }

    /// Puts the tree of an inner repository in the place of its commit id.
    async fn take_in(&self, inner: &Path, depth: u32) -> Result<(), WorkspaceError> {
        let root = self.root.join(inner);
        let Some(user) = place::repository(self.git, &root).await? else { return Ok(()) };
        // A broken `.git` makes git find the repository around it; that would be taken in for ever.
        if !user.prefix.is_empty() {
            return Ok(());
        }
        let work = Work::begin(self.git, self.private, &root, Some(&user), None)?;
        let tree = Box::pin(work.tree(None, &[], depth - 1)).await?;
        self.forget([bytes_of(inner)]).await?;
        // Unlike all other names this one counts from the top of the repository, also in a folder of it.
        let mut prefix = OsString::from(format!("--prefix={}", self.prefix()));
        prefix.push(inner);
        prefix.push("/");
        self.git.text(self.call(), ["read-tree".into(), prefix, tree.0.into()]).await?;
        Ok(())
    }

    fn prefix(&self) -> &str {
        self.user.map_or("", |user| &user.prefix)
    }

    /// Takes names, relative to the root, out of the index.
    async fn forget(&self, names: impl IntoIterator<Item = Vec<u8>>) -> Result<(), WorkspaceError> {
        let mut call = self.call();
        for name in names {
            call.input.extend(name);
            call.input.push(0);
        }
        if call.input.is_empty() {
            return Ok(());
        }
        self.git.text(call, ["update-index", "-z", "--force-remove", "--stdin"]).await?;
        Ok(())
    }

    async fn write_tree(&self) -> Result<TreeId, WorkspaceError> {
        let mut args = vec!["write-tree".to_string(), "--missing-ok".into()];
        if !self.prefix().is_empty() {
            args.push(format!("--prefix={}", self.prefix()));
        }
        let output = self.git.output(self.call(), &args).await?;
        let id = if output.status.success() {
            output.stdout
        } else if String::from_utf8_lossy(&output.stderr).contains("not found") {
            // Nothing of the project's folder is in the index: the empty tree.
            self.git.text(self.call(), ["mktree"]).await?
        } else {
            return Err(failed(self.root, &output.stderr));
        };
        Ok(TreeId(String::from_utf8_lossy(&id).trim().to_string()))
    }
}

pub(super) fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0).filter(|name| !name.is_empty())
}

/// Of a list of the index, `MODE ID STAGE<tab>NAME` each.
fn entries(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    names(list).filter_map(|entry| {
        let tab = entry.iter().position(|byte| *byte == b'\t')?;
        Some((&entry[..tab], &entry[tab + 1..]))
    })
}

/// Git's names are bytes on Unix and UTF-8 elsewhere.
#[cfg(unix)]
pub(super) fn path_of(name: &[u8]) -> PathBuf {
    <OsString as std::os::unix::ffi::OsStringExt>::from_vec(name.to_vec()).into()
}

#[cfg(not(unix))]
pub(super) fn path_of(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

fn bytes_of(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// A copy of an index with its time, by which git knows the entries that changed too soon after it to be
/// trusted; both of one file, for another look may put a new one in its place. A missing index is an empty one.
fn copy(seed: &Path, to: &Path) -> io::Result<()> {
    let mut from = match fs::File::open(seed) {
        Ok(from) => from,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let time = from.metadata()?.modified()?;
    let mut copy = fs::File::create_new(to)?;
    io::copy(&mut from, &mut copy)?;
    copy.set_modified(time)
}

/// Whether a call broke off over a path that it may not be told, not even to leave it out.
fn refused_path(output: &Output) -> bool {
    let text = String::from_utf8_lossy(&output.stderr).to_ascii_lowercase();
    !output.status.success() && text.lines().any(|line| line.starts_with("fatal: pathspec '"))
}

/// Whether a call broke off over a file that was removed under its hands.
fn went_away(output: &Output) -> bool {
    let text = String::from_utf8_lossy(&output.stderr);
    let gone = |line: &str| {
        line.starts_with("fatal: unable to stat '")
            && (line.ends_with(": No such file or directory") || line.ends_with(": Not a directory"))
    };
    !output.status.success() && text.lines().any(gone)
}

/// Lets the private repository read the objects of another.
pub(super) fn borrow(private: &Path, objects: &Path) -> io::Result<()> {
    let list = private.join("objects/info/alternates");
    let mut known = match fs::read(&list) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    let line = bytes_of(objects);
    if known.split(|byte| *byte == b'\n').any(|have| have == line) {
        return Ok(());
    }
    known.extend(line);
    known.push(b'\n');
    files::write_atomic(&list, &known)
}
