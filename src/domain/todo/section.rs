//! Where the sections of missions begin and end.
//!
//! A section is a begin comment with the next end comment, and no other begin comment between: where someone has
//! deleted an end comment, the text from there on is taken for theirs rather than for ours.
use std::ops::Range;

pub(super) const END: &str = "<!-- gantry:end -->";

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Section {
    pub(super) mission: String,
    pub(super) version: u64,
    /// The lines with the comments.
    pub(super) begin: usize,
    pub(super) end: usize,
}

impl Section {
    /// The lines between the comments.
    pub(super) fn body(&self) -> Range<usize> {
        self.begin + 1..self.end
    }
}

pub(super) fn sections(lines: &[String]) -> Vec<Section> {
    let mut found = Vec::new();
    let mut open: Option<Section> = None;
    for (at, line) in lines.iter().enumerate() {
        match comment(line).map(|words| words.split_whitespace().collect::<Vec<_>>()).as_deref() {
            Some(["gantry:begin", attributes @ ..]) => open = begin(at, attributes),
            Some(["gantry:end"]) => found.extend(open.take().map(|section| Section { end: at, ..section })),
            _ => {}
        }
    }
    found
}

/// A mission is named by an id without blanks.
pub(super) fn begin_line(mission: &str, version: u64) -> String {
    format!("<!-- gantry:begin mission={mission} version={version} -->")
}

/// A begin line with another version; what stands around the comment (blanks, the end of the line) stays.
pub(super) fn with_version(line: &str, mission: &str, version: u64) -> String {
    let comment = comment_range(line).unwrap_or(0..line.len());
    format!("{}{}{}", &line[..comment.start], begin_line(mission, version), &line[comment.end..])
}

fn begin(at: usize, attributes: &[&str]) -> Option<Section> {
    let value = |name: &str| attributes.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix('='));
    Some(Section {
        mission: value("mission")?.into(),
        version: value("version").and_then(|version| version.parse().ok()).unwrap_or(0),
        begin: at,
        end: at,
    })
}

/// The inside of a comment that is alone on its line.
fn comment(line: &str) -> Option<&str> {
    let range = comment_range(line)?;
    line[range].strip_prefix("<!--")?.strip_suffix("-->")
}

fn comment_range(line: &str) -> Option<Range<usize>> {
    let text = line.trim_start();
    let start = line.len() - text.len();
    let text = text.trim_end();
    (text.len() >= 7 && text.starts_with("<!--") && text.ends_with("-->"))
        .then_some(start..start + text.len())
}
