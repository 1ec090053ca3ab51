//! Gantry: durable, ordered, gated coding missions inside OpenCode.
//!
//! Code map, from the inside out; arrows between the layers are enforced by `tests/tidy.rs`:
//! - `domain`: pure values and rules: state machines, plan graph, leases, plan file text, retry classes
//! - `engine`: `core` decides (`step(now, input)` gives facts and actions), `dispatcher` writes the facts down and only
//!   then acts, `handle` is the only door in
//! - `ports`: what the engine needs from the world, as traits
//! - `adapters`: the ports served: SQLite, memory, the system (git, checks, language servers), searches, the plan file,
//!   OpenCode through its plugin
//! - `protocol`: the wire: one method table, its types, its tools; generates `schemas/` and the plugin's types
//! - `rpc`: JSON-RPC over a pipe pair, and the service that maps methods to the engine's handle
//! - `sim`: the engine against a made-up world, from one seed
//! - `cli`, `app`, `telemetry`: subcommands, composition root, logs
//!
//! What always holds:
//! - a fact is in the store before anything it leads to is done or answered;
//! - state changes only by facts, live and on replay through the same code;
//! - a mission has one owner process; what an earlier owner still writes is refused by its fence.
pub mod adapters;
pub mod app;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod ports;
pub mod protocol;
pub mod rpc;
pub mod setup;
pub mod sim;
pub mod telemetry;
