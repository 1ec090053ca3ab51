//! Answers of the code tools: as JSON for programs, as text for models and people.
//!
//! Lines and columns count from 1, columns in characters. `truncated` says that there is more than was given, `cursor` how
//! to go on; `hits` is the number in all when `exact`, else a number that there are at least.
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Write;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extent {
    pub hits: u64,
    pub exact: bool,
    pub truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Files that were not read like the others, and why.
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TextAnswer {
    pub files: Vec<FileLines>,
    #[serde(flatten)]
    pub extent: Extent,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileLines {
    pub path: String,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    pub line: u64,
    pub text: String,
    /// First column of each hit and one past its last.
    pub spans: Vec<(usize, usize)>,
    /// No hit itself, but beside one.
    pub context: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesAnswer {
    pub files: Vec<String>,
    #[serde(flatten)]
    pub extent: Extent,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeAnswer {
    pub nodes: Vec<Node>,
    #[serde(flatten)]
    pub extent: Extent,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    pub path: String,
    /// Line and column of its first character, and of the one after its last.
    pub start: (usize, usize),
    pub end: (usize, usize),
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteAnswer {
    pub files: Vec<Rewritten>,
    /// Whether the files were written.
    pub applied: bool,
    pub diff: String,
    pub truncated: bool,
    /// Files that were left out, and why.
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rewritten {
    pub path: String,
    pub hits: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticsAnswer {
    pub checked: Vec<String>,
    /// In all, those of other pages included.
    pub errors: u64,
    pub warnings: u64,
    pub hits: u64,
    pub found: Vec<Diagnostic>,
    pub truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    pub unchecked: Vec<Unchecked>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostic {
    pub path: String,
    pub line: usize,
    pub column: usize,
    /// error, warning, information or hint
    pub severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unchecked {
    pub paths: Vec<String>,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffAnswer {
    /// The first of them by name.
    pub changed: Vec<String>,
    /// How many there are.
    pub total: usize,
    /// Of the names or of the diff not all is here; `paths` asks for less.
    pub truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// An answer in its two forms.
pub trait Answer: Serialize {
    /// A few words for a heading.
    fn title(&self) -> String;
    /// Every line ends with a line end.
    fn text(&self) -> String;
    /// What a program beside the model may want to know, without the content.
    fn metadata(&self) -> Map<String, Value> {
        Map::new()
    }
}

pub fn plural(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

impl Extent {
    fn metadata(&self) -> Map<String, Value> {
        let mut metadata = Map::new();
        metadata.insert("hits".into(), self.hits.into());
        metadata.insert("exact".into(), self.exact.into());
        metadata.insert("truncated".into(), self.truncated.into());
        metadata.extend(self.cursor.iter().map(|cursor| ("cursor".to_owned(), cursor.as_str().into())));
        metadata
    }

    fn title(&self, one: &str) -> String {
        let least = if self.exact { "" } else { "at least " };
        format!("{least}{}", plural(self.hits, one))
    }

    /// What stands below the hits.
    fn end(&self, shown: usize, one: &str) -> String {
        let mut end = match &self.cursor {
            Some(cursor) => format!(
                "{}, {shown} shown; narrow the search, or go on with cursor {cursor:?}.\n",
                self.title(one)
            ),
            None => format!("{}.\n", self.title(one)),
        };
        for remark in &self.remarks {
            let _ = writeln!(end, "Note: {remark}.");
        }
        end
    }
}

impl Answer for TextAnswer {
    fn metadata(&self) -> Map<String, Value> {
        self.extent.metadata()
    }

    fn title(&self) -> String {
        self.extent.title("hit")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut shown = 0;
        for file in &self.files {
            let _ = writeln!(text, "{}", file.path);
            let mut last = None;
            for line in &file.lines {
                let gap = last.is_some_and(|last| line.line > last + 1) && has_context(file);
                last = Some(line.line + line.text.matches('\n').count() as u64);
                if gap {
                    text.push_str("  --\n");
                }
                shown += usize::from(!line.context);
                let mark = if line.context { '-' } else { ':' };
                for (at, part) in line.text.split('\n').enumerate() {
                    let _ =
                        writeln!(text, "  {}{mark} {}", line.line + at as u64, part.trim_end_matches('\r'));
                }
            }
        }
        text + &self.extent.end(shown, "hit")
    }
}

fn has_context(file: &FileLines) -> bool {
    file.lines.iter().any(|line| line.context)
}

impl Answer for FilesAnswer {
    fn metadata(&self) -> Map<String, Value> {
        self.extent.metadata()
    }

    fn title(&self) -> String {
        self.extent.title("file")
    }

    fn text(&self) -> String {
        let mut text: String = self.files.iter().map(|path| format!("{path}\n")).collect();
        text.push_str(&self.extent.end(self.files.len(), "file"));
        text
    }
}

impl Answer for CodeAnswer {
    fn metadata(&self) -> Map<String, Value> {
        self.extent.metadata()
    }

    fn title(&self) -> String {
        self.extent.title("hit")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut file = "";
        for node in &self.nodes {
            if node.path != file {
                file = &node.path;
                let _ = writeln!(text, "{file}");
            }
            let mut lines = node.text.lines();
            let _ =
                writeln!(text, "  {}:{}: {}", node.start.0, node.start.1, lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(text, "      {line}");
            }
        }
        text + &self.extent.end(self.nodes.len(), "hit")
    }
}

impl Answer for RewriteAnswer {
    fn metadata(&self) -> Map<String, Value> {
        let both = [("applied", self.applied), ("truncated", self.truncated)];
        both.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    fn title(&self) -> String {
        let hits: usize = self.files.iter().map(|file| file.hits).sum();
        let files = plural(self.files.len() as u64, "file");
        let would = if self.applied { "changed" } else { "would change" };
        format!("{would} {} in {files}", plural(hits as u64, "place"))
    }

    fn text(&self) -> String {
        let notes: String = self.remarks.iter().map(|remark| format!("Note: {remark}.\n")).collect();
        if self.files.is_empty() {
            return format!("Nothing fits the pattern, so nothing changes.\n{notes}");
        }
        let how = match (self.applied, self.truncated) {
            (true, _) => "The files are written.",
            (false, false) => "Nothing is written; set `apply` to write it.",
            (false, true) => "Nothing is written; set `apply` to write all of it, also what is not shown.",
        };
        let title = self.title();
        let (first, rest) = title.split_at(1);
        let heading = format!("{}{rest}. {how}\n{notes}", first.to_uppercase());
        if self.applied { heading + &names(&self.files) } else { heading + &self.diff }
    }
}

fn names(files: &[Rewritten]) -> String {
    files.iter().map(|file| format!("{}: {}\n", file.path, plural(file.hits as u64, "place"))).collect()
}

impl Answer for DiagnosticsAnswer {
    fn metadata(&self) -> Map<String, Value> {
        let mut metadata = Map::new();
        metadata.insert("hits".into(), self.hits.into());
        metadata.insert("truncated".into(), self.truncated.into());
        metadata.extend(self.cursor.iter().map(|cursor| ("cursor".to_owned(), cursor.as_str().into())));
        metadata
    }

    fn title(&self) -> String {
        let mut parts = vec![plural(self.errors, "error"), plural(self.warnings, "warning")];
        let unchecked: usize = self.unchecked.iter().map(|u| u.paths.len()).sum();
        if unchecked > 0 {
            parts.push(format!("{} not checked", plural(unchecked as u64, "file")));
        }
        parts.join(", ")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for d in &self.found {
            let source = d.source.as_deref().unwrap_or_default();
            let code = d.code.as_deref().unwrap_or_default();
            let by = format!("{source} {code}");
            let by = if by.trim().is_empty() { String::new() } else { format!(" [{}]", by.trim()) };
            let _ = writeln!(text, "{}:{}:{}: {}{by}: {}", d.path, d.line, d.column, d.severity, d.message);
        }
        if let Some(cursor) = &self.cursor {
            let (all, shown) = (plural(self.hits, "message"), self.found.len());
            let _ = writeln!(
                text,
                "{all}, {shown} shown; mend these first, or go on with `cursor` {cursor:?}: the rest was cut."
            );
        }
        let _ = match self.checked.len() {
            0 => writeln!(text, "No file was checked."),
            n if self.hits == 0 => {
                writeln!(text, "{} checked, nothing found.", plural(n as u64, "file"))
            }
            n => writeln!(text, "{} checked.", plural(n as u64, "file")),
        };
        for unchecked in &self.unchecked {
            let shown: Vec<_> = unchecked.paths.iter().take(5).map(String::as_str).collect();
            let dots = if unchecked.paths.len() > shown.len() { ", …" } else { "" };
            let _ = writeln!(
                text,
                "NOT CHECKED: {}{dots}: {}.",
                shown.join(", "),
                unchecked.reason.trim_end_matches('.')
            );
        }
        text
    }
}

impl Answer for DiffAnswer {
    fn title(&self) -> String {
        format!("{} changed", plural(self.total as u64, "file"))
    }

    fn metadata(&self) -> Map<String, Value> {
        [("truncated".to_owned(), self.truncated.into())].into_iter().collect()
    }

    fn text(&self) -> String {
        let mut names: String = self.changed.iter().map(|path| format!("{path}\n")).collect();
        if self.total > self.changed.len() {
            let _ = writeln!(
                names,
                "{} of {} shown; ask for the others in `paths`.",
                self.changed.len(),
                self.total
            );
        }
        match &self.diff {
            Some(diff) => format!("{}\n", diff.trim_end()),
            None if names.is_empty() => "(nothing was changed)\n".into(),
            None => names,
        }
    }
}
