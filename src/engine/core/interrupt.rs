//! Turns that the user has interrupted: ended in the host, with their attempts kept for later.
//!
//! That a turn is to be ended is a fact before the host hears of it, and that it has ended is one too; so whoever has the
//! mission then, in this process or in the next, knows whether to end it, or to go on in the same conversation. The end is
//! believed on evidence, like that of any turn, for the next prompt must not go into a running one. An attempt whose turn
//! was interrupted takes no permit; it asks for one again before it goes on.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{DOUBT_MS, Job, STABLE_LOOKS, Stage};
use super::turns::ends_turn;
use super::worktrees::TreeJob;
use crate::domain::ids::{AttemptId, MissionId};
use crate::domain::mission::MissionState;
use crate::engine::prompts;
use crate::ports::host::{HostError, HostMessage, Speaker, TurnState};

/// A turn that does not end when it is told to is told again this much later.
const AGAIN_MS: u64 = 2_000;

impl Core {
    /// No turn and no process of it is left at work, and who waits for its end waits no longer.
    pub(super) fn suspend(&mut self, id: &MissionId) {
        if self.missions[id].state != MissionState::Paused {
            self.state(id, MissionState::Paused, "suspended by the user; its turns are ended");
        }
        for attempt in self.missions[id].open_attempts().map(|a| a.id.clone()).collect::<Vec<_>>() {
            self.interrupt(id, &attempt);
        }
        self.act(Action::StopWork { mission: id.clone() });
        let live = self.live(id);
        // What is not stopped with the others tells its end by itself.
        let kept = |job: &Job| {
            matches!(job, Job::Trees(TreeJob::Land | TreeJob::Propose | TreeJob::Release) | Job::RestoreFiles)
        };
        live.jobs.retain(|job, _| kept(job));
        let shells = std::mem::take(&mut live.shells_looked_at);
        live.shells.extend(shells);
        let text = prompts::suspended(id);
        for waiter in std::mem::take(&mut self.live(id).waiters) {
            self.say(waiter.reply, "suspended", text.clone());
        }
    }

    /// Ends the turn of an open attempt, which is prompted again when the mission runs.
    pub(super) fn interrupt(&mut self, id: &MissionId, attempt: &AttemptId) {
        let Some(a) = self.open(id, attempt) else { return };
        let (given_up, session) = (a.given_up, a.session.clone());
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        let running = matches!(pulse.stage, Stage::Prompting | Stage::Running) && !pulse.salvaging;
        let Some(session) = session.filter(|_| running && !given_up) else { return };
        // The host may not have taken the prompt yet; it is told when that is known.
        let taken = pulse.stage == Stage::Running;
        pulse.stage = Stage::Ending;
        pulse.on_its_way = !taken;
        pulse.second_hand = true;
        pulse.doubtful = 0;
        pulse.open_calls.clear();
        pulse.look_soon(now.plus(AGAIN_MS));
        self.asks_closed(id, attempt);
        self.pulse(id, attempt).open_asks.clear();
        self.emit(id, Event::TurnGivenUp { attempt: attempt.clone() });
        if taken {
            self.abort(id, attempt, session);
        }
    }

    /// An event of a turn that is being ended.
    pub(super) fn ending_event(&mut self, id: &MissionId, attempt: &AttemptId, event: HostInput) {
        let now = self.now;
        match event {
            HostInput::Message { message, .. } => self.message_counted(id, attempt, &message),
            HostInput::Status { state: TurnState::Idle, .. } => self.pulse(id, attempt).look_soon(now),
            HostInput::ShellRan { session } => self.shell_ran(&session),
            HostInput::Deleted { .. } => self.deleted(id, attempt),
            _ => {}
        }
    }

    /// A look at a session whose turn is being ended.
    pub(super) fn looked_at_ending(
        &mut self,
        id: &MissionId,
        attempt: &AttemptId,
        result: Result<Look, HostError>,
    ) {
        let now = self.now;
        let pulse = self.pulse(id, attempt);
        pulse.look_soon(now.plus(DOUBT_MS));
        let look = match result {
            Ok(look) => look,
            Err(HostError::Refused(fault)) if fault.status == Some(404) => {
                return self.deleted(id, attempt);
            }
            Err(_) => return pulse.look_soon(now.plus(AGAIN_MS)),
        };
        if matches!(look.state, TurnState::Busy | TurnState::Retry) {
            pulse.doubtful = 0;
            pulse.look_soon(now.plus(AGAIN_MS));
            if let Some(session) = self.open(id, attempt).and_then(|a| a.session.clone()) {
                self.abort(id, attempt, session);
            }
            return;
        }
        if pulse.on_its_way {
            // Quiet, but the turn may still begin. Each prompt's end is reported, and the looks count from there.
            return pulse.look_soon(now.plus(AGAIN_MS));
        }
        pulse.doubtful += 1;
        let sure = pulse.doubtful >= STABLE_LOOKS;
        let last = look.messages.last().filter(|m| m.speaker == Speaker::Assistant && ends_turn(m));
        // The error of an earlier interruption says nothing of this one.
        let ended = last.is_some_and(|m| m.error.is_some() && !self.stale(id, attempt, m));
        if let Some(last) = last {
            self.message_counted(id, attempt, last);
        }
        // A first look may be wrong about a turn that has not begun yet.
        if sure || ended {
            self.turn_interrupted(id, attempt);
        }
    }

    fn message_counted(&mut self, id: &MissionId, attempt: &AttemptId, message: &HostMessage) {
        let doubtful = self.pulse(id, attempt).doubtful;
        self.message_seen(id, attempt, message.clone());
        let now = self.now;
        // That was a sign of life; of this turn none is waited for.
        let pulse = self.pulse(id, attempt);
        pulse.doubtful = doubtful;
        pulse.look_soon(now.plus(DOUBT_MS));
    }

    fn turn_interrupted(&mut self, id: &MissionId, attempt: &AttemptId) {
        self.turn_over(id, attempt);
        self.pulse(id, attempt).stage = Stage::New;
        if self.open(id, attempt).is_some_and(|a| a.submission.is_some()) {
            // Its work was handed in before the turn was ended.
            self.close(id, attempt, Outcome::Done);
        }
    }

    /// The conversation is gone, and its turn with it.
    pub(super) fn deleted(&mut self, id: &MissionId, attempt: &AttemptId) {
        self.turn_over(id, attempt);
        self.close_failed(id, attempt, "its host session was deleted".into());
    }

    /// An attempt that was interrupted goes on as soon as the mission runs and there is a permit for it.
    pub(super) fn go_on(&mut self, id: &MissionId, attempt: &AttemptId) {
        let Some(a) = self.open(id, attempt) else { return };
        if a.submission.is_some() {
            return self.close(id, attempt, Outcome::Done);
        }
        let mission = &self.missions[id];
        if mission.running() && self.has_seat(mission, a) {
            // Whether the host has its last prompt, and nobody else is talking there, is asked first.
            self.doubt(id, attempt);
        }
    }

    /// The conversation of an attempt that was interrupted is quiet, and has its last prompt.
    pub(super) fn prompt_on(&mut self, id: &MissionId, attempt: &AttemptId) {
        let Some(a) = self.open(id, attempt) else { return };
        if a.submission.is_some() {
            return self.close(id, attempt, Outcome::Done);
        }
        let reason = if self.has_untold(id, attempt) { PromptReason::Steered } else { PromptReason::Resumed };
        self.prompt(id, attempt, reason);
    }
}
