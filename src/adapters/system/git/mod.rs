//! The project's tree, through the git command.
//!
//! Nothing of the user's repository is written: the index is a copy, objects go to a private repository in
//! the data directory that borrows the user's, and no hook, monitor or lock is used. A project without git
//! has only the private repository.
mod command;
mod diff;
mod history;
mod land;
mod links;
mod place;
mod propose;
mod prune;
mod put;
mod restore;
mod shift;
mod slot;
mod snapshot;

#[cfg(all(test, unix))]
mod history_tests;
#[cfg(all(test, unix))]
mod tests;

use super::real::real_path;
use crate::domain::verdict::TreeId;
use crate::ports::Fut;
use crate::ports::workspace::{Tree, WorkspaceError};
use crate::ports::worktrees::{Left, Merged, Move, Proposal, Worktrees};
use command::Git;
use std::path::{Path, PathBuf};

pub struct GitTree {
    git: Git,
    /// Absolute, links resolved where it exists.
    data_dir: PathBuf,
}

impl GitTree {
    /// Private repositories go to `trees/` in the data directory. Nothing is made or run here.
    pub fn new(data_dir: &Path) -> Self {
        Self::with_program(data_dir, "git")
    }

    fn with_program(data_dir: &Path, program: &str) -> Self {
        let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_path_buf());
        Self { git: Git::new(program), data_dir: real_path(&absolute).unwrap_or(absolute) }
    }
}

impl GitTree {
    /// Files that differ from the last commit, new ones too; relative to `root`, which a user's repository holds.
    pub async fn changed_since_commit(&self, root: &Path) -> Result<Vec<String>, WorkspaceError> {
        let mut files = std::collections::BTreeSet::new();
        for args in [
            ["diff", "--name-only", "--relative", "--no-ext-diff", "-z", "HEAD"].as_slice(),
            &["ls-files", "--others", "--exclude-standard", "-z"],
        ] {
            let list = self.git.text(command::Call::at(root), args).await?;
            let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            files.extend(names.map(|name| String::from_utf8_lossy(name).into_owned()));
        }
        Ok(files.into_iter().filter(|path| root.join(path).is_file()).collect())
    }
}

impl Tree for GitTree {
    fn hash(&self, root: PathBuf, exclude: Vec<String>) -> Fut<'_, Result<TreeId, WorkspaceError>> {
        Box::pin(async move {
            let place = place::find(&self.git, &root, &self.data_dir).await?;
            let tree = snapshot::take(&self.git, &place, &self.data_dir, &exclude).await?;
            prune::daily(&self.git, &place).await;
            Ok(tree)
        })
    }

    fn changed(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
    ) -> Fut<'_, Result<Vec<String>, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&root, &self.data_dir, &from)?;
            diff::changed(&self.git, &private, &from, &to).await
        })
    }

    fn diff(
        &self,
        root: PathBuf,
        from: TreeId,
        to: TreeId,
        paths: Vec<String>,
        max_bytes: usize,
    ) -> Fut<'_, Result<String, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&root, &self.data_dir, &from)?;
            diff::patch(&self.git, &private, &from, &to, &paths, max_bytes).await
        })
    }

    fn read(
        &self,
        root: PathBuf,
        tree: TreeId,
        paths: Vec<String>,
    ) -> Fut<'_, Result<Vec<Option<String>>, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&root, &self.data_dir, &tree)?;
            diff::read(&self.git, &private, &tree, &paths).await
        })
    }

    fn writable(&self, root: &Path) -> Result<(), WorkspaceError> {
        super::space::check_writable(root).map_err(|e| WorkspaceError::File {
            path: root.display().to_string(),
            reason: format!("the project cannot be written ({e}): make it writable, or work on a copy"),
        })
    }

    fn confine(&self, root: &Path, path: &str) -> Result<String, WorkspaceError> {
        super::confine::confine(root, path)
    }
}

impl Worktrees for GitTree {
    fn give(
        &self,
        project: PathBuf,
        number: u32,
        base: TreeId,
        files: TreeId,
        links: Vec<String>,
    ) -> Fut<'_, Result<PathBuf, WorkspaceError>> {
        Box::pin(async move {
            let place = place::find(&self.git, &project, &self.data_dir).await?;
            let slot = place::Slot::new(&place, &self.data_dir, number);
            let wanted = slot::Wanted { base: &base, files: &files, links: &links };
            slot::give(&self.git, &place, &slot, &wanted).await
        })
    }

    fn is_set_up(&self, worktree: &Path, commands: &[String]) -> bool {
        slot::is_set_up(worktree, commands)
    }

    fn set_up(&self, worktree: &Path, commands: &[String]) -> Result<(), WorkspaceError> {
        slot::set_up(worktree, commands)
    }

    fn merge(
        &self,
        project: PathBuf,
        base: TreeId,
        ours: TreeId,
        theirs: TreeId,
    ) -> Fut<'_, Result<Merged, WorkspaceError>> {
        Box::pin(async move {
            let private = place::known(&project, &self.data_dir, &base)?;
            land::merge(&self.git, &private, &base, &ours, &theirs).await
        })
    }

    fn apply(
        &self,
        project: PathBuf,
        from: TreeId,
        to: TreeId,
        exclude: Vec<String>,
    ) -> Fut<'_, Result<Move, WorkspaceError>> {
        Box::pin(async move {
            let place = place::find(&self.git, &project, &self.data_dir).await?;
            land::apply(&self.git, &place, &self.data_dir, (&from, &to), &exclude).await
        })
    }

    fn propose(&self, project: PathBuf, proposal: Proposal) -> Fut<'_, Result<Left, WorkspaceError>> {
        Box::pin(async move {
            let place = place::find(&self.git, &project, &self.data_dir).await?;
            propose::propose(&self.git, &place, &self.data_dir, &proposal).await
        })
    }

    fn release(&self, project: PathBuf) -> Fut<'_, Result<(), WorkspaceError>> {
        let slots = place::slots(&self.data_dir);
        Box::pin(async move {
            let folder = slots.join(super::markers::digest(&real_path(&project).unwrap_or(project)));
            let at = folder.clone();
            let markers = super::markers::OpenMarkers::new(&self.data_dir);
            let tidied =
                tokio::task::spawn_blocking(move || slot::tidy(&slots, &folder, &markers.projects())).await;
            tidied.map_err(std::io::Error::other).and_then(|done| done).map_err(|e| place::file(&at, &e))
        })
    }
}
