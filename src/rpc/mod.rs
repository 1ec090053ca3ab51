//! JSON-RPC 2.0 over one pair of pipes, in both directions: one message a line.
//!
//! [`connect`] makes a [`PeerHandle`] (cheap, cloned freely: calls and notifies the other end) and a [`Connection`]
//! whose `run` owns the pipes until the end. jsonrpsee keeps the method registry and its typed callbacks; framing,
//! demultiplexing, limits and the answers to malformed input are ours, because jsonrpsee leaves a batch, a bad line or
//! a missing `"jsonrpc"` unanswered and lets a panicking handler take the connection with it.
//!
//! What holds on every connection:
//! - a request with a usable id gets exactly one answer, unless the connection ends first;
//! - no line of input ends the connection or grows memory past the limits;
//! - notifications are handled in the order of arrival, before the next line is looked at;
//! - an answer is never answered, so two ends cannot send errors to each other for ever.
//!
//! Absent on purpose: batches (nobody sends them), subscriptions (a notification does it), reconnecting (the shim
//! starts a new process and the engine re-attaches).
pub mod buffers;
mod calls;
mod connection;
mod envelope;
mod error;
mod framing;
pub mod host_types;
mod outbox;
mod peer;
mod router;
pub mod service;

pub use connection::Connection;
pub use error::{CallError, RpcError};
pub use peer::{EndReason, Ended, Limits, PeerHandle, Stats, connect};
pub use router::{CallContext, Router, RouterBuilder};

#[cfg(test)]
mod tests;
