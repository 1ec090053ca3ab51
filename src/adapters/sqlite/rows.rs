//! What each call of the store is in SQL. All of it runs inside a transaction of the writer, or on a reader.
use super::error::Failure;
use crate::domain::ids::{Directory, Millis, MissionId};
use crate::ports::store::{Append, Claim, MissionRow, OwnerIdentity, OwnerToken, Record, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

const COLUMNS: &str = "id, directory, place, key, title, state, phase, parent_session, open, begun, done, running, \
                       waiting, failed, total, created_at, ended_at";

/// SQLite's integers are signed; a time or a lease without end is its greatest one.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn millis(row: &Row<'_>, column: &str) -> rusqlite::Result<Millis> {
    Ok(Millis(row.get::<_, i64>(column)?.unsigned_abs()))
}

pub(super) fn create(
    db: &Connection,
    by: &OwnerIdentity,
    (now, until): (Millis, Millis),
    first: &Append,
) -> Result<(), Failure> {
    let row = &first.row;
    let twin = db
        .prepare_cached("SELECT id FROM missions WHERE (directory = ?1 AND key = ?2) OR id = ?3")?
        .query_row(params![row.directory.0, row.key, first.mission.0], |r| r.get::<_, String>(0))
        .optional()?;
    if let Some(id) = twin {
        return Err(StoreError::Duplicate(MissionId(id)).into());
    }
    if first.after != 0 {
        return Err(sequence(first, 0));
    }
    let taken = db
        .prepare_cached(
            "SELECT m.id FROM missions m JOIN owners o ON o.mission = m.id
             WHERE m.place = ?1 AND m.open AND m.ended_at IS NULL AND o.owner <> ?2 AND o.until > ?3",
        )?
        .query_row(params![row.place, by.owner, int(now.0)], |r| r.get::<_, String>(0))
        .optional()?;
    if let Some(id) = taken {
        return Err(StoreError::PlaceTaken(MissionId(id)).into());
    }
    db.prepare_cached(
        "INSERT INTO missions (id, directory, place, key, title, state, phase, parent_session, open, begun, done,
             running, waiting, failed, total, created_at, ended_at)
         VALUES (:id, :directory, :place, :key, :title, :state, :phase, :parent_session, :open, :begun, :done,
             :running, :waiting, :failed, :total, :created_at, :ended_at)",
    )?
    .execute(named_params! {
        ":id": first.mission.0, ":directory": row.directory.0, ":place": row.place, ":key": row.key,
        ":title": row.title, ":state": row.state, ":phase": row.phase, ":parent_session": row.parent_session,
        ":open": row.open, ":begun": row.begun, ":done": row.done, ":running": row.running, ":waiting": row.waiting, ":failed": row.failed,
        ":total": row.total, ":created_at": int(row.created_at.0), ":ended_at": row.ended_at.map(|t| int(t.0)),
    })?;
    own(db, &first.mission, by, first.owner.fence, until)?;
    insert_records(db, first)?;
    alone_in_place(db, first)
}

pub(super) fn prune(db: &Connection, keep: u32, most: u32, now: Millis) -> Result<u64, Failure> {
    let old: Vec<String> = db
        .prepare_cached(
            "SELECT id FROM (SELECT id FROM missions WHERE NOT open ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?1)
             WHERE NOT EXISTS (SELECT 1 FROM owners o WHERE o.mission = id AND o.owner IS NOT NULL AND o.until > ?3)
             LIMIT ?2",
        )?
        .query_map(params![keep, most, int(now.0)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &old {
        db.prepare_cached("DELETE FROM journal WHERE mission = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM owners WHERE mission = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM missions WHERE id = ?1")?.execute([id])?;
    }
    Ok(old.len() as u64)
}

pub(super) fn append(db: &Connection, batch: &[Append]) -> Result<(), Failure> {
    batch.iter().try_for_each(|one| append_one(db, one))?;
    // After all of them: one may end in the transaction in which the next begins.
    batch.iter().try_for_each(|one| alone_in_place(db, one))
}

fn alone_in_place(db: &Connection, append: &Append) -> Result<(), Failure> {
    let row = &append.row;
    if !row.begun {
        return Ok(());
    }
    let other = db
        .prepare_cached("SELECT id FROM missions WHERE place = ?1 AND open AND begun AND id <> ?2")?
        .query_row([&row.place, &append.mission.0], |r| r.get::<_, String>(0))
        .optional()?;
    other.map_or(Ok(()), |id| Err(StoreError::PlaceTaken(MissionId(id)).into()))
}

fn append_one(db: &Connection, append: &Append) -> Result<(), Failure> {
    let held = db
        .prepare_cached("SELECT owner, fence FROM owners WHERE mission = ?1")?
        .query_row([&append.mission.0], |r| Ok((r.get::<_, Option<String>>(0)?, r.get::<_, i64>(1)?)))
        .optional()?;
    let Some((owner, fence)) = held else { return Err(unknown(&append.mission)) };
    if owner.as_deref() != Some(&append.owner.owner) || fence != int(append.owner.fence) {
        return Err(StoreError::Fenced(append.mission.clone()).into());
    }
    let last: i64 = db
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM journal WHERE mission = ?1")?
        .query_row([&append.mission.0], |r| r.get(0))?;
    if last != int(append.after) {
        return Err(sequence(append, last.unsigned_abs()));
    }
    insert_records(db, append)?;
    let row = &append.row;
    // What a mission is found by (id, directory, key, age) stays as it was created.
    db.prepare_cached(
        "UPDATE missions SET title = :title, state = :state, phase = :phase, parent_session = :parent_session,
             open = :open, begun = :begun, done = :done, running = :running, waiting = :waiting, failed = :failed,
             total = :total, ended_at = :ended_at
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": append.mission.0, ":title": row.title, ":state": row.state, ":phase": row.phase,
        ":parent_session": row.parent_session, ":open": row.open, ":begun": row.begun, ":done": row.done,
        ":running": row.running, ":waiting": row.waiting, ":failed": row.failed, ":total": row.total,
        ":ended_at": row.ended_at.map(|t| int(t.0)),
    })?;
    Ok(())
}

fn insert_records(db: &Connection, append: &Append) -> Result<(), Failure> {
    let mut insert =
        db.prepare_cached("INSERT INTO journal (mission, seq, at, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (seq, (at, kind, body)) in (append.after + 1..).zip(&append.records) {
        insert.execute(params![append.mission.0, int(seq), int(at.0), kind, body])?;
    }
    Ok(())
}

fn sequence(append: &Append, found: u64) -> Failure {
    StoreError::Sequence { mission: append.mission.clone(), expected: append.after, found }.into()
}

fn unknown(mission: &MissionId) -> Failure {
    StoreError::Other(format!("no mission {mission} in this store: list the known ones")).into()
}

pub(super) fn load(db: &Connection, mission: &MissionId) -> Result<Vec<Record>, Failure> {
    let mut query =
        db.prepare_cached("SELECT seq, at, kind, body FROM journal WHERE mission = ?1 ORDER BY seq")?;
    let rows = query.query_map([&mission.0], |row| {
        Ok(Record {
            seq: row.get::<_, i64>("seq")?.unsigned_abs(),
            at: millis(row, "at")?,
            kind: row.get("kind")?,
            body: row.get("body")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn claim(
    db: &Connection,
    mission: &MissionId,
    by: &OwnerIdentity,
    until: Millis,
    now: Millis,
    alive: fn(&OwnerIdentity) -> bool,
) -> Result<Claim, Failure> {
    let found = db
        .prepare_cached("SELECT fence, owner, pid, pid_start, boot, until FROM owners WHERE mission = ?1")?
        .query_row([&mission.0], |row| {
            let fence = row.get::<_, i64>("fence")?.unsigned_abs();
            let Some(owner) = row.get("owner")? else { return Ok((fence, None)) };
            let holder = OwnerIdentity {
                owner,
                pid: row.get("pid")?,
                pid_start: row.get::<_, i64>("pid_start")?.unsigned_abs(),
                boot: row.get("boot")?,
            };
            Ok((fence, Some((holder, millis(row, "until")?))))
        })
        .optional()?;
    let Some((mut fence, holder)) = found else { return Ok(Claim::Unknown) };
    match holder {
        Some((holder, _)) if holder.owner == by.owner => {}
        Some((holder, until)) if until > now && alive(&holder) => {
            return Ok(Claim::Held { by: holder, until });
        }
        _ => fence += 1,
    }
    own(db, mission, by, fence, until)?;
    Ok(Claim::Granted(OwnerToken { owner: by.owner.clone(), fence }))
}

fn own(
    db: &Connection,
    mission: &MissionId,
    by: &OwnerIdentity,
    fence: u64,
    until: Millis,
) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO owners (mission, fence, owner, pid, pid_start, boot, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        mission.0,
        int(fence),
        by.owner,
        by.pid,
        int(by.pid_start),
        by.boot,
        int(until.0)
    ])?;
    Ok(())
}

pub(super) fn heartbeat(
    db: &Connection,
    owner: &str,
    missions: &[MissionId],
    until: Millis,
) -> Result<Vec<MissionId>, Failure> {
    let mut update = db.prepare_cached("UPDATE owners SET until = ?3 WHERE mission = ?1 AND owner = ?2")?;
    let mut held = Vec::new();
    for mission in missions {
        if update.execute(params![mission.0, owner, int(until.0)])? > 0 {
            held.push(mission.clone());
        }
    }
    held.sort();
    Ok(held)
}

pub(super) fn release(db: &Connection, owner: &str, directory: Option<&Directory>) -> Result<(), Failure> {
    let released = "UPDATE owners SET owner = NULL WHERE owner = ?1";
    match directory {
        None => db.prepare_cached(released)?.execute([owner])?,
        Some(directory) => {
            let here = format!("{released} AND mission IN (SELECT id FROM missions WHERE directory = ?2)");
            db.prepare_cached(&here)?.execute([owner, directory.as_str()])?
        }
    };
    Ok(())
}

pub(super) fn missions(
    db: &Connection,
    directory: Option<&Directory>,
    open_only: bool,
    limit: u32,
) -> Result<Vec<MissionRow>, Failure> {
    // The four texts differ so that each has its index.
    let filter = match (directory.is_some(), open_only) {
        (false, false) => "?1 IS NULL",
        (false, true) => "open AND ?1 IS NULL",
        (true, false) => "directory = ?1",
        (true, true) => "directory = ?1 AND open",
    };
    let sql =
        format!("SELECT {COLUMNS} FROM missions WHERE {filter} ORDER BY created_at DESC, id DESC LIMIT ?2");
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map(params![directory.map(|d| &d.0), limit], mission_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn mission(db: &Connection, id: &MissionId) -> Result<Option<MissionRow>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM missions WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([&id.0], mission_row).optional()?)
}

fn mission_row(row: &Row<'_>) -> rusqlite::Result<MissionRow> {
    Ok(MissionRow {
        id: MissionId(row.get("id")?),
        directory: Directory(row.get("directory")?),
        place: row.get("place")?,
        title: row.get("title")?,
        state: row.get("state")?,
        phase: row.get("phase")?,
        parent_session: row.get("parent_session")?,
        open: row.get("open")?,
        begun: row.get("begun")?,
        done: row.get("done")?,
        running: row.get("running")?,
        waiting: row.get("waiting")?,
        failed: row.get("failed")?,
        total: row.get("total")?,
        created_at: millis(row, "created_at")?,
        ended_at: row.get::<_, Option<i64>>("ended_at")?.map(|t| Millis(t.unsigned_abs())),
        key: row.get("key")?,
    })
}
