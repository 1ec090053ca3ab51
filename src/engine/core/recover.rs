//! A mission of an earlier process: replayed, then simply advanced. What its turns became is asked of the host.
use super::event::*;
use super::io::*;
use super::live::{LOOK_MS, Pulse};
use super::state::Mission;
use super::{Core, schedule};
use crate::domain::ids::{AttemptId, HostSessionId, Millis, MissionId};
use crate::domain::mission::MissionState;
use crate::ports::host::ToastKind;

impl Core {
    pub(super) fn adopt(&mut self, id: MissionId, events: Vec<(Millis, Event)>, host_restarted: bool) {
        if self.missions.contains_key(&id) {
            return;
        }
        self.away.remove(&id);
        let Some(mission) = replay(&id, &events) else { return };
        for attempt in mission.attempts.values() {
            if let Some(session) = &attempt.session {
                let newer = self
                    .sessions
                    .get(session)
                    .is_none_or(|(_, a)| mission.attempts.get(a).is_none_or(|a| a.token < attempt.token));
                if newer {
                    self.sessions.insert(session.clone(), (id.clone(), attempt.id.clone()));
                }
            }
        }
        let table = self.leases.entry(mission.place().to_owned()).or_default();
        for task in mission.tasks.iter().filter(|t| t.state.is_active()) {
            schedule::index_lease(table, &mission, &task.spec.id, crate::domain::task::TaskState::Assigned);
        }
        self.missions.insert(id.clone(), mission);
        let now = self.now;
        let patience = self.missions[&id].created.options.turn_timeout_ms;
        let open: Vec<_> = self.missions[&id].open_attempts().map(|a| a.id.clone()).collect();
        self.adopted += 1;
        let rounds = self.adopted << 32;
        let parked = self.parked.remove(&id).unwrap_or_default();
        let lost = parked.brief.filter(|_| !parked.waiters.is_empty());
        let live = self.live(&id);
        live.waiters = parked.waiters;
        // One that has ended was asked for, and stays a while.
        live.last_fact = now;
        live.adopted_at = now;
        // Jobs of the state before may still answer; their rounds are not these.
        live.next_round = rounds;
        // A conversation whose host was stopped is not going to call the tool any more.
        live.parent.idle = host_restarted;
        live.parent.restarted = host_restarted;
        live.parent.look_at = Some(now);
        live.brief_by = Some(now.plus(if host_restarted { 2 * LOOK_MS } else { patience }));
        // A report that was answered to a call is first looked for, once the shim has had time to ask again.
        live.hand_back.try_at = Some(now.plus(if host_restarted { 0 } else { LOOK_MS }));
        for attempt in open {
            live.pulses.insert(attempt, Pulse { inherited: true, second_hand: true, ..Pulse::new(now) });
        }
        self.asks_inherited(&id);
        if let Some(brief) = lost
            && self.missions[&id].brief.is_none()
        {
            self.emit(&id, Event::Briefed { brief, source: BriefSource::Commander });
        }
        if host_restarted {
            self.after_host_restart(&id);
        } else {
            self.end_again(&id);
        }
    }

    /// Turns that were given up before may not have been ended in the host: the process may have died in between.
    fn end_again(&mut self, id: &MissionId) {
        for (attempt, session) in self.given_up(id) {
            // One that works in the same conversation since then could not begin before the end of this.
            let newest = session.is_some_and(|s| self.sessions.get(&s).is_some_and(|(_, n)| *n == attempt));
            if newest {
                self.end_turn(id, &attempt);
            } else {
                self.turn_over(id, &attempt);
            }
        }
    }

    fn given_up(&self, id: &MissionId) -> Vec<(AttemptId, Option<HostSessionId>)> {
        let given_up = self.missions[id].attempts.values().filter(|a| a.given_up);
        given_up.map(|a| (a.id.clone(), a.session.clone())).collect()
    }

    fn after_host_restart(&mut self, id: &MissionId) {
        // Turns end with the process they run in.
        for (attempt, _) in self.given_up(id) {
            self.turn_over(id, &attempt);
        }
        let mission = &self.missions[id];
        let directory = mission.created.directory.clone();
        let title = mission.created.title.clone();
        if mission.state == MissionState::Running && !mission.created.options.auto_resume {
            let session = mission.parent.clone();
            self.state(id, MissionState::Paused, "the host was restarted");
            let text = format!(
                "[Gantry] Mission {id} ({title}) was interrupted when OpenCode stopped, and is paused. Nothing finished was lost. Ask the Commander to resume it, or to cancel it."
            );
            self.act(Action::Tell { directory: directory.clone(), session, text });
            let message = format!("{title}: interrupted when OpenCode stopped");
            self.notify(id, Toasts::Quiet, ToastKind::Warning, "Mission paused", message);
        } else if mission.state.is_open() && mission.state != MissionState::Paused {
            self.notify(id, Toasts::Normal, ToastKind::Info, "Mission resumed", title);
        }
    }
}

/// The state a journal describes; none when it does not begin with the mission's acceptance. A fact that does not
/// fit is left out, as it was when it was refused.
pub fn replay(id: &MissionId, events: &[(Millis, Event)]) -> Option<Mission> {
    let ((at, Event::Created(created)), rest) = events.split_first()? else { return None };
    let mut mission = Mission::new(id.clone(), *at, created.clone());
    for (at, event) in rest {
        let _ = mission.apply(*at, event);
    }
    Some(mission)
}
