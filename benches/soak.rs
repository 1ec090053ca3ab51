//! The whole engine on its real store, against a host whose turns take as long as they are told and cost nothing.
//! `cargo bench --bench soak`; name parts (`store`, `many`, `turnaround`, `affinity`) to run only some. What the host
//! and the tree of this bench themselves take is in the figures.
//!
//! - `store`: 3,000 missions of 10 tasks come and go: resident memory on the way.
//! - `many`: 100 missions of 10 tasks at one time: memory, processor time, turns whose end was not heard of.
//! - `turnaround`: 50 turns side by side end without their report: from the idle notice to the reminder.
//! - `affinity`: the same missions with and without lanes that keep to what they know.
#![allow(clippy::print_stdout, reason = "a bench is read on the terminal")]
#[path = "../tests/server/engine.rs"]
mod engine;
#[path = "../tests/server/parts.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod parts;

use engine::{Engine, Ground, QuickHost, TASKS};
use gantry::adapters::sqlite::SqliteStore;
use gantry::adapters::system::{SystemClock, SystemMemory, Uuids};
use gantry::engine::handle::{Limits, Metrics};
use gantry::ports::system::MemoryGauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

fn main() {
    let named: Vec<_> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|n| n == part);
    // Threads as in the sidecar.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        if wanted("turnaround") {
            turnaround().await;
        }
        if wanted("affinity") {
            affinity().await;
        }
        if wanted("many") {
            many().await;
        }
        if wanted("store") {
            come_and_go().await;
        }
    });
}

// ---- parts

async fn come_and_go() {
    println!("store: 3,000 missions of {TASKS} tasks, 20 at a time");
    let bench = Bench::start(Limits::default(), 40, Duration::ZERO, false);
    let mut done = 0;
    for total in [100, 250, 500, 750, 1_000, 1_500, 2_000, 2_500, 3_000] {
        bench.engine.missions(total - done, 20).await;
        done = total;
        let gauges = bench.engine.handle.metrics().await.gauges;
        let kept: u64 = gauges.iter().filter(|(k, _)| k.starts_with("missions.")).map(|(_, n)| n).sum();
        println!("  after {:4}: {:.1} MB resident, {kept} missions in memory", total, rss());
    }
}

async fn many() {
    println!("many: 100 missions of {TASKS} tasks at one time, turns of 1 s, 100 workers");
    let bench = Bench::start(Limits::default(), 100, Duration::from_secs(1), false);
    let (cpu, began) = (cpu_seconds(), Instant::now());
    let peak = Arc::new(AtomicU64::new(0));
    let watch = tokio::spawn({
        let peak = peak.clone();
        async move {
            loop {
                peak.fetch_max((rss() * 10.0) as u64, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    bench.engine.missions(100, 100).await;
    watch.abort();
    let metrics = bench.engine.handle.metrics().await;
    let took = began.elapsed().as_secs_f64();
    println!(
        "  {took:.1} s, processor {:.1} s ({:.0} % of one core), peak {:.1} MB resident",
        cpu_seconds() - cpu,
        (cpu_seconds() - cpu) / took * 100.0,
        peak.load(Ordering::Relaxed) as f64 / 10.0
    );
    println!(
        "  {} turns, ends not heard of: {}, events dropped: {}",
        metrics.counters["actions.prompt"],
        metrics.counters["looks.that_found_missed_events"],
        bench.engine.handle.dropped_events()
    );
}

async fn turnaround() {
    println!("turnaround: idle notice of a worker → its reminder, 50 turns side by side, turns of 1 s");
    let bench = Bench::start(Limits::default(), 50, Duration::from_secs(1), true);
    bench.engine.missions(20, 5).await;
    let mut times = bench.host.reminded.lock().clone();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "  n {}, p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

async fn affinity() {
    println!("affinity: 40 missions of {TASKS} tasks, 10 at a time, turns of 0 ms; in turns, three of each");
    for round in 1..=3 {
        for affinity in [true, false] {
            let bench = Bench::start(Limits { affinity, ..Limits::default() }, 40, Duration::ZERO, false);
            let began = Instant::now();
            bench.engine.missions(40, 10).await;
            let took = began.elapsed().as_secs_f64();
            let metrics = bench.engine.handle.metrics().await;
            let sum = |what: &str| of_lanes(&metrics, what);
            println!(
                "  {round} affinity {affinity:5}: {took:.2} s; entries {}, own {}, shared {}, stolen {}, parks {}",
                sum("pushed"),
                sum("own"),
                sum("shared"),
                sum("stolen"),
                sum("parks")
            );
        }
    }
}

fn of_lanes(metrics: &Metrics, what: &str) -> u64 {
    let roles = ["planner", "worker", "reviewer"];
    roles.iter().filter_map(|role| metrics.counters.get(&format!("lanes.{role}.{what}"))).sum()
}

fn rss() -> f64 {
    SystemMemory.read().map_or(f64::NAN, |m| m.own as f64 / 1e6)
}

/// User and system time of this process, from the kernel's hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| after.split_whitespace().nth(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (field(11) + field(12)) / 100.0
}

/// The engine on its real store.
struct Bench {
    engine: Engine,
    host: Arc<QuickHost>,
    _home: tempfile::TempDir,
}

impl Bench {
    fn start(limits: Limits, workers: u32, turn: Duration, forgetful: bool) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&home.path().join("gantry.db")).expect("a store");
        let ground = Ground {
            clock: Arc::new(SystemClock),
            ids: Arc::new(Uuids),
            store: Arc::new(store),
            memory: Arc::new(SystemMemory),
            limits,
        };
        let host = Arc::new(QuickHost::new(turn, forgetful));
        Self { engine: Engine::start(ground, workers, host.clone()), host, _home: home }
    }
}
