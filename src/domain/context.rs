//! Notes that agents leave for each other under names: versioned, bounded, with their history.
use super::ids::Millis;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// Longest name and longest text, in bytes.
pub const MAX_KEY: usize = 120;
pub const MAX_VALUE: usize = 4_000;
/// Names in one context.
pub const MAX_KEYS: usize = 200;
/// Changes that are remembered.
pub const HISTORY: usize = 100;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub value: String,
    /// From 1, one more with each change of this note.
    pub version: u64,
    pub at: Millis,
    pub by: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub key: String,
    pub old: Option<String>,
    pub new: Option<String>,
    pub at: Millis,
    pub by: String,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Context {
    notes: BTreeMap<String, Note>,
    /// Newest last.
    history: VecDeque<Change>,
    /// Versions of notes that were taken away: a name that comes again goes on counting.
    gone: BTreeMap<String, u64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    Key,
    Value {
        bytes: usize,
    },
    Full,
    /// Somebody else has changed it since it was read.
    Version {
        expected: u64,
        actual: u64,
        value: Option<String>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Key => write!(
                f,
                "the key must be words of letters, digits, - and _ with dots between, {MAX_KEY} bytes at most, as in api.errors"
            ),
            Fault::Value { bytes } => write!(
                f,
                "the value is {bytes} bytes long, at most {MAX_VALUE} are taken: say it shorter, or name the file it is in"
            ),
            Fault::Full => {
                write!(f, "there are {MAX_KEYS} notes already: change one of them, or take one away")
            }
            Fault::Version { expected, actual, value } => {
                write!(
                    f,
                    "it is at version {actual} by now, not {expected}; it says: {}",
                    value.as_deref().unwrap_or("(nothing)")
                )
            }
        }
    }
}

impl Context {
    /// Whether a note may be written; `expected` is the version it was read at, 0 where there was none.
    pub fn check(&self, key: &str, value: Option<&str>, expected: Option<u64>) -> Result<(), Fault> {
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if key.len() > MAX_KEY || !key.split('.').all(word) {
            return Err(Fault::Key);
        }
        if let Some(bytes) = value.map(str::len).filter(|bytes| *bytes > MAX_VALUE) {
            return Err(Fault::Value { bytes });
        }
        let note = self.notes.get(key);
        let actual = note.map_or(0, |n| n.version);
        if let Some(expected) = expected.filter(|e| *e != actual) {
            return Err(Fault::Version { expected, actual, value: note.map(|n| n.value.clone()) });
        }
        let full = value.is_some() && note.is_none() && self.notes.len() >= MAX_KEYS;
        if full { Err(Fault::Full) } else { Ok(()) }
    }

    /// Writes a note, or takes it away; answers with its new version, 0 for one that is gone.
    pub fn put(&mut self, key: &str, value: Option<String>, at: Millis, by: &str) -> u64 {
        let old = self.notes.remove(key);
        let counted = old.as_ref().map(|n| n.version).or_else(|| self.gone.remove(key)).unwrap_or(0);
        let version = counted + 1;
        let change = Change {
            key: key.to_owned(),
            old: old.map(|n| n.value),
            new: value.clone(),
            at,
            by: by.to_owned(),
        };
        self.history.push_back(change);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        match value {
            Some(value) => {
                self.notes.insert(key.to_owned(), Note { value, version, at, by: by.to_owned() });
                version
            }
            None => {
                if self.gone.len() < MAX_KEYS {
                    self.gone.insert(key.to_owned(), version);
                }
                0
            }
        }
    }

    /// The note of that name and those below it; all without a name.
    pub fn below<'a>(&'a self, key: Option<&'a str>) -> impl Iterator<Item = (&'a str, &'a Note)> {
        let wanted = move |name: &str| {
            key.is_none_or(|key| {
                name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        self.notes.iter().filter(move |(name, _)| wanted(name)).map(|(name, note)| (name.as_str(), note))
    }

    /// Oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.history.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(
        context: &mut Context,
        key: &str,
        value: Option<&str>,
        expected: Option<u64>,
    ) -> Result<u64, String> {
        context.check(key, value, expected).map_err(|f| f.to_string())?;
        Ok(context.put(key, value.map(String::from), Millis(1), "a1"))
    }

    #[test]
    fn notes_have_versions_and_conflicts() {
        let mut c = Context::default();
        assert_eq!(put(&mut c, "api.errors", Some("one"), Some(0)), Ok(1));
        assert_eq!(put(&mut c, "api.errors", Some("two"), Some(1)), Ok(2));
        let late = put(&mut c, "api.errors", Some("three"), Some(1)).unwrap_err();
        assert_eq!(late, "it is at version 2 by now, not 1; it says: two");
        assert_eq!(put(&mut c, "api", Some("above"), None), Ok(1));
        assert_eq!(put(&mut c, "apiary", Some("beside"), None), Ok(1));
        let names = |key| c.below(key).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(Some("api")), ["api", "api.errors"]);
        assert_eq!(names(None), ["api", "api.errors", "apiary"]);
        assert_eq!(put(&mut c, "api", None, None), Ok(0));
        assert_eq!(put(&mut c, "api", Some("again"), Some(0)), Ok(3), "no version is used twice");
        let last = c.history().next_back().expect("a change");
        assert_eq!(
            (last.key.as_str(), last.old.as_deref(), last.new.as_deref()),
            ("api", None, Some("again"))
        );
    }

    #[test]
    fn everything_is_bounded() {
        let mut c = Context::default();
        for key in ["", ".", "a..b", "a b", "a/b", &"x".repeat(MAX_KEY + 1)] {
            assert_eq!(c.check(key, Some("x"), None), Err(Fault::Key), "{key}");
        }
        let long = "x".repeat(MAX_VALUE + 1);
        assert_eq!(c.check("a", Some(&long), None), Err(Fault::Value { bytes: MAX_VALUE + 1 }));
        for n in 0..MAX_KEYS {
            put(&mut c, &format!("k{n}"), Some("x"), None).expect("room");
        }
        assert_eq!(c.check("more", Some("x"), None), Err(Fault::Full));
        assert_eq!(put(&mut c, "k0", Some("y"), None), Ok(2), "what is there may change");
        assert_eq!(c.history().count(), HISTORY);
    }
}
