//! Where a project's tree lies: in a repository of the user's, or in none; and its private repository.
use super::super::files::make_folder;
use super::super::markers::digest;
use super::super::real::real_path;
use super::command::{Call, Git, failed};
use crate::domain::verdict::TreeId;
use crate::ports::workspace::WorkspaceError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Left out of a project without git, beside what its own `.gitignore` names: what tools install and build.
pub(super) const LEFT_OUT: &str = "node_modules/\ntarget/\n.venv/\nvenv/\n__pycache__/\n*.pyc\n.mypy_cache/\n\
                        .pytest_cache/\n.ruff_cache/\n.tox/\n.gradle/\n.next/\n.DS_Store\n";

/// A project as git sees it, or a worktree of Gantry's own beside one.
pub(super) struct Place {
    /// Real path of the project.
    pub(super) root: PathBuf,
    /// Of a worktree: its folder, with all that belongs to it.
    pub(super) slot: Option<Slot>,
    /// The bare repository that new objects go to.
    pub(super) private: PathBuf,
    /// The user's repository; `None` where there is none that holds this project.
    pub(super) user: Option<Repository>,
}

pub(super) struct Repository {
    pub(super) index: PathBuf,
    pub(super) objects: PathBuf,
    common: PathBuf,
    /// The project's folder inside the repository, with `/` at its end; empty at the top.
    pub(super) prefix: String,
    sha256: bool,
}

/// Where one worktree is kept: `worktrees/PROJECT/NUMBER` in the data directory. A worker can write the working tree
/// and the `.git` in it; what the gate relies on (index, settings, ignore rules) lies beside.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) folder: PathBuf,
    project: String,
    sha256: bool,
}

impl Slot {
    pub(super) fn new(place: &Place, data_dir: &Path, number: u32) -> Self {
        let (project, sha256) = (digest(&place.root), place.sha256());
        Self { folder: slots(data_dir).join(&project).join(number.to_string()), project, sha256 }
    }

    /// The worktree that a path is in.
    fn around(root: &Path, data_dir: &Path) -> Option<Self> {
        let slots = slots(data_dir);
        let mut parts = root.strip_prefix(&slots).ok()?.iter();
        let (project, number) = (parts.next()?, parts.next()?);
        parts.next()?;
        let folder = slots.join(project).join(number);
        let sha256 = folder.join(SHA256).is_dir();
        Some(Self { folder, project: project.to_string_lossy().into_owned(), sha256 })
    }

    pub(super) fn git_dir(&self) -> PathBuf {
        self.folder.join(if self.sha256 { SHA256 } else { SHA1 })
    }

    /// What was last seen of its files.
    pub(super) fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// A call that sees the working tree with the settings of the slot, and puts objects where all the project's are.
    pub(super) fn call<'a>(&self, root: &'a Path, private: &Path, index: &Path) -> Call<'a> {
        Call::at(root)
            .env("GIT_DIR", self.git_dir())
            .env("GIT_WORK_TREE", root)
            .env("GIT_INDEX_FILE", index)
            .env("GIT_OBJECT_DIRECTORY", private.join("objects"))
    }
}

/// All worktrees of all projects.
pub(super) fn slots(data_dir: &Path) -> PathBuf {
    let slots = data_dir.join("worktrees");
    real_path(&slots).unwrap_or(slots)
}

impl Repository {
    /// Ignore rules of the user's that are in no file of the project.
    pub(super) fn exclude(&self) -> PathBuf {
        self.common.join("info/exclude")
    }
}

impl Place {
    /// Of the names of files from the top of the user's repository.
    pub(super) fn prefix(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.prefix)
    }

    pub(super) fn sha256(&self) -> bool {
        self.private.ends_with(SHA256)
    }
}

/// Finds the repository around `root` and sees to the private one.
pub(super) async fn find(git: &Git, root: &Path, data_dir: &Path) -> Result<Place, WorkspaceError> {
    let root = real(root)?;
    if let Some(slot) = Slot::around(&root, data_dir) {
        let private = private(&root, data_dir, slot.sha256);
        return Ok(Place { root, slot: Some(slot), private, user: None });
    }
    let user = repository(git, &root).await?;
    let sha256 = user.as_ref().is_some_and(|user| user.sha256);
    let private = private(&root, data_dir, sha256);
    if !private.join("HEAD").is_file() {
        make_private(git, &private, sha256).await?;
    }
    Ok(Place { root, slot: None, private, user })
}

/// The private repository that a tree hashed earlier is in.
pub(super) fn known(root: &Path, data_dir: &Path, tree: &TreeId) -> Result<PathBuf, WorkspaceError> {
    let private = private(&real(root)?, data_dir, tree.0.len() == 64);
    if private.join("HEAD").is_file() {
        return Ok(private);
    }
    Err(WorkspaceError::Git(format!("no tree of {} was kept: hash it first", root.display())))
}

fn real(root: &Path) -> Result<PathBuf, WorkspaceError> {
    real_path(root).map_err(|e| file(root, &e))
}

pub(super) fn file(path: &Path, error: &io::Error) -> WorkspaceError {
    WorkspaceError::File { path: path.display().to_string(), reason: error.to_string() }
}

const SHA1: &str = "sha1.git";
const SHA256: &str = "sha256.git";

/// A worktree's trees are kept with those of its project.
fn private(root: &Path, data_dir: &Path, sha256: bool) -> PathBuf {
    let project = Slot::around(root, data_dir).map_or_else(|| digest(root), |slot| slot.project);
    data_dir.join("trees").join(project).join(if sha256 { SHA256 } else { SHA1 })
}

/// The repository whose working tree `root` is in. One that ignores the whole of `root` (a home folder kept
/// in git, say) does not count: nothing of the project would be seen through it.
pub(super) async fn repository(git: &Git, root: &Path) -> Result<Option<Repository>, WorkspaceError> {
    let asked = [
        "rev-parse",
        "--show-object-format",
        "--show-prefix",
        "--git-path",
        "index",
        "--git-path",
        "objects",
        "--git-common-dir",
        "--show-toplevel",
    ];
    let output = git.output(Call::at(root), asked).await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        // The second: a bare repository, or the inside of a `.git` folder.
        let none = ["not a git repository", "must be run in a work tree"];
        return if none.iter().any(|n| text.contains(n)) {
            Ok(None)
        } else {
            Err(failed(root, &output.stderr))
        };
    }
    let text = String::from_utf8(output.stdout).map_err(|_| {
        WorkspaceError::Git(format!("{}: a path that is not UTF-8: rename it", root.display()))
    })?;
    let lines: Vec<&str> = text.lines().collect();
    let [format, prefix, index, objects, common, _top] = lines[..] else {
        return Err(WorkspaceError::Git(format!("{}: a line break in the path: rename it", root.display())));
    };
    let found = Repository {
        index: root.join(index),
        objects: real(&root.join(objects))?,
        common: root.join(common),
        prefix: prefix.to_string(),
        sha256: format == "sha256",
    };
    if found.prefix.is_empty() {
        return Ok(Some(found));
    }
    // This command knows no literal names.
    let call = Call::at(root).env("GIT_LITERAL_PATHSPECS", "0");
    let ignored = git.output(call, ["check-ignore", "--quiet", "."]).await?.status.success();
    Ok((!ignored).then_some(found))
}

/// Made aside and moved, since another process may be making the same one.
async fn make_private(git: &Git, private: &Path, sha256: bool) -> Result<(), WorkspaceError> {
    let parent = private.parent().unwrap_or(private);
    let temp = make_folder(parent)
        .and_then(|()| tempfile::Builder::new().prefix(".new-").tempdir_in(parent))
        .map_err(|e| file(parent, &e))?;
    let format: &[&str] = if sha256 { &["--object-format=sha256"] } else { &[] };
    // No template: it would bring sample hooks.
    let args = ["init", "--quiet", "--bare", "--template="].iter().chain(format);
    // Kept trees are told by the age of their refs' files; other formats have none.
    let call = Call::at(temp.path()).env("GIT_DEFAULT_REF_FORMAT", "files");
    git.text(call, args).await?;
    let left_out = temp.path().join("info");
    fs::create_dir_all(&left_out)
        .and_then(|()| fs::write(left_out.join("exclude"), LEFT_OUT))
        .and_then(|()| fs::create_dir_all(temp.path().join("objects/info")))
        .map_err(|e| file(&left_out, &e))?;
    let made = temp.keep();
    match fs::rename(&made, private) {
        Ok(()) => Ok(()),
        Err(_) if private.join("HEAD").is_file() => {
            // Somebody else was first; a left-over folder would be cleared with the project's others.
            let _ = fs::remove_dir_all(&made);
            Ok(())
        }
        Err(e) => Err(file(private, &e)),
    }
}
