//! What the engine needs from the world, as traits: time, ids, the store, the host, processes, the tree of a
//! project and its plan file. Adapters serve them; nothing here does anything.
pub mod code;
pub mod history;
pub mod host;
pub mod queue;
pub mod store;
#[cfg(test)]
pub(crate) mod store_contract;
pub mod system;
pub mod workspace;

use std::future::Future;
use std::pin::Pin;

/// A boxed future, so that ports can be used as trait objects.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
