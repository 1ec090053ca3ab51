//! Lanes: who carries out an attempt's calls to the host and looks at the tree, how many at a time, and in which order.
//!
//! The core decides what runs, and its open attempts are the permits. A lane only executes: it takes an entry from its
//! own deque, from the shelves all lanes of its role share, or from another lane. So nothing depends on who ran what:
//! an entry that was withdrawn meanwhile is dropped when it is taken, and what a lane reports late the core refuses as
//! it refuses any late report.
//!
//! Absent on purpose: turns themselves (they run in the host, and a lane that waited for one would be a thread that
//! sleeps), and the project's checks (they use as many cores as they find and have a limit of their own).
mod executor;
mod queue;
#[cfg(test)]
mod tests;

pub use executor::{Entry, Finished, Job, Key, Lanes, What};
