//! Work on worktrees and merges, carried out at the ports.
use super::core::Input;
use super::core::worktrees::{Candidate, Outfit, Stacked, TreeDone, TreeNews, TreeWork};
use super::effects::{Effects, Work};
use super::inspect::plan_files;
use crate::domain::ids::MissionId;
use crate::domain::merge::Step;
use crate::domain::verdict::TreeId;
use crate::engine::core::isolation::INTEGRATION;
use crate::engine::prompts::clip_end;
use crate::ports::workspace::WorkspaceError;
use std::path::{Path, PathBuf};

/// Time limit of one command that makes a worktree ready.
const SETUP_TIMEOUT_MS: u64 = 900_000;
/// Of the output of such a command, for people.
const MAX_TAIL: usize = 300;

impl Effects {
    pub(super) fn worktree_work(
        &self,
        mission: MissionId,
        round: u64,
        project: String,
        work: TreeWork,
    ) -> Work {
        let effects = self.clone();
        let news = |done| Input::Trees(TreeNews { mission: mission.clone(), round, done });
        let broken = news(work.failed("it broke down inside Gantry"));
        let stoppable = work.stoppable();
        let of = mission.clone();
        let job = async move {
            let done = effects.on_trees(PathBuf::from(project), work).await;
            Some(Input::Trees(TreeNews { mission: of, round, done }))
        };
        Work { mission: Some(mission), stoppable, watch: false, broken: Some(broken), job: Box::pin(job) }
    }

    async fn on_trees(&self, project: PathBuf, work: TreeWork) -> TreeDone {
        let worktrees = &self.ports().worktrees;
        match work {
            TreeWork::Prepare { number, onto, outfit } => {
                let made = self.give(&project, number, &onto, None, &outfit).await;
                TreeDone::Prepared { number, result: made.map(|path| path.display().to_string()) }
            }
            TreeWork::Give { task, number, onto, carry, outfit } => {
                let given = self.give(&project, number, &onto, carry, &outfit).await;
                let result = given.map(|path| path.display().to_string());
                TreeDone::Given { task, number, base: onto, result }
            }
            TreeWork::Merge { onto, candidates } => {
                TreeDone::Merged(self.stack(&project, onto, candidates).await.map_err(told))
            }
            TreeWork::Try { tree, commands, failing, outfit } => {
                let result = match self.give(&project, INTEGRATION, &tree, None, &outfit).await {
                    Ok(path) => Ok(self.run_checks(&path, &commands, &failing).await),
                    Err(fault) => Err(fault),
                };
                TreeDone::Tried { tree, result }
            }
            TreeWork::TakeIn { user, integration, todo } => {
                let found = async {
                    let seen = self.ports().tree.hash(project.clone(), plan_files(&todo)).await?;
                    let merged = worktrees.merge(project, user, integration, seen.clone()).await?;
                    Ok((seen, merged))
                };
                TreeDone::TakenIn(found.await.map_err(told))
            }
            TreeWork::Land { from, to, todo } => {
                self.keep(&project, [&from, &to]).await;
                let result = worktrees.apply(project, from, to.clone(), plan_files(&todo)).await;
                TreeDone::Landed { tree: to, result: result.map_err(told) }
            }
            TreeWork::Propose { proposal } => {
                self.keep(&project, [&proposal.base, &proposal.tree]).await;
                TreeDone::Proposed(worktrees.propose(project, proposal).await.map_err(told))
            }
            TreeWork::Release => {
                if let Err(error) = worktrees.release(project).await {
                    tracing::warn!(%error, "worktrees could not be tidied");
                }
                TreeDone::Released
            }
        }
    }

    /// A worktree at `onto`, with a change carried over to it and the commands run that it needs.
    async fn give(
        &self,
        project: &Path,
        number: u32,
        onto: &TreeId,
        carry: Option<Candidate>,
        outfit: &Outfit,
    ) -> Result<PathBuf, String> {
        let worktrees = &self.ports().worktrees;
        let files = match carry {
            Some(carry) => {
                let merged =
                    worktrees.merge(project.to_path_buf(), carry.base, onto.clone(), carry.tree).await;
                merged.map_err(told)?.tree
            }
            None => onto.clone(),
        };
        let given = worktrees.give(project.to_path_buf(), number, onto.clone(), files, outfit.links.clone());
        let path = given.await.map_err(told)?;
        if outfit.commands.is_empty() || worktrees.is_set_up(&path, &outfit.commands) {
            return Ok(path);
        }
        for command in &outfit.commands {
            let result = self.ports().checks.run(path.clone(), command.clone(), SETUP_TIMEOUT_MS).await;
            if !result.passed() {
                return Err(format!(
                    "`{command}` of worktreeSetup fails: {}",
                    clip_end(&result.tail, MAX_TAIL)
                ));
            }
        }
        worktrees.set_up(&path, &outfit.commands).map_err(told)?;
        Ok(path)
    }

    async fn stack(
        &self,
        project: &Path,
        onto: TreeId,
        candidates: Vec<Candidate>,
    ) -> Result<Stacked, WorkspaceError> {
        let worktrees = &self.ports().worktrees;
        let merge = |base, ours, theirs| worktrees.merge(project.to_path_buf(), base, ours, theirs);
        let mut stacked = Stacked::default();
        let mut top = onto.clone();
        for Candidate { task, base, tree } in candidates {
            let merged = merge(base.clone(), top.clone(), tree.clone()).await?;
            if merged.conflicts.is_empty() {
                self.keep(project, [&top, &merged.tree]).await;
                top = merged.tree.clone();
                stacked.steps.push(Step { task, tree: merged.tree });
                continue;
            }
            // With another change of the batch only: that one may not be accepted after all.
            let conflicts =
                if top == onto { merged.conflicts } else { merge(base, onto.clone(), tree).await?.conflicts };
            if !conflicts.is_empty() {
                stacked.refused.push((task, conflicts));
            }
        }
        Ok(stacked)
    }
}

impl Effects {
    /// For a rollback. What cannot be kept cannot be taken back later; the work goes on.
    async fn keep(&self, project: &Path, trees: [&TreeId; 2]) {
        for tree in trees {
            let kept = self.ports().history.keep(project.to_path_buf(), tree.clone()).await;
            kept.unwrap_or_else(|error| tracing::warn!(%error, "a tree could not be kept"));
        }
    }
}

fn told(error: WorkspaceError) -> String {
    error.to_string()
}
