//! Checkpoints on the clock and on request, and the way back to one.
use super::Core;
use super::event::*;
use super::io::*;
use crate::domain::checkpoint::{PERIOD_MS, Trigger};
use crate::domain::ids::{Millis, MissionId};
use crate::domain::mission::MissionState;

impl Core {
    pub(super) fn checkpoint(&mut self, id: &MissionId, trigger: Trigger) {
        self.emit(id, Event::Checkpointed { trigger });
        let made = self.missions[id].checkpoints.last().map(|c| c.sequence);
        if trigger == Trigger::Manual {
            self.live(id).unrecorded.extend(made);
        }
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

    /// Whether the work can be taken back; the mission stays in its state, for it to be resumed or retried when the user
    /// wants that.
    pub(super) fn may_be_restored(
        &self,
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
        self.missions[id].restorable(checkpoint).map_err(Refusal::Conflict).map(|_| ())
    }

    /// Without the files: tasks that are open again begin on them as they are.
    pub(super) fn restore(
        &mut self,
        id: &MissionId,
        state: MissionState,
        checkpoint: u32,
    ) -> Result<(), Refusal> {
        self.may_be_restored(id, state, checkpoint)?;
        self.restore_state(id, checkpoint);
        Ok(())
    }
}
