//! The peer over a memory pipe.
mod ends;
mod faults;
mod random;
mod traffic;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    task::JoinHandle,
};

use super::{CallContext, Ended, Limits, PeerHandle, Router, RouterBuilder, RpcError, connect};
use crate::protocol::{
    errors,
    methods::{EventBatch, LeaseCheck, ToolCall, ToolList, WorkspaceOpen},
    types::*,
};

const SOON: Duration = Duration::from_secs(20);

/// A server and a hand-written client of it.
struct Wire {
    to: WriteHalf<DuplexStream>,
    from: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: PeerHandle,
    run: JoinHandle<Ended>,
}

impl Wire {
    fn new(router: Router, limits: Limits) -> Self {
        let (near, far) = tokio::io::duplex(4096);
        let (read, write) = tokio::io::split(far);
        let (server, connection) = connect(read, write, router, limits);
        let run = tokio::spawn(connection.run());
        let (read, to) = tokio::io::split(near);
        Self { to, from: BufReader::new(read).lines(), server, run }
    }

    async fn send(&mut self, line: impl AsRef<[u8]>) {
        self.to.write_all(line.as_ref()).await.expect("the server reads");
        self.to.write_all(b"\n").await.expect("the server reads");
    }

    async fn request(&mut self, id: u64, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string())
            .await;
    }

    /// The next line, which must be there soon.
    async fn answer(&mut self) -> Value {
        let line = tokio::time::timeout(SOON, self.from.next_line()).await.expect("an answer in time");
        serde_json::from_str(&line.expect("memory pipe").expect("the connection lives")).expect("JSON")
    }

    async fn expect_error(&mut self, id: Value, code: i32, part: &str, what: &str) {
        let answer = self.answer().await;
        assert_eq!(answer["jsonrpc"], "2.0", "{what}: {answer}");
        assert_eq!(answer["id"], id, "{what}: {answer}");
        assert_eq!(answer["error"]["code"], code, "{what}: {answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(part), "{what}: {message:?} does not say {part:?}");
        assert!(message.len() < 500, "{what}: a message of {} bytes", message.len());
    }

    /// A good call, to show that the connection lives.
    async fn expect_alive(&mut self, what: &str) {
        self.request(999, "lease/check", lease("ok")).await;
        let answer = self.answer().await;
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 999, "result": { "allow": true } }), "{what}");
    }

    async fn ended(self) -> Ended {
        tokio::time::timeout(SOON, self.run).await.expect("it ends in time").expect("run does not panic")
    }
}

fn lease(tool: &str) -> Value {
    json!({ "directory": "/p", "session": "s", "call": "c", "tool": tool, "paths": [] })
}

fn tool_call(tool: &str) -> Value {
    json!({ "directory": "/p", "session": "s", "call": "c", "agent": "worker", "tool": tool, "args": {} })
}

fn said(output: impl Into<String>) -> ToolCallResult {
    ToolCallResult { title: String::new(), output: output.into(), metadata: serde_json::Map::new() }
}

/// Handlers whose behaviour the params choose. Every event is noted in `seen` by its session.
fn router(seen: &Arc<Mutex<Vec<String>>>) -> RouterBuilder {
    let (noted, counted) = (seen.clone(), seen.clone());
    Router::builder()
        .sync(LeaseCheck, |params, _| match params.tool.as_str() {
            "panic" => panic!("sync handler"),
            "no" => Err(RpcError::new(errors::CONFLICT, "no").with_data(json!({ "held": true }))),
            _ => Ok(LeaseCheckResult { allow: true, reason: None }),
        })
        .request(ToolCall, call_tool)
        .request(ToolList, move |_: Empty, _| {
            let name = counted.lock().expect("lock").len().to_string();
            let tool = ToolInfo {
                name,
                description: String::new(),
                input_schema: json!({}),
                roles: vec![],
                permission: None,
            };
            async { Ok(ToolListResult { tools: vec![tool] }) }
        })
        .request(WorkspaceOpen, |_, _| async {
            Ok(WorkspaceOpenResult { missions: vec![], sessions: vec!["s".repeat(200); 100] })
        })
        .notification(EventBatch, move |batch, _| {
            assert_ne!(batch.directory, "/panic", "notification handler");
            for event in batch.events {
                if let HostEvent::Deleted { session } = event {
                    noted.lock().expect("lock").push(session);
                }
            }
        })
}

async fn call_tool(params: ToolCallParams, call: CallContext) -> Result<ToolCallResult, RpcError> {
    match params.tool.as_str() {
        "panic" => panic!("async handler"),
        "wait" => {
            call.cancel.cancelled().await;
            Err(RpcError::cancelled("tool/call"))
        }
        "stubborn" => {
            call.cancel.cancelled().await;
            Ok(said("done all the same"))
        }
        "last" => {
            call.peer.close();
            tokio::task::yield_now().await;
            Ok(said("goodbye"))
        }
        "forever" => std::future::pending().await,
        other => Ok(said(other)),
    }
}

fn plain() -> Router {
    router(&Arc::default()).build()
}
