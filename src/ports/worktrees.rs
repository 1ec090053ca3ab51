//! Working trees of Gantry's own beside a project, and the way of their results back into it.
use super::Fut;
use super::workspace::WorkspaceError;
use crate::domain::verdict::TreeId;
use std::path::PathBuf;

/// Two changes put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Merged {
    /// Where the changes contradict each other the files have both sides between conflict markers.
    pub tree: TreeId,
    /// What contradicts what, a sentence for each; empty when nothing does.
    pub conflicts: Vec<Conflict>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    pub path: String,
    pub message: String,
}

/// How the move of a project's files ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Move {
    /// The files are those of the tree.
    Done,
    /// They are not what the move was to begin with: nothing of it is done. The sentence says what is in the way; with the
    /// files as they are now taken in, it can be tried again.
    InTheWay(String),
    /// Nothing of it is done, and trying again would come to the same.
    Refused(String),
    /// Some files are moved, and could be neither followed by the others nor put back.
    Half(String),
}

/// Where a result was left that is to be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Left {
    pub branch: Option<String>,
    /// Path of a file with all of it; where there is a branch, with what that does not have.
    pub patch: Option<String>,
    /// Files that are in the patch and not on the branch: a commit does not hold those of submodules.
    pub outside: Vec<String>,
    /// Why there is no branch where one could be expected; without a patch, why there is nothing at all.
    pub fault: Option<String>,
}

/// A result that is to be looked at before anybody's files change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Without `refs/heads/`. Where it stands for something else already, a number is put behind it; where a branch has the
    /// name of its folder, it has none.
    pub name: String,
    /// What the user had not committed when the work began.
    pub base: TreeId,
    pub tree: TreeId,
    /// Of the commit.
    pub title: String,
    /// In seconds; the same proposal makes the same commit.
    pub at: u64,
    /// Files that are no part of the trees.
    pub exclude: Vec<String>,
}

/// A pool of working trees for each project, in the data directory. The user's repository is read only, but for the one
/// branch that `propose` makes.
pub trait Worktrees: Send + Sync {
    /// Brings the worktree with this number to `files`; it is made where there is none. For its own version control it
    /// is at `base`, so that what the two differ in counts as changed. Ignored files (what was built before) stay.
    /// `links` are paths that are taken from the project where it has them and the tree does not. Whoever worked
    /// there before must have ended.
    fn give(
        &self,
        project: PathBuf,
        number: u32,
        base: TreeId,
        files: TreeId,
        links: Vec<String>,
    ) -> Fut<'_, Result<PathBuf, WorkspaceError>>;
    /// Whether these commands were run in the worktree since it was made, and since its manifests and lock files were last
    /// other ones than in the tree it was given at.
    fn is_set_up(&self, worktree: &std::path::Path, commands: &[String]) -> bool;
    fn set_up(&self, worktree: &std::path::Path, commands: &[String]) -> Result<(), WorkspaceError>;
    /// What `ours` becomes with the change from `base` to `theirs`.
    fn merge(
        &self,
        project: PathBuf,
        base: TreeId,
        ours: TreeId,
        theirs: TreeId,
    ) -> Fut<'_, Result<Merged, WorkspaceError>>;
    /// Moves the project's files from one tree to another, all or none. A move that was cut off is carried to its end by
    /// the same call, or taken back. An error says nothing of how the files are.
    fn apply(
        &self,
        project: PathBuf,
        from: TreeId,
        to: TreeId,
        exclude: Vec<String>,
    ) -> Fut<'_, Result<Move, WorkspaceError>>;
    /// Leaves a result as a branch of the user's repository, or as a patch where none can be made.
    fn propose(&self, project: PathBuf, proposal: Proposal) -> Fut<'_, Result<Left, WorkspaceError>>;
    /// No mission is at work in the project any more: keeps a few worktrees for the next one.
    fn release(&self, project: PathBuf) -> Fut<'_, Result<(), WorkspaceError>>;
}
