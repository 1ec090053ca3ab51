//! See the crate's documentation.

pub mod demo;
pub mod host;
mod http;
pub mod model;
pub mod npm;
pub mod registry;
pub mod sample;
pub mod tools;
pub mod tui;
