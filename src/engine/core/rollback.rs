//! Files taken back: those that a mission, a task or all since a checkpoint has changed.
//!
//! First a look says what is to be done, and whether anybody else has edited those files since; then the intent is a
//! fact, with the tree before and the tree after; then the files are put in place. The last step may be repeated as often
//! as a process dies over it. The tree before is a checkpoint, and the way forward again.
use super::event::*;
use super::io::*;
use super::live::{Job, Stage};
use super::state::Mission;
use super::trees::{By, Span};
use super::worktrees::TreeJob;
use super::{Core, schedule};
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{Millis, MissionId, Role, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::verdict::TreeId;
use crate::engine::report;

/// Someone waits for a rollback.
#[derive(Clone, Debug)]
pub struct Asked {
    reply: Option<ReplyTo>,
    ask: RollbackAsk,
    /// The answer is for a model.
    tool: bool,
    /// What was found, once the files are being put in place.
    view: Option<RollbackView>,
}

/// The newest rollback of a mission.
#[derive(Clone, PartialEq, Debug)]
pub struct Rollback {
    pub scope: Scope,
    /// As the files were, and as they are to be.
    pub from: TreeId,
    pub to: TreeId,
    pub files: u32,
    pub with_state: bool,
    pub done: bool,
    /// Files that somebody wrote while they were being taken back.
    pub left: Vec<String>,
}

const BUSY: &str = "its files are being taken back just now: wait a moment, and try again";

impl Core {
    pub(super) fn ask_rollback(
        &mut self,
        reply: Option<ReplyTo>,
        id: &MissionId,
        ask: RollbackAsk,
        tool: bool,
    ) {
        let asked = Asked { reply, ask, tool, view: None };
        match self.may_roll_back(id, &asked.ask) {
            Ok(()) => self.live(id).rollback = Some(asked),
            Err(refusal) => self.refuse_rollback(id, asked, refusal),
        }
    }

    fn refuse_rollback(&mut self, id: &MissionId, asked: Asked, refusal: Refusal) {
        self.live(id).rollback = None;
        let Some(reply) = asked.reply else { return };
        if asked.tool {
            self.say(reply, "refused", format!("Not done: {refusal}."));
        } else {
            self.refuse(reply, refusal);
        }
    }

    /// Nothing else is done with a mission while its files are being taken back.
    pub(super) fn not_while_rolling_back(&mut self, id: &MissionId) -> Result<(), Refusal> {
        let mission = self.missions.get(id).is_some_and(Mission::rolling_back);
        if mission || self.live.get(id).is_some_and(|l| l.rollback.is_some()) {
            return Err(Refusal::Conflict(BUSY.into()));
        }
        Ok(())
    }

    fn may_roll_back(&mut self, id: &MissionId, ask: &RollbackAsk) -> Result<(), Refusal> {
        if !self.missions.contains_key(id) {
            return Err(Refusal::NotFound(format!("no mission {id} here; `gantry missions` lists them all")));
        }
        self.not_while_rolling_back(id)?;
        let conflict = |text: String| Err(Refusal::Conflict(text));
        let mission = &self.missions[id];
        let state = mission.state;
        if !matches!(state, MissionState::Paused) && state.is_open() {
            return conflict(format!(
                "the files of a mission that is {} cannot be taken back: pause it first",
                state.name()
            ));
        }
        if self.place_taken(id) {
            return conflict("another mission is at work in this project: wait until it has ended".into());
        }
        // Planners and reviewers only read; the last review's turn may even outlive its host, which ends with the report.
        let writing = |a: &&state::Attempt| {
            let stage = self.live.get(id).and_then(|l| l.pulses.get(&a.id)).map(|p| p.stage);
            a.role() == Role::Worker
                && (a.given_up
                    || (a.open()
                        && !matches!(stage, None | Some(Stage::New | Stage::Waiting | Stage::Shelved))))
        };
        let turns = mission.attempts.values().filter(writing).count();
        if turns > 0 {
            let what = if turns == 1 { "turn is" } else { "turns are" };
            return conflict(format!(
                "{turns} {what} still running: try again when they have ended, or cancel the mission"
            ));
        }
        let harmless = |job: &Job| {
            let looks = matches!(job, Job::Record | Job::PlanRollback | Job::WatchTodo | Job::Trespass);
            looks || matches!(job, Job::Trees(TreeJob::Propose | TreeJob::Release))
        };
        if self.is_landing(id) {
            return conflict("its result is being put into your files: try again in a moment".into());
        }
        if self.live.get(id).is_some_and(|live| !live.jobs.keys().all(harmless)) {
            return conflict("its checks are still running: try again when they have ended".into());
        }
        if ask.with_state {
            self.may_restore(id, state, &ask.scope)?;
        }
        self.missions[id].may_reach(&ask.scope).map_err(Refusal::Conflict)
    }

    fn may_restore(&self, id: &MissionId, state: MissionState, scope: &Scope) -> Result<(), Refusal> {
        let Scope::Checkpoint(checkpoint) = scope else { return Ok(()) };
        self.may_be_restored(id, state, *checkpoint)
    }

    /// Takes what was asked for to its next step.
    pub(super) fn advance_rollback(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        if let Some(rollback) = mission.rollback.clone().filter(|r| !r.done) {
            let created = &mission.created;
            let (root, todo) = (created.worktree.clone(), created.options.todo.clone());
            if let Some(round) = self.live(id).begin(Job::RestoreFiles) {
                let Rollback { from, to, .. } = rollback;
                self.act(Action::RestoreFiles { mission: id.clone(), round, root, todo, from, to });
            }
            return;
        }
        let Some(asked) = self.live.get(id).and_then(|l| l.rollback.clone()).filter(|a| a.view.is_none())
        else {
            return;
        };
        // How the last tasks were left is being recorded.
        if self.live(id).jobs.contains_key(&Job::Record) || mission_is_unrecorded(&self.missions[id]) {
            return;
        }
        let Some(round) = self.live(id).begin(Job::PlanRollback) else { return };
        let mission = &self.missions[id];
        let look = RollbackLook {
            root: mission.created.worktree.clone(),
            todo: mission.created.options.todo.clone(),
            stretches: mission.stretches(&asked.ask.scope),
            since: match asked.ask.scope {
                // What changed outside of worktrees was not the mission's.
                Scope::Mission if mission.isolation.is_none() => {
                    mission.survey.as_ref().and_then(|s| s.tree.clone())
                }
                _ => None,
            },
            force: asked.ask.force,
        };
        self.act(Action::PlanRollback { mission: id.clone(), round, look });
    }

    pub(super) fn rollback_planned(
        &mut self,
        id: &MissionId,
        round: u64,
        result: Result<RollbackFound, String>,
    ) {
        if !self.live(id).end(&Job::PlanRollback, round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        let Some(asked) = self.live(id).rollback.take() else { return };
        // The world may have moved meanwhile: another mission begun, say.
        let found = self.may_roll_back(id, &asked.ask).and_then(|()| result.map_err(Refusal::Invalid));
        let found = match found {
            Ok(found) => found,
            Err(refusal) => return self.refuse_rollback(id, asked, refusal),
        };
        let RollbackAsk { scope, dry_run, with_state, .. } = asked.ask.clone();
        let view = RollbackView::of(&asked.ask, &found);
        if dry_run || !found.conflicts.is_empty() && !asked.ask.force {
            return self.tell_rollback(asked, view);
        }
        if found.from == found.to && !with_state {
            return self.tell_rollback(asked, view);
        }
        let files = found.steps.len() as u32;
        self.emit(id, Event::RollbackBegun { scope, from: found.from, to: found.to, files, with_state });
        self.live(id).rollback = Some(Asked { view: Some(view), ..asked });
    }

    pub(super) fn files_restored(&mut self, id: &MissionId, round: u64, result: Result<Vec<String>, String>) {
        if !self.live(id).end(&Job::RestoreFiles, round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        let Some(rollback) = self.missions[id].rollback.clone().filter(|r| !r.done) else { return };
        let (left, fault) = match result {
            Ok(left) => (left, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        self.emit(id, Event::RolledBack { left: left.clone(), fault: fault.clone() });
        if let (Scope::Checkpoint(checkpoint), true, None) = (rollback.scope, rollback.with_state, &fault) {
            self.restore_state(id, checkpoint);
        }
        let Some(asked) = self.live(id).rollback.take() else { return };
        let Some(view) = asked.view.clone() else { return };
        let done = fault.is_none();
        // What is left is said with its reason.
        let is_left =
            |path: &str| left.iter().any(|l| l.strip_prefix(path).is_some_and(|r| r.starts_with(": ")));
        let steps = view.steps.into_iter().filter(|step| !is_left(&step.path)).collect();
        self.tell_rollback(asked, RollbackView { done, steps, left, fault, ..view });
    }

    fn tell_rollback(&mut self, asked: Asked, view: RollbackView) {
        let Some(reply) = asked.reply else { return };
        if asked.tool {
            let title = if view.done { "taken back" } else { "not taken back" };
            self.say(reply, title, report::rollback(&view));
        } else {
            self.answer(reply, Answer::Rollback(view));
        }
    }

    /// Who waits for a rollback of a mission that leaves memory.
    pub(super) fn drop_rollback(&mut self, asked: Option<Asked>, why: &str) {
        if let Some(reply) = asked.and_then(|a| a.reply) {
            self.refuse(reply, Refusal::Cancelled(why.to_owned()));
        }
    }

    /// Takes the work itself back to a checkpoint.
    pub(super) fn restore_state(&mut self, id: &MissionId, checkpoint: u32) {
        self.stop_turns(id);
        self.act(Action::StopWork { mission: id.clone() });
        self.live(id).jobs.clear();
        let mission = &self.missions[id];
        if let Some(table) = self.leases.get_mut(mission.place()) {
            schedule::release_all(table, mission);
        }
        // The way forward again.
        self.checkpoint(id, Trigger::BeforeRisky);
        self.emit(id, Event::Restored { checkpoint });
        let phase = self.missions[id].phase_of_work();
        self.phase(id, phase);
        self.live(id).todo_published = false;
    }
}

fn mission_is_unrecorded(mission: &Mission) -> bool {
    mission.spans.iter().any(|s| s.open)
}

use super::state;

impl Mission {
    /// Files are on their way back; said by the journal, so that it is ended by whoever reads it.
    pub fn rolling_back(&self) -> bool {
        self.rollback.as_ref().is_some_and(|r| !r.done)
    }

    /// Whether there is anything that could be taken back.
    fn may_reach(&self, scope: &Scope) -> Result<(), String> {
        if let (Some(isolation), true) = (&self.isolation, *scope != Scope::Undo) {
            return self.may_reach_landed(isolation, scope);
        }
        let worked = |span: &&Span| span.task().is_some();
        match scope {
            Scope::Undo if self.rollback.is_none() => Err("no files of it were taken back".into()),
            Scope::Undo => Ok(()),
            _ if self.spans.iter().find(worked).is_none() => {
                Err("no task of it was begun, so it has changed no files".into())
            }
            Scope::Task(task) if !self.spans.iter().any(|s| s.task() == Some(task)) => {
                Err(format!("it has no task {task} that was begun: {}", self.begun_tasks()))
            }
            Scope::Checkpoint(sequence) => {
                let found = self.checkpoints.get(*sequence).map_err(|e| e.to_string())?;
                found.tree.as_ref().map(|_| ()).ok_or_else(|| self.no_tree(*sequence))
            }
            Scope::Mission | Scope::Task(_) => Ok(()),
        }
    }

    fn begun_tasks(&self) -> String {
        let mut names: Vec<_> = self.spans.iter().filter_map(|s| s.task().map(|t| t.0.as_str())).collect();
        names.dedup();
        format!("choose one of {}", names.join(", "))
    }

    fn no_tree(&self, sequence: u32) -> String {
        let with: Vec<_> =
            self.checkpoints.iter().filter(|c| c.tree.is_some()).map(|c| c.sequence.to_string()).collect();
        let choice =
            if with.is_empty() { "none has".into() } else { format!("these have: {}", with.join(", ")) };
        format!("checkpoint {sequence} has no record of the files; {choice}")
    }

    /// All that was done, and which of it is to be taken back.
    fn stretches(&self, scope: &Scope) -> Vec<RollbackStretch> {
        let whole = |from: &TreeId, to: &TreeId, part| RollbackStretch {
            task: None,
            files: None,
            part,
            from: from.clone(),
            to: to.clone(),
        };
        if let (Scope::Undo, Some(last)) = (scope, &self.rollback) {
            return vec![whole(&last.from, &last.to, Part::Chosen)];
        }
        if self.isolation.is_some() {
            return self.landed_stretches(scope);
        }
        let checkpoint = match scope {
            Scope::Checkpoint(n) => self.checkpoints.get(*n).ok(),
            _ => None,
        };
        let stretch = |span: &Span| {
            let (before, after) = (span.before.as_ref()?, span.after.as_ref()?);
            let Some(task) = span.task() else {
                return Some(whole(&before.tree, &after.tree, Part::Continues));
            };
            let mut from = before.tree.clone();
            let chosen = match (scope, checkpoint) {
                (Scope::Task(chosen), _) => chosen == task,
                (Scope::Checkpoint(_), Some(c)) if after.at <= c.at => false,
                (Scope::Checkpoint(_), Some(c)) if before.at < c.at => {
                    from = c.tree.clone()?;
                    true
                }
                _ => true,
            };
            let part = if chosen { Part::Chosen } else { Part::Other };
            let files = Some(span.files.clone());
            Some(RollbackStretch { task: Some(task.clone()), files, part, from, to: after.tree.clone() })
        };
        self.spans.iter().filter_map(stretch).collect()
    }

    pub(super) fn apply_rollback_begun(&mut self, at: Millis, rollback: Rollback) -> Result<(), String> {
        if self.rolling_back() {
            return Err("a rollback within another".into());
        }
        self.checkpoint(at, Trigger::BeforeRisky, Some(rollback.from.clone()));
        self.rollback = Some(rollback);
        Ok(())
    }

    pub(super) fn apply_rolled_back(
        &mut self,
        at: Millis,
        left: &[String],
        failed: bool,
    ) -> Result<(), String> {
        let rollback = self.rollback.as_mut().filter(|r| !r.done).ok_or("the end of no rollback")?;
        rollback.done = true;
        rollback.left = left.to_vec();
        if failed {
            // Nothing was changed, so there is nothing to undo either.
            self.rollback = None;
            return Ok(());
        }
        self.last_tree = Some(rollback.to.clone());
        let span = Span::whole(By::Rollback, at, &rollback.from, &rollback.to);
        self.spans.push(span);
        Ok(())
    }

    /// Where work goes on.
    fn phase_of_work(&self) -> crate::domain::mission::Phase {
        use crate::domain::mission::Phase;
        match (&self.plan, &self.brief) {
            (Some(_), _) => Phase::Executing,
            (None, Some(_)) => Phase::Planning,
            (None, None) => Phase::Briefing,
        }
    }
}

impl RollbackView {
    fn of(ask: &RollbackAsk, found: &RollbackFound) -> Self {
        Self {
            dry_run: ask.dry_run,
            done: !ask.dry_run && found.conflicts.is_empty() && found.from == found.to,
            steps: found.steps.clone(),
            conflicts: found.conflicts.clone(),
            others: found.others.clone(),
            left: Vec::new(),
            fault: None,
        }
    }
}

/// The task a rollback is about, where it is about one.
pub(crate) fn scope_text(scope: &Scope) -> String {
    let of_task = |task: &TaskId| format!("the files of {task}");
    match scope {
        Scope::Mission => "the files of the mission".into(),
        Scope::Task(task) => of_task(task),
        Scope::Checkpoint(n) => format!("the files since checkpoint {n}"),
        Scope::Undo => "the rollback before".into(),
    }
}
