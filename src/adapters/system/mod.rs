//! The machine: time, ids, processes, files, and the git command. The only place that starts a process or
//! reads a clock.
mod checks;
mod clock;
mod confine;
pub mod dirs;
mod files;
mod git;
#[cfg_attr(windows, path = "windows/group.rs")]
mod group;
mod headless;
mod ids;
mod lsp;
mod markers;
mod memory;
mod probe;
pub mod process;
mod real;
#[cfg_attr(windows, path = "windows/socket.rs")]
mod socket;
mod space;
mod tail;
#[cfg_attr(windows, path = "windows/watchdog.rs")]
pub mod watchdog;

pub use checks::CommandChecks;
pub use clock::SystemClock;
pub use git::GitTree;
pub use headless::Headless;
pub use ids::Uuids;
pub use lsp::LanguageServers;
pub use markers::OpenMarkers;
pub use memory::{SystemMemory, give_back};
pub use probe::{first_line, is_program};
pub use real::real_path;
pub use socket::Door;
pub use space::{free_space, may_make_files};
