//! The handle to the other end, and what both halves of a connection share.
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use jsonrpsee::types::Id;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    buffers::Buffers,
    calls::{Calls, Refused},
    connection::Connection,
    envelope,
    error::CallError,
    outbox::{Outbox, outbox},
    router::Router,
};
use crate::ports::queue::Queue;
use crate::protocol::methods::{Method, Notification};

/// Bounds of one connection.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest line in either direction, without its newline.
    pub line_bytes: usize,
    /// Requests of the other end that may be under way.
    pub in_flight: usize,
    /// Calls of ours that may wait for an answer.
    pub pending_calls: usize,
    /// Bytes that may wait to be written.
    pub queued_bytes: usize,
    /// Whether buffers of lines that are written are used again; see [`super::buffers`].
    pub reuse_buffers: bool,
    /// With the queue full, how long the other end may go without reading a byte.
    pub stall: Duration,
    /// At the end of the connection: for the handlers under way to answer, and again for the last lines to be written.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: 8 * 1024 * 1024,
            in_flight: 1024,
            pending_calls: 1024,
            queued_bytes: 32 * 1024 * 1024,
            reuse_buffers: true,
            stall: Duration::from_secs(10),
            drain: Duration::from_secs(1),
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The other end closed our input.
    InputClosed,
    ReadFailed,
    WriteFailed,
    /// The other end did not read; see [`Limits::stall`].
    Stalled,
    /// [`PeerHandle::close`] was called.
    Asked,
    /// The [`Connection`] was dropped before it ended by itself.
    Dropped,
}

/// What happened on a connection that nobody was told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines answered with an error because they were no message.
    pub bad_lines: u64,
    /// Answers to no open call: late, doubled or never asked.
    pub stray_answers: u64,
    /// Notifications nobody serves, with bad params, or before the handshake.
    pub dropped_notifications: u64,
    /// Requests refused because too many were under way.
    pub refused: u64,
    /// Handlers that panicked.
    pub panics: u64,
}

/// A connection that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub reason: EndReason,
    pub stats: Stats,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) bad_lines: AtomicU64,
    pub(super) stray_answers: AtomicU64,
    pub(super) dropped_notifications: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) panics: AtomicU64,
}

impl Counters {
    fn snapshot(&self) -> Stats {
        Stats {
            bad_lines: self.bad_lines.load(Relaxed),
            stray_answers: self.stray_answers.load(Relaxed),
            dropped_notifications: self.dropped_notifications.load(Relaxed),
            refused: self.refused.load(Relaxed),
            panics: self.panics.load(Relaxed),
        }
    }
}

/// Where the handshake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Shut,
    Opening,
    Open,
}

pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) outbox: Outbox,
    pub(super) calls: Calls,
    /// Requests of the other end that are under way, and how to cancel each.
    pub(super) in_flight: Mutex<HashMap<Id<'static>, CancellationToken>>,
    pub(super) counters: Counters,
    pub(super) gate: Mutex<Gate>,
    ended: CancellationToken,
    reason: OnceLock<EndReason>,
}

impl Shared {
    /// No line is read any more and no call of ours is answered. The first reason counts.
    pub(super) fn end(&self, reason: EndReason) {
        let _ = self.reason.set(reason);
        self.ended.cancel();
        self.calls.close();
    }

    pub(super) fn summary(&self) -> Ended {
        Ended { reason: *self.reason.get_or_init(|| EndReason::Dropped), stats: self.counters.snapshot() }
    }
}

/// The other end of a connection. Clones are the same peer.
#[derive(Clone)]
pub struct PeerHandle(pub(super) Arc<Shared>);

/// Joins the two pipes into a connection. Nothing happens until [`Connection::run`] is polled.
pub fn connect<R, W>(reader: R, writer: W, router: Router, limits: Limits) -> (PeerHandle, Connection<R, W>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (outbox, outgoing) = outbox(limits.queued_bytes, limits.reuse_buffers);
    let peer = PeerHandle(Arc::new(Shared {
        calls: Calls::new(limits.pending_calls),
        limits,
        outbox,
        in_flight: Mutex::default(),
        counters: Counters::default(),
        gate: Mutex::new(if router.handshake.is_some() { Gate::Shut } else { Gate::Open }),
        ended: CancellationToken::new(),
        reason: OnceLock::new(),
    }));
    (peer.clone(), Connection::new(reader, writer, router, outgoing, peer))
}

impl PeerHandle {
    /// Calls a method of the other end. `after` bounds the whole call, sending included. Dropping the future forgets the
    /// call but does not undo it.
    pub async fn call<M: Method>(
        &self,
        _: M,
        params: &M::Params,
        after: Duration,
    ) -> Result<M::Result, CallError> {
        let method = M::NAME;
        let shared = &*self.0;
        let mut waiting = shared.calls.start().map_err(|refused| match refused {
            Refused::Full => CallError::Full { method },
            Refused::Closed => CallError::Closed { method },
        })?;
        let line = self.line(method, Some(waiting.id), params)?;
        let exchange = async {
            shared.outbox.send(line).await.ok()?;
            waiting.answer().await
        };
        let answer = timeout(after, exchange).await.map_err(|_| CallError::Timeout { method, after })?;
        let result = answer.ok_or(CallError::Closed { method })??;
        serde_json::from_str(result.get()).map_err(|e| CallError::Unreadable { method, fault: e.to_string() })
    }

    /// Returns when the line is queued.
    pub async fn notify<N: Notification>(&self, _: N, params: &N::Params) -> Result<(), CallError> {
        let line = self.line(N::NAME, None, params)?;
        self.0.outbox.send(line).await.map_err(|_| CallError::Closed { method: N::NAME })
    }

    fn line<P: serde::Serialize>(
        &self,
        method: &'static str,
        id: Option<u64>,
        params: &P,
    ) -> Result<Vec<u8>, CallError> {
        let buffers = &self.0.outbox.buffers;
        let mut line = buffers.take(method);
        envelope::message(&mut line, id, method, params)
            .map_err(|e| CallError::Unreadable { method, fault: e.to_string() })?;
        buffers.filled(method, line.len());
        if line.len() > self.0.limits.line_bytes {
            return Err(CallError::TooLong { method, bytes: line.len() });
        }
        Ok(line)
    }

    /// Resolves as soon as no further message can come in; the last answers may still be on their way out.
    pub async fn closed(&self) {
        self.0.ended.cancelled().await;
    }

    pub fn is_closed(&self) -> bool {
        self.0.ended.is_cancelled()
    }

    /// Stops reading. Handlers under way may still answer for [`Limits::drain`]; then [`Connection::run`] returns.
    pub fn close(&self) {
        self.0.end(EndReason::Asked);
    }

    /// What waits on this connection.
    pub fn queues(&self) -> [Queue; 3] {
        let Shared { limits, outbox, calls, in_flight, counters, .. } = &*self.0;
        let queue = |name, waiting: usize, limit: usize, when_full, turned_away| Queue {
            name,
            waiting: waiting as u64,
            limit: limit as u64,
            when_full,
            turned_away,
        };
        [
            queue(
                "outgoing bytes",
                outbox.queued(),
                limits.queued_bytes,
                "senders wait; the connection is cut when the other end reads nothing for 10 s",
                0,
            ),
            queue(
                "requests under way",
                in_flight.lock().len(),
                limits.in_flight,
                "further ones are refused with -32001",
                counters.refused.load(Relaxed),
            ),
            queue(
                "calls of the host",
                calls.waiting(),
                limits.pending_calls,
                "further ones fail at once and count as failed calls of the host",
                calls.turned_away(),
            ),
        ]
    }

    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    pub fn buffers(&self) -> &Buffers {
        &self.0.outbox.buffers
    }
}
