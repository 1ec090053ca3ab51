//! Files by name, type and time.
use super::cursor::Cursor;
use super::walk::{self, Unread};
use crate::ports::code::{CodeError, Count, FileQuery, Found, Stop};
use ignore::WalkState;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// In the order of the answer: the newest first where times are asked for, else by path.
type Entry = (Reverse<Duration>, PathBuf);

/// A thread hands over what it has when it has this many times the page.
const HEAP: usize = 4;

pub(super) fn search(query: &FileQuery, stop: &Stop) -> Result<Found<String>, CodeError> {
    let after = read(query)?;
    let keep = query.page.limit + 1;
    let all: Mutex<(Vec<Entry>, u64)> = Mutex::default();
    let unread = Mutex::new(Unread::default());
    walk::walk(&query.scope, None)?.build_parallel().run(|| {
        let mut mine = Mine { entries: Vec::new(), count: 0, keep, all: &all };
        let (after, unread) = (&after, &unread);
        Box::new(move |entry| {
            if stop.pulled() {
                return WalkState::Quit;
            }
            match entry {
                Ok(entry) if walk::is_file(&entry) => {
                    let changed = if query.newest {
                        entry.metadata().ok().and_then(|m| m.modified().ok())
                    } else {
                        None
                    };
                    let Some(path) = walk::relative(&query.scope, entry.path()) else {
                        return WalkState::Continue;
                    };
                    let entry = (Reverse(since_epoch(changed)), path.to_path_buf());
                    mine.count += 1;
                    if after.as_ref().is_none_or(|last| entry > *last) {
                        mine.push(entry);
                    }
                }
                Ok(_) => {}
                Err(error) => unread.lock().add(&error),
            }
            WalkState::Continue
        })
    });
    let (mut entries, count) = all.into_inner();
    entries.sort_unstable();
    let mut bytes = query.page.bytes;
    let fits = |(at, (_, path)): &(usize, &Entry)| {
        let weight = path.as_os_str().len() + 1;
        let fits = *at == 0 || weight <= bytes;
        bytes = bytes.saturating_sub(weight);
        fits
    };
    let given = entries.iter().take(query.page.limit).enumerate().take_while(fits).count();
    let more = entries.len() > given;
    entries.truncate(given);
    let next = entries.last().filter(|_| more).map(write);
    Ok(Found {
        items: entries.iter().map(|(_, path)| walk::shown(path)).collect(),
        total: Count::Exactly(count),
        next,
        remarks: unread.into_inner().remark().into_iter().collect(),
    })
}

/// What one thread has found; handed over at its end.
struct Mine<'a> {
    entries: Vec<Entry>,
    count: u64,
    keep: usize,
    all: &'a Mutex<(Vec<Entry>, u64)>,
}

impl Mine<'_> {
    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        if self.entries.len() > HEAP * self.keep {
            self.entries.sort_unstable();
            self.entries.truncate(self.keep);
        }
    }
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        all.0.append(&mut self.entries);
        all.1 += self.count;
    }
}

fn since_epoch(time: Option<SystemTime>) -> Duration {
    time.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default()
}

/// The cursor of this search: its first two numbers are seconds and nanoseconds of the last file's time.
fn write((changed, path): &Entry) -> String {
    Cursor { before: changed.0.as_secs(), taken: changed.0.subsec_nanos() as usize, path: path.clone() }
        .write()
}

fn read(query: &FileQuery) -> Result<Option<Entry>, CodeError> {
    if query.page.cursor.is_none() {
        return Ok(None);
    }
    let cursor = Cursor::read(query.page.cursor.as_deref())?;
    let nanos = u32::try_from(cursor.taken).unwrap_or_default() % 1_000_000_000;
    Ok(Some((Reverse(Duration::new(cursor.before, nanos)), cursor.path)))
}
