//! Gantry: durable coding missions inside OpenCode.
pub mod protocol;
pub mod rpc;
