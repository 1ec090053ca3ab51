//! The simulation: the real engine, dispatcher and journal, on the memory store, against a host, a disk, a clock, models
//! and users that are made up from one seed.
//!
//! Time is the runtime's paused clock, there is one thread, and nothing is drawn but from the seed: so the same seed
//! gives the same trace, bit for bit. A run has three parts: faults; then none, and all missions have to end in a stated
//! time; then half an hour of rest, after which nothing may be left in memory. What must hold is checked as it happens
//! (`mirror`, `host_port`, `check`) and at the end.
//!
//! Absent on purpose: the wire, SQLite, git and the plan file have tests of their own on the real thing.
mod agents;
mod check;
mod history_port;
mod host_port;
mod mirror;
mod mutation;
mod odds;
mod place_ports;
mod rng;
mod sidecar;
mod store;
mod trace;
mod turns;
mod user;
mod watched;
mod worktrees;
mod world;

pub use check::LIVENESS_MS;
pub use mutation::Mutation;
pub use odds::Faults;
pub use world::Stats;

use crate::adapters::memory::MemoryStore;
use crate::domain::ids::{HostSessionId, Millis};
use crate::domain::todo::Edit;
use crate::engine::handle::HostInput;
use crate::ports::host::TurnState;
use odds::Odds;
use parking_lot::Mutex;
use rng::Rng;
use sidecar::Sidecar;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use watched::Watched;
use world::World;

/// When the simulated wall clock begins: some day in 2027.
const EPOCH_MS: u64 = 1_800_000_000_000;
/// How long the plugin waits for calls of a sidecar that has died.
const SETTLE: Duration = Duration::from_secs(10);
/// Longest part with faults.
const STORM_MS: (u64, u64) = (120_000, 2_400_000);

#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub seed: u64,
    pub faults: Faults,
    pub mutation: Option<Mutation>,
    /// Whether to keep the trace as text.
    pub steps: bool,
}

pub struct Outcome {
    pub seed: u64,
    /// Of the trace.
    pub hash: u64,
    pub breaches: Vec<String>,
    pub steps: Vec<String>,
    /// End states of the missions, in the order they were accepted.
    pub ends: Vec<&'static str>,
    pub events: u64,
    pub virtual_ms: u64,
    pub stats: Stats,
}

/// One life of a host process.
#[derive(Clone, Copy)]
struct Epoch {
    number: u32,
    up: bool,
}

struct Sim {
    seed: u64,
    world: Mutex<World>,
    disk: MemoryStore,
    directories: Vec<String>,
    hosts: Vec<Watched<Epoch>>,
    sidecars: Vec<Arc<Sidecar>>,
    events: Vec<mpsc::UnboundedSender<HostInput>>,
    /// Calls that each host process is carrying out.
    calls: Vec<Watched<u32>>,
    /// Keys of sessions that are being made: the plugin makes no two for one key at a time.
    creating: Watched<BTreeSet<String>>,
    /// What people changed in the plan file, by mission.
    todo: Watched<BTreeMap<String, Vec<Edit>>>,
    began: Instant,
    /// Writes that a planted bug puts off keep their order.
    late_writes: Arc<tokio::sync::Mutex<()>>,
}

/// Plays one seed.
pub fn run(config: Config) -> std::io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    sidecar::clear_processes();
    Ok(runtime.block_on(play(config)))
}

async fn play(config: Config) -> Outcome {
    let (sim, requests) = set_up(config);
    let mut machines = JoinSet::new();
    let mut storm = JoinSet::new();
    let odds = sim.world.lock().odds.clone();
    for n in 0..requests {
        // Left to themselves when faults end: who has asked waits for an answer.
        machines.spawn(user::request(sim.clone(), n));
    }
    for (every, kind) in [
        (odds.crash_every_ms, 0),
        (odds.restart_every_ms, 1),
        (odds.jump_every_ms, 2),
        (odds.stall_every_ms, 3),
        (odds.meddle_every_ms, 4),
    ] {
        if every > 0 {
            match kind {
                0 => storm.spawn(user::crash_at_random(sim.clone(), every)),
                1 => storm.spawn(user::restart_at_random(sim.clone(), every)),
                2 => storm.spawn(user::jump_at_random(sim.clone(), every)),
                3 => storm.spawn(user::stall_at_random(sim.clone(), every)),
                _ => storm.spawn(user::meddle(sim.clone(), every)),
            };
        }
    }
    let end = sim.elapsed() + sim.world.lock().rng.range(STORM_MS.0, STORM_MS.1);
    while sim.elapsed() < end && !sim.found_bug() {
        tokio::time::sleep(Duration::from_millis((end - sim.elapsed()).min(10_000))).await;
    }
    storm.shutdown().await;
    calm(&sim);
    check::liveness(&sim).await;
    if !sim.found_bug() {
        check::rest(&sim).await;
    }
    machines.shutdown().await;
    outcome(config, &sim)
}

fn set_up(config: Config) -> (Arc<Sim>, usize) {
    let mut rng = Rng::new(config.seed);
    let mut odds = Odds::draw(config.faults, &mut rng);
    // Not drawn, so that the seeds that once found something still play what they did.
    odds.permission = if config.seed % 4 == 1 && config.faults != Faults::None { 300 } else { 0 };
    let processes = if odds.second_host { 2 } else { 1 };
    let directories = (0..rng.range(1, 2)).map(|n| format!("/project{n}")).collect();
    let requests = rng.range(1, 4) as usize;
    let (events, readers): (Vec<_>, Vec<_>) = (0..processes).map(|_| mpsc::unbounded_channel()).unzip();
    let sim = Arc::new(Sim {
        seed: config.seed,
        world: Mutex::new(World::new(config.seed, odds, rng, config.mutation, config.steps)),
        disk: MemoryStore::new(),
        directories,
        hosts: (0..processes).map(|_| Watched::new(Epoch { number: 1, up: true })).collect(),
        sidecars: (0..processes).map(|n| Arc::new(Sidecar::new(n))).collect(),
        events,
        calls: (0..processes).map(|_| Watched::new(0)).collect(),
        creating: Watched::new(BTreeSet::new()),
        todo: Watched::new(BTreeMap::new()),
        began: Instant::now(),
        late_writes: Arc::default(),
    });
    for (sidecar, events) in sim.sidecars.iter().zip(readers) {
        tokio::spawn(sidecar.clone().keep(sim.clone()));
        tokio::spawn(sidecar::carry(sim.clone(), sidecar.clone(), events));
    }
    (sim, requests)
}

/// Faults stop; whatever lies down is started.
fn calm(sim: &Arc<Sim>) {
    sim.note("calm");
    {
        let mut world = sim.world.lock();
        world.odds = Odds::default();
        world.stalled_until.clear();
        world.outage_until = 0;
    }
    for process in 0..sim.hosts.len() {
        if !sim.host_up(process) {
            user::start(sim, process);
        }
        sim.sidecars[process].want();
    }
}

fn outcome(config: Config, sim: &Sim) -> Outcome {
    let virtual_ms = sim.elapsed();
    let mut world = sim.world.lock();
    let ends = world.mirror.missions.values().map(|k| k.mission.state.name()).collect();
    Outcome {
        seed: config.seed,
        hash: world.trace.hash(),
        breaches: std::mem::take(&mut world.breaches),
        steps: world.trace.take(),
        ends,
        events: world.trace.count,
        virtual_ms,
        stats: world.stats.clone(),
    }
}

impl Sim {
    /// Virtual milliseconds since the run began.
    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn wall(&self) -> Millis {
        let jump = self.world.lock().jump_ms;
        Millis((EPOCH_MS + self.elapsed()).saturating_add_signed(jump))
    }

    fn mutated(&self, mutation: Mutation) -> bool {
        self.world.lock().mutated(mutation)
    }

    /// A planted bug is looked for and found: nothing more is to be learned.
    fn found_bug(&self) -> bool {
        let world = self.world.lock();
        world.mutation.is_some() && !world.breaches.is_empty()
    }

    fn note(&self, text: impl AsRef<str>) {
        self.world.lock().note(self.elapsed(), text);
    }

    fn breach(&self, text: String) {
        self.world.lock().breach(self.elapsed(), text);
    }

    /// Lets some time pass, and says how much.
    async fn pause(&self, low_ms: u64, high_ms: u64) -> u64 {
        let ms = self.world.lock().rng.range(low_ms, high_ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ms
    }

    fn any_process(&self) -> usize {
        self.world.lock().rng.range(0, self.hosts.len() as u64 - 1) as usize
    }

    fn host_up(&self, process: usize) -> bool {
        self.hosts[process].get().up
    }

    async fn host_is_up(&self, process: usize) {
        self.hosts[process].wait_for(|epoch| epoch.up).await;
    }

    async fn host_goes(&self, process: usize, number: u32) {
        self.hosts[process].wait_for(|epoch| !epoch.up || epoch.number != number).await;
    }

    fn call_begins(&self, process: usize) {
        let calls = &self.calls[process];
        calls.set(calls.get() + 1);
    }

    fn call_ends(&self, process: usize) {
        let calls = &self.calls[process];
        calls.set(calls.get() - 1);
    }

    /// The plugin opens nothing in a new sidecar before the host has done what the old one asked for, or for this long.
    async fn calls_settle(&self, process: usize) {
        let settled = self.calls[process].wait_for(|calls| *calls == 0);
        // What takes longer than that is given up on.
        let _ = tokio::time::timeout(SETTLE, settled).await;
    }

    fn emit(&self, process: usize, event: HostInput) {
        // The reader ends only with the run.
        let _ = self.events[process].send(event);
    }

    fn status(&self, process: usize, session: &HostSessionId, state: TurnState) {
        self.emit(
            process,
            HostInput::Status { session: session.clone(), state, retry_at: None, message: None },
        );
    }
}
