//! The one thread that writes.
//!
//! It takes all jobs that wait and runs them as savepoints of one transaction, so that a refused job spoils
//! nothing for the others. Where the transaction as a whole fails, each job is tried in one of its own, so
//! that a job too big for the disk does not take small ones with it.
use super::error::Failure;
use super::place;
use crate::ports::queue::Queue;
use crate::ports::store::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait; further callers wait for room, which slows the source down instead of losing a write.
const QUEUE: usize = 1024;
/// Jobs in one transaction: bounds how long the first of them waits.
const GROUP: usize = 512;

pub(super) struct Writer {
    /// `None` only while dropping.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(db: Connection, path: PathBuf) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("gantry-store".into())
            .spawn(move || serve(db, &path, queue))
            .map_err(|e| StoreError::Other(format!("no thread for the store: {e}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction and answers once it is on disk. `work` may run twice, the first time
    /// without effect. A caller that stops waiting does not stop the write.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let gone = || StoreError::Other("the store's writer has stopped: restart Gantry".into());
        let (reply, answer) = oneshot::channel();
        let job = Write { work, result: None, reply };
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Box::new(job)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Writer {
    pub(super) fn backlog(&self) -> Queue {
        let waiting = self.jobs.as_ref().map_or(0, |jobs| jobs.max_capacity() - jobs.capacity());
        Queue {
            name: "store writes",
            waiting: waiting as u64,
            limit: QUEUE as u64,
            when_full: "callers wait",
            turned_away: 0,
        }
    }
}

impl Drop for Writer {
    /// What was accepted is still written, and the file is closed when this returns.
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

trait Job: Send {
    fn run(&mut self, db: &Connection) -> Result<(), Failure>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Write<T, F> {
    work: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, Failure> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), Failure> {
        self.result = Some((self.work)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        let unwritten = || StoreError::Other("the store answered before it had written".into());
        // Nobody may be waiting any more; the write stands all the same.
        let _ = reply.send(outcome.and_then(|()| result.ok_or_else(unwritten)));
    }
}

fn serve(mut db: Connection, path: &Path, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let opened = place::identity(path);
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        // A deleted file can still be written to, and everything in it would be lost with this process.
        if place::identity(path) != opened {
            let moved = StoreError::Other(format!(
                "{} was moved or deleted while in use: put it back, or restart Gantry to begin a new one",
                path.display()
            ));
            group.into_iter().for_each(|job| job.answer(Err(moved.clone())));
            continue;
        }
        serve_group(&mut db, path, group);
    }
}

fn serve_group(db: &mut Connection, path: &Path, mut group: Vec<Box<dyn Job>>) {
    match run_group(db, &mut group) {
        Ok(outcomes) => {
            for (job, outcome) in group.into_iter().zip(outcomes) {
                job.answer(outcome.map_err(|e| e.at(path)));
            }
        }
        Err(GroupError::Transaction(_)) if group.len() > 1 => {
            for job in group {
                serve_group(db, path, vec![job]);
            }
        }
        Err(GroupError::Begin(e) | GroupError::Transaction(e)) => {
            let error = e.at(path);
            group.into_iter().for_each(|job| job.answer(Err(error.clone())));
        }
    }
}

enum GroupError {
    /// The store cannot be written to at all now; trying jobs singly would only wait longer.
    Begin(Failure),
    Transaction(Failure),
}

impl From<rusqlite::Error> for GroupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Transaction(error.into())
    }
}

fn run_group(
    db: &mut Connection,
    group: &mut [Box<dyn Job>],
) -> Result<Vec<Result<(), Failure>>, GroupError> {
    let mut tx = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| GroupError::Begin(e.into()))?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        let mut point = tx.savepoint()?;
        match job.run(&point) {
            Ok(()) => {
                point.commit()?;
                outcomes.push(Ok(()));
            }
            // SQLite ends the whole transaction itself on some errors, a full disk among them.
            Err(failure) if point.is_autocommit() => return Err(GroupError::Transaction(failure)),
            Err(failure) => {
                point.rollback()?;
                point.commit()?;
                outcomes.push(Err(failure));
            }
        }
    }
    tx.commit()?;
    Ok(outcomes)
}
