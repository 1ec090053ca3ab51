//! Questions about the code of a project: text, files, structure, diagnostics.
//!
//! All lines and columns count from 1, columns in characters. Paths are relative to the root with `/` between their parts.
//! Every answer is bounded, says so when it was cut, and can be gone on with.
use super::Fut;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which files are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The project, absolute.
    pub root: PathBuf,
    /// A file or folder of it, as `confine` gives it; `.` for all of it.
    pub path: String,
    /// Globs as ripgrep's `--glob` takes them: with one that is not negated, only what fits; `!` leaves out.
    pub globs: Vec<String>,
    /// Names of file types as ripgrep knows them, such as `rust` or `ts`.
    pub types: Vec<String>,
    /// Also names that begin with a dot; the folder `.git` never.
    pub hidden: bool,
    /// Also what `.gitignore`, `.ignore` and their like leave out.
    pub ignored: bool,
}

impl Scope {
    pub fn all(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            path: ".".into(),
            globs: Vec::new(),
            types: Vec::new(),
            hidden: false,
            ignored: false,
        }
    }
}

/// How much of the answer is wanted, and from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Hits at most, at least 1.
    pub limit: usize,
    /// Bytes of text at most; the first hit is given in any case.
    pub bytes: usize,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Page {
    pub fn first(limit: usize) -> Self {
        Self { limit, bytes: usize::MAX, cursor: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Case {
    #[default]
    Sensitive,
    Insensitive,
    /// Insensitive as long as no pattern has an upper-case letter.
    Smart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextQuery {
    pub scope: Scope,
    /// What fits any of them is a hit.
    pub patterns: Vec<String>,
    /// The patterns are words to be found as they stand, no regular expressions.
    pub literal: bool,
    pub case: Case,
    pub word: bool,
    /// A hit may go over the end of a line.
    pub multiline: bool,
    pub before: usize,
    pub after: usize,
    /// A label of the WHATWG encoding standard. Without one, UTF-16 is known by its byte order mark and all else is taken as bytes.
    pub encoding: Option<String>,
    /// Files with NUL bytes are searched to their end like text.
    pub binary: bool,
    /// Longest line of an answer, in characters.
    pub line_chars: usize,
    pub page: Page,
}

impl TextQuery {
    pub fn new(scope: Scope, pattern: impl Into<String>) -> Self {
        Self {
            scope,
            patterns: vec![pattern.into()],
            literal: false,
            case: Case::Sensitive,
            word: false,
            multiline: false,
            before: 0,
            after: 0,
            encoding: None,
            binary: false,
            line_chars: 300,
            page: Page::first(200),
        }
    }
}

/// A line of a file, or the lines that one hit of a multi-line search covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: u64,
    /// Without the end of the line; cut in the middle of the file's line where that is longer than asked for.
    pub text: String,
    /// Hits in it as columns, first and one past the last, of the whole line; none in a line of context.
    pub spans: Vec<(usize, usize)>,
    pub context: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLines {
    pub path: String,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileQuery {
    pub scope: Scope,
    /// By time of change, the newest first; else by path.
    pub newest: bool,
    pub page: Page,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeQuery {
    pub scope: Scope,
    /// Code with `$NAME` for one node and `$$$NAME` for any number of them.
    pub pattern: String,
    /// One of `languages`.
    pub language: String,
    /// What each hit becomes.
    pub rewrite: Option<String>,
    pub page: Page,
}

/// A node of a syntax tree that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub path: String,
    /// Line and column of its first character, and of the one after its last.
    pub start: (usize, usize),
    pub end: (usize, usize),
    pub text: String,
    /// What the rewrite makes of it.
    pub replacement: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exactly(u64),
    AtLeast(u64),
}

/// One page of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub items: Vec<T>,
    /// Hits in all, those of other pages included.
    pub total: Count,
    /// Cursor of the next page; none when this is the last.
    pub next: Option<String>,
    /// What the asker should know of files that were not read like the others.
    pub remarks: Vec<String>,
}

/// A file as a rewrite makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    pub before: String,
    pub after: String,
    pub hits: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The question cannot be answered as it stands; says what to write instead.
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Failed(String),
    #[error("the search was cancelled")]
    Cancelled,
}

/// Pulled by the asker when the answer is no longer wanted.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn pull(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn pulled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Searches of a tree. Read from disk at each call, in order of the paths; nothing is kept between calls.
pub trait Search: Send + Sync {
    fn text(&self, query: TextQuery, stop: Stop) -> Fut<'_, Result<Found<FileLines>, CodeError>>;
    fn files(&self, query: FileQuery, stop: Stop) -> Fut<'_, Result<Found<String>, CodeError>>;
    fn code(&self, query: CodeQuery, stop: Stop) -> Fut<'_, Result<Found<Node>, CodeError>>;
    /// All files that the rewrite of a query changes, as they are and as they would be; changes nothing. Refused above
    /// `page.limit` files.
    fn rewrite(&self, query: CodeQuery, stop: Stop) -> Fut<'_, Result<Found<Change>, CodeError>>;
    /// Writes what `rewrite` gave, each file whole, unless any of them has changed since: then none is written.
    fn apply(&self, root: PathBuf, changes: Vec<Change>) -> Fut<'_, Result<(), CodeError>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Information,
    Hint,
}

/// What a language server says of a place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub severity: Severity,
    pub code: Option<String>,
    /// The tool that says it, such as `typescript` or `Pyright`.
    pub source: Option<String>,
    pub message: String,
}

/// Files that nobody has looked at. They are not clean: nothing is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    pub paths: Vec<String>,
    /// What to do about it.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Diagnosed {
    /// Files that a server has looked at.
    pub checked: Vec<String>,
    pub found: Vec<Diagnostic>,
    /// New errors that come from what is not installed on this machine; of no fault in the files. They are not in `found`.
    pub missing: Vec<Diagnostic>,
    pub unchecked: Vec<Unchecked>,
}

/// Language servers, kept warm for each project.
pub trait Diagnostics: Send + Sync {
    /// What the servers say of the files as they are on disk; of a folder, of all its files that have a server. Files of no
    /// language with a server are left out of the answer.
    fn of(&self, root: PathBuf, paths: Vec<String>) -> Fut<'_, Result<Diagnosed, CodeError>>;
    /// Errors of the files as they are on disk that were not there when the files were as `before` gives them (none for a
    /// file that did not exist). Files that are gone belong to the change as well.
    fn new_errors(
        &self,
        root: PathBuf,
        before: Vec<(String, Option<String>)>,
    ) -> Fut<'_, Result<Diagnosed, CodeError>>;
}

/// The first `chars` characters of a text, with a mark where it was cut.
pub fn clipped(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
