//! What people change in the plan file, taken as orders: a tick is the user's word for a task, an open box more work, a
//! line that went away work that is not wanted, other words on a line something the workers have to know.
//!
//! The file shows the state of the mission again as soon as an edit was taken notice of. What cannot be done is put
//! back with a notice; an edit that is told twice (a process may die before it is overwritten) changes nothing twice.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::Job;
use super::plan::todo_state;
use super::state::{Mission, Task};
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::lease::Pattern;
use crate::domain::mission::Phase;
use crate::domain::plan::{
    DEFAULT_ESTIMATE_MINUTES, MAX_TASKS, MAX_TITLE_CHARS, Priority, TaskSpec, is_task_id,
};
use crate::domain::todo::{Edit, TodoState};
use crate::engine::prompts::clip;
use crate::ports::host::ToastKind;

/// Longest notice, in bytes.
const MAX_NOTICE: usize = 400;

impl Core {
    /// People may write in the file while the mission is at work, or rests.
    pub(super) fn watch_todo(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        if !mission.begun() || mission.plan.is_none() {
            return;
        }
        let (root, file) = (mission.created.worktree.clone(), mission.created.options.todo.clone());
        let live = self.live(id);
        if !live.todo_written || live.todo_fault.is_some() {
            return;
        }
        let known = live.todo_known.clone();
        if let Some(round) = live.begin(Job::WatchTodo) {
            self.act(Action::WatchTodo { mission: id.clone(), round, root, file, known });
        }
    }

    pub(super) fn todo_edited(&mut self, id: &MissionId, round: u64, edits: Vec<Edit>) {
        if !self.live(id).end(&Job::WatchTodo, round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        if !self.missions[id].begun() {
            return;
        }
        let known = std::mem::replace(&mut self.live(id).todo_known, edits.clone());
        let mut notices = Vec::new();
        for edit in edits.iter().filter(|edit| !known.contains(edit)) {
            notices.extend(self.take_edit(id, edit));
        }
        self.live(id).todo_seen.extend(edits);
        if !notices.is_empty() {
            self.act(Action::Toast {
                directory: self.missions[id].created.directory.clone(),
                kind: ToastKind::Info,
                title: "Plan file edited".into(),
                message: clip(&notices.join("; "), MAX_NOTICE),
            });
        }
    }

    /// Carries an edit out; answers with what came of it, in words.
    fn take_edit(&mut self, id: &MissionId, edit: &Edit) -> Option<String> {
        match edit {
            Edit::Marked { id: task, state } => self.marked(id, &TaskId::new(task), *state),
            Edit::Removed { id: task } => self.removed(id, &TaskId::new(task)),
            Edit::Rearranged { id: task, files, depends_on } => {
                self.rearranged(id, &TaskId::new(task), files, depends_on)
            }
            Edit::Reworded { id: task, title } => self.reworded(id, &TaskId::new(task), title),
            Edit::Added { id: task, title, files, depends_on } => {
                self.added(id, task.as_deref(), title, files, depends_on)
            }
        }
    }

    fn marked(&mut self, id: &MissionId, task: &TaskId, mark: TodoState) -> Option<String> {
        let state = self.missions[id].task(task)?.state;
        // Whatever comes of it, the line shows it afterwards.
        self.live(id).todo_dirty.insert(task.clone());
        if todo_state(state) == mark {
            return None;
        }
        let was = state.name().replace('_', " ");
        match mark {
            TodoState::Done => {
                let by = "the user, in the plan file".to_owned();
                let subject = Subject::Task(task.clone());
                match self.accept(id, subject, &by, "ticked") {
                    Ok(()) => Some(format!("{task} counts as done (it was {was})")),
                    Err(refusal) => Some(refusal.to_string()),
                }
            }
            TodoState::Open if state.is_over() => {
                self.lay_down_whole(id);
                self.emit(id, Event::Reopened { task: task.clone() });
                let all: Vec<_> = self.missions[id].tasks.iter().map(|t| t.spec.id.clone()).collect();
                self.live(id).todo_dirty.extend(all);
                Some(format!("{task} is to be done again (it was {was})"))
            }
            TodoState::Skipped if self.missions[id].awaits_approval() => self.left_out(id, task),
            TodoState::Skipped if !state.is_over() => {
                self.call_off(id, task, "crossed out in the plan file");
                Some(format!("{task} is called off (it was {was})"))
            }
            _ => Some(format!("{task} is {was}: tick it, open it again or cross it out")),
        }
    }

    fn removed(&mut self, id: &MissionId, task: &TaskId) -> Option<String> {
        if self.missions[id].task(task)?.state.is_over() {
            return None;
        }
        if self.missions[id].awaits_approval() {
            return self.left_out(id, task);
        }
        self.call_off(id, task, "removed from the plan file");
        Some(format!("{task} is called off"))
    }

    /// The plan still waits: it is as if the task had never been in it.
    fn left_out(&mut self, id: &MissionId, task: &TaskId) -> Option<String> {
        self.live(id).todo_published = false;
        Some(match self.drop_from_plan(id, task) {
            Ok(()) => format!("{task} is left out of the plan"),
            Err(why) => why,
        })
    }

    /// Whatever comes of it, the line shows it afterwards.
    fn rearranged(
        &mut self,
        id: &MissionId,
        task: &TaskId,
        files: &[String],
        depends_on: &[String],
    ) -> Option<String> {
        let spec = &self.missions[id].task(task)?.spec;
        let same = spec.files == files && spec.depends_on.iter().map(TaskId::as_str).eq(depends_on);
        self.live(id).todo_published = false;
        if same {
            return None;
        }
        let (files, depends_on) = (files.to_vec(), depends_on.to_vec());
        let edited = self.edit_plan(id, task, |draft| {
            draft.files = files;
            draft.depends_on = depends_on;
        });
        match edited {
            Ok(true) => Some(format!("{task} has other files, or another place in the order")),
            Ok(false) => None,
            Err(why) => Some(why),
        }
    }

    /// With all tries at it, for in a pause nobody else ends those.
    fn call_off(&mut self, id: &MissionId, task: &TaskId, why: &str) {
        self.lay_down(id, &Subject::Task(task.clone()));
        let path = self.missions[id].task(task).map(|t| t.state.cancel_path()).unwrap_or_default();
        for to in path {
            self.task_changed(id, task, *to, Some(why.to_owned()));
        }
        self.end_tries(id, task, None, why);
    }

    fn reworded(&mut self, id: &MissionId, task: &TaskId, title: &str) -> Option<String> {
        let title: String = title.chars().take(MAX_TITLE_CHARS).collect();
        let old = self.missions[id].task(task)?.title();
        if old == title || title.is_empty() {
            return None;
        }
        if self.missions[id].awaits_approval() {
            self.live(id).todo_published = false;
            return Some(match self.edit_plan(id, task, |draft| draft.title = title) {
                Ok(_) => format!("{task} has another title"),
                Err(why) => why,
            });
        }
        let text = format!("Task {task} was reworded in the plan file, from \"{old}\" to \"{title}\".");
        self.emit(id, Event::TaskReworded { task: task.clone(), title });
        self.live(id).todo_published = false;
        // One that is done is the affair of those that build on it, and of the review of the whole.
        let of_task = self.missions[id].task(task).is_some_and(|t| !t.state.is_over());
        self.take_words(id, &text, of_task.then(|| task.clone()), false);
        self.call_back(id, task);
        Some(format!("the workers are told that {task} was reworded"))
    }

    fn added(
        &mut self,
        id: &MissionId,
        wanted: Option<&str>,
        title: &str,
        files: &[String],
        depends_on: &[String],
    ) -> Option<String> {
        let mission = &self.missions[id];
        let title: String = title.chars().take(MAX_TITLE_CHARS).collect();
        if title.is_empty() || mission.planned().any(|t| t.title() == title) {
            return None;
        }
        if mission.planned().count() >= MAX_TASKS {
            return Some(format!(
                "\"{}\" is one too many: a plan has at most {MAX_TASKS} tasks",
                clip(&title, 60)
            ));
        }
        let free = |id: &str| is_task_id(id) && mission.task(&TaskId::new(id)).is_none();
        let name = match wanted.filter(|id| free(id)) {
            Some(id) => id.to_owned(),
            None => (1..).map(|n| format!("U{n}")).find(|id| free(id))?,
        };
        let spec = TaskSpec {
            id: TaskId::new(name.clone()),
            title,
            description: "The user has added this task in the plan file.".into(),
            files: files.iter().filter(|file| Pattern::parse(file).is_ok()).cloned().collect(),
            depends_on: depends_on
                .iter()
                .map(TaskId::new)
                .filter(|id| mission.task(id).is_some_and(|t| !t.spec.is_try()))
                .collect(),
            capabilities: Vec::new(),
            priority: Priority::Normal,
            checks: Vec::new(),
            estimate_minutes: DEFAULT_ESTIMATE_MINUTES,
            mode: None,
            parent: None,
        };
        self.lay_down_whole(id);
        self.emit(id, Event::TaskRequested { spec });
        self.live(id).todo_published = false;
        Some(format!("{name} is a new task"))
    }

    /// There is work again, so the gate of the whole waits.
    pub(super) fn lay_down_whole(&mut self, id: &MissionId) {
        if matches!(self.missions[id].phase, Some(Phase::Reviewing | Phase::Integrating)) {
            self.lay_down(id, &Subject::Whole);
            self.phase(id, Phase::Executing);
        }
    }
}

impl Mission {
    pub(super) fn apply_reopened(&mut self, id: &TaskId) -> Result<(), String> {
        let working = AttemptKind::Work(id.clone());
        if let Some(open) = self.open_attempts().find(|a| a.kind == working) {
            return Err(format!("attempt {} is still open", open.id));
        }
        let task = self.task_mut(id)?;
        if !task.state.is_over() {
            return Err(format!("task {id} is {} and needs no reopening", task.state.name()));
        }
        *task = task.again();
        self.wake_skipped();
        Ok(())
    }

    pub(super) fn apply_reworded(&mut self, id: &TaskId, title: &str) -> Result<(), String> {
        self.task_mut(id)?.words = Some(title.to_owned());
        Ok(())
    }

    pub(super) fn apply_requested(&mut self, spec: &TaskSpec) -> Result<(), String> {
        if self.task(&spec.id).is_some() {
            return Err(format!("there is a task {} already", spec.id));
        }
        self.tasks.push(Task::new(spec.clone()));
        if let Some(plan) = &mut self.plan {
            plan.tasks.push(spec.clone());
        }
        Ok(())
    }
}
