//! How a connection ends, and what becomes of what was under way.
use super::*;
use crate::{
    protocol::methods::HostToast,
    rpc::{CallError, EndReason},
};

fn toast() -> ToastParams {
    let (directory, title, message) = ("/p".into(), String::new(), String::new());
    ToastParams { directory, title, message, variant: ToastVariant::Info, duration: 1 }
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_input_what_can_be_answered_is() {
    let mut wire = Wire::new(plain(), Limits::default());
    let server = wire.server.clone();
    let calling = tokio::spawn(async move { server.call(HostToast, &toast(), SOON).await });
    assert_eq!(wire.answer().await["method"], "host/toast");
    wire.request(1, "tool/call", tool_call("forever")).await;
    // The last request lacks its newline, and nobody will send another one.
    let last = json!({ "jsonrpc": "2.0", "id": 2, "method": "tool/call", "params": tool_call("echo") });
    wire.to.write_all(last.to_string().as_bytes()).await.expect("the server reads");
    wire.to.shutdown().await.expect("end of input");
    wire.server.closed().await;
    assert_eq!(calling.await.expect("task"), Err(CallError::Closed { method: "host/toast" }));
    assert_eq!(wire.answer().await["id"], 2, "an answer given after the end of input");
    let refused = wire.server.call(HostToast, &toast(), SOON).await;
    assert_eq!(refused, Err(CallError::Closed { method: "host/toast" }));
    assert_eq!(wire.ended().await.reason, EndReason::InputClosed);
}

#[tokio::test]
async fn a_handler_that_closes_the_connection_is_still_answered() {
    let mut wire = Wire::new(plain(), Limits::default());
    wire.request(1, "tool/call", tool_call("last")).await;
    assert_eq!(wire.answer().await["result"]["output"], "goodbye");
    assert_eq!(wire.from.next_line().await.expect("memory pipe"), None, "the output is closed");
    assert_eq!(wire.ended().await.reason, EndReason::Asked);
}

#[tokio::test]
async fn a_reader_that_is_gone_ends_the_connection() {
    let Wire { to, from, server, run } = Wire::new(plain(), Limits::default());
    drop((to, from));
    server.closed().await;
    let ended = tokio::time::timeout(SOON, run).await.expect("in time").expect("no panic");
    assert!(matches!(ended.reason, EndReason::InputClosed | EndReason::WriteFailed), "{ended:?}");
}

#[tokio::test]
async fn a_dropped_connection_ends_its_calls() {
    let mut wire = Wire::new(plain(), Limits::default());
    let server = wire.server.clone();
    let calling = tokio::spawn(async move { server.call(HostToast, &toast(), SOON).await });
    assert_eq!(wire.answer().await["method"], "host/toast");
    wire.run.abort();
    assert_eq!(calling.await.expect("task"), Err(CallError::Closed { method: "host/toast" }));
    assert!(wire.server.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_end_that_never_reads_is_cut() {
    let limits = Limits { queued_bytes: 64 * 1024, ..Limits::default() };
    let stall = limits.stall;
    let mut wire = Wire::new(plain(), limits);
    let start = tokio::time::Instant::now();
    // Answers of 20 KB that nobody reads: the pipe fills, then the queue, then the server stops reading.
    let mut open = json!({ "jsonrpc": "2.0", "id": 1, "method": "workspace/open", "params": { "directory": "/p", "worktree": "/p" } });
    let flood = async {
        for id in 0..2000_u64 {
            open["id"] = json!(id);
            if wire.to.write_all(format!("{open}\n").as_bytes()).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(4 * stall, flood).await.expect("it is cut");
    let Wire { to: _to, from: _from, server, run } = wire;
    tokio::time::timeout(4 * stall, server.closed()).await.expect("it is cut");
    assert_eq!(run.await.expect("no panic").reason, EndReason::Stalled);
    let took = start.elapsed();
    assert!(took >= stall && took <= 3 * stall, "cut after {took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_reads_slowly_is_not_cut() {
    let limits = Limits { queued_bytes: 64 * 1024, ..Limits::default() };
    let mut wire = Wire::new(plain(), limits);
    for id in 0..8_u64 {
        wire.request(id, "workspace/open", json!({ "directory": "/p", "worktree": "/p" })).await;
    }
    // 160 KB, of which the pipe takes 4 KB: every answer is longer under way than the stall limit for all of them.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert!(wire.answer().await["result"].is_object());
    }
    assert!(!wire.server.is_closed());
}

#[tokio::test(start_paused = true)]
async fn silence_without_a_full_queue_does_no_harm() {
    let mut wire = Wire::new(plain(), Limits::default());
    wire.request(1, "workspace/open", json!({ "directory": "/p", "worktree": "/p" })).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(wire.answer().await["result"].is_object());
    wire.expect_alive("after an hour").await;
}
