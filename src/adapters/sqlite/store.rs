//! The port, handed to the writer thread and the readers.
use super::error::Failure;
use super::writer::Writer;
use super::{rows, schema};
use crate::domain::ids::{Directory, Millis, MissionId};
use crate::ports::Fut;
use crate::ports::queue::Queue;
use crate::ports::store::{Append, Claim, MissionRow, OwnerIdentity, Record, Store, StoreError};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Read connections that stay open; each costs a few descriptors and a page cache.
const IDLE_READERS: usize = 4;

pub struct SqliteStore {
    path: PathBuf,
    // Before the writer, so that the last connection to close is the one that may tidy up the log.
    readers: Arc<Readers>,
    pub(super) writer: Writer,
}

impl SqliteStore {
    /// Opens the file, making it, its folder and its tables where they are missing. Blocks for some
    /// milliseconds, or up to 5 s while other processes hold the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|e| super::error::of_io(&e, path))?;
        let writer = Writer::start(schema::open_writer(&path)?, path.clone())?;
        let readers = Arc::new(Readers { path: path.clone(), idle: Mutex::default() });
        Ok(Self { path, readers, writer })
    }

    /// Whether a store may be made there; makes nothing.
    pub fn may_lie_at(path: &Path) -> Result<(), StoreError> {
        super::place::local(path)
    }

    /// Reads the whole file and looks for damage; some milliseconds for each megabyte.
    pub async fn check(&self) -> Result<(), StoreError> {
        let said = self
            .read(|db| Ok(db.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0))?))
            .await?;
        if said == "ok" {
            return Ok(());
        }
        Err(StoreError::Corrupt { path: self.path.display().to_string(), detail: said })
    }

    async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        tokio::task::spawn_blocking(move || readers.with(query))
            .await
            .map_err(|e| StoreError::Other(format!("a read of the store was cut off: {e}")))?
    }

    #[cfg(test)]
    pub(super) async fn pragma(&self, name: &'static str, value: i64) -> Result<(), StoreError> {
        self.writer
            .write(move |db| {
                // Some settings answer with a row, some do not.
                db.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|e| match e {
                    rusqlite::Error::QueryReturnedNoRows => Ok(()),
                    e => Err(e.into()),
                })
            })
            .await
    }
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        // Taken in a statement of its own: the lock must not be held while a connection is opened.
        let idle = self.idle.lock().pop();
        let answer = match idle {
            Some(db) => Ok(db),
            None => schema::open_reader(&self.path),
        }
        .and_then(|db| query(&db).map(|found| (found, db)));
        let (found, db) = answer.map_err(|e| e.at(&self.path))?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_READERS {
            idle.push(db);
        }
        Ok(found)
    }
}

impl Store for SqliteStore {
    fn create(
        &self,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        first: Append,
    ) -> Fut<'_, Result<(), StoreError>> {
        Box::pin(self.writer.write(move |db| rows::create(db, &by, (now, now.plus(ttl_ms)), &first)))
    }

    fn append(&self, batch: Vec<Append>) -> Fut<'_, Result<(), StoreError>> {
        Box::pin(self.writer.write(move |db| rows::append(db, &batch)))
    }

    fn load(&self, mission: MissionId) -> Fut<'_, Result<Vec<Record>, StoreError>> {
        Box::pin(self.read(move |db| rows::load(db, &mission)))
    }

    fn claim(
        &self,
        mission: MissionId,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        alive: fn(&OwnerIdentity) -> bool,
    ) -> Fut<'_, Result<Claim, StoreError>> {
        let until = now.plus(ttl_ms);
        Box::pin(self.writer.write(move |db| rows::claim(db, &mission, &by, until, now, alive)))
    }

    fn heartbeat(
        &self,
        owner: String,
        missions: Vec<MissionId>,
        ttl_ms: u64,
        now: Millis,
    ) -> Fut<'_, Result<Vec<MissionId>, StoreError>> {
        Box::pin(self.writer.write(move |db| rows::heartbeat(db, &owner, &missions, now.plus(ttl_ms))))
    }

    fn release(&self, owner: String, directory: Option<Directory>) -> Fut<'_, Result<(), StoreError>> {
        Box::pin(self.writer.write(move |db| rows::release(db, &owner, directory.as_ref())))
    }

    fn prune(&self, keep: u32, most: u32, now: Millis) -> Fut<'_, Result<u64, StoreError>> {
        Box::pin(self.writer.write(move |db| rows::prune(db, keep, most, now)))
    }

    fn missions(
        &self,
        directory: Option<Directory>,
        open_only: bool,
        limit: u32,
    ) -> Fut<'_, Result<Vec<MissionRow>, StoreError>> {
        Box::pin(self.read(move |db| rows::missions(db, directory.as_ref(), open_only, limit)))
    }

    fn mission(&self, id: MissionId) -> Fut<'_, Result<Option<MissionRow>, StoreError>> {
        Box::pin(self.read(move |db| rows::mission(db, &id)))
    }

    fn backlog(&self) -> Queue {
        self.writer.backlog()
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}
