//! A scripted language model behind the OpenAI-compatible chat interface, on loopback.
//!
//! The host cannot tell it from a real provider: it streams chunks, calls tools and reports usage. What it
//! says comes from a [`Script`], chosen by the tools and the last user message of each request; every
//! request is kept for the test to read. Absent on purpose: anything but streamed chat completions, and any
//! state between requests other than how often a fault was served.

mod record;
mod request;
mod script;
mod server;
mod stream;

#[cfg(test)]
mod tests;

pub use record::{Outcome, Recorded};
pub use request::Role;
pub use script::{Call, Fault, Rule, Script, Turn};
pub use server::Model;
