//! Names of files as the protocol writes them, and which files a project has on disk.
use super::known::Language;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// What two ways of writing the same name have in common.
pub(super) fn plain(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (byte, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    // The numbers are the protocol's.
    Created = 1,
    Changed = 2,
    Deleted = 3,
}

/// Files of a language and of its projects' settings, with what tells whether they are the same as before.
#[derive(Default, Debug)]
pub(super) struct Snapshot(BTreeMap<String, (Option<SystemTime>, u64)>);

const SETTINGS: &[&str] = &[
    "tsconfig.json",
    "jsconfig.json",
    "package.json",
    "pyproject.toml",
    "pyrightconfig.json",
    "setup.cfg",
    "go.mod",
    "go.work",
    "Cargo.toml",
];

impl Snapshot {
    /// Reads no file's content. Ignored files are left out, as they are for the servers.
    pub(super) fn take(root: &Path, language: Language) -> Self {
        let mut files = BTreeMap::new();
        let walk = ignore::WalkBuilder::new(root).require_git(false).build();
        for entry in walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file())) {
            let name = entry.file_name().to_string_lossy();
            if Language::of(&name) != Some(language) && !SETTINGS.contains(&name.as_ref()) {
                continue;
            }
            let (Ok(path), Ok(about)) = (entry.path().strip_prefix(root), entry.metadata()) else { continue };
            files.insert(path.to_string_lossy().into_owned(), (about.modified().ok(), about.len()));
        }
        Self(files)
    }

    /// What has become of the files of `self` in `now`.
    pub(super) fn changes(&self, now: &Self) -> Vec<(String, Change)> {
        let gone = self
            .0
            .keys()
            .filter(|path| !now.0.contains_key(*path))
            .map(|path| (path.clone(), Change::Deleted));
        let come = now.0.iter().filter_map(|(path, about)| match self.0.get(path) {
            None => Some((path.clone(), Change::Created)),
            Some(before) if before != about => Some((path.clone(), Change::Changed)),
            Some(_) => None,
        });
        gone.chain(come).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::file_url::file_url;
    use std::fs;

    #[test]
    fn names_that_mean_the_same_are_the_same() {
        let name = "/home/ann/späße/a b@c+#.ts";
        let uri = file_url(Path::new(name));
        assert_eq!(uri, "file:///home/ann/sp%C3%A4%C3%9Fe/a%20b%40c%2B%23.ts");
        assert_eq!(plain(&uri), format!("file://{name}"));
        assert_eq!(plain("file:///a%20b@c"), plain("file:///a%20b%40c"));
        assert_eq!(plain("100%"), "100%");
        assert_eq!(plain("%zz%4"), "%zz%4");
    }

    #[test]
    fn changes_on_disk_are_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        write("a.ts", "1");
        write("b.ts", "1");
        write("c.py", "1");
        write(".gitignore", "out.ts\n");
        write("out.ts", "1");
        let before = Snapshot::take(folder.path(), Language::TypeScript);
        write("a.ts", "12");
        fs::remove_file(folder.path().join("b.ts")).expect("a removal");
        write("c.py", "12");
        write("out.ts", "12");
        write("tsconfig.json", "{}");
        let now = Snapshot::take(folder.path(), Language::TypeScript);
        let changes = before.changes(&now);
        let expected =
            [("b.ts", Change::Deleted), ("a.ts", Change::Changed), ("tsconfig.json", Change::Created)];
        assert_eq!(changes, expected.map(|(path, change)| (path.to_owned(), change)));
        assert_eq!(now.changes(&now), []);
    }
}
