//! Putting Gantry into OpenCode's configuration, and taking it out again.
#[cfg_attr(windows, path = "access_windows.rs")]
mod access;
pub mod config;
pub mod disk;
pub mod edit;
pub mod entry;
pub mod findings;
pub mod hosted;
pub mod install;
mod notes;
pub mod places;
#[cfg(any(test, fuzzing))]
pub mod promises;
mod splice;
#[cfg(test)]
mod tests;
