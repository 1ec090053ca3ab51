//! Pure values and rules. Nothing here knows time, chance, files, tasks of a runtime or a wire format, so
//! every rule can be tested as a table in microseconds.
pub mod breaker;
pub mod budget;
pub mod checkpoint;
pub mod contain;
pub mod context;
pub mod decompose;
pub mod file_url;
pub mod fractal;
pub mod ids;
pub mod inside;
pub mod lease;
pub mod mask;
pub mod memory;
pub mod merge;
pub mod mission;
pub mod permission;
pub mod permits;
pub mod plan;
pub mod race;
pub mod rate;
pub mod retry;
pub mod rollback;
pub mod schedule;
pub mod task;
pub mod todo;
pub mod verdict;
