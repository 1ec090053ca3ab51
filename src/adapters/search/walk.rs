//! Which files a scope means, by ripgrep's rules.
use crate::ports::code::{CodeError, Scope};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};
use ignore::{DirEntry, WalkBuilder};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A walk over the files of `scope`, set up but not begun. `types` stand in for those of the scope.
pub(super) fn walk(scope: &Scope, types: Option<Types>) -> Result<WalkBuilder, CodeError> {
    let start = start(scope);
    if !start.exists() {
        return Err(CodeError::Invalid(format!(
            "there is no {}: name a file or folder of the project",
            scope.path
        )));
    }
    let mut walk = WalkBuilder::new(start);
    let types = match types {
        Some(types) => types,
        None => named_types(&scope.types)?,
    };
    walk.hidden(!scope.hidden)
        .ignore(!scope.ignored)
        .parents(!scope.ignored)
        .git_ignore(!scope.ignored)
        .git_global(!scope.ignored)
        .git_exclude(!scope.ignored)
        .require_git(true)
        .follow_links(false)
        .overrides(globs(scope)?)
        .types(types)
        .threads(threads());
    if !scope.ignored {
        walk.add_custom_ignore_filename(".rgignore");
    }
    walk.filter_entry(|entry| !is_repository(entry));
    Ok(walk)
}

/// The scope's path as the walk starts from it, without a needless `.` that would stand in every path.
fn start(scope: &Scope) -> PathBuf {
    if scope.path == "." { scope.root.clone() } else { scope.root.join(&scope.path) }
}

/// As many as ripgrep takes.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(12)
}

fn globs(scope: &Scope) -> Result<Override, CodeError> {
    let mut builder = OverrideBuilder::new(&scope.root);
    // A glob that is not negated brings back what is ignored or hidden; one that fits everything would bring back all of it,
    // and is meant as none.
    let everything = |glob: &&String| ["*", "**", "**/*", "./**", "./**/*"].contains(&glob.as_str());
    for glob in scope.globs.iter().filter(|glob| !everything(glob)) {
        builder.add(glob).map_err(|e| CodeError::Invalid(format!("glob {glob:?}: {e}")))?;
    }
    builder.build().map_err(|e| CodeError::Invalid(format!("globs: {e}")))
}

fn named_types(names: &[String]) -> Result<Types, CodeError> {
    let mut builder = TypesBuilder::new();
    builder.add_defaults();
    for name in names {
        builder.select(name);
    }
    builder
        .build()
        .map_err(|e| CodeError::Invalid(format!("{e}; types are named as in ripgrep: rust, ts, py, go, …")))
}

/// A repository's own files are no part of the project's text.
pub(super) fn is_repository(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name() == OsStr::new(".git")
}

/// What a walk could not read: how much, and the first reason.
#[derive(Default)]
pub(super) struct Unread {
    count: u64,
    first: Option<String>,
}

impl Unread {
    pub(super) fn add(&mut self, error: &ignore::Error) {
        self.count += 1;
        self.first.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn remark(&self) -> Option<String> {
        self.first.as_ref().map(|why| format!("{} could not be read, the first: {why}", self.count))
    }
}

pub(super) fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_file())
}

/// Relative to the root; none for what is not below it.
pub(super) fn relative<'a>(scope: &Scope, path: &'a Path) -> Option<&'a Path> {
    path.strip_prefix(&scope.root).ok()
}

/// With `/` between the parts.
pub(super) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { text.into_owned() } else { text.replace('\\', "/") }
}
