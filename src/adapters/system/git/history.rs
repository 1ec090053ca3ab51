use super::{GitTree, diff, place, restore};
use crate::domain::rollback::{Change, Entry, Step};
use crate::domain::verdict::TreeId;
use crate::ports::Fut;
use crate::ports::history::History;
use crate::ports::workspace::WorkspaceError;
use std::collections::BTreeMap;
use std::path::PathBuf;

impl History for GitTree {
    fn keep(&self, root: PathBuf, tree: TreeId) -> Fut<'_, Result<(), WorkspaceError>> {
        Box::pin(async move { restore::keep(&place::known(&root, &self.data_dir, &tree)?, &tree) })
    }

    fn changes(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
    ) -> Fut<'_, Result<Vec<Change>, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&root, &self.data_dir, &from)?;
            diff::changes(&self.git, &private, &from, &to).await
        })
    }

    fn entries(
        &self,
        root: PathBuf,
        tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<BTreeMap<String, Entry>, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&root, &self.data_dir, &tree)?;
            diff::entries(&self.git, &private, &tree, &paths).await
        })
    }

    fn compose(
        &self,
        root: PathBuf,
        tree: TreeId,
        steps: Vec<Step>,
    ) -> Fut<'_, Result<TreeId, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&root, &self.data_dir, &tree)?;
            restore::compose(&self.git, &private, &tree, &steps).await
        })
    }

    fn restore(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
        exclude: Vec<String>,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>> {
        Box::pin(async move {
            let place = place::find(&self.git, &root, &self.data_dir).await?;
            restore::restore(&self.git, &place, &self.data_dir, (&from, &to), &exclude).await
        })
    }
}
