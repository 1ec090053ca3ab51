//! Which of a mission's tasks works next: dependencies, then priority, critical path and age.
use super::event::*;
use super::grants::Want;
use super::io::*;
use super::pool::Placed;
use super::state::{Mission, Task};
use super::{Core, MAX_ATTEMPTS};
use crate::domain::ids::{HostSessionId, Millis, MissionId, TaskId};
use crate::domain::lease::{Check, Holder, LeaseTable, Pattern};
use crate::domain::mission::Phase;
use crate::domain::plan::Priority;
use crate::domain::schedule::{self, Pace, Priorities, Rank};
use crate::domain::task::TaskState;
use crate::engine::prompts;

/// The plugin asks only for conversations that were made for a mission. One that is not known belongs to a mission that
/// ended long ago, or that another process has taken over: its turn must not write beside the new owner's.
pub const STRANGER: &str = "the mission of this conversation is not at work here any more; stop here";

impl Core {
    pub(super) fn advance_tasks(&mut self, id: &MissionId) {
        self.publish_todo(id);
        self.unlock(id);
        self.advance_revision(id);
        self.advance_fractal(id);
        self.advance_races(id);
        self.end_spent_tasks(id);
        self.want_work(id);
        self.advance_task_gates(id);
        if self.missions[id].state.is_open() {
            self.advance_queue(id);
        }
        // Either may have ended it.
        if !self.missions[id].state.is_open() {
            return;
        }
        let mission = &self.missions[id];
        if mission.tasks.iter().all(|t| t.state.is_over()) && !mission.revision.wanted {
            if mission.tasks.iter().any(|t| t.state == TaskState::Completed) {
                self.phase(id, Phase::Reviewing);
            } else {
                self.finish(id, "no task could be completed");
            }
        }
    }

    /// Pending tasks become ready when all they depend on is accepted, skipped when it never will be.
    fn unlock(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let state_of = |dep: &TaskId| mission.task(dep).map(|t| t.state);
        let mut changes = Vec::new();
        for task in mission.tasks.iter().filter(|t| t.state == TaskState::Pending) {
            let dead = |s: Option<TaskState>| {
                matches!(s, None | Some(TaskState::Failed | TaskState::Skipped | TaskState::Cancelled))
            };
            // A part waits for the whole to have its turn, and is over with it.
            let whole = task.spec.parent.as_ref();
            if task.spec.is_try() && whole.and_then(state_of) == Some(TaskState::Completed) {
                let note = "the race is over";
                changes.push((task.spec.id.clone(), TaskState::Skipped, Some(note.to_owned())));
                continue;
            }
            if whole.is_some_and(|w| state_of(w) != Some(TaskState::InProgress) && !dead(state_of(w))) {
                continue;
            }
            if let Some(dep) = whole.into_iter().chain(&task.spec.depends_on).find(|d| dead(state_of(d))) {
                changes.push((
                    task.spec.id.clone(),
                    TaskState::Skipped,
                    Some(format!("{dep} was not completed")),
                ));
            } else if task.spec.depends_on.iter().all(|d| state_of(d) == Some(TaskState::Completed)) {
                changes.push((task.spec.id.clone(), TaskState::Ready, None));
            }
        }
        for (task, to, note) in changes {
            self.task_changed(id, &task, to, note);
        }
    }

    /// Tasks that want a worker, in the order they are to get one: work sent back first, for it holds leases; then by
    /// priority raised by waiting, longest remaining path, and age.
    fn want_work(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let idle = |t: &Task| {
            matches!(t.state, TaskState::Assigned | TaskState::InProgress)
                && !mission
                    .open_attempts()
                    .any(|a| matches!(&a.kind, AttemptKind::Work(of) if *of == t.spec.id))
                && !mission.is_whole_of_parts(&t.spec.id)
        };
        let ready = |t: &Task| {
            t.state == TaskState::Ready
                && !mission.waits_for_plan(t)
                && !mission.wants_parts(t)
                && !mission.wants_race(t)
                && !mission.is_whole_of_parts(&t.spec.id)
        };
        let waiting: Vec<_> = mission.tasks.iter().enumerate().filter(|(_, t)| ready(t) || idle(t)).collect();
        if waiting.is_empty() {
            return;
        }
        let (priorities, short) = (priorities(mission), self.short_of_memory().is_some());
        let pace = pace(mission);
        let remaining =
            mission.plan.as_ref().map(|p| p.remaining_by(|t| pace.minutes(t))).unwrap_or_default();
        let mut ranked: Vec<_> = waiting
            .into_iter()
            .filter(|(_, t)| !(short && self.yields(t, &priorities)))
            .map(|(place, t)| {
                let level = self.level(t, &priorities);
                let minutes = remaining.get(&t.spec.id).copied().unwrap_or(0.0);
                // Sent back by a review: the same conversation knows the work.
                let again = t.state == TaskState::InProgress;
                let last = if again { mission.resting(t) } else { None };
                let session = last.and_then(|a| a.session.clone());
                let want = Want {
                    kind: AttemptKind::Work(t.spec.id.clone()),
                    level,
                    ordinal: t.attempts + 1,
                    session,
                    node: None,
                };
                ((!again, Rank::new(level, minutes, t.since, place)), want)
            })
            .collect();
        ranked.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, mut want) in ranked {
            if let AttemptKind::Work(task) = &want.kind {
                if !self.has_place(id, task) {
                    continue;
                }
                match self.placed(id, task) {
                    Placed::In(session) => want.session = Some(session),
                    Placed::Waits => continue,
                    Placed::Anew => {}
                }
            }
            self.want(id, want);
        }
    }

    /// The priority of a task that waits, as it counts now.
    pub(super) fn level(&self, task: &Task, priorities: &Priorities) -> u64 {
        schedule::level(priorities.get(&task.spec), self.now.since(task.since))
    }

    /// Why work of low priority does not start now, though there may be a permit. Where nothing is at work one goes on all
    /// the same: it is not Gantry's work then that the memory is needed for.
    fn short_of_memory(&self) -> Option<&str> {
        self.memory.short().filter(|_| self.at_work())
    }

    /// Whether a task waits for memory where it is short. What has waited long enough for a level does not: memory that
    /// stays short is that of others, and such a wait might never end.
    fn yields(&self, task: &Task, priorities: &Priorities) -> bool {
        task.state == TaskState::Ready && self.level(task, priorities) == schedule::level(Priority::Low, 0)
    }

    /// Asked once more when its turn has come: another, of any mission, may have begun since it was wanted.
    pub(super) fn is_held_back(&self, id: &MissionId, task: &TaskId) -> bool {
        let mission = &self.missions[id];
        self.short_of_memory().is_some()
            && mission.task(task).is_some_and(|t| self.yields(t, &priorities(mission)))
    }

    /// When one that is held back has waited for long enough.
    pub(super) fn held_until(&self, mission: &Mission) -> Option<Millis> {
        self.short_of_memory().filter(|_| mission.running())?;
        let priorities = priorities(mission);
        let held = mission.tasks.iter().filter(|t| self.yields(t, &priorities));
        held.map(|t| t.since.plus(schedule::AGE_STEP_MS)).min()
    }

    /// Why tasks of the mission wait that nobody else keeps waiting, for its title.
    pub(super) fn memory_wait(&self, id: &MissionId) -> Option<String> {
        let why = self.short_of_memory()?;
        let mission = &self.missions[id];
        let priorities = priorities(mission);
        let held = mission.tasks.iter().filter(|t| self.yields(t, &priorities)).count();
        (held > 0).then(|| format!("{held} of low priority wait: {why}"))
    }

    /// Takes the lease on the files of a task; false while another task holds any of them.
    pub(super) fn take_lease(&mut self, id: &MissionId, task: &TaskId) -> bool {
        let mission = &self.missions[id];
        if mission.isolation.is_some() {
            // Nobody else is in its worktree.
            return true;
        }
        let Some(spec) = mission.task(task) else { return false };
        let table = self.leases.entry(mission.place().to_owned()).or_default();
        table.grant(&holder(mission, task), &patterns(spec), mission.next_token).is_ok()
    }

    /// Changes wanted: the same task once more with the findings, or its end.
    pub(super) fn send_back(&mut self, id: &MissionId, task: &TaskId, why: &str) {
        if self.missions[id].may_be_tried_again(task) {
            self.task_changed(id, task, TaskState::InProgress, Some(prompts::clip(why, 300)));
        } else if self.missions[id].in_race(task) {
            self.task_changed(id, task, TaskState::Failed, Some(prompts::clip(why, 300)));
        } else {
            let note = format!("not approved after {MAX_ATTEMPTS} attempts: {}", prompts::clip(why, 300));
            self.task_changed(id, task, TaskState::Failed, Some(note.clone()));
            self.task_given_up(id, task, &note);
        }
    }

    // ---- writes of workers

    /// A write tool of a mission's session wants these paths (relative to the project, confined already).
    pub(super) fn write(&mut self, reply: ReplyTo, session: &HostSessionId, paths: Vec<String>) {
        let denied = self.check_write(session, &paths).err();
        self.answer(reply, Answer::Write { denied });
    }

    fn check_write(&mut self, session: &HostSessionId, paths: &[String]) -> Result<(), String> {
        let Some((id, attempt)) = self.owner_of(session) else { return Err(STRANGER.into()) };
        let (task, place) = {
            let mission = &self.missions[&id];
            let attempt = mission.attempts.get(&attempt);
            (may_write(mission, attempt)?, mission.place().to_owned())
        };
        let todo = self.missions[&id].created.options.todo.clone();
        for path in paths {
            // Both count in any case of letters: on some file systems it is one file.
            if path.split('/').any(|name| name.eq_ignore_ascii_case(".git")) {
                return Err(format!("{path} belongs to git and is not to be changed. Leave it out."));
            }
            if path.eq_ignore_ascii_case(&todo) {
                return Err(format!(
                    "{path} is kept by Gantry: it follows the plan by itself. Leave it out."
                ));
            }
            let mission = &self.missions[&id];
            if mission.isolation.is_some() {
                continue;
            }
            let me = holder(mission, &task);
            match self.leases.get(&place).map_or(Check::Free, |t| t.check(&me, path)) {
                Check::Mine => {}
                Check::Free => {
                    self.emit(&id, Event::PathTaken { task: task.clone(), path: path.clone() });
                }
                Check::Held { holder, .. } => {
                    let title = self
                        .missions
                        .get(&holder.mission)
                        .and_then(|m| m.task(&holder.task))
                        .map_or("", |t| &t.spec.title);
                    return Err(format!(
                        "{path} is being changed by task {} ({title}). Work on your own files; if the task cannot be done without it, report status blocked.",
                        holder.task
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The task a session may write for; else the sentence for its model.
pub(crate) fn may_write(
    mission: &Mission,
    attempt: Option<&super::state::Attempt>,
) -> Result<TaskId, String> {
    let Some(attempt) = attempt else { return Err("this conversation belongs to no task; stop here".into()) };
    let AttemptKind::Work(task) = &attempt.kind else {
        return Err(format!(
            "the {} reads only: hand in {} instead of changing files",
            attempt.role().name(),
            attempt.submit_tool()
        ));
    };
    if !attempt.open() {
        return Err(format!("task {task} is no longer yours; stop here"));
    }
    if attempt.submission.is_some() {
        return Err(format!("the report on task {task} is handed in; stop here"));
    }
    debug_assert!(mission.task(task).is_some());
    Ok(task.clone())
}

/// How long the work of this mission takes compared with what was estimated, so far.
pub(crate) fn pace(mission: &Mission) -> Pace {
    let mut pace = Pace::default();
    let done = mission.tasks.iter().filter(|t| t.state == TaskState::Completed && t.worked_ms > 0);
    done.for_each(|t| pace.learn(&t.spec, t.worked_ms));
    pace
}

/// Of all that is still to be done.
pub(crate) fn priorities(mission: &Mission) -> Priorities<'_> {
    Priorities::of(mission.tasks.iter().filter(|t| !t.state.is_over()).map(|t| &t.spec))
}

pub(super) fn holder(mission: &Mission, task: &TaskId) -> Holder {
    Holder { mission: mission.id.clone(), task: task.clone() }
}

/// What a task holds while it is active: the files it declares, and those an earlier attempt took on the way.
pub(crate) fn patterns(task: &Task) -> Vec<Pattern> {
    if task.worktree.is_some() {
        return Pattern::parse("**").into_iter().collect();
    }
    let declared = task.spec.files.iter().filter_map(|f| Pattern::parse(f).ok());
    declared.chain(task.taken.iter().map(|path| Pattern::exact(path))).collect()
}

/// Leases follow the task's state: held from its assignment to its end, whoever works on it.
pub(super) fn index_lease(table: &mut LeaseTable, mission: &Mission, id: &TaskId, to: TaskState) {
    // What is done by parts is held by them.
    let held = |_: &&Task| mission.isolation.is_none() && !mission.is_whole_of_parts(id);
    let Some(task) = mission.task(id).filter(held) else { return };
    let me = holder(mission, id);
    if to == TaskState::Assigned {
        let granted = table.grant(&me, &patterns(task), mission.next_token);
        debug_assert!(granted.is_ok(), "{id} was assigned over a held lease: {granted:?}");
    } else if !to.is_active() {
        table.release(&me);
    }
}

pub(super) fn index_path(table: &mut LeaseTable, mission: &Mission, task: &TaskId, path: &str) {
    let taken = table.extend(&holder(mission, task), path);
    debug_assert!(taken.is_ok(), "{path} was given to {task} while held: {taken:?}");
}

pub(super) fn release_all(table: &mut LeaseTable, mission: &Mission) {
    for task in &mission.tasks {
        table.release(&holder(mission, &task.spec.id));
    }
}
