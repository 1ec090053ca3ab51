//! How likely each fault is in one run. Each seed has its own mixture: with every fault in every run, one would hide
//! behind another.
use super::rng::Rng;

/// Which families of faults a run may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Faults {
    None,
    /// Events, calls and turns of the host.
    Host,
    /// The store, the sidecar and the host's process.
    Crash,
    /// Both, and a second host, a clock that jumps and a user who meddles.
    All,
}

/// Per mille where nothing else is said.
#[derive(Clone, Default, Debug)]
pub struct Odds {
    pub event_lost: u32,
    pub event_doubled: u32,
    pub event_late: u32,
    pub call_fails: u32,
    pub call_hangs: u32,
    pub call_slow: u32,
    /// A turn that goes on for a while after its abort was taken.
    pub abort_late: u32,
    /// A look that says idle or absent of a session at work; never two in a row for one session.
    pub lie: u32,
    pub provider_error: u32,
    pub rate_limit: u32,
    /// A turn with which the provider begins to answer nobody for a while.
    pub outage: u32,
    pub turn_hangs: u32,
    pub long_call: u32,
    /// A turn that waits for a permission.
    pub permission: u32,
    pub store_refuses: u32,
    pub store_answer_lost: u32,
    pub store_slow: u32,
    pub crash_at_write: u32,
    /// Mean time between crashes of the sidecar, restarts of the host, jumps of the clock, stalls, acts of the user; 0: never.
    pub crash_every_ms: u64,
    pub restart_every_ms: u64,
    pub jump_every_ms: u64,
    /// A process whose store does not answer for longer than its missions are its own.
    pub stall_every_ms: u64,
    pub meddle_every_ms: u64,
    pub second_host: bool,
}

impl Odds {
    pub fn draw(faults: Faults, rng: &mut Rng) -> Self {
        let mut odds = Self::default();
        let mut some = |high: u32| if rng.chance(500) { rng.range(1, u64::from(high)) as u32 } else { 0 };
        if matches!(faults, Faults::Host | Faults::All) {
            odds.event_lost = some(300);
            odds.event_doubled = some(300);
            odds.event_late = some(400);
            odds.call_fails = some(80);
            odds.call_hangs = some(40);
            odds.call_slow = some(200);
            odds.abort_late = some(500);
            odds.lie = some(300);
            odds.provider_error = some(150);
            odds.rate_limit = some(150);
            odds.outage = some(40);
            odds.turn_hangs = some(60);
            odds.long_call = some(60);
        }
        if matches!(faults, Faults::Crash | Faults::All) {
            odds.store_refuses = some(20);
            odds.store_answer_lost = some(20);
            odds.store_slow = some(100);
            odds.crash_at_write = some(40);
            odds.crash_every_ms = u64::from(some(600)) * 1000;
            odds.restart_every_ms = u64::from(some(1800)) * 1000;
        }
        if faults == Faults::All {
            odds.jump_every_ms = u64::from(some(900)) * 1000;
            odds.stall_every_ms = u64::from(some(900)) * 1000;
            odds.meddle_every_ms = u64::from(some(300)) * 1000;
            odds.second_host = some(1) == 1;
        }
        odds
    }
}
