//! The tools for code: arguments to questions, questions to the ports, answers back.
//!
//! Used by the service for models and by the command line for people; who may ask, and what a write needs, is decided by
//! whoever calls.
use crate::ports::code::{
    Case, Change, CodeError, CodeQuery, Count, Diagnosed, Diagnostics, FileQuery, Found, Page, Scope, Search,
    Severity, Stop, TextQuery, clipped,
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
/// Longest message of a language server.
const MESSAGE_CHARS: usize = 2_000;

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

/// As much as an answer may have.
pub fn answer(cursor: Option<String>) -> Page {
    Page { limit: usize::MAX, bytes: ANSWER_BYTES, cursor }
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

    /// Of files that somebody has named, or of those of a change: among them files without a server are no gap.
    pub async fn diagnose(
        &self,
        project: &Project<'_>,
        paths: &[String],
        named: bool,
        severity: Option<SeverityArg>,
        page: Page,
    ) -> Result<DiagnosticsAnswer, CodeError> {
        let paths = paths.iter().map(|path| project.path(path)).collect::<Result<Vec<_>, _>>()?;
        let root = project.scope(None, Vec::new(), Vec::new(), false, false)?.root;
        let asked = if named { paths.clone() } else { Vec::new() };
        let diagnosed = self.diagnostics.of(root, paths).await?;
        diagnostics(asked, diagnosed, severity, &page)
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

/// One page of what was found. Its cursor counts what was given before.
fn diagnostics(
    asked: Vec<String>,
    diagnosed: Diagnosed,
    severity: Option<SeverityArg>,
    page: &Page,
) -> Result<DiagnosticsAnswer, CodeError> {
    let least = match severity {
        Some(SeverityArg::Error) => Severity::Error,
        None | Some(SeverityArg::Warning) => Severity::Warning,
        Some(SeverityArg::All) => Severity::Hint,
    };
    let skip = match page.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
        None => 0,
        Some(cursor) => cursor.parse::<usize>().map_err(|_| {
            CodeError::Invalid(format!("{cursor:?} is no cursor: give the one of the answer before, or none"))
        })?,
    };
    let all: Vec<_> = diagnosed.found.into_iter().filter(|d| d.severity <= least).collect();
    let count = |severity| all.iter().filter(|d| d.severity == severity).count() as u64;
    let (errors, warnings, hits) = (count(Severity::Error), count(Severity::Warning), all.len());
    let mut bytes = 0;
    let found: Vec<_> = all
        .into_iter()
        .skip(skip)
        .map(shown)
        .enumerate()
        .take_while(|(at, d)| {
            bytes += d.path.len() + d.message.len() + 64;
            *at == 0 || (*at < page.limit && bytes <= page.bytes)
        })
        .map(|(_, d)| d)
        .collect();
    let given = skip.saturating_add(found.len());
    let cursor = (given < hits).then(|| given.to_string());
    let mut unchecked: Vec<_> =
        diagnosed.unchecked.into_iter().map(|u| Unchecked { paths: u.paths, reason: u.reason }).collect();
    // Of a folder its files are named.
    let is_of = |path: &String, asked: &String| {
        asked == "." || path.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let known = |asked: &String| {
        let mut named = diagnosed.checked.iter().chain(unchecked.iter().flat_map(|u: &Unchecked| &u.paths));
        named.any(|path| is_of(path, asked))
    };
    let unknown: Vec<_> = asked.into_iter().filter(|path| !known(path)).collect();
    if !unknown.is_empty() {
        let reason = "no language server is known for files of this kind (TypeScript, JavaScript, Python, Go and Rust have one)";
        unchecked.push(Unchecked { paths: unknown, reason: reason.into() });
    }
    Ok(DiagnosticsAnswer {
        checked: diagnosed.checked,
        errors,
        warnings,
        hits: hits as u64,
        found,
        truncated: cursor.is_some(),
        cursor,
        unchecked,
    })
}

fn shown(d: crate::ports::code::Diagnostic) -> Diagnostic {
    Diagnostic {
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
        message: clipped(&d.message, MESSAGE_CHARS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_thousand_errors_are_given_in_pages() {
        let error = |line: usize| crate::ports::code::Diagnostic {
            path: "a.ts".into(),
            line,
            column: 1,
            severity: if line.is_multiple_of(2) { Severity::Error } else { Severity::Warning },
            code: None,
            source: None,
            message: if line == 7 { "x".repeat(1 << 20) } else { format!("error {line}") },
        };
        let found: Vec<_> = (0..60_000).map(error).collect();
        let diagnosed = Diagnosed { checked: vec!["a.ts".into()], found, ..Diagnosed::default() };
        let mut page = Page { limit: usize::MAX, bytes: ANSWER_BYTES, cursor: None };
        let mut lines = Vec::new();
        loop {
            let answer = diagnostics(vec!["a.ts".into()], diagnosed.clone(), None, &page).unwrap();
            assert_eq!((answer.errors, answer.warnings, answer.hits), (30_000, 30_000, 60_000));
            assert_eq!(answer.title(), "30000 errors, 30000 warnings");
            assert!(answer.text().len() <= ANSWER_BYTES + 1024, "{}", answer.text().len());
            assert_eq!(answer.truncated, answer.cursor.is_some());
            lines.extend(answer.found.iter().map(|d| d.line));
            if answer.cursor.is_none() {
                break;
            }
            assert!(answer.text().contains("60000 messages, "), "{}", answer.text());
            page.cursor = answer.cursor;
        }
        assert!(lines.into_iter().eq(0..60_000), "each once, in order");
        page.cursor = Some("x".into());
        assert!(diagnostics(Vec::new(), diagnosed, None, &page).is_err());
    }

    #[test]
    fn what_was_named_and_not_looked_at_is_said() {
        let checked = vec!["src/a.ts".to_owned()];
        let page = Page::first(10);
        let unknown = |asked: &[&str]| {
            let asked = asked.iter().map(ToString::to_string).collect();
            let diagnosed = Diagnosed { checked: checked.clone(), ..Diagnosed::default() };
            let answer = diagnostics(asked, diagnosed, None, &page).unwrap();
            answer.unchecked.into_iter().flat_map(|u| u.paths).collect::<Vec<_>>()
        };
        assert_eq!(unknown(&["src", ".", "src/a.ts"]), Vec::<String>::new());
        assert_eq!(unknown(&["sr", "README.md", "src/a.ts"]), ["sr", "README.md"]);
    }
}
