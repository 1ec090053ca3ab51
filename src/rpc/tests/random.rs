//! 10,000 lines of anything: the connection never dies, and who must be answered is, once.
use std::collections::BTreeMap;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;

const CASES: u32 = 25;
const LINES: usize = 400;

#[test]
fn any_lines_leave_a_working_connection_and_nobody_unanswered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(line(), LINES), |lines| {
            let (wanted, found) = runtime.block_on(exchange(&lines));
            prop_assert_eq!(wanted, found);
            Ok(())
        })
        .expect("every line is answered as it should be");
}

/// Answers by id: how many there should be, and how many there are.
async fn exchange(lines: &[Vec<u8>]) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let Wire { mut to, mut from, server: _, run } = Wire::new(plain(), Limits::default());
    let mut wanted = BTreeMap::new();
    for line in lines {
        if let Some(id) = answered_as(line) {
            *wanted.entry(id.to_string()).or_default() += 1;
        }
    }
    let mut input = lines.join(&b'\n');
    input.extend_from_slice(b"\n");
    let alive = json!({ "jsonrpc": "2.0", "id": "alive", "method": "lease/check", "params": lease("ok") });
    input.extend_from_slice(alive.to_string().as_bytes());
    *wanted.entry(r#""alive""#.to_owned()).or_default() += 1;
    let feed = tokio::spawn(async move {
        to.write_all(&input).await.expect("the server reads to the end");
        to.shutdown().await.expect("end of input");
    });
    let mut found = BTreeMap::new();
    while let Some(line) = from.next_line().await.expect("UTF-8") {
        let answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
        assert_eq!(answer["jsonrpc"], "2.0");
        assert!(answer.get("result").is_some() != answer.get("error").is_some(), "{line}");
        *found.entry(answer["id"].to_string()).or_default() += 1;
    }
    feed.await.expect("feeder");
    run.await.expect("run does not panic");
    (wanted, found)
}

/// The rules once more, written over a parsed value: the id of the one answer this line must have.
fn answered_as(line: &[u8]) -> Option<Value> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let Some(Value::Object(message)) =
        std::str::from_utf8(line).ok().and_then(|text| serde_json::from_str(text).ok())
    else {
        return Some(Value::Null);
    };
    let id = message.get("id").filter(|id| id.is_number() || id.is_string()).cloned().unwrap_or_default();
    let Some(method) = message.get("method") else {
        let is_answer = message.contains_key("result") || message.contains_key("error");
        return (!is_answer).then_some(id);
    };
    let well_formed = message.get("jsonrpc") == Some(&json!("2.0")) && method.is_string();
    let notification = well_formed && !message.contains_key("id");
    (!notification).then_some(id)
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let message = message().prop_map(|m| m.to_string().into_bytes()).boxed();
    let broken =
        (message.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut line, at, byte)| {
            let at = at.index(line.len());
            line[at] = byte;
            line
        });
    let cut = (message.clone(), any::<prop::sample::Index>()).prop_map(|(mut line, at)| {
        line.truncate(at.index(line.len()));
        line
    });
    let batch = prop::collection::vec(self::message(), 0..3).prop_map(|b| json!(b).to_string().into_bytes());
    let noise = prop::collection::vec(any::<u8>(), 0..80);
    let nested = (1..2000_usize, any::<bool>()).prop_map(|(depth, object)| {
        if object { r#"{"a":"#.repeat(depth).into_bytes() } else { vec![b'['; depth] }
    });
    prop_oneof![6 => message, 2 => broken, 2 => cut, 1 => batch, 2 => noise, 1 => nested].prop_map(
        |mut line| {
            // A newline would make two lines of one.
            line.retain(|byte| *byte != b'\n');
            line
        },
    )
}

/// Objects with any of the six keys, most of them nearly right.
fn message() -> impl Strategy<Value = Value> {
    let version = prop_oneof![8 => Just(Some(json!("2.0"))), 1 => Just(Some(json!(2))), 1 => Just(None)];
    let id = prop_oneof![
        6 => any::<u16>().prop_map(|n| Some(json!(n))),
        1 => "[a-z\\\\\"é]{0,5}".prop_map(|s| Some(json!(s))),
        1 => prop_oneof![Just(json!(null)), Just(json!(-3)), Just(json!(2.5)), Just(json!([1])), Just(json!(true))]
            .prop_map(Some),
        2 => Just(None),
    ];
    let method = prop_oneof![
        8 => prop::sample::select(vec!["lease/check", "tool/call", "tool/list", "event/batch", "$/cancel", "nope", ""])
            .prop_map(|m| Some(json!(m))),
        1 => Just(Some(json!(5))),
        1 => Just(None),
    ];
    let params = prop_oneof![
        Just(None),
        Just(Some(json!({}))),
        Just(Some(json!([]))),
        Just(Some(json!("x"))),
        Just(Some(lease("ok"))),
        Just(Some(lease("panic"))),
        Just(Some(tool_call("echo"))),
        Just(Some(tool_call("panic"))),
        Just(Some(json!({ "id": 3 }))),
        Just(Some(json!({ "directory": "/p", "events": [{ "type": "deleted", "session": "s" }] }))),
    ];
    let result = prop_oneof![8 => Just(None), 1 => Just(Some(json!(null))), 1 => Just(Some(json!({})))];
    (version, id, method, params, result).prop_map(|(jsonrpc, id, method, params, result)| {
        let fields =
            [("jsonrpc", jsonrpc), ("id", id), ("method", method), ("params", params), ("result", result)];
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    })
}
