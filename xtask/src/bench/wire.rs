//! One sidecar process and its wire: lines out, lines in with the moment each was read.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// For the process to end after its input has.
const END: Duration = Duration::from_secs(5);

pub struct Sidecar {
    child: Child,
    /// Absent once closed.
    stdin: Option<ChildStdin>,
    lines: Receiver<(Instant, String)>,
    next_id: u64,
    /// Just before the process was started.
    pub spawned: Instant,
}

/// A line from the sidecar, and when it had been read: before it was parsed.
#[derive(Debug)]
pub struct Incoming {
    pub at: Instant,
    pub message: Message,
}

#[derive(Debug)]
pub enum Message {
    Answer { id: u64, result: Result<Value, String> },
    Request { id: Value, method: String, params: Value },
}

impl Sidecar {
    /// `home` holds all it writes, its log included.
    pub fn spawn(binary: &Path, home: &Path) -> Result<Self> {
        let mut command = Command::new(binary);
        command.arg("sidecar").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        for name in ["HOME", "TMPDIR", "GANTRY_HOME"] {
            command.env(name, home);
        }
        let spawned = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let stdout = child.stdout.take().context("no stdout pipe")?;
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
            let mut line = String::new();
            while matches!(stdout.read_line(&mut line), Ok(1..)) {
                if tell.send((Instant::now(), std::mem::take(&mut line))).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, lines, next_id: 0, spawned })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request. Answers its id and the moment before it was written.
    pub fn request(&mut self, method: &str, params: Value) -> Result<(u64, Instant)> {
        self.next_id += 1;
        let id = self.next_id;
        let at = self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok((id, at))
    }

    pub fn notify(&mut self, method: &str, params: Value) -> Result<Instant> {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    pub fn answer(&mut self, id: Value, result: Value) -> Result<()> {
        self.write(&json!({"jsonrpc": "2.0", "id": id, "result": result}))?;
        Ok(())
    }

    fn write(&mut self, message: &Value) -> Result<Instant> {
        let line = format!("{message}\n");
        let stdin = self.stdin.as_mut().context("the sidecar's input is closed")?;
        let at = Instant::now();
        stdin.write_all(line.as_bytes()).context("the sidecar does not read any more")?;
        Ok(at)
    }

    /// The next line, or nothing when none comes by then.
    pub fn next(&mut self, by: Instant) -> Result<Option<Incoming>> {
        let wait = by.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(wait) {
            Ok((at, line)) => Ok(Some(Incoming { at, message: parse(&line)? })),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the sidecar has ended ({:?})", self.child.try_wait())
            }
        }
    }

    /// Closes its input, which tells it to end, and waits for that.
    pub fn end(mut self) -> Result<()> {
        self.stdin.take();
        self.exit().map(|_| ())
    }

    /// Waits for its end, which somebody has told it. Answers its exit code, if no signal ended it.
    pub fn exit(&mut self) -> Result<Option<i32>> {
        let deadline = Instant::now() + END;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() >= deadline {
                bail!("the sidecar still runs {END:?} after it was told to end");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // One that has ended is no concern here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Result<Message> {
    let mut message: Value =
        serde_json::from_str(line).with_context(|| format!("the sidecar wrote no JSON: {line:?}"))?;
    if message["jsonrpc"] != "2.0" {
        bail!("the sidecar wrote no JSON-RPC 2.0: {line}");
    }
    let id = message["id"].take();
    if let Some(method) = message["method"].as_str() {
        let method = method.to_owned();
        return Ok(Message::Request { id, method, params: message["params"].take() });
    }
    let id = id.as_u64().with_context(|| format!("an answer to nothing we asked: {line}"))?;
    let result = match message.get_mut("error") {
        Some(error) => Err(error.to_string()),
        None => Ok(message["result"].take()),
    };
    Ok(Message::Answer { id, result })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let request = r#"{"jsonrpc":"2.0","id":7,"method":"host/toast","params":{"a":1}}"#;
        let Message::Request { id, method, params } = parse(request).unwrap() else { panic!("a request") };
        assert_eq!((id, method.as_str(), params), (json!(7), "host/toast", json!({"a": 1})));
        let Message::Answer { id, result } = parse(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#).unwrap() else {
            panic!("an answer")
        };
        assert_eq!((id, result), (3, Ok(json!({}))));
        let error = r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no"}}"#;
        assert!(
            matches!(parse(error).unwrap(), Message::Answer { id: 3, result: Err(text) } if text.contains("no"))
        );
        for bad in ["hello", r#"{"id":1,"result":{}}"#, r#"{"jsonrpc":"2.0","id":null,"result":{}}"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
