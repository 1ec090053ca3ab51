//! The lanes at work: one task of the runtime each, results by a channel to the dispatcher.
use super::queue::{Counts, Deque, Group, Rings};
use crate::domain::ids::{AttemptId, MissionId, Role};
use crate::domain::plan::Priority;
use crate::engine::core::Input;
use crate::engine::metrics::Metrics;
use crate::ports::queue::Queue;
use crossbeam_deque::Injector;
use futures_util::FutureExt;
use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Entries that may wait in all lanes together. There is one for each open attempt and gate at most, so this many means
/// that the host has stopped answering.
pub const LIMIT: u64 = 4_096;
/// Results on their way to the dispatcher; a lane whose result finds no place waits.
const RESULTS: usize = 256;

pub type Job = Pin<Box<dyn Future<Output = Option<Input>> + Send>>;

/// What an entry is for, so that it can be withdrawn.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    pub mission: MissionId,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum What {
    Attempt(AttemptId),
    /// At the tree.
    Look,
}

pub struct Entry {
    pub key: Key,
    pub role: Role,
    pub priority: Priority,
    /// The attempt that made this one ready, or the attempt itself: whoever carried that out has its directory warm.
    pub near: Option<AttemptId>,
    /// Whether it is cut off in the middle when it is withdrawn. A call to the host is not: what it asked for may come
    /// to be all the same, and nobody would know of it.
    pub stoppable: bool,
    /// What the core is told should it break down.
    pub broken: Option<Input>,
    pub job: Job,
}

/// An entry is done with. `input` is none when it was withdrawn.
pub struct Finished {
    id: u64,
    pub key: Key,
    pub role: Role,
    pub lane: usize,
    pub input: Option<Input>,
    pub panicked: bool,
}

struct Slot {
    id: u64,
    entry: Entry,
    withdrawn: CancellationToken,
}

type Lane = Group<Deque<Slot>, Injector<Slot>, Rings>;

#[derive(Default)]
struct Tally {
    dropped: AtomicU64,
    busy: AtomicU64,
}

pub struct Lanes {
    groups: BTreeMap<Role, Arc<Lane>>,
    tasks: JoinSet<()>,
    results: mpsc::Receiver<Finished>,
    /// What has been pushed and is not finished.
    open: HashMap<u64, (Key, CancellationToken)>,
    next: u64,
    /// Which lane carried out what attempt last.
    places: HashMap<MissionId, HashMap<AttemptId, (Role, usize)>>,
    affinity: bool,
    tally: Arc<Tally>,
    /// Entries that found all places taken.
    overflow: u64,
}

impl Lanes {
    /// Has to be called within a runtime. Without `affinity` every entry goes to the shared shelves.
    pub fn start(lanes: &BTreeMap<Role, usize>, affinity: bool) -> Self {
        let (tx, results) = mpsc::channel(RESULTS);
        let tally = Arc::new(Tally::default());
        let mut tasks = JoinSet::new();
        let mut groups = BTreeMap::new();
        for (role, n) in lanes {
            let group = Arc::new(Lane::new::<Slot>(*n));
            for lane in 0..group.lanes() {
                tasks.spawn(work(group.clone(), lane, tx.clone(), tally.clone()));
            }
            groups.insert(*role, group);
        }
        Self {
            groups,
            tasks,
            results,
            open: HashMap::new(),
            next: 0,
            places: HashMap::new(),
            affinity,
            tally,
            overflow: 0,
        }
    }

    /// Gives the entry back when there is no place for it.
    pub fn push(&mut self, entry: Entry) -> Result<(), Box<Entry>> {
        let Some(group) = self.groups.get(&entry.role) else { return Err(Box::new(entry)) };
        if self.open.len() as u64 >= LIMIT {
            self.overflow += 1;
            return Err(Box::new(entry));
        }
        self.next += 1;
        let (id, withdrawn) = (self.next, CancellationToken::new());
        self.open.insert(id, (entry.key.clone(), withdrawn.clone()));
        let lane = self.place_of(&entry);
        self.places.entry(entry.key.mission.clone()).or_default();
        let priority = entry.priority;
        group.push(Slot { id, entry, withdrawn }, priority, lane);
        Ok(())
    }

    fn place_of(&self, entry: &Entry) -> Option<usize> {
        let near = entry.near.as_ref().filter(|_| self.affinity)?;
        let (role, lane) = self.places.get(&entry.key.mission)?.get(near)?;
        (*role == entry.role).then_some(*lane)
    }

    /// The next one that is done. May be dropped at any time without loss.
    pub async fn finished(&mut self) -> Option<Finished> {
        let finished = self.results.recv().await?;
        Some(self.settle(finished))
    }

    pub fn try_finished(&mut self) -> Option<Finished> {
        let finished = self.results.try_recv().ok()?;
        Some(self.settle(finished))
    }

    fn settle(&mut self, finished: Finished) -> Finished {
        self.open.remove(&finished.id);
        if let What::Attempt(attempt) = &finished.key.what {
            // Not where the mission has left memory meanwhile.
            if let Some(places) = self.places.get_mut(&finished.key.mission) {
                places.insert(attempt.clone(), (finished.role, finished.lane));
            }
        }
        finished
    }

    /// Whether anything of the mission is not done with, be it only to be dropped.
    pub fn act_for(&self, mission: &MissionId) -> bool {
        self.open.values().any(|(key, _)| key.mission == *mission)
    }

    /// What waits for this attempt is dropped when it is taken.
    pub fn withdraw_attempt(&mut self, attempt: &AttemptId) {
        self.withdraw(|key| matches!(&key.what, What::Attempt(a) if a == attempt));
    }

    /// Looks at the tree of a mission that has stopped.
    pub fn withdraw_looks(&mut self, mission: &MissionId) {
        self.withdraw(|key| key.mission == *mission && key.what == What::Look);
    }

    /// The mission has left memory.
    pub fn forget(&mut self, mission: &MissionId) {
        self.withdraw(|key| key.mission == *mission);
        self.places.remove(mission);
    }

    fn withdraw(&self, of: impl Fn(&Key) -> bool) {
        self.open.values().filter(|(key, _)| of(key)).for_each(|(_, token)| token.cancel());
    }

    /// Results that have not been fetched are lost with it, as with any crash.
    pub async fn stop(&mut self) {
        self.groups.values().for_each(|group| group.close());
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
    }

    pub fn report(&self, metrics: &mut Metrics) {
        for (role, group) in &self.groups {
            let name = |what: &str| format!("lanes.{}.{what}", role.name());
            let counts = &group.counts;
            let each = [
                ("pushed", &counts.pushed),
                ("own", &counts.own),
                ("shared", &counts.shared),
                ("stolen", &counts.stolen),
                ("parks", &counts.parked),
            ];
            for (what, n) in each {
                metrics.count(&name(what), n.load(Ordering::Relaxed));
            }
            metrics.gauge(&name("lanes"), group.lanes() as u64);
            metrics.gauge(&name("waiting"), counts.waiting());
        }
        metrics.count("lanes.dropped_at_the_pop", self.tally.dropped.load(Ordering::Relaxed));
        metrics.gauge("held.lane_places", self.places.len() as u64);
        metrics.gauge("lanes.busy", self.tally.busy.load(Ordering::Relaxed));
        metrics.queues.push(Queue {
            name: "lanes",
            waiting: self.open.len() as u64,
            limit: LIMIT,
            when_full: "what finds no place is carried out at once, beside the lanes",
            turned_away: self.overflow,
        });
    }
}

async fn work(group: Arc<Lane>, lane: usize, results: mpsc::Sender<Finished>, tally: Arc<Tally>) {
    while let Some((slot, _)) = group.next::<Slot>(lane).await {
        let Slot { id, entry, withdrawn } = slot;
        let Entry { key, role, stoppable, broken, job, .. } = entry;
        let busy = Busy::new(&tally);
        let (input, panicked) = if withdrawn.is_cancelled() {
            Counts::add(&tally.dropped);
            (None, false)
        } else {
            // A job that panics ends as one that broke down; its lane goes on.
            let job = AssertUnwindSafe(job).catch_unwind();
            let done = if stoppable { withdrawn.run_until_cancelled(job).await } else { Some(job.await) };
            match done {
                None => (None, false),
                Some(Ok(input)) => (input, false),
                Some(Err(_)) => (broken, true),
            }
        };
        drop(busy);
        if results.send(Finished { id, key, role, lane, input, panicked }).await.is_err() {
            return;
        }
    }
}

/// Counted for as long as it lives, however its lane ends.
struct Busy<'a>(&'a Tally);

impl<'a> Busy<'a> {
    fn new(tally: &'a Tally) -> Self {
        Counts::add(&tally.busy);
        Self(tally)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
