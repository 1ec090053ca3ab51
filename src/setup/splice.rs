//! Adding an item to a list or an object in a JSON text, and taking one out, without touching anything else.
use jsonc_parser::common::Ranged;
use jsonc_parser::tokens::{Token, TokenAndRange};
use serde_json::Value;

/// The items between two brackets, and the text around them. Positions are bytes of the text.
pub(super) struct Items<'a> {
    text: &'a str,
    tokens: &'a [TokenAndRange<'a>],
    /// After the opening bracket, and before the closing one.
    inside: (usize, usize),
    ranges: Vec<(usize, usize)>,
}

/// On one line, as people write it.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".into(),
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), inline(value));
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

impl<'a> Items<'a> {
    /// `around` from bracket to bracket.
    pub(super) fn new(
        text: &'a str,
        tokens: &'a [TokenAndRange<'a>],
        around: (usize, usize),
        ranges: Vec<(usize, usize)>,
    ) -> Self {
        Self { text, tokens, inside: (around.0 + 1, around.1 - 1), ranges }
    }

    /// With `new` as the last item. `lines`: in an empty pair of brackets it gets a line of its own.
    pub(super) fn append(&self, new: &str, lines: bool) -> String {
        let (open, close) = self.inside;
        let Some(last) = self.ranges.last() else {
            let blank = self.part(open, close).trim().is_empty();
            return match (blank, lines) {
                (true, true) => {
                    let (nl, outer) = (self.newline(), self.indent_of(open));
                    self.spliced(open, close, &format!("{nl}{outer}  {new}{nl}{outer}"))
                }
                (true, false) => self.spliced(open, close, new),
                // Comments: they may run to the end of their line.
                (false, _) => self.spliced(
                    open,
                    open,
                    &if self.part(open, close).starts_with(char::is_whitespace) {
                        new.to_owned()
                    } else {
                        format!("{new} ")
                    },
                ),
            };
        };
        let comma = self.comma_after(last.1, close);
        let after = comma.unwrap_or(last.1);
        match self.own_line(self.ranges.len() - 1) {
            Some(indent) => {
                let indent = indent.to_owned();
                let at = self.end_of_remarks(after, close);
                let ends = if comma.is_some() { "," } else { "" };
                let text = self.spliced(at, at, &format!("{}{indent}{new}{ends}", self.newline()));
                if comma.is_some() { text } else { insert(&text, last.1, ",") }
            }
            None if comma.is_some() => self.spliced(after, after, &format!(" {new},")),
            None => self.spliced(after, after, &format!(", {new}")),
        }
    }

    /// Without item `at`. Comments stay.
    pub(super) fn remove(&self, at: usize) -> String {
        let (open, close) = self.inside;
        let Some((start, end)) = self.ranges.get(at).copied() else { return self.text.to_owned() };
        let next = self.ranges.get(at + 1).map_or(close, |next| next.0);
        if let Some(comma) = self.comma_after(end, next) {
            // Up to the comma there may be remarks.
            let between = self.part(end, comma - 1);
            let kept = if between.trim().is_empty() { "" } else { between };
            return self.cut(start, comma, kept);
        }
        let previous = at.checked_sub(1).and_then(|n| self.ranges.get(n)).map(|p| p.1);
        let Some(comma) = previous.and_then(|previous| self.comma_after(previous, start)) else {
            return if self.part(open, close).trim() == self.part(start, end) {
                self.spliced(open, close, "")
            } else {
                self.cut(start, end, "")
            };
        };
        if self.part(comma, start).trim().is_empty() {
            return self.spliced(comma - 1, end, "");
        }
        let text = self.cut(start, end, "");
        format!("{}{}", text.get(..comma - 1).unwrap_or_default(), text.get(comma..).unwrap_or_default())
    }

    /// Without what stands there, and without its line where nothing else is on it.
    fn cut(&self, start: usize, end: usize, kept: &str) -> String {
        let line = self.text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1).max(self.inside.0);
        let rest = self.part(end, self.inside.1);
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let tail = rest.get(blank..).unwrap_or_default();
        let ends_line = if tail.starts_with("\r\n") { Some(2) } else { tail.starts_with('\n').then_some(1) };
        match ends_line {
            Some(nl)
                if kept.is_empty() && self.part(line, start).trim().is_empty() && line > self.inside.0 =>
            {
                self.spliced(line, end + blank + nl, "")
            }
            Some(_) => self.spliced(start, end, kept),
            None => self.spliced(start, end + blank, kept),
        }
    }

    fn part(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn spliced(&self, from: usize, to: usize, new: &str) -> String {
        format!("{}{new}{}", self.part(0, from), self.part(to, self.text.len()))
    }

    /// The end of the first comma between two places.
    fn comma_after(&self, from: usize, to: usize) -> Option<usize> {
        let between = self.tokens.iter().filter(|t| t.start() >= from && t.end() <= to);
        between.into_iter().find(|t| t.token == Token::Comma).map(Ranged::end)
    }

    /// After the comments that follow on the same line.
    fn end_of_remarks(&self, from: usize, close: usize) -> usize {
        let mut end = from;
        for token in self.tokens.iter().filter(|t| t.start() >= from && t.end() <= close) {
            let is_comment = matches!(token.token, Token::CommentLine(_) | Token::CommentBlock(_));
            if !is_comment || self.part(end, token.end()).contains('\n') {
                break;
            }
            end = token.end();
        }
        // A line comment ends before its line end, but with the carriage return of it.
        let trimmed = self.part(0, end).trim_end_matches('\r');
        trimmed.len().max(from)
    }

    /// The white space before an item that begins a line.
    fn own_line(&self, at: usize) -> Option<&'a str> {
        let start = self.ranges.get(at)?.0;
        let before = self.part(self.inside.0, start);
        let line = before.rfind('\n').and_then(|n| before.get(n + 1..))?;
        line.trim().is_empty().then_some(line)
    }

    fn indent_of(&self, at: usize) -> &'a str {
        let before = self.part(0, at);
        let line = before.rfind('\n').map_or(before, |n| before.get(n + 1..).unwrap_or_default());
        line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }
}

fn insert(text: &str, at: usize, new: &str) -> String {
    format!("{}{new}{}", text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default())
}
