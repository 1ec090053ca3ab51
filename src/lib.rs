//! Gantry: durable coding missions inside OpenCode.
pub mod adapters;
pub mod domain;
pub mod engine;
pub mod ports;
pub mod protocol;
pub mod rpc;
