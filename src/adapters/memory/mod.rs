//! Ports served from memory, for tests and simulations.
mod store;

pub use store::MemoryStore;
