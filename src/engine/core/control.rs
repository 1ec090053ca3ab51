//! Missions as a whole: acceptance, the brief, control by the user, the end.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{HandBackView, Job, LOOK_MS};
use super::state::Mission;
use super::worktrees::TreeJob;
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{HostSessionId, Millis, MissionId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::task::TaskState;
use crate::domain::verdict::CheckResult;
use crate::engine::prompts::clip;
use crate::engine::report;
use crate::ports::host::ToastKind;

/// Times a failed mission may be put back to pending.
const MAX_RETRIES: u32 = 3;
/// Plans of one mission that a user may refuse.
const MAX_PLANS: usize = 10;
/// Longest reason for a refusal that is passed on, in bytes.
const MAX_WISH: usize = 4_000;

impl Core {
    pub(super) fn create(&mut self, reply: ReplyTo, id: MissionId, created: Created) {
        let twin = self
            .missions
            .values()
            .find(|m| m.created.key == created.key && m.created.directory == created.directory && m.id != id);
        if let Some(twin) = twin {
            let mission = twin.id.clone();
            let queued_behind = self.ahead_of(&mission);
            return self.answer(reply, Answer::Created { mission, queued_behind });
        }
        if let Err(why) = self.has_room_for(&created) {
            return self.refuse(reply, Refusal::Conflict(why));
        }
        self.turn.events.push((id.clone(), Event::Created(created.clone())));
        self.missions.insert(id.clone(), Mission::new(id.clone(), self.now, created));
        let patience = self.missions[&id].created.options.turn_timeout_ms;
        self.live(&id).brief_by = Some(self.now.plus(patience));
        self.live(&id).parent.look_at = Some(self.now.plus(LOOK_MS));
        self.state(&id, MissionState::Queued, "accepted");
        self.start_queued();
        let queued_behind = self.ahead_of(&id);
        if !queued_behind.is_empty() {
            let message = clip(&self.missions[&id].created.title, 60);
            self.notify(&id, Toasts::Normal, ToastKind::Info, "Mission queued behind another", message);
        }
        self.answer(reply, Answer::Created { mission: id, queued_behind });
    }

    fn has_room_for(&self, created: &Created) -> Result<(), String> {
        let open = self.missions.values().filter(|m| m.state.is_open()).count();
        if open >= self.limits.missions {
            return Err(format!("{open} missions are open already: wait for one to end, or cancel one"));
        }
        let mut depth = 1;
        let mut parent = &created.parent;
        while let Some(outer) = self.sessions.get(parent).and_then(|(id, _)| self.missions.get(id)) {
            depth += 1;
            if depth > self.limits.depth {
                return Err(format!(
                    "this conversation works for a mission {} levels down: give the work to the mission it belongs to",
                    depth - 1
                ));
            }
            parent = &outer.created.parent;
        }
        Ok(())
    }

    /// Missions of the same place that come before this one.
    fn ahead_of(&self, id: &MissionId) -> Vec<MissionId> {
        let Some(me) = self.missions.get(id) else { return Vec::new() };
        if me.state != MissionState::Queued {
            return Vec::new();
        }
        let ahead = |m: &&Mission| m.place() == me.place() && m.id < me.id && m.state.is_open();
        self.missions.values().filter(ahead).map(|m| m.id.clone()).collect()
    }

    /// One mission at a time works in a place: two would put their changes into each other's verdicts.
    pub(super) fn start_queued(&mut self) {
        let waits = |m: &&Mission| matches!(m.state, MissionState::Pending | MissionState::Queued);
        for id in self.missions.values().filter(waits).map(|m| m.id.clone()).collect::<Vec<_>>() {
            if self.missions[&id].state == MissionState::Pending {
                self.state(&id, MissionState::Queued, "accepted");
            }
            // Oldest first, so one that waits longer has the place by now.
            if !self.place_taken(&id) {
                self.state(&id, MissionState::Running, "started");
                self.checkpoint_timer(&id);
                self.advance(&id);
            }
        }
    }

    /// A look at the project and its checks before any work; the Commander and the planner need not wait for it.
    pub(super) fn advance_survey(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let created = &mission.created;
        let fault = mission.survey.as_ref().filter(|s| s.tree.is_none()).map(|s| s.remark.clone());
        if let (Some(fault), true) = (fault, created.options.wants_worktrees()) {
            // They were asked for: to work in the user's own files instead is not for Gantry to decide.
            let needs = if created.options.worktrees == Some(true) { "" } else { ", which a race needs" };
            let why = format!("there can be no worktrees{needs}: {}", fault.unwrap_or_default());
            self.recover(id);
            return self.end_work(id, MissionState::Failed, why);
        }
        let (root, todo) = (created.worktree.clone(), created.options.todo.clone());
        let mission = id.clone();
        match &self.missions[id].survey {
            None => {
                let checks = created.options.checks.clone();
                if self.live(id).begin(Job::Survey).is_some() {
                    self.act(Action::Survey { mission, root, checks, todo });
                }
            }
            Some(survey) if survey.baseline.is_none() => {
                let commands = survey.checks.clone();
                if commands.is_empty() {
                    self.emit(id, Event::Baselined { results: Vec::new(), wrote: Vec::new() });
                } else if self.live(id).begin(Job::Baseline).is_some() {
                    // In worktrees the checks write where nobody else's files are.
                    let todo = self.missions[id].isolation.is_none().then_some(todo);
                    self.act(Action::Baseline { mission, root, commands, todo });
                }
            }
            Some(_) => {}
        }
    }

    /// Whether another mission is at work in the place of this one.
    pub(super) fn place_taken(&self, id: &MissionId) -> bool {
        let place = self.missions[id].place();
        self.missions.values().any(|m| m.id != *id && m.place() == place && m.begun())
            || self.away.iter().any(|(away, taken)| away != id && taken == place)
    }

    pub(super) fn advance_brief(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        if mission.brief.is_some() && mission.survey.is_some() {
            self.phase(id, Phase::Planning);
        }
    }

    pub(super) fn surveyed(&mut self, id: &MissionId, event: Event) {
        let wanted = self.live(id).jobs.remove(&Job::Survey).is_some();
        if wanted && self.missions.get(id).is_some_and(|m| m.survey.is_none() && m.state.is_open()) {
            self.emit(id, event);
        }
    }

    pub(super) fn baselined(&mut self, id: &MissionId, results: Vec<CheckResult>, wrote: Vec<String>) {
        let wanted = self.live(id).jobs.remove(&Job::Baseline).is_some();
        let missing =
            |m: &Mission| m.survey.as_ref().is_some_and(|s| s.baseline.is_none()) && m.state.is_open();
        if wanted && self.missions.get(id).is_some_and(missing) {
            let red = results.iter().filter(|r| !r.passed());
            let red: Vec<_> = red.map(|r| format!("`{}` {}", r.command, report::outcome(r))).collect();
            self.emit(id, Event::Baselined { results, wrote });
            if !red.is_empty() {
                let message = format!(
                    "{}; not held against the mission unless it gets worse",
                    clip(&red.join(", "), 200)
                );
                self.notify(id, Toasts::Normal, ToastKind::Warning, "Checks fail before any work", message);
            }
        }
    }

    /// The Commander did not state the work; the user's own words do.
    pub(super) fn brief_from_user(&mut self, id: &MissionId) {
        if self.missions.get(id).is_some_and(|m| m.brief.is_none() && m.state.is_open()) {
            let brief = Brief { text: self.missions[id].created.text.clone(), ..Brief::default() };
            self.emit(id, Event::Briefed { brief, source: BriefSource::User });
        }
    }

    pub(super) fn control(&mut self, reply: Option<ReplyTo>, id: &MissionId, control: Control) {
        let control = match rollback_of(control) {
            Ok(ask) => return self.ask_rollback(reply, id, ask, false),
            Err(control) => control,
        };
        let result = self.apply_control(id, control);
        let Some(reply) = reply else { return };
        match result {
            Ok(()) => self.answer(reply, Answer::Mission { mission: id.clone() }),
            Err(refusal) => self.refuse(reply, refusal),
        }
    }

    pub(super) fn apply_control(&mut self, id: &MissionId, control: Control) -> Result<(), Refusal> {
        let Some(mission) = self.missions.get(id) else {
            return Err(Refusal::NotFound(format!(
                "no open mission {id} here; `gantry missions` lists them all"
            )));
        };
        let state = mission.state;
        self.not_while_rolling_back(id)?;
        let Some(mission) = self.missions.get(id) else { return Ok(()) };
        let refused = |verb: &str| {
            Err(Refusal::Conflict(format!("a mission that is {} cannot be {verb}", state.name())))
        };
        match control {
            Control::Cancel { .. } if self.is_landing(id) => {
                let text = "its result is just being put into your files; look again in a moment";
                return Err(Refusal::Conflict(text.into()));
            }
            Control::Cancel { by } => match state.cancelled() {
                None => return refused("cancelled: it has ended"),
                Some(end) => self.end_work(id, end, format!("cancelled by {by}")),
            },
            Control::Pause if state == MissionState::Running => {
                self.state(id, MissionState::Paused, "paused by the user; running turns end by themselves");
            }
            Control::Suspend if matches!(state, MissionState::Running | MissionState::Paused) => {
                self.suspend(id);
            }
            Control::Suspend => return refused("suspended: only one that is running or paused can"),
            Control::Pause => return refused("paused: only a running one can"),
            // Agents may resume a mission; whether the plan is good the user says.
            Control::Resume if mission.awaits_approval() => {
                let text = "its plan waits for the user's word: /task-approve begins the work, /task-refuse asks for another plan";
                return Err(Refusal::Conflict(text.into()));
            }
            Control::Approve if mission.awaits_approval() => {
                self.emit(id, Event::PlanJudged { approved: true, reason: None });
                self.state(id, MissionState::Running, "the user accepts the plan");
            }
            Control::Approve => return refused("approved: no plan of it waits"),
            Control::Refuse { text } if mission.awaits_approval() => {
                if mission.plan_wishes.len() >= MAX_PLANS {
                    return Err(Refusal::Conflict(format!(
                        "{MAX_PLANS} plans were refused: cancel the mission and say anew what is to be done"
                    )));
                }
                self.emit(id, Event::PlanJudged { approved: false, reason: Some(clip(&text, MAX_WISH)) });
                self.state(id, MissionState::Running, "the user wants another plan");
            }
            Control::Refuse { .. } => return refused("planned anew: no plan of it waits"),
            Control::Resume if state == MissionState::Paused => {
                self.state(id, MissionState::Running, "resumed by the user")
            }
            Control::Resume => return refused("resumed: only a paused one can"),
            Control::Steer { text, task, now } => return self.steer(id, &text, task, now),
            Control::Answer { ask, allow, reason } => {
                return self.answer_ask(id, ask.as_deref(), allow, reason);
            }
            Control::Retry => return self.retry(id, state),
            Control::Accept { subject, by, reason } => return self.accept(id, subject, by, &reason),
            Control::Expand { task } => return self.choose_parts(id, &task),
            Control::Checkpoint if state.is_open() => self.checkpoint(id, Trigger::Manual),
            Control::Checkpoint => return refused("given a checkpoint: it has ended"),
            Control::Restore { checkpoint, .. } => return self.restore(id, state, checkpoint),
            Control::Rollback { .. } => return refused("taken back in this way"),
        }
        Ok(())
    }

    /// Whether the mission can go to work again.
    pub(super) fn may_retry(&self, id: &MissionId, state: MissionState) -> Result<(), Refusal> {
        match state {
            MissionState::PartiallyCompleted if self.place_taken(id) => {
                let text = "another mission is at work in this project: retry when it has ended";
                return Err(Refusal::Conflict(text.into()));
            }
            MissionState::PartiallyCompleted => {}
            MissionState::Failed | MissionState::Timeout if self.missions[id].retries >= MAX_RETRIES => {
                return Err(Refusal::Conflict(format!(
                    "it was retried {MAX_RETRIES} times already: start a new mission with what is left"
                )));
            }
            MissionState::Failed | MissionState::Timeout
                if self.missions[id].checkpoints.last().is_none() =>
            {
                let text = "it has no checkpoint to go on from: start it anew";
                return Err(Refusal::Conflict(text.into()));
            }
            MissionState::Failed | MissionState::Timeout => {}
            _ => {
                let text = format!(
                    "a mission that is {} cannot be retried: only one that failed or is partly done",
                    state.name()
                );
                return Err(Refusal::Conflict(text));
            }
        }
        Ok(())
    }

    /// What was completed stays; all else is done again under the same plan.
    pub(super) fn retry(&mut self, id: &MissionId, state: MissionState) -> Result<(), Refusal> {
        self.may_retry(id, state)?;
        if state == MissionState::PartiallyCompleted {
            self.state(id, MissionState::Running, "reopened by the user");
        } else {
            self.state(id, MissionState::Pending, "retried by the user");
            self.state(id, MissionState::Queued, "retried by the user");
        }
        if let Some(plan) = self.missions[id].plan.clone() {
            self.emit(
                id,
                Event::Planned {
                    plan,
                    source: self.missions[id].plan_source.unwrap_or(PlanSource::Planner),
                    remarks: Vec::new(),
                },
            );
            self.live(id).todo_published = false;
            self.phase(id, Phase::Executing);
        }
        Ok(())
    }

    /// Ends turns, jobs and tasks, then the mission.
    pub(super) fn end_work(&mut self, id: &MissionId, end: MissionState, reason: String) {
        self.stop_turns(id);
        self.act(Action::StopWork { mission: id.clone() });
        // The user's files are never left half way.
        self.live(id).jobs.retain(|job, _| *job == Job::Trees(TreeJob::Land));
        for (task, state) in
            self.missions[id].tasks.iter().map(|t| (t.spec.id.clone(), t.state)).collect::<Vec<_>>()
        {
            for to in state.cancel_path() {
                self.task_changed(id, &task, *to, None);
            }
        }
        self.state(id, end, reason);
    }

    /// Ends every turn of the mission in the host.
    pub(super) fn stop_turns(&mut self, id: &MissionId) {
        for attempt in self.missions[id].open_attempts().map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.close(id, &attempt, Outcome::Aborted);
            self.end_turn(id, &attempt);
        }
    }

    /// All tasks are over and the gate of the whole has spoken.
    pub(super) fn finish(&mut self, id: &MissionId, reason: impl Into<String>) {
        let mission = &self.missions[id];
        let done = mission.planned().filter(|t| t.state == TaskState::Completed).count();
        let approved = mission.whole.verdict.as_ref().is_some_and(|v| v.approved);
        let fits = mission.isolation.as_ref().is_none_or(|i| i.clashes.is_empty());
        let end = if done == 0 {
            MissionState::Failed
        } else if done == mission.planned().count() && approved && fits {
            MissionState::Completed
        } else {
            MissionState::PartiallyCompleted
        };
        self.recover(id);
        self.state(id, end, reason);
    }

    /// Past its time limit a running mission ends by itself.
    pub(super) fn time_limit(&mut self, id: &MissionId) {
        if self.time_is_up_at(id).is_some_and(|at| at <= self.now) {
            let hours = self.missions[id].created.options.max_duration_ms / 3_600_000;
            self.recover(id);
            self.end_work(id, MissionState::Timeout, format!("its time limit of {hours} h is over"));
        }
    }

    pub(super) fn time_is_up_at(&self, id: &MissionId) -> Option<Millis> {
        let mission = self.missions.get(id).filter(|m| m.running() && !self.is_landing(id))?;
        Some(mission.started_at?.plus(mission.created.options.max_duration_ms))
    }

    /// Every way into an end state passes here, so that the report is owed in the same transaction; but for one that has
    /// to say where the result was left, which is written once that is known.
    pub(super) fn state_changed(&mut self, id: &MissionId, to: MissionState) {
        if to == MissionState::Paused {
            self.shelve(id);
        }
        if !to.is_open() {
            // What still waits for an edit of the plan file waits in vain.
            if self.live(id).jobs.remove(&Job::WatchTodo).is_some() {
                self.act(Action::UnwatchTodo { mission: id.clone() });
            }
            if self.missions[id].has_its_result() {
                self.owe_report(id);
            }
        }
    }

    /// The mission is at its end: writes the report, answers who waits, tells the user.
    pub(super) fn owe_report(&mut self, id: &MissionId) {
        let text = report::report(&self.missions[id]);
        let calls = self.live(id).waiters.iter().map(|w| w.call.clone()).collect();
        self.emit(id, Event::Reported { text, calls });
        // What is known of an earlier report's way says nothing of this one's.
        self.live(id).hand_back = HandBackView::default();
        self.answer_waiters(id);
        self.notify_end(id);
    }

    pub(super) fn attach(&mut self, reply: ReplyTo, id: &MissionId, parent: HostSessionId) {
        let Some(mission) = self.missions.get(id) else {
            return self.refuse(reply, Refusal::NotFound(format!("no open mission {id} here")));
        };
        if mission.parent != parent {
            self.emit(id, Event::Attached { parent });
            self.live(id).hand_back = HandBackView::default();
        }
        self.answer(reply, Answer::Mission { mission: id.clone() });
    }
}

/// What asks for files to be taken back, which takes a while; else the order as it was.
pub(super) fn rollback_of(control: Control) -> Result<RollbackAsk, Control> {
    match control {
        Control::Rollback { ask } => Ok(ask),
        Control::Restore { checkpoint, files: true } => Ok(RollbackAsk {
            scope: Scope::Checkpoint(checkpoint),
            dry_run: false,
            force: false,
            with_state: true,
        }),
        control => Err(control),
    }
}
