//! The pipe between the two ends, line by line: what passes can be read, lines can be put in, and it can be cut.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::until;

const PIPE: usize = 64 * 1024;

#[derive(Clone)]
pub struct Wire {
    put: mpsc::UnboundedSender<Vec<u8>>,
    said: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<Value>>>,
    noise: Arc<AtomicUsize>,
    cut: CancellationToken,
}

/// Lines that are no messages; one goes before each message while there is noise.
const NOISE: &[&[u8]] = &[
    b"warning: something wrote to stdout",
    b"{\"jsonrpc\":\"2.0\",\"id\":",
    b"\xff\xfe\x00",
    b"[]",
    b"{\"jsonrpc\":\"2.0\",\"method\":\"no/such\",\"params\":{}}",
    b"{\"jsonrpc\":\"2.0\",\"id\":987654321,\"result\":{}}",
];

/// The pipe, the shim's end of it and the server's.
pub fn wire() -> (Wire, DuplexStream, DuplexStream) {
    let (shim, near_shim) = tokio::io::duplex(PIPE);
    let (near_server, server) = tokio::io::duplex(PIPE);
    let (put, mut lines) = mpsc::unbounded_channel::<Vec<u8>>();
    let wire = Wire {
        put,
        said: Arc::default(),
        asked: Arc::default(),
        noise: Arc::default(),
        cut: CancellationToken::new(),
    };
    let (from_shim, mut to_shim) = tokio::io::split(near_shim);
    let (from_server, mut to_server) = tokio::io::split(near_server);
    let w = wire.clone();
    let there = async move {
        let mut from_shim = BufReader::new(from_shim).lines();
        loop {
            let line = tokio::select! {
                Ok(Some(line)) = from_shim.next_line() => line.into_bytes(),
                Some(line) = lines.recv() => line,
                else => break,
            };
            w.asked.lock().extend(serde_json::from_slice::<Value>(&line));
            let n = w.noise.load(Ordering::Relaxed);
            let noise =
                if n > 0 { NOISE[w.noise.fetch_add(1, Ordering::Relaxed) % NOISE.len()] } else { b"" };
            let bytes =
                if n > 0 { [noise, b"\n", &line, b"\n"].concat() } else { [&line[..], b"\n"].concat() };
            if to_server.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    let w = wire.clone();
    let back = async move {
        let mut from_server = BufReader::new(from_server).lines();
        while let Ok(Some(line)) = from_server.next_line().await {
            w.said.lock().push(serde_json::from_str(&line).expect("the server says JSON only"));
            if to_shim.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                break;
            }
        }
    };
    let cut = wire.cut.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = async { tokio::join!(there, back); } => {}
            () = cut.cancelled() => {}
        }
    });
    (wire, shim, server)
}

impl Wire {
    /// From now on a line of garbage goes before each message to the server.
    pub fn make_noise(&self) {
        self.noise.store(1, Ordering::Relaxed);
    }

    pub fn lines_of_noise(&self) -> usize {
        self.noise.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Both ends see the pipe close.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    pub fn put(&self, line: &str) {
        self.put.send(line.as_bytes().to_vec()).expect("the pipe is there");
    }

    /// A call by hand, next to those of the shim; its answer.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let id = format!("{method} by hand {}", self.asked.lock().len());
        self.put(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        self.answer_to(&json!(id)).await
    }

    pub async fn answer_to(&self, id: &Value) -> Value {
        let find = || self.said.lock().iter().find(|m| m["id"] == *id && m.get("method").is_none()).cloned();
        until(&format!("an answer to {id}"), || find().is_some()).await;
        find().unwrap_or_default()
    }

    /// The id of the newest request of the shim to this method that `which` is true for.
    pub fn id_of(&self, method: &str, which: impl Fn(&Value) -> bool) -> Value {
        let asked = self.asked.lock();
        let found = asked.iter().rfind(|m| m["method"] == method && which(&m["params"]));
        found.unwrap_or_else(|| panic!("no {method} was asked"))["id"].clone()
    }
}
