//! What has not begun is planned anew when the user says something to the whole mission. What has begun goes on.
//!
//! Until the new plan is there no task begins, so what the planner was shown is what it decides on. A planner that fails
//! costs its turns: the plan stays, and the workers know what the user has said all the same.
use super::Core;
use super::event::*;
use super::grants::Want;
use super::io::Refusal;
use super::state::{Attempt, Mission, Task};
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::plan::{Draft, DraftTask, PlanRules, Priority, TaskSpec, validate, without};
use crate::domain::schedule;
use crate::domain::task::TaskState;
use crate::ports::host::ToastKind;

/// Planners of one revision that may fail, and plans that may be refused, before the plan stays as it is.
const MAX_PLANNERS: usize = 2;
const MAX_REFUSALS: u32 = 2;
/// Times the plan of one mission is made anew in this way.
const MAX_REVISIONS: u32 = 20;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Revision {
    pub wanted: bool,
    /// Planners from this token on plan it.
    pub from: u64,
    pub refusals: u32,
    /// How many there were.
    pub made: u32,
}

/// Tasks that are new or otherwise, and those that go.
#[derive(Default)]
struct Revised {
    tasks: Vec<TaskSpec>,
    dropped: Vec<TaskId>,
    remarks: Vec<String>,
}

impl Revision {
    /// One that is under way takes in what is said meanwhile.
    pub(super) fn want(&mut self, token: u64) {
        if !self.wanted {
            *self = Self { wanted: true, from: token, refusals: 0, made: self.made };
        }
    }
}

impl Core {
    /// Whether words to the whole mission change its plan; not while there is none, or the user still judges it.
    pub(super) fn may_revise(&self, id: &MissionId) -> Result<bool, Refusal> {
        let mission = &self.missions[id];
        if mission.plan.is_none() || mission.wants_approval() {
            return Ok(false);
        }
        if self.is_landing(id) {
            let text = "its result is just being put into your files; look again in a moment";
            return Err(Refusal::Conflict(text.into()));
        }
        if mission.revision.made >= MAX_REVISIONS && !mission.revision.wanted {
            return Err(Refusal::Conflict(format!(
                "its plan was made anew {MAX_REVISIONS} times already: say it to one task, or edit {}",
                mission.created.options.todo
            )));
        }
        Ok(true)
    }

    pub(super) fn advance_revision(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        if !mission.revision.wanted {
            return;
        }
        let planners = || mission.revisers();
        if planners().any(|a| a.open() && a.submission.is_none()) {
            return;
        }
        let spoke = planners().any(|a| a.prompted(PromptReason::Nudge) > 0)
            || mission.revision.refusals >= MAX_REFUSALS;
        if spoke || planners().count() >= MAX_PLANNERS {
            let remarks = vec!["no other plan could be had".into()];
            return self.revise(id, Revised { remarks, ..Revised::default() });
        }
        let (level, ordinal) = (schedule::level(Priority::High, 0), planners().count() as u32 + 1);
        self.want(id, Want { kind: AttemptKind::Planning, level, ordinal, session: None, node: None });
    }

    /// The plan of what has not begun; the answer is for its planner.
    pub(super) fn revision_submitted(&mut self, id: &MissionId, attempt: &Attempt, draft: Draft) -> String {
        let mission = &self.missions[id];
        let checks = mission.survey.as_ref().map(|s| s.checks.clone()).unwrap_or_default();
        let races = mission.created.options.races();
        let rules = PlanRules { max_tasks: self.limits.tasks, checks, races };
        match mission.revised(draft, &rules) {
            Ok(revised) => {
                self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission: Submission::Plan });
                let notes = revised.remarks.iter().map(|r| format!("\n- {r}")).collect::<String>();
                self.revise(id, revised);
                format!("The plan is accepted.{notes}\nYour work is done: end your turn now.")
            }
            Err(faults) => self.revision_refused(id, attempt, faults),
        }
    }

    pub(super) fn revision_refused(
        &mut self,
        id: &MissionId,
        attempt: &Attempt,
        faults: Vec<String>,
    ) -> String {
        let list = faults.iter().take(40).map(|f| format!("- {f}")).collect::<Vec<_>>().join("\n");
        self.emit(id, Event::PlanRefused { faults, task: None });
        if self.missions[id].revision.refusals < MAX_REFUSALS {
            return format!(
                "The plan was not accepted. Mend all of these, then call submit_plan once more:\n{list}"
            );
        }
        self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission: Submission::Plan });
        format!("The plan was not accepted again; it stays as it was. End your turn now.\n{list}")
    }

    /// The user's own edit of a task that has not begun; a sentence when it cannot be done.
    pub(super) fn edit_plan(
        &mut self,
        id: &MissionId,
        task: &TaskId,
        change: impl FnOnce(&mut DraftTask),
    ) -> Result<bool, String> {
        self.may_edit_plan(id)?;
        let mission = &self.missions[id];
        let Some(spec) = mission.task(task).map(|t| t.spec.clone()) else { return Ok(false) };
        let files = spec.files.clone();
        let mut draft = DraftTask { files, ..as_draft(&spec) };
        change(&mut draft);
        // Checks and the like are not in the file, and stay as they are.
        let draft = Draft { tasks: vec![draft], ..Draft::default() };
        let rules = PlanRules { max_tasks: self.limits.tasks, ..PlanRules::default() };
        let revised = mission.revised(draft, &rules).map_err(|faults| faults.join("; "))?;
        let Some(made) = revised.tasks.into_iter().find(|made| made.id == *task) else { return Ok(false) };
        let spec = TaskSpec { title: made.title, files: made.files, depends_on: made.depends_on, ..spec };
        self.emit(id, Event::PlanRevised { tasks: vec![spec], dropped: Vec::new(), remarks: Vec::new() });
        Ok(true)
    }

    /// A task of a plan that waits is not wanted; who depended on it depends on what it waited for.
    pub(super) fn drop_from_plan(&mut self, id: &MissionId, task: &TaskId) -> Result<(), String> {
        self.may_edit_plan(id)?;
        let rules = PlanRules { max_tasks: self.limits.tasks, ..PlanRules::default() };
        let draft = Draft { drop: vec![task.0.clone()], ..Draft::default() };
        let Revised { tasks, dropped, remarks } =
            self.missions[id].revised(draft, &rules).map_err(|faults| faults.join("; "))?;
        self.emit(id, Event::PlanRevised { tasks, dropped, remarks });
        Ok(())
    }

    fn may_edit_plan(&self, id: &MissionId) -> Result<(), String> {
        if self.missions[id].revision.wanted {
            return Err("the rest of the plan is just being made anew: edit it when that is done".into());
        }
        Ok(())
    }

    fn revise(&mut self, id: &MissionId, revised: Revised) {
        let Revised { tasks, dropped, remarks } = revised;
        let (changed, gone) = (tasks.len(), dropped.len());
        let why = remarks.first().cloned();
        self.emit(id, Event::PlanRevised { tasks, dropped, remarks });
        if changed + gone > 0 {
            // Those of the plan before cannot be gone back to.
            self.checkpoint(id, Trigger::TaskState);
            self.live(id).todo_published = false;
            let message =
                format!("{changed} tasks new or otherwise, {gone} dropped; what has begun goes on.");
            self.notify(id, Toasts::Normal, ToastKind::Info, "Planned anew", message);
        } else {
            let message = format!("{}; what has begun goes on.", why.as_deref().unwrap_or("No task changes"));
            self.notify(id, Toasts::Normal, ToastKind::Info, "The plan stays", message);
        }
    }
}

impl Mission {
    /// Planners of the revision that is wanted.
    fn revisers(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().filter(|a| a.revises && a.token >= self.revision.from)
    }

    pub(super) fn revises(&self, attempt: &Attempt) -> bool {
        self.revision.wanted && attempt.revises && attempt.token >= self.revision.from
    }

    /// Nobody has worked on it, or planned it further: it may still become another task, or none.
    pub fn not_begun(&self, task: &Task) -> bool {
        let planned = |a: &Attempt| a.node.as_ref() == Some(&task.spec.id);
        matches!(task.state, TaskState::Pending | TaskState::Ready)
            && task.attempts == 0
            && task.spec.parent.is_none()
            && !self.is_whole_of_parts(&task.spec.id)
            && !self.attempts.values().any(planned)
    }

    /// Whether a task has to wait for the plan that is being made.
    pub(super) fn waits_for_plan(&self, task: &Task) -> bool {
        self.revision.wanted && self.not_begun(task)
    }

    /// What a draft makes of the tasks that have not begun.
    fn revised(&self, draft: Draft, rules: &PlanRules) -> Result<Revised, Vec<String>> {
        let dropped: Vec<_> = draft.drop.iter().map(|id| TaskId::new(id.trim())).collect();
        self.may_change(&draft.tasks, &dropped)?;
        let known = |id: &str| self.tasks.iter().find(|t| t.spec.id.as_str() == id.trim());
        let handed_in = draft.tasks.into_iter().map(|task| match known(&task.id) {
            // Who has only the title to change need not say the rest again.
            Some(t) if task.description.trim().is_empty() => {
                DraftTask { description: t.spec.description.clone(), ..task }
            }
            _ => task,
        });
        let handed_in: Vec<_> = handed_in.collect();
        let specs: Vec<_> = self.tasks.iter().map(|t| t.spec.clone()).collect();
        let mut staying = without(&specs, &dropped);
        staying.retain(|spec| handed_in.iter().all(|task| task.id.trim() != spec.id.as_str()));
        let tasks: Vec<_> = staying.iter().map(as_draft).chain(handed_in).collect();
        if tasks.is_empty() {
            return Err(vec!["nothing would be left of the plan: name a task, or let one stay".into()]);
        }
        let (plan, remarks) = validate(Draft { tasks, ..Draft::default() }, rules)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let made = plan.tasks.into_iter().skip(staying.len()).collect::<Vec<_>>();
        // One that is over and depended on what goes is over all the same.
        let otherwise =
            |spec: &TaskSpec| known(spec.id.as_str()).is_none_or(|t| t.spec != *spec && self.not_begun(t));
        let tasks = staying.into_iter().chain(made).filter(otherwise).collect();
        Ok(Revised { tasks, dropped, remarks })
    }

    fn may_change(&self, tasks: &[DraftTask], dropped: &[TaskId]) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        for id in tasks.iter().map(|t| TaskId::new(t.id.trim())) {
            if self.task(&id).is_some_and(|t| !self.not_begun(t)) {
                faults.push(format!("{id}: it has begun and stays as it is; leave it out"));
            } else if dropped.contains(&id) {
                faults.push(format!("{id}: it cannot be both changed and dropped"));
            }
        }
        for id in dropped {
            match self.task(id) {
                None => faults.push(format!("there is no task {id} that could be dropped")),
                Some(t) if !self.not_begun(t) => {
                    faults.push(format!("{id}: it has begun and cannot be dropped"))
                }
                Some(_) => {}
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    pub(super) fn apply_revised(&mut self, tasks: &[TaskSpec], dropped: &[TaskId]) -> Result<(), String> {
        let fixed = |id: &TaskId| self.task(id).is_some_and(|t| !self.not_begun(t));
        if let Some(id) = tasks.iter().map(|t| &t.id).chain(dropped).find(|id| fixed(id)) {
            return Err(format!("task {id} has begun already"));
        }
        let rewritten = !dropped.is_empty() || tasks.iter().any(|t| self.task(&t.id).is_some());
        self.tasks.retain(|t| !dropped.contains(&t.spec.id));
        for spec in tasks {
            match self.tasks.iter_mut().find(|t| t.spec.id == spec.id) {
                Some(task) => *task = Task { words: task.words.take(), ..Task::new(spec.clone()) },
                None => self.tasks.push(Task::new(spec.clone())),
            }
        }
        if let Some(plan) = &mut self.plan {
            plan.tasks.retain(|t| !dropped.contains(&t.id));
            for spec in tasks {
                match plan.tasks.iter_mut().find(|t| t.id == spec.id) {
                    Some(known) => *known = spec.clone(),
                    None => plan.tasks.push(spec.clone()),
                }
            }
        }
        // Checkpoints know tasks by their places, and what went before may depend on what came after.
        if rewritten {
            self.edition += 1;
        }
        if std::mem::take(&mut self.revision.wanted) {
            self.revision.made += 1;
        }
        // The whole is put before its gate anew.
        self.whole_rounds = 0;
        Ok(())
    }
}

/// As much of a task that stays as the others are judged by.
fn as_draft(spec: &TaskSpec) -> DraftTask {
    let depends_on = spec.depends_on.iter().map(|d| d.0.clone()).collect();
    DraftTask { id: spec.id.0.clone(), title: spec.title.clone(), depends_on, ..DraftTask::default() }
}
