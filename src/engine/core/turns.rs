//! Turns of the host: signs of life, the end of a turn, and the looks that stand in for lost events.
//!
//! The end of a turn is believed on evidence: the host says idle *and* the assistant's last message since the
//! prompt is finished. An idle notice alone leads to a look at the session.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{DOUBT_MS, LOOK_MS, STABLE_LOOKS, Stage};
use super::state::Attempt;
use crate::domain::ids::{AttemptId, HostSessionId, Millis, MissionId};
use crate::engine::prompts;
use crate::ports::host::{CallState, HostError, HostMessage, Speaker, TurnState};

impl Core {
    pub(super) fn host_event(&mut self, event: HostInput) {
        let session = match &event {
            HostInput::Status { session, .. }
            | HostInput::Error { session, .. }
            | HostInput::Message { session, .. }
            | HostInput::ToolMoved { session, .. }
            | HostInput::Permission { session, .. }
            | HostInput::Deleted { session } => session.clone(),
        };
        self.parent_event(&session, &event);
        let Some((id, attempt)) = self.sessions.get(&session).cloned() else { return };
        if self.open(&id, &attempt).is_some() {
            self.attempt_event(&id, &attempt, event);
        }
    }

    fn attempt_event(&mut self, id: &MissionId, attempt: &AttemptId, event: HostInput) {
        let now = self.now;
        match event {
            HostInput::Status { state: TurnState::Idle, .. } => self.said_idle(id, attempt),
            HostInput::Status { state: TurnState::Retry, retry_at, .. } => {
                self.pulse(id, attempt).host_retry_until = retry_at.or(Some(now.plus(LOOK_MS)));
            }
            HostInput::Status { .. } => self.pulse(id, attempt).sign(now),
            // The turn's last message carries the same error; the idle notice that follows leads to it.
            HostInput::Error { .. } => self.pulse(id, attempt).look_at = now.plus(DOUBT_MS),
            HostInput::Message { message, .. } => self.message_seen(id, attempt, message),
            HostInput::ToolMoved { call, state, .. } => {
                let pulse = self.pulse(id, attempt);
                pulse.sign(now);
                if state == CallState::Running {
                    pulse.open_calls.insert(call);
                } else {
                    pulse.open_calls.remove(&call);
                }
            }
            HostInput::Permission { open, .. } => {
                let pulse = self.pulse(id, attempt);
                pulse.sign(now);
                pulse.open_asks = if open { pulse.open_asks + 1 } else { pulse.open_asks.saturating_sub(1) };
            }
            HostInput::Deleted { .. } => {
                self.close_failed(id, attempt, "its host session was deleted".into())
            }
        }
    }

    fn message_seen(&mut self, id: &MissionId, attempt: &AttemptId, message: HostMessage) {
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
            pulse.finished = Some(message);
        }
    }

    fn said_idle(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        match pulse.stage {
            Stage::New | Stage::Creating => {}
            Stage::Prompting => pulse.idle_early = true,
            Stage::Running if pulse.retry_at.is_some() || pulse.salvaging => {}
            Stage::Running => match pulse.finished.clone() {
                Some(last) if ends_turn(&last) => self.turn_ended(id, attempt, &last),
                _ => pulse.look_at = now,
            },
        }
    }

    /// The session is idle and `last` is how the assistant left it.
    fn turn_ended(&mut self, id: &MissionId, attempt: &AttemptId, last: &HostMessage) {
        let Some(a) = self.open(id, attempt) else { return };
        let (role, submitted) = (a.role(), a.submission.is_some());
        self.pulse(id, attempt).open_calls.clear();
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
        if let Some(tool) = found {
            self.submit(id, &a, tool);
            if self.open(id, attempt).is_some_and(|a| a.submission.is_some()) {
                return self.close(id, attempt, Outcome::Done);
            }
        }
        if a.prompted(PromptReason::Nudge) == 0 {
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
        pulse.looking = false;
        pulse.look_at = now.plus(LOOK_MS);
        if pulse.stage != Stage::Running || pulse.retry_at.is_some() || pulse.salvaging {
            return;
        }
        let look = match result {
            Ok(look) => look,
            Err(HostError::Refused(fault)) if fault.status == Some(404) => {
                return self.close_failed(id, attempt, "its host session is gone".into());
            }
            Err(_) => return,
        };
        if matches!(look.state, TurnState::Busy | TurnState::Retry) {
            // Only looks in a row count.
            pulse.doubtful = 0;
            return;
        }
        let told = self.was_told(id, attempt, &look.messages);
        match look.messages.last() {
            Some(last)
                if told
                    && last.speaker == Speaker::Assistant
                    && ends_turn(last)
                    && !self.stale(id, attempt, last) =>
            {
                self.message_seen(id, attempt, last.clone());
                self.turn_ended(id, attempt, last);
            }
            _ => self.turn_in_doubt(id, attempt, told),
        }
    }

    /// Whether the work of this attempt has reached its session. In a session that was used before, the messages of
    /// an earlier attempt say nothing; where a long turn has pushed the prompt out of sight, it is told once more.
    fn was_told(&self, id: &MissionId, attempt: &AttemptId, messages: &[HostMessage]) -> bool {
        let mission = &self.missions[id];
        let Some(a) = mission.attempts.get(attempt) else { return true };
        let earlier = |b: &Attempt| b.session == a.session && b.token < a.token;
        if !mission.attempts.values().any(earlier) {
            return !messages.is_empty();
        }
        let mine = |m: &HostMessage| m.speaker == Speaker::User && prompts::is_for(a, &m.text);
        messages.iter().any(mine)
    }

    /// A message that was counted before the prompt that is now awaited says nothing of it.
    fn stale(&self, id: &MissionId, attempt: &AttemptId, last: &HostMessage) -> bool {
        let pulse = self.live.get(id).and_then(|l| l.pulses.get(attempt));
        pulse.is_some_and(|p| {
            p.counted.contains(&last.id) && p.finished.as_ref().is_none_or(|f| f.id != last.id)
        })
    }

    /// Not busy, and the last message is not finished: after some looks that agree, the turn was cut off.
    fn turn_in_doubt(&mut self, id: &MissionId, attempt: &AttemptId, told: bool) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        pulse.doubtful += 1;
        pulse.look_at = now.plus(DOUBT_MS);
        if pulse.doubtful >= STABLE_LOOKS {
            pulse.doubtful = 0;
            let reason = if told { PromptReason::Continue } else { PromptReason::First };
            self.take_up_again(id, attempt, reason, "the host was restarted");
        }
    }

    // ---- timers

    pub(super) fn timers(&mut self) {
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
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
            self.due_retry(id, &attempt);
            let now = self.now;
            let pulse = self.pulse(id, &attempt);
            if pulse.stage != Stage::Running || pulse.retry_at.is_some() {
                continue;
            }
            let Some(session) = session else { continue };
            if now.since(pulse.sign_at) >= limit && !pulse.excused(now) {
                self.act(Action::Abort { directory: directory.clone(), session });
                let reason = format!("no progress for {} s", limit / 1000);
                self.close_failed(id, &attempt, reason);
            } else if !pulse.looking && pulse.look_at <= now {
                pulse.looking = true;
                let (mission, directory) = (id.clone(), directory.clone());
                self.act(Action::Look { mission, attempt, directory, session });
            }
        }
    }

    /// The next moment at which something of this mission is due.
    pub(super) fn wake_of(&self, id: &MissionId) -> Option<Millis> {
        let mission = self.missions.get(id)?;
        let live = self.live.get(id)?;
        let limit = mission.created.options.turn_timeout_ms;
        let attempts =
            mission.open_attempts().filter_map(|a| live.pulses.get(&a.id)).filter_map(|p| match p.stage {
                Stage::Running if p.retry_at.is_some() => p.retry_at,
                Stage::Running if p.looking => Some(p.sign_at.plus(limit)),
                Stage::Running if p.excused(self.now) => Some(p.look_at),
                Stage::Running => Some(p.look_at.min(p.sign_at.plus(limit))),
                _ => None,
            });
        attempts.chain(self.parent_wakes(mission, live)).chain(self.drop_at(id)).min()
    }

    pub(super) fn owner_of(&self, session: &HostSessionId) -> Option<(MissionId, AttemptId)> {
        self.sessions.get(session).cloned()
    }
}

/// Whether a message is the last of its turn: finished, and not one that goes on with the result of a tool.
fn ends_turn(message: &HostMessage) -> bool {
    message.completed && (message.error.is_some() || message.finish.as_deref() != Some("tool-calls"))
}
