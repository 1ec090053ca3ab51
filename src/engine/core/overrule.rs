//! The user's word in the place of a gate's: recorded with its reason, shown in the report, never called a pass.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::Job;
use super::state::{Acceptance, Mission};
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{Millis, MissionId, TaskId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckResult, TreeId};
use crate::engine::prompts::clip;

/// Longest reason that is kept, in bytes.
const MAX_REASON: usize = 2_000;

impl Core {
    pub(super) fn accept(
        &mut self,
        id: &MissionId,
        subject: Subject,
        by: &str,
        reason: &str,
    ) -> Result<(), Refusal> {
        if self.is_landing(id) {
            let text = "its result is just being put into your files; look again in a moment";
            return Err(Refusal::Conflict(text.into()));
        }
        let (by, reason) = (by.to_owned(), clip(reason.trim(), MAX_REASON));
        match subject {
            Subject::Task(task) => self.accept_task(id, &task, by, reason),
            Subject::Whole => self.accept_whole(id, by, reason),
        }
    }

    /// Whatever the task is doing, it counts as done from now on; what waited for it or was skipped for its sake goes on.
    /// A mission that has ended is taken up again only when nothing but its own gate is left: what else failed in it is
    /// tried again when the user says so.
    fn accept_task(
        &mut self,
        id: &MissionId,
        task: &TaskId,
        by: String,
        reason: String,
    ) -> Result<(), Refusal> {
        use MissionState::*;
        let mission = &self.missions[id];
        let state = mission.state;
        match mission.task(task).map(|t| t.state) {
            None => {
                let ids: Vec<_> = mission.planned().map(|t| t.spec.id.as_str()).collect();
                let text = format!("the mission has no task {task}; it has {}", ids.join(", "));
                return Err(Refusal::NotFound(clip(&text, 1_000)));
            }
            Some(TaskState::Completed) => {
                return Err(Refusal::Conflict(format!("task {task} is done already")));
            }
            Some(_) if mission.is_raced(task) => {
                let text = format!(
                    "task {task} is raced, and which of the tries counts is not for a word to say: steer or retry the mission, or take over by hand what it left"
                );
                return Err(Refusal::Conflict(text));
            }
            Some(_) if mission.is_whole_of_parts(task) => {
                let parts: Vec<_> = mission.parts_of(task).map(|t| t.spec.id.as_str()).collect();
                let text = format!("task {task} is done by its parts: accept {}", parts.join(", "));
                return Err(Refusal::Conflict(clip(&text, 1_000)));
            }
            Some(_)
                if matches!(state, Running | Degraded | Paused | PartiallyCompleted | Failed | Timeout) => {}
            Some(_) => {
                let text = format!("nothing of a mission that is {} can be accepted", state.name());
                return Err(Refusal::Conflict(text));
            }
        }
        let rest = mission.planned().filter(|t| t.state != TaskState::Completed).count() - 1;
        let goes_on = !state.is_open() && rest == 0;
        let tree = mission.change_to_merge(task).map_err(Refusal::Conflict)?;
        if tree.is_some() && !state.is_open() && !goes_on {
            let text = format!(
                "the change of {task} is in a worktree, to be merged while the mission is at work: retry the mission, and accept {task} then; the change is kept"
            );
            return Err(Refusal::Conflict(text));
        }
        if goes_on {
            self.may_retry(id, state)?;
        }
        self.lay_down(id, &Subject::Task(task.clone()));
        // Who is begun anew is not in the queue.
        let merged = tree.is_some();
        let task_of = self.missions[id].task(task);
        let reason = if !merged && task_of.is_some_and(|t| t.worktree.is_some()) {
            format!("{reason} (nothing of its worktree was merged: its gate has seen no change)")
        } else {
            reason
        };
        if goes_on && merged {
            self.retry(id, state)?;
        }
        self.emit(id, Event::Accepted { task: Some(task.clone()), by, reason, tree });
        let changed: Vec<_> = self.missions[id].tasks.iter().map(|t| t.spec.id.clone()).collect();
        self.live(id).todo_dirty.extend(changed);
        if goes_on {
            return if merged { Ok(()) } else { self.retry(id, state) };
        }
        if state.is_open() {
            self.lay_down_whole(id);
        } else {
            self.owe_report(id);
        }
        Ok(())
    }

    fn accept_whole(&mut self, id: &MissionId, by: String, reason: String) -> Result<(), Refusal> {
        use MissionState::*;
        let mission = &self.missions[id];
        let at_gate = matches!(mission.phase, Some(Phase::Reviewing | Phase::Integrating));
        if let Some(task) = mission.planned().find(|t| t.state != TaskState::Completed) {
            return Err(Refusal::Conflict(format!(
                "task {} is {}: accept or retry it first, for a mission is complete only with all its tasks",
                task.spec.id,
                task.state.name()
            )));
        }
        match mission.state {
            PartiallyCompleted => {}
            Running | Degraded | Paused if at_gate && !mission.tasks.is_empty() => {}
            state => {
                let text = format!(
                    "a mission that is {} cannot be accepted: only one whose work is done and was not approved",
                    state.name()
                );
                return Err(Refusal::Conflict(text));
            }
        }
        self.stop_turns(id);
        self.act(Action::StopWork { mission: id.clone() });
        self.live(id).jobs.clear();
        if self.missions[id].state == Paused {
            self.state(id, Running, format!("taken up by {by}"));
        }
        self.recover(id);
        let text = format!("accepted by {by}, not by its gate: {}", clip(&reason, 300));
        self.emit(id, Event::Accepted { task: None, by, reason, tree: None });
        self.state(id, Completed, text);
        Ok(())
    }

    /// Ends what is under way for a task, or for the gate of the whole.
    pub(super) fn lay_down(&mut self, id: &MissionId, subject: &Subject) {
        let work = |task: &TaskId| *subject == Subject::Task(task.clone());
        let mine = |kind: &AttemptKind| match kind {
            AttemptKind::Work(task) => work(task),
            AttemptKind::Review(reviewed) => reviewed == subject,
            AttemptKind::Planning => false,
        };
        let open = self.missions[id].open_attempts().filter(|a| mine(&a.kind));
        for attempt in open.map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.close(id, &attempt, Outcome::Aborted);
            self.end_turn(id, &attempt);
        }
        let live = self.live(id);
        live.jobs.remove(&Job::Inspect(subject.clone()));
        live.jobs.remove(&Job::Check(subject.clone()));
    }
}

impl Mission {
    pub(super) fn apply_accepted(
        &mut self,
        at: Millis,
        task: Option<&TaskId>,
        acceptance: Acceptance,
    ) -> Result<(), String> {
        let Some(id) = task else {
            self.accepted = Some(acceptance);
            return Ok(());
        };
        let task = self.task_mut(id)?;
        if task.state == TaskState::Completed {
            return Err(format!("task {id} is done already"));
        }
        task.note = None;
        if acceptance.tree.is_some() {
            self.queue_accepted(id, acceptance)?;
        } else {
            task.state = TaskState::Completed;
            task.accepted = Some(acceptance);
        }
        self.wake_skipped();
        self.checkpoint(at, Trigger::TaskState, None);
        Ok(())
    }

    /// One of several tries at a task, or a task with such.
    fn is_raced(&self, id: &TaskId) -> bool {
        self.task(id).is_some_and(|t| t.spec.is_try()) || self.compares(id) && self.is_whole_of_parts(id)
    }

    /// What of a task in a worktree is to be put on what is accepted, when the user takes it as done.
    fn change_to_merge(&self, id: &TaskId) -> Result<Option<TreeId>, String> {
        let (Some(isolation), Some(task)) = (&self.isolation, self.task(id)) else { return Ok(None) };
        if isolation.queue.contains(id) {
            return Err(format!(
                "{id} is approved, and waits to be put together with the others: wait a moment"
            ));
        }
        Ok(task.seen.as_ref().map(|change| change.tree.clone()))
    }

    /// Tasks that were skipped wait again; those that still cannot be done are skipped again.
    pub(super) fn wake_skipped(&mut self) {
        let skipped = |t: &&mut super::state::Task| t.state == TaskState::Skipped && !t.spec.is_try();
        for task in self.tasks.iter_mut().filter(skipped) {
            *task = task.again();
        }
    }

    /// Why it ends well, with what passed no gate named.
    pub(super) fn passed(&self) -> String {
        let all = self.planned().all(|t| t.state == TaskState::Completed);
        let accepted: Vec<_> = self
            .tasks
            .iter()
            .filter(|t| t.state == TaskState::Completed && t.accepted.is_some())
            .map(|t| t.spec.id.as_str())
            .collect();
        let red = |r: &&CheckResult| !r.passed();
        let red: Vec<_> =
            self.whole.checks.iter().flatten().filter(red).map(|r| format!("`{}`", r.command)).collect();
        match (all, accepted.is_empty()) {
            (true, true) if !red.is_empty() => {
                format!(
                    "gates passed but for checks that did not pass before either ({})",
                    clip(&red.join(", "), 200)
                )
            }
            (true, true) => "all gates passed".into(),
            (false, true) => "what was completed passed its gates".into(),
            (_, false) => {
                format!("gates passed but for what the user accepted ({})", clip(&accepted.join(", "), 200))
            }
        }
    }
}
