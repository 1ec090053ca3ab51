//! Opening a connection, and the format of the file with its versions.
use super::error::Failure;
use super::place;
use crate::ports::store::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// "Gtry", so that the file of another program is never written to.
const APPLICATION: i32 = 0x4774_7279;
/// How long a process waits for another one's transaction; those last milliseconds.
const BUSY: Duration = Duration::from_secs(5);
/// The log is cut back to this after a checkpoint, so that one burst does not hold the space for ever.
const LOG_BYTES: u32 = 16 << 20;

/// Entry N brings a file of format N to format N + 1. Entries are never changed once released.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE missions (
        id TEXT PRIMARY KEY,
        directory TEXT NOT NULL,
        place TEXT NOT NULL,
        key TEXT NOT NULL,
        title TEXT NOT NULL,
        state TEXT NOT NULL,
        phase TEXT,
        parent_session TEXT NOT NULL,
        open INTEGER NOT NULL,
        begun INTEGER NOT NULL,
        done INTEGER NOT NULL,
        running INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        total INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        ended_at INTEGER,
        UNIQUE (directory, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX missions_by_age ON missions (created_at, id);
    CREATE INDEX missions_by_directory ON missions (directory, created_at, id);
    CREATE INDEX missions_by_place ON missions (place) WHERE open;
    CREATE INDEX missions_open ON missions (created_at, id) WHERE open;
    -- A free mission keeps its row with no owner, so that its fence goes on growing.
    CREATE TABLE owners (
        mission TEXT PRIMARY KEY REFERENCES missions (id),
        fence INTEGER NOT NULL,
        owner TEXT,
        pid INTEGER NOT NULL,
        pid_start INTEGER NOT NULL,
        boot TEXT NOT NULL,
        until INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX owners_by_owner ON owners (owner) WHERE owner IS NOT NULL;
    CREATE TABLE journal (
        mission TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (mission, seq)
    ) STRICT, WITHOUT ROWID;
"];

pub(super) const FORMAT: u32 = MIGRATIONS.len() as u32;

/// The connection of the writer, on a file of the current format.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    place::prepare(path)?;
    set_up_writer(path).map_err(|e| e.at(path))
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, Failure> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

fn set_up_writer(path: &Path) -> Result<Connection, Failure> {
    let mut db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    // Asked before anything is written: a file that is not ours must stay as it is. In one transaction, for another
    // process may be making the tables between one question and the next.
    check_format(&*db.transaction()?, path)?;
    place::make_private(path)?;
    use_log(&db)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    migrate(&mut db, path)?;
    Ok(db)
}

/// The format of the file; 0 for an empty one.
fn check_format(db: &Connection, path: &Path) -> Result<u32, Failure> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let path = path.display().to_string();
    if application != APPLICATION && (tables > 0 || found > 0) {
        let detail = "it is a database of another program".to_string();
        return Err(StoreError::Corrupt { path, detail }.into());
    }
    if found > FORMAT {
        return Err(StoreError::Newer { path, found, known: FORMAT }.into());
    }
    Ok(found)
}

/// SQLite does not wait for a lock while it changes the journal mode, so two processes that both find a new
/// file have to take turns here.
fn use_log(db: &Connection) -> Result<(), Failure> {
    const TURNS: u32 = 250;
    let pause = BUSY / TURNS;
    for turn in 1.. {
        match db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => break,
            Ok(mode) => {
                let text =
                    format!("no write-ahead log is possible here ({mode}): set GANTRY_STORE to a local path");
                return Err(StoreError::Other(text).into());
            }
            Err(e) if turn < TURNS && e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                std::thread::sleep(pause);
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), Failure> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may just have done it.
    let found = check_format(&tx, path)?;
    for step in found..FORMAT {
        tx.execute_batch(MIGRATIONS[step as usize])?;
        tx.execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)",
            (format!("format {} made by", step + 1), env!("CARGO_PKG_VERSION")),
        )?;
    }
    if found < FORMAT {
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", FORMAT)?;
    }
    tx.commit()?;
    Ok(())
}
