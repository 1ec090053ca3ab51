//! The figures of the product, measured side by side in one run on the machine at hand.
//!
//! Everything is measured from outside, on real processes: the sidecar over its pipes, the shim in the runtimes that
//! load it, the real host. What the sidecar is driven by is a host of our own ([`host`]) whose turns take exactly as
//! long as they are told, so that the sidecar's share of the time is all that is left. Absent on purpose: anything
//! that runs inside the product's process (`cargo bench` has that), and a verdict on other products.

mod arms;
mod cost;
mod demo;
mod host;
mod idle;
mod lease;
mod machine;
mod makespan;
mod missions;
mod plugin;
mod rpc;
pub mod scratch;
mod search;
mod sessions;
mod start;
mod stats;
mod table;
mod turnaround;
pub mod wire;
mod worktree;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

pub use host::{Host, Script, hello, plan};
pub use machine::describe;
pub use table::{Table, header};

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The sidecar's start and its memory.
    Start,
    /// The sidecar's processor time while nothing happens.
    Idle,
    /// Round trips and lease checks.
    Rpc,
    /// Lease checks through the plugin's tool hook.
    Lease,
    /// From the end of a turn to the next call to the host.
    Turnaround,
    /// Whole missions against the sum of their turns.
    Makespan,
    /// Missions in the real host, beside the same turns without Gantry.
    Missions,
    /// Worktrees made ready ahead, and conversations handed on, in the real host.
    HandedOn,
    /// The code tools against ripgrep, fd and ast-grep.
    Search,
    /// Load time and size of the shim.
    Shim,
    /// Start of the real host with and without the plugin.
    Host,
    /// New sessions, used sessions and new directories of the real host.
    Sessions,
    /// New worktrees against used ones, in the real host.
    Worktree,
    /// The demo mission in the real host.
    Demo,
}

/// What is measured.
pub struct Built {
    /// Release build of the sidecar.
    pub gantry: PathBuf,
    /// The bundled shim.
    pub shim: PathBuf,
}

pub fn measure(part: Part, built: &Built) -> Result<Table> {
    match part {
        Part::Start => start::measure(built),
        Part::Idle => idle::measure(built),
        Part::Rpc => rpc::measure(built),
        Part::Lease => lease::measure(built),
        Part::Turnaround => turnaround::measure(built),
        Part::Makespan => makespan::measure(built),
        Part::Missions => missions::side_by_side(built),
        Part::HandedOn => missions::handed_on(built),
        Part::Search => search::measure(built),
        Part::Shim => plugin::shim(built),
        Part::Host => plugin::host(built),
        Part::Sessions => sessions::measure(),
        Part::Worktree => worktree::measure(built),
        Part::Demo => demo::measure(built),
    }
}
