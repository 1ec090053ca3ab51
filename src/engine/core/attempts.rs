//! An attempt from its opening to its close: host session, prompts, outcome.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{DOUBT_MS, Live, Pulse, Stage};
use super::state::Attempt;
use crate::domain::ids::{AttemptId, HostSessionId, Millis, MissionId, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::retry::{self, Class};
use crate::domain::task::TaskState;
use crate::engine::prompts;
use crate::ports::host::{HostError, ToastKind};

/// Turns in a row that the provider may fail while it answers others.
const MAX_RETRIES: usize = 4;
/// Times one attempt is taken up again after a restart of the host or the sidecar, and after an answer that was too long.
const MAX_CONTINUES: usize = 3;

impl Core {
    /// Opens an attempt; in a host session that was used before, when there is one.
    pub(super) fn open_attempt(
        &mut self,
        id: &MissionId,
        kind: AttemptKind,
        ordinal: u32,
        session: Option<HostSessionId>,
        node: Option<TaskId>,
    ) {
        let mission = &self.missions[id];
        let attempt = AttemptId::new(format!("{id}/a{}", mission.next_attempt));
        let token = mission.next_token;
        let heard = session.as_ref().and_then(|s| self.live(id).heard.remove(s));
        let used_before = session.is_some();
        let spare = self.spares.take();
        if let Some(mission) = self.missions.get_mut(id) {
            mission.spare = spare;
        }
        self.emit(id, Event::AttemptOpened { attempt: attempt.clone(), kind, token, ordinal, session, node });
        let pulse = self.pulse(id, &attempt);
        pulse.counted = heard.unwrap_or_default();
        pulse.second_hand = used_before;
    }

    /// Takes each open attempt to its next step in the host.
    pub(super) fn advance_attempts(&mut self, id: &MissionId) {
        let open: Vec<_> = self.missions[id].open_attempts().map(|a| a.id.clone()).collect();
        for attempt in open {
            let now = self.now;
            let pulse = self.live(id).pulses.entry(attempt.clone()).or_insert_with(|| Pulse::new(now));
            match pulse.stage {
                Stage::New => {}
                Stage::Shelved => {
                    self.take_off_shelf(id, &attempt);
                    continue;
                }
                _ => continue,
            }
            let a = self.missions[id].attempts[&attempt].clone();
            match &a.session {
                None => self.make_session(id, &a),
                Some(_) if a.prompts.is_empty() => self.prompt(id, &attempt, PromptReason::First),
                // Ended again, by who adopted the mission.
                Some(_) if a.given_up => {
                    let pulse = self.pulse(id, &attempt);
                    pulse.stage = Stage::Ending;
                    pulse.look_soon(now.plus(DOUBT_MS));
                }
                Some(_) if a.interrupted => self.go_on(id, &attempt),
                // An attempt of an earlier process: what became of its turn is asked of the host.
                Some(_) => self.doubt(id, &attempt),
            }
        }
    }

    fn make_session(&mut self, id: &MissionId, attempt: &Attempt) {
        let mission = &self.missions[id];
        let folder = mission.worktree_of(&attempt.kind).map(|w| mission.folder_in(w));
        folder.iter().for_each(|folder| self.folders.used(folder));
        let action = Action::CreateSession {
            mission: id.clone(),
            attempt: attempt.id.clone(),
            directory: mission.created.directory.clone(),
            folder,
            parent: mission.parent.clone(),
            title: prompts::session_title(mission, attempt),
            role: attempt.role(),
            model: mission.model_for(&attempt.kind).map(str::to_owned),
            // One that was asked for by an earlier process may exist; its key tells.
            adopt: self.pulse(id, &attempt.id).inherited,
        };
        self.pulse(id, &attempt.id).stage = Stage::Creating;
        self.act(action);
    }

    pub(super) fn pulse(&mut self, id: &MissionId, attempt: &AttemptId) -> &mut Pulse {
        let (now, every) = (self.now, self.look_every(id, attempt));
        let pulse = self.live(id).pulses.entry(attempt.clone()).or_insert_with(|| Pulse::new(now));
        pulse.every = every;
        pulse
    }

    pub(super) fn doubt(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        pulse.stage = Stage::Running;
        // A pause may have been long; its silence is none of a turn.
        pulse.sign_at = now;
        pulse.unsure = true;
        pulse.look_soon(now);
    }

    pub(super) fn open(&self, id: &MissionId, attempt: &AttemptId) -> Option<&Attempt> {
        self.missions.get(id)?.attempts.get(attempt).filter(|a| a.open())
    }

    pub(super) fn session_created(
        &mut self,
        id: &MissionId,
        attempt: &AttemptId,
        result: Result<HostSessionId, HostError>,
    ) {
        // Answers to what an earlier state of the mission asked for: closed since, or asked again.
        let awaited = self.open(id, attempt).is_some() && self.pulse(id, attempt).stage == Stage::Creating;
        if !awaited {
            self.late_reports += 1;
            return;
        }
        match result {
            Ok(session) => {
                self.emit(id, Event::AttemptSession { attempt: attempt.clone(), session });
                self.prompt(id, attempt, PromptReason::First);
            }
            Err(HostError::Closed) => {}
            Err(error) => self.close_failed(id, attempt, format!("no host session could be made: {error}")),
        }
    }

    pub(super) fn prompt(&mut self, id: &MissionId, attempt: &AttemptId, reason: PromptReason) {
        if self.open(id, attempt).is_none() {
            return;
        }
        if self.missions[id].state == MissionState::Paused {
            return self.prompt_later(id, attempt, reason, self.now);
        }
        let spent_out = self.open(id, attempt).and_then(|a| self.spent_out(id, a));
        if let Some(why) = spent_out {
            return self.close_failed(id, attempt, why);
        }
        if reason == PromptReason::First
            && self.open(id, attempt).is_some_and(|a| self.missions[id].waits_for_tree(a))
        {
            self.pulse(id, attempt).stage = Stage::New;
            return;
        }
        if !self.admit_turn(id, attempt) {
            return self.prompt_later(id, attempt, reason, self.now);
        }
        if reason == PromptReason::Steered {
            self.tell(id, attempt);
        }
        let Some(a) = self.open(id, attempt) else { return };
        let Some(session) = a.session.clone() else { return };
        let (role, kind) = (a.role(), a.kind.clone());
        let mission = &self.missions[id];
        let text = prompts::prompt(mission, a, reason);
        let directory = mission.created.directory.clone();
        self.emit(id, Event::Prompted { attempt: attempt.clone(), reason });
        if let AttemptKind::Work(task) = kind
            && self.missions[id].task(&task).is_some_and(|t| t.state == TaskState::Assigned)
        {
            self.task_changed(id, &task, TaskState::InProgress, None);
        }
        let now = self.now;
        self.pulse(id, attempt).prompted(now);
        self.act(Action::Prompt {
            mission: id.clone(),
            attempt: attempt.clone(),
            directory,
            session,
            role,
            text,
        });
    }

    pub(super) fn prompt_taken(
        &mut self,
        id: &MissionId,
        attempt: &AttemptId,
        result: Result<(), HostError>,
    ) {
        let Some(a) = self.open(id, attempt) else {
            // Closed while the prompt was on its way: the turn it may have started is ended as well.
            if result.is_ok() {
                self.end_turn(id, attempt);
            }
            return;
        };
        debug_assert!(a.session.is_some());
        if a.given_up {
            // Interrupted on its way.
            let pulse = self.pulse(id, attempt);
            pulse.on_its_way = false;
            pulse.doubtful = 0;
            return self.end_turn(id, attempt);
        }
        if self.pulse(id, attempt).stage != Stage::Prompting {
            self.late_reports += 1;
            return;
        }
        let now = self.now;
        match result {
            Ok(()) => {
                let pulse = self.pulse(id, attempt);
                pulse.stage = Stage::Running;
                pulse.sign(now);
                if pulse.idle_early {
                    pulse.look_soon(now);
                }
            }
            Err(HostError::Closed) => {}
            // The host may have taken it all the same: look before anything is said twice.
            Err(HostError::TimedOut(_)) => self.doubt(id, attempt),
            Err(error) => {
                // An error may also be said of a prompt that was taken: its turn would go on beside the next attempt's.
                self.close_failed(id, attempt, error.to_string());
                self.end_turn(id, attempt);
            }
        }
    }

    /// Ends the turn of a closed attempt in the host.
    pub(super) fn end_turn(&mut self, id: &MissionId, attempt: &AttemptId) {
        let Some(mission) = self.missions.get(id) else { return };
        let Some(closed) = mission.attempts.get(attempt) else { return };
        let Some(session) = closed.session.clone() else { return };
        if !closed.given_up {
            self.emit(id, Event::TurnGivenUp { attempt: attempt.clone() });
        }
        self.abort(id, attempt, session);
    }

    pub(super) fn abort(&mut self, id: &MissionId, attempt: &AttemptId, session: HostSessionId) {
        let directory = self.missions[id].created.directory.clone();
        let of = Some((id.clone(), attempt.clone()));
        self.act(Action::Abort { of, directory, session });
    }

    pub(super) fn abort_taken(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        match self.open(id, attempt) {
            Some(_) => self.pulse(id, attempt).look_soon(now),
            None => self.turn_over(id, attempt),
        }
    }

    /// A turn that was given up has ended.
    pub(super) fn turn_over(&mut self, id: &MissionId, attempt: &AttemptId) {
        let known = self.missions.get(id).and_then(|m| m.attempts.get(attempt));
        if known.is_some_and(|a| a.given_up) {
            self.emit(id, Event::TurnEnded { attempt: attempt.clone() });
        }
    }

    pub(super) fn close_failed(&mut self, id: &MissionId, attempt: &AttemptId, reason: String) {
        self.close(id, attempt, Outcome::Failed { reason });
    }

    /// Ends an attempt, and hands its result on.
    pub(super) fn close(&mut self, id: &MissionId, attempt: &AttemptId, outcome: Outcome) {
        let Some(a) = self.open(id, attempt).cloned() else { return };
        let pulse = self.pulse(id, attempt);
        let usage = pulse.spent;
        if usage != Spent::default() {
            self.means.entry(a.role()).or_default().learn(usage);
        }
        self.asks_closed(id, attempt);
        let heard = self.live(id).pulses.remove(attempt).map(|p| p.counted);
        if let (AttemptKind::Work(_), Some(session), Some(heard)) = (&a.kind, &a.session, heard) {
            self.live(id).heard.insert(session.clone(), heard);
        }
        self.emit(id, Event::AttemptClosed { attempt: attempt.clone(), outcome: outcome.clone(), usage });
        if let AttemptKind::Work(task) = &a.kind {
            self.work_closed(id, task, &a, &outcome);
        }
    }

    fn work_closed(
        &mut self,
        id: &MissionId,
        task: &crate::domain::ids::TaskId,
        attempt: &Attempt,
        outcome: &Outcome,
    ) {
        let reason = match (outcome, &attempt.submission) {
            (Outcome::Done, Some(Submission::Report { status: ReportStatus::Blocked, summary, .. })) => {
                format!("the worker is blocked: {summary}")
            }
            (Outcome::Done, _) => return self.task_changed(id, task, TaskState::InReview, None),
            (Outcome::Failed { reason }, _) => reason.clone(),
            (Outcome::Aborted, _) => return,
        };
        // A session that could not even be prompted leaves the task assigned; it fails from work, as the table says.
        if self.missions[id].task(task).is_some_and(|t| t.state == TaskState::Assigned) {
            self.task_changed(id, task, TaskState::InProgress, None);
        }
        self.task_changed(id, task, TaskState::Failed, Some(reason.clone()));
        if self.missions[id].may_be_tried_again(task) {
            self.task_changed(id, task, TaskState::Ready, Some(reason));
        } else {
            self.task_given_up(id, task, &reason);
        }
    }

    pub(super) fn task_given_up(&mut self, id: &MissionId, task: &crate::domain::ids::TaskId, reason: &str) {
        if self.missions[id].task(task).is_some_and(|t| t.spec.is_try()) {
            // What comes of its race is what the user hears.
            return;
        }
        let (title, message) = (format!("Task {task} failed"), prompts::clip(reason, 160));
        self.notify(id, Toasts::Normal, ToastKind::Error, title, message);
    }

    /// The turn of an attempt ended with an error of the host or its provider.
    pub(super) fn turn_failed(
        &mut self,
        id: &MissionId,
        attempt: &AttemptId,
        fault: &crate::ports::host::HostFault,
    ) {
        let class = retry::classify(&fault.name, fault.status, &fault.message);
        let text = format!("{}: {}", fault.name, prompts::clip(&fault.message, 300));
        match class {
            Class::Cut => {
                self.provider_answered(id, attempt);
                let why = "its answer was cut off at the length limit";
                self.take_up_again(id, attempt, PromptReason::Cut, why)
            }
            c if c.is_transient() => self.turn_lost(id, attempt, class == Class::RateLimit, text),
            _ => self.close_failed(id, attempt, text),
        }
    }

    /// The provider failed the turn. It is tried again for as long as the provider fails everybody: no task pays for an
    /// outage with its attempts. When others are answered meanwhile, time and again, it is something about this conversation.
    fn turn_lost(&mut self, id: &MissionId, attempt: &AttemptId, limited: bool, text: String) {
        let alone = self.fails_alone(id, attempt);
        self.provider_failed(id, attempt);
        let pulse = self.pulse(id, attempt);
        let before = pulse.failed;
        pulse.failed = before.saturating_add(1);
        pulse.failed_alone = if alone { pulse.failed_alone + 1 } else { 0 };
        if pulse.failed_alone > MAX_RETRIES {
            return self.close_failed(id, attempt, text);
        }
        let at = self.now.plus(retry::delay_ms(before));
        if limited {
            self.rate_limited(id, attempt, at);
        }
        self.prompt_later(id, attempt, PromptReason::Retry, at);
    }

    /// Goes on in the same session after the turn was cut off.
    pub(super) fn take_up_again(
        &mut self,
        id: &MissionId,
        attempt: &AttemptId,
        reason: PromptReason,
        why: &str,
    ) {
        let Some(a) = self.open(id, attempt) else { return };
        if a.submission.is_some() {
            // Its work is handed in; only the turn's last words are missing.
            return self.close(id, attempt, Outcome::Done);
        }
        if a.prompted(reason) < MAX_CONTINUES {
            self.prompt(id, attempt, reason);
        } else {
            self.close_failed(
                id,
                attempt,
                format!("its turn was cut off {} times ({why})", MAX_CONTINUES + 1),
            );
        }
    }

    /// The last prompt was written down, and the host has none of it: it is sent once more.
    pub(super) fn prompt_again(&mut self, id: &MissionId, attempt: &AttemptId, reason: PromptReason) {
        let Some(a) = self.open(id, attempt) else { return };
        if a.prompted(reason) <= MAX_CONTINUES {
            self.prompt(id, attempt, reason);
        } else {
            self.close_failed(
                id,
                attempt,
                format!("the host did not take its prompt {} times", MAX_CONTINUES + 1),
            );
        }
    }

    fn prompt_later(&mut self, id: &MissionId, attempt: &AttemptId, reason: PromptReason, at: Millis) {
        let now = self.now;
        let paused = self.missions[id].state == MissionState::Paused;
        let pulse = self.pulse(id, attempt);
        pulse.stage = if paused { Stage::Shelved } else { Stage::Waiting };
        pulse.due = Some((at, reason));
        pulse.decided_at = now;
    }

    /// What waits for its provider while the mission is paused keeps no permit from others: the pause may last for days.
    pub(super) fn shelve(&mut self, id: &MissionId) {
        let waiting = self.live(id).pulses.values_mut().filter(|p| p.stage == Stage::Waiting);
        waiting.for_each(|p| p.stage = Stage::Shelved);
    }

    fn take_off_shelf(&mut self, id: &MissionId, attempt: &AttemptId) {
        let Some(a) = self.open(id, attempt) else { return };
        let mission = &self.missions[id];
        if mission.running() && self.has_seat(mission, a) {
            self.pulse(id, attempt).stage = Stage::Waiting;
            self.prompt_due(id, attempt);
        }
    }

    /// Prompts that wait, in the order in which they began to: missions must not keep each other from a slow provider.
    pub(super) fn prompts_due(&mut self) {
        let now = self.now;
        let of = |(id, live): (&MissionId, &Live)| {
            let waiting = live.pulses.iter().filter(|(_, p)| p.stage == Stage::Waiting);
            let due = waiting.filter_map(|(a, p)| p.due.filter(|(at, _)| *at <= now).map(|(at, _)| (at, a)));
            due.map(|(at, a)| (at, id.clone(), a.clone())).collect::<Vec<_>>()
        };
        let mut due: Vec<_> = self.live.iter().flat_map(of).collect();
        due.sort();
        due.iter().for_each(|(_, id, attempt)| self.prompt_due(id, attempt));
    }

    fn prompt_due(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        let due = pulse.due.filter(|(at, _)| pulse.stage == Stage::Waiting && *at <= now);
        let Some((_, reason)) = due else { return };
        if self.turn_at(id, attempt).is_none_or(|at| at > now) {
            return;
        }
        let prompted = self.open(id, attempt).is_some_and(|a| !a.prompts.is_empty());
        let pulse = self.pulse(id, attempt);
        pulse.due = None;
        if prompted && pulse.signed_at > pulse.decided_at {
            // An earlier prompt, believed lost, may have reached the host meanwhile.
            return self.doubt(id, attempt);
        }
        self.prompt(id, attempt, reason);
    }
}
