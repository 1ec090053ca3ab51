//! Changes that no task has declared: what checks write, and what nobody is known to have written.
use super::event::{Inspection, Subject};
use super::state::{Mission, Task};
use crate::domain::lease::Pattern;

/// Files that one run of the checks is remembered to have written. More of them are no by-product that git was not told of.
const MAX_WRITTEN: usize = 200;
/// Undeclared paths that a reviewer is told.
const MAX_UNDECLARED: usize = 50;

impl Mission {
    pub(super) fn written_by_checks(&mut self, wrote: &[String]) {
        for path in wrote.iter().take(MAX_WRITTEN) {
            *self.wrote.entry(path.clone()).or_default() += 1;
        }
    }

    /// Whether trees that differ in these files only differ by what the checks write. Of a file that changed in one run it may
    /// have been the user who wrote it.
    pub(super) fn checks_write(&self, paths: &[String]) -> bool {
        !paths.is_empty() && paths.iter().all(|path| self.wrote.get(path).is_some_and(|runs| *runs > 1))
    }

    pub(super) fn undeclared(&self, subject: &Subject, inspection: &Inspection) -> Vec<String> {
        let Subject::Task(task) = subject else { return Vec::new() };
        let Some(task) = self.task(task) else { return Vec::new() };
        let own = patterns(task);
        let (paths, others) = match &self.isolation {
            // Everything there is its own doing; where the plan names no files, none is a surprise.
            Some(_) if own.is_empty() => return Vec::new(),
            Some(_) => (&inspection.changed, Vec::new()),
            None => {
                let begun = self.tasks.iter().filter(|t| t.attempts > 0);
                (&inspection.undeclared, begun.flat_map(patterns).collect())
            }
        };
        let declared = |path: &str| own.iter().chain(&others).any(|pattern| pattern.covers(path));
        let found = paths.iter().filter(|path| !declared(path) && !self.wrote.contains_key(*path));
        found.take(MAX_UNDECLARED).cloned().collect()
    }
}

fn patterns(task: &Task) -> Vec<Pattern> {
    task.spec.files.iter().chain(&task.taken).filter_map(|path| Pattern::parse(path).ok()).collect()
}
