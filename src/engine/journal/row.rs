//! The summary row that lists a mission without reading its journal.
use crate::engine::core::state::Mission;
use crate::engine::report;
use crate::ports::store::MissionRow;

pub fn row(mission: &Mission) -> MissionRow {
    let counts = report::counts(mission);
    MissionRow {
        id: mission.id.clone(),
        directory: mission.created.directory.clone(),
        place: mission.place().to_owned(),
        title: mission.created.title.clone(),
        state: mission.state.name().into(),
        // The last phase outlives the run; in a list it would read as if work were going on.
        phase: mission.phase.filter(|_| mission.running()).map(|phase| phase.name().into()),
        parent_session: mission.parent.0.clone(),
        // An ended mission that still owes its report, or has a turn to end, has to be found after a restart.
        open: !mission.at_rest(),
        begun: mission.begun(),
        done: counts.done,
        running: counts.running,
        waiting: counts.waiting,
        failed: counts.failed,
        total: counts.total,
        created_at: mission.created_at,
        ended_at: mission.ended_at,
        key: mission.created.key.clone(),
    }
}
