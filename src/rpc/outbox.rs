//! The queue of outgoing lines, bounded in bytes, and the loop that writes them.
//!
//! Policy when it is full: senders wait. When the other end takes no byte for `stall` while somebody waits, the
//! connection is cut: whatever has stopped reading that long will not start again, and our memory is not its buffer.
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::buffers::Buffers;

/// Charged to every line for what the queue itself spends on it.
const OVERHEAD: usize = 64;
/// Lines are joined into one write up to about this size.
const BATCH: usize = 64 * 1024;

struct Queued {
    line: Vec<u8>,
    room: OwnedSemaphorePermit,
}

#[derive(Clone)]
pub(super) struct Outbox {
    lines: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    bytes: usize,
    waiting: Arc<AtomicUsize>,
    finish: CancellationToken,
    pub(super) buffers: Arc<Buffers>,
}

/// The other end of the queue; belongs to the one writer.
pub(super) struct Outgoing {
    lines: mpsc::UnboundedReceiver<Queued>,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    finish: CancellationToken,
    buffers: Arc<Buffers>,
}

/// Nothing more is sent on this connection.
#[derive(Debug)]
pub(super) struct Finished;

/// A line with its place in the queue, not handed over yet.
pub(super) struct Reserved<'a> {
    outbox: &'a Outbox,
    queued: Queued,
}

impl Reserved<'_> {
    pub(super) fn send(self) -> Result<(), Finished> {
        self.outbox.lines.send(self.queued).map_err(|_| Finished)
    }
}

/// How writing ended.
#[derive(Debug)]
pub(super) enum WriteEnd {
    /// Everything was written after [`Outbox::finish`].
    Done,
    Failed(io::Error),
    Stalled,
}

/// At most `bytes` wait to be written. Buffers of lines that are written are used again if `reuse` is set.
pub(super) fn outbox(bytes: usize, reuse: bool) -> (Outbox, Outgoing) {
    let bytes = bytes.min(u32::MAX as usize);
    let (tx, lines) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(bytes));
    let waiting = Arc::new(AtomicUsize::new(0));
    let finish = CancellationToken::new();
    let buffers = Arc::new(Buffers::new(reuse));
    let outgoing = Outgoing {
        lines,
        room: room.clone(),
        waiting: waiting.clone(),
        finish: finish.clone(),
        buffers: buffers.clone(),
    };
    (Outbox { lines: tx, room, bytes, waiting, finish, buffers }, outgoing)
}

impl Outbox {
    pub(super) async fn send(&self, line: impl Into<Vec<u8>>) -> Result<(), Finished> {
        self.reserve(line).await?.send()
    }

    /// Waits for room. A line larger than the whole queue gets all of it.
    pub(super) async fn reserve(&self, line: impl Into<Vec<u8>>) -> Result<Reserved<'_>, Finished> {
        let line = line.into();
        let cost = (line.len() + OVERHEAD).min(self.bytes) as u32;
        let room = match self.room.clone().try_acquire_many_owned(cost) {
            Ok(room) => room,
            Err(_) => {
                let _waiting = Waiting::new(&self.waiting);
                self.room.clone().acquire_many_owned(cost).await.map_err(|_| Finished)?
            }
        };
        Ok(Reserved { outbox: self, queued: Queued { line, room } })
    }

    /// Bytes that wait to be written, with what the queue spends on them.
    pub(super) fn queued(&self) -> usize {
        self.bytes.saturating_sub(self.room.available_permits())
    }

    /// Refuses further lines; what is queued is still written.
    pub(super) fn finish(&self) {
        self.room.close();
        self.finish.cancel();
    }
}

/// Counts a sender that waits, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Outgoing {
    /// Writes until finished, failed or stalled. Nothing can be queued afterwards.
    pub(super) async fn run(mut self, mut writer: impl AsyncWrite + Unpin, stall: Duration) -> WriteEnd {
        let end = self.write_lines(&mut writer, stall).await;
        self.room.close();
        end
    }

    async fn write_lines(&mut self, writer: &mut (impl AsyncWrite + Unpin), stall: Duration) -> WriteEnd {
        let mut batch = Vec::new();
        loop {
            let first = tokio::select! {
                biased;
                line = self.lines.recv() => line,
                () = self.finish.cancelled(), if !self.lines.is_closed() => {
                    self.lines.close();
                    continue;
                }
            };
            let Some(first) = first else { return WriteEnd::Done };
            let held = self.fill(&mut batch, first);
            if let Err(end) = self.write_batch(writer, &batch, stall).await {
                return end;
            }
            self.room.add_permits(held);
            batch.clear();
            batch.shrink_to(BATCH);
        }
    }

    /// Joins what is queued, and says how much room it holds.
    fn fill(&mut self, batch: &mut Vec<u8>, first: Queued) -> usize {
        let mut held = 0;
        let mut next = Some(first);
        while let Some(Queued { line, room }) = next {
            held += room.num_permits();
            room.forget();
            batch.extend_from_slice(&line);
            batch.push(b'\n');
            self.buffers.give(line);
            next = if batch.len() < BATCH { self.lines.try_recv().ok() } else { None };
        }
        held
    }

    async fn write_batch(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        batch: &[u8],
        stall: Duration,
    ) -> Result<(), WriteEnd> {
        let mut written = 0;
        while written < batch.len() {
            match timeout(stall, writer.write(&batch[written..])).await {
                Ok(Ok(0)) => return Err(WriteEnd::Failed(io::ErrorKind::WriteZero.into())),
                Ok(Ok(bytes)) => written += bytes,
                Ok(Err(e)) => return Err(WriteEnd::Failed(e)),
                Err(_) => self.stalled()?,
            }
        }
        loop {
            match timeout(stall, writer.flush()).await {
                Ok(flushed) => return flushed.map_err(WriteEnd::Failed),
                Err(_) => self.stalled()?,
            }
        }
    }

    /// A silent other end does no harm as long as nobody waits for room.
    fn stalled(&self) -> Result<(), WriteEnd> {
        if self.waiting.load(Ordering::Relaxed) > 0 { Err(WriteEnd::Stalled) } else { Ok(()) }
    }
}
