//! Calls of ours that wait for their answer.
use std::collections::HashMap;

use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::error::RpcError;

pub(super) type Answer = Result<Box<RawValue>, RpcError>;

#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// One lock over the whole map, because the limit, the closing and the numbering have to agree on one moment.
pub(super) struct Calls {
    open: Mutex<Open>,
    limit: usize,
}

struct Open {
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    last_id: u64,
    closed: bool,
    turned_away: u64,
}

impl Calls {
    pub(super) fn new(limit: usize) -> Self {
        let open = Open { waiting: HashMap::new(), last_id: 0, closed: false, turned_away: 0 };
        Self { open: Mutex::new(open), limit }
    }

    pub(super) fn waiting(&self) -> usize {
        self.open.lock().waiting.len()
    }

    /// Calls refused because too many were waiting.
    pub(super) fn turned_away(&self) -> u64 {
        self.open.lock().turned_away
    }

    pub(super) fn start(&self) -> Result<Waiting<'_>, Refused> {
        let mut open = self.open.lock();
        if open.closed {
            return Err(Refused::Closed);
        }
        if open.waiting.len() >= self.limit {
            open.turned_away += 1;
            return Err(Refused::Full);
        }
        open.last_id += 1;
        let (tx, answer) = oneshot::channel();
        let id = open.last_id;
        open.waiting.insert(id, tx);
        Ok(Waiting { calls: self, id, answer })
    }

    /// False when nobody waits for it: too late, answered before, or never asked.
    pub(super) fn complete(&self, id: u64, answer: Answer) -> bool {
        let waiting = self.open.lock().waiting.remove(&id);
        waiting.is_some_and(|tx| tx.send(answer).is_ok())
    }

    /// Ends every call, and refuses new ones.
    pub(super) fn close(&self) {
        let mut open = self.open.lock();
        open.closed = true;
        open.waiting.clear();
    }
}

/// A call under way; dropping it forgets the call.
pub(super) struct Waiting<'a> {
    calls: &'a Calls,
    pub(super) id: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Waiting<'_> {
    /// `None` when the connection ended first.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.calls.open.lock().waiting.remove(&self.id);
    }
}
