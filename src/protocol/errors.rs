//! Error codes of the wire and what they mean.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: i32 = $code;)*

        /// Every code with its name, for generators and logs.
        pub const CODES: &[(&str, i32)] = &[$((stringify!($name), $code)),*];
    };
}

codes! {
    /// The line is not JSON.
    PARSE_ERROR = -32700;
    /// JSON, but no JSON-RPC 2.0 request (batches included: they are not supported).
    INVALID_REQUEST = -32600;
    METHOD_NOT_FOUND = -32601;
    INVALID_PARAMS = -32602;
    /// A handler failed or panicked; the message names the request, the log has the details.
    INTERNAL_ERROR = -32603;
    /// Too many requests in flight on this connection; try again later.
    FULL = -32001;
    /// Any call before `initialize`.
    NOT_INITIALIZED = -32002;
    /// The two ends speak different protocol versions.
    VERSION_MISMATCH = -32010;
    /// The request was cancelled by `$/cancel`, or the process is shutting down.
    CANCELLED = -32011;
    /// No mission or host session of that id here.
    NOT_FOUND = -32012;
    /// The state does not allow it; the message says which state and what is possible.
    CONFLICT = -32013;
    /// The store refused to write (disk full, read only, locked); nothing was accepted.
    STORE = -32014;
    /// The host refused or failed a call (sidecar to shim calls); `data` is a `HostFault`.
    HOST = -32020;
}
