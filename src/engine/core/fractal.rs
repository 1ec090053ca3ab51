//! Tasks that are planned further: a planner of their own, its parts in their place, and how they end with them.
//!
//! Such a task is planned when its turn comes (all it depends on is accepted), so its planner sees what was done before.
//! It holds no files itself; its parts do.
use super::Core;
use super::event::*;
use super::grants::Want;
use super::io::Refusal;
use super::schedule::priorities;
use super::state::{Attempt, Mission, Task};
use crate::domain::fractal::{self, MAX_DEPTH};
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::plan::{Draft, Mode};
use crate::domain::task::TaskState;

/// Planners of one task that may fail, and plans that may be refused, before it is worked as it is.
const MAX_PLANNERS: usize = 2;
const MAX_REFUSALS: u32 = 2;

impl Core {
    pub(super) fn advance_fractal(&mut self, id: &MissionId) {
        let tasks = &self.missions[id].tasks;
        // Looked at with every step, and most plans have none.
        if tasks.iter().all(|t| t.spec.mode != Some(Mode::Fractal) && t.spec.parent.is_none()) {
            return;
        }
        let ids: Vec<_> = tasks.iter().map(|t| t.spec.id.clone()).collect();
        for task in ids {
            let mission = &self.missions[id];
            let Some(t) = mission.task(&task) else { continue };
            if t.spec.mode == Some(Mode::Race) {
                continue;
            }
            if mission.is_whole_of_parts(&task) {
                self.advance_parts(id, &task);
            } else if mission.wants_parts(t) && !mission.waits_for_plan(t) {
                self.plan_parts(id, &task);
            }
        }
    }

    /// Begun when its turn has come, over when its parts are.
    fn advance_parts(&mut self, id: &MissionId, task: &TaskId) {
        let mission = &self.missions[id];
        match mission.task(task).map(|t| t.state) {
            Some(TaskState::Ready) => {
                self.task_changed(id, task, TaskState::Assigned, None);
                self.task_changed(id, task, TaskState::InProgress, None);
            }
            Some(TaskState::InProgress) => {
                let parts: Vec<_> = mission.parts_of(task).collect();
                if parts.iter().all(|p| p.state == TaskState::Completed) {
                    self.task_changed(id, task, TaskState::Completed, None);
                } else if parts.iter().all(|p| p.state.is_over()) {
                    let lost: Vec<_> = parts
                        .iter()
                        .filter(|p| p.state != TaskState::Completed)
                        .map(|p| p.spec.id.0.clone())
                        .collect();
                    let note = format!("not completed: {}", lost.join(", "));
                    self.task_changed(id, task, TaskState::Failed, Some(note.clone()));
                    self.task_given_up(id, task, &note);
                }
            }
            _ => {}
        }
    }

    fn plan_parts(&mut self, id: &MissionId, task: &TaskId) {
        let mission = &self.missions[id];
        let planners = || mission.attempts.values().filter(|a| a.node.as_ref() == Some(task));
        if planners().any(|a| a.open() && a.submission.is_none()) {
            return;
        }
        let Some(t) = mission.task(task) else { return };
        let spoke = planners().any(|a| a.prompted(PromptReason::Nudge) > 0) || t.refusals >= MAX_REFUSALS;
        if spoke || planners().count() >= MAX_PLANNERS {
            let remarks = vec!["no plan of its own could be had".into()];
            return self.emit(id, Event::Expanded { task: task.clone(), parts: Vec::new(), remarks });
        }
        let level = self.level(t, &priorities(mission));
        let ordinal = planners().count() as u32 + 1;
        let node = Some(task.clone());
        self.want(id, Want { kind: AttemptKind::Planning, level, ordinal, session: None, node });
    }

    /// The plan of a task; the answer is for its planner.
    pub(super) fn parts_submitted(
        &mut self,
        id: &MissionId,
        attempt: &Attempt,
        task: &TaskId,
        draft: Draft,
    ) -> String {
        let mission = &self.missions[id];
        let Some(t) = mission.task(task).filter(|t| mission.wants_parts(t)) else {
            return "This task is not to be planned any more. Stop here.".into();
        };
        let checks = mission.survey.as_ref().map(|s| s.checks.clone()).unwrap_or_default();
        let specs: Vec<_> = mission.tasks.iter().map(|t| t.spec.clone()).collect();
        match fractal::expand(&t.spec, &specs, draft, checks, mission.created.options.races()) {
            Ok((parts, remarks)) => {
                let names: Vec<_> = parts.iter().map(|p| p.id.0.clone()).collect();
                self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission: Submission::Plan });
                self.emit(id, Event::Expanded { task: task.clone(), parts, remarks: remarks.clone() });
                self.live(id).todo_published = false;
                let notes = remarks.iter().map(|r| format!("\n- {r}")).collect::<String>();
                let said = match names.as_slice() {
                    [] => format!("{task} is worked as one task."),
                    names => format!("{task} is worked as {}.", names.join(", ")),
                };
                format!("{said}{notes}\nYour work is done: end your turn now.")
            }
            Err(faults) => self.parts_refused(id, attempt, task, faults),
        }
    }

    pub(super) fn parts_refused(
        &mut self,
        id: &MissionId,
        attempt: &Attempt,
        task: &TaskId,
        faults: Vec<String>,
    ) -> String {
        let list = faults.iter().take(40).map(|f| format!("- {f}")).collect::<Vec<_>>().join("\n");
        self.emit(id, Event::PlanRefused { faults, task: Some(task.clone()) });
        if self.missions[id].task(task).is_some_and(|t| t.refusals < MAX_REFUSALS) {
            return format!(
                "The plan was not accepted. Mend all of these, then call submit_plan once more:\n{list}"
            );
        }
        self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission: Submission::Plan });
        format!("The plan was not accepted again; {task} is worked as one task. End your turn now.\n{list}")
    }

    /// The user has a task planned further.
    pub(super) fn choose_parts(&mut self, id: &MissionId, task: &TaskId) -> Result<(), Refusal> {
        let mission = &self.missions[id];
        let conflict = |text: String| Err(Refusal::Conflict(text));
        let Some(t) = mission.task(task) else {
            return Err(Refusal::NotFound(format!("the mission has no task {task}")));
        };
        let specs: Vec<_> = mission.tasks.iter().map(|t| t.spec.clone()).collect();
        if !mission.state.is_open() {
            return conflict(format!("a mission that is {} is not planned further", mission.state.name()));
        }
        if mission.created.options.fractal == Some(false) {
            return conflict("the option fractal is off for this mission".into());
        }
        let whole = mission.is_whole_of_parts(task) || t.spec.is_try();
        if !matches!(t.state, TaskState::Pending | TaskState::Ready) || whole {
            return conflict(format!("task {task} has begun already"));
        }
        if fractal::depth(&t.spec, &specs) >= MAX_DEPTH || fractal::room(&t.spec, &specs) < 2 {
            return conflict(format!(
                "there is no room for parts of {task}: plans go {MAX_DEPTH} levels deep, with {} tasks below one",
                fractal::MAX_LINEAGE
            ));
        }
        self.emit(id, Event::ModeChosen { task: task.clone(), fractal: true });
        Ok(())
    }
}

impl Mission {
    pub fn parts_of<'a>(&'a self, task: &'a TaskId) -> impl Iterator<Item = &'a Task> {
        self.tasks.iter().filter(move |t| t.spec.parent.as_ref() == Some(task))
    }

    /// Its work is done by its parts, or by tries at it.
    pub fn is_whole_of_parts(&self, task: &TaskId) -> bool {
        self.parts_of(task).next().is_some() && self.task(task).is_some_and(|t| !t.as_one)
    }

    /// It is to be planned further now.
    pub(super) fn wants_parts(&self, task: &Task) -> bool {
        let on = self.created.options.fractal != Some(false);
        let specs = || self.tasks.iter().map(|t| t.spec.clone()).collect::<Vec<_>>();
        on && task.state == TaskState::Ready
            && task.spec.mode == Some(Mode::Fractal)
            && !task.as_one
            && !self.is_whole_of_parts(&task.spec.id)
            && {
                let specs = specs();
                fractal::depth(&task.spec, &specs) < MAX_DEPTH && fractal::room(&task.spec, &specs) > 1
            }
    }

    pub(super) fn apply_expanded(
        &mut self,
        id: &TaskId,
        parts: &[crate::domain::plan::TaskSpec],
    ) -> Result<(), String> {
        if parts.iter().any(|p| self.task(&p.id).is_some()) {
            return Err(format!("{id} has parts already"));
        }
        let task = self.tasks.iter_mut().find(|t| t.spec.id == *id).ok_or_else(|| format!("no task {id}"))?;
        task.as_one = parts.is_empty();
        self.tasks.extend(parts.iter().map(|p| Task::new(p.clone())));
        if let Some(plan) = &mut self.plan {
            plan.tasks.extend(parts.iter().cloned());
        }
        Ok(())
    }

    /// As they are shown: the parts of a task behind it.
    pub fn in_order(&self) -> Vec<&Task> {
        fn put<'a>(mission: &'a Mission, task: &'a Task, out: &mut Vec<&'a Task>) {
            out.push(task);
            // A foreign journal may go in a circle.
            if out.len() <= mission.tasks.len() {
                mission.parts_of(&task.spec.id).for_each(|part| put(mission, part, out));
            }
        }
        let mut out = Vec::new();
        let known = |t: &&Task| t.spec.parent.as_ref().is_none_or(|p| self.task(p).is_none());
        self.tasks.iter().filter(known).for_each(|t| put(self, t, &mut out));
        out
    }
}
