//! Names that come again and again (of models, by every message of the host), kept once: whoever has one shares it.
//!
//! Off as a rule (`Limits::pools`): finding one takes longer than copying it, and few are held at one time. The figures
//! are in docs/benchmarks.md.
use std::collections::HashSet;
use std::sync::Arc;

/// Names that are kept. There are as many models as a user has; a host that makes up a name for every message gets
/// names that are not shared.
const MOST: usize = 256;

#[derive(Default)]
pub struct Names {
    on: bool,
    known: HashSet<Arc<str>>,
    /// Names that were there already, and those that were not.
    pub hits: u64,
    pub misses: u64,
}

impl Names {
    /// Those that are off keep none, and count nothing.
    pub fn new(on: bool) -> Self {
        Self { on, ..Self::default() }
    }

    pub fn share(&mut self, name: &str) -> Arc<str> {
        if !self.on {
            return name.into();
        }
        if let Some(known) = self.known.get(name) {
            self.hits += 1;
            return known.clone();
        }
        self.misses += 1;
        if self.known.len() >= MOST {
            // Those that nobody else has any more.
            self.known.retain(|name| Arc::strong_count(name) > 1);
        }
        let name: Arc<str> = name.into();
        if self.known.len() < MOST {
            self.known.insert(name.clone());
        }
        name
    }

    pub fn kept(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let mut names = Names::new(true);
        let (one, two, other) = (names.share("a/x"), names.share("a/x"), names.share("a/y"));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        assert_eq!((names.hits, names.misses, names.kept()), (1, 2, 2));
        let mut off = Names::new(false);
        assert_eq!(
            (&*off.share("a/x"), &*off.share("a/x"), off.hits + off.misses, off.kept()),
            ("a/x", "a/x", 0, 0)
        );
    }

    #[test]
    fn what_nobody_has_any_more_makes_room_and_what_finds_none_is_not_kept() {
        let mut names = Names::new(true);
        let held: Vec<_> = (0..MOST - 1).map(|n| names.share(&n.to_string())).collect();
        for n in 0..10_000 {
            names.share(&format!("made up {n}"));
            assert!(names.kept() <= MOST);
        }
        assert!(held.iter().enumerate().all(|(n, name)| Arc::ptr_eq(name, &names.share(&n.to_string()))));
        let last: Vec<_> = (0..3).map(|n| names.share(&format!("held {n}"))).collect();
        assert_eq!((names.kept(), &*last[2]), (MOST, "held 2"), "one found room, two are as good without");
    }
}
