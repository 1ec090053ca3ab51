//! The engine: a pure core that decides, and the loop around it that writes down, acts and listens.
//!
//! `handle` is the only door in. `dispatcher` owns the core and the journal; `effects` turns actions into work at
//! the ports, `lanes` carry the most of it out; `index` answers the question every tool call asks without waking the loop.
mod bulletin;
pub mod core;
mod dispatcher;
mod effects;
pub mod export;
pub mod handle;
mod index;
mod inspect;
pub mod journal;
pub mod lanes;
pub mod metrics;
pub mod prompts;
pub mod report;
mod rollback;
mod views;
mod worktrees;

use self::core::ToolInput;
use crate::domain::ids::Role;
use crate::ports::code::Diagnostics;
use crate::ports::history::History;
use crate::ports::host::Host;
use crate::ports::store::{OwnerIdentity, Store};
use crate::ports::system::{Clock, Ids, MemoryGauge, OpenMarkers};
use crate::ports::workspace::{Checks, Todo, Tree};
use crate::ports::worktrees::Worktrees;
use std::sync::Arc;

/// Everything the engine needs from outside.
#[derive(Clone)]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub store: Arc<dyn Store>,
    pub host: Arc<dyn Host>,
    pub tree: Arc<dyn Tree>,
    pub worktrees: Arc<dyn Worktrees>,
    pub history: Arc<dyn History>,
    pub checks: Arc<dyn Checks>,
    pub todo: Arc<dyn Todo>,
    pub diagnostics: Arc<dyn Diagnostics>,
    pub markers: Arc<dyn OpenMarkers>,
    pub memory: Arc<dyn MemoryGauge>,
    /// This process, as an owner of missions.
    pub identity: OwnerIdentity,
    /// Whether another owner's process is still there.
    pub alive: fn(&OwnerIdentity) -> bool,
    /// Reads a submission out of the last words of a model that did not call its tool.
    pub salvage: fn(Role, &str) -> Option<ToolInput>,
}
