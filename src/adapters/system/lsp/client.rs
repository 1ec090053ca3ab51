//! The conversation with one server: what it is asked, what it asks, what it says unasked.
use super::super::group::Group;
use super::super::tail::Tail;
use super::super::watchdog::Watchdog;
use super::documents::plain;
use super::framing;
use super::known;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Messages that wait to be written. A server that reads none of them for this long is broken.
const QUEUE: usize = 256;

/// An error that a server answered with.
#[derive(Debug)]
pub(super) struct Refused {
    pub code: i64,
    pub message: String,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Silence {
    Refused(Refused),
    Gone,
}

impl Silence {
    /// A fault that the server has not put into an error of the protocol.
    pub(super) fn of(message: &str) -> Self {
        Self::Refused(Refused { code: 0, message: message.to_owned() })
    }
}

/// What the server published of one file.
#[derive(Clone, Default)]
pub(super) struct Published {
    pub version: Option<i64>,
    pub items: Vec<Value>,
    /// Counts up with each publication of any file.
    pub turn: u64,
}

/// Shared by the two tasks that read and write, and by whoever asks.
#[derive(Default)]
pub(super) struct Heard {
    pending: Mutex<HashMap<i64, oneshot::Sender<Result<Value, Refused>>>>,
    published: Mutex<(u64, HashMap<String, Published>)>,
    /// Work the server has announced and not ended.
    working: Mutex<HashSet<String>>,
    pub something: Notify,
    /// What it says of itself, where it does: it has loaded the project and has nothing under way.
    pub loaded: Mutex<Option<bool>>,
    /// It can be asked for diagnostics.
    pub answers_for_files: AtomicBool,
    /// It counts on being told which files have changed on disk.
    pub wants_changes: AtomicBool,
    settings: Mutex<Value>,
}

impl Heard {
    pub(super) fn published(&self, uri: &str) -> Option<Published> {
        self.published.lock().1.get(&plain(uri)).cloned()
    }

    /// Publications so far.
    pub(super) fn turn(&self) -> u64 {
        self.published.lock().0
    }

    pub(super) fn is_working(&self) -> bool {
        !self.working.lock().is_empty()
    }

    /// The answer to what the server asks or says; none when it wants none.
    fn take(&self, message: &Value) -> Option<Value> {
        let params = &message["params"];
        match (message["method"].as_str(), message.get("id")) {
            (None, Some(id)) => {
                let waiting = id.as_i64().and_then(|id| self.pending.lock().remove(&id));
                if let Some(waiting) = waiting {
                    // Who asked may have gone.
                    let _ = waiting.send(answer(message));
                }
                None
            }
            (Some(method), Some(id)) => Some(self.asked(method, params, id)),
            (Some("textDocument/publishDiagnostics"), None) => {
                let mut published = self.published.lock();
                published.0 += 1;
                let turn = published.0;
                let items = params["diagnostics"].as_array().cloned().unwrap_or_default();
                let uri = plain(params["uri"].as_str().unwrap_or_default());
                published.1.insert(uri, Published { version: params["version"].as_i64(), items, turn });
                None
            }
            (Some("experimental/serverStatus"), None) => {
                *self.loaded.lock() = params["quiescent"].as_bool();
                None
            }
            (Some("$/progress"), None) => {
                let token = params["token"].to_string();
                match params["value"]["kind"].as_str() {
                    Some("begin") => self.working.lock().insert(token),
                    Some("end") => self.working.lock().remove(&token),
                    _ => false,
                };
                None
            }
            _ => None,
        }
    }

    fn asked(&self, method: &str, params: &Value, id: &Value) -> Value {
        let result = match method {
            "workspace/configuration" => {
                let settings = self.settings.lock();
                let of = |item: &Value| {
                    item["section"].as_str().map_or(Value::Null, |name| settings[name].clone())
                };
                Value::Array(
                    params["items"]
                        .as_array()
                        .map(|items| items.iter().map(of).collect())
                        .unwrap_or_default(),
                )
            }
            "client/registerCapability" => {
                let names = params["registrations"].as_array().into_iter().flatten();
                for name in names.filter_map(|r| r["method"].as_str()) {
                    match name {
                        "textDocument/diagnostic" => self.answers_for_files.store(true, Relaxed),
                        "workspace/didChangeWatchedFiles" => self.wants_changes.store(true, Relaxed),
                        _ => {}
                    }
                }
                Value::Null
            }
            "client/unregisterCapability"
            | "window/workDoneProgress/create"
            | "workspace/diagnostic/refresh"
            | "workspace/semanticTokens/refresh"
            | "workspace/inlayHint/refresh"
            | "workspace/codeLens/refresh"
            | "window/showMessageRequest" => Value::Null,
            // A server never changes files here.
            "workspace/applyEdit" => json!({"applied": false}),
            _ => {
                return json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": format!("{method} is not served")}});
            }
        };
        json!({"jsonrpc": "2.0", "id": id, "result": result})
    }
}

fn answer(message: &Value) -> Result<Value, Refused> {
    match message.get("error") {
        Some(error) => Err(Refused {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or("no reason given").to_owned(),
        }),
        None => Ok(message["result"].clone()),
    }
}

/// A running server. Dropping it ends its processes.
pub(super) struct Client {
    pub heard: Arc<Heard>,
    next: AtomicI64,
    out: mpsc::Sender<Vec<u8>>,
    gone: CancellationToken,
    errors: Arc<Mutex<Tail>>,
    group: Group,
    _tasks: JoinSet<()>,
}

impl Client {
    pub(super) fn start(
        root: &Path,
        command: &known::Command,
        settings: Value,
        watchdog: Option<Arc<Watchdog>>,
    ) -> Result<Self, String> {
        let shown = command.program.display().to_string();
        let mut group =
            Group::spawn(prepared(root, command), watchdog).map_err(|e| format!("{shown}: {e}"))?;
        let (Some(mut input), Some(output), Some(mut stderr)) = group.pipes() else {
            return Err(format!("{shown}: no pipes"));
        };
        let heard = Arc::new(Heard { settings: Mutex::new(settings), ..Heard::default() });
        let gone = CancellationToken::new();
        let errors: Arc<Mutex<Tail>> = Arc::default();
        let (out, mut waiting) = mpsc::channel::<Vec<u8>>(QUEUE);
        // Hundreds of files may be on their way to a server that waits for a reply.
        let (replies, mut first) = mpsc::channel::<Vec<u8>>(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let gone = gone.clone();
            async move {
                loop {
                    let next = tokio::select! {
                        biased;
                        Some(bytes) = first.recv() => Some(bytes),
                        bytes = waiting.recv() => bytes,
                    };
                    let Some(bytes) = next else { break };
                    if input.write_all(&bytes).await.is_err() || input.flush().await.is_err() {
                        break;
                    }
                }
                gone.cancel();
            }
        });
        tasks.spawn({
            let (heard, gone) = (heard.clone(), gone.clone());
            async move {
                let mut output = BufReader::new(output);
                loop {
                    match framing::read(&mut output).await {
                        Ok(Some(message)) => {
                            if let Some(reply) = heard.take(&message) {
                                // A server that does not read has no use for the reply.
                                let _ = replies.try_send(framing::frame(&reply));
                            }
                            heard.something.notify_waiters();
                        }
                        Ok(None) => break,
                        Err(error) => {
                            tracing::debug!(%error, "a language server wrote what is no message");
                            break;
                        }
                    }
                }
                gone.cancel();
                heard.pending.lock().clear();
                heard.something.notify_waiters();
            }
        });
        tasks.spawn({
            let errors = errors.clone();
            async move {
                let mut buffer = [0; 2048];
                while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                    errors.lock().push(&buffer[..count]);
                }
            }
        });
        Ok(Self { heard, next: AtomicI64::new(1), out, gone, errors, group, _tasks: tasks })
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.gone.is_cancelled()
    }

    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// The end of what it wrote to its error stream, in one line.
    pub(super) fn last_words(&self) -> String {
        let text = self.errors.lock().text();
        let lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        // The first lines say what, the others where.
        lines.iter().take(3).copied().collect::<Vec<_>>().join(" | ")
    }

    pub(super) async fn request(&self, method: &str, params: Value) -> Result<Value, Silence> {
        let id = self.next.fetch_add(1, Relaxed);
        let (tx, rx) = oneshot::channel();
        self.heard.pending.lock().insert(id, tx);
        let _forget = Forget(&self.heard, id);
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await?;
        tokio::select! {
            answer = rx => answer.map_err(|_| Silence::Gone)?.map_err(Silence::Refused),
            () = self.gone.cancelled() => Err(Silence::Gone),
        }
    }

    pub(super) async fn notify(&self, method: &str, params: Value) -> Result<(), Silence> {
        self.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await
    }

    async fn send(&self, message: Value) -> Result<(), Silence> {
        self.out.send(framing::frame(&message)).await.map_err(|_| Silence::Gone)
    }

    /// As the protocol wants it; what is left after half a second is killed. Returns when the process is gone.
    pub(super) async fn end(mut self) {
        let politely = async {
            if self.request("shutdown", Value::Null).await.is_ok()
                && self.notify("exit", Value::Null).await.is_ok()
            {
                let _ = self.group.wait().await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(500), politely).await.is_err() {
            self.group.kill();
            // One that hangs in the kernel holds up nobody.
            let _ = tokio::time::timeout(Duration::from_secs(5), self.group.wait()).await;
        }
    }
}

/// Takes a question back whose asker has gone.
struct Forget<'a>(&'a Heard, i64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.pending.lock().remove(&self.1);
    }
}

#[allow(clippy::disallowed_methods, reason = "the process port's one start of a language server")]
fn prepared(root: &Path, command: &known::Command) -> tokio::process::Command {
    let mut prepared = tokio::process::Command::new(&command.program);
    prepared.args(command.args).current_dir(root);
    prepared.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let own = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("GANTRY_"));
    prepared.env_clear().envs(own.collect::<Vec<_>>());
    prepared.envs(NOTHING_FETCHED);
    // A proxy of rustup that fails would print pages.
    prepared.env("RUST_BACKTRACE", "0");
    prepared
}

/// Nothing is fetched on behalf of a question, neither by a server nor by what stands in for one on the PATH.
const NOTHING_FETCHED: [(&str, &str); 11] = [
    ("npm_config_offline", "true"),
    ("COREPACK_ENABLE_NETWORK", "0"),
    ("PIP_NO_INDEX", "1"),
    ("UV_OFFLINE", "1"),
    ("CARGO_NET_OFFLINE", "true"),
    // rust-analyzer, cargo and rustc on the PATH are rustup's, which installs the toolchain that a project names.
    ("RUSTUP_AUTO_INSTALL", "0"),
    // A rustup before 1.28 knows no such switch; it has nowhere to fetch from.
    ("RUSTUP_DIST_SERVER", "file:///nowhere"),
    // So does go.
    ("GOTOOLCHAIN", "local"),
    ("GOPROXY", "off"),
    // Modules of GOPRIVATE are fetched past a proxy that is off.
    ("GONOPROXY", "none"),
    ("GOVCS", "*:off"),
];
