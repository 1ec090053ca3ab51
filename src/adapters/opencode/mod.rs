//! The host, OpenCode, reached through the shim that runs inside it.
//!
//! This adapter speaks the wire, so it alone among the adapters knows `protocol` and `rpc`.
mod stdio;

pub use stdio::StdioHost;
