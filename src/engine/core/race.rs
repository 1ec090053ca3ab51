//! Races: several tries at one task side by side, each in a working tree of its own, of which one is taken.
//!
//! A try is a task like any other, so its worktree, turns, gate and end are those of tasks; but it has one attempt, its
//! gate stops before the review, and people neither plan nor count it. `domain::race` says when a race is over. The one
//! that is taken goes on as a task does: into the merge queue, or back to its worker.
use super::Core;
use super::event::*;
use super::gate::{MAX_LOST_REVIEWS, objections};
use super::grants::Want;
use super::isolation::Worktree;
use super::state::{Attempt, Mission, RaceEnd, Task};
use crate::domain::checkpoint::Checkpoint;
use crate::domain::ids::{Millis, MissionId, Role, TaskId};
use crate::domain::plan::{Mode, Priority, TaskSpec};
use crate::domain::race::{self, Next, Standing};
use crate::domain::schedule;
use crate::domain::task::TaskState;
use crate::domain::verdict::{Finding, Verdict};
use crate::engine::prompts;

/// Findings of all tries that the next worker is told.
const MAX_FINDINGS: usize = 20;

impl Core {
    pub(super) fn advance_races(&mut self, id: &MissionId) {
        let raced = |t: &&Task| t.spec.mode == Some(Mode::Race);
        let ids: Vec<_> = self.missions[id].tasks.iter().filter(raced).map(|t| t.spec.id.clone()).collect();
        for task in ids {
            let mission = &self.missions[id];
            let Some(t) = mission.task(&task) else { continue };
            if mission.wants_race(t) && mission.waits_for_plan(t) {
                // What it is to be is still being planned.
            } else if mission.wants_race(t) {
                self.begin_race(id, &task);
            } else if t.state.is_over() {
                self.end_tries(id, &task, None, "the race is over");
            } else if mission.races(&task) {
                self.advance_race(id, &task);
            } else if let Some(RaceEnd::Won { taken, .. }) = t.race.clone() {
                self.follow(id, &task, &taken);
            }
        }
    }

    /// No more tries than what is left of the budgets covers.
    fn begin_race(&mut self, id: &MissionId, task: &TaskId) {
        let wanted = self.missions[id].created.options.tries();
        let tries = self.covered(id, task, Role::Worker, wanted);
        let specs = if tries > 1 { self.missions[id].tries_at(task, tries) } else { Vec::new() };
        let raced = !specs.is_empty();
        self.emit(id, Event::RaceBegun { task: task.clone(), tries: specs });
        if raced {
            self.task_changed(id, task, TaskState::Assigned, None);
            self.task_changed(id, task, TaskState::InProgress, None);
        }
    }

    fn advance_race(&mut self, id: &MissionId, task: &TaskId) {
        let tries = self.missions[id].standings(task);
        let name = |n: usize| tries[n].0.clone();
        let standings: Vec<_> = tries.iter().map(|(_, standing)| *standing).collect();
        match race::next(&standings, self.at_work_since(&self.missions[id]), self.now) {
            Next::Wait(_) => {}
            Next::Stop(late) => {
                for slow in late.into_iter().map(name) {
                    self.end_try(id, &slow, "too slow: another had passed its checks long before");
                }
            }
            Next::Lost => self.emit(id, Event::RaceLost { task: task.clone() }),
            Next::Take(one) => self.take_try(id, task, name(one), "the only one that passed its checks"),
            Next::Compare(several) => {
                let several = several.into_iter().map(name).collect();
                self.compare(id, task, several);
            }
        }
    }

    /// The try that was taken ends as a task does, and its task with it.
    fn follow(&mut self, id: &MissionId, task: &TaskId, taken: &TaskId) {
        match self.missions[id].task(taken).map(|t| (t.state, t.note.clone())) {
            Some((TaskState::Completed, _)) => self.task_changed(id, task, TaskState::Completed, None),
            Some((state, note)) if state.is_over() => {
                let note =
                    format!("{taken} was taken and then {}: {}", state.name(), note.unwrap_or_default());
                self.task_changed(id, task, TaskState::Failed, Some(note.clone()));
                self.task_given_up(id, task, &note);
            }
            _ => {}
        }
    }

    fn take_try(&mut self, id: &MissionId, task: &TaskId, taken: TaskId, why: &str) {
        let why = prompts::clip(why, 300);
        self.emit(id, Event::RaceWon { task: task.clone(), taken: taken.clone(), why });
        self.end_tries(id, task, Some(&taken), &format!("{taken} was taken"));
    }

    pub(super) fn end_tries(&mut self, id: &MissionId, task: &TaskId, but: Option<&TaskId>, why: &str) {
        let open = |t: &&Task| t.spec.is_try() && !t.state.is_over() && Some(&t.spec.id) != but;
        let others: Vec<_> =
            self.missions[id].parts_of(task).filter(open).map(|t| t.spec.id.clone()).collect();
        others.iter().for_each(|other| self.end_try(id, other, why));
    }

    fn end_try(&mut self, id: &MissionId, one: &TaskId, why: &str) {
        self.lay_down(id, &Subject::Task(one.clone()));
        let path = self.missions[id].task(one).map(|t| t.state.cancel_path()).unwrap_or_default();
        for to in path {
            self.task_changed(id, one, *to, Some(why.to_owned()));
        }
    }

    // ---- the comparison

    fn compare(&mut self, id: &MissionId, task: &TaskId, passed: Vec<TaskId>) {
        let mission = &self.missions[id];
        let Some(t) = mission.task(task) else { return };
        let subject = Subject::Task(task.clone());
        let lost = t.gate.lost_reviews;
        if lost >= MAX_LOST_REVIEWS {
            let why = format!("no comparison of {} could be had", names(&passed));
            if let Some(first) = passed.into_iter().next() {
                self.take_try(id, task, first, &why);
            }
        } else if !mission.open_attempts().any(|a| a.works_on(&subject) && a.submission.is_none()) {
            let level = schedule::level(Priority::High, 0);
            let kind = AttemptKind::Review(subject);
            self.want(id, Want { kind, level, ordinal: lost + 1, session: None, node: None });
        }
    }

    /// What the reviewer says of several tries; the answer is for its model.
    pub(super) fn compared(
        &mut self,
        id: &MissionId,
        attempt: &Attempt,
        task: &TaskId,
        verdict: Verdict,
        choice: Option<&str>,
    ) -> String {
        let passed = self.missions[id].passed_tries(task);
        let chosen = choice.and_then(|name| passed.iter().find(|t| t.as_str() == name.trim())).cloned();
        let Some(taken) = chosen else {
            return format!(
                "`choice` must name the try that is to be taken: {}. Call submit_review once more.",
                names(&passed)
            );
        };
        let submission = Submission::Review {
            approved: verdict.approved,
            summary: verdict.summary.clone(),
            findings: verdict.findings.clone(),
        };
        self.emit(id, Event::Submitted { attempt: attempt.id.clone(), submission });
        self.take_try(id, task, taken.clone(), &verdict.summary);
        self.judge(id, Subject::Task(taken), verdict);
        "The verdict is taken. End your turn now.".into()
    }

    /// When a race has to be looked at again, though nothing has changed.
    pub(super) fn race_at(&self, mission: &Mission) -> Option<Millis> {
        let raced = mission.tasks.iter().filter(|t| mission.running() && mission.races(&t.spec.id));
        let until = raced.filter_map(|t| {
            let tries: Vec<_> = mission.standings(&t.spec.id).into_iter().map(|(_, s)| s).collect();
            match race::next(&tries, self.at_work_since(mission), self.now) {
                Next::Wait(until) => until,
                _ => None,
            }
        });
        until.min()
    }

    /// The mission has run in one piece from then on, and this process with it.
    fn at_work_since(&self, mission: &Mission) -> Millis {
        let taken_over = self.live.get(&mission.id).map(|live| live.adopted_at).unwrap_or_default();
        mission.running_since.max(taken_over)
    }
}

fn names(tries: &[TaskId]) -> String {
    tries.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}

impl Mission {
    pub(super) fn wants_race(&self, task: &Task) -> bool {
        task.state == TaskState::Ready
            && task.spec.mode == Some(Mode::Race)
            && !task.as_one
            && self.isolation.is_some()
    }

    /// Tries at it are under way, and none is taken.
    pub fn races(&self, task: &TaskId) -> bool {
        self.task(task).is_some_and(|t| {
            t.spec.mode == Some(Mode::Race)
                && t.state == TaskState::InProgress
                && !t.as_one
                && t.race.is_none()
        })
    }

    /// Reviews of it compare the tries at it.
    pub fn compares(&self, task: &TaskId) -> bool {
        self.task(task).is_some_and(|t| t.spec.mode == Some(Mode::Race) && !t.as_one)
    }

    /// It is one of several tries of which none is taken yet.
    pub(super) fn in_race(&self, task: &TaskId) -> bool {
        let of = self.task(task).filter(|t| t.spec.is_try()).and_then(|t| t.spec.parent.as_ref());
        of.is_some_and(|of| self.races(of))
    }

    /// A try has one attempt: the others are what a second one would be.
    pub(super) fn may_be_tried_again(&self, task: &TaskId) -> bool {
        self.task(task).is_some_and(|t| t.attempts < super::MAX_ATTEMPTS) && !self.in_race(task)
    }

    /// Tasks that people planned: all but tries.
    pub fn planned(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.iter().filter(|t| !t.spec.is_try())
    }

    /// Work turns that are likely still to come for a task that people planned.
    pub fn turns_to_come(&self, task: &Task) -> u32 {
        let open = |t: &Task| u32::from(!t.state.is_over() && t.state != TaskState::InReview);
        let tries = || self.parts_of(&task.spec.id).filter(|t| t.spec.is_try());
        let raced = task.spec.mode == Some(Mode::Race) && !task.as_one && self.isolation.is_some();
        match task.state {
            TaskState::Pending | TaskState::Ready if raced => self.created.options.tries(),
            TaskState::InProgress if raced => tries().map(open).sum(),
            _ => open(task),
        }
    }

    /// As people count.
    pub fn without_tries(&self, checkpoint: &Checkpoint) -> Checkpoint {
        if checkpoint.edition != self.edition {
            return checkpoint.clone();
        }
        let planned = self.tasks.iter().zip(&checkpoint.tasks).filter(|(t, _)| !t.spec.is_try());
        let tasks = planned.map(|(_, state)| *state).collect();
        Checkpoint { tasks, ..checkpoint.clone() }
    }

    /// What its worker says of it: of a race, the one whose try was taken.
    pub fn summary_of<'a>(&'a self, task: &'a Task) -> Option<&'a String> {
        match &task.race {
            Some(RaceEnd::Won { taken, .. }) => self.task(taken)?.summary.as_ref(),
            _ => task.summary.as_ref(),
        }
    }

    /// What the worker of a try runs on, where the user wants that to differ.
    pub fn model_for(&self, kind: &AttemptKind) -> Option<&str> {
        let AttemptKind::Work(task) = kind else { return None };
        let parent = self.task(task).filter(|t| t.spec.is_try())?.spec.parent.as_ref()?;
        let models = self.created.options.race_models.as_deref().filter(|models| !models.is_empty())?;
        let place = self.parts_of(parent).position(|t| t.spec.id == *task)?;
        models.get(place % models.len()).map(String::as_str)
    }

    /// A task that is raced is compared where the first of the tries stands.
    pub(super) fn place_of(&self, task: &TaskId) -> Option<&Worktree> {
        let first = || self.passed_tries(task).first().and_then(|one| self.task(one));
        let compared = self.races(task).then(first).flatten();
        compared.or_else(|| self.task(task))?.worktree.as_ref()
    }

    /// Nothing is held against their changes.
    pub fn passed_tries(&self, task: &TaskId) -> Vec<TaskId> {
        let passed = |(_, standing): &(TaskId, Standing)| matches!(standing, Standing::Passed { .. });
        self.standings(task).into_iter().filter(passed).map(|(id, _)| id).collect()
    }

    fn standings(&self, task: &TaskId) -> Vec<(TaskId, Standing)> {
        let tries = self.parts_of(task).filter(|t| t.spec.is_try());
        tries.map(|t| (t.spec.id.clone(), self.standing(t))).collect()
    }

    fn standing(&self, one: &Task) -> Standing {
        let subject = Subject::Task(one.spec.id.clone());
        if one.state.is_over() {
            return Standing::Out;
        }
        if one.state != TaskState::InReview {
            let handed_in = |a: &Attempt| a.works_on(&subject) && a.submission.is_some();
            let handed_in = self.open_attempts().any(handed_in);
            return if handed_in { Standing::BeforeGate } else { Standing::AtWork };
        }
        let looked_at = one.gate.inspection.as_ref().is_some_and(|i| i.tree.is_some());
        let sound = looked_at && one.gate.checks.is_some() && one.gate.verdict.is_none();
        if sound && objections(self, &subject, &one.gate).is_none() {
            let took_ms = one.since.since(one.began_at.unwrap_or(one.since));
            return Standing::Passed { handed_in: one.since, took_ms };
        }
        Standing::BeforeGate
    }

    /// The same ones again where the task was begun before.
    fn tries_at(&self, task: &TaskId, count: u32) -> Vec<TaskSpec> {
        let Some(of) = self.task(task) else { return Vec::new() };
        let known: Vec<_> = self.parts_of(task).map(|t| t.spec.clone()).collect();
        let free = |n: u32| {
            let mut name = format!("{task}.r{n}");
            while self.task(&TaskId::new(name.clone())).is_some() {
                name.push('x');
            }
            TaskId::new(name)
        };
        // What tells them apart first is whether they pass, so a plan that names no checks has the project's.
        let checks = match &self.survey {
            Some(survey) if of.spec.checks.is_empty() => survey.checks.clone(),
            _ => of.spec.checks.clone(),
        };
        let spec = |n: u32| TaskSpec {
            id: free(n),
            depends_on: Vec::new(),
            checks: checks.clone(),
            mode: Some(Mode::Try),
            parent: Some(task.clone()),
            ..of.spec.clone()
        };
        (1..=count).map(|n| known.get(n as usize - 1).cloned().unwrap_or_else(|| spec(n))).collect()
    }

    pub(super) fn apply_race_begun(&mut self, task: &TaskId, tries: &[TaskSpec]) -> Result<(), String> {
        let of = self.task_mut(task)?;
        of.as_one = tries.is_empty();
        of.race = None;
        let wrong = |t: &&TaskSpec| !t.is_try() || t.parent.as_ref() != Some(task);
        if let Some(wrong) = tries.iter().find(wrong) {
            return Err(format!("{} is no try at {task}", wrong.id));
        }
        // Of an earlier race of the same task, which had more.
        for old in self.tasks.iter_mut().filter(|t| t.spec.parent.as_ref() == Some(task)) {
            *old = Task { state: TaskState::Skipped, ..old.again() };
        }
        for spec in tries {
            if let Some(old) = self.tasks.iter_mut().find(|t| t.spec.id == spec.id) {
                *old = old.again();
                continue;
            }
            self.tasks.push(Task::new(spec.clone()));
            if let Some(plan) = &mut self.plan {
                plan.tasks.push(spec.clone());
            }
        }
        Ok(())
    }

    /// All tries together count as one attempt.
    pub(super) fn apply_race_lost(&mut self, task: &TaskId) -> Result<(), String> {
        let of_try = |t: &Task| {
            let why = t.note.iter().filter(|_| t.findings.is_empty()).map(|note| Finding::of("high", note));
            let named = |f: Finding| Finding { message: format!("{}: {}", t.spec.id, f.message), ..f };
            t.findings.iter().cloned().chain(why).map(named).collect::<Vec<_>>()
        };
        let findings = self.parts_of(task).flat_map(of_try).take(MAX_FINDINGS).collect();
        let task = self.task_mut(task)?;
        task.as_one = true;
        task.race = Some(RaceEnd::Lost);
        task.attempts += 1;
        task.findings = findings;
        Ok(())
    }
}

impl Attempt {
    /// Who compares the tries at a task sits in the worktree of one of them.
    pub(super) fn compares(&self, task: &Task) -> bool {
        let of = task.spec.parent.clone().filter(|_| task.spec.is_try());
        of.is_some_and(|of| self.kind == AttemptKind::Review(Subject::Task(of)))
    }
}
