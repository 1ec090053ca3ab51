//! Planning: the planner's attempt, its plan or its faults, the fallback, and the plan file.
use super::Core;
use super::event::*;
use super::grants::Want;
use super::io::*;
use crate::domain::decompose::decompose;
use crate::domain::ids::MissionId;
use crate::domain::mission::{MissionState, Phase};
use crate::domain::plan::{Draft, Mode, PlanRules, Priority, validate};
use crate::domain::race::Races;
use crate::domain::schedule;
use crate::domain::task::TaskState;
use crate::domain::todo::{TodoItem, TodoState};
use crate::engine::{prompts, report};
use crate::ports::host::ToastKind;

/// Planners that may fail for reasons of the host before the rules plan instead.
const MAX_PLANNING_ATTEMPTS: usize = 2;
/// Plans that may be refused before the rules plan instead: the first, and one mended after a list of faults.
const MAX_REFUSALS: u32 = 2;

impl Core {
    pub(super) fn advance_plan(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        if mission.plan.is_some() {
            // Nothing is changed before it is known how the checks stood.
            if mission.survey.as_ref().is_some_and(|s| s.baseline.is_some()) {
                if mission.wants_approval() {
                    self.ask_approval(id);
                } else {
                    self.phase(id, Phase::Executing);
                }
            }
            return;
        }
        if mission.open_attempts().any(|a| a.plans_the_mission() && a.submission.is_none()) {
            return;
        }
        let planned = |a: &&super::state::Attempt| a.plans_the_mission() && a.token > mission.planned_up_to;
        let tried: Vec<_> = mission.attempts.values().filter(planned).collect();
        let spoke = tried.iter().any(|a| a.prompted(PromptReason::Nudge) > 0)
            || mission.plan_refusals >= MAX_REFUSALS;
        if spoke || tried.len() >= MAX_PLANNING_ATTEMPTS {
            self.plan_by_rules(id);
        } else {
            let ordinal = tried.len() as u32 + 1;
            let level = schedule::level(Priority::Normal, 0);
            self.want(id, Want { kind: AttemptKind::Planning, level, ordinal, session: None, node: None });
        }
    }

    /// The plan is there to be read, and the mission waits.
    fn ask_approval(&mut self, id: &MissionId) {
        self.live(id).todo_published = false;
        self.publish_todo(id);
        self.state(id, MissionState::Paused, "the plan waits for the user");
        let mission = &self.missions[id];
        let (tasks, todo) = (mission.planned().count(), &mission.created.options.todo);
        let message = format!(
            "{tasks} {} in {todo}{}. /task-approve begins the work, /task-refuse has it planned anew.",
            if tasks == 1 { "task" } else { "tasks" },
            report::expected(mission, &self.means_of(mission))
        );
        self.notify(id, Toasts::Quiet, ToastKind::Info, "The plan waits for you", message);
    }

    /// The plan as a tool call; the answer is for the model.
    pub(super) fn plan_submitted(
        &mut self,
        id: &MissionId,
        attempt: &super::state::Attempt,
        draft: Draft,
    ) -> String {
        if let Some(task) = attempt.node.clone() {
            return self.parts_submitted(id, attempt, &task, draft);
        }
        let mission = &self.missions[id];
        if mission.revises(attempt) {
            return self.revision_submitted(id, attempt, draft);
        }
        if mission.plan.is_some() {
            return "A plan has been accepted already. Stop here.".into();
        }
        let checks = mission.survey.as_ref().map(|s| s.checks.clone()).unwrap_or_default();
        let races = mission.created.options.races();
        match validate(draft, &PlanRules { max_tasks: self.limits.tasks, checks, races }) {
            Ok((plan, remarks)) => {
                let source =
                    if mission.plan_refusals == 0 { PlanSource::Planner } else { PlanSource::Repaired };
                let n = plan.tasks.len();
                self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission: Submission::Plan });
                self.emit(id, Event::Planned { plan, source, remarks: remarks.clone() });
                let notes = if remarks.is_empty() {
                    String::new()
                } else {
                    format!("\nNote:\n- {}", remarks.join("\n- "))
                };
                format!("The plan of {n} tasks is accepted.{notes}\nYour work is done: end your turn now.")
            }
            Err(faults) => {
                let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                self.plan_refused(id, attempt, faults)
            }
        }
    }

    pub(super) fn plan_refused(
        &mut self,
        id: &MissionId,
        attempt: &super::state::Attempt,
        faults: Vec<String>,
    ) -> String {
        if let Some(task) = attempt.node.clone() {
            return self.parts_refused(id, attempt, &task, faults);
        }
        if self.missions[id].revises(attempt) {
            return self.revision_refused(id, attempt, faults);
        }
        let list = faults.iter().take(40).map(|f| format!("- {f}")).collect::<Vec<_>>().join("\n");
        self.emit(id, Event::PlanRefused { faults, task: None });
        if self.missions[id].plan_refusals < MAX_REFUSALS {
            format!("The plan was not accepted. Mend all of these, then call submit_plan once more:\n{list}")
        } else {
            self.plan_by_rules(id);
            self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission: Submission::Plan });
            format!(
                "The plan was not accepted again; a simpler plan is used instead. End your turn now.\n{list}"
            )
        }
    }

    fn plan_by_rules(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let text = mission.brief.as_ref().map_or(mission.created.text.as_str(), |b| b.text.as_str());
        let mut plan = decompose(&mission.created.title, text);
        if mission.created.options.races() == Races::All {
            plan.tasks.iter_mut().for_each(|task| task.mode = Some(Mode::Race));
        }
        let why = match mission.plan_faults.first() {
            Some(fault) => format!("The planner's plan had faults ({}); ", prompts::clip(fault, 120)),
            None => "The planner handed in no plan; ".into(),
        };
        let remark = format!("{why}a plan was made by rule instead.");
        self.emit(id, Event::Planned { plan, source: PlanSource::Rules, remarks: vec![remark.clone()] });
        self.notify(id, Toasts::Normal, ToastKind::Warning, "Planned by rule", remark);
    }

    // ---- the plan file

    pub(super) fn publish_todo(&mut self, id: &MissionId) {
        if self.missions[id].plan.is_none() || self.live(id).todo_published || self.live(id).todo_busy {
            return;
        }
        let live = self.live(id);
        live.todo_published = true;
        live.todo_busy = true;
        live.todo_dirty.clear();
        let seen = std::mem::take(&mut live.todo_seen);
        let mission = &self.missions[id];
        let items = mission
            .in_order()
            .into_iter()
            .filter(|t| !t.spec.is_try())
            .map(|t| TodoItem {
                id: t.spec.id.0.clone(),
                title: t.title().to_owned(),
                state: todo_state(t.state),
                files: t.spec.files.clone(),
                depends_on: t.spec.depends_on.iter().map(|d| d.0.clone()).collect(),
            })
            .collect();
        self.act(Action::PublishTodo {
            mission: id.clone(),
            root: mission.created.worktree.clone(),
            file: mission.created.options.todo.clone(),
            title: mission.created.title.clone(),
            items,
            seen,
        });
    }

    /// Changed states go to the plan file, one write at a time; what changes meanwhile goes with the next.
    pub(super) fn update_todo(&mut self, id: &MissionId) {
        let live = self.live(id);
        if !live.todo_published || live.todo_busy || live.todo_dirty.is_empty() || live.todo_fault.is_some() {
            return;
        }
        live.todo_busy = true;
        let dirty = std::mem::take(&mut live.todo_dirty);
        let seen = std::mem::take(&mut live.todo_seen);
        let mission = &self.missions[id];
        let states = dirty
            .iter()
            .filter_map(|t| mission.task(t))
            .filter(|t| !t.spec.is_try())
            .map(|t| (t.spec.id.0.clone(), todo_state(t.state)))
            .collect();
        let (root, file) = (mission.created.worktree.clone(), mission.created.options.todo.clone());
        self.act(Action::UpdateTodo { mission: id.clone(), root, file, states, seen });
    }

    pub(super) fn todo_written(&mut self, id: &MissionId, result: Result<u64, String>) {
        if !self.missions.contains_key(id) {
            return;
        }
        let live = self.live(id);
        live.todo_busy = false;
        live.todo_written |= result.is_ok();
        if let Err(fault) = result
            && live.todo_fault.is_none()
        {
            live.todo_fault = Some(fault.clone());
            let message = format!("{}. The mission goes on without it.", prompts::clip(&fault, 200));
            self.notify(id, Toasts::Normal, ToastKind::Warning, "Plan file not written", message);
        }
    }
}

pub(crate) fn todo_state(state: TaskState) -> TodoState {
    match state {
        TaskState::Pending | TaskState::Ready => TodoState::Open,
        TaskState::Assigned | TaskState::InProgress => TodoState::Running,
        TaskState::InReview => TodoState::Review,
        TaskState::Completed => TodoState::Done,
        TaskState::Failed => TodoState::Failed,
        TaskState::Skipped | TaskState::Cancelled => TodoState::Skipped,
        TaskState::Blocked | TaskState::Paused => TodoState::Blocked,
    }
}
