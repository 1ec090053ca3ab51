//! What the model was asked and how it answered.

use std::time::Duration;

use serde_json::Value;

use super::request::Role;

/// One request, as the test sees it.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub role: Role,
    /// Answers since the last user message when it came.
    pub turn: usize,
    /// The last user message.
    pub prompt: String,
    /// The whole body, byte for byte.
    pub raw: String,
    /// Since the model was started.
    pub started: Duration,
    /// Absent while the answer is on its way.
    pub ended: Option<Duration>,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Running,
    Answered,
    /// A fault of the script was served.
    Faulted,
    /// The script has nothing for it; says what was looked for.
    Missed(String),
    /// The host hung up before the end, as it does when a turn is aborted.
    Dropped,
}

impl Recorded {
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap_or(Value::Null)
    }

    /// Names of the tools on offer, in order.
    pub fn tools(&self) -> Vec<String> {
        let body = self.body();
        let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().filter_map(|tool| tool["function"]["name"].as_str().map(str::to_owned)).collect()
    }

    /// Whether the two were being answered at the same time.
    pub fn overlaps(&self, other: &Self) -> bool {
        let end = |of: &Self| of.ended.unwrap_or(Duration::MAX);
        self.started < end(other) && other.started < end(self)
    }
}
