//! Where a page ended, as a text: `hits before : hits taken of the file : path of the file`.
use crate::ports::code::CodeError;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    /// Hits of all pages so far.
    pub before: u64,
    /// Of these, hits in `path`.
    pub taken: usize,
    /// Files before it are done with.
    pub path: PathBuf,
}

impl Cursor {
    pub fn read(text: Option<&str>) -> Result<Self, CodeError> {
        let Some(text) = text else { return Ok(Self::default()) };
        let mut parts = text.splitn(3, ':');
        let read = (|| {
            let before = parts.next()?.parse().ok()?;
            let taken = parts.next()?.parse().ok()?;
            Some(Self { before, taken, path: unescaped(parts.next()?)? })
        })();
        read.ok_or_else(|| {
            CodeError::Invalid(format!("{text:?} is no cursor: give the one of the answer before, or none"))
        })
    }

    pub fn write(&self) -> String {
        format!("{}:{}:{}", self.before, self.taken, escaped(&self.path))
    }

    /// Hits of a file that earlier pages have given; none when the file is done with.
    pub fn taken_of(&self, path: &Path) -> Option<usize> {
        match path.cmp(&self.path) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(self.taken),
            std::cmp::Ordering::Greater => Some(0),
        }
    }
}

/// A path may be of any bytes; a cursor is text. What is no text stands as `%FF`, and `%` as `%25`.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}

fn unescaped(text: &str) -> Option<PathBuf> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    path_of(bytes)
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

/// Where paths are not bytes, one that is no text cannot be gone on from.
#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[cfg(unix)]
    proptest! {
        #[test]
        fn every_path_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40), before: u64, taken: usize) {
            let path = path_of(bytes).unwrap();
            let cursor = Cursor { before, taken, path };
            prop_assert_eq!(Cursor::read(Some(&cursor.write())), Ok(cursor));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (before, taken, path) in
            [(0, 0, ""), (5, 2, "src/a b.rs"), (u64::MAX, 1, "a:b:c"), (1, 1, "100%.rs")]
        {
            let cursor = Cursor { before, taken, path: path.into() };
            assert_eq!(Cursor::read(Some(&cursor.write())), Ok(cursor));
        }
        for text in ["", "x", "1:2", "1:x:a", "-1:0:a", ":::", "1:1:%", "1:1:%zz", "1:1:%é"] {
            assert!(Cursor::read(Some(text)).is_err(), "{text}");
        }
        assert_eq!(Cursor::read(None), Ok(Cursor::default()));
    }

    #[test]
    fn files_before_the_cursor_are_done_with() {
        let cursor = Cursor { before: 9, taken: 3, path: "src/b.rs".into() };
        for (path, taken) in [
            ("a.rs", None),
            ("src/a.rs", None),
            ("src/b.rs", Some(3)),
            ("src/b.rs/x", Some(0)),
            ("t", Some(0)),
        ] {
            assert_eq!(cursor.taken_of(Path::new(path)), taken, "{path}");
        }
    }
}
