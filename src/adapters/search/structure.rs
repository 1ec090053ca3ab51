//! Nodes of syntax trees that fit a pattern, found as ast-grep finds them.
use super::languages;
use super::scan::{self, Hits, Weight};
use super::walk;
use crate::ports::code::{Change, CodeError, CodeQuery, Found, Node, Page, Stop};
use ast_grep_core::matcher::{Matcher, MatcherExt};
use ast_grep_core::replacer::{Replacer, TemplateFix};
use ast_grep_core::source::Edit;
use ast_grep_core::tree_sitter::StrDoc;
use ast_grep_core::{Pattern, Position};
use ast_grep_language::{LanguageExt, SupportLang};
use memchr::memmem::Finder;
use std::path::Path;

type SyntaxNode<'a> = ast_grep_core::Node<'a, StrDoc<SupportLang>>;

/// Longest text of a node in an answer, in characters.
const TEXT_CHARS: usize = 1_000;
/// Larger files are data, and their syntax trees would take gigabytes.
const LARGEST: u64 = 16 << 20;

/// Whether two nodes are the same is asked level by level on the stack of a thread, which has room for some thousand.
const DEEPEST: usize = 500;
/// A pattern is made ready in the same way; nobody writes one like that.
const DEEPEST_PATTERN: usize = 200;
/// Nodes between two looks at whether somebody still waits for the answer.
const NODES_AT_A_TIME: usize = 4_096;

const DEEP: &str =
    "nested more than 500 deep, left out: the pattern compares what stands for a name that it has twice";
const LARGE: &str = "of more than 16 MB, left out";
const BINARY: &str = "with NUL bytes, left out";
const NOT_UTF8: &str = "not in UTF-8, left out by the rewrite";
const UNREAD: &str = "that could not be read";

/// A question made ready.
struct Asked {
    language: SupportLang,
    pattern: Pattern,
    /// A file without this text has no hit.
    literal: Finder<'static>,
    fix: Option<TemplateFix>,
    /// A name stands in it twice, so nodes are compared with each other.
    compares: bool,
}

impl Asked {
    fn of(query: &CodeQuery) -> Result<Self, CodeError> {
        let language = languages::named(&query.language)?;
        if deeper_than(DEEPEST_PATTERN, &language.ast_grep(&query.pattern).root()) {
            return Err(CodeError::Invalid(format!(
                "the pattern is nested more than {DEEPEST_PATTERN} deep"
            )));
        }
        let pattern = Pattern::try_new(&query.pattern, language).map_err(|e| {
            let (name, pattern) = (&query.language, &query.pattern);
            CodeError::Invalid(format!("{pattern:?} is no single piece of {name} code: {e}"))
        })?;
        if pattern.has_error() {
            return Err(CodeError::Invalid(format!(
                "{:?} does not parse as {}: write a whole expression, statement or declaration",
                query.pattern, query.language
            )));
        }
        let literal = Finder::new(pattern.fixed_string().as_bytes()).into_owned();
        let fix = query.rewrite.as_deref().map(|rewrite| fix(rewrite, &pattern, language)).transpose()?;
        let compares = has_name_twice(&query.pattern);
        Ok(Self { language, pattern, literal, fix, compares })
    }

    fn read(&self, path: &Path, lossy: bool) -> Result<Option<String>, &'static str> {
        let size = std::fs::metadata(path).map_err(|_| UNREAD)?.len();
        if size > LARGEST {
            return Err(LARGE);
        }
        let bytes = std::fs::read(path).map_err(|_| UNREAD)?;
        if let Some(text) = utf16(&bytes) {
            let hit = self.literal.find(text.as_bytes()).is_some();
            return if hit && !lossy { Err(NOT_UTF8) } else { Ok(Some(text).filter(|_| hit)) };
        }
        if self.literal.find(&bytes).is_none() {
            return Ok(None);
        }
        match String::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => Err(BINARY),
            Ok(text) => Ok(Some(text)),
            Err(error) if error.as_bytes().contains(&0) => Err(BINARY),
            Err(error) if lossy => Ok(Some(String::from_utf8_lossy(error.as_bytes()).into_owned())),
            Err(_) => Err(NOT_UTF8),
        }
    }
}

/// `$A == $A`; `$_` stands for anything each time.
fn has_name_twice(pattern: &str) -> bool {
    let name = |after: &str| {
        let end = after.find(|c: char| !matches!(c, 'A'..='Z' | '0'..='9' | '_')).unwrap_or(after.len());
        after.get(..end).filter(|name| !name.is_empty() && !name.starts_with('_')).map(str::to_owned)
    };
    let mut seen = std::collections::BTreeSet::new();
    pattern.split('$').skip(1).filter_map(name).any(|name| !seen.insert(name))
}

/// By its byte order mark.
fn utf16(bytes: &[u8]) -> Option<String> {
    let of: fn([u8; 2]) -> u16 = match bytes.first_chunk()? {
        [0xFF, 0xFE] => u16::from_le_bytes,
        [0xFE, 0xFF] => u16::from_be_bytes,
        _ => return None,
    };
    let (pairs, _) = bytes.as_chunks::<2>();
    Some(String::from_utf16_lossy(&pairs.iter().skip(1).map(|pair| of(*pair)).collect::<Vec<_>>()))
}

fn deeper_than(most: usize, root: &SyntaxNode<'_>) -> bool {
    let mut cursor = root.get_inner_node().walk();
    let mut depth = 0;
    loop {
        if cursor.goto_first_child() {
            depth += 1;
            if depth > most {
                return true;
            }
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
            depth -= 1;
        }
    }
}

fn fix(rewrite: &str, pattern: &Pattern, language: SupportLang) -> Result<TemplateFix, CodeError> {
    let fix = TemplateFix::try_new(rewrite, &language).map_err(|e| CodeError::Invalid(e.to_string()))?;
    let known = pattern.defined_vars();
    match fix.used_vars().into_iter().find(|used| !known.contains(used)) {
        Some(unknown) => {
            Err(CodeError::Invalid(format!("the rewrite uses ${unknown}, which the pattern does not have")))
        }
        None => Ok(fix),
    }
}

pub(super) fn search(query: &CodeQuery, stop: &Stop) -> Result<Found<Node>, CodeError> {
    let asked = Asked::of(query)?;
    let found = scan::scan(&query.scope, Some(asked.language.file_types()), &query.page, stop, || {
        |path: &Path, skip: usize, room: usize| match asked.read(path, true) {
            Ok(Some(text)) => nodes(&asked, &text, skip, room, stop),
            Ok(None) => Hits::none(),
            Err(remark) => Hits::remark(remark),
        }
    })?;
    let items = found.files.into_iter().flat_map(|(path, nodes)| {
        let path = walk::shown(&path);
        nodes.into_iter().map(move |node| Node { path: path.clone(), ..node })
    });
    Ok(Found { items: items.collect(), total: found.total, next: found.next, remarks: found.remarks })
}

fn nodes(asked: &Asked, text: &str, skip: usize, room: usize, stop: &Stop) -> Hits<Node> {
    let tree = asked.language.ast_grep(text);
    let root = tree.root();
    if asked.compares && deeper_than(DEEPEST, &root) {
        return Hits::remark(DEEP);
    }
    let kinds = asked.pattern.potential_kinds();
    let mut hits = Hits::none();
    for (n, node) in root.dfs().enumerate() {
        if n % NODES_AT_A_TIME == 0 && stop.pulled() {
            break;
        }
        if kinds.as_ref().is_some_and(|kinds| !kinds.contains(node.kind_id().into())) {
            continue;
        }
        let Some(found) = asked.pattern.match_node(node) else { continue };
        if hits.count >= skip as u64 && hits.items.len() < room {
            let replacement = asked.fix.as_ref().map(|fix| {
                let bytes = fix.generate_replacement(&found);
                String::from_utf8_lossy(&bytes).into_owned()
            });
            let node = found.get_node();
            hits.items.push(Node {
                path: String::new(),
                start: place(node, &node.start_pos()),
                end: place(node, &node.end_pos()),
                text: crate::ports::code::clipped(&node.text(), TEXT_CHARS),
                replacement,
            });
        }
        hits.count += 1;
    }
    hits
}

impl Weight for Node {
    fn weight(&self) -> usize {
        self.text.len() + self.replacement.as_ref().map_or(0, String::len) + 16
    }
}

/// A rewrite is not given in pages.
impl Weight for Change {
    fn weight(&self) -> usize {
        0
    }
}

fn place(node: &SyntaxNode<'_>, at: &Position) -> (usize, usize) {
    (at.line() + 1, at.column(node) + 1)
}

pub(super) fn rewrite(query: &CodeQuery, stop: &Stop) -> Result<Found<Change>, CodeError> {
    let asked = Asked::of(query)?;
    let Some(fix) = &asked.fix else {
        return Err(CodeError::Invalid("there is nothing to write: give `rewrite`".into()));
    };
    let page = Page::first(query.page.limit);
    let found = scan::scan(&query.scope, Some(asked.language.file_types()), &page, stop, || {
        |path: &Path, _: usize, _: usize| match asked.read(path, false) {
            Ok(Some(text)) => match rewritten(&asked, fix, text) {
                Ok(Some(change)) => Hits { items: vec![change], count: 1, remark: None },
                Ok(None) => Hits::none(),
                Err(remark) => Hits::remark(remark),
            },
            Ok(None) => Hits::none(),
            Err(remark) => Hits::remark(remark),
        }
    })?;
    if found.next.is_some() {
        return Err(CodeError::Invalid(format!(
            "the rewrite would change more than {} files: narrow it by path or globs and do it in parts",
            page.limit
        )));
    }
    let changes = found.files.into_iter().flat_map(|(path, changes)| {
        let path = walk::shown(&path);
        changes.into_iter().map(move |change| Change { path: path.clone(), ..change })
    });
    Ok(Found { items: changes.collect(), total: found.total, next: None, remarks: found.remarks })
}

fn rewritten(asked: &Asked, fix: &TemplateFix, before: String) -> Result<Option<Change>, &'static str> {
    let tree = asked.language.ast_grep(&before);
    if asked.compares && deeper_than(DEEPEST, &tree.root()) {
        return Err(DEEP);
    }
    // Outermost hits only: one inside another is part of what the other is made into.
    let edits = tree.root().replace_all(&asked.pattern, fix);
    let Some(after) = with_edits(&before, &edits) else { return Ok(None) };
    let hits = edits.len();
    Ok((after != before).then_some(Change { path: String::new(), before, after, hits }))
}

fn with_edits(before: &str, edits: &[Edit<String>]) -> Option<String> {
    let mut after = String::with_capacity(before.len());
    let mut at = 0;
    for edit in edits {
        after.push_str(before.get(at..edit.position)?);
        after.push_str(std::str::from_utf8(&edit.inserted_text).ok()?);
        at = edit.position + edit.deleted_length;
    }
    after.push_str(before.get(at..)?);
    Some(after)
}
