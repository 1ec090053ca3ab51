//! Trees of the project that are recorded: as it was before each task, as each task left it, and on demand.
//!
//! A worker is told its task only when the tree before it is on record; it is hashed while its conversation is made. One
//! look at a time, for all that wait for one. Leases say which of the files that changed meanwhile were the task's.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::Job;
use super::state::{Attempt, Mission, Task};
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{AttemptId, Millis, MissionId, TaskId};
use crate::domain::verdict::TreeId;

/// Whose doing a span is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// A task at work in the user's own files.
    Task(TaskId),
    /// The change of a task, put on what was accepted before; in the user's files once a landing follows.
    Merge(TaskId),
    /// A result of worktrees that was put into the user's files.
    Landing,
    Rollback,
}

/// What was done to the project in one go, in the order it was begun.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    pub by: By,
    /// Declared and taken on the way.
    pub files: Vec<String>,
    /// None where no tree could be read.
    pub before: Option<Recorded>,
    pub after: Option<Recorded>,
    /// It was worked on since `after`.
    pub open: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Recorded {
    pub at: Millis,
    pub tree: TreeId,
}

impl Span {
    /// The task that was at work in the user's own files.
    pub fn task(&self) -> Option<&TaskId> {
        if let By::Task(task) = &self.by { Some(task) } else { None }
    }

    /// The task whose change was accepted.
    pub fn merged(&self) -> Option<&TaskId> {
        if let By::Merge(task) = &self.by { Some(task) } else { None }
    }

    /// Made at once, of all files that differ.
    pub(super) fn whole(by: By, at: Millis, before: &TreeId, after: &TreeId) -> Self {
        let recorded = |tree: &TreeId| Some(Recorded { at, tree: tree.clone() });
        Self { by, files: Vec::new(), before: recorded(before), after: recorded(after), open: false }
    }
}

impl Core {
    /// Asks for a look at the tree when one is due and none is under way.
    pub(super) fn advance_trees(&mut self, id: &MissionId) {
        // Who asks for files to be taken back has seen to it that no turn runs.
        let all = self.live(id).rollback.is_some();
        let mut due = self.missions[id].moments(all);
        due.extend(self.live(id).unrecorded.iter().map(|n| Moment::Checkpoint(*n)));
        if due.is_empty() {
            return;
        }
        if let Some(round) = self.live(id).begin(Job::Record) {
            self.live(id).recording = due;
            let created = &self.missions[id].created;
            let (root, todo) = (created.worktree.clone(), created.options.todo.clone());
            self.act(Action::Record { mission: id.clone(), round, root, todo });
        }
    }

    pub(super) fn recorded(&mut self, id: &MissionId, round: u64, result: Result<TreeId, String>) {
        if !self.live(id).end(&Job::Record, round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        let moments = std::mem::take(&mut self.live(id).recording);
        self.live(id).unrecorded.retain(|n| !moments.contains(&Moment::Checkpoint(*n)));
        // What cannot be recorded cannot be taken back later; the work goes on.
        self.emit(id, Event::TreeRecorded { moments, tree: result.ok() });
    }
}

impl Mission {
    /// The worker is not told its task before the tree is on record. In a worktree that is what the worktree was given at.
    pub(super) fn waits_for_tree(&self, attempt: &Attempt) -> bool {
        if self.isolation.is_some() {
            return false;
        }
        let AttemptKind::Work(task) = &attempt.kind else { return false };
        attempt.prompts.is_empty() && self.task(task).is_some_and(|t| !t.recorded)
    }

    /// What is to be recorded now; with `all` also how those left the files whose work is to go on.
    fn moments(&self, all: bool) -> Vec<Moment> {
        let before = self.open_attempts().filter(|a| self.waits_for_tree(a)).filter_map(|a| match &a.kind {
            AttemptKind::Work(task) => Some(Moment::Before(task.clone())),
            _ => None,
        });
        let left = self.spans.iter().filter(|s| s.open).filter_map(|s| s.task().cloned());
        let after = left.filter(|task| all || self.laid_down(task)).map(Moment::After);
        before.chain(after).collect()
    }

    /// Nobody works on the task, and no look of its gate is to come that would say how it was left.
    fn laid_down(&self, task: &TaskId) -> bool {
        let works = |a: &Attempt| a.kind == AttemptKind::Work(task.clone()) && (a.open() || a.given_up);
        let goes_on = self.running() && self.task(task).is_some_and(|t| !t.state.is_over());
        !goes_on && !self.attempts.values().any(works)
    }

    /// The span of a task as it is in the plan now; none before it is begun.
    fn span_mut(&mut self, id: &TaskId) -> Option<&mut Span> {
        let recorded = self.task(id).is_some_and(|t| t.recorded);
        self.spans.iter_mut().rfind(|s| recorded && s.task() == Some(id))
    }

    pub(super) fn apply_recorded(&mut self, at: Millis, moments: &[Moment], tree: Option<&TreeId>) {
        let recorded = tree.map(|tree| Recorded { at, tree: tree.clone() });
        if tree.is_some() {
            self.last_tree = tree.cloned();
        }
        for moment in moments {
            match moment {
                Moment::Before(task) => self.begin_span(at, task, recorded.clone()),
                Moment::After(task) => self.end_span(task, recorded.clone()),
                Moment::Checkpoint(sequence) => self.checkpoints.record(*sequence, tree.cloned()),
            }
        }
    }

    fn begin_span(&mut self, at: Millis, id: &TaskId, before: Option<Recorded>) {
        // Of the same task before it was taken back, and never looked at since.
        self.end_span(id, before.clone());
        let Some(task) = self.tasks.iter_mut().find(|t| t.spec.id == *id) else { return };
        let tree = before.as_ref().map(|b| b.tree.clone());
        task.recorded = true;
        task.base = tree.clone().or(task.base.take());
        let files = files_of(task);
        self.spans.push(Span { by: By::Task(id.clone()), files, before, after: None, open: false });
        self.checkpoint(at, Trigger::BeforeRisky, tree);
    }

    /// How the task was left, as its gate or a look of its own has seen it.
    pub(super) fn end_span(&mut self, task: &TaskId, after: Option<Recorded>) {
        for span in self.spans.iter_mut().filter(|s| s.open && s.task() == Some(task)) {
            span.after = after.clone().or(span.after.take());
            span.open = false;
        }
    }

    /// A worker was told to go to work.
    pub(super) fn open_span(&mut self, attempt: &AttemptId) {
        let Some(AttemptKind::Work(task)) = self.attempts.get(attempt).map(|a| a.kind.clone()) else {
            return;
        };
        if let Some(span) = self.span_mut(&task) {
            span.open = true;
        }
    }

    pub(super) fn extend_span(&mut self, task: &TaskId, path: &str) {
        if let Some(span) = self.span_mut(task) {
            span.files.push(path.to_owned());
        }
    }
}

fn files_of(task: &Task) -> Vec<String> {
    task.spec.files.iter().chain(&task.taken).cloned().collect()
}
