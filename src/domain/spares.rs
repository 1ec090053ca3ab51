//! Objects that were used once, kept for their next use with the memory they hold.
//!
//! For attempts, where it is off as a rule (`Limits::pools`): a mission makes some twenty of them, and one made anew takes
//! no longer. The figures are in docs/benchmarks.md.

pub struct Spares<T> {
    free: Vec<T>,
    most: usize,
    /// Takes that found one, and those that did not.
    pub hits: u64,
    pub misses: u64,
}

impl<T> Spares<T> {
    /// At most `most` are kept, none when that is 0. A quarter of them is made at once.
    pub fn new(most: usize, make: impl Fn() -> T) -> Self {
        let mut free = Vec::with_capacity(most);
        free.extend((0..most / 4).map(|_| make()));
        Self { free, most, hits: 0, misses: 0 }
    }

    pub fn take(&mut self) -> Option<T> {
        if self.most == 0 {
            return None;
        }
        let found = self.free.pop();
        *(if found.is_some() { &mut self.hits } else { &mut self.misses }) += 1;
        found
    }

    /// What finds no place is dropped.
    pub fn give(&mut self, used: impl IntoIterator<Item = T>) {
        let room = self.most - self.free.len();
        self.free.extend(used.into_iter().take(room));
    }

    pub fn kept(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_taken_and_no_more_is_kept_than_may_be() {
        let mut spares = Spares::new(8, || vec![0]);
        assert_eq!(spares.kept(), 2);
        spares.give((1..20).map(|n| vec![n]));
        assert_eq!((spares.kept(), spares.take()), (8, Some(vec![6])));
        (0..9).for_each(|_| drop(spares.take()));
        assert_eq!((spares.hits, spares.misses, spares.kept()), (8, 2, 0));
    }

    #[test]
    fn without_places_nothing_is_kept_or_counted() {
        let mut spares = Spares::new(0, || ());
        spares.give([(), ()]);
        assert_eq!((spares.take(), spares.kept(), spares.hits + spares.misses), (None, 0, 0));
    }
}
