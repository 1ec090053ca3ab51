//! The reading half: takes lines in, finds out what each is, and sees that it is answered.
use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt;
use jsonrpsee::{
    ConnectionId, Extensions,
    core::server::{MethodCallback, MethodResponse},
    types::{Id, Params},
};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    calls::Answer,
    envelope::{self, Incoming, Outcome, Rejected},
    error::{RpcError, clip},
    framing::{Line, LineReader},
    outbox::{Outgoing, WriteEnd},
    peer::{EndReason, Ended, Gate, PeerHandle, Shared},
    router::{CallContext, Router, decode},
};
use crate::domain::mask::masked;
use crate::protocol::{
    errors::{CANCELLED, FULL, INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, NOT_INITIALIZED},
    methods::{Cancel, Notification},
    types::CancelParams,
};

/// Both pipes of a connection until its end.
pub struct Connection<R, W> {
    reader: R,
    writer: W,
    outgoing: Outgoing,
    dispatch: Dispatch,
}

struct Dispatch {
    router: Router,
    peer: PeerHandle,
    handlers: JoinSet<()>,
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        self.peer.0.end(EndReason::Dropped);
        self.peer.0.outbox.finish();
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Connection<R, W> {
    pub(super) fn new(reader: R, writer: W, router: Router, outgoing: Outgoing, peer: PeerHandle) -> Self {
        Self { reader, writer, outgoing, dispatch: Dispatch { router, peer, handlers: JoinSet::new() } }
    }

    /// Serves until the connection ends, then lets handlers answer and lines go out, each for [`super::Limits::drain`].
    /// Reading and writing share this one task: an answer given at once is written without waking another thread.
    pub async fn run(self) -> Ended {
        let Self { reader, writer, outgoing, mut dispatch } = self;
        let shared = dispatch.peer.0.clone();
        let drain = shared.limits.drain;
        let write = async {
            match outgoing.run(writer, shared.limits.stall).await {
                WriteEnd::Done => {}
                WriteEnd::Stalled => shared.end(EndReason::Stalled),
                WriteEnd::Failed(e) => {
                    tracing::debug!(error = %e, "the other end takes no more lines");
                    shared.end(EndReason::WriteFailed);
                }
            }
        };
        let read = async {
            dispatch.read(reader).await;
            dispatch.drain(drain).await;
        };
        tokio::pin!(write);
        tokio::select! {
            () = &mut write => {}
            () = read => {
                shared.outbox.finish();
                let _ = timeout(drain, write).await;
            }
        }
        shared.summary()
    }
}

impl Dispatch {
    async fn read(&mut self, reader: impl AsyncRead + Unpin) {
        let mut lines = LineReader::new(reader, self.peer.0.limits.line_bytes);
        let reason = loop {
            let line = tokio::select! {
                biased;
                () = self.peer.closed() => return,
                line = lines.next() => line,
            };
            match line {
                Ok(Some(Line::Text(text))) => self.line(text).await,
                Ok(Some(Line::TooLong)) => self.too_long().await,
                Ok(None) => break EndReason::InputClosed,
                Err(e) => {
                    tracing::warn!(error = %e, "reading failed");
                    break EndReason::ReadFailed;
                }
            }
            while self.handlers.try_join_next().is_some() {}
        };
        self.peer.0.end(reason);
    }

    async fn drain(&mut self, limit: Duration) {
        let _ = timeout(limit, async { while self.handlers.join_next().await.is_some() {} }).await;
        self.handlers.shutdown().await;
    }

    async fn line(&mut self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let shared = self.peer.0.clone();
        let answer = match envelope::parse(line) {
            Ok(Incoming::Request { id, method, params }) => self.request(id, &method, params),
            Ok(Incoming::Notification { method, params }) => {
                self.notification(&method, params.map(RawValue::get));
                None
            }
            Ok(Incoming::Answer { id, outcome }) => {
                self.answer(id, outcome);
                None
            }
            Ok(Incoming::StrayAnswer) => {
                count(&shared.counters.stray_answers);
                tracing::warn!(line = clip(&String::from_utf8_lossy(line)), "an answer to nothing we asked");
                None
            }
            Err(Rejected { id, error }) => {
                count(&shared.counters.bad_lines);
                tracing::warn!(%error, "bad line");
                Some(envelope::error_answer(id, &error))
            }
        };
        if let Some(answer) = answer {
            // A finished queue means that nobody is left to be told.
            let _ = shared.outbox.send(answer).await;
        }
    }

    async fn too_long(&self) {
        let shared = &self.peer.0;
        count(&shared.counters.bad_lines);
        let cap = shared.limits.line_bytes;
        let error = RpcError::new(
            INVALID_REQUEST,
            format!("a line of more than {cap} bytes was skipped; send less at once"),
        );
        tracing::warn!(%error, "bad line");
        let _ = shared.outbox.send(envelope::error_answer((), &error)).await;
    }

    /// The answer, unless a handler is going to give it.
    fn request(&mut self, id: Id<'_>, method: &str, params: Option<&RawValue>) -> Option<String> {
        let shared = self.peer.0.clone();
        let refuse = |error: RpcError| Some(envelope::error_answer(&id, &error));
        let Some((name, callback)) = self.router.method(method) else {
            return refuse(RpcError::new(
                METHOD_NOT_FOUND,
                format!("there is no method {:?} here", clip(method)),
            ));
        };
        let handshake = self.router.handshake == Some(name);
        if let Err(error) = pass_gate(&shared, name, handshake) {
            return refuse(error);
        }
        let cancel = CancellationToken::new();
        let mut extensions = Extensions::new();
        extensions.insert(CallContext { cancel: cancel.clone(), peer: self.peer.clone() });
        let params = Params::new(params.map(RawValue::get));
        let request = Request { id: id.clone().into_owned(), method: name, handshake, shared };
        match callback {
            MethodCallback::Sync(handler) => {
                let response = catch_unwind(AssertUnwindSafe(|| handler(id, params, usize::MAX, extensions)));
                Some(request.finish(response))
            }
            MethodCallback::Async(handler) => {
                if let Err(error) = request.enter(cancel) {
                    return refuse(error);
                }
                let (id, params) = (request.id.clone(), params.into_owned());
                let response = handler(id, params, ConnectionId(0), usize::MAX, extensions);
                self.handlers.spawn(request.serve(response));
                None
            }
            // The builder registers neither.
            MethodCallback::Subscription(_) | MethodCallback::Unsubscription(_) => None,
        }
    }

    fn notification(&self, method: &str, params: Option<&str>) {
        let shared = &self.peer.0;
        let handled = if method == Cancel::NAME {
            Ok(Some(self.cancel(params)))
        } else if *shared.gate.lock() != Gate::Open {
            Ok(None)
        } else {
            catch_unwind(AssertUnwindSafe(|| self.router.notify(method, params, &self.peer)))
        };
        let why = match handled {
            Ok(Some(Ok(()))) => return,
            Ok(Some(Err(error))) => error.message,
            Ok(None) => "not served here, or not before the handshake".into(),
            Err(panic) => {
                count(&shared.counters.panics);
                format!("its handler panicked: {}", panic_text(&*panic))
            }
        };
        count(&shared.counters.dropped_notifications);
        tracing::error!(method = clip(method), why, "notification dropped");
    }

    /// A request that is not under way has been answered: nothing is left to cancel.
    fn cancel(&self, params: Option<&str>) -> Result<(), RpcError> {
        let CancelParams { id } = decode(Cancel::NAME, params)?;
        if let Some(cancel) = self.peer.0.in_flight.lock().get(&Id::Number(id)) {
            cancel.cancel();
        }
        Ok(())
    }

    fn answer(&self, id: u64, outcome: Outcome<'_>) {
        let answer: Answer = match outcome {
            Outcome::Result(result) => Ok(result.to_owned()),
            Outcome::Error(error) => Err(serde_json::from_str(error.get()).unwrap_or_else(|_| {
                RpcError::new(
                    INTERNAL_ERROR,
                    format!("an error without a readable form: {}", clip(error.get())),
                )
            })),
        };
        if !self.peer.0.calls.complete(id, answer) {
            count(&self.peer.0.counters.stray_answers);
            tracing::debug!(id, "late or unknown answer dropped");
        }
    }
}

fn pass_gate(shared: &Shared, method: &str, handshake: bool) -> Result<(), RpcError> {
    let mut gate = shared.gate.lock();
    match (*gate, handshake) {
        (Gate::Open, false) => Ok(()),
        (Gate::Shut, true) => {
            *gate = Gate::Opening;
            Ok(())
        }
        (Gate::Shut | Gate::Opening, false) => {
            Err(RpcError::new(NOT_INITIALIZED, format!("{method} has to wait until initialize is answered")))
        }
        (Gate::Opening | Gate::Open, true) => {
            Err(RpcError::new(INVALID_REQUEST, format!("{method} was already called on this connection")))
        }
    }
}

/// A request of the other end that has been let in.
struct Request {
    id: Id<'static>,
    method: &'static str,
    handshake: bool,
    shared: Arc<Shared>,
}

impl Request {
    fn enter(&self, cancel: CancellationToken) -> Result<(), RpcError> {
        let mut in_flight = self.shared.in_flight.lock();
        let limit = self.shared.limits.in_flight;
        let error = if in_flight.contains_key(&self.id) {
            RpcError::new(INVALID_REQUEST, "a request with this id is still under way; use another id")
        } else if in_flight.len() >= limit {
            count(&self.shared.counters.refused);
            RpcError::new(FULL, format!("{limit} requests are under way; try again when one is answered"))
        } else {
            in_flight.insert(self.id.clone(), cancel);
            return Ok(());
        };
        if self.handshake {
            *self.shared.gate.lock() = Gate::Shut;
        }
        Err(error)
    }

    async fn serve(self, response: impl Future<Output = MethodResponse>) {
        let line = self.finish(AssertUnwindSafe(response).catch_unwind().await);
        // The request leaves between getting room and being sent: it counts as long as its answer is held here, and
        // its id is free when the caller sees the answer.
        let reserved = self.shared.outbox.reserve(line).await;
        self.shared.in_flight.lock().remove(&self.id);
        if let Ok(reserved) = reserved {
            let _ = reserved.send();
        }
    }

    /// The line to answer with.
    fn finish(&self, response: Result<MethodResponse, Box<dyn Any + Send>>) -> String {
        let method = self.method;
        if self.handshake {
            let opened = response.as_ref().is_ok_and(MethodResponse::is_success);
            *self.shared.gate.lock() = if opened { Gate::Open } else { Gate::Shut };
        }
        let error = match response {
            Ok(response) if response.as_ref().len() <= self.shared.limits.line_bytes => {
                self.log_refusal(&response);
                return Box::<str>::from(response.into_json()).into();
            }
            Ok(response) => {
                let bytes = response.as_ref().len();
                format!("the answer to {method} has {bytes} bytes, more than fit into one line; ask for less")
            }
            Err(panic) => {
                count(&self.shared.counters.panics);
                tracing::error!(method, id = %self.id, panic = panic_text(&*panic), "handler panicked");
                format!("{method} failed inside Gantry (request {}); the log says more", self.id)
            }
        };
        envelope::error_answer(&self.id, &RpcError::new(INTERNAL_ERROR, error))
    }

    /// A call that was cancelled has no reason worth a line.
    fn log_refusal(&self, response: &MethodResponse) {
        if response.as_error_code().is_none_or(|code| code == CANCELLED) {
            return;
        }
        #[derive(serde::Deserialize)]
        struct Answer {
            error: RpcError,
        }
        if let Ok(Answer { error }) = serde_json::from_str(response.as_ref()) {
            tracing::info!(
                method = self.method,
                code = error.code,
                "refused: {}",
                clip(&masked(&error.message))
            );
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
