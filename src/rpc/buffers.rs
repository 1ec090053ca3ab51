//! Buffers for lines on their way out, used again once they are written.
//!
//! A message is written into a buffer whose size nobody knows before; a new one grows by doubling, and each time all that
//! is in it is copied. One that had a line of the same method before has the room. Calls to the host take from here;
//! whatever was written is kept, answers too, as far as there is place.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// Sizes in bytes, and how many of each are kept: 256 KB in all, four times that if every one is nearly of the next size.
const SHELVES: [(usize, usize); 4] = [(1 << 10, 32), (4 << 10, 8), (16 << 10, 4), (64 << 10, 2)];

#[derive(Default)]
pub struct Buffers {
    on: bool,
    shelves: Mutex<[Vec<Vec<u8>>; SHELVES.len()]>,
    /// Length of the last line of each method.
    lengths: Mutex<HashMap<&'static str, usize>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Buffers {
    /// One that is off gives out new buffers and keeps none.
    pub fn new(on: bool) -> Self {
        Self { on, ..Self::default() }
    }

    /// An empty buffer for a line of the method.
    pub fn take(&self, method: &'static str) -> Vec<u8> {
        if !self.on {
            return Vec::with_capacity(128);
        }
        let wanted = self.lengths.lock().get(method).copied().unwrap_or(0);
        let least = SHELVES.iter().position(|(size, _)| *size >= wanted);
        let found = least.and_then(|least| self.shelves.lock()[least..].iter_mut().find_map(Vec::pop));
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
        found.unwrap_or_else(|| Vec::with_capacity(least.map_or(wanted, |n| SHELVES[n].0)))
    }

    /// The line is complete.
    pub fn filled(&self, method: &'static str, length: usize) {
        if self.on {
            self.lengths.lock().insert(method, length);
        }
    }

    /// A buffer nobody needs any more. What is too small, too large, or one too many is freed.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let fits = |(size, _): &(usize, usize)| (*size..*size * 4).contains(&buffer.capacity());
        let Some(shelf) = SHELVES.iter().position(fits).filter(|_| self.on) else { return };
        buffer.clear();
        let mut shelves = self.shelves.lock();
        if shelves[shelf].len() < SHELVES[shelf].1 {
            shelves[shelf].push(buffer);
        }
    }

    /// Lines that found a buffer, and those that did not.
    pub fn counts(&self) -> (u64, u64) {
        (self.hits.load(Relaxed), self.misses.load(Relaxed))
    }

    /// Bytes that are kept for later.
    pub fn kept(&self) -> usize {
        self.shelves.lock().iter().flatten().map(Vec::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_finds_a_buffer_that_held_its_last_line() {
        let buffers = Buffers::new(true);
        let mut first = buffers.take("prompt");
        (0..10_000).for_each(|_| first.push(b'x'));
        buffers.filled("prompt", first.len());
        buffers.give(first);
        buffers.give(Vec::with_capacity(1 << 10));
        assert_eq!(
            buffers.take("toast").capacity(),
            1 << 10,
            "nothing is known of it, so the smallest will do"
        );
        let again = buffers.take("prompt");
        assert!(again.is_empty() && again.capacity() >= 10_000, "{}", again.capacity());
        assert_eq!(buffers.take("prompt").capacity(), 16 << 10, "a new one, of the size");
        assert_eq!(buffers.counts(), (2, 2));
        buffers.filled("prompt", 1 << 20);
        assert_eq!(buffers.take("prompt").capacity(), 1 << 20, "larger ones are not kept, and made at once");
    }

    #[test]
    fn no_more_is_kept_than_there_are_places() {
        let buffers = Buffers::new(true);
        let most: usize = SHELVES.iter().map(|(size, n)| size * n).sum();
        for size in [1, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20] {
            (0..100).for_each(|_| buffers.give(Vec::with_capacity(size)));
        }
        assert_eq!(buffers.kept(), most);
        let off = Buffers::new(false);
        off.give(Vec::with_capacity(4 << 10));
        assert_eq!((off.kept(), off.take("prompt").is_empty(), off.counts()), (0, true, (0, 0)));
    }
}
