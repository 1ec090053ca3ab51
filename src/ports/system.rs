//! Time and ids.
use crate::domain::ids::{Millis, MissionId};

pub trait Clock: Send + Sync {
    /// Wall clock. May jump; durations that matter are taken from the runtime's monotonic timer.
    fn now(&self) -> Millis;
}

pub trait Ids: Send + Sync {
    /// A new version 7 UUID: unique, and sorting by age.
    fn mission(&self) -> MissionId;
}
