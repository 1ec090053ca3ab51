//! The one loop that owns the core: take inputs, step, write the facts down, then act and answer.
//!
//! While a commit is under way no input is taken: what waits is written together with the next commit. A commit that
//! fails takes its actions with it, and the missions concerned go back to what the store holds.
mod carry;
mod diary;
mod ownership;
mod upkeep;

use super::Ports;
use super::bulletin::Bulletin;
use super::core::event::Event;
use super::core::{Action, Answer, Core, Ground, HostInput, Input, Limits, Refusal, ReplyTo, ToolInput};
use super::effects::Effects;
use super::handle::{MissionView, Opened};
use super::index::Index;
use super::journal;
use super::lanes::Lanes;
use super::metrics::{Metrics, Tally};
use crate::domain::ids::{AttemptId, Directory, HostSessionId, Millis, MissionId};
use crate::ports::host::{HostError, ToastKind};
use crate::ports::store::{Append, Claim, MissionRow, OwnerIdentity, OwnerToken, Record, StoreError};
pub use ownership::decode_all;
use ownership::{Found, Loaded, Open};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use upkeep::Upkeep;

/// A mission whose owner has been silent this long may be taken over.
pub const OWNER_TTL_MS: u64 = 15_000;
const OWNER_TTL: Duration = Duration::from_millis(OWNER_TTL_MS);
const HEARTBEAT: Duration = Duration::from_millis(OWNER_TTL_MS / 3);
/// Inputs taken into one commit.
const BATCH: usize = 256;
const TAKEN_OVER: &str = "another Gantry process has taken the mission over; stop here";

pub enum Message {
    Ask { reply: ReplyTo, input: Box<Input>, tx: oneshot::Sender<Answer> },
    Tell(Box<Input>),
    Open { directory: Directory, host_restarted: bool, tx: OpenReply },
    Close { directory: Directory },
    Metrics { tx: oneshot::Sender<Box<Metrics>> },
    View { mission: MissionId, tx: oneshot::Sender<Option<Box<MissionView>>> },
    Ground { session: HostSessionId, whole: bool, tx: oneshot::Sender<Option<Ground>> },
    Shutdown { tx: oneshot::Sender<()> },
}

type OpenReply = oneshot::Sender<Result<Opened, StoreError>>;

/// How a job came back.
enum Done {
    Input(Option<Box<Input>>),
    Opened {
        directory: Directory,
        host_restarted: bool,
        found: Result<Found, StoreError>,
        tx: OpenReply,
    },
    Reloaded {
        mission: MissionId,
        found: Result<Option<Loaded>, StoreError>,
    },
    /// What lay in directories this process is at work in.
    Gathered(Result<Vec<Loaded>, StoreError>),
    Fetched {
        reply: ReplyTo,
        input: Box<Input>,
        found: Result<Vec<Loaded>, StoreError>,
    },
    Marked(Directory),
    /// So many old missions were forgotten.
    Pruned(u64),
    Heard {
        asked: BTreeSet<MissionId>,
        at: Instant,
        held: Result<Vec<MissionId>, StoreError>,
    },
}

/// Why a mission waits for its store, and how often it could not be read back.
#[derive(Default)]
struct Stall {
    error: String,
    tries: u32,
}

type Write = std::pin::Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// What was decided and is being written down.
struct Commit {
    actions: Vec<Action>,
    opens: Vec<Open>,
    missions: BTreeSet<MissionId>,
    created: Vec<MissionId>,
    counts: BTreeMap<MissionId, u64>,
    closed: Vec<AttemptId>,
    kinds: Vec<&'static str>,
    diary: Vec<diary::Line>,
    began: Instant,
}

pub struct Dispatcher {
    ports: Ports,
    effects: Effects,
    index: Arc<Index>,
    core: Core,
    rx: mpsc::Receiver<Message>,
    replies: BTreeMap<ReplyTo, oneshot::Sender<Answer>>,
    /// Missions we own: the right to write, and the last record written.
    owned: BTreeMap<MissionId, (OwnerToken, u64)>,
    jobs: JoinSet<Done>,
    lanes: Lanes,
    /// What the core is told when a job breaks down, by job.
    broken: HashMap<tokio::task::Id, Input>,
    stoppable: BTreeMap<MissionId, Vec<AbortHandle>>,
    /// Who waits for edits of the plan file: the one job that has no end of its own.
    watches: BTreeMap<MissionId, AbortHandle>,
    inbox: VecDeque<Input>,
    marked: BTreeMap<Directory, bool>,
    marking: BTreeSet<Directory>,
    opens: Vec<Open>,
    /// Missions that wait for the store to be read back.
    stalled: BTreeMap<MissionId, Stall>,
    /// Missions that wait for one at work elsewhere, and for which: their users are told once.
    beside: BTreeMap<MissionId, MissionId>,
    stopping: Option<oneshot::Sender<()>>,
    /// Wall clock and monotonic clock at the start.
    began: (Millis, Instant),
    tally: Tally,
    /// Jobs that act on the host, and for which mission.
    acting: HashMap<tokio::task::Id, MissionId>,
    /// A heartbeat, or a look for missions that were left, is under way.
    beating: bool,
    gathering: usize,
    upkeep: Upkeep,
    /// Ended missions that stay in the store, over all projects.
    keep_ended: u32,
}

impl Dispatcher {
    /// Has to be called within a runtime.
    pub fn new(
        ports: Ports,
        limits: Limits,
        index: Arc<Index>,
        bulletin: Arc<Bulletin>,
        rx: mpsc::Receiver<Message>,
    ) -> Self {
        let (seed, keep_ended) = (seed_of(&ports.identity), limits.stored);
        Self {
            lanes: Lanes::start(&limits.lanes, limits.affinity),
            effects: Effects::new(ports.clone(), index.clone(), bulletin),
            began: (ports.clock.now(), Instant::now()),
            ports,
            index,
            core: Core::new(limits, seed),
            rx,
            replies: BTreeMap::new(),
            owned: BTreeMap::new(),
            jobs: JoinSet::new(),
            broken: HashMap::new(),
            stoppable: BTreeMap::new(),
            watches: BTreeMap::new(),
            inbox: VecDeque::new(),
            marked: BTreeMap::new(),
            marking: BTreeSet::new(),
            opens: Vec::new(),
            stalled: BTreeMap::new(),
            beside: BTreeMap::new(),
            stopping: None,
            tally: Tally::default(),
            acting: HashMap::new(),
            beating: false,
            gathering: 0,
            upkeep: Upkeep::default(),
            keep_ended,
        }
    }

    pub async fn run(mut self) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut commit: Option<(Commit, Write)> = None;
        self.prune();
        while self.stopping.is_none() {
            let wake = self.wake();
            let free = commit.is_none();
            // In a fixed order, so that a run can be repeated. None starves another for long: what is first is rare, and
            // `receive_waiting` takes up to a batch of the rest.
            tokio::select! {
                biased;
                _ = heartbeat.tick() => self.heartbeat(),
                result = written(&mut commit), if !free => {
                    if let Some((commit, _)) = commit.take() {
                        self.committed(commit, result);
                    }
                }
                Some(done) = self.jobs.join_next_with_id(), if free && !self.jobs.is_empty() => self.job_done(done),
                Some(done) = self.lanes.finished(), if free => self.carried_out(done),
                message = self.rx.recv(), if free => match message {
                    Some(message) => self.receive(message),
                    None => break,
                },
                () = sleep_until(wake), if free => self.inbox.push_back(Input::Tick),
            }
            if commit.is_none() {
                self.receive_waiting();
                commit = self.turn();
            }
        }
        if let Some((waiting, future)) = commit.take() {
            let result = future.await;
            self.committed(waiting, result);
        }
        self.stop().await;
    }

    /// The core's time. It starts at the wall clock's and then runs by itself: a wall clock that jumps would end turns
    /// that are well, or hold up every timer. What owners agree on in the store is wall time.
    fn now(&self) -> Millis {
        let (wall, began) = self.began;
        wall.plus(began.elapsed().as_millis() as u64)
    }

    /// When the host tries again it says by the wall clock, which may have jumped since this process began.
    fn in_own_time(&self, input: Input) -> Input {
        match input {
            Input::Host { event: HostInput::Status { session, state, retry_at: Some(at), message } } => {
                let retry_at = Some(self.now().plus(at.since(self.ports.clock.now())));
                Input::Host { event: HostInput::Status { session, state, retry_at, message } }
            }
            other => other,
        }
    }

    fn wake(&self) -> Instant {
        let now = self.now();
        // Nothing due: the heartbeat wakes the loop often enough.
        let ms = self.core.next_wake().map_or(OWNER_TTL_MS, |at| at.since(now).max(1));
        Instant::now() + Duration::from_millis(ms.min(OWNER_TTL_MS))
    }

    // ---- inputs

    fn receive(&mut self, message: Message) {
        match message {
            Message::Ask { reply, input, tx } => match self.waits_for_store(&input) {
                Some(why) => {
                    let _ = tx.send(Answer::Refused(Refusal::Store(why)));
                }
                None => {
                    if matches!(*input, Input::Create { .. }) {
                        // Without missions there is no heartbeat that looks.
                        self.look_at_memory();
                    }
                    self.replies.insert(reply, tx);
                    match self.not_in_memory(&input) {
                        Some(wanted) => self.fetch(reply, wanted, input),
                        None => self.inbox.push_back(*input),
                    }
                }
            },
            Message::Tell(input) => {
                let input = self.in_own_time(*input);
                self.inbox.push_back(input);
            }
            Message::Open { directory, host_restarted, tx } => self.open(directory, host_restarted, tx),
            Message::Close { directory } => self.close(&directory),
            Message::View { mission, tx } => {
                let view =
                    self.core.mission(&mission).map(|m| Box::new(MissionView::of(m, &self.core.means_of(m))));
                // The asker may be gone.
                let _ = tx.send(view);
            }
            Message::Ground { session, whole, tx } => {
                // The asker may be gone.
                let _ = tx.send(self.core.ground(&session, whole));
            }
            Message::Metrics { tx } => {
                // The asker may be gone.
                let _ = tx.send(Box::new(self.metrics()));
            }
            Message::Shutdown { tx } => self.stopping = Some(tx),
        }
    }

    fn receive_waiting(&mut self) {
        while self.inbox.len() < BATCH && self.stopping.is_none() {
            if let Ok(message) = self.rx.try_recv() {
                self.receive(message);
            } else if let Some(done) = self.jobs.try_join_next_with_id() {
                self.job_done(done);
            } else if let Some(done) = self.lanes.try_finished() {
                self.carried_out(done);
            } else {
                return;
            }
        }
    }

    fn job_done(&mut self, done: Result<(tokio::task::Id, Done), tokio::task::JoinError>) {
        match done {
            Ok((id, done)) => {
                self.broken.remove(&id);
                self.acting.remove(&id);
                self.take_done(done);
            }
            Err(error) => {
                let fallback = self.broken.remove(&error.id());
                self.acting.remove(&error.id());
                if error.is_panic() {
                    self.tally.jobs_broken += 1;
                    tracing::error!(%error, "a job broke down");
                    self.inbox.extend(fallback);
                }
            }
        }
    }

    fn take_done(&mut self, done: Done) {
        match done {
            Done::Input(input) => self.inbox.extend(input.map(|i| *i)),
            Done::Opened { directory, host_restarted, found, tx } => {
                self.opened(directory, host_restarted, found, tx)
            }
            Done::Reloaded { mission, found } => self.reloaded(mission, found),
            Done::Gathered(found) => {
                self.gathering -= 1;
                match found {
                    Ok(found) => found.into_iter().for_each(|loaded| self.adopt(loaded, false)),
                    Err(error) => tracing::warn!(%error, "open missions could not be looked for"),
                }
            }
            Done::Fetched { reply, input, found } => self.fetched(reply, *input, found),
            Done::Marked(directory) => {
                self.marking.remove(&directory);
                self.mark_directory(directory);
            }
            Done::Pruned(gone) => self.pruned(gone),
            Done::Heard { asked, at, held: Ok(held) } => {
                self.beating = false;
                self.index.own_until(at + OWNER_TTL);
                for mission in asked.into_iter().filter(|m| !held.contains(m)) {
                    tracing::warn!(%mission, "another process has taken the mission over");
                    self.taken_over(&mission);
                }
            }
            Done::Heard { held: Err(error), .. } => {
                self.beating = false;
                tracing::warn!(%error, "the store did not take a heartbeat")
            }
        }
    }

    // ---- the turn

    /// Steps the core through all that waits. What it decides goes to the store as one commit; when nothing is to be
    /// written, the actions are carried out at once.
    fn turn(&mut self) -> Option<(Commit, Write)> {
        let mut events = Vec::new();
        let mut actions = Vec::new();
        let mut diary = Vec::new();
        let now = self.now();
        let mut adopted = BTreeSet::new();
        while let Some(input) = self.inbox.pop_front() {
            if let Input::Adopt { mission, .. } = &input {
                adopted.insert(mission.clone());
            }
            let turn = self.core.step(now, input);
            diary.extend(diary::lines(&turn));
            self.left(turn.left);
            events.extend(turn.events);
            for action in turn.actions {
                match action {
                    Action::Salvage { mission, attempt, role, text } => {
                        let found = (self.ports.salvage)(role, &text);
                        self.inbox.push_back(Input::Salvaged { mission, attempt, found });
                    }
                    action => actions.push(action),
                }
            }
        }
        // What a mission wanted before it was let go was never written down.
        let ours = |a: &Action, new: &BTreeSet<_>| {
            mission_of(a).is_none_or(|m| self.owned.contains_key(&m) || new.contains(&m))
        };
        let new =
            events.iter().filter(|(_, e)| matches!(e, Event::Created(_))).map(|(m, _)| m.clone()).collect();
        actions.retain(|action| ours(action, &new));
        let opens = std::mem::take(&mut self.opens);
        if events.is_empty() {
            adopted.iter().for_each(|mission| self.index.publish(&self.core, mission));
            self.perform(actions);
            self.answer_opens(opens);
            return None;
        }
        let kinds = events.iter().map(|(_, event)| event.kind()).collect();
        let closed = events.iter().filter_map(|(_, event)| match event {
            Event::AttemptClosed { attempt, .. } => Some(attempt.clone()),
            _ => None,
        });
        let closed = closed.collect();
        let (created, batch, counts) = self.batch(now, events);
        let mut missions: BTreeSet<_> = counts.keys().cloned().collect();
        missions.extend(actions.iter().filter_map(mission_of));
        missions.extend(adopted);
        let commit = Commit {
            actions,
            opens,
            missions,
            created: created.iter().map(|a| a.mission.clone()).collect(),
            counts,
            closed,
            kinds,
            diary,
            began: Instant::now(),
        };
        let ports = self.ports.clone();
        let write = async move {
            if !batch.is_empty() {
                ports.store.append(batch).await?;
            }
            // Last, for a new mission may begin as another ends, and its answer says whether it is there.
            for first in created {
                let wall = ports.clock.now();
                ports.store.create(ports.identity.clone(), OWNER_TTL_MS, wall, first).await?;
            }
            Ok(())
        };
        Some((commit, Box::pin(write)))
    }

    fn batch(
        &mut self,
        now: Millis,
        events: Vec<(MissionId, Event)>,
    ) -> (Vec<Append>, Vec<Append>, BTreeMap<MissionId, u64>) {
        let mut by_mission: BTreeMap<MissionId, Vec<(Millis, String, String)>> = BTreeMap::new();
        let mut new = BTreeSet::new();
        for (mission, event) in events {
            if matches!(event, Event::Created(_)) {
                new.insert(mission.clone());
                let token = OwnerToken { owner: self.ports.identity.owner.clone(), fence: 1 };
                self.owned.insert(mission.clone(), (token, 0));
            }
            let (kind, body) = journal::encode(&event);
            by_mission.entry(mission).or_default().push((now, kind, body));
        }
        let (mut created, mut batch, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (mission, records) in by_mission {
            // A mission that was let go in this very turn is not ours to write any more.
            let (Some((owner, after)), Some(state)) = (self.owned.get(&mission), self.core.mission(&mission))
            else {
                continue;
            };
            counts.insert(mission.clone(), records.len() as u64);
            let append = Append {
                mission: mission.clone(),
                owner: owner.clone(),
                after: *after,
                records,
                row: journal::row(state),
            };
            if new.contains(&mission) { created.push(append) } else { batch.push(append) }
        }
        (created, batch, counts)
    }

    fn committed(&mut self, commit: Commit, result: Result<(), StoreError>) {
        match result {
            Ok(()) => {
                self.tally.committed(commit.began.elapsed());
                commit.kinds.iter().for_each(|kind| self.tally.fact(kind));
                if !commit.created.is_empty() {
                    self.index.own_until(commit.began + OWNER_TTL);
                }
                diary::tell(&commit.diary, &commit.counts);
                for (mission, n) in &commit.counts {
                    if let Some((_, seq)) = self.owned.get_mut(mission) {
                        *seq += n;
                        // For the report of a crash; see `telemetry::crash`.
                        tracing::trace!(target: "gantry::journal", %mission, seq = *seq);
                    }
                }
                for mission in &commit.missions {
                    self.index.publish(&self.core, mission);
                }
                self.mark(&commit.missions);
                // Only now: what is not written down has not happened.
                commit.closed.iter().for_each(|attempt| self.lanes.withdraw_attempt(attempt));
                self.perform(commit.actions);
                self.answer_opens(commit.opens);
            }
            Err(StoreError::Duplicate(existing)) => self.duplicate(commit, existing),
            Err(error) => self.refused(commit, &error),
        }
    }

    /// The request was made before, by an earlier process: the answer is the mission it made then.
    fn duplicate(&mut self, commit: Commit, existing: MissionId) {
        for action in &commit.actions {
            if let Action::Answer { to, answer: Answer::Created { .. } } = action {
                let answer = Answer::Created { mission: existing.clone(), queued_behind: Vec::new() };
                self.send(*to, answer);
            }
        }
        self.refused(commit, &StoreError::Duplicate(existing));
    }

    /// Nothing of the turn happened: who waits is told, and the missions go back to what is on disk.
    fn refused(&mut self, commit: Commit, error: &StoreError) {
        tracing::error!(%error, "the store refused a commit");
        self.tally.commits_refused += 1;
        for action in commit.actions {
            if let Action::Answer { to, .. } = action {
                let refusal = match error {
                    StoreError::PlaceTaken(_) => Refusal::Conflict(error.to_string()),
                    _ => Refusal::Store(error.to_string()),
                };
                self.send(to, Answer::Refused(refusal));
            }
        }
        for open in commit.opens {
            let _ = open.tx.send(Err(error.clone()));
        }
        let after = match error {
            StoreError::PlaceTaken(beside) => {
                self.gather_beside(beside.clone());
                HEARTBEAT
            }
            _ => Duration::ZERO,
        };
        for mission in commit.missions {
            let persisted = !commit.created.contains(&mission);
            let fenced = matches!(error, StoreError::Fenced(m) if *m == mission);
            if persisted && !fenced {
                self.tell_stalled(&mission, error);
                self.let_go(&mission, None);
                self.reload(mission, after);
            } else if fenced {
                self.taken_over(&mission);
            } else {
                self.let_go(&mission, Some("the mission was not accepted"));
            }
        }
    }

    /// Why a call of a mission's session cannot be taken now: the mission's state is not in memory, and the core would
    /// take the session for a stranger's.
    fn waits_for_store(&self, input: &Input) -> Option<String> {
        let (Input::Tool { session, .. } | Input::Write { session, .. }) = input else { return None };
        let mission = self.index.get(session)?.mission;
        self.stalled.get(&mission).map(|stall| stall.error.clone())
    }

    /// One notice for each time a mission has to wait for its store.
    fn tell_stalled(&mut self, mission: &MissionId, error: &StoreError) {
        let known = match error {
            StoreError::PlaceTaken(beside) => {
                self.beside.insert(mission.clone(), beside.clone()).as_ref() == Some(beside)
            }
            _ => false,
        };
        let Some(directory) = self.core.mission(mission).map(|m| m.created.directory.clone()) else { return };
        let stall = Stall { error: error.to_string(), tries: 0 };
        if self.stalled.insert(mission.clone(), stall).is_some() || known {
            return;
        }
        let (kind, title) = (ToastKind::Warning, "Mission waits for its store".into());
        let message = format!("{error}. It goes on by itself then.");
        self.perform(vec![Action::Toast { directory, kind, title, message }]);
    }

    /// Drops the state of a mission; for good with the reason, or until it has been read again.
    fn let_go(&mut self, mission: &MissionId, gone: Option<&str>) {
        self.owned.remove(mission);
        self.stop_jobs(mission);
        self.lanes.forget(mission);
        // Ahead of all that waits: its state may never have reached the store, and nothing may follow from it.
        self.inbox.push_back(Input::Tick);
        self.inbox.push_front(Input::Forget { mission: mission.clone(), gone: gone.map(str::to_owned) });
    }

    /// Another process works on the mission: what still runs in this host would work beside it.
    fn taken_over(&mut self, mission: &MissionId) {
        self.tally.taken_over += 1;
        let directory = self.core.mission(mission).map(|m| m.created.directory.clone());
        self.give_up(mission);
        let Some(directory) = directory else { return };
        // What waited for it here would begin beside it.
        let rest = self.core.missions().filter(|m| m.created.directory == directory && m.id != *mission);
        for other in rest.map(|m| m.id.clone()).collect::<Vec<_>>() {
            self.give_up(&other);
        }
        self.release(directory);
    }

    fn give_up(&mut self, mission: &MissionId) {
        if let Some(m) = self.core.mission(mission) {
            let directory = m.created.directory.clone();
            let abort = |session| Action::Abort { of: None, directory: directory.clone(), session };
            let aborts = m.open_attempts().filter_map(|a| a.session.clone()).map(abort).collect();
            self.perform(aborts);
        }
        self.let_go(mission, Some(TAKEN_OVER));
    }

    /// Missions leave the index with the memory, but for those that are being read again.
    fn left(&mut self, left: Vec<MissionId>) {
        for mission in left {
            if self.core.mission(&mission).is_some() {
                continue;
            }
            self.lanes.forget(&mission);
            // Handles of jobs that have ended keep the memory of these.
            self.stoppable.remove(&mission);
            // One that was taken back after its end was watched anew.
            self.unwatch(&mission);
            self.upkeep.left();
            // Let go, and taken in again before that was stepped through.
            let again =
                self.inbox.iter().any(|i| matches!(i, Input::Adopt { mission: m, .. } if *m == mission));
            let over = !again && self.owned.remove(&mission).is_some();
            if !self.stalled.contains_key(&mission) {
                self.beside.remove(&mission);
            }
            if over || !self.stalled.contains_key(&mission) {
                self.index.publish(&self.core, &mission);
            }
        }
    }

    /// The host has closed a directory: its missions are free for whoever opens it next.
    fn close(&mut self, directory: &Directory) {
        let here: Vec<_> = self
            .core
            .missions()
            .filter(|m| m.created.directory == *directory)
            .map(|m| m.id.clone())
            .collect();
        for mission in &here {
            self.let_go(
                mission,
                Some("the directory was closed in OpenCode; the mission goes on when it is opened again"),
            );
        }
        self.release(directory.clone());
    }

    fn release(&mut self, directory: Directory) {
        let ports = self.ports.clone();
        self.jobs.spawn(async move {
            if let Err(error) = ports.store.release(ports.identity.owner.clone(), Some(directory)).await {
                tracing::warn!(%error, "the missions of a directory could not be given up; they are free after a while");
            }
            Done::Input(None)
        });
    }

    /// Keeps the markers that tell a starting host whether work was left in its directory. One write at a time for a
    /// directory, so that the last word is the newest.
    fn mark(&mut self, missions: &BTreeSet<MissionId>) {
        let directories: BTreeSet<_> = missions
            .iter()
            .filter_map(|m| self.core.mission(m))
            .map(|m| m.created.directory.clone())
            .collect();
        directories.into_iter().for_each(|d| self.mark_directory(d));
    }

    fn mark_directory(&mut self, directory: Directory) {
        let open = self.core.missions().any(|m| m.created.directory == directory && !m.at_rest());
        if self.marked.get(&directory) == Some(&open) || !self.marking.insert(directory.clone()) {
            return;
        }
        self.marked.insert(directory.clone(), open);
        let markers = self.ports.markers.clone();
        self.jobs.spawn(async move {
            if let Err(error) = markers.set(directory.clone(), open).await {
                tracing::warn!(%error, %directory, "the marker of open work could not be kept");
            }
            Done::Marked(directory)
        });
    }

    fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.tally.report(&mut metrics);
        self.core.report(&mut metrics.gauges);
        self.lanes.report(&mut metrics);
        metrics.count("pools.attempts.hits", self.core.spares.hits);
        metrics.count("pools.attempts.misses", self.core.spares.misses);
        metrics.count("pools.names.hits", self.core.names.hits);
        metrics.count("pools.names.misses", self.core.names.misses);
        metrics.count("reports.late", self.core.late_reports);
        metrics.count("looks.that_found_missed_events", self.core.events_missed);
        metrics.count("sessions.hits", self.core.pool.hits);
        metrics.count("sessions.misses", self.core.pool.misses);
        metrics.count("sessions.evicted", self.core.pool.evicted);
        metrics.count("folders.hits", self.core.folders.hits);
        metrics.count("folders.misses", self.core.folders.misses);
        // Said also where there was none: that is how it should be.
        metrics.count("actions.look", 0);
        self.report_held(&mut metrics);
        metrics.gauge("host_sessions.known", self.index.len() as u64);
        metrics.gauge("jobs.running", self.jobs.len() as u64);
        metrics.gauge("missions.waiting_for_store", self.stalled.len() as u64);
        metrics.queues.push(self.ports.store.backlog());
        metrics
    }

    // ---- the end

    async fn stop(mut self) {
        self.rx.close();
        self.jobs.abort_all();
        while self.jobs.join_next().await.is_some() {}
        self.lanes.stop().await;
        if let Err(error) = self.ports.store.release(self.ports.identity.owner.clone(), None).await {
            tracing::warn!(%error, "the missions could not be given up; they are free after their lease");
        }
        if let Some(tx) = self.stopping.take() {
            let _ = tx.send(());
        }
    }
}

async fn written(commit: &mut Option<(Commit, Write)>) -> Result<(), StoreError> {
    match commit {
        Some((_, write)) => write.await,
        None => std::future::pending().await,
    }
}

/// Differs between processes: two that were told to wait together must not come back together.
fn seed_of(identity: &OwnerIdentity) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    identity.owner.hash(&mut hasher);
    hasher.finish()
}

/// The mission an action leaves a mark of in the core, so that losing the action means reading the mission anew.
fn mission_of(action: &Action) -> Option<MissionId> {
    match action {
        Action::CreateSession { mission, .. }
        | Action::CheckSession { mission, .. }
        | Action::OpenFolder { mission, .. }
        | Action::Prompt { mission, .. }
        | Action::Look { mission, .. }
        | Action::LookAtParent { mission, .. }
        | Action::HandBack { mission, .. }
        | Action::Survey { mission, .. }
        | Action::Baseline { mission, .. }
        | Action::Inspect { mission, .. }
        | Action::LookAtShells { mission, .. }
        | Action::Check { mission, .. }
        | Action::Record { mission, .. }
        | Action::PlanRollback { mission, .. }
        | Action::RestoreFiles { mission, .. }
        | Action::Salvage { mission, .. }
        | Action::StopWork { mission }
        | Action::Trees { mission, .. }
        | Action::PublishTodo { mission, .. }
        | Action::UpdateTodo { mission, .. }
        | Action::WatchTodo { mission, .. }
        | Action::UnwatchTodo { mission } => Some(mission.clone()),
        Action::Answer { .. }
        | Action::AnswerAsk { .. }
        | Action::Abort { .. }
        | Action::Tell { .. }
        | Action::Toast { .. }
        | Action::Progress { .. } => None,
    }
}
