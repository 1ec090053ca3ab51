//! State of a mission whose tasks work in worktrees of their own: where each is, what is accepted, what waits to be merged,
//! and how far the result has come into the user's files.
use super::event::{AttemptKind, Event, Subject};
use super::io::Ground;
use super::state::{Acceptance, Change, Gate, Mission};
use super::trees::{By, Span};
use crate::domain::ids::{Millis, TaskId};
use crate::domain::merge::{Batch, Step};
use crate::domain::task::TaskState;
use crate::domain::verdict::{TreeId, Verdict};
use crate::ports::worktrees::Left;

/// The number of the worktree in which accepted work is put together.
pub const INTEGRATION: u32 = 0;

/// A working tree that was given to a task, or to the whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Worktree {
    pub number: u32,
    pub path: String,
    /// What its change is seen against.
    pub base: TreeId,
    /// The merge queue refused its change: it is brought to what is accepted, with the change on top, before work on
    /// it goes on.
    pub stale: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Isolation {
    /// The user's files as of `user`, with all accepted work; only ever a tree that passed the checks.
    pub integration: TreeId,
    pub user: TreeId,
    /// Approved and not merged, in the order of their approval.
    pub queue: Vec<TaskId>,
    pub batch: Option<Batch>,
    /// Where the whole is looked at.
    pub whole: Option<Worktree>,
    /// The user's edits are in `integration`, as of this round of the whole.
    pub taken_in: bool,
    /// Files that the user and the mission have changed in ways that contradict each other.
    pub clashes: Vec<String>,
    /// The user's files are being moved from one tree to the other, or were when the process died.
    pub landing: Option<(TreeId, TreeId)>,
    /// Why a part of a result may be in the user's files, and not all of it.
    pub half: Option<String>,
    /// The user's files are this result.
    pub landed: Option<TreeId>,
    /// Where a result that did not go into the user's files was left.
    pub left: Option<Left>,
    /// The worktrees are given up.
    pub released: bool,
}

impl Isolation {
    fn new(tree: TreeId) -> Self {
        Self {
            integration: tree.clone(),
            user: tree,
            queue: Vec::new(),
            batch: None,
            whole: None,
            taken_in: false,
            clashes: Vec::new(),
            landing: None,
            half: None,
            landed: None,
            left: None,
            released: false,
        }
    }

    /// Accepted work that is in no file of the user's.
    pub fn owes_result(&self) -> bool {
        self.integration != self.user
    }

    /// It is known where the result is, so that the end can be reported.
    pub(super) fn is_settled(&self) -> bool {
        self.landing.is_none() && (!self.owes_result() || self.left.is_some())
    }

    /// The result could not be left anywhere.
    pub(super) fn lost(&self) -> bool {
        self.owes_result() && self.left.as_ref().is_some_and(|l| l.branch.is_none() && l.patch.is_none())
    }

    /// The mission goes on after an end, or ends: tasks that are not done are begun anew.
    pub(super) fn begin_or_end(&mut self, open: bool) {
        self.drop_queue();
        if open {
            self.released = false;
            self.left = None;
        }
    }

    /// The task is not up for merging any more; a batch with it in it is another one now.
    pub(super) fn withdraw(&mut self, task: &TaskId) {
        self.queue.retain(|queued| queued != task);
        if self.batch.as_ref().is_some_and(|batch| batch.steps().iter().any(|step| step.task == *task)) {
            self.batch = None;
        }
    }

    pub(super) fn drop_queue(&mut self) {
        self.queue.clear();
        self.batch = None;
        self.whole = None;
    }
}

impl Mission {
    pub(super) fn isolate(&mut self, tree: Option<&TreeId>) {
        if self.created.options.wants_worktrees() {
            self.isolation = tree.cloned().map(Isolation::new);
        }
    }

    /// What is approved waits for the queue; what the queue refuses has to catch up with what is accepted.
    pub(super) fn judge_isolated(&mut self, task: &TaskId, approved: bool) -> Result<(), String> {
        let Some(isolation) = &mut self.isolation else { return Ok(()) };
        let queued = isolation.queue.contains(task);
        isolation.queue.retain(|id| id != task);
        if approved {
            isolation.queue.push(task.clone());
            return Ok(());
        }
        self.task_mut(task)?.accepted = None;
        if queued {
            self.task_mut(task)?.worktree.iter_mut().for_each(|worktree| worktree.stale = true);
        }
        Ok(())
    }

    pub(super) fn change_seen(&mut self, id: &TaskId, tree: Option<&TreeId>) -> Result<(), String> {
        if self.isolation.is_none() {
            return Ok(());
        }
        let base = self.place_of(id).map(|w| w.base.clone());
        self.task_mut(id)?.seen = base.zip(tree.cloned()).map(|(base, tree)| Change { base, tree });
        Ok(())
    }

    /// Its change waits for the queue as if its gate had approved it.
    pub(super) fn queue_accepted(&mut self, id: &TaskId, acceptance: Acceptance) -> Result<(), String> {
        self.isolated()?.queue.push(id.clone());
        let task = self.task_mut(id)?;
        let tree = acceptance.tree.clone();
        let summary = format!("accepted by {}, not by its gate", acceptance.by);
        let verdict = Verdict { approved: true, tree, summary, findings: Vec::new() };
        task.gate = Gate { checks: Some(Vec::new()), verdict: Some(verdict), ..Gate::default() };
        if task.state.is_over() {
            // Another may have been given it since.
            task.worktree = None;
        }
        task.state = TaskState::InReview;
        task.accepted = Some(acceptance);
        Ok(())
    }

    fn isolated(&mut self) -> Result<&mut Isolation, String> {
        self.isolation.as_mut().ok_or_else(|| "a fact of worktrees in a mission that has none".into())
    }

    /// Facts of worktrees and their results; all others are not for here.
    pub(super) fn apply_isolation(&mut self, at: Millis, event: &Event) -> Result<(), String> {
        match event {
            Event::WorktreeGiven { task, number, path, base } => {
                let given =
                    Worktree { number: *number, path: path.clone(), base: base.clone(), stale: false };
                self.isolated()?;
                // A conversation stays where it was begun.
                let subject = task.clone().map_or(Subject::Whole, Subject::Task);
                if let Some(attempt) = self.open_attempts().find(|a| a.works_on(&subject)) {
                    return Err(format!("{path} is given while {} is at work", attempt.id));
                }
                match task {
                    Some(task) => self.task_mut(task)?.worktree = Some(given),
                    None => self.isolated()?.whole = Some(given),
                }
            }
            Event::BatchMade { onto, steps } => {
                let isolation = self.isolated()?;
                if *onto != isolation.integration {
                    return Err("a batch on something else than what is accepted".into());
                }
                isolation.batch = Some(Batch::new(onto.clone(), steps.clone()));
            }
            Event::BatchChecked { changes, passed, .. } => {
                let batch = self.isolated()?.batch.as_mut().ok_or("checks of a batch that is not there")?;
                batch.told(*changes as usize, *passed).map_err(|e| e.to_string())?;
            }
            Event::BatchMerged { changes } => {
                let isolation = self.isolated()?;
                let batch = isolation.batch.take().ok_or("a merge without a batch")?;
                let merged = batch.steps().get(..*changes as usize).ok_or("more merges than changes")?;
                isolation.queue.retain(|queued| !merged.iter().any(|step| step.task == *queued));
                isolation.integration = batch.tree(*changes as usize).clone();
                // It is at another tree than what is accepted now.
                isolation.whole = None;
                let merged = merged.iter().enumerate();
                let span = |(n, step): (usize, &Step)| {
                    Span::whole(By::Merge(step.task.clone()), at, batch.tree(n), &step.tree)
                };
                self.spans.extend(merged.map(span));
            }
            Event::UserTreeTaken { seen, merged, clashes } => {
                let isolation = self.isolated()?;
                if let Some(merged) = merged {
                    isolation.integration = merged.clone();
                    isolation.user = seen.clone();
                }
                isolation.clashes.clone_from(clashes);
                isolation.taken_in = true;
                isolation.whole = None;
            }
            Event::LandingBegun { from, to } => {
                let isolation = self.isolated()?;
                if isolation.landing.is_some() {
                    return Err("a landing within another".into());
                }
                isolation.landing = Some((from.clone(), to.clone()));
            }
            Event::LandingEnded { half, why } => {
                let isolation = self.isolated()?;
                let (from, to) = isolation.landing.take().ok_or("the end of no landing")?;
                if *half {
                    isolation.half = Some(why.clone());
                    // What of it is there can be taken back.
                    self.spans.push(Span::whole(By::Landing, at, &from, &to));
                }
            }
            Event::ResultLeft { branch, patch, outside, fault } => {
                let (branch, patch) = (branch.clone(), patch.clone());
                let (outside, fault) = (outside.clone(), fault.clone());
                self.isolated()?.left = Some(Left { branch, patch, outside, fault });
            }
            Event::Landed { tree } => {
                let isolation = self.isolated()?;
                (isolation.landing, isolation.half) = (None, None);
                isolation.landed = Some(tree.clone());
                isolation.integration = tree.clone();
                let before = std::mem::replace(&mut isolation.user, tree.clone());
                self.spans.push(Span::whole(By::Landing, at, &before, tree));
            }
            Event::WorktreesReleased { left_at } => {
                let isolation = self.isolated()?;
                if let Some(at) = left_at {
                    isolation.left = Some(left_before(at));
                }
                isolation.released = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Everything in a worktree is the change of who works there.
    pub(super) fn ground_in(&self, isolation: &Isolation, subject: &Subject) -> Ground {
        let (worktree, base) = match subject {
            Subject::Whole => (isolation.whole.as_ref(), Some(&isolation.user)),
            Subject::Task(task) => {
                let worktree = self.place_of(task);
                (worktree, worktree.map(|w| &w.base))
            }
        };
        Ground {
            root: worktree.map_or_else(|| self.created.worktree.clone(), |w| w.path.clone()),
            base: base.cloned(),
            todo: self.created.options.todo.clone(),
            scope: None,
        }
    }

    /// The folder that a session for this subject works in; none where that is the user's own.
    pub fn worktree_of(&self, kind: &AttemptKind) -> Option<&Worktree> {
        match kind {
            AttemptKind::Planning => None,
            AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => self.place_of(task),
            AttemptKind::Review(Subject::Whole) => self.isolation.as_ref()?.whole.as_ref(),
        }
    }

    /// Where in a worktree the conversation that asked would be.
    pub fn folder_in(&self, worktree: &Worktree) -> String {
        self.folder_below(&worktree.path)
    }

    pub(super) fn folder_below(&self, root: &str) -> String {
        let inside = self.created.directory.as_str().strip_prefix(self.created.worktree.as_str());
        match inside.map(|rest| rest.trim_matches('/')) {
            Some(inside) if !inside.is_empty() => format!("{root}/{inside}"),
            _ => root.to_owned(),
        }
    }
}

/// As journals of before had it: a branch, the path of a patch, or why there is neither.
fn left_before(at: &str) -> Left {
    let at_text = || Some(at.to_owned());
    if let Some(fault) = at.strip_prefix("nowhere: ") {
        return Left { fault: Some(fault.to_owned()), ..Left::default() };
    }
    if at.ends_with(".patch") {
        return Left { patch: at_text(), ..Left::default() };
    }
    Left { branch: at_text(), ..Left::default() }
}
