//! The store in one SQLite file per user.
//!
//! One thread writes, in groups: everything that waits goes into one transaction, so that one `fsync` serves
//! many callers. An answer is given only after COMMIT. Reads have connections of their own and see every
//! answered write. Several processes may share the file; SQLite's own locks settle their races, and fences
//! settle who may write a mission.
//!
//! Absent on purpose: an in-process cache (the engine holds the live state) and clean-up of old missions.
mod error;
mod place;
mod rows;
mod schema;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use store::SqliteStore;
