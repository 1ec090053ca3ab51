//! Gantry's own options: one table, and the layers that values come from.
mod fields;
mod file;
mod layers;
#[cfg(test)]
mod tests;

pub use crate::domain::race::tries;
pub use fields::{FIELDS, Field, Kind, schema};
pub use layers::{Fault, Flag, Given, Layers, Origin, Resolved, flag};
