//! One function over all files of a scope, with the hits in the order of the paths and no more of them than asked for.
//!
//! First a few files are read in order, one by one: a common word fills its page there. Otherwise all cores go over the
//! whole tree in whatever order they come to its files; of what they find only the first page is kept, the rest is counted.
use super::cursor::Cursor;
use super::walk::{self, Unread};
use crate::ports::code::{CodeError, Count, Page, Scope, Stop};
use ignore::types::Types;
use ignore::{WalkBuilder, WalkState};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Read before the cores are woken: this many files or bytes, whichever is reached first.
const FIRST_FILES: usize = 48;
const FIRST_BYTES: u64 = 1 << 21;
/// Remarks of one kind name this many files.
const NAMED: usize = 3;

/// What one file has to say.
pub(super) struct Hits<T> {
    /// Those after `skip`, `room` at most.
    pub items: Vec<T>,
    /// All of them, the skipped ones too.
    pub count: u64,
    pub remark: Option<&'static str>,
}

impl<T> Hits<T> {
    pub fn none() -> Self {
        Self { items: Vec::new(), count: 0, remark: None }
    }

    pub fn remark(remark: &'static str) -> Self {
        Self { remark: Some(remark), ..Self::none() }
    }
}

pub(super) struct Scanned<T> {
    pub files: Vec<(PathBuf, Vec<T>)>,
    pub total: Count,
    pub next: Option<String>,
    pub remarks: Vec<String>,
}

/// What a hit takes of a page, in bytes.
pub(super) trait Weight {
    fn weight(&self) -> usize;
}

/// Looks into one file: its path, how many hits to skip, how many to keep.
pub(super) trait Look<T>: FnMut(&Path, usize, usize) -> Hits<T> + Send {}
impl<T, F: FnMut(&Path, usize, usize) -> Hits<T> + Send> Look<T> for F {}

/// `look` makes the function of one thread.
pub(super) fn scan<T: Send + Weight, L: Look<T>>(
    scope: &Scope,
    types: Option<Types>,
    page: &Page,
    stop: &Stop,
    look: impl Fn() -> L + Sync,
) -> Result<Scanned<T>, CodeError> {
    let cursor = Cursor::read(page.cursor.as_deref())?;
    let walk = walk::walk(scope, types)?;
    let mut first = Kept::new(page.limit);
    match in_order(scope, walk.clone(), &cursor, stop, &mut first, look()) {
        First::All => return Ok(first.page(page, &cursor, true)),
        First::Enough => return Ok(first.page(page, &cursor, false)),
        First::Some => drop(first),
    }
    let kept = Mutex::new(Kept::new(page.limit));
    let count = AtomicU64::new(0);
    let full = AtomicBool::new(false);
    walk.build_parallel().run(|| {
        let mut look = look();
        let (kept, count, full, cursor) = (&kept, &count, &full, &cursor);
        Box::new(move |entry| {
            if stop.pulled() {
                return WalkState::Quit;
            }
            let entry = match entry {
                Ok(entry) if walk::is_file(&entry) => entry,
                Ok(_) => return WalkState::Continue,
                Err(error) => {
                    kept.lock().unread.add(&error);
                    return WalkState::Continue;
                }
            };
            let Some(path) = walk::relative(scope, entry.path()) else { return WalkState::Continue };
            let Some(skip) = cursor.taken_of(path) else { return WalkState::Continue };
            let wanted = !full.load(Ordering::Relaxed) || kept.lock().wants(path);
            let room = if wanted { page.limit + 1 } else { 0 };
            let hits = look(entry.path(), skip, room);
            if hits.count > 0 || hits.remark.is_some() {
                count.fetch_add(hits.count.saturating_sub(skip as u64), Ordering::Relaxed);
                let mut kept = kept.lock();
                kept.add(path, skip, hits);
                full.store(kept.beyond.is_some(), Ordering::Relaxed);
            }
            WalkState::Continue
        })
    });
    let mut kept = kept.into_inner();
    kept.count = count.into_inner();
    Ok(kept.page(page, &cursor, true))
}

enum First {
    /// There is nothing beyond what was read.
    All,
    /// The page is full.
    Enough,
    /// There is more to read.
    Some,
}

fn in_order<T: Weight, L: Look<T>>(
    scope: &Scope,
    mut walk: WalkBuilder,
    cursor: &Cursor,
    stop: &Stop,
    kept: &mut Kept<T>,
    mut look: L,
) -> First {
    let (mut files, mut bytes) = (0, 0);
    walk.sort_by_file_name(std::ffi::OsStr::cmp);
    let below = cursor.path.clone();
    let root = scope.root.clone();
    // Folders that the cursor has passed are not gone into. This takes the place of the walk's own filter.
    walk.filter_entry(move |entry| {
        let path = entry.path().strip_prefix(&root);
        let passed = path.is_ok_and(|path| path < below.as_path() && !below.starts_with(path));
        !walk::is_repository(entry) && !passed
    });
    for entry in walk.build() {
        if stop.pulled() {
            return First::Enough;
        }
        let entry = match entry {
            Ok(entry) if walk::is_file(&entry) => entry,
            Ok(_) => continue,
            Err(error) => {
                kept.unread.add(&error);
                continue;
            }
        };
        bytes += entry.metadata().map_or(0, |m| m.len());
        if files >= FIRST_FILES || (files > 0 && bytes > FIRST_BYTES) {
            return First::Some;
        }
        files += 1;
        let Some(path) = walk::relative(scope, entry.path()) else { continue };
        let Some(skip) = cursor.taken_of(path) else { continue };
        let hits = look(entry.path(), skip, kept.limit + 1);
        kept.count += hits.count.saturating_sub(skip as u64);
        kept.add(path, skip, hits);
        if kept.items > kept.limit {
            return First::Enough;
        }
    }
    First::All
}

/// The hits of the first files that fill a page.
struct Kept<T> {
    limit: usize,
    files: BTreeMap<PathBuf, (usize, Vec<T>)>,
    items: usize,
    count: u64,
    /// Files from here on are beyond the page.
    beyond: Option<PathBuf>,
    remarks: BTreeMap<&'static str, (u64, Vec<String>)>,
    unread: Unread,
}

impl<T: Weight> Kept<T> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            files: BTreeMap::new(),
            items: 0,
            count: 0,
            beyond: None,
            remarks: BTreeMap::new(),
            unread: Unread::default(),
        }
    }

    fn wants(&self, path: &Path) -> bool {
        self.beyond.as_deref().is_none_or(|beyond| path < beyond)
    }

    fn add(&mut self, path: &Path, skip: usize, hits: Hits<T>) {
        if let Some(remark) = hits.remark {
            let (count, names) = self.remarks.entry(remark).or_default();
            *count += 1;
            names.push(walk::shown(path));
            // The first by name, so that the same tree gives the same remark.
            names.sort();
            names.truncate(NAMED);
        }
        if hits.items.is_empty() || !self.wants(path) {
            return;
        }
        self.items += hits.items.len();
        self.files.insert(path.to_path_buf(), (skip, hits.items));
        while let Some((last, (_, items))) = self.files.last_key_value()
            && self.items - items.len() > self.limit
        {
            self.items -= items.len();
            self.beyond = Some(last.clone());
            self.files.pop_last();
        }
    }

    fn page(self, page: &Page, cursor: &Cursor, whole: bool) -> Scanned<T> {
        let (mut room, mut bytes) = (self.limit, page.bytes);
        let mut end = None;
        let mut more = false;
        let mut files = Vec::new();
        for (path, (skip, mut items)) in self.files {
            let found = items.len();
            // The path stands before the first of its hits.
            let mut heading = path.as_os_str().len();
            let fits = |item: &&T| {
                let weight = item.weight() + std::mem::take(&mut heading);
                let fits = bytes == page.bytes || weight <= bytes;
                bytes = if fits { bytes.saturating_sub(weight) } else { 0 };
                fits
            };
            let fits = items.iter().take(room).take_while(fits).count();
            more |= found > fits;
            items.truncate(fits);
            if items.is_empty() {
                break;
            }
            room -= items.len();
            end = Some((path.clone(), skip + items.len()));
            files.push((path, items));
        }
        let given = (self.limit - room) as u64;
        let next = end
            .filter(|_| more)
            .map(|(path, taken)| Cursor { before: cursor.before + given, taken, path }.write());
        let total = cursor.before + self.count;
        let total = if whole { Count::Exactly(total) } else { Count::AtLeast(total) };
        let mut remarks: Vec<String> = self
            .remarks
            .into_iter()
            .map(|(remark, (count, names))| {
                let dots = if count > names.len() as u64 { ", …" } else { "" };
                format!(
                    "{count} {} {remark}: {}{dots}",
                    if count == 1 { "file" } else { "files" },
                    names.join(", ")
                )
            })
            .collect();
        remarks.extend(self.unread.remark());
        Scanned { files, total, next, remarks }
    }
}
