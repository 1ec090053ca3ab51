//! Which files a call looks at, and how the server is to see them: before a change, and now.
use super::known::Language;
use crate::ports::code::{Diagnostic, Severity, Unchecked};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Files of one call, of all languages.
pub(super) const FILES: usize = 2_000;
/// Longest file, in bytes. Servers need many times that.
const LONGEST: u64 = 4 << 20;
/// All texts of one call, in bytes.
const TEXTS: usize = 64 << 20;

/// A file to be looked at.
pub(super) struct Wanted {
    pub path: String,
    /// Its text before the change that is asked about; none when only the present state is.
    pub before: Option<Option<String>>,
}

/// A file as the server is to see it.
#[derive(Clone)]
pub(super) struct File {
    pub path: String,
    /// None: it is not there.
    pub text: Option<String>,
    /// It is looked at; else it is only there to be seen by the others.
    pub asked: bool,
}

#[derive(Default)]
pub(super) struct Rounds {
    /// The state before, where it was asked for, and the present one.
    pub rounds: Vec<Vec<File>>,
    /// What is looked at.
    pub paths: Vec<String>,
    pub unchecked: Vec<Unchecked>,
}

/// The text of a file, or why it is shown to no server.
pub(super) fn text(file: &Path) -> io::Result<Result<String, String>> {
    let about = std::fs::metadata(file)?;
    if !about.is_file() {
        // Reading a pipe would never end.
        return Ok(Err("it is no file".into()));
    }
    if about.len() > LONGEST {
        return Ok(Err(format!("a file of more than {} MB is shown to no language server", LONGEST >> 20)));
    }
    Ok(Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned()))
}

/// Every file of the change is in both rounds: one that is gone now was there before, and one that is new was not, or errors
/// that come from its coming or going would be seen in both.
pub(super) fn rounds(root: &Path, language: Language, files: Vec<Wanted>) -> Rounds {
    let (mut now, mut before, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    let mut unchecked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut bytes = 0;
    for Wanted { path, before: old } in files {
        let file = root.join(&path);
        if old.is_some() && file.is_symlink() {
            // What it leads to is looked at where it is.
            continue;
        }
        let shown = |text: Option<String>, asked| File { path: path.clone(), text, asked };
        let read = match bytes > TEXTS {
            true => Ok(Err(format!("a call looks at {} MB of text: ask for fewer files", TEXTS >> 20))),
            false => text(&file),
        };
        match read {
            Ok(Ok(text)) => {
                bytes += text.len();
                match old {
                    Some(Some(old)) => before.push(shown(Some(old), true)),
                    Some(None) => {
                        before.extend(language.without_content(&text).map(|text| shown(Some(text), false)));
                    }
                    None => {}
                }
                now.push(shown(Some(text), true));
                paths.push(path);
            }
            Ok(Err(reason)) => unchecked.entry(reason).or_default().push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound && old.is_some() => {
                let old = old.flatten();
                bytes += old.as_ref().map_or(0, String::len);
                before.push(shown(old, false));
                now.push(shown(None, false));
            }
            Err(error) => unchecked.entry(format!("cannot be read: {error}")).or_default().push(path),
        }
    }
    let rounds = if before.is_empty() { vec![now] } else { vec![before, now] };
    let unchecked = unchecked.into_iter().map(|(reason, paths)| Unchecked { paths, reason }).collect();
    Rounds { rounds, paths, unchecked }
}

/// Files, and in place of folders those files in them that have a server; ignored ones are left out.
pub(super) fn expanded(root: &Path, paths: Vec<String>) -> (Vec<Wanted>, Vec<Unchecked>) {
    let (mut files, mut unchecked, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut add = |path: String| {
        if seen.insert(path.clone()) {
            files.push(Wanted { path, before: None });
        }
    };
    for path in paths {
        let folder = root.join(&path);
        if !folder.is_dir() {
            add(path);
            continue;
        }
        let walk = ignore::WalkBuilder::new(&folder).require_git(false).sort_by_file_name(Ord::cmp).build();
        let inside = walk
            .flatten()
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
            .filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_string_lossy().into_owned()))
            .filter(|file| Language::of(file).is_some());
        let mut inside = inside.take(FILES + 1).peekable();
        if inside.peek().is_none() {
            let reason = "no file in it has a language server".into();
            unchecked.push(Unchecked { paths: vec![path], reason });
        } else {
            inside.for_each(&mut add);
        }
    }
    (files, unchecked)
}

/// What is beyond the bounds of one call.
pub(super) fn surplus(files: &mut Vec<Wanted>) -> Option<Unchecked> {
    let beyond = files.split_off(files.len().min(FILES));
    let paths: Vec<_> = beyond.into_iter().map(|file| file.path).collect();
    let reason = format!("a call looks at {FILES} files: ask for the others by name");
    (!paths.is_empty()).then_some(Unchecked { paths, reason })
}

/// Errors of `now` beyond those of `before`. Lines move when a file is changed, so an error is known by what it says.
pub(super) fn added(before: &[Diagnostic], now: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let same = |d: &Diagnostic| (d.path.clone(), d.code.clone(), d.message.clone());
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for error in before.iter().filter(|d| d.severity == Severity::Error) {
        *known.entry(same(error)).or_default() += 1;
    }
    let mut is_new = |error: &Diagnostic| match known.get_mut(&same(error)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    };
    now.into_iter().filter(|d| d.severity == Severity::Error).filter(|error| is_new(error)).collect()
}
