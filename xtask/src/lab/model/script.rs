//! What the model says: rules, and the turns of a conversation each rule stands for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::{Request, Role};

/// A whole script. The first rule that matches a request answers it, so special cases go first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub rules: Vec<Rule>,
}

/// Answers the conversations of one role whose last user message contains certain texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub role: Role,
    /// All of these occur in the last user message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// One per answer since the last user message. A script whose last turn calls tools is closed by a
    /// plain `Done.`, because the host always asks once more with their results.
    pub turns: Vec<Turn>,
}

/// One answer of the model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Time before the first chunk.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// Waits, after the delay, until the test opens the gate of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Says the newest tool result after `text`, as a model does that hands a report on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub name: String,
    /// A string is sent as it stands, so that a test can send arguments that are not JSON.
    pub args: Value,
}

/// What goes wrong instead of, or in, an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Answers with an HTTP status instead of a stream.
    Status {
        code: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
        body: String,
        /// Served this often; afterwards the turn is answered as if it had no fault.
        times: u32,
    },
    /// Sends the text and then nothing more, until the host gives up or the model is stopped.
    Hang,
    /// Sends the text and cuts the connection.
    Close,
}

/// Where in the script an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) rule: usize,
    pub(super) turn: usize,
}

/// What the script has for a request.
#[derive(Debug, Clone)]
pub(super) enum Pick {
    Turn(Place, Turn),
    /// A request without tools that no rule wants: the host asks for a title.
    Title,
    Miss(String),
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Puts a rule before all others.
    pub fn first(mut self, rule: Rule) -> Self {
        self.rules.insert(0, rule);
        self
    }

    pub(super) fn pick(&self, request: &Request) -> Pick {
        let prompt = request.prompt.as_str();
        let wanted = |rule: &Rule| {
            rule.role == request.role && rule.contains.iter().all(|text| prompt.contains(text.as_str()))
        };
        let Some(index) = self.rules.iter().position(wanted) else {
            return match request.role {
                Role::Title => Pick::Title,
                role => Pick::Miss(format!("no rule for a {role:?} request that says: {prompt}")),
            };
        };
        let turns = &self.rules[index].turns;
        let place = Place { rule: index, turn: request.turn };
        let closes = request.turn == turns.len() && turns.last().is_some_and(|turn| !turn.calls.is_empty());
        match turns.get(request.turn) {
            Some(turn) => Pick::Turn(place, turn.clone()),
            None if closes => Pick::Turn(place, Turn::text("Done.")),
            None => Pick::Miss(format!("rule {index} has no turn {} for: {prompt}", request.turn)),
        }
    }
}

impl Rule {
    pub fn new(role: Role) -> Self {
        Self { role, contains: Vec::new(), turns: Vec::new() }
    }

    pub fn contains(mut self, text: &str) -> Self {
        self.contains.push(text.to_owned());
        self
    }

    pub fn turn(mut self, turn: Turn) -> Self {
        self.turns.push(turn);
        self
    }

    /// A turn that calls one tool.
    pub fn call(self, name: &str, args: Value) -> Self {
        self.turn(Turn::call(name, args))
    }

    /// A turn of plain text.
    pub fn say(self, text: &str) -> Self {
        self.turn(Turn::text(text))
    }
}

impl Turn {
    pub fn text(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    pub fn call(name: &str, args: Value) -> Self {
        Self::default().and_call(name, args)
    }

    /// A turn that says the newest tool result.
    pub fn echo() -> Self {
        Self { echo: true, ..Self::default() }
    }

    pub fn fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    pub fn and_call(mut self, name: &str, args: Value) -> Self {
        self.calls.push(Call { name: name.to_owned(), args });
        self
    }

    /// Thinks this long first, to the millisecond.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    pub fn gate(mut self, name: &str) -> Self {
        self.gate = Some(name.to_owned());
        self
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
