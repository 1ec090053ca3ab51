//! The engine's core: `step(now, input)` changes the state by facts and says which facts and which actions
//! follow. It is sync, total and knows no clock, chance, file or wire.
//!
//! - Facts (`event.rs`) change state only through `Mission::apply`; the same code replays them.
//! - `advance` looks at the state of a mission and asks for whatever is due and not yet under way. Live operation
//!   and recovery both end in it, so there is one path and not two.
//! - What is not in the journal (who waits for an answer, signs of life, jobs under way) lives in `live.rs` and may
//!   be lost at any time.
//!
//! The caller writes the facts down before it carries out any action.
mod ahead;
mod asks;
mod attempts;
mod checkpoints;
mod context;
mod control;
mod declared;
mod edits;
pub mod event;
mod fractal;
mod gate;
mod grants;
mod hand_back;
mod interrupt;
mod io;
pub mod isolation;
mod landed;
mod landing;
mod limits;
mod live;
pub mod log;
mod notices;
mod overrule;
mod plan;
mod pool;
mod provider;
mod queue;
mod race;
mod recover;
mod revision;
mod rollback;
mod schedule;
mod spending;
pub mod state;
mod steering;
#[cfg(test)]
mod tests;
mod tools;
mod trees;
mod trespass;
mod turns;
pub mod worktrees;

use crate::domain::breaker::Breaker;
use crate::domain::budget::Mean;
use crate::domain::ids::{AttemptId, Directory, HostSessionId, Millis, MissionId, Role, TaskId};
use crate::domain::lease::LeaseTable;
use crate::domain::memory::MemoryGuard;
use crate::domain::mission::{MissionState, Phase};
use crate::domain::names::Names;
use crate::domain::permits::{Line, Permits};
use crate::domain::rate::RateGate;
use crate::domain::spares::Spares;
use crate::domain::task::TaskState;
use event::{Brief, Event};
use grants::Want;
pub use io::{
    Action, Answer, Control, Ground, HostInput, Input, Look, NotePut, Part, Refusal, ReplyTo, RollbackAsk,
    RollbackFound, RollbackLook, RollbackStep, RollbackStretch, RollbackView, ToolInput,
};
pub use limits::Limits;
use live::{Live, Waiter};
pub use recover::replay;
pub(crate) use rollback::scope_text;
pub(crate) use schedule::{STRANGER, may_write, pace, patterns as declared, priorities};
use state::{Attempt, Mission};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most work attempts at one task.
pub const MAX_ATTEMPTS: u32 = 3;
/// Most times the gate of the whole sends work back.
pub const MAX_REWORK: u32 = 2;
/// Most times the whole is put before its gate because the tree moved under the verdict.
pub const MAX_WHOLE_ROUNDS: u32 = 6;

/// Attempts that are kept to be used again, where pools are on.
const SPARE_ATTEMPTS: usize = 200;

/// How long a finished mission stays in memory.
pub const RETAIN_MS: u64 = 30 * 60_000;

/// What a step produced. Events must be durable before any action is carried out.
#[derive(Default, Debug, PartialEq)]
pub struct Turn {
    pub events: Vec<(MissionId, Event)>,
    /// What was before those that change how something stands, by their place in the list.
    pub before: BTreeMap<usize, &'static str>,
    pub actions: Vec<Action>,
    /// Missions that have left memory.
    pub left: Vec<MissionId>,
}

/// Calls that wait through the reading of their mission, and what they had asked for: it may not have reached the disk.
#[derive(Default)]
struct Parked {
    waiters: Vec<Waiter>,
    brief: Option<Brief>,
}

pub struct Core {
    limits: Limits,
    /// Of what is to differ between processes.
    seed: u64,
    missions: BTreeMap<MissionId, Mission>,
    live: BTreeMap<MissionId, Live>,
    /// Every host session of every mission in memory.
    sessions: BTreeMap<HostSessionId, (MissionId, AttemptId)>,
    /// Who may write what, by place.
    leases: BTreeMap<String, LeaseTable>,
    /// Reports and checks that came from attempts that no longer count.
    pub late_reports: u64,
    /// Missions taken over or read again so far.
    adopted: u64,
    /// Who waits for missions that are being read again.
    parked: BTreeMap<MissionId, Parked>,
    /// Places of missions that are being read again: nobody else may begin there meanwhile.
    away: BTreeMap<MissionId, String>,
    permits: Permits,
    line: Line,
    /// What each mission would open next, as of its last `advance`.
    wants: BTreeMap<MissionId, Vec<Want>>,
    /// Notices for the user that wait to be shown together.
    notices: BTreeMap<Directory, notices::Pending>,
    /// What roles were last seen to run on, as `provider/model`.
    models: BTreeMap<Directory, BTreeMap<Role, Arc<str>>>,
    /// Of models: each message of the host says one.
    pub names: Names,
    pub spares: Spares<Attempt>,
    /// By provider.
    breakers: BTreeMap<String, Breaker>,
    gates: BTreeMap<String, RateGate>,
    /// What a turn costs.
    means: BTreeMap<Role, Mean>,
    memory: MemoryGuard,
    /// Directories whose events arrive, and since when that can be relied on.
    trusted: BTreeMap<Directory, Millis>,
    /// Looks that found what no event had told.
    pub events_missed: u64,
    /// Conversations that were used again.
    pub pool: pool::PoolCounts,
    /// Worktrees that the host has open.
    pub folders: ahead::Folders,
    now: Millis,
    turn: Turn,
}

impl Default for Core {
    fn default() -> Self {
        Self::new(Limits::default(), 0)
    }
}

impl Core {
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            permits: Permits::default(),
            memory: MemoryGuard::new(limits.memory),
            spares: Spares::new(if limits.pools { SPARE_ATTEMPTS } else { 0 }, Attempt::blank),
            names: Names::new(limits.pools),
            limits,
            seed,
            missions: BTreeMap::new(),
            live: BTreeMap::new(),
            sessions: BTreeMap::new(),
            leases: BTreeMap::new(),
            late_reports: 0,
            adopted: 0,
            parked: BTreeMap::new(),
            away: BTreeMap::new(),
            line: Line::default(),
            wants: BTreeMap::new(),
            notices: BTreeMap::new(),
            models: BTreeMap::new(),
            breakers: BTreeMap::new(),
            gates: BTreeMap::new(),
            means: BTreeMap::new(),
            trusted: BTreeMap::new(),
            events_missed: 0,
            pool: pool::PoolCounts::default(),
            folders: ahead::Folders::default(),
            now: Millis::default(),
            turn: Turn::default(),
        }
    }

    pub fn step(&mut self, now: Millis, input: Input) -> Turn {
        self.now = self.now.max(now);
        match input {
            Input::Create { reply, mission, created } => self.create(reply, mission, created),
            Input::Control { reply, mission, control } => self.control(reply, &mission, control),
            Input::Attach { reply, mission, parent } => self.attach(reply, &mission, parent),
            Input::Tool { reply, session, call, tool } => self.tool(reply, session, call, tool),
            Input::Write { reply, session, paths } => self.write(reply, &session, paths),
            Input::CallDropped { reply } => self.call_dropped(reply),
            Input::Host { event } => self.host_event(event),
            Input::SessionCreated { mission, attempt, result } => {
                self.session_created(&mission, &attempt, result)
            }
            Input::SessionChecked { mission, session, result } => {
                self.session_checked(&mission, &session, result)
            }
            Input::FolderOpened { mission, folder, result } => self.folder_opened(&mission, folder, result),
            Input::PromptTaken { mission, attempt, result } => self.prompt_taken(&mission, &attempt, result),
            Input::AbortTaken { mission, attempt } => self.abort_taken(&mission, &attempt),
            Input::Looked { mission, attempt, result } => self.looked(&mission, &attempt, result),
            Input::Salvaged { mission, attempt, found } => self.salvaged(&mission, &attempt, found),
            Input::ParentLooked { mission, result } => self.parent_looked(&mission, result),
            Input::HandBackTaken { mission, text, result } => self.hand_back_taken(&mission, &text, result),
            Input::Surveyed { mission, checks, tree, remark } => {
                self.surveyed(&mission, Event::Surveyed { checks, tree, remark });
            }
            Input::Baselined { mission, results, wrote } => self.baselined(&mission, results, wrote),
            Input::Inspected { mission, subject, round, result } => {
                self.inspected(&mission, subject, round, result)
            }
            Input::Checked { mission, subject, round, results, wrote } => {
                self.checked(&mission, subject, round, results, wrote)
            }
            Input::Recorded { mission, round, result } => self.recorded(&mission, round, result),
            Input::RollbackPlanned { mission, round, result } => {
                self.rollback_planned(&mission, round, result)
            }
            Input::FilesRestored { mission, round, result } => self.files_restored(&mission, round, result),
            Input::TodoWritten { mission, result } => self.todo_written(&mission, result),
            Input::Trees(news) => self.tree_news(news),
            Input::ShellsSeen { mission, round, result } => self.shells_seen(&mission, round, result),
            Input::TodoEdited { mission, round, edits } => self.todo_edited(&mission, round, edits),
            Input::Adopt { mission, events, host_restarted } => self.adopt(mission, events, host_restarted),
            Input::Forget { mission, gone } => {
                // What else is to be forgotten must not be acted on before that; the next input settles.
                self.let_go(&mission, gone);
                return std::mem::take(&mut self.turn);
            }
            Input::Memory { now } => {
                if !self.memory.sample(now) {
                    return Turn::default();
                }
            }
            Input::Tick => {}
        }
        self.settle();
        std::mem::take(&mut self.turn)
    }

    /// Everything that follows from the new state: timers that are due, work that can start, notices.
    fn settle(&mut self) {
        self.timers();
        self.degrade();
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            self.advance(&id);
        }
        self.start_queued();
        self.grant_permits();
        self.notify_standstill();
        self.show_progress();
        self.show_notices();
        self.drop_settled();
    }

    /// When the core wants the next `Tick` at the latest.
    pub fn next_wake(&self) -> Option<Millis> {
        self.missions.keys().filter_map(|id| self.wake_of(id)).chain(self.notices_at()).min()
    }

    pub fn mission(&self, id: &MissionId) -> Option<&Mission> {
        self.missions.get(id)
    }
    pub fn missions(&self) -> impl Iterator<Item = &Mission> {
        self.missions.values()
    }
    /// The attempt a host session works for, the newest one where a session was used again.
    pub fn attempt_of(&self, session: &HostSessionId) -> Option<(&Mission, &Attempt)> {
        let (mission, attempt) = self.sessions.get(session)?;
        let mission = self.missions.get(mission)?;
        Some((mission, mission.attempts.get(attempt)?))
    }
    /// The paths a task holds, and whether `path` is free for it; for the check on the hot path.
    pub fn leases(&self, place: &str) -> Option<&LeaseTable> {
        self.leases.get(place)
    }

    /// How many of what there are now, by name.
    pub fn report(&self, gauges: &mut BTreeMap<String, u64>) {
        for state in MissionState::ALL {
            let count = self.missions.values().filter(|m| m.state == state).count();
            if state.is_open() || count > 0 {
                gauges.insert(format!("missions.{}", state.name()), count as u64);
            }
        }
        for role in [Role::Planner, Role::Worker, Role::Reviewer] {
            gauges.insert(format!("attempts.open.{}", role.name()), self.active(role) as u64);
        }
        let waiters = self.live.values().map(|l| l.waiters.len() as u64).sum();
        gauges.insert("calls.waiting_for_the_end".into(), waiters);
        if let Some(memory) = self.memory.last() {
            gauges.insert("memory.percent".into(), memory.percent());
            gauges.insert("memory.own_bytes".into(), memory.own);
        }
        gauges.insert("folders.open".into(), self.folders.len() as u64);
        self.report_permits(gauges);
        self.report_providers(gauges);
        self.report_spending(gauges);
        gauges.insert("pools.attempts.kept".into(), self.spares.kept() as u64);
        gauges.insert("pools.names.kept".into(), self.names.kept() as u64);
    }

    /// Entries of each table; see the dispatcher's.
    pub fn report_held(&self, gauges: &mut BTreeMap<String, u64>) {
        let attempts = self.missions.values().map(|m| m.attempts.len()).sum();
        let pulses = self.live.values().map(|l| l.pulses.len()).sum();
        let tables = [
            ("missions", self.missions.len()),
            ("missions_live", self.live.len()),
            ("attempts", attempts),
            ("attempts_live", pulses),
            ("sessions", self.sessions.len()),
            ("lease_tables", self.leases.len()),
            ("wants", self.wants.len()),
            ("permit_line", self.line.waiting()),
            ("being_read", self.parked.len() + self.away.len()),
            ("notices", self.notices.len()),
            ("models", self.models.values().map(BTreeMap::len).sum()),
            ("trusted_directories", self.trusted.len()),
            ("providers", self.breakers.len().max(self.gates.len())),
        ];
        gauges.extend(tables.map(|(name, n)| (format!("held.{name}"), n as u64)));
    }

    // ---- the one way to change state

    fn emit(&mut self, id: &MissionId, event: Event) {
        let Some(mission) = self.missions.get_mut(id) else { return };
        let before = mission.state;
        let stood = log::standing(mission, &event);
        if let Err(fault) = mission.apply(self.now, &event) {
            // The rules above never produce such a fact; a debug build stops, a release build leaves it out.
            debug_assert!(false, "{id}: {event:?}: {fault}");
            return;
        }
        self.index(id, &event);
        self.live(id).last_fact = self.now;
        if let Some(stood) = stood {
            self.turn.before.insert(self.turn.events.len(), stood);
        }
        self.turn.events.push((id.clone(), event));
        let after = self.missions[id].state;
        if before != after {
            self.state_changed(id, after);
        }
    }

    fn act(&mut self, action: Action) {
        self.turn.actions.push(action);
    }
    fn answer(&mut self, to: ReplyTo, answer: Answer) {
        self.act(Action::Answer { to, answer });
    }
    fn say(&mut self, to: ReplyTo, title: impl Into<String>, output: impl Into<String>) {
        self.answer(to, Answer::Tool { title: title.into(), output: output.into(), metadata: Vec::new() });
    }
    fn refuse(&mut self, to: ReplyTo, refusal: Refusal) {
        self.answer(to, Answer::Refused(refusal));
    }

    /// What facts mean outside the mission itself: which session belongs to whom, who holds which path.
    fn index(&mut self, id: &MissionId, event: &Event) {
        let mission = &self.missions[id];
        match event {
            Event::AttemptOpened { attempt, session: Some(session), .. }
            | Event::AttemptSession { attempt, session } => {
                self.sessions.insert(session.clone(), (id.clone(), attempt.clone()));
            }
            Event::TaskChanged { task, to, .. } => {
                schedule::index_lease(
                    self.leases.entry(mission.place().into()).or_default(),
                    mission,
                    task,
                    *to,
                );
            }
            Event::Accepted { task: Some(task), .. } => {
                let table = self.leases.entry(mission.place().into()).or_default();
                schedule::index_lease(table, mission, task, TaskState::Completed);
            }
            Event::PathTaken { task, path } => {
                schedule::index_path(
                    self.leases.entry(mission.place().into()).or_default(),
                    mission,
                    task,
                    path,
                );
            }
            _ => {}
        }
    }

    fn phase(&mut self, id: &MissionId, to: Phase) {
        if self.missions.get(id).is_some_and(|m| m.phase != Some(to)) {
            self.emit(id, Event::PhaseChanged { to });
            self.notify_phase(id, to);
        }
    }

    fn state(&mut self, id: &MissionId, to: MissionState, reason: impl Into<String>) {
        self.emit(id, Event::StateChanged { to, reason: reason.into() });
    }

    fn live(&mut self, id: &MissionId) -> &mut Live {
        self.live.entry(id.clone()).or_default()
    }

    fn task_changed(&mut self, id: &MissionId, task: &TaskId, to: TaskState, note: Option<String>) {
        self.emit(id, Event::TaskChanged { task: task.clone(), to, note });
        self.live(id).todo_dirty.insert(task.clone());
        self.notify_task(id, task, to);
    }

    /// Whatever is due for a mission and not yet under way. One change may make the next one due, so it goes
    /// round until nothing follows.
    fn advance(&mut self, id: &MissionId) {
        loop {
            let before = (self.turn.events.len(), self.turn.actions.len());
            self.advance_once(id);
            if before == (self.turn.events.len(), self.turn.actions.len()) {
                return;
            }
        }
    }

    fn advance_once(&mut self, id: &MissionId) {
        self.wants.remove(id);
        let Some(mission) = self.missions.get(id) else { return };
        if mission.running() {
            self.advance_survey(id);
        }
        let mission = &self.missions[id];
        if mission.running() {
            self.advance_shells(id);
        }
        let mission = &self.missions[id];
        if mission.running() {
            match mission.phase {
                None => self.phase(id, Phase::Briefing),
                Some(Phase::Briefing) => self.advance_brief(id),
                Some(Phase::Planning) => self.advance_plan(id),
                Some(Phase::Executing) => self.advance_tasks(id),
                Some(Phase::Reviewing) => self.advance_whole(id),
                Some(Phase::Integrating) => self.advance_integration(id),
            }
        }
        if self.missions[id].running() {
            self.advance_ahead(id);
        }
        self.advance_trees(id);
        self.advance_rollback(id);
        self.advance_attempts(id);
        self.update_todo(id);
        self.advance_landing(id);
        self.advance_release(id);
        self.watch_todo(id);
        self.advance_hand_back(id);
    }

    /// Missions with nothing left to do leave memory after a while, or when there are many; their journal stays.
    fn drop_settled(&mut self) {
        let rests: Vec<_> =
            self.missions.keys().filter_map(|id| Some((self.drop_at(id)?, id.clone()))).collect();
        // What was decided in this very moment may not be written down yet.
        let mut resting: Vec<_> =
            rests.into_iter().filter(|(at, _)| *at < self.now.plus(RETAIN_MS)).collect();
        resting.sort();
        let many = resting.len().saturating_sub(self.limits.at_rest);
        for (n, (at, id)) in resting.into_iter().enumerate() {
            if n < many || at <= self.now {
                self.forget(&id);
            }
        }
        // Late news of a mission that had left memory may have begun one.
        if self.live.len() > self.missions.len() {
            self.live.retain(|id, _| self.missions.contains_key(id));
        }
    }

    /// When a mission leaves memory; none while there is anything left to do. Counted from its last fact, which has to be
    /// written down first, or from when it was read: times in its journal may come from a clock that was ahead.
    fn drop_at(&self, id: &MissionId) -> Option<Millis> {
        self.missions.get(id).filter(|m| m.at_rest())?;
        Some(self.live.get(id).map_or(self.now, |l| l.last_fact).plus(RETAIN_MS))
    }

    /// Its state is dropped; the journal has it.
    fn let_go(&mut self, id: &MissionId, gone: Option<String>) {
        let live = self.live.remove(id).unwrap_or_default();
        let why = gone.as_deref().unwrap_or("the mission is being read again; look at it, and try again");
        self.drop_rollback(live.rollback, why);
        let mut waiters = live.waiters;
        let parked = self.parked.remove(id).unwrap_or_default();
        waiters.extend(parked.waiters);
        let brief = self.missions.get(id).and_then(|m| m.brief.clone()).or(parked.brief);
        // Whatever its state is here: on disk it may still be at work.
        let place = self.missions.get(id).map(|m| m.place().to_owned());
        match gone {
            Some(why) => {
                self.away.remove(id);
                for waiter in waiters {
                    self.refuse(waiter.reply, Refusal::Cancelled(why.clone()));
                }
            }
            None => {
                self.away.extend(place.map(|place| (id.clone(), place)));
                self.parked.insert(id.clone(), Parked { waiters, brief });
            }
        }
        self.forget(id);
    }

    fn forget(&mut self, id: &MissionId) {
        if let Some(mission) = self.missions.remove(id) {
            self.sessions.retain(|_, (owner, _)| owner != id);
            if let Some(table) = self.leases.get_mut(mission.place()) {
                schedule::release_all(table, &mission);
            }
            if !self.missions.values().any(|m| m.place() == mission.place()) {
                self.leases.remove(mission.place());
            }
            // What was learned of a directory lasts as long as its missions.
            let directory = &mission.created.directory;
            if !self.missions.values().any(|m| m.created.directory == *directory) {
                self.trusted.remove(directory);
                self.models.remove(directory);
            }
            self.spares.give(mission.attempts.into_values());
        }
        self.live.remove(id);
        self.wants.remove(id);
        self.line.left(id);
        self.turn.left.push(id.clone());
    }
}
