//! Turns of the host: signs of life, the end of a turn, and the looks that stand in for lost events.
//!
//! The end of a turn is believed on evidence: the host says idle *and* the assistant's last message since the
//! prompt is finished. An idle notice alone leads to a look at the session.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{CALM_MS, DISTRUST_MS, DOUBT_MS, LOOK_MS, STABLE_LOOKS, Stage};
use crate::domain::ids::{AttemptId, HostSessionId, Millis, MissionId};
use crate::engine::prompts;
use crate::ports::host::{CallState, HostAsk, HostError, HostMessage, Speaker, TurnState};

/// Times one attempt goes on after a refused permission has ended its turn.
const MAX_DENIALS: usize = 1;

impl Core {
    pub(super) fn host_event(&mut self, event: HostInput) {
        let session = match &event {
            HostInput::Status { session, .. }
            | HostInput::Error { session, .. }
            | HostInput::Message { session, .. }
            | HostInput::ToolMoved { session, .. }
            | HostInput::Asked { ask: HostAsk { session, .. } }
            | HostInput::AskAnswered { session, .. }
            | HostInput::ShellRan { session }
            | HostInput::Deleted { session } => session.clone(),
        };
        self.parent_event(&session, &event);
        let Some((id, attempt)) = self.sessions.get(&session).cloned() else { return };
        self.heard_of(&id);
        if self.open(&id, &attempt).is_some() {
            match self.pulse(&id, &attempt).stage {
                Stage::Ending => self.ending_event(&id, &attempt, event),
                _ => self.attempt_event(&id, &attempt, event),
            }
        }
    }

    fn attempt_event(&mut self, id: &MissionId, attempt: &AttemptId, event: HostInput) {
        let now = self.now;
        match event {
            HostInput::ShellRan { session } => self.shell_ran(&session),
            HostInput::Status { state: TurnState::Idle, .. } => self.said_idle(id, attempt),
            HostInput::Status { state: TurnState::Retry, retry_at, message, .. } => {
                self.host_retries(id, attempt, retry_at, message.as_deref());
            }
            HostInput::Status { .. } => self.pulse(id, attempt).sign(now),
            // The turn's last message carries the same error; the idle notice that follows leads to it.
            HostInput::Error { .. } => self.pulse(id, attempt).look_soon(now.plus(DOUBT_MS)),
            HostInput::Message { message, .. } => self.message_seen(id, attempt, message),
            HostInput::ToolMoved { call, state, .. } => {
                let pulse = self.pulse(id, attempt);
                pulse.sign(now);
                if state != CallState::Running {
                    pulse.open_calls.remove(&call);
                } else if pulse.open_calls.insert(call) {
                    self.provider_heard(id, attempt);
                }
            }
            HostInput::Asked { ask } => {
                self.pulse(id, attempt).sign(now);
                self.asked(id, attempt, ask);
            }
            HostInput::AskAnswered { ask, allow, .. } => {
                let pulse = self.pulse(id, attempt);
                pulse.sign(now);
                self.ask_over(id, attempt, &ask, allow);
            }
            HostInput::Deleted { .. } => self.deleted(id, attempt),
        }
    }

    pub(super) fn message_seen(&mut self, id: &MissionId, attempt: &AttemptId, message: HostMessage) {
        if message.speaker != Speaker::Assistant || !message.completed {
            return;
        }
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        pulse.sign(now);
        if pulse.counted.insert(message.id.clone()) {
            let u = &message.usage;
            let tokens = [u.input, u.output, u.reasoning, u.cache_read, u.cache_write];
            pulse.spent.tokens = tokens.into_iter().fold(pulse.spent.tokens, u64::saturating_add);
            pulse.spent.cost += u.cost;
            pulse.finished = Some(message.clone());
            self.learn_model(id, attempt, &message);
            if message.error.is_none() {
                self.provider_answered(id, attempt);
            }
        }
    }

    fn said_idle(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        match pulse.stage {
            Stage::New | Stage::Creating | Stage::Waiting | Stage::Shelved | Stage::Ending => {}
            Stage::Prompting => pulse.idle_early = true,
            Stage::Running if pulse.salvaging => {}
            Stage::Running => match pulse.finished.clone() {
                Some(last) if ends_turn(&last) && !pulse.second_hand => self.turn_ended(id, attempt, &last),
                _ => pulse.look_soon(now),
            },
        }
    }

    /// The host ends a turn whose permission was refused without an error and without a last word. The agent is told to do
    /// without it, in the same conversation; one that asks again and again is given up.
    fn turn_refused(&mut self, id: &MissionId, attempt: &AttemptId) {
        let Some(a) = self.open(id, attempt) else { return };
        if a.submission.is_some() {
            self.close(id, attempt, Outcome::Done);
        } else if a.prompted(PromptReason::Denied) < MAX_DENIALS {
            self.prompt(id, attempt, PromptReason::Denied);
        } else {
            self.close_failed(id, attempt, "permissions it cannot do without were refused".into());
        }
    }

    /// The session is idle and `last` is how the assistant left it.
    fn turn_ended(&mut self, id: &MissionId, attempt: &AttemptId, last: &HostMessage) {
        let Some(a) = self.open(id, attempt) else { return };
        let (role, submitted) = (a.role(), a.submission.is_some());
        self.pulse(id, attempt).open_calls.clear();
        if last.error.is_none() {
            self.settled(id, attempt, true);
        }
        if submitted {
            self.close(id, attempt, Outcome::Done);
        } else if let Some(fault) = &last.error {
            self.turn_failed(id, attempt, fault);
        } else {
            self.pulse(id, attempt).salvaging = true;
            self.act(Action::Salvage {
                mission: id.clone(),
                attempt: attempt.clone(),
                role,
                text: last.text.clone(),
            });
        }
    }

    /// The turn ended without the submit call: its last words are read as one, else it is reminded once.
    pub(super) fn salvaged(&mut self, id: &MissionId, attempt: &AttemptId, found: Option<ToolInput>) {
        let Some(a) = self.open(id, attempt).cloned() else { return };
        self.pulse(id, attempt).salvaging = false;
        if let Some(tool) = found
            && !self.has_untold(id, attempt)
        {
            self.submit(id, &a, tool);
            if self.open(id, attempt).is_some_and(|a| a.submission.is_some()) {
                return self.close(id, attempt, Outcome::Done);
            }
        }
        if self.has_untold(id, attempt) {
            self.prompt(id, attempt, PromptReason::Steered);
        } else if a.prompted(PromptReason::Nudge) == 0 {
            self.prompt(id, attempt, PromptReason::Nudge);
        } else {
            let reason = format!("it ended its turn twice without calling {}", a.submit_tool());
            self.close_failed(id, attempt, reason);
        }
    }

    pub(super) fn looked(&mut self, id: &MissionId, attempt: &AttemptId, result: Result<Look, HostError>) {
        let now = self.now;
        if self.open(id, attempt).is_none() {
            return;
        }
        let pulse = self.pulse(id, attempt);
        let routine = pulse.routine;
        pulse.looking = false;
        if pulse.stage == Stage::Ending {
            return self.looked_at_ending(id, attempt, result);
        }
        pulse.look_later(now);
        if pulse.stage != Stage::Running || pulse.salvaging {
            return;
        }
        let look = match result {
            Ok(look) => look,
            Err(HostError::Refused(fault)) if fault.status == Some(404) => {
                return self.close_failed(id, attempt, "its host session is gone".into());
            }
            // It says nothing, and neither do the looks before it any more.
            Err(_) => return self.pulse(id, attempt).doubtful = 0,
        };
        if let Some(asks) = &look.asks {
            let late = self.pulse(id, attempt).outlived();
            self.asks_seen(id, attempt, asks, late);
        }
        if matches!(look.state, TurnState::Busy | TurnState::Retry) {
            // Only looks in a row count. And an event that came late, or never, must not make a stall look like work.
            // Of earlier messages none is open any more, even if a host that was killed has left it so.
            let calls = look.messages.last().into_iter().flat_map(|m| &m.calls);
            let running = calls.filter(|c| c.state == CallState::Running).map(|c| c.call.clone());
            let pulse = self.pulse(id, attempt);
            pulse.doubtful = 0;
            if pulse.transcript {
                pulse.open_calls = running.collect();
            }
            return;
        }
        let pulse = self.pulse(id, attempt);
        if pulse.outlived() {
            pulse.look_soon(now.plus(DOUBT_MS));
            return;
        }
        if routine {
            self.distrust(id);
        }
        if std::mem::take(&mut self.pulse(id, attempt).unsure)
            && let Some(reason) = self.lost_prompt(id, attempt, &look)
        {
            return self.prompt_again(id, attempt, reason);
        }
        if self.open(id, attempt).is_some_and(|a| a.interrupted) {
            return self.prompt_on(id, attempt);
        }
        match look.messages.last() {
            Some(last)
                if last.speaker == Speaker::Assistant
                    && ends_turn(last)
                    && !self.stale(id, attempt, last)
                    && self.answers(id, attempt, &look) =>
            {
                self.message_seen(id, attempt, last.clone());
                self.turn_ended(id, attempt, last);
            }
            _ => self.turn_in_doubt(id, attempt, &look),
        }
    }

    /// Whether the last word of the conversation can be about the prompt that is awaited: not while it ends with the turn
    /// of another, which this process may not have seen to its end.
    fn answers(&self, id: &MissionId, attempt: &AttemptId, look: &Look) -> bool {
        let Some(a) = self.open(id, attempt) else { return false };
        let Some(reason) = a.prompts.last() else { return false };
        let opening = prompts::opening(&self.missions[id], a, *reason);
        let asked = look.messages.iter().rfind(|m| m.speaker == Speaker::User);
        let second_hand =
            self.live.get(id).and_then(|l| l.pulses.get(attempt)).is_some_and(|p| p.second_hand);
        // A user may have spoken to the worker; what was seen from its beginning is known without this.
        !second_hand || asked.is_none_or(|m| m.text.starts_with(&opening))
    }

    /// The last prompt, when the conversation shows that it never arrived. A window of the assistant's messages alone
    /// belongs to a long turn, which some prompt began.
    fn lost_prompt(&self, id: &MissionId, attempt: &AttemptId, look: &Look) -> Option<PromptReason> {
        let a = self.open(id, attempt)?;
        let reason = *a.prompts.last()?;
        let opening = prompts::opening(&self.missions[id], a, reason);
        let mut asked = look.messages.iter().filter(|m| m.speaker == Speaker::User).peekable();
        let cut_off = asked.peek().is_none() && !look.messages.is_empty();
        (!cut_off && !asked.any(|m| m.text.starts_with(&opening))).then_some(reason)
    }

    // ---- how often to look

    /// An event arrived: those of its directory can be relied on, unless a look has found otherwise lately.
    pub(super) fn heard_of(&mut self, id: &MissionId) {
        let Some(mission) = self.missions.get(id) else { return };
        if !self.trusted.contains_key(&mission.created.directory) {
            self.trusted.insert(mission.created.directory.clone(), self.now);
        }
    }

    /// Whether events of the mission's directory arrive.
    pub(super) fn hears(&self, id: &MissionId) -> bool {
        let since = self.missions.get(id).and_then(|m| self.trusted.get(&m.created.directory));
        since.is_some_and(|at| *at <= self.now)
    }

    pub(super) fn distrust(&mut self, id: &MissionId) {
        let directory = self.missions[id].created.directory.clone();
        self.events_missed += 1;
        self.trusted.insert(directory, self.now.plus(DISTRUST_MS));
    }

    /// Time between looks: long where events arrive, else as short as the host bears: two a second, over all turns.
    pub(super) fn look_every(&self, id: &MissionId, attempt: &AttemptId) -> u64 {
        // Its work is handed in: the turn is about to end, and others wait for that.
        let ending = self.open(id, attempt).is_some_and(|a| a.submission.is_some());
        if self.hears(id) {
            return if ending { LOOK_MS } else { CALM_MS };
        }
        let running =
            self.live.values().flat_map(|l| l.pulses.values()).filter(|p| p.stage == Stage::Running);
        (running.count() as u64 * DOUBT_MS).clamp(DOUBT_MS, LOOK_MS)
    }

    /// A message that was counted before the prompt that is now awaited says nothing of it.
    pub(super) fn stale(&self, id: &MissionId, attempt: &AttemptId, last: &HostMessage) -> bool {
        let pulse = self.live.get(id).and_then(|l| l.pulses.get(attempt));
        pulse.is_some_and(|p| {
            p.counted.contains(&last.id) && p.finished.as_ref().is_none_or(|f| f.id != last.id)
        })
    }

    /// Not busy, and the last message is not finished: after some looks that agree, the turn was cut off.
    fn turn_in_doubt(&mut self, id: &MissionId, attempt: &AttemptId, look: &Look) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        pulse.doubtful += 1;
        pulse.look_soon(now.plus(DOUBT_MS));
        if pulse.doubtful >= STABLE_LOOKS {
            pulse.doubtful = 0;
            let refused = std::mem::take(&mut pulse.refused);
            match self.lost_prompt(id, attempt, look) {
                Some(reason) => self.prompt_again(id, attempt, reason),
                None if refused => self.turn_refused(id, attempt),
                None => self.take_up_again(id, attempt, PromptReason::Continue, "the host was restarted"),
            }
        }
    }

    // ---- timers

    pub(super) fn timers(&mut self) {
        self.prompts_due();
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            self.time_limit(&id);
            self.checkpoint_timer(&id);
            self.ask_timers(&id);
            self.attempt_timers(&id);
            self.parent_timers(&id);
        }
    }

    fn attempt_timers(&mut self, id: &MissionId) {
        let open: Vec<_> =
            self.missions[id].open_attempts().map(|a| (a.id.clone(), a.session.clone())).collect();
        let limit = self.missions[id].created.options.turn_timeout_ms;
        let directory = self.missions[id].created.directory.clone();
        for (attempt, session) in open {
            let now = self.now;
            let pulse = self.pulse(id, &attempt);
            if !matches!(pulse.stage, Stage::Running | Stage::Ending) {
                continue;
            }
            let Some(session) = session else { continue };
            let running = pulse.stage == Stage::Running;
            if running && now.since(pulse.sign_at) >= limit && !pulse.excused() {
                let reported = self.open(id, &attempt).is_some_and(|a| a.submission.is_some());
                let reason = format!("no progress for {} s", limit / 1000);
                // What was handed in is there; only the turn's last words are not.
                let outcome = if reported { Outcome::Done } else { Outcome::Failed { reason } };
                self.close(id, &attempt, outcome);
                self.end_turn(id, &attempt);
            } else if !pulse.looking && pulse.look_at <= now {
                pulse.looking = true;
                pulse.looked_at = now;
                // A call that seems to run may have ended unheard; nothing else is to be learned from a busy session.
                pulse.transcript = now.since(pulse.sign_at) >= limit && running;
                let (transcript, deep) = (pulse.transcript, pulse.second_hand);
                let (mission, directory) = (id.clone(), directory.clone());
                self.act(Action::Look { mission, attempt, directory, session, transcript, deep });
            }
        }
    }

    /// The next moment at which something of this mission is due.
    pub(super) fn wake_of(&self, id: &MissionId) -> Option<Millis> {
        let mission = self.missions.get(id)?;
        let live = self.live.get(id)?;
        let limit = mission.created.options.turn_timeout_ms;
        let attempts = mission.open_attempts().filter_map(|a| Some((a, live.pulses.get(&a.id)?))).filter_map(
            |(a, p)| match p.stage {
                Stage::Waiting => p.due.and_then(|(at, _)| Some(at.max(self.turn_at(id, &a.id)?))),
                Stage::Ending => (!p.looking).then_some(p.look_at),
                // The answer to the look comes first.
                Stage::Running if p.looking && p.excused() => None,
                Stage::Running if p.looking => Some(p.sign_at.plus(limit)),
                Stage::Running if p.excused() => Some(p.look_at),
                Stage::Running => Some(p.look_at.min(p.sign_at.plus(limit))),
                _ => None,
            },
        );
        attempts
            .chain(self.parent_wakes(mission, live))
            .chain(self.drop_at(id))
            .chain(self.time_is_up_at(id))
            .chain(self.checkpoint_at(id))
            .chain(self.ask_wakes(mission))
            .chain(self.standstill_at(id))
            .chain(self.race_at(mission))
            .chain(self.wait_shown_at(id))
            .chain(self.held_until(mission))
            .min()
    }

    pub(super) fn owner_of(&self, session: &HostSessionId) -> Option<(MissionId, AttemptId)> {
        self.sessions.get(session).cloned()
    }
}

/// Whether a message is the last of its turn: finished, and not one that goes on with the result of a tool.
pub(super) fn ends_turn(message: &HostMessage) -> bool {
    message.completed && (message.error.is_some() || message.finish.as_deref() != Some("tool-calls"))
}
