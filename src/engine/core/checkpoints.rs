//! Checkpoints on the clock and on request, and the way back to one.
use super::event::*;
use super::io::*;
use super::{Core, schedule};
use crate::domain::checkpoint::{PERIOD_MS, Trigger};
use crate::domain::ids::{Millis, MissionId};
use crate::domain::mission::{MissionState, Phase};

impl Core {
    pub(super) fn checkpoint(&mut self, id: &MissionId, trigger: Trigger) {
        self.emit(id, Event::Checkpointed { trigger });
    }

    /// The first one when the mission begins to run, so that there is always one to go back to.
    pub(super) fn checkpoint_timer(&mut self, id: &MissionId) {
        if self.checkpoint_at(id).is_some_and(|at| at <= self.now) {
            self.checkpoint(id, Trigger::Periodic);
        }
    }

    pub(super) fn checkpoint_at(&self, id: &MissionId) -> Option<Millis> {
        let mission = self.missions.get(id).filter(|m| m.running())?;
        Some(mission.checkpoints.periodic_at.map_or(self.now, |at| at.plus(PERIOD_MS)))
    }

    /// Takes the work back; the mission stays in its state, for it to be resumed or retried when the user wants that.
    /// What the files look like is not changed: tasks that are open again begin on them as they are.
    pub(super) fn restore(
        &mut self,
        id: &MissionId,
        state: MissionState,
        checkpoint: u32,
    ) -> Result<(), Refusal> {
        use MissionState::*;
        match state {
            Paused | PartiallyCompleted | Failed | Timeout => {}
            Pending | Queued | Running | Degraded => {
                let text = format!("a mission that is {} cannot be taken back: pause it first", state.name());
                return Err(Refusal::Conflict(text));
            }
            Completed | Stopped | Cancelled | Orphaned => {
                let text = format!("a mission that is {} cannot be taken back: it has ended", state.name());
                return Err(Refusal::Conflict(text));
            }
        }
        self.missions[id].restorable(checkpoint).map_err(Refusal::Conflict)?;
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
        let mission = &self.missions[id];
        let phase = match (&mission.plan, &mission.brief) {
            (Some(_), _) => Phase::Executing,
            (None, Some(_)) => Phase::Planning,
            (None, None) => Phase::Briefing,
        };
        self.phase(id, phase);
        self.live(id).todo_published = false;
        Ok(())
    }
}
