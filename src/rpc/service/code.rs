//! The tools for code: arguments to questions, questions to the ports, answers back.
//!
//! Used by the service for models and by the command line for people; who may ask, and what a write needs, is decided by
//! whoever calls.
use crate::ports::code::{
    Case, Change, CodeError, CodeQuery, Count, Diagnosed, Diagnostics, FileQuery, Found, Page, Scope, Search,
    Severity, Stop, TextQuery,
};
use crate::protocol::answers::*;
use crate::protocol::code_tools::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Text of one answer, in bytes; hosts cut what is much longer.
const ANSWER_BYTES: usize = 32 * 1024;
/// Files of one rewrite.
const REWRITE_FILES: usize = 200;
const MOST_CONTEXT: u32 = 20;

/// The project a question is about.
pub struct Project<'a> {
    pub root: PathBuf,
    /// A path somebody wrote, relative to the root; or why it is none of the project.
    pub inside: &'a (dyn Fn(&str) -> Result<String, String> + Send + Sync),
}

#[derive(Clone)]
pub struct CodeTools {
    pub search: Arc<dyn Search>,
    pub diagnostics: Arc<dyn Diagnostics>,
}

impl Project<'_> {
    fn path(&self, written: &str) -> Result<String, CodeError> {
        (self.inside)(written).map_err(CodeError::Invalid)
    }

    fn scope(
        &self,
        path: Option<&str>,
        globs: Vec<String>,
        types: Vec<String>,
        hidden: bool,
        ignored: bool,
    ) -> Result<Scope, CodeError> {
        let path = path.filter(|path| !path.is_empty()).map_or(Ok(".".to_owned()), |path| self.path(path))?;
        let root = self.root.canonicalize().map_err(|e| {
            CodeError::Invalid(format!("{}: {e}: check the path of the project", self.root.display()))
        })?;
        Ok(Scope { root, path, globs, types, hidden, ignored })
    }
}

fn page(limit: Option<u32>, default: u32, most: u32, cursor: Option<String>) -> Result<Page, CodeError> {
    let limit = limit.unwrap_or(default);
    if !(1..=most).contains(&limit) {
        return Err(CodeError::Invalid(format!("limit is {limit}: it must be 1 to {most}")));
    }
    let cursor = cursor.filter(|cursor| !cursor.is_empty());
    Ok(Page { limit: limit as usize, bytes: ANSWER_BYTES, cursor })
}

impl CodeTools {
    pub async fn text(
        &self,
        project: &Project<'_>,
        args: SearchTextArgs,
        stop: Stop,
    ) -> Result<TextAnswer, CodeError> {
        let context = args.context.unwrap_or_default();
        if context > MOST_CONTEXT {
            return Err(CodeError::Invalid(format!("context is {context}: it must be 0 to {MOST_CONTEXT}")));
        }
        let query = TextQuery {
            patterns: args.patterns,
            literal: args.literal,
            case: match args.case {
                None | Some(CaseArg::Sensitive) => Case::Sensitive,
                Some(CaseArg::Insensitive) => Case::Insensitive,
                Some(CaseArg::Smart) => Case::Smart,
            },
            word: args.word,
            multiline: args.multiline,
            before: context as usize,
            after: context as usize,
            encoding: args.encoding.filter(|label| !label.is_empty()),
            binary: args.binary,
            page: page(args.limit, 100, 500, args.cursor)?,
            ..TextQuery::new(
                project.scope(args.path.as_deref(), args.globs, args.types, args.hidden, args.ignored)?,
                "",
            )
        };
        let found = self.search.text(query, stop).await?;
        let (files, extent) = parts(found);
        let files = files.into_iter().map(|file| FileLines {
            path: file.path,
            lines: file
                .lines
                .into_iter()
                .map(|l| Line { line: l.number, text: l.text, spans: l.spans, context: l.context })
                .collect(),
        });
        Ok(TextAnswer { files: files.collect(), extent })
    }

    pub async fn files(
        &self,
        project: &Project<'_>,
        args: SearchFilesArgs,
        stop: Stop,
    ) -> Result<FilesAnswer, CodeError> {
        let query = FileQuery {
            scope: project.scope(args.path.as_deref(), args.globs, args.types, args.hidden, args.ignored)?,
            newest: args.order != Some(OrderArg::Path),
            page: page(args.limit, 200, 1000, args.cursor)?,
        };
        let (files, extent) = parts(self.search.files(query, stop).await?);
        Ok(FilesAnswer { files, extent })
    }

    fn code_query(&self, project: &Project<'_>, args: SearchCodeArgs) -> Result<CodeQuery, CodeError> {
        Ok(CodeQuery {
            scope: project.scope(args.path.as_deref(), args.globs, Vec::new(), args.hidden, args.ignored)?,
            page: page(args.limit, 100, 500, args.cursor)?,
            pattern: args.pattern,
            language: args.language,
            rewrite: args.rewrite,
        })
    }

    pub async fn code(
        &self,
        project: &Project<'_>,
        args: SearchCodeArgs,
        stop: Stop,
    ) -> Result<CodeAnswer, CodeError> {
        let query = self.code_query(project, args)?;
        let (nodes, extent) = parts(self.search.code(query, stop).await?);
        let nodes =
            nodes.into_iter().map(|n| Node { path: n.path, start: n.start, end: n.end, text: n.text });
        Ok(CodeAnswer { nodes: nodes.collect(), extent })
    }

    /// What a rewrite would change; nothing is written.
    pub async fn rewrite(
        &self,
        project: &Project<'_>,
        args: SearchCodeArgs,
        stop: Stop,
    ) -> Result<Found<Change>, CodeError> {
        let mut query = self.code_query(project, args)?;
        query.page = Page::first(REWRITE_FILES);
        self.search.rewrite(query, stop).await
    }

    /// Writes the changes that `preview` shows.
    pub async fn apply(
        &self,
        root: &Path,
        changes: Vec<Change>,
        preview: RewriteAnswer,
    ) -> Result<RewriteAnswer, CodeError> {
        self.search.apply(root.to_path_buf(), changes).await?;
        Ok(RewriteAnswer { applied: true, ..preview })
    }

    pub async fn diagnose(
        &self,
        project: &Project<'_>,
        paths: &[String],
        severity: Option<SeverityArg>,
    ) -> Result<DiagnosticsAnswer, CodeError> {
        let paths = paths.iter().map(|path| project.path(path)).collect::<Result<Vec<_>, _>>()?;
        let root = project.scope(None, Vec::new(), Vec::new(), false, false)?.root;
        let asked = paths.clone();
        let diagnosed = self.diagnostics.of(root, paths).await?;
        Ok(diagnostics(asked, diagnosed, severity))
    }
}

/// What a rewrite would change, as a diff.
pub fn preview(found: &Found<Change>) -> RewriteAnswer {
    let mut diff = String::new();
    let mut cut = Vec::new();
    for change in &found.items {
        let name = &change.path;
        let text = similar::TextDiff::from_lines(&change.before, &change.after)
            .unified_diff()
            .context_radius(2)
            .header(&format!("a/{name}"), &format!("b/{name}"))
            .to_string();
        let room = ANSWER_BYTES.saturating_sub(diff.len());
        let whole = text.len() <= room;
        // Of one that is too long, its first lines.
        let end = if whole { text.len() } else { text.floor_char_boundary(room) };
        let end = if whole { end } else { text[..end].rfind('\n').map_or(0, |at| at + 1) };
        diff.push_str(&text[..end]);
        if !whole {
            cut.push(name.as_str());
        }
    }
    if let [first, rest @ ..] = &cut[..] {
        let others = if rest.is_empty() {
            String::new()
        } else {
            format!(" and {} more", plural(rest.len() as u64, "file"))
        };
        diff.push_str(&format!(
            "[the diff is longer than {ANSWER_BYTES} bytes; not all is shown of {first}{others}]\n"
        ));
    }
    let files = found.items.iter().map(|change| Rewritten { path: change.path.clone(), hits: change.hits });
    RewriteAnswer {
        files: files.collect(),
        applied: false,
        diff,
        truncated: !cut.is_empty(),
        remarks: found.remarks.clone(),
    }
}

fn parts<T>(found: Found<T>) -> (Vec<T>, Extent) {
    let (hits, exact) = match found.total {
        Count::Exactly(hits) => (hits, true),
        Count::AtLeast(hits) => (hits, false),
    };
    let truncated = found.next.is_some();
    (found.items, Extent { hits, exact, truncated, cursor: found.next, remarks: found.remarks })
}

fn diagnostics(asked: Vec<String>, diagnosed: Diagnosed, severity: Option<SeverityArg>) -> DiagnosticsAnswer {
    let least = match severity {
        Some(SeverityArg::Error) => Severity::Error,
        None | Some(SeverityArg::Warning) => Severity::Warning,
        Some(SeverityArg::All) => Severity::Hint,
    };
    let found = diagnosed.found.into_iter().filter(|d| d.severity <= least).map(|d| Diagnostic {
        path: d.path,
        line: d.line,
        column: d.column,
        severity: match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
            Severity::Hint => "hint",
        },
        code: d.code,
        source: d.source,
        message: d.message,
    });
    let mut unchecked: Vec<_> =
        diagnosed.unchecked.into_iter().map(|u| Unchecked { paths: u.paths, reason: u.reason }).collect();
    let known = |path: &String| {
        diagnosed.checked.contains(path) || unchecked.iter().any(|u: &Unchecked| u.paths.contains(path))
    };
    let unknown: Vec<_> = asked.into_iter().filter(|path| !known(path)).collect();
    if !unknown.is_empty() {
        let reason = "no language server is known for files of this kind (TypeScript, JavaScript, Python, Go and Rust have one)";
        unchecked.push(Unchecked { paths: unknown, reason: reason.into() });
    }
    DiagnosticsAnswer { found: found.collect(), checked: diagnosed.checked, unchecked }
}
