//! Time and ids.
use super::Fut;
use crate::domain::ids::{Directory, Millis, MissionId};

pub trait Clock: Send + Sync {
    /// Wall clock. May jump; durations that matter are taken from the runtime's monotonic timer.
    fn now(&self) -> Millis;
}

pub trait Ids: Send + Sync {
    /// A new version 7 UUID: unique, and sorting by age.
    fn mission(&self) -> MissionId;
}

/// Tells a host that starts in a directory, without a question to the store, whether work was left there.
pub trait OpenMarkers: Send + Sync {
    fn set(&self, directory: Directory, open: bool) -> Fut<'_, std::io::Result<()>>;
}
