//! The engine: a pure core that decides, and the loop around it that writes down, acts and listens.
pub mod core;
pub mod prompts;
pub mod report;
