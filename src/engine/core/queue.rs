//! Worktrees for tasks, and the merge queue: what is approved is put on what is accepted, checked there, and only then
//! accepted itself.
use super::event::*;
use super::isolation::{INTEGRATION, Isolation};
use super::live::Job;
use super::state::{Attempt, Mission, Task};
use super::worktrees::*;
use super::{Action, Core, gate};
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::merge::{MAX_BATCH, Next};
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckResult, Finding, TreeId, Verdict};
use crate::engine::prompts;
use crate::ports::worktrees::Conflict;

/// Times in a row that work on trees may fail for reasons of the machine.
const MAX_FAULTS: u32 = 3;

impl Core {
    pub(super) fn tree_work(&mut self, id: &MissionId, work: TreeWork) {
        // A reviewer who has handed in its verdict may still be reading.
        let reads = |subject: &Subject| at_work(&self.missions[id], subject);
        let waits = match &work {
            TreeWork::Prepare { .. } => self.worktrees_are_anothers(id),
            TreeWork::Give { task: None, .. } | TreeWork::Try { .. } => reads(&Subject::Whole),
            TreeWork::Give { task: Some(task), .. } => {
                reads(&Subject::Task(task.clone())) || self.worktrees_are_anothers(id)
            }
            _ => false,
        };
        if waits {
            return;
        }
        let Some(round) = self.live(id).begin(Job::Trees(work.job())) else { return };
        let project = self.missions[id].created.worktree.clone();
        self.act(Action::Trees { mission: id.clone(), round, project, work });
    }

    /// An ended mission of the place has not given its worktrees up: the last turns in them may still go on.
    fn worktrees_are_anothers(&self, id: &MissionId) -> bool {
        let place = self.missions[id].place();
        let others = self.missions.values().filter(|m| m.id != *id && m.place() == place);
        others.filter(|m| !m.state.is_open()).any(|m| m.isolation.as_ref().is_some_and(|i| !i.released))
    }

    pub(super) fn tree_news(&mut self, news: TreeNews) {
        let TreeNews { mission: id, round, done } = news;
        let awaited = self.live.get_mut(&id).is_some_and(|l| l.end(&Job::Trees(done.job()), round));
        let Some(mission) = self.missions.get(&id).filter(|m| awaited && m.isolation.is_some()) else {
            self.late_reports += 1;
            return;
        };
        let open = mission.state.is_open();
        match done {
            TreeDone::Prepared { result, .. } if open => self.prepared(&id, result),
            TreeDone::Given { task, number, base, result } if open => {
                self.given(&id, task, number, base, result)
            }
            TreeDone::Merged(result) if open => self.stacked(&id, result),
            TreeDone::Tried { tree, result } if open => self.tried(&id, &tree, result),
            TreeDone::TakenIn(result) if open => self.taken_in(&id, result),
            TreeDone::Landed { tree, result } => self.landed(&id, tree, result),
            TreeDone::Proposed(result) if !open => self.proposed(&id, result),
            TreeDone::Released => self.emit(&id, Event::WorktreesReleased { left_at: None }),
            _ => self.late_reports += 1,
        }
    }

    // ---- worktrees of tasks

    /// Whether the task can be worked on where it is; else a worktree is on its way, when there is room for one.
    pub(super) fn has_place(&mut self, id: &MissionId, task: &TaskId) -> bool {
        let mission = &self.missions[id];
        let (Some(isolation), Some(t)) = (&mission.isolation, mission.task(task)) else { return true };
        if t.worktree.as_ref().is_some_and(|w| !w.stale) {
            return true;
        }
        let comes = |job: &Job| matches!(job, Job::Trees(TreeJob::Give { task: Some(of), .. }) if of == task);
        if self.live.get(id).is_some_and(|live| live.jobs.keys().any(comes)) {
            return false;
        }
        let carry = candidate(t);
        let onto = isolation.integration.clone();
        let Some(number) = self.number_for(id, t) else { return false };
        let outfit = mission.outfit();
        self.tree_work(id, TreeWork::Give { task: Some(task.clone()), number, onto, carry, outfit });
        false
    }

    /// Its own number again, else the lowest that nobody uses, while there are fewer at work than there may be workers.
    fn number_for(&self, id: &MissionId, task: &Task) -> Option<u32> {
        let mission = &self.missions[id];
        if let Some(worktree) = &task.worktree {
            return Some(worktree.number);
        }
        let live = self.live.get(id)?;
        let coming = live.jobs.keys().filter_map(|job| match job {
            Job::Trees(TreeJob::Give { number, .. }) => Some(*number),
            _ => None,
        });
        let coming: Vec<u32> = coming.collect();
        // Not one that has to wait again for others, who could not be given any.
        let works =
            |t: &&Task| matches!(t.state, TaskState::Ready | TaskState::Assigned | TaskState::InProgress);
        let at_work = mission.tasks.iter().filter(|t| t.worktree.is_some()).filter(works).count();
        if at_work + coming.len() >= mission.created.options.workers as usize {
            return None;
        }
        let prepared =
            |number: &u32| live.jobs.contains_key(&Job::Trees(TreeJob::Prepare { number: *number }));
        let used = |number: &u32| coming.contains(number) || prepared(number) || keeps(mission, *number);
        // One it depends on has built there what it needs, and the host knows the place.
        let before = task.spec.depends_on.iter().rev().filter_map(|dep| mission.task(dep)?.worktree.as_ref());
        let mut near = before.map(|worktree| worktree.number);
        near.find(|number| !used(number)).or_else(|| (INTEGRATION + 1..).find(|number| !used(number)))
    }

    fn given(
        &mut self,
        id: &MissionId,
        task: Option<TaskId>,
        number: u32,
        base: TreeId,
        result: Result<String, String>,
    ) {
        match (result, task) {
            (Ok(path), task) => {
                self.live(id).tree_faults = 0;
                if task.is_none() {
                    // While the tree is looked at and checked.
                    self.open_folder(id, &path);
                }
                self.emit(id, Event::WorktreeGiven { task, number, path, base });
            }
            (Err(fault), None) => self.tree_fault(id, &fault),
            (Err(fault), Some(task)) => {
                let note = format!("no worktree could be made ready: {}", prompts::clip(&fault, 300));
                if !self.fault_again(id) {
                    return;
                }
                let state = self.missions[id].task(&task).map(|t| t.state);
                let path: &[TaskState] = match state {
                    Some(TaskState::Ready) => {
                        &[TaskState::Assigned, TaskState::InProgress, TaskState::Failed]
                    }
                    Some(TaskState::Assigned) => &[TaskState::InProgress, TaskState::Failed],
                    Some(TaskState::InProgress) => &[TaskState::Failed],
                    _ => &[],
                };
                for to in path {
                    self.task_changed(id, &task, *to, Some(note.clone()));
                }
                self.task_given_up(id, &task, &note);
            }
        }
    }

    /// True when it has failed too often in a row to be tried again.
    pub(super) fn fault_again(&mut self, id: &MissionId) -> bool {
        let live = self.live(id);
        live.tree_faults += 1;
        live.tree_faults >= MAX_FAULTS
    }

    /// The machine, not the work, is at fault: tried again, then the mission ends.
    pub(super) fn tree_fault(&mut self, id: &MissionId, fault: &str) {
        // Paused meanwhile: it is tried again when it goes on.
        if self.missions[id].running() && self.fault_again(id) {
            self.recover(id);
            let why = format!("accepted work could not be put together: {}", prompts::clip(fault, 300));
            self.end_work(id, MissionState::Failed, why);
        }
    }

    // ---- the queue

    pub(super) fn advance_queue(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let Some(isolation) = &mission.isolation else { return };
        let Some(batch) = &isolation.batch else {
            let candidates: Vec<_> =
                isolation.queue.iter().take(MAX_BATCH).filter_map(|t| mission.candidate(t)).collect();
            if !candidates.is_empty() {
                let onto = isolation.integration.clone();
                self.tree_work(id, TreeWork::Merge { onto, candidates });
            }
            return;
        };
        match batch.next() {
            Next::Check(changes) => {
                let tree = batch.tree(changes).clone();
                let commands = mission.survey.as_ref().map(|s| s.checks.clone()).unwrap_or_default();
                if commands.is_empty() || verified(mission, isolation, &commands) {
                    let changes = changes as u32;
                    return self.emit(id, Event::BatchChecked { changes, passed: true, results: Vec::new() });
                }
                let failing = commands.iter().filter(|c| gate::blameless(mission, c)).cloned().collect();
                let outfit = mission.outfit();
                self.tree_work(id, TreeWork::Try { tree, commands, failing, outfit });
            }
            Next::Accept { good, culprit } => self.accept_batch(id, good, culprit),
        }
    }

    fn stacked(&mut self, id: &MissionId, result: Result<Stacked, String>) {
        let Stacked { steps, refused } = match result {
            Ok(stacked) => stacked,
            Err(fault) => return self.tree_fault(id, &fault),
        };
        self.live(id).tree_faults = 0;
        for (task, conflicts) in refused {
            let findings = conflicts.iter().map(conflict).collect();
            self.refuse_merge(id, &task, "it contradicts work that was accepted meanwhile", findings);
        }
        let isolation = self.missions[id].isolation.as_ref();
        // One that was taken back meanwhile is in the trees of those behind it.
        let stands = |i: &&Isolation| steps.iter().all(|step| i.queue.contains(&step.task));
        let isolation = isolation.filter(stands);
        if let Some(onto) =
            isolation.filter(|i| i.batch.is_none() && !steps.is_empty()).map(|i| i.integration.clone())
        {
            self.emit(id, Event::BatchMade { onto, steps });
        }
    }

    fn tried(&mut self, id: &MissionId, tree: &TreeId, result: Result<Vec<CheckResult>, String>) {
        let results = match result {
            Ok(results) => results,
            Err(fault) => return self.tree_fault(id, &fault),
        };
        self.live(id).tree_faults = 0;
        let mission = &self.missions[id];
        let batch = mission.isolation.as_ref().and_then(|i| i.batch.as_ref());
        let asked = batch.and_then(|batch| match batch.next() {
            // A batch that was withdrawn and made anew has other trees, and is asked about again.
            Next::Check(changes) if batch.tree(changes) == tree => Some(changes),
            _ => None,
        });
        let Some(changes) = asked else {
            self.late_reports += 1;
            return;
        };
        let passed = gate::failures(mission, &results).is_empty();
        if !passed {
            self.live(id).batch_failure.clone_from(&results);
        }
        self.emit(id, Event::BatchChecked { changes: changes as u32, passed, results });
    }

    fn accept_batch(&mut self, id: &MissionId, good: usize, culprit: Option<TaskId>) {
        let mission = &self.missions[id];
        let batch = mission.isolation.as_ref().and_then(|i| i.batch.as_ref());
        let merged: Vec<_> =
            batch.into_iter().flat_map(|b| b.steps()[..good].iter().map(|s| s.task.clone())).collect();
        self.emit(id, Event::BatchMerged { changes: good as u32 });
        for task in merged {
            self.task_changed(id, &task, TaskState::Completed, None);
        }
        if let Some(task) = culprit {
            // After a restart what the checks said is in the journal only; the worker runs them itself.
            let results = std::mem::take(&mut self.live(id).batch_failure);
            if let Some(why) = gate::cannot_start(&self.missions[id], &Subject::Task(task.clone()), &results)
            {
                return self.end_for(id, why);
            }
            let mission = &self.missions[id];
            let findings = match gate::failures(mission, &results) {
                none if none.is_empty() => {
                    vec![Finding::of("high", "the checks fail with this change on top of what was accepted")]
                }
                findings => findings,
            };
            self.refuse_merge(id, &task, "the checks fail with it on top of what was accepted", findings);
        }
    }

    /// The verdict on the change stands for its own tree, but not for what it would make of what is accepted.
    fn refuse_merge(&mut self, id: &MissionId, task: &TaskId, why: &str, findings: Vec<Finding>) {
        let Some(t) = self.missions[id].task(task).filter(|t| t.state == TaskState::InReview) else { return };
        let tree = t.gate.verdict.as_ref().and_then(|v| v.tree.clone());
        let verdict = Verdict { approved: false, tree, summary: why.into(), findings };
        self.emit(id, Event::Judged { subject: Subject::Task(task.clone()), verdict });
        self.send_back(id, task, why);
    }
}

/// Whether a worktree may not be given to another task: its own goes on, or a turn in it may.
fn keeps(mission: &Mission, number: u32) -> bool {
    let has = |t: &Task| !t.state.is_over() && t.worktree.as_ref().is_some_and(|w| w.number == number);
    let sits = |a: &Attempt| (a.open() || a.given_up) && a.worktree == Some(number);
    mission.tasks.iter().any(has) || mission.attempts.values().any(sits)
}

/// Whether a turn goes on, or may, that works on the subject or reads it.
fn at_work(mission: &Mission, subject: &Subject) -> bool {
    let task = if let Subject::Task(task) = subject { mission.task(task) } else { None };
    let is = |a: &Attempt| a.works_on(subject) || task.is_some_and(|task| a.compares(task));
    mission.attempts.values().any(|a| (a.open() || a.given_up) && is(a))
}

fn candidate(task: &Task) -> Option<Candidate> {
    let tree = task.gate.verdict.as_ref()?.tree.clone()?;
    let base = task.seen.as_ref().filter(|seen| seen.tree == tree)?.base.clone();
    Some(Candidate { task: task.spec.id.clone(), base, tree })
}

/// One change on what it was made on, whose own gate ran all the checks: its tree has its verdict.
fn verified(mission: &Mission, isolation: &Isolation, commands: &[String]) -> bool {
    let Some([step]) = isolation.batch.as_ref().map(|b| b.steps()) else { return false };
    let Some(task) = mission.task(&step.task) else { return false };
    let same = task.gate.verdict.as_ref().and_then(|v| v.tree.as_ref()) == Some(&step.tree);
    let ran =
        |command: &String| task.gate.checks.iter().flatten().any(|r| r.command == *command && r.passed());
    same && commands.iter().all(ran)
}

fn conflict(conflict: &Conflict) -> Finding {
    let message = format!(
        "{}. Both sides stand in the file, what was accepted first: make one of them that keeps what both are for",
        conflict.message
    );
    Finding { file: Some(conflict.path.clone()), ..Finding::of("high", message) }
}

impl Mission {
    fn candidate(&self, task: &TaskId) -> Option<Candidate> {
        candidate(self.task(task)?)
    }

    pub(super) fn outfit(&self) -> Outfit {
        let options = &self.created.options;
        let links = options.worktree_links.clone();
        let links = links.unwrap_or_else(|| ["node_modules", ".venv", "venv"].map(Into::into).into());
        Outfit { links, commands: options.worktree_setup.clone().unwrap_or_default() }
    }
}
