//! Missions as a whole: acceptance, the brief, control by the user, the end.
use super::Core;
use super::event::*;
use super::io::*;
use super::live::{HandBackView, Job, LOOK_MS};
use super::state::Mission;
use crate::domain::ids::{HostSessionId, MissionId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::task::TaskState;
use crate::engine::report;
use crate::ports::host::ToastKind;

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
        self.turn.events.push((id.clone(), Event::Created(created.clone())));
        self.missions.insert(id.clone(), Mission::new(id.clone(), self.now, created));
        let patience = self.missions[&id].created.options.turn_timeout_ms;
        self.live(&id).brief_by = Some(self.now.plus(patience));
        self.live(&id).parent.look_at = Some(self.now.plus(LOOK_MS));
        self.state(&id, MissionState::Queued, "accepted");
        self.start_queued();
        let queued_behind = self.ahead_of(&id);
        self.answer(reply, Answer::Created { mission: id, queued_behind });
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
        let queued: Vec<_> = self
            .missions
            .values()
            .filter(|m| m.state == MissionState::Queued)
            .map(|m| m.id.clone())
            .collect();
        for id in queued {
            let place = self.missions[&id].place().to_owned();
            let busy = self.place_busy(&id);
            let ahead = self.missions.values().any(|m| m.id < id && m.place() == place && m.state.is_open());
            if !busy && !ahead {
                self.state(&id, MissionState::Running, "started");
                self.advance(&id);
            }
        }
    }

    /// Whether another mission works where this one would.
    fn place_busy(&self, id: &MissionId) -> bool {
        let place = self.missions[id].place();
        let at_work = |m: &&Mission| m.id != *id && m.place() == place && m.state.is_open();
        self.missions.values().filter(at_work).any(|m| m.state != MissionState::Queued)
            || self.away.iter().any(|(away, p)| away != id && p == place)
    }

    pub(super) fn advance_brief(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let created = mission.created.clone();
        let (surveyed, briefed) = (mission.survey.is_some(), mission.brief.is_some());
        if surveyed && briefed {
            return self.phase(id, Phase::Planning);
        }
        if !surveyed && self.live(id).begin(Job::Survey).is_some() {
            self.act(Action::Survey {
                mission: id.clone(),
                root: created.worktree,
                checks: created.options.checks,
                todo: created.options.todo,
            });
        }
    }

    pub(super) fn surveyed(&mut self, id: &MissionId, event: Event) {
        let wanted = self.live(id).jobs.remove(&Job::Survey).is_some();
        if wanted && self.missions.get(id).is_some_and(|m| m.survey.is_none() && m.state.is_open()) {
            self.emit(id, event);
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
        let refused = |verb: &str| {
            Err(Refusal::Conflict(format!("a mission that is {} cannot be {verb}", state.name())))
        };
        match control {
            Control::Cancel { by } => match state.cancelled() {
                None => return refused("cancelled: it has ended"),
                Some(end) => self.cancel(id, end, by),
            },
            Control::Pause if state == MissionState::Running => {
                self.state(id, MissionState::Paused, "paused by the user; running turns end by themselves");
            }
            Control::Pause => return refused("paused: only a running one can"),
            Control::Resume if state == MissionState::Paused => {
                self.state(id, MissionState::Running, "resumed by the user")
            }
            Control::Resume => return refused("resumed: only a paused one can"),
            Control::Steer { text } if state.is_open() => self.emit(id, Event::Steered { text }),
            Control::Steer { .. } => return refused("steered: it has ended"),
            Control::Retry => return self.retry(id, state),
        }
        Ok(())
    }

    /// What was completed stays; all else is done again under the same plan.
    fn retry(&mut self, id: &MissionId, state: MissionState) -> Result<(), Refusal> {
        match state {
            MissionState::PartiallyCompleted if self.place_busy(id) => {
                let text = "another mission is at work in this project: wait for its end, then retry".to_owned();
                return Err(Refusal::Conflict(text));
            }
            MissionState::PartiallyCompleted => self.state(id, MissionState::Running, "reopened by the user"),
            MissionState::Failed | MissionState::Timeout => {
                self.state(id, MissionState::Pending, "retried by the user");
                self.state(id, MissionState::Queued, "retried by the user");
                self.start_queued();
            }
            _ => {
                let text = format!(
                    "a mission that is {} cannot be retried: only one that failed or is partly done",
                    state.name()
                );
                return Err(Refusal::Conflict(text));
            }
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

    fn cancel(&mut self, id: &MissionId, end: MissionState, by: &'static str) {
        self.stop_turns(id);
        self.act(Action::StopWork { mission: id.clone() });
        self.live(id).jobs.clear();
        for (task, state) in
            self.missions[id].tasks.iter().map(|t| (t.spec.id.clone(), t.state)).collect::<Vec<_>>()
        {
            for to in state.cancel_path() {
                self.task_changed(id, &task, *to, None);
            }
        }
        self.state(id, end, format!("cancelled by {by}"));
    }

    /// Ends every turn of the mission in the host.
    pub(super) fn stop_turns(&mut self, id: &MissionId) {
        let directory = self.missions[id].created.directory.clone();
        let open: Vec<_> =
            self.missions[id].open_attempts().map(|a| (a.id.clone(), a.session.clone())).collect();
        for (attempt, session) in open {
            let usage = self.live(id).pulses.get(&attempt).map(|p| p.spent).unwrap_or_default();
            self.emit(id, Event::AttemptClosed { attempt, outcome: Outcome::Aborted, usage });
            if let Some(session) = session {
                self.act(Action::Abort { directory: directory.clone(), session });
            }
        }
    }

    /// All tasks are over and the gate of the whole has spoken.
    pub(super) fn finish(&mut self, id: &MissionId, reason: impl Into<String>) {
        let mission = &self.missions[id];
        let done = mission.tasks.iter().filter(|t| t.state == TaskState::Completed).count();
        let approved = mission.whole.verdict.as_ref().is_some_and(|v| v.approved);
        let end = if done == 0 {
            MissionState::Failed
        } else if done == mission.tasks.len() && approved {
            MissionState::Completed
        } else {
            MissionState::PartiallyCompleted
        };
        self.state(id, end, reason);
    }

    /// Every way into an end state passes here, so that the report is owed in the same transaction.
    pub(super) fn state_changed(&mut self, id: &MissionId, to: MissionState) {
        if to.is_open() {
            return;
        }
        let text = report::report(&self.missions[id]);
        let calls = self.live(id).waiters.iter().map(|w| w.call.clone()).collect();
        self.emit(id, Event::Reported { text, calls });
        self.answer_waiters(id);
        let mission = &self.missions[id];
        let kind = match to {
            MissionState::Completed => ToastKind::Success,
            MissionState::PartiallyCompleted | MissionState::Stopped | MissionState::Cancelled => {
                ToastKind::Warning
            }
            _ => ToastKind::Error,
        };
        let (title, message) = report::end_notice(mission);
        self.act(Action::Toast { directory: mission.created.directory.clone(), kind, title, message });
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
