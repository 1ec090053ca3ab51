//! The servers that run, of all projects: each has a place, and there are only so many.
use super::known::Language;
use super::session::Session;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until};

/// From the last call of a server to its end.
const IDLE: Duration = Duration::from_secs(300);
/// Servers that run at one time. They take hundreds of megabytes each.
const MOST: usize = 6;
/// After a server broke down: before it is started again, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between two looks for a server that can give way, while all are busy.
const LOOK: Duration = Duration::from_millis(50);

pub(super) type Key = (PathBuf, Language);

pub(super) struct Pool {
    slots: Mutex<BTreeMap<Key, Arc<Slot>>>,
    places: Arc<Semaphore>,
}

/// What is known of the server of one project and language.
pub(super) struct Slot {
    pub server: tokio::sync::Mutex<Kept>,
    last_used: Mutex<Instant>,
}

/// A server as one call leaves it to the next.
#[derive(Default)]
pub(super) struct Kept {
    pub live: Option<Live>,
    /// Breakdowns in a row.
    pub failures: u32,
    pub not_before: Option<Instant>,
}

/// A server that runs. Its place is free once its processes have been ended.
pub(super) struct Live {
    pub session: Session,
    pub _place: OwnedSemaphorePermit,
}

impl Default for Pool {
    fn default() -> Self {
        Self { slots: Mutex::default(), places: Arc::new(Semaphore::new(MOST)) }
    }
}

impl Slot {
    pub(super) fn used(&self) {
        *self.last_used.lock() = Instant::now();
    }
}

impl Pool {
    pub(super) fn running(&self) -> usize {
        MOST - self.places.available_permits()
    }

    pub(super) fn slot(self: &Arc<Self>, key: &Key) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(key) {
            slot.used();
            return slot.clone();
        }
        let slot = Arc::new(Slot { server: Default::default(), last_used: Mutex::new(Instant::now()) });
        slots.insert(key.clone(), slot.clone());
        tokio::spawn(Self::end_when_idle(Arc::downgrade(self), Arc::downgrade(&slot), key.clone()));
        slot
    }

    /// A place for one more server; the longest unused of those that are not busy gives way.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return place;
            }
            match self.longest_unused() {
                Some(live) => live.session.end().await,
                None => sleep(LOOK).await,
            }
        }
    }

    fn longest_unused(&self) -> Option<Live> {
        let mut slots: Vec<_> = self.slots.lock().values().cloned().collect();
        slots.sort_by_key(|slot| *slot.last_used.lock());
        slots.iter().find_map(|slot| slot.server.try_lock().ok()?.live.take())
    }

    /// One for each slot, from its first call on, whatever becomes of the calls. It keeps no server alive.
    async fn end_when_idle(pool: Weak<Self>, slot: Weak<Slot>, key: Key) {
        loop {
            let Some(last) = slot.upgrade().map(|slot| *slot.last_used.lock()) else { return };
            sleep_until(last + IDLE).await;
            let (Some(pool), Some(slot)) = (pool.upgrade(), slot.upgrade()) else { return };
            let live = {
                let mut slots = pool.slots.lock();
                let Ok(mut kept) = slot.server.try_lock() else {
                    // A call is under way; it ends in its time.
                    slot.used();
                    continue;
                };
                if slot.last_used.lock().elapsed() < IDLE {
                    continue;
                }
                slots.remove(&key);
                kept.live.take()
            };
            if let Some(live) = live {
                live.session.end().await;
            }
            return;
        }
    }
}

impl Kept {
    pub(super) fn broke_down(&mut self) {
        // Dropping it ends its processes.
        self.live = None;
        let pause = PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(Instant::now() + pause);
    }
}
