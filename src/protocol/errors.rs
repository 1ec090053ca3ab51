//! Error codes of the wire and what they mean.

/// The line is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// JSON, but no JSON-RPC 2.0 request (batches included: they are not supported).
pub const INVALID_REQUEST: i32 = -32600;
pub const METHOD_NOT_FOUND: i32 = -32601;
pub const INVALID_PARAMS: i32 = -32602;
/// A handler failed or panicked; the message names the request, the log has the details.
pub const INTERNAL_ERROR: i32 = -32603;
/// Too many requests in flight on this connection; try again later.
pub const FULL: i32 = -32001;
/// Any call before `initialize`.
pub const NOT_INITIALIZED: i32 = -32002;
/// The two ends speak different protocol versions.
pub const VERSION_MISMATCH: i32 = -32010;
/// The request was cancelled by `$/cancel`, or the process is shutting down.
pub const CANCELLED: i32 = -32011;
/// No mission or host session of that id here.
pub const NOT_FOUND: i32 = -32012;
/// The state does not allow it; the message says which state and what is possible.
pub const CONFLICT: i32 = -32013;
/// The store refused to write (disk full, read only, locked); nothing was accepted.
pub const STORE: i32 = -32014;
/// The host refused or failed a call (sidecar to shim calls); `data` is a `HostFault`.
pub const HOST: i32 = -32020;
