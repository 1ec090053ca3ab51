//! The two kinds of failure: what we answer, and what became of a call of ours.
use std::{fmt, time::Duration};

use jsonrpsee::types::ErrorObjectOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::errors;

/// A JSON-RPC error object: a code of [`errors`] and a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RpcError {
    pub code: i32,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// What a handler answers when `$/cancel` made it stop.
    pub fn cancelled(method: &str) -> Self {
        Self::new(errors::CANCELLED, format!("{method} was cancelled"))
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for RpcError {}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        Self::owned(error.code, error.message, error.data)
    }
}

/// Why a call of ours brought no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The other end answered with an error.
    #[error(transparent)]
    Remote(#[from] RpcError),
    /// It may still have taken effect at the other end.
    #[error("{method} was not answered within {after:?}")]
    Timeout { method: &'static str, after: Duration },
    /// It may still have taken effect at the other end.
    #[error("the connection ended before {method} was answered")]
    Closed { method: &'static str },
    #[error("too many calls wait for an answer; {method} was not sent")]
    Full { method: &'static str },
    #[error("{method} was not sent: {bytes} bytes do not fit into one line")]
    TooLong { method: &'static str, bytes: usize },
    #[error("the answer to {method} has not the agreed form: {fault}")]
    Unreadable { method: &'static str, fault: String },
}

/// Text of the other end, short enough for a message.
pub(super) fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(200)]
}
