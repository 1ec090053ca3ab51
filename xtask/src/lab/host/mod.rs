//! The real host: finding or fetching it, and running it in an environment of its own.

mod env;
mod events;
mod fetch;
mod process;
mod server;

pub use env::{HostEnv, Leftover};
pub use events::Events;
pub use fetch::{BINARY_VAR, VERSION, find};
pub(crate) use process::kill_group;
pub use process::{Finished, HostProcess};
pub use server::{Client, Server};
