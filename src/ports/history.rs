//! Trees of a project that are kept, and the way back to them.
use super::Fut;
use super::workspace::WorkspaceError;
use crate::domain::rollback::{Change, Entry, Step};
use crate::domain::verdict::TreeId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Like `Tree` it never touches the user's index, HEAD, stash, hooks or refs; what it keeps is in the data directory.
pub trait History: Send + Sync {
    /// Keeps a tree that was hashed, with its contents, for thirty days from now.
    fn keep(&self, root: PathBuf, tree: TreeId) -> Fut<'_, Result<(), WorkspaceError>>;
    /// What differs between two trees, file by file.
    fn changes(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
    ) -> Fut<'_, Result<Vec<Change>, WorkspaceError>>;
    /// Those of `paths` that a tree has.
    fn entries(
        &self,
        root: PathBuf,
        tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<BTreeMap<String, Entry>, WorkspaceError>>;
    /// A tree with these files of it replaced; kept.
    fn compose(
        &self,
        root: PathBuf,
        tree: TreeId,
        steps: Vec<Step>,
    ) -> Fut<'_, Result<TreeId, WorkspaceError>>;
    /// Makes the files that differ between two trees as the second has them, each in one stroke: links, modes, line ends and
    /// binary content too. A file that is as neither tree has it is left; those are the answer, each with the reason. What is
    /// as `to` has it already costs nothing, so a call that was cut off may be repeated. An error: nothing was changed.
    fn restore(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
        exclude: Vec<String>,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>>;
}
