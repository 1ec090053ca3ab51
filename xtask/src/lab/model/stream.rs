//! The wire form of an answer: server-sent `chat.completion.chunk` events.

use serde_json::{Value, json};

use super::script::Call;

/// Characters per delta: short enough that the host really has to join several.
const PIECE: usize = 48;

pub(super) struct Answer {
    /// Number of the request; makes the ids of the calls unique.
    pub(super) request: usize,
    pub(super) model: String,
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
    pub(super) prompt_bytes: usize,
}

impl Answer {
    /// Role and text.
    pub(super) fn head(&self) -> Vec<String> {
        let role = self.delta(json!({"role": "assistant", "content": ""}));
        let text = pieces(&self.text).map(|piece| self.delta(json!({"content": piece})));
        std::iter::once(role).chain(text).collect()
    }

    /// Tool calls, the reason why it ends, and usage.
    pub(super) fn tail(&self) -> Vec<String> {
        let calls = self.calls.iter().enumerate().flat_map(|(index, call)| self.call(index, call));
        let reason = if self.calls.is_empty() { "stop" } else { "tool_calls" };
        let choice = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
        calls.chain([self.event(choice, Value::Null), self.event(json!([]), self.usage())]).collect()
    }

    /// What ends the stream.
    pub(super) fn done() -> String {
        "data: [DONE]\n\n".to_owned()
    }

    fn call(&self, index: usize, call: &Call) -> Vec<String> {
        let id = format!("call_{}_{index}", self.request);
        let function = json!({"name": call.name, "arguments": ""});
        let open = json!({"index": index, "id": id, "type": "function", "function": function});
        let arguments = arguments(call);
        let rest = pieces(&arguments).map(|piece| json!({"index": index, "function": {"arguments": piece}}));
        std::iter::once(open).chain(rest).map(|part| self.delta(json!({"tool_calls": [part]}))).collect()
    }

    /// Four bytes to a token: near enough, and the same in every run.
    fn usage(&self) -> Value {
        let said: usize = self.calls.iter().map(|call| arguments(call).len()).sum();
        let (input, output) = (self.prompt_bytes / 4, (self.text.len() + said) / 4 + 1);
        json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
    }

    fn delta(&self, delta: Value) -> String {
        self.event(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null)
    }

    fn event(&self, choices: Value, usage: Value) -> String {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.request),
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self.model,
            "choices": choices,
        });
        if !usage.is_null() {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    }
}

fn arguments(call: &Call) -> String {
    match &call.args {
        Value::String(raw) => raw.clone(),
        args => args.to_string(),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        characters.peek()?;
        Some(characters.by_ref().take(PIECE).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(answer: &Answer) -> Vec<Value> {
        let events = [answer.head(), answer.tail()].concat();
        events.iter().map(|event| serde_json::from_str(event["data: ".len()..].trim()).unwrap()).collect()
    }

    fn joined(chunks: &[Value], pointer: &str) -> String {
        chunks.iter().filter_map(|chunk| chunk.pointer(pointer)?.as_str()).collect()
    }

    #[test]
    fn text_and_calls_come_in_pieces_that_join_to_the_whole() {
        let text = "Ünïcödé ".repeat(20);
        let args = json!({"path": "a".repeat(100), "n": 1});
        let calls = vec![Call { name: "read".into(), args: args.clone() }];
        let answer = Answer { request: 7, model: "m".into(), text: text.clone(), calls, prompt_bytes: 400 };
        let chunks = chunks(&answer);

        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(joined(&chunks, "/choices/0/delta/content"), text);
        let call = "/choices/0/delta/tool_calls/0";
        assert_eq!(joined(&chunks, &format!("{call}/id")), "call_7_0");
        assert_eq!(joined(&chunks, &format!("{call}/function/name")), "read");
        assert_eq!(joined(&chunks, &format!("{call}/function/arguments")), args.to_string());

        let [.., finish, usage] = chunks.as_slice() else { panic!("too few chunks") };
        assert_eq!(finish["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(usage["choices"], json!([]));
        assert_eq!(usage["usage"]["prompt_tokens"], 100);
        let said = (text.len() + args.to_string().len()) / 4 + 1;
        assert_eq!(usage["usage"]["completion_tokens"], said);
        assert_eq!(usage["usage"]["total_tokens"], 100 + said);
    }

    #[test]
    fn plain_text_stops() {
        let answer =
            Answer { request: 0, model: "m".into(), text: "hi".into(), calls: vec![], prompt_bytes: 0 };
        assert_eq!(joined(&chunks(&answer), "/choices/0/finish_reason"), "stop");
    }

    #[test]
    fn arguments_that_are_a_string_are_sent_as_they_are() {
        let broken = Call { name: "submit_plan".into(), args: "{not json".into() };
        let answer = Answer {
            request: 0,
            model: "m".into(),
            text: String::new(),
            calls: vec![broken],
            prompt_bytes: 0,
        };
        let pointer = "/choices/0/delta/tool_calls/0/function/arguments";
        assert_eq!(joined(&chunks(&answer), pointer), "{not json");
    }
}
