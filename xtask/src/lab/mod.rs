//! See the crate's documentation.

pub mod demo;
pub mod host;
mod http;
pub mod model;
pub mod registry;
pub mod sample;
pub mod tui;
