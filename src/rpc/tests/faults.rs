//! What is wrong with a line, and what it is answered with.
use super::*;
use crate::{
    protocol::{
        errors::*,
        methods::{Initialize, Shutdown},
    },
    rpc::Stats,
};

#[tokio::test]
async fn every_fault_of_a_line_has_its_answer() {
    let null = Value::Null;
    let cases: &[(&[u8], Value, i32, &str)] = &[
        (b"hello", null.clone(), PARSE_ERROR, "not JSON"),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,", null.clone(), PARSE_ERROR, "one JSON-RPC 2.0 object a line"),
        (b"{\"id\":1}{\"id\":2}", null.clone(), PARSE_ERROR, "trailing"),
        (b"\xff\xfe{}", null.clone(), PARSE_ERROR, "not UTF-8 after byte 0"),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\"}", null.clone(), PARSE_ERROR, "not UTF-8"),
        (b"[]", null.clone(), INVALID_REQUEST, "batches are not supported"),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"tool/list"}]"#, null.clone(), INVALID_REQUEST, "batches"),
        (b"[1,", null.clone(), PARSE_ERROR, "not JSON"),
        (b"17", null.clone(), INVALID_REQUEST, "not an object"),
        (b"null", null.clone(), INVALID_REQUEST, "not an object"),
        (b"{}", null.clone(), INVALID_REQUEST, "\"method\" is missing"),
        (br#"{"jsonrpc":"2.0","id":4}"#, json!(4), INVALID_REQUEST, "\"method\" is missing"),
        (br#"{"id":5,"method":"tool/list"}"#, json!(5), INVALID_REQUEST, "\"jsonrpc\" must be \"2.0\""),
        (
            br#"{"jsonrpc":"1.0","id":"a","method":"tool/list"}"#,
            json!("a"),
            INVALID_REQUEST,
            "must be \"2.0\"",
        ),
        (br#"{"jsonrpc":2.0,"id":5,"method":"tool/list"}"#, json!(5), INVALID_REQUEST, "must be \"2.0\""),
        (br#"{"method":"event/batch"}"#, null.clone(), INVALID_REQUEST, "must be \"2.0\""),
        (br#"{"jsonrpc":"2.0","id":6,"method":7}"#, json!(6), INVALID_REQUEST, "\"method\" must be a string"),
        (
            br#"{"jsonrpc":"2.0","id":null,"method":"tool/list"}"#,
            null.clone(),
            INVALID_REQUEST,
            "\"id\" must be",
        ),
        (
            br#"{"jsonrpc":"2.0","id":{"a":1},"method":"tool/list"}"#,
            null.clone(),
            INVALID_REQUEST,
            "\"id\" must be",
        ),
        (br#"{"jsonrpc":"2.0","id":-1,"method":"tool/list"}"#, json!(-1), INVALID_REQUEST, "\"id\" must be"),
        (
            br#"{"jsonrpc":"2.0","id":1.5,"method":"tool/list"}"#,
            json!(1.5),
            INVALID_REQUEST,
            "\"id\" must be",
        ),
        (
            br#"{"jsonrpc":"2.0","id":1e999,"method":"tool/list"}"#,
            null.clone(),
            INVALID_REQUEST,
            "\"id\" must be",
        ),
        (
            br#"{"jsonrpc":"2.0","id":"\ud800","method":"tool/list"}"#,
            null.clone(),
            INVALID_REQUEST,
            "\"id\" must be",
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tool/list"}"#,
            null.clone(),
            INVALID_REQUEST,
            "duplicate field `id`",
        ),
        (br#"{"jsonrpc":"2.0","id":8,"method":"tool/lisp"}"#, json!(8), METHOD_NOT_FOUND, "tool/lisp"),
        (br#"{"jsonrpc":"2.0","id":8,"method":"event/batch"}"#, json!(8), METHOD_NOT_FOUND, "event/batch"),
        (
            br#"{"jsonrpc":"2.0","id":9,"method":"lease/check","params":{"directory":"/p"}}"#,
            json!(9),
            INVALID_PARAMS,
            "params of lease/check: missing field `session`",
        ),
        (
            br#"{"jsonrpc":"2.0","id":10,"method":"tool/call","params":{"direktory":"/p"}}"#,
            json!(10),
            INVALID_PARAMS,
            "unknown field `direktory`",
        ),
        (
            br#"{"jsonrpc":"2.0","id":11,"method":"tool/list","params":[]}"#,
            json!(11),
            INVALID_PARAMS,
            "must be an object",
        ),
        (
            br#"{"jsonrpc":"2.0","id":11,"method":"tool/list","params":null}"#,
            json!(11),
            INVALID_PARAMS,
            "must be an object",
        ),
        (br#"{"jsonrpc":"2.0","id":"\u0061\n","method":"nope"}"#, json!("a\n"), METHOD_NOT_FOUND, "nope"),
    ];
    let mut wire = Wire::new(plain(), Limits::default());
    for (line, id, code, part) in cases {
        wire.send(line).await;
        wire.expect_error(id.clone(), *code, part, &String::from_utf8_lossy(line)).await;
    }
    wire.expect_alive("after all faults").await;
}

#[tokio::test]
async fn lines_that_want_no_answer_get_none() {
    let mut wire = Wire::new(plain(), Limits::default());
    let silent = [
        "",
        "  \t\r",
        r#"{"jsonrpc":"2.0","method":"nobody/knows"}"#,
        r#"{"jsonrpc":"2.0","method":"event/batch","params":{"directory":1}}"#,
        r#"{"jsonrpc":"2.0","method":"event/batch","params":{"directory":"/panic","events":[]}}"#,
        r#"{"jsonrpc":"2.0","method":"$/cancel","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"$/cancel","params":{"id":12345}}"#,
        // An end that answers answers never stops.
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}"#,
        r#"{"jsonrpc":"2.0","id":77,"result":{}}"#,
        r#"{"id":"x","result":null}"#,
    ];
    for line in silent {
        wire.send(line).await;
    }
    wire.expect_alive("the first answer is the one to the call").await;
    let wanted = Stats { stray_answers: 3, dropped_notifications: 4, panics: 1, ..Stats::default() };
    assert_eq!(wire.server.stats(), wanted);
}

#[tokio::test]
async fn a_line_over_the_cap_is_skipped_and_the_next_one_served() {
    let mut wire = Wire::new(plain(), Limits::default());
    let cap = Limits::default().line_bytes;
    wire.send(vec![b'x'; 9 * 1024 * 1024]).await;
    wire.expect_error(Value::Null, INVALID_REQUEST, "more than 8388608 bytes was skipped", "9 MB").await;
    wire.expect_alive("after 9 MB").await;

    let mut longest =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tool/call", "params": tool_call("echo") });
    longest["params"]["message"] = json!("");
    longest["params"]["message"] = json!("y".repeat(cap - longest.to_string().len()));
    let longest = longest.to_string();
    assert_eq!(longest.len(), cap);
    wire.send(longest).await;
    assert_eq!(wire.answer().await["result"]["output"], "echo");
    assert_eq!(wire.server.stats().bad_lines, 1);
}

#[tokio::test]
async fn what_the_caller_sends_does_not_come_back_at_length() {
    let mut wire = Wire::new(plain(), Limits::default());
    let long = "ü".repeat(100_000);
    wire.request(1, &long, json!({})).await;
    wire.expect_error(json!(1), METHOD_NOT_FOUND, "ü", "long method").await;
    wire.send(json!({ "jsonrpc": "2.0", "id": long, "method": "tool/list" }).to_string()).await;
    wire.expect_error(Value::Null, INVALID_REQUEST, "250 bytes", "long id").await;
    wire.request(2, "tool/list", json!({ long: 1 })).await;
    wire.expect_error(json!(2), INVALID_PARAMS, "unknown field", "long field").await;
}

#[tokio::test]
async fn errors_of_handlers_arrive_whole() {
    let mut wire = Wire::new(plain(), Limits::default());
    wire.request(1, "lease/check", lease("no")).await;
    let wanted = json!({ "code": CONFLICT, "message": "no", "data": { "held": true } });
    assert_eq!(wire.answer().await["error"], wanted);
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let mut wire = Wire::new(plain(), Limits::default());
    wire.request(1, "lease/check", lease("panic")).await;
    wire.expect_error(json!(1), INTERNAL_ERROR, "lease/check failed inside Gantry (request 1)", "sync").await;
    wire.request(2, "tool/call", tool_call("panic")).await;
    wire.expect_error(json!(2), INTERNAL_ERROR, "tool/call failed inside Gantry (request 2)", "async").await;
    wire.expect_alive("after two panics").await;
    assert_eq!(wire.server.stats().panics, 2);
}

#[tokio::test]
async fn requests_over_the_limit_are_refused_until_one_is_answered() {
    let mut wire = Wire::new(plain(), Limits { in_flight: 2, ..Limits::default() });
    wire.request(1, "tool/call", tool_call("wait")).await;
    wire.request(2, "tool/call", tool_call("wait")).await;
    wire.request(3, "tool/call", tool_call("echo")).await;
    wire.expect_error(json!(3), FULL, "2 requests are under way", "third").await;
    wire.request(2, "tool/call", tool_call("echo")).await;
    wire.expect_error(json!(2), INVALID_REQUEST, "id is still under way", "same id").await;
    wire.expect_alive("a sync method needs no place").await;
    wire.send(r#"{"jsonrpc":"2.0","method":"$/cancel","params":{"id":1}}"#).await;
    wire.expect_error(json!(1), CANCELLED, "tool/call was cancelled", "cancelled").await;
    wire.request(1, "tool/call", tool_call("echo")).await;
    assert_eq!(wire.answer().await["result"]["output"], "echo", "place and id are free again");
    assert_eq!(wire.server.stats().refused, 1);
}

#[tokio::test]
async fn an_answer_longer_than_a_line_becomes_an_error() {
    let mut wire = Wire::new(plain(), Limits { line_bytes: 1000, ..Limits::default() });
    wire.request(1, "workspace/open", json!({ "directory": "/p", "worktree": "/p" })).await;
    wire.expect_error(json!(1), INTERNAL_ERROR, "the answer to workspace/open has 20", "long answer").await;
    wire.expect_alive("after a long answer").await;
}

#[tokio::test]
async fn initialize_comes_first_and_once() {
    let server = || Peer { name: "gantry".into(), version: "0".into() };
    let router = router(&Arc::default())
        .request(Initialize, move |params, _| async move {
            if params.protocol_version != PROTOCOL_VERSION {
                return Err(RpcError::new(VERSION_MISMATCH, "install the same version on both sides"));
            }
            tokio::task::yield_now().await;
            let (home, store) = (String::new(), String::new());
            Ok(InitializeResult { protocol_version: PROTOCOL_VERSION, server: server(), pid: 1, home, store })
        })
        .request(Shutdown, |_, _| async { Ok(Empty {}) })
        .build();
    let hello = |version: u32| {
        json!({
            "protocolVersion": version,
            "client": { "name": "shim", "version": "0" },
            "host": { "line": "v1", "pid": 1 },
        })
    };
    let mut wire = Wire::new(router, Limits::default());
    wire.request(1, "lease/check", lease("ok")).await;
    wire.expect_error(json!(1), NOT_INITIALIZED, "lease/check has to wait", "sync before").await;
    wire.request(2, "shutdown", json!({})).await;
    wire.expect_error(json!(2), NOT_INITIALIZED, "shutdown has to wait", "async before").await;
    wire.send(r#"{"jsonrpc":"2.0","method":"event/batch","params":{"directory":"/p","events":[]}}"#).await;
    wire.request(3, "initialize", hello(99)).await;
    wire.expect_error(json!(3), VERSION_MISMATCH, "same version", "wrong version").await;
    wire.request(4, "lease/check", lease("ok")).await;
    wire.expect_error(json!(4), NOT_INITIALIZED, "lease/check", "after a refused handshake").await;
    wire.request(5, "initialize", hello(PROTOCOL_VERSION)).await;
    wire.request(6, "lease/check", lease("ok")).await;
    wire.expect_error(json!(6), NOT_INITIALIZED, "until initialize is answered", "during the handshake")
        .await;
    assert_eq!(wire.answer().await["result"]["server"]["name"], "gantry");
    wire.expect_alive("after the handshake").await;
    wire.request(7, "initialize", hello(PROTOCOL_VERSION)).await;
    wire.expect_error(json!(7), INVALID_REQUEST, "already called", "twice").await;
    assert_eq!(wire.server.stats().dropped_notifications, 1);
}
