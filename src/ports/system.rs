//! Time, ids, memory.
use super::Fut;
use crate::domain::ids::{Directory, Millis, MissionId};
use crate::domain::memory::MemoryUse;

pub trait Clock: Send + Sync {
    /// Wall clock. May jump; durations that matter are taken from the runtime's monotonic timer.
    fn now(&self) -> Millis;
}

pub trait Ids: Send + Sync {
    /// A new version 7 UUID: unique, and sorting by age.
    fn mission(&self) -> MissionId;
}

pub trait MemoryGauge: Send + Sync {
    /// Asked every few seconds. None where the system does not tell.
    fn read(&self) -> Option<MemoryUse>;

    /// Much was freed: what the allocator keeps of it goes back to the system.
    fn give_back(&self) -> Fut<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Tells a host that starts in a directory, without a question to the store, whether work was left there.
pub trait OpenMarkers: Send + Sync {
    fn set(&self, directory: Directory, open: bool) -> Fut<'_, std::io::Result<()>>;
}
