//! What missions leave behind, in memory and in the store, goes while the process runs.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gantry::adapters::memory::MemoryStore;
use gantry::adapters::system::Uuids;
use gantry::domain::ids::Millis;
use gantry::domain::memory::MemoryUse;
use gantry::engine::handle::Limits;
use gantry::ports::Fut;
use gantry::ports::store::Store;
use gantry::ports::system::{Clock, MemoryGauge};
use tokio::time::{Instant, sleep};

use crate::engine::{Engine, Ground, QuickHost};

const STORED: u32 = 10;
const AT_REST: usize = 4;
const MANY: usize = 20;

/// Wall time as the runtime has it: holds on missions run out by it.
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Millis {
        Millis(1_767_225_600_000 + self.0.elapsed().as_millis() as u64)
    }
}

/// Counts how often memory is given back.
#[derive(Default)]
struct Gauge(AtomicU64);

impl MemoryGauge for Gauge {
    fn read(&self) -> Option<MemoryUse> {
        None
    }
    fn give_back(&self) -> Fut<'_, ()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

/// A runtime's clock, and nothing that outlives it.
pub fn in_memory() -> Ground {
    Ground {
        clock: Arc::new(RuntimeClock(Instant::now())),
        ids: Arc::new(Uuids),
        store: Arc::new(MemoryStore::new()),
        memory: Arc::new(Gauge::default()),
        limits: Limits::default(),
    }
}

/// How many entries each table of the engine holds.
async fn held(engine: &Engine) -> BTreeMap<String, u64> {
    let gauges = engine.handle.metrics().await.gauges;
    gauges.into_iter().filter(|(name, _)| name.starts_with("held.")).collect()
}

async fn stored(store: &MemoryStore) -> usize {
    store.missions(None, false, 10_000).await.expect("a list").len()
}

/// What is used again was used again, and no more is kept than may be.
async fn pools(engine: &Engine) {
    let metrics = engine.handle.metrics().await;
    let of = |name: &str| metrics.counters[name];
    let attempts = 22 * 4 * MANY as u64;
    assert_eq!(of("pools.attempts.hits") + of("pools.attempts.misses"), attempts);
    // The first of each round find what the last of the round before has left.
    assert!(of("pools.attempts.hits") > attempts / 2, "{} of {attempts}", of("pools.attempts.hits"));
    assert!((1..=200).contains(&metrics.gauges["pools.attempts.kept"]));
    assert_eq!((of("pools.names.misses"), metrics.gauges["pools.names.kept"]), (1, 1), "one model");
    assert!(of("pools.names.hits") >= attempts - 1);
}

// On a paused clock: nothing here waits for a thread, and half an hour passes.
#[tokio::test(start_paused = true)]
async fn tables_and_store_are_back_at_their_bounds_after_any_number_of_missions() {
    let (store, memory) = (MemoryStore::new(), Arc::new(Gauge::default()));
    let ground = Ground {
        store: Arc::new(store.clone()),
        memory: memory.clone(),
        limits: Limits { at_rest: AT_REST, stored: STORED, pools: true, ..Limits::default() },
        ..in_memory()
    };
    let engine = Engine::start(ground, 10, Arc::new(QuickHost::new(Duration::from_millis(10), false)));
    let mut rounds = Vec::new();
    for round in 0..4 {
        engine.missions(MANY, 5).await;
        // Several heartbeats, and the holds on missions that have left memory run out.
        sleep(Duration::from_secs(60)).await;
        let tables = held(&engine).await;
        assert_eq!(tables["held.missions"], AT_REST as u64);
        rounds.push((tables, stored(&store).await));
        assert!(memory.0.load(Ordering::Relaxed) > round, "memory is given back with each round");
    }
    // The newest are kept, and those of the last round were still held when the rest went.
    assert!(rounds[1].1 <= STORED as usize + MANY, "{}", rounds[1].1);
    assert_eq!(rounds[1], rounds[2]);
    assert_eq!(rounds[1], rounds[3]);
    let forgotten = engine.handle.metrics().await.counters["store.missions_forgotten"];
    assert_eq!(forgotten as usize + rounds[3].1, 4 * MANY, "what is not in the store was forgotten");
    pools(&engine).await;
    sleep(Duration::from_secs(31 * 60)).await;
    let mut left = held(&engine).await;
    // What was learned of providers stays; there are as many of those as there are.
    assert_eq!(left.remove("held.providers"), Some(1));
    left.retain(|_, n| *n > 0);
    assert_eq!(left, BTreeMap::new());
}
