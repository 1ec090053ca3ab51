//! Reading a chat request: whose it is, what was asked last, how far its answer has come.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who is asking, told from the tools on offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Commander,
    Planner,
    Worker,
    Reviewer,
    /// No tools at all: the host wants a title or a summary.
    Title,
    /// Any other agent of the host, `build` for one.
    Other,
}

/// The tool that only this role has.
const MARKS: [(&str, Role); 4] = [
    ("mission", Role::Commander),
    ("submit_plan", Role::Planner),
    ("submit_report", Role::Worker),
    ("submit_review", Role::Reviewer),
];

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) role: Role,
    /// The last user message, which rules are matched against.
    pub(super) prompt: String,
    /// Answers since the last user message.
    pub(super) turn: usize,
    pub(super) last_tool_result: Option<String>,
}

impl Request {
    pub(super) fn read(body: &Value) -> Self {
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is = |message: &Value, role: &str| message["role"] == role;
        let since = messages.iter().rposition(|m| is(m, "user")).map_or(0, |at| at + 1);
        Self {
            role: role(body),
            prompt: messages.iter().rfind(|m| is(m, "user")).map(|m| text(&m["content"])).unwrap_or_default(),
            turn: messages[since..].iter().filter(|m| is(m, "assistant")).count(),
            last_tool_result: messages.iter().rfind(|m| is(m, "tool")).map(|m| text(&m["content"])),
        }
    }
}

fn role(body: &Value) -> Role {
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tools.is_empty() {
        return Role::Title;
    }
    let has = |name: &str| tools.iter().any(|tool| tool["function"]["name"] == name);
    MARKS.iter().find(|(name, _)| has(name)).map_or(Role::Other, |(_, role)| *role)
}

/// Content is a string or a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(role: &str, content: &str) -> Value {
        json!({"role": role, "content": content})
    }

    #[test]
    fn role_is_told_from_the_tools() {
        let cases = [
            (json!(["read", "mission"]), Role::Commander),
            (json!(["submit_plan", "read"]), Role::Planner),
            (json!(["edit", "submit_report"]), Role::Worker),
            (json!(["submit_review"]), Role::Reviewer),
            (json!([]), Role::Title),
            (json!(["read", "task", "missionary"]), Role::Other),
        ];
        for (names, wanted) in cases {
            let tools: Vec<Value> =
                names.as_array().unwrap().iter().map(|n| json!({"function": {"name": n}})).collect();
            assert_eq!(Request::read(&json!({"tools": tools})).role, wanted, "{names}");
        }
        assert_eq!(Request::read(&json!({})).role, Role::Title);
    }

    #[test]
    fn turn_counts_answers_after_the_last_user_message() {
        let mut messages = vec![message("system", "s"), message("user", "one")];
        let turn = |messages: &[Value]| Request::read(&json!({"messages": messages})).turn;
        assert_eq!(turn(&messages), 0);
        messages.extend([message("assistant", "a"), message("tool", "r")]);
        assert_eq!(turn(&messages), 1);
        messages.extend([message("assistant", "b"), message("tool", "r")]);
        assert_eq!(turn(&messages), 2);
        messages.push(message("user", "two"));
        assert_eq!(turn(&messages), 0);
    }

    #[test]
    fn content_in_parts_is_joined_and_the_newest_tool_result_is_kept() {
        let request = Request::read(&json!({"messages": [
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            message("tool", "first"), message("tool", "second"),
        ]}));
        assert_eq!(request.prompt, "one\ntwo");
        assert_eq!(request.last_tool_result.as_deref(), Some("second"));
    }
}
