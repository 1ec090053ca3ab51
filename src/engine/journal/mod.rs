//! The stored form of the engine's facts: what a journal record holds, and how it becomes an `Event` again.
//!
//! A record is the name of a kind and a JSON object with the version of that kind in `v`. Rules for whoever
//! changes `form.rs` or the table in `kinds.rs`:
//!
//! - What was written once loads for ever (`tests/journals/` keeps a journal of each version).
//! - A new field that may be missing is no new version: older programs ignore it, older records lack it.
//! - Anything else (a new variant of an enum, a field that goes, changes its type or its meaning) is a new version
//!   of the kind, and the old form stays beside it: an older program then says that it is too old, rather than
//!   that the journal is damaged.
//!
//! The state of a mission is not stored; it is what `core::replay` makes of the facts.
mod form;
mod kinds;
mod row;

pub use kinds::{JournalError, decode, encode};
pub use row::row;

#[cfg(test)]
mod tests;
