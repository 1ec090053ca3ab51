//! One line, read and written: which kind of message it is, and what is wrong with it.
use std::borrow::Cow;

use jsonrpsee::types::Id;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use super::error::{RpcError, clip};
use crate::protocol::errors::{INVALID_REQUEST, PARSE_ERROR};

/// Longest id that is echoed, quotes included. Ids are kept and sent back, so they may not be as long as a line.
const ID_BYTES: usize = 256;

pub(super) enum Incoming<'a> {
    Request {
        id: Id<'a>,
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    Notification {
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    Answer {
        id: u64,
        outcome: Outcome<'a>,
    },
    /// An answer to nothing we asked.
    StrayAnswer,
}

pub(super) enum Outcome<'a> {
    Result(&'a RawValue),
    Error(&'a RawValue),
}

/// A line to be answered with an error.
pub(super) struct Rejected<'a> {
    /// As it came, when it came readable.
    pub(super) id: Option<&'a RawValue>,
    pub(super) error: RpcError,
}

/// Values are kept raw, so that one of the wrong type cannot hide the id from us.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Tells `"id": null` from no id: an `Option` alone reads both as `None`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

pub(super) fn parse(line: &[u8]) -> Result<Incoming<'_>, Rejected<'_>> {
    let text = std::str::from_utf8(line)
        .map_err(|e| reject(None, PARSE_ERROR, format!("not UTF-8 after byte {}", e.valid_up_to())))?;
    if !text.trim_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|e| {
        let code = if e.is_data() { INVALID_REQUEST } else { PARSE_ERROR };
        reject(None, code, format!("{}; send one JSON-RPC 2.0 object a line", clip(&e.to_string())))
    })?;
    match envelope.method {
        Some(method) => call(&envelope, method),
        None => answer(&envelope),
    }
}

fn not_an_object(text: &str) -> Rejected<'_> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(e) => reject(None, PARSE_ERROR, format!("not JSON: {}", clip(&e.to_string()))),
        Ok(_) if text.trim_start().starts_with('[') => {
            reject(None, INVALID_REQUEST, "batches are not supported; send one object a line")
        }
        Ok(_) => reject(None, INVALID_REQUEST, "not an object; send one JSON-RPC 2.0 object a line"),
    }
}

fn call<'a>(envelope: &Envelope<'a>, method: &'a RawValue) -> Result<Incoming<'a>, Rejected<'a>> {
    let invalid = |why: &str| Err(reject(envelope.id, INVALID_REQUEST, why));
    if envelope.jsonrpc.map(RawValue::get) != Some(r#""2.0""#) {
        return invalid(r#"not a JSON-RPC 2.0 request: "jsonrpc" must be "2.0""#);
    }
    let Some(method) = string(method) else {
        return invalid(r#""method" must be a string"#);
    };
    let params = envelope.params;
    let Some(id) = envelope.id else {
        return Ok(Incoming::Notification { method, params });
    };
    let usable = match id.get().as_bytes()[0] {
        _ if id.get().len() > ID_BYTES => None,
        b'"' => string(id).map(Id::Str),
        _ => id.get().parse().ok().map(Id::Number),
    };
    match usable {
        Some(id) => Ok(Incoming::Request { id, method, params }),
        None => invalid(r#""id" must be a string of up to 250 bytes or a whole number from 0 to 2^64-1"#),
    }
}

fn answer<'a>(envelope: &Envelope<'a>) -> Result<Incoming<'a>, Rejected<'a>> {
    let outcome = match (envelope.error, envelope.result) {
        (Some(error), _) => Outcome::Error(error),
        (None, Some(result)) => Outcome::Result(result),
        (None, None) => return Err(reject(envelope.id, INVALID_REQUEST, r#""method" is missing"#)),
    };
    match envelope.id.and_then(|id| id.get().parse().ok()) {
        Some(id) => Ok(Incoming::Answer { id, outcome }),
        None => Ok(Incoming::StrayAnswer),
    }
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let plain = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(plain))
}

fn reject<'a>(id: Option<&'a RawValue>, code: i32, message: impl Into<String>) -> Rejected<'a> {
    Rejected { id: id.filter(|id| can_be_echoed(id)), error: RpcError::new(code, message) }
}

/// A short string or a number that a parser of the answer will take: `1e999` and a lone surrogate are JSON by form only.
fn can_be_echoed(id: &RawValue) -> bool {
    id.get().len() <= ID_BYTES
        && serde_json::from_str::<Value>(id.get()).is_ok_and(|id| id.is_number() || id.is_string())
}

#[derive(Serialize)]
struct Outgoing<'a, I, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<I>,
    method: &'a str,
    params: &'a P,
}

/// A request, or a notification when there is no id.
pub(super) fn message<P: Serialize>(
    line: &mut Vec<u8>,
    id: Option<u64>,
    method: &str,
    params: &P,
) -> serde_json::Result<()> {
    serde_json::to_writer(line, &Outgoing { jsonrpc: "2.0", id, method, params })
}

#[derive(Serialize)]
struct ErrorAnswer<'a, I> {
    jsonrpc: &'static str,
    id: I,
    error: &'a RpcError,
}

pub(super) fn error_answer<I: Serialize>(id: I, error: &RpcError) -> String {
    let answer = ErrorAnswer { jsonrpc: "2.0", id, error };
    // Ids come from JSON and the error is plain data: neither can fail to be written.
    serde_json::to_string(&answer).expect("an error answer is plain JSON")
}
