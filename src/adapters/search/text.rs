//! Lines that fit patterns, found as ripgrep finds them.
use super::scan::{self, Hits, Weight};
use super::walk;
use crate::ports::code::{Case, CodeError, FileLines, Found, Line, Stop, TextQuery};
use grep_matcher::{LineTerminator, Match, Matcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Encoding, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkFinish,
    SinkMatch,
};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Hits shown of one line at most.
const SPANS: usize = 100;
/// What a pattern may look at beyond the end of a multi-line hit; ripgrep's own printer does the same.
const LOOK_AHEAD: usize = 128;

const BINARY: &str = "with NUL bytes, searched up to the first of them (`binary` searches all of it)";
const UNREAD: &str = "that could not be read";
const LARGE: &str =
    "with more than 128 MB to be held at once (a line, or with `multiline` all of it), left out";
/// Of one file at one time, in bytes.
const HEAP: usize = 128 << 20;

pub(super) fn search(query: &TextQuery, stop: &Stop) -> Result<Found<FileLines>, CodeError> {
    let matcher = matcher(query)?;
    let searcher = searcher(query)?;
    let found = scan::scan(&query.scope, None, &query.page, stop, || {
        let (matcher, mut searcher) = (matcher.clone(), searcher.build());
        move |path: &Path, skip: usize, room: usize| {
            look(query, &matcher, &mut searcher, stop, path, skip, room)
        }
    })?;
    let lines = |hits: Vec<Hit>| {
        hits.into_iter().flat_map(|hit| hit.before.into_iter().chain([hit.line]).chain(hit.after)).collect()
    };
    let items = found
        .files
        .into_iter()
        .map(|(path, hits)| FileLines { path: walk::shown(&path), lines: lines(hits) })
        .collect();
    Ok(Found { items, total: found.total, next: found.next, remarks: found.remarks })
}

fn matcher(query: &TextQuery) -> Result<RegexMatcher, CodeError> {
    if query.patterns.is_empty() {
        return Err(CodeError::Invalid("no pattern was given: say what to search for".into()));
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .multi_line(true)
        .unicode(true)
        .octal(false)
        .fixed_strings(query.literal)
        .word(query.word)
        .case_insensitive(query.case == Case::Insensitive)
        .case_smart(query.case == Case::Smart)
        .dot_matches_new_line(false);
    if !query.multiline {
        builder.line_terminator(Some(b'\n'));
    }
    if !query.binary {
        builder.ban_byte(Some(b'\0'));
    }
    builder.build_many(&query.patterns).map_err(|error| {
        let hint = match error.kind() {
            grep_regex::ErrorKind::NotAllowed(byte) if byte == "\n" => {
                "set `multiline` to search over the ends of lines"
            }
            grep_regex::ErrorKind::Banned(_) => "set `binary` to search for NUL bytes",
            _ => "to search for it as it stands, set `literal`",
        };
        CodeError::Invalid(format!("the pattern is not understood: {error}; {hint}"))
    })
}

fn searcher(query: &TextQuery) -> Result<SearcherBuilder, CodeError> {
    let encoding = match query.encoding.as_deref() {
        None => None,
        Some(label) => Some(Encoding::new(label).map_err(|_| {
            CodeError::Invalid(format!(
                "there is no encoding {label:?}: name one such as utf-16le, latin1 or shift_jis"
            ))
        })?),
    };
    let binary = if query.binary { BinaryDetection::none() } else { BinaryDetection::quit(0) };
    let mut searcher = SearcherBuilder::new();
    searcher
        .line_number(true)
        .multi_line(query.multiline)
        .heap_limit(Some(HEAP))
        .binary_detection(binary)
        .encoding(encoding)
        .before_context(query.before)
        .after_context(query.after);
    Ok(searcher)
}

fn look(
    query: &TextQuery,
    matcher: &RegexMatcher,
    searcher: &mut Searcher,
    stop: &Stop,
    path: &Path,
    skip: usize,
    room: usize,
) -> Hits<Hit> {
    let mut hits = Collector {
        query,
        matcher,
        skip,
        room,
        count: 0,
        hits: Vec::new(),
        before: Vec::new(),
        binary: false,
    };
    let Ok(file) = File::open(path) else { return Hits::remark(UNREAD) };
    let large = file.metadata().is_ok_and(|meta| meta.len() > HEAP as u64);
    match searcher.search_reader(matcher, Stoppable { file, stop }, &mut hits) {
        Ok(()) => Hits { remark: hits.binary.then_some(BINARY), items: hits.hits, count: hits.count },
        Err(_) => Hits::remark(if large { LARGE } else { UNREAD }),
    }
}

/// A file that seems to end when the search is stopped.
struct Stoppable<'a> {
    file: File,
    stop: &'a Stop,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.pulled() { Ok(0) } else { self.file.read(buffer) }
    }
}

/// A line that fits, with the lines around it that belong to no other.
struct Hit {
    before: Vec<Line>,
    line: Line,
    after: Vec<Line>,
}

impl Weight for Hit {
    fn weight(&self) -> usize {
        self.before.iter().chain([&self.line]).chain(&self.after).map(|line| line.text.len() + 8).sum()
    }
}

struct Collector<'a> {
    query: &'a TextQuery,
    matcher: &'a RegexMatcher,
    skip: usize,
    room: usize,
    count: u64,
    hits: Vec<Hit>,
    before: Vec<Line>,
    binary: bool,
}

impl Collector<'_> {
    /// The next hit is one to keep.
    fn keeping(&self) -> bool {
        self.count >= self.skip as u64 && self.hits.len() < self.room
    }
}

impl Sink for Collector<'_> {
    type Error = io::Error;

    fn matched(&mut self, searcher: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        if self.keeping() {
            let spans = spans(self.matcher, searcher, found);
            let line = line(found.line_number(), found.bytes(), &spans, self.query.line_chars);
            self.hits.push(Hit { before: std::mem::take(&mut self.before), line, after: Vec::new() });
        }
        self.count += 1;
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, found: &SinkContext<'_>) -> io::Result<bool> {
        let make =
            || Line { context: true, ..line(found.line_number(), found.bytes(), &[], self.query.line_chars) };
        match found.kind() {
            // The lines after a hit that was not kept are not wanted either.
            SinkContextKind::After if self.count - (self.hits.len() as u64) == self.skip as u64 => {
                let line = make();
                if let Some(hit) = self.hits.last_mut() {
                    hit.after.push(line);
                }
            }
            SinkContextKind::Before if self.keeping() => {
                let line = make();
                self.before.push(line);
            }
            _ => {}
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.binary = true;
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, end: &SinkFinish) -> io::Result<()> {
        self.binary |= end.binary_byte_offset().is_some();
        Ok(())
    }
}

/// Where in the bytes of a hit the patterns fit.
fn spans(matcher: &RegexMatcher, searcher: &Searcher, found: &SinkMatch<'_>) -> Vec<Match> {
    let mut spans = Vec::new();
    let range = found.bytes_range_in_buffer();
    let buffer = if searcher.multi_line_with_matcher(matcher) {
        let end = found.buffer().len().min(range.end + LOOK_AHEAD);
        &found.buffer()[..end]
    } else {
        // The end of the line is no part of it: `$` fits before.
        let end = range.start + trimmed(found.bytes(), searcher.line_terminator()).len();
        &found.buffer()[..end]
    };
    let each = |one: Match| {
        if one.start() >= range.end {
            return false;
        }
        spans.push(Match::new(one.start() - range.start, one.end().min(range.end) - range.start));
        spans.len() < SPANS
    };
    // A regular expression of this kind has no errors while it runs.
    let _ = matcher.find_iter_at(buffer, range.start, each);
    spans
}

fn trimmed(bytes: &[u8], terminator: LineTerminator) -> &[u8] {
    if terminator.is_suffix(bytes) { &bytes[..bytes.len() - 1] } else { bytes }
}

fn line(number: Option<u64>, bytes: &[u8], spans: &[Match], chars: usize) -> Line {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let column = |at: usize| String::from_utf8_lossy(&bytes[..at.min(bytes.len())]).chars().count() + 1;
    let columns: Vec<_> = if bytes.is_ascii() {
        spans.iter().map(|s| (s.start().min(bytes.len()) + 1, s.end().min(bytes.len()) + 1)).collect()
    } else {
        spans.iter().map(|s| (column(s.start()), column(s.end()))).collect()
    };
    let text = cut(&String::from_utf8_lossy(bytes), columns.first().map_or(0, |s| s.0 - 1), chars);
    Line { number: number.unwrap_or_default(), text, spans: columns, context: false }
}

/// `chars` characters of `text` around the one at `at`.
fn cut(text: &str, at: usize, chars: usize) -> String {
    if text.len() <= chars {
        return text.to_owned();
    }
    let count = text.chars().count();
    if count <= chars {
        return text.to_owned();
    }
    let start = at.saturating_sub(chars / 3).min(count - chars);
    let part: String = text.chars().skip(start).take(chars).collect();
    let dots = |cut: bool| if cut { "…" } else { "" };
    format!("{}{part}{}", dots(start > 0), dots(start + chars < count))
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_long_line_is_cut_around_its_hit() {
        let text = format!("{}hit{}", "a".repeat(100), "b".repeat(100));
        let shown = cut(&text, 100, 12);
        assert_eq!(shown, format!("…{}hit{}…", "a".repeat(4), "b".repeat(5)));
        assert_eq!(cut("short", 2, 12), "short");
        assert_eq!(cut("ääääää", 0, 3), "äää…");
        assert_eq!(cut("abcdef", 5, 3), "…def");
    }
}
