//! Who works next, over all missions: what each wants, the permits there are, and budgets that are spent.
//!
//! An open attempt is its own permit: what is taken is counted off the missions, so none can be lost.
use super::Core;
use super::event::*;
use super::live::Stage;
use super::schedule::priorities;
use super::state::{Attempt, Mission, Task};
use crate::domain::ids::{AttemptId, HostSessionId, MissionId, Role, TaskId};
use crate::domain::permits::{Key, Seat};
use crate::domain::plan::Priority;
use crate::domain::task::TaskState;
use std::collections::BTreeMap;

/// An attempt that a mission would open next.
pub(super) struct Want {
    pub kind: AttemptKind,
    /// Of its priority, raised by waiting.
    pub level: u64,
    pub ordinal: u32,
    /// The conversation it goes on in.
    pub session: Option<HostSessionId>,
    /// The task a planner is to plan further.
    pub node: Option<TaskId>,
}

impl Want {
    fn role(&self) -> Role {
        self.kind.role()
    }
}

impl Core {
    /// Told by `advance`, each time anew.
    pub(super) fn want(&mut self, id: &MissionId, want: Want) {
        self.wants.entry(id.clone()).or_default().push(want);
    }

    /// Opens attempts for as long as somebody wants one and may have it.
    pub(super) fn grant_permits(&mut self) {
        self.stop_spenders();
        self.permits.set_ceilings(ceilings(&self.missions));
        loop {
            let before = self.turn.events.len();
            // Reviewers first: what passes its gate gives up its files, and others become ready.
            for role in [Role::Planner, Role::Reviewer, Role::Worker] {
                while let Some(id) = self.next_in_line(role) {
                    self.serve(&id, role);
                }
            }
            if before == self.turn.events.len() {
                return;
            }
        }
    }

    fn next_in_line(&mut self, role: Role) -> Option<MissionId> {
        let first = |wants: &Vec<Want>| wants.iter().find(|w| w.role() == role).map(|w| w.level);
        let waiting: Vec<_> =
            self.wants.iter().filter_map(|(id, wants)| Some((id.clone(), first(wants)?))).collect();
        if waiting.is_empty() {
            return None;
        }
        self.line.arrange(role, &waiting);
        let taken = self.seats();
        let mine = |w: &&Want| w.role() == role;
        let may = |(id, _): &(MissionId, u64)| {
            self.wants[id].iter().filter(mine).any(|w| self.admits(id, &w.kind, &taken))
        };
        let admitted: Vec<_> = waiting.into_iter().filter(may).collect();
        self.line.first(role, &admitted)
    }

    fn admits(&self, id: &MissionId, kind: &AttemptKind, taken: &[Seat]) -> bool {
        let mission = &self.missions[id];
        self.has_room(mission, &Seat { role: kind.role(), model: self.expected_model(mission, kind) }, taken)
    }

    fn has_room(&self, mission: &Mission, seat: &Seat, taken: &[Seat]) -> bool {
        self.permits.admits(seat, taken).is_ok()
            && mission.created.options.ceilings().all(|(key, most)| key.has_room(most, seat, taken))
    }

    /// Whether an attempt that has given its permit up may take one again.
    pub(super) fn has_seat(&self, mission: &Mission, attempt: &Attempt) -> bool {
        self.has_room(mission, &self.seat(mission, attempt), &self.seats())
    }

    fn serve(&mut self, id: &MissionId, role: Role) {
        let wants = self.wants.remove(id).unwrap_or_default();
        let taken = self.seats();
        // Two wants of one role may run on different providers.
        let (wants, rest): (Vec<_>, Vec<_>) =
            wants.into_iter().partition(|w| w.role() == role && self.admits(id, &w.kind, &taken));
        self.wants.insert(id.clone(), rest);
        for want in wants {
            if self.begin(id, want) {
                self.line.served(role, id);
                // What it wants besides is another thing now.
                return self.advance(id);
            }
        }
    }

    fn begin(&mut self, id: &MissionId, want: Want) -> bool {
        if !self.may_spend(id, &want.kind, want.node.as_ref()) {
            return false;
        }
        let Want { kind, ordinal, session, node, .. } = want;
        if let AttemptKind::Work(task) = &kind
            && let Some(t) = self.missions[id].task(task)
            && t.state == TaskState::Ready
        {
            if self.is_held_back(id, task) {
                return false;
            }
            // Held until the task is over; see `index_lease`, which does the same on replay.
            let note = t.note.clone();
            if !self.take_lease(id, task) {
                return false;
            }
            // Why the last attempt failed stays with the task until its next worker has been told.
            self.task_changed(id, task, TaskState::Assigned, note);
        }
        if let AttemptKind::Work(task) = &kind {
            self.count_reuse(id, task, session.is_some());
        }
        self.open_attempt(id, kind, ordinal, session, node);
        true
    }

    /// Whether anything is under way, of whatever mission: a turn, or what follows one.
    pub(super) fn at_work(&self) -> bool {
        let under_way = |m: &Mission| {
            let active = |t: &&Task| t.state.is_active() && !m.is_whole_of_parts(&t.spec.id);
            m.running() && m.tasks.iter().any(|t| active(&t))
        };
        !self.seats().is_empty() || self.missions.values().any(under_way)
    }

    fn seats(&self) -> Vec<Seat<'_>> {
        let mut seats = Vec::new();
        for mission in self.missions.values() {
            let live = self.live.get(&mission.id);
            let stage = |a: &Attempt| live.and_then(|l| l.pulses.get(&a.id)).map(|p| p.stage);
            // One that was interrupted, or is to be prompted after a pause, has given its permit up until it goes on.
            let seated = |a: &&Attempt| match stage(a) {
                None | Some(Stage::New) => !a.interrupted,
                Some(stage) => stage != Stage::Shelved,
            };
            seats.extend(mission.open_attempts().filter(seated).map(|a| self.seat(mission, a)));
        }
        seats
    }

    /// What an attempt takes.
    pub(super) fn seat<'a>(&'a self, mission: &'a Mission, attempt: &Attempt) -> Seat<'a> {
        Seat { role: attempt.role(), model: self.model_of(mission, attempt) }
    }

    /// Attempts of a role that are open, in all missions.
    pub(super) fn active(&self, role: Role) -> usize {
        self.missions.values().flat_map(Mission::open_attempts).filter(|a| a.role() == role).count()
    }

    /// The order in which the lanes take an attempt's calls, and the attempt that made it ready.
    pub fn precedence(&self, id: &MissionId, attempt: &AttemptId) -> (Priority, Option<AttemptId>) {
        let found = self.missions.get(id).and_then(|m| Some((m, m.attempts.get(attempt)?)));
        let Some((mission, attempt)) = found else { return (Priority::Normal, None) };
        let newest = |task: &TaskId| {
            let of_task = |a: &&Attempt| a.kind == AttemptKind::Work(task.clone());
            mission.attempts.values().filter(of_task).max_by_key(|a| a.token)
        };
        match &attempt.kind {
            AttemptKind::Planning => (Priority::Normal, None),
            AttemptKind::Review(_) => (Priority::High, None),
            AttemptKind::Work(task) => {
                let spec = mission.task(task).map(|t| &t.spec);
                let before = spec.into_iter().flat_map(|s| &s.depends_on).filter_map(newest);
                let near = before.max_by_key(|a| a.token).map(|a| a.id.clone());
                (spec.map_or(Priority::Normal, |s| priorities(mission).get(s)), near)
            }
        }
    }

    pub(super) fn report_permits(&self, gauges: &mut BTreeMap<String, u64>) {
        for (key, allowed, ceiling) in self.permits.limits() {
            let name = match key {
                Key::Role(role) => format!("permits.{}", role.name()),
                Key::Model(model) => format!("permits.model.{model}"),
                Key::Provider(provider) => format!("permits.provider.{provider}"),
            };
            gauges.insert(format!("{name}.allowed"), u64::from(allowed));
            gauges.insert(format!("{name}.ceiling"), u64::from(ceiling));
        }
        for role in [Role::Planner, Role::Worker, Role::Reviewer] {
            let wanted = self.wants.values().flatten().filter(|w| w.role() == role).count();
            gauges.insert(format!("attempts.wanted.{}", role.name()), wanted as u64);
        }
    }
}

/// What any mission in memory would allow; what it allows itself is asked beside that.
fn ceilings(missions: &BTreeMap<MissionId, Mission>) -> BTreeMap<Key, u32> {
    let mut all = BTreeMap::new();
    let open = missions.values().filter(|m| m.state.is_open());
    for (key, most) in open.flat_map(|m| m.created.options.ceilings()) {
        all.entry(key).and_modify(|known: &mut u32| *known = most.max(*known)).or_insert(most);
    }
    all
}
