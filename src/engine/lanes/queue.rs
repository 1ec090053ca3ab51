//! Where entries wait: a Chase-Lev deque per lane, one shared shelf per priority, and a ring for each entry.
//!
//! A ring is kept until a lane takes it, and goes to a lane that sleeps where there is one: to the lane that the entry is
//! for, else to the one that has slept longest. Whoever got a ring is owed an entry and looks until it has one. That is
//! what rules out a lost wake-up, and with it the timer that would make up for one.
use crate::domain::plan::Priority;
use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Where entries of one lane, or of one priority, wait.
pub trait Shelf<T>: Default {
    fn push(&self, entry: T);
    /// The newest, for its own lane: what was made ready just now finds its directory warm.
    fn pop(&self) -> Option<T>;
    /// The oldest, for anybody.
    fn steal(&self) -> Steal<T>;
}

/// What one lane sleeps by.
pub trait Bell {
    fn ring(&self);
    /// False when no more will come.
    fn listen(&self) -> impl Future<Output = bool> + Send;
    fn close(&self);
    /// Between two looks at shelves that others are just taking from.
    fn breathe();
}

/// The deque of a lane. Chase-Lev asks for one thread at a time at the own end, and there are two here: the dispatcher
/// pushes, the lane pops. The lock between them is never held for longer than that; thieves do without it.
pub struct Deque<T> {
    own: Mutex<Worker<T>>,
    stealer: Stealer<T>,
}

impl<T> Default for Deque<T> {
    fn default() -> Self {
        let own = Worker::new_lifo();
        Self { stealer: own.stealer(), own: Mutex::new(own) }
    }
}

impl<T> Shelf<T> for Deque<T> {
    fn push(&self, entry: T) {
        self.own.lock().push(entry);
    }
    fn pop(&self) -> Option<T> {
        self.own.lock().pop()
    }
    fn steal(&self) -> Steal<T> {
        // Not `steal_batch_and_pop`: it moves a part of the queue to one thief, out of its order.
        self.stealer.steal()
    }
}

impl<T> Shelf<T> for Injector<T> {
    fn push(&self, entry: T) {
        Self::push(self, entry);
    }
    fn pop(&self) -> Option<T> {
        None
    }
    fn steal(&self) -> Steal<T> {
        Self::steal(self)
    }
}

pub struct Rings(Semaphore);

impl Default for Rings {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Bell for Rings {
    fn ring(&self) {
        self.0.add_permits(1);
    }
    async fn listen(&self) -> bool {
        self.0.acquire().await.map(|ring| ring.forget()).is_ok()
    }
    fn close(&self) {
        self.0.close();
    }
    fn breathe() {
        std::hint::spin_loop();
    }
}

/// How an entry was come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Own,
    Shared,
    Stolen,
}

#[derive(Default)]
pub struct Counts {
    pub pushed: AtomicU64,
    pub own: AtomicU64,
    pub shared: AtomicU64,
    pub stolen: AtomicU64,
    /// Times a lane found nothing to do and slept.
    pub parked: AtomicU64,
}

impl Counts {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Pushed and not yet taken.
    pub fn waiting(&self) -> u64 {
        let taken = [&self.own, &self.shared, &self.stolen].map(|n| n.load(Ordering::Relaxed));
        self.pushed.load(Ordering::Relaxed).saturating_sub(taken.iter().sum())
    }
}

/// Who sleeps, and the rings that found nobody asleep.
#[derive(Default)]
struct Hall {
    rings: usize,
    /// Who has slept longest stands first.
    asleep: VecDeque<usize>,
    closed: bool,
}

/// The lanes of one role. They end together: a single one that was dropped in its sleep would be rung for nothing.
pub struct Group<D, S, B> {
    lanes: Vec<D>,
    high: S,
    normal: S,
    low: S,
    hall: Mutex<Hall>,
    /// One for each lane.
    bells: Vec<B>,
    pub counts: Counts,
}

impl<D, S, B: Bell + Default> Group<D, S, B> {
    pub fn new<T>(lanes: usize) -> Self
    where
        D: Shelf<T>,
        S: Shelf<T>,
    {
        Self {
            lanes: (0..lanes.max(1)).map(|_| D::default()).collect(),
            high: S::default(),
            normal: S::default(),
            low: S::default(),
            hall: Mutex::default(),
            bells: (0..lanes.max(1)).map(|_| B::default()).collect(),
            counts: Counts::default(),
        }
    }

    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// On the deque of the lane it has an affinity to; without one, and where its priority has to count among all lanes, on
    /// the shelf of that priority. The lane it is for is woken for it in either case.
    pub fn push<T>(&self, entry: T, priority: Priority, lane: Option<usize>)
    where
        D: Shelf<T>,
        S: Shelf<T>,
    {
        match (priority, lane.and_then(|n| self.lanes.get(n))) {
            (Priority::High, _) => self.high.push(entry),
            (Priority::Normal, Some(lane)) => lane.push(entry),
            (Priority::Normal, None) => self.normal.push(entry),
            (Priority::Low, _) => self.low.push(entry),
        }
        Counts::add(&self.counts.pushed);
        // Only now, so that whoever hears it finds the entry.
        self.ring(lane);
    }

    fn ring(&self, lane: Option<usize>) {
        let sleeper = {
            let mut hall = self.hall.lock();
            let place = hall.asleep.iter().position(|asleep| Some(*asleep) == lane).unwrap_or(0);
            let sleeper = hall.asleep.remove(place);
            hall.rings += usize::from(sleeper.is_none());
            sleeper
        };
        if let Some(sleeper) = sleeper {
            self.bells[sleeper].ring();
        }
    }

    /// Takes a ring that is left; else the lane is among those asleep from now on.
    fn heard(&self, lane: usize) -> bool {
        let mut hall = self.hall.lock();
        let heard = hall.rings > 0 && !hall.closed;
        if heard {
            hall.rings -= 1;
        } else {
            hall.asleep.push_back(lane);
        }
        heard
    }

    /// The next entry for a lane; it sleeps until there is one. None when the group is closed.
    pub async fn next<T>(&self, lane: usize) -> Option<(T, From)>
    where
        D: Shelf<T>,
        S: Shelf<T>,
    {
        if !self.heard(lane) {
            Counts::add(&self.counts.parked);
            if !self.bells[lane].listen().await {
                return None;
            }
        }
        // No await between hearing the bell and having the entry: a lane that is dropped here would leave one behind
        // that nobody is called for.
        loop {
            if let Some((entry, from)) = self.find(lane) {
                Counts::add(match from {
                    From::Own => &self.counts.own,
                    From::Shared => &self.counts.shared,
                    From::Stolen => &self.counts.stolen,
                });
                return Some((entry, from));
            }
            // Another lane took what was here while its own came to a shelf already passed.
            B::breathe();
        }
    }

    fn find<T>(&self, lane: usize) -> Option<(T, From)>
    where
        D: Shelf<T>,
        S: Shelf<T>,
    {
        let shared = |shelf: &S| taken(|| shelf.steal()).map(|e| (e, From::Shared));
        let steal = || {
            let others = (1..self.lanes.len()).map(|n| &self.lanes[(lane + n) % self.lanes.len()]);
            others.into_iter().find_map(|other| taken(|| other.steal())).map(|e| (e, From::Stolen))
        };
        shared(&self.high)
            .or_else(|| self.lanes[lane].pop().map(|e| (e, From::Own)))
            .or_else(|| shared(&self.normal))
            .or_else(steal)
            .or_else(|| shared(&self.low))
    }

    pub fn close(&self) {
        self.hall.lock().closed = true;
        self.bells.iter().for_each(Bell::close);
    }
}

/// `Retry` says that another was quicker, not that there is nothing.
fn taken<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(entry) => return Some(entry),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}
