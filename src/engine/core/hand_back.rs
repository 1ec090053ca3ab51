//! The conversation that asked: its turn while the brief is awaited, live progress, and the report it is owed.
//!
//! A report counts as delivered when the host shows it: the tool call that carries it is completed, or its text
//! stands in the conversation. Until then it is owed, across restarts, and looked for before it is sent again.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{
    CALM_MS, DOUBT_MS, HandBackView, LOOK_MS, Live, PROGRESS_IDLE_MS, PROGRESS_MS, STABLE_LOOKS, Waiter,
};
use super::state::Mission;
use crate::domain::ids::{HostSessionId, Millis, MissionId};
use crate::domain::mission::{MissionState, Phase};
use crate::engine::{prompts, report};
use crate::ports::host::{CallState, HostError, HostFault, Speaker, TurnState};

/// How long the host may take to show that it took a tool result before the conversation is looked at.
const CONFIRM_MS: u64 = 15_000;

impl Core {
    pub(super) fn parent_event(&mut self, session: &HostSessionId, event: &HostInput) {
        let mine: Vec<_> =
            self.missions.values().filter(|m| m.parent == *session).map(|m| m.id.clone()).collect();
        let now = self.now;
        for id in mine {
            self.heard_of(&id);
            let parent = &mut self.live(&id).parent;
            match event {
                HostInput::Status { state: TurnState::Idle, .. } => {
                    parent.idle = true;
                    let briefing = parent.seen_busy;
                    if briefing && self.missions[&id].brief.is_none() {
                        self.live(&id).parent.look_at = Some(now);
                    }
                    let hand_back = &mut self.live(&id).hand_back;
                    hand_back.try_at = hand_back.try_at.map(|_| now);
                }
                HostInput::Status { .. } => {
                    parent.seen_busy = true;
                    parent.idle = false;
                    parent.doubtful = 0;
                    let next = now.plus(self.parent_every(&id));
                    let parent = &mut self.live(&id).parent;
                    parent.look_at = parent.look_at.map(|_| next);
                }
                // Ended by the user while the brief was being written.
                HostInput::Error { fault, .. } if is_abort(fault) && self.missions[&id].brief.is_none() => {
                    let _ = self.apply_control(&id, Control::Cancel { by: "you" });
                }
                HostInput::ToolMoved { call, state: CallState::Completed, .. } => {
                    self.result_taken(&id, call)
                }
                HostInput::Deleted { .. } => self.parent_gone(&id),
                _ => {}
            }
        }
    }

    /// The conversation is gone for good, and in the host the conversations of its agents went with it.
    fn parent_gone(&mut self, id: &MissionId) {
        let end = match self.missions[id].state {
            MissionState::Pending | MissionState::Queued => Some(MissionState::Cancelled),
            MissionState::Running | MissionState::Paused | MissionState::Degraded => {
                Some(MissionState::Orphaned)
            }
            _ => None,
        };
        if let Some(end) = end {
            self.end_work(id, end, "its conversation was deleted".into());
        }
        if self.missions[id].owes_report() {
            self.emit(id, Event::HandedBack { how: HandBack::Nobody });
        }
    }

    fn result_taken(&mut self, id: &MissionId, call: &str) {
        let mission = &self.missions[id];
        if mission.owes_report() && mission.report_calls.iter().any(|c| c == call) {
            self.emit(id, Event::HandedBack { how: HandBack::ToolResult });
        }
    }

    // ---- the brief

    /// The `mission` tool: states the work, and waits for its end.
    pub(super) fn brief(&mut self, reply: ReplyTo, session: HostSessionId, call: String, brief: Brief) {
        let Some(id) = self.mission_of_parent(&session) else {
            if let Some(answer) = self.just_reported(&session) {
                return self.answer(reply, answer);
            }
            return self
                .refuse(reply, Refusal::NotFound("there is no open mission in this conversation".into()));
        };
        if self.missions[&id].brief.is_none() && self.missions[&id].state.is_open() {
            let text = if brief.text.trim().is_empty() {
                self.missions[&id].created.text.clone()
            } else {
                brief.text
            };
            let brief = Brief { text, ..brief };
            self.emit(&id, Event::Briefed { brief, source: BriefSource::Commander });
        }
        if let Some(text) = self.missions[&id].report.clone() {
            let mut calls = self.missions[&id].report_calls.clone();
            if !calls.contains(&call) {
                calls.push(call);
                self.emit(&id, Event::Reported { text, calls });
            }
            let text = report::tool_answer(&self.missions[&id]);
            return self.answer(reply, text);
        }
        if self.missions[&id].created.options.background == Some(true) {
            return self.say(reply, "in the background", prompts::in_background(&id));
        }
        let live = self.live(&id);
        live.waiters.retain(|w| w.call != call);
        live.waiters.push(Waiter { reply, session, call });
        live.progress_text.clear();
    }

    /// The report once more, for a model that calls again in the very turn that got it; a new request comes in a new turn.
    fn just_reported(&self, session: &HostSessionId) -> Option<Answer> {
        let last = self.missions.values().rfind(|m| m.parent == *session)?;
        let in_turn = self.live.get(&last.id).is_some_and(|l| l.parent.seen_busy && !l.parent.idle);
        in_turn.then(|| report::tool_answer(last))
    }

    /// The mission a conversation's call is about: the oldest that waits for its brief (turns of a conversation follow each
    /// other), else the newest that is not done.
    pub(super) fn mission_of_parent(&self, session: &HostSessionId) -> Option<MissionId> {
        let mine = |m: &&Mission| m.parent == *session && !m.settled();
        let waiting = self.missions.values().filter(mine).find(|m| m.brief.is_none());
        waiting.or_else(|| self.missions.values().rfind(mine)).map(|m| m.id.clone())
    }

    pub(super) fn call_dropped(&mut self, reply: ReplyTo) {
        let owner = self
            .live
            .iter()
            .find(|(_, l)| l.waiters.iter().any(|w| w.reply == reply))
            .map(|(id, _)| id.clone());
        if let Some(id) = owner {
            self.live(&id).waiters.retain(|w| w.reply != reply);
            // Refused only when it has ended meanwhile, which is what was wanted.
            let _ = self.apply_control(&id, Control::Cancel { by: "you" });
        }
        self.answer(reply, Answer::Refused(Refusal::Cancelled("the call was cancelled".into())));
    }

    pub(super) fn answer_waiters(&mut self, id: &MissionId) {
        let now = self.now;
        let answer = report::tool_answer(&self.missions[id]);
        let live = self.live(id);
        let waiters = std::mem::take(&mut live.waiters);
        live.hand_back.try_at = Some(if waiters.is_empty() { now } else { now.plus(CONFIRM_MS) });
        for waiter in waiters {
            self.answer(waiter.reply, answer.clone());
        }
    }

    // ---- looks at the conversation

    pub(super) fn parent_timers(&mut self, id: &MissionId) {
        let now = self.now;
        let mission = &self.missions[id];
        let briefing = mission.phase == Some(Phase::Briefing) && mission.running() && mission.brief.is_none();
        let live = self.live(id);
        if briefing && live.brief_by.is_none_or(|t| t <= now) {
            return self.brief_from_user(id);
        }
        if briefing && !live.parent.looking && live.parent.look_at.is_some_and(|t| t <= now) {
            self.look_at_parent(id);
        }
    }

    pub(super) fn parent_wakes(&self, mission: &Mission, live: &Live) -> Vec<Millis> {
        let mut wakes = Vec::new();
        if mission.phase == Some(Phase::Briefing) && mission.running() && mission.brief.is_none() {
            wakes.extend(live.brief_by);
            wakes.extend(live.parent.look_at.filter(|_| !live.parent.looking));
        }
        if mission.owes_report() && !live.hand_back.sending && !live.parent.looking {
            wakes.extend(live.hand_back.try_at);
        }
        if !live.waiters.is_empty() && mission.state.is_open() {
            wakes.push(live.progress_at.plus(PROGRESS_IDLE_MS));
        }
        wakes
    }

    fn look_at_parent(&mut self, id: &MissionId) {
        let next = self.now.plus(self.parent_every(id));
        let parent = &mut self.live(id).parent;
        if parent.looking {
            return;
        }
        parent.looking = true;
        parent.look_at = Some(next);
        let mission = &self.missions[id];
        let (directory, session) = (mission.created.directory.clone(), mission.parent.clone());
        // While the brief is awaited, a busy conversation says nothing that matters; a report may stand in one.
        let transcript = mission.owes_report();
        self.act(Action::LookAtParent { mission: id.clone(), directory, session, transcript });
    }

    /// Time between looks at the conversation: long where its turn was heard to begin, for its end is heard as well.
    fn parent_every(&self, id: &MissionId) -> u64 {
        let at_work = self.live.get(id).is_some_and(|l| l.parent.seen_busy && !l.parent.idle);
        match (at_work && self.hears(id), self.missions[id].owes_report()) {
            (false, _) => LOOK_MS,
            // Without messages it is one request, not two.
            (true, false) => CALM_MS / 2,
            (true, true) => CALM_MS,
        }
    }

    pub(super) fn parent_looked(&mut self, id: &MissionId, result: Result<Look, HostError>) {
        if !self.missions.contains_key(id) {
            return;
        }
        self.live(id).parent.looking = false;
        let owes = self.missions[id].owes_report();
        match result {
            Ok(look) if owes => self.deliver(id, &look),
            Ok(look) => self.brief_or_wait(id, &look),
            Err(HostError::Refused(fault)) if fault.status == Some(404) => self.parent_gone(id),
            Err(_) => {
                let at = self.now.plus(LOOK_MS);
                self.live(id).hand_back.try_at = Some(at);
            }
        }
    }

    /// The Commander's turn over without a brief: the user's words stand. Ended by the user: so is the mission.
    fn brief_or_wait(&mut self, id: &MissionId, look: &Look) {
        if matches!(look.state, TurnState::Busy | TurnState::Retry) || self.missions[id].brief.is_some() {
            return;
        }
        if self.live(id).parent.seen_busy && !self.live(id).parent.idle {
            // Its end was not heard.
            self.distrust(id);
            let soon = self.now.plus(LOOK_MS);
            self.live(id).parent.look_at = Some(soon);
        }
        let asked =
            look.messages.iter().rposition(|m| m.speaker == Speaker::User && m.text.contains(id.as_str()));
        let (Some(asked), Some(last)) = (asked, look.messages.last()) else { return };
        let finished =
            last.speaker == Speaker::Assistant && last.completed && asked + 1 < look.messages.len();
        if last.error.as_ref().is_some_and(is_abort) {
            let _ = self.apply_control(id, Control::Cancel { by: "you" });
        } else if finished || self.live(id).parent.restarted {
            self.brief_from_user(id);
        } else if self.live(id).parent.idle {
            self.parent_in_doubt(id, asked + 1 == look.messages.len());
        }
    }

    /// The turn is over and its answer is not finished: the host may still be writing that down.
    fn parent_in_doubt(&mut self, id: &MissionId, unanswered: bool) {
        let now = self.now;
        let parent = &mut self.live(id).parent;
        parent.doubtful += 1;
        parent.look_at = Some(now.plus(DOUBT_MS));
        if parent.doubtful < STABLE_LOOKS {
            return;
        }
        if unanswered {
            // A turn that ends before it has begun was ended by the user.
            let _ = self.apply_control(id, Control::Cancel { by: "you" });
        } else {
            self.brief_from_user(id);
        }
    }

    // ---- the report

    pub(super) fn advance_hand_back(&mut self, id: &MissionId) {
        let now = self.now;
        let mission = &self.missions[id];
        if !mission.state.is_open() && mission.report.is_none() && mission.has_its_result() {
            self.owe_report(id);
        }
        if !self.missions[id].owes_report() {
            return;
        }
        let hand_back = &self.live(id).hand_back;
        if !hand_back.sending && hand_back.try_at.is_none_or(|t| t <= now) {
            self.live(id).hand_back.try_at = Some(now.plus(LOOK_MS));
            self.look_at_parent(id);
        }
    }

    fn deliver(&mut self, id: &MissionId, look: &Look) {
        let mission = &self.missions[id];
        let taken = |m: &crate::ports::host::HostMessage| {
            m.calls.iter().any(|c| c.state == CallState::Completed && mission.report_calls.contains(&c.call))
        };
        let under_way = |m: &crate::ports::host::HostMessage| {
            let open = |c: &crate::ports::host::HostCall| {
                c.state == CallState::Running && mission.report_calls.contains(&c.call)
            };
            m.calls.iter().any(open)
        };
        // All of it: an earlier report, from before a retry, may begin with the same words.
        let text = mission.report.as_deref().unwrap_or_default().trim();
        let (now, every) = (self.now, self.parent_every(id));
        if look.messages.iter().any(taken) {
            self.emit(id, Event::HandedBack { how: HandBack::ToolResult });
        } else if look.messages.iter().any(|m| m.speaker == Speaker::User && m.text.contains(text)) {
            self.emit(id, Event::HandedBack { how: HandBack::Message });
        } else if matches!(look.state, TurnState::Busy | TurnState::Retry) {
            self.live(id).hand_back =
                HandBackView { try_at: Some(now.plus(every)), ..HandBackView::default() };
        } else if look.messages.iter().any(under_way) && self.may_still_arrive(id) {
            let hand_back = &mut self.live(id).hand_back;
            hand_back.doubtful += 1;
            hand_back.try_at = Some(now.plus(LOOK_MS));
        } else {
            let (directory, session) = (mission.created.directory.clone(), mission.parent.clone());
            let text = mission.report.clone().unwrap_or_default();
            self.live(id).hand_back.sending = true;
            self.act(Action::HandBack { mission: id.clone(), directory, session, text });
        }
    }

    /// The host may be writing the answer down; one that was killed has left the call open for ever.
    fn may_still_arrive(&self, id: &MissionId) -> bool {
        self.live.get(id).is_some_and(|l| l.hand_back.doubtful + 1 < STABLE_LOOKS)
    }

    pub(super) fn hand_back_taken(&mut self, id: &MissionId, text: &str, result: Result<(), HostError>) {
        // The mission may have gone on since, and owe another report by now, or none yet.
        let is_owed = |m: &Mission| m.owes_report() && m.report.as_deref() == Some(text);
        if !self.missions.get(id).is_some_and(is_owed) {
            return;
        }
        let now = self.now;
        let hand_back = &mut self.live(id).hand_back;
        hand_back.sending = false;
        hand_back.try_at = Some(now.plus(LOOK_MS));
        match result {
            Ok(()) => self.emit(id, Event::HandedBack { how: HandBack::Message }),
            Err(HostError::Refused(fault)) if fault.status == Some(404) => {
                self.emit(id, Event::HandedBack { how: HandBack::Nobody });
            }
            Err(_) => {}
        }
    }

    // ---- live progress

    /// When the title says anew how long its provider is waited for: nothing else may happen until then.
    pub(super) fn wait_shown_at(&self, id: &MissionId) -> Option<Millis> {
        let live = self.live.get(id).filter(|l| !l.waiters.is_empty())?;
        let waits = self.missions[id].state.is_open() && self.provider_wait(id).is_some();
        waits.then(|| live.progress_at.plus(PROGRESS_IDLE_MS))
    }

    pub(super) fn show_progress(&mut self) {
        let now = self.now;
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            let mission = &self.missions[&id];
            if self.live.get(&id).is_none_or(|l| l.waiters.is_empty()) || !mission.state.is_open() {
                continue;
            }
            let (text, metadata) = (report::progress(mission), report::progress_metadata(mission));
            let elapsed = prompts::duration(now.since(mission.created_at));
            let wait = self.provider_wait(&id).or_else(|| self.memory_wait(&id));
            let directory = mission.created.directory.clone();
            let live = self.live(&id);
            let due = if text == live.progress_text { PROGRESS_IDLE_MS } else { PROGRESS_MS };
            if !live.progress_text.is_empty() && now.since(live.progress_at) < due {
                continue;
            }
            live.progress_at = now;
            live.progress_text.clone_from(&text);
            let wait = wait.map(|why| format!(" · {why}")).unwrap_or_default();
            for waiter in live.waiters.clone() {
                self.act(Action::Progress {
                    directory: directory.clone(),
                    session: waiter.session,
                    call: waiter.call,
                    title: format!("{text} · {elapsed}{wait}"),
                    metadata: metadata.clone(),
                });
            }
        }
    }
}

fn is_abort(fault: &HostFault) -> bool {
    fault.name == "MessageAbortedError"
}
