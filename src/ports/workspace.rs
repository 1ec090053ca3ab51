//! A project on disk: its tree, its checks and its plan file.
use super::Fut;
use crate::domain::todo::{Edit, TodoItem, TodoState};
use crate::domain::verdict::{CheckResult, TreeId};
use std::path::PathBuf;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("{0}")]
    Git(String),
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("{path} leads outside the project {root}")]
    Outside { path: String, root: String },
}

/// Ends a diff that is longer than was asked for.
pub const CUT: &str = "was cut here: ask for single files]\n";

/// In the output of a command that was not run because there is no such program.
pub const NO_PROGRAM: &str = "the program was not found";

/// The working tree. Never touches the user's index, HEAD, stash, hooks or refs. A project without git is
/// hashed through a private repository in the data directory.
pub trait Tree: Send + Sync {
    /// Content hash of the whole tree. Ignored files are left out, and those in `exclude` (files, relative to
    /// the root).
    fn hash(&self, root: PathBuf, exclude: Vec<String>) -> Fut<'_, Result<TreeId, WorkspaceError>>;
    /// Paths that differ between two trees, relative to the root.
    fn changed(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>>;
    /// Unified diff between two trees, limited to `paths` when there are any, cut at `max_bytes` on a line end
    /// with a line that says so.
    fn diff(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
        paths: Vec<String>,
        max_bytes: usize,
    ) -> Fut<'_, Result<String, WorkspaceError>>;
    /// Texts of files as a tree has them, with replacement characters for what is no UTF-8; none for one that is not in it.
    fn read(
        &self,
        root: PathBuf,
        tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<Vec<Option<String>>, WorkspaceError>>;
    /// Whether files of the project can be changed at all. Changes nothing.
    fn writable(&self, root: &std::path::Path) -> Result<(), WorkspaceError>;
    /// Resolves what a model wrote as a path (absolute or relative, with symlinks and `..`) to a path relative
    /// to the root. The file itself need not exist; its nearest existing folder counts. Synchronous: one or two
    /// system calls, on the hot path of a tool call.
    fn confine(&self, root: &std::path::Path, path: &str) -> Result<String, WorkspaceError>;
}

/// Runs the project's own commands.
pub trait Checks: Send + Sync {
    /// The commands that the project's files suggest (Cargo, npm/pnpm/bun, pytest, go, make), in order.
    fn detect(&self, root: PathBuf) -> Fut<'_, Vec<String>>;
    /// Runs one command in its own process group, without a shell unless it needs one, with a time limit and
    /// the end of its output kept. Dropping the future ends the whole group.
    fn run(&self, root: PathBuf, command: String, timeout_ms: u64) -> Fut<'_, CheckResult>;
}

/// What a reader of the plan file is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct TodoPlan {
    pub mission: String,
    pub title: String,
    pub items: Vec<TodoItem>,
}

/// The plan file, `TODO.md`: compare-and-write under a lock, text that is not Gantry's kept byte for byte. A write
/// leaves the edits of people in place that are not among those the caller has `seen`.
pub trait Todo: Send + Sync {
    /// Writes the section of a mission (replacing that of an earlier one); answers with the file's new version. `file` is
    /// relative to `root`; folders between them are made.
    fn publish(
        &self,
        root: PathBuf,
        file: String,
        plan: TodoPlan,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>>;
    /// Sets the states of some items; the others are left as they are on disk.
    fn update(
        &self,
        file: PathBuf,
        mission: String,
        states: Vec<(String, TodoState)>,
        seen: Vec<Edit>,
    ) -> Fut<'_, Result<u64, WorkspaceError>>;
    /// Waits until what people changed since Gantry's last write is something else than `known`; answers with it.
    fn edited(&self, file: PathBuf, mission: String, known: Vec<Edit>) -> Fut<'_, Vec<Edit>>;
}
