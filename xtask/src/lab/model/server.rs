//! The HTTP server: one thread of its own, so that plain tests can use it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

use crate::lab::http::{Bound, Server};

use super::record::{Outcome, Recorded};
use super::request::Request;
use super::script::{Fault, Pick, Place, Script, Turn};
use super::stream::Answer;

/// What an unmatched request for a title is answered with.
const TITLE: &str = "Lab conversation";

/// A running scripted model. Dropping it stops the server.
pub struct Model {
    url: String,
    shared: Arc<Shared>,
    _server: Server,
}

struct Shared {
    started: Instant,
    state: Mutex<Inner>,
    /// Signalled at every change of a record.
    changed: Condvar,
    gates: watch::Sender<HashSet<String>>,
}

struct Inner {
    script: Script,
    /// How often the fault at a place was served.
    served: HashMap<Place, u32>,
    records: Vec<Recorded>,
}

impl Model {
    /// Starts the server on a free loopback port.
    pub fn start(script: Script) -> Result<Self> {
        let inner = Inner { script, served: HashMap::new(), records: Vec::new() };
        let shared = Arc::new(Shared {
            started: Instant::now(),
            state: Mutex::new(inner),
            changed: Condvar::new(),
            gates: watch::Sender::new(HashSet::new()),
        });
        let bound = Bound::free()?;
        let url = format!("{}/v1", bound.url()?);
        let app = axum::Router::new()
            .route("/v1/chat/completions", post(chat))
            .fallback(unknown)
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let server = bound.serve("lab-model", app)?;
        Ok(Self { url, shared, _server: server })
    }

    /// Base URL for the host's provider options.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on answers by another script. What was recorded stays.
    pub fn replace(&self, script: Script) {
        let mut inner = self.shared.lock();
        inner.script = script;
        inner.served.clear();
    }

    /// Lets the turns behind this gate go on, now and later.
    pub fn open(&self, gate: &str) {
        self.shared.gates.send_modify(|gates| {
            gates.insert(gate.to_owned());
        });
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().records.clone()
    }

    /// Requests the script had nothing for, worded for a failing test.
    pub fn misses(&self) -> Vec<String> {
        let records = self.requests();
        let missed = records.into_iter().filter_map(|record| match record.outcome {
            Outcome::Missed(what) => Some(what),
            _ => None,
        });
        missed.collect()
    }

    /// Waits until `wanted` finds what it looks for in the requests.
    pub fn wait_for<T>(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&[Recorded]) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + timeout;
        let mut inner = self.shared.lock();
        loop {
            if let Some(found) = wanted(&inner.records) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen: Vec<String> = inner.records.iter().map(describe).collect();
                bail!("the model did not see it within {timeout:?}; it saw:\n{}", seen.join("\n"));
            }
            let waited = self.shared.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn describe(record: &Recorded) -> String {
    let prompt: String = record.prompt.chars().take(80).collect();
    format!("  {:?} turn {} {:?}: {prompt:?}", record.role, record.turn, record.outcome)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the request and finds its answer, with the fault taken off once it was served often enough.
    fn begin(self: &Arc<Self>, raw: String, request: &Request) -> (Ticket, Pick) {
        let mut inner = self.lock();
        let mut pick = inner.script.pick(request);
        if let Pick::Turn(place, turn) = &mut pick
            && let Some(Fault::Status { times, .. }) = turn.fault
        {
            let served = inner.served.entry(*place).or_default();
            *served += 1;
            if *served > times {
                turn.fault = None;
            }
        }
        let id = inner.records.len();
        inner.records.push(Recorded {
            role: request.role,
            turn: request.turn,
            prompt: request.prompt.clone(),
            raw,
            started: self.started.elapsed(),
            ended: None,
            outcome: Outcome::Running,
        });
        drop(inner);
        self.changed.notify_all();
        (Ticket { shared: self.clone(), id, done: false }, pick)
    }
}

/// The record of one request; left unfinished, it says that the host hung up.
struct Ticket {
    shared: Arc<Shared>,
    id: usize,
    done: bool,
}

impl Ticket {
    fn finish(&mut self, outcome: Outcome) {
        self.done = true;
        let mut inner = self.shared.lock();
        let now = self.shared.started.elapsed();
        let record = &mut inner.records[self.id];
        (record.ended, record.outcome) = (Some(now), outcome);
        drop(inner);
        self.shared.changed.notify_all();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.done {
            self.finish(Outcome::Dropped);
        }
    }
}

async fn unknown(uri: Uri) -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        &format!("the scripted model has no {uri}; it serves /v1/chat/completions"),
    )
}

async fn chat(State(shared): State<Arc<Shared>>, raw: String) -> Response {
    let Ok(body) = serde_json::from_str::<Value>(&raw) else {
        return refusal(StatusCode::BAD_REQUEST, "the request is not JSON");
    };
    if body["stream"] != true {
        return refusal(StatusCode::BAD_REQUEST, "the scripted model only streams: set \"stream\": true");
    }
    let request = Request::read(&body);
    let prompt_bytes = raw.len();
    let (mut ticket, pick) = shared.begin(raw, &request);
    let (turn, outcome) = match pick {
        Pick::Turn(_, turn) => (turn, Outcome::Answered),
        Pick::Title => (Turn::text(TITLE), Outcome::Answered),
        Pick::Miss(why) => (Turn::text(&format!("The script has no answer: {why}")), Outcome::Missed(why)),
    };
    if let Some(Fault::Status { code, retry_after, body, .. }) = turn.fault {
        tokio::time::sleep(Duration::from_millis(turn.delay_ms)).await;
        ticket.finish(Outcome::Faulted);
        return status(code, retry_after, body);
    }
    let mut text = turn.text.clone();
    if turn.echo {
        text.push_str(request.last_tool_result.as_deref().unwrap_or_default());
    }
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let answer = Answer { request: ticket.id, model, text, calls: turn.calls.clone(), prompt_bytes };
    let (chunks, stream) = mpsc::channel(8);
    tokio::spawn(async move {
        // Raced against the host hanging up, so that an aborted turn is seen at once and not at the next chunk.
        tokio::select! {
            () = chunks.closed() => {}
            _ = play(&turn, &answer, outcome, &mut ticket, &chunks) => {}
        }
    });
    let body = Body::from_stream(ReceiverStream::new(stream));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

type Chunks = mpsc::Sender<std::io::Result<String>>;

/// Sends one answer; an error means that nobody listens any more.
async fn play(
    turn: &Turn,
    answer: &Answer,
    outcome: Outcome,
    ticket: &mut Ticket,
    chunks: &Chunks,
) -> Result<(), mpsc::error::SendError<std::io::Result<String>>> {
    tokio::time::sleep(Duration::from_millis(turn.delay_ms)).await;
    if let Some(gate) = &turn.gate {
        let mut gates = ticket.shared.gates.subscribe();
        // Fails only when the model itself is gone, and then nobody waits for this answer.
        let _ = gates.wait_for(|open| open.contains(gate)).await;
    }
    for chunk in answer.head() {
        chunks.send(Ok(chunk)).await?;
    }
    match turn.fault {
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::Close) => {
            ticket.finish(Outcome::Faulted);
            return chunks.send(Err(std::io::Error::other("cut by the script"))).await;
        }
        Some(Fault::Status { .. }) | None => {}
    }
    for chunk in answer.tail() {
        chunks.send(Ok(chunk)).await?;
    }
    // Before the last chunk: whoever has read the end must find the record complete.
    ticket.finish(outcome);
    chunks.send(Ok(Answer::done())).await
}

fn status(code: u16, retry_after: Option<u32>, body: String) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (code, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn refusal(code: StatusCode, message: &str) -> Response {
    status(
        code.as_u16(),
        None,
        json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string(),
    )
}
