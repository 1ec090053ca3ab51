//! The models behind the fake host: each turn is a task of its own that calls tools over the wire and ends.
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gantry::protocol::methods as m;
use gantry::protocol::types::*;
use gantry::rpc::CallError;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::SOON;
use crate::host::{DIRECTORY, FakeHost, message};

/// What a turn does instead of the usual.
#[derive(Clone)]
pub enum Act {
    /// Ends with these words, without calling anything.
    Say(&'static str),
    /// Wants changes.
    Object,
    /// The usual, once this lets it go on.
    Wait(Arc<Semaphore>),
    /// Never ends.
    Hang,
}

/// Turns to come that are not as usual, by the first words of the session's title.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<BTreeMap<String, VecDeque<Act>>>>);

impl Script {
    pub fn next(&self, title: &str, act: Act) {
        self.0.lock().entry(title.into()).or_default().push_back(act);
    }

    fn take(&self, title: &str) -> Option<Act> {
        self.0.lock().get_mut(subject(title))?.pop_front()
    }
}

fn subject(title: &str) -> &str {
    title.split(':').next().unwrap_or_default()
}

/// One turn of one session.
struct Turn {
    host: FakeHost,
    session: String,
    title: String,
    agent: String,
    number: u64,
}

impl FakeHost {
    /// A turn begins.
    pub fn begin(&self, id: &str, text: &str) {
        let mut state = self.state.lock();
        let Some(session) = state.sessions.get_mut(id) else { panic!("no session {id}") };
        session.busy = true;
        session.turn += 1;
        let n = session.messages.len();
        session.messages.push(message(MessageRole::User, n, text));
        session.messages.push(message(MessageRole::Assistant, n + 1, ""));
        let turn = Turn {
            host: self.clone(),
            session: id.into(),
            title: session.title.clone(),
            agent: session.agent.clone(),
            number: session.turn,
        };
        let title = session.title.clone();
        state.turns.push((title, text.into()));
        tokio::spawn(turn.play());
    }

    /// Ends a turn: the running one, or none when it is over already.
    pub async fn end(&self, id: &str, turn: Option<u64>, text: &str, error: Option<HostFault>) {
        let finished = {
            let mut state = self.state.lock();
            let found = state.sessions.get_mut(id);
            let running = found.filter(|s| s.busy && turn.is_none_or(|t| t == s.turn));
            let Some(session) = running else { return };
            session.busy = false;
            let Some(last) = session.messages.last_mut() else { return };
            last.completed = true;
            last.text = text.into();
            last.finish = error.is_none().then(|| "stop".into());
            last.error = error;
            last.usage = Usage { input: 10, output: 1, ..Usage::default() };
            last.clone()
        };
        self.events(vec![
            HostEvent::Message { session: id.into(), message: finished },
            HostEvent::Status {
                session: id.into(),
                state: SessionState::Idle,
                retry_at: None,
                message: None,
            },
        ])
        .await;
    }
}

impl Turn {
    async fn play(self) {
        let busy = HostEvent::Status {
            session: self.session.clone(),
            state: SessionState::Busy,
            retry_at: None,
            message: None,
        };
        self.host.events(vec![busy]).await;
        let act = self.host.script.take(&self.title);
        match act {
            Some(Act::Say(text)) => return self.end(text).await,
            Some(Act::Hang) => return,
            Some(Act::Wait(gate)) => gate.acquire().await.expect("open").forget(),
            Some(Act::Object) => {
                let finding = json!({ "severity": "high", "message": "not like this" });
                self.call(
                    "submit_review",
                    json!({ "verdict": "changes", "summary": "no", "findings": [finding] }),
                )
                .await;
                return self.end("reviewed").await;
            }
            None => {}
        }
        match self.agent.as_str() {
            "commander" => self.call("mission", json!({ "brief": "the brief" })).await,
            "planner" => self.call("submit_plan", plan()).await,
            "worker" => {
                let path = format!("{DIRECTORY}/src/{}.txt", subject(&self.title));
                if self.may_write(&path).await {
                    self.host.project.version.fetch_add(1, Ordering::SeqCst);
                }
                self.call("submit_report", json!({ "status": "done", "summary": "done" })).await;
            }
            _ => self.call("submit_review", json!({ "verdict": "approve", "summary": "fine" })).await,
        }
        self.end("that is all").await;
    }

    async fn end(&self, text: &str) {
        self.host.end(&self.session, Some(self.number), text, None).await;
    }

    fn over(&self) -> bool {
        let state = self.host.state.lock();
        state.sessions.get(&self.session).is_none_or(|s| !s.busy || s.turn != self.number)
    }

    async fn may_write(&self, path: &str) -> bool {
        let params = LeaseCheckParams {
            directory: DIRECTORY.into(),
            session: self.session.clone(),
            call: "w".into(),
            tool: "write".into(),
            paths: vec![path.into()],
            command: None,
            subject: None,
        };
        let answer = self.host.next_peer().await.call(m::LeaseCheck, &params, SOON).await;
        answer.is_ok_and(|a| a.allow)
    }

    /// One tool call. A connection that ends is waited for and the call sent again under its id; an error is shown to
    /// the model, which tries a few times more.
    async fn call(&self, tool: &str, args: Value) {
        for nth in 0..5 {
            if self.over() {
                return;
            }
            let call = format!("{}.{}.{tool}.{nth}", self.session, self.number);
            self.moved(&call, tool, ToolState::Running).await;
            let answer = self.asked(&call, tool, &args).await;
            let state = if answer.is_ok() { ToolState::Completed } else { ToolState::Error };
            if let (Ok(answer), "mission", false) = (&answer, tool, self.over()) {
                self.host.state.lock().delivered.push(answer.output.clone());
            }
            self.moved(&call, tool, state).await;
            match answer {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn asked(&self, call: &str, tool: &str, args: &Value) -> Result<ToolCallResult, CallError> {
        loop {
            let params = ToolCallParams {
                directory: DIRECTORY.into(),
                session: self.session.clone(),
                message: None,
                call: call.into(),
                agent: self.agent.clone(),
                tool: tool.into(),
                args: args.clone(),
            };
            let peer = self.host.next_peer().await;
            if self.over() {
                return Err(CallError::Closed { method: "tool/call" });
            }
            let answer = peer.call(m::ToolCall, &params, SOON).await;
            if !matches!(answer, Err(CallError::Closed { .. })) || self.over() {
                return answer;
            }
        }
    }

    async fn moved(&self, call: &str, tool: &str, to: ToolState) {
        if self.over() {
            return;
        }
        {
            let mut state = self.host.state.lock();
            let Some(session) = state.sessions.get_mut(&self.session) else { return };
            let n = session.messages.len();
            let Some(last) = session.messages.last_mut() else { return };
            match last.calls.iter_mut().find(|c| c.call == call) {
                Some(found) => {
                    found.state = to;
                    last.completed = true;
                    last.finish = Some("tool-calls".into());
                    session.messages.push(message(MessageRole::Assistant, n, ""));
                }
                None => last.calls.push(MessageCall { call: call.into(), tool: tool.into(), state: to }),
            }
        }
        let (session, call, tool) = (self.session.clone(), call.into(), tool.into());
        self.host.events(vec![HostEvent::Tool { session, call, tool, state: to }]).await;
    }
}

/// T1 before T2 and T3 before T4, each with a file of its own.
fn plan() -> Value {
    let task = |id: &str, after: &[&str]| json!({ "id": id, "title": format!("task {id}"), "files": [format!("src/{id}.txt")], "depends_on": after });
    json!({ "summary": "a plan", "tasks": [
        task("T1", &[]), task("T2", &["T1"]), task("T3", &["T1"]), task("T4", &["T2", "T3"])
    ] })
}
