//! One item as a line: `- [~] T2: Title (files: a, b) (after: T1) (running)`.
//!
//! What stands in the trailing groups is read from the right, so a title may hold any parentheses of its own. A
//! `(` of a title that would open such a group, and `(`, `)` and `,` in the name of a file, carry a backslash,
//! which Markdown viewers do not show; a backslash is doubled.
use super::edits::Edit;
use super::{TodoItem, TodoState};
use crate::domain::plan::{is_task_id, one_line};
use std::ops::Range;

/// An item found in a line; everything else on the line is remembered by where it stands.
pub(super) struct Line<'a> {
    raw: &'a str,
    pub(super) id: &'a str,
    state: TodoState,
    mark: Range<usize>,
    title: &'a str,
    files: Vec<String>,
    depends_on: Vec<String>,
    /// The group with the word of the state, with the blanks before it.
    word: Option<Range<usize>>,
    /// Where the text ends and trailing blanks and the end of the line begin.
    end: usize,
}

impl<'a> Line<'a> {
    pub(super) fn parse(raw: &'a str) -> Option<Self> {
        let body = raw.trim_end();
        let (mark_at, mark, text) = boxed(body)?;
        let (id, text) = text.split_once(':')?;
        if !is_task_id(id) || !(text.is_empty() || text.starts_with(BLANKS)) {
            return None;
        }
        let mut line = Self {
            raw,
            id,
            state: TodoState::ALL
                .into_iter()
                .find(|state| state.mark() == mark.to_ascii_lowercase())
                .unwrap_or(TodoState::Open),
            mark: mark_at..mark_at + mark.len_utf8(),
            title: "",
            files: Vec::new(),
            depends_on: Vec::new(),
            word: None,
            end: body.len(),
        };
        line.read_groups(text, body.len() - text.len());
        Some(line)
    }

    fn read_groups(&mut self, text: &'a str, offset: usize) {
        let groups = Groups::read(text);
        self.word = groups.word.map(|range| offset + range.start..offset + range.end);
        (self.title, self.files, self.depends_on) = (groups.title, groups.files, groups.depends_on);
    }

    pub(super) fn item(&self) -> TodoItem {
        TodoItem {
            id: self.id.into(),
            title: unescape(self.title),
            state: self.state,
            files: self.files.clone(),
            depends_on: self.depends_on.clone(),
        }
    }

    /// The line in another state: the box and the word change, nothing else.
    pub(super) fn with_state(&self, state: TodoState) -> String {
        let mut text = self.raw[..self.mark.start].to_string();
        match state == self.state {
            true => text.push_str(&self.raw[self.mark.clone()]),
            false => text.push(state.mark()),
        }
        let word = self.word.clone().unwrap_or(self.end..self.end);
        text.push_str(&self.raw[self.mark.end..word.start]);
        text.push_str(&self.raw[word.end..self.end]);
        push_word(&mut text, state);
        text += &self.raw[self.end..];
        // A title that ends like the word that went, as a person may write one, would be taken for it.
        let same = Line::parse(&text).is_some_and(|line| line.title == self.title);
        if same { text } else { self.renewed(&TodoItem { state, ..self.item() }) }
    }

    /// The line with another content: indentation, bullet and end of the line stay.
    pub(super) fn renewed(&self, item: &TodoItem) -> String {
        format!("{}{}{}", &self.raw[..self.mark.start], from_mark(item), &self.raw[self.end..])
    }
}

/// What stands after the id of an item, taken apart.
struct Groups<'a> {
    title: &'a str,
    files: Vec<String>,
    depends_on: Vec<String>,
    word: Option<Range<usize>>,
}

impl<'a> Groups<'a> {
    /// Takes the groups off the end of the text; what is left is the title.
    fn read(mut text: &'a str) -> Self {
        let (mut files, mut after, mut word) = (None, None, None);
        while let Some((before, group)) = last_group(text) {
            if let Some(list) = group.strip_prefix("files:").filter(|_| files.is_none()) {
                files = Some(split_list(list));
            } else if let Some(list) = group.strip_prefix("after:").filter(|_| after.is_none()) {
                after = Some(split_list(list));
            } else if word.is_none() && TodoState::ALL.iter().any(|state| state.word() == Some(group)) {
                word = Some(before.len()..text.len());
            } else {
                break;
            }
            text = before;
        }
        Self {
            title: text.trim(),
            files: files.unwrap_or_default(),
            depends_on: after.unwrap_or_default(),
            word,
        }
    }
}

/// An open box of a person's that has no id: a list entry that is not indented, for one that is belongs to the
/// entry above it.
pub(super) struct Bare<'a> {
    raw: &'a str,
    text: &'a str,
}

impl<'a> Bare<'a> {
    pub(super) fn parse(raw: &'a str) -> Option<Self> {
        let body = raw.trim_end();
        let (_, mark, text) = boxed(body).filter(|_| !raw.starts_with(BLANKS))?;
        let words = !Groups::read(text).title.is_empty();
        (mark == ' ' && words && Line::parse(raw).is_none()).then_some(Self { raw, text })
    }

    pub(super) fn title(&self) -> String {
        one_line(&unescape(Groups::read(self.text).title))
    }

    pub(super) fn added(&self) -> Edit {
        let Groups { files, depends_on, .. } = Groups::read(self.text);
        Edit::Added { id: None, title: self.title(), files, depends_on }
    }

    /// The line as that of an item.
    pub(super) fn named(&self, id: &str) -> String {
        let end = self.raw.trim_end().len();
        let start = end - self.text.len();
        format!("{}{id}: {}", &self.raw[..start], &self.raw[start..])
    }
}

/// A list entry with a box: where its mark stands, the mark, and the text after the box.
fn boxed(body: &str) -> Option<(usize, char, &str)> {
    let rest = blanks(body.trim_start_matches(BLANKS).strip_prefix(['-', '*', '+'])?)?.strip_prefix('[')?;
    let mark = rest.chars().next()?;
    let text = blanks(rest[mark.len_utf8()..].strip_prefix(']')?)?;
    Some((body.len() - rest.len(), mark, text))
}

/// The line of an item, without an end of line.
pub(super) fn render(item: &TodoItem) -> String {
    format!("- [{}", from_mark(item))
}

fn from_mark(item: &TodoItem) -> String {
    let mut text = format!("{}] {}:", item.state.mark(), item.id);
    let title = escape_title(&one_line(&item.title));
    if !title.is_empty() {
        text.push(' ');
        text.push_str(&title);
    }
    for (key, list) in [("files", &item.files), ("after", &item.depends_on)] {
        if !list.is_empty() {
            let entries: Vec<String> = list.iter().map(|entry| escape_entry(&one_line(entry))).collect();
            text.push_str(&format!(" ({key}: {})", entries.join(", ")));
        }
    }
    push_word(&mut text, item.state);
    text
}

fn push_word(text: &mut String, state: TodoState) {
    if let Some(word) = state.word() {
        text.push_str(&format!(" ({word})"));
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// What follows at least one blank.
fn blanks(text: &str) -> Option<&str> {
    text.starts_with(BLANKS).then(|| text.trim_start_matches(BLANKS))
}

/// The last group of `text` without its parentheses, and the text before it without the blanks between.
fn last_group(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_suffix(')')?;
    let open = inner.rmatch_indices('(').map(|(at, _)| at).find(|&at| !is_escaped(inner, at))?;
    let before = inner[..open].trim_end_matches(BLANKS);
    (before.len() < open).then_some((before, &inner[open + 1..]))
}

fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn split_list(text: &str) -> Vec<String> {
    let mut entries = Vec::new();
    let mut start = 0;
    let ends = text.match_indices(',').map(|(at, _)| at).filter(|&at| !is_escaped(text, at));
    for end in ends.chain([text.len()]) {
        entries.push(unescape(text[start..end].trim()));
        start = end + 1;
    }
    entries.retain(|entry| !entry.is_empty());
    entries
}

fn escape_title(title: &str) -> String {
    let mut text = String::with_capacity(title.len());
    for (at, c) in title.char_indices() {
        let opens = c == '(' && {
            let rest = &title[at + 1..];
            let word = |state: &TodoState| state.word().is_some_and(|word| rest.starts_with(word));
            rest.starts_with("files:") || rest.starts_with("after:") || TodoState::ALL.iter().any(word)
        };
        if opens || c == '\\' {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn escape_entry(entry: &str) -> String {
    let mut text = String::with_capacity(entry.len());
    for c in entry.chars() {
        if ['\\', '(', ')', ','].contains(&c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next) if c == '\\' && ['\\', '(', ')', ','].contains(&next) => {
                plain.push(next);
                chars.next();
            }
            _ => plain.push(c),
        }
    }
    plain
}
