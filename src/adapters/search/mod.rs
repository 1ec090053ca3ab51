//! Searches of a tree in this process, by the libraries that ripgrep and ast-grep are made of.
//!
//! A search reads the disk as it is; there is no index that could be behind. It runs on threads of its own, a few searches
//! at a time, and stops at the next file when its asker is gone.
mod cursor;
mod files;
mod languages;
mod rewrite;
mod scan;
mod structure;
mod text;
mod walk;

use crate::ports::Fut;
use crate::ports::code::{
    Change, CodeError, CodeQuery, FileLines, FileQuery, Found, Node, Search, Stop, TextQuery,
};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Searches under way; each uses all cores, so more of them only share what there is. The others wait in order, those
/// for structure in one of their own: parsing one large file takes seconds and cannot be stopped half way.
const AT_A_TIME: usize = 2;

pub struct TreeSearch {
    turns: Arc<Semaphore>,
    structural: Arc<Semaphore>,
    give_back: fn(),
}

impl Default for TreeSearch {
    fn default() -> Self {
        Self::with(|| ())
    }
}

/// Ends the work of an asker that went away while it waited for its answer.
struct StopWhenDropped(Stop);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.pull();
    }
}

impl TreeSearch {
    /// `give_back` is called after each search that leaves much freed memory behind: syntax trees are millions of pieces.
    pub fn with(give_back: fn()) -> Self {
        let turns = || Arc::new(Semaphore::new(AT_A_TIME));
        Self { turns: turns(), structural: turns(), give_back }
    }

    async fn run<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        stop: Stop,
        work: impl FnOnce(&Stop) -> Result<T, CodeError> + Send + 'static,
    ) -> Result<T, CodeError> {
        let guard = StopWhenDropped(stop.clone());
        let closed = |_| CodeError::Failed("the search ended with its process".into());
        let turn = turns.clone().acquire_owned().await.map_err(closed)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            if stop.pulled() {
                return Err(CodeError::Cancelled);
            }
            let answer = work(&stop)?;
            if stop.pulled() { Err(CodeError::Cancelled) } else { Ok(answer) }
        });
        let answer =
            done.await.unwrap_or_else(|e| Err(CodeError::Failed(format!("the search broke down: {e}"))));
        drop(guard);
        answer
    }
}

impl Search for TreeSearch {
    fn text(&self, query: TextQuery, stop: Stop) -> Fut<'_, Result<Found<FileLines>, CodeError>> {
        Box::pin(self.run(&self.turns, stop, move |stop| text::search(&query, stop)))
    }

    fn files(&self, query: FileQuery, stop: Stop) -> Fut<'_, Result<Found<String>, CodeError>> {
        Box::pin(self.run(&self.turns, stop, move |stop| files::search(&query, stop)))
    }

    fn code(&self, query: CodeQuery, stop: Stop) -> Fut<'_, Result<Found<Node>, CodeError>> {
        let give_back = self.give_back;
        Box::pin(self.run(&self.structural, stop, move |stop| {
            let found = structure::search(&query, stop);
            give_back();
            found
        }))
    }

    fn rewrite(&self, query: CodeQuery, stop: Stop) -> Fut<'_, Result<Found<Change>, CodeError>> {
        let give_back = self.give_back;
        Box::pin(self.run(&self.structural, stop, move |stop| {
            let changes = structure::rewrite(&query, stop);
            give_back();
            changes
        }))
    }

    fn apply(&self, root: PathBuf, changes: Vec<Change>) -> Fut<'_, Result<(), CodeError>> {
        // Not to be stopped half-way: a set of files is written or it is not.
        Box::pin(self.run(&self.turns, Stop::default(), move |_| rewrite::apply(&root, &changes)))
    }
}
