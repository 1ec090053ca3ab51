//! Declared file patterns, and whether two of them can mean the same file.
use std::fmt;

/// Longest pattern, in bytes: comparing two costs the product of their lengths.
const MAX_BYTES: usize = 1000;

/// A set of paths below the project root: `*` and `?` within a name, `**` for any number of names. A path
/// without wildcards at its end, or with a `/` there, is also everything below it.
///
/// Case is ignored. Some file systems do so, and there `README.md` and `readme.md` are one file; where they are
/// two, taking them for one costs a wait and loses nothing. `[` and `{` are plain characters (routes and
/// templates have them in file names); only `{a,b}` is refused, because whoever writes it means two patterns.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    /// `**`
    Deep,
    Plain(String),
    Glob(Vec<Glyph>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Glyph {
    Many,
    One,
    Just(char),
}

/// Why a text is no path of the project.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathFault {
    Empty,
    Absolute,
    Parent,
    Home,
    Git,
    Braces,
    Control,
    TooLong,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathFault::Empty => "it is empty; name a file or a folder of the project",
            PathFault::Absolute => "it is absolute; write it relative to the project",
            PathFault::Parent => "`..` leads out of the project; write the path from the project's root",
            PathFault::Home => "`~` is outside the project; write the path from the project's root",
            PathFault::Git => "the `.git` folder is not to be changed; remove it",
            PathFault::Braces => "alternatives in braces are not read; write one pattern for each",
            PathFault::Control => "it has a control character in it; remove that",
            PathFault::TooLong => "it is longer than 1,000 bytes; name the folder instead",
        })
    }
}

impl Pattern {
    /// Reads a declared file, folder or glob. Backslashes count as separators; `.` and doubled separators go.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        let text = text.trim().replace('\\', "/");
        if let Some(fault) = fault_of(&text) {
            return Err(fault);
        }
        let names: Vec<&str> = text.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        let mut pieces: Vec<Piece> = names.iter().map(|name| Piece::parse(name)).collect();
        let folder = text.ends_with('/') || !matches!(pieces.last(), Some(Piece::Glob(_) | Piece::Deep));
        if folder {
            pieces.push(Piece::Deep);
        }
        let mut text = if names.is_empty() { ".".into() } else { names.join("/") };
        if folder && matches!(pieces.iter().nth_back(1), Some(Piece::Glob(_))) {
            text.push('/');
        }
        Ok(Self { text, pieces })
    }

    /// One path as it stands, wildcards and all: what is being written, relative to the project, with `/`.
    pub fn exact(path: &str) -> Self {
        let names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
        Self { text: path.into(), pieces: names.map(|name| Piece::Plain(fold(name).collect())).collect() }
    }

    /// Whether `path` (relative to the project, with `/`) is in the set.
    pub fn covers(&self, path: &str) -> bool {
        self.overlaps(&Self::exact(path))
    }

    /// Whether some path can be in both sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.pieces.as_slice(), other.pieces.as_slice());
        // Nearly every pair differs in a leading folder name, and a lease check runs before every write.
        while let ([Piece::Plain(x), rest_a @ ..], [Piece::Plain(y), rest_b @ ..]) = (a, b) {
            if x != y {
                return false;
            }
            (a, b) = (rest_a, rest_b);
        }
        meet(a, b, |piece| *piece == Piece::Deep, Piece::meets)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    /// The same set as far as the way it is written goes.
    fn eq(&self, other: &Self) -> bool {
        self.pieces == other.pieces
    }
}

impl Eq for Pattern {}

impl Piece {
    fn parse(name: &str) -> Self {
        match name {
            "**" => Piece::Deep,
            name if name.contains(['*', '?']) => Piece::Glob(
                fold(name)
                    .map(|c| match c {
                        '*' => Glyph::Many,
                        '?' => Glyph::One,
                        c => Glyph::Just(c),
                    })
                    .collect(),
            ),
            name => Piece::Plain(fold(name).collect()),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let plain = |name: &str| name.chars().map(Glyph::Just).collect::<Vec<_>>();
        match (self, other) {
            (Piece::Plain(a), Piece::Plain(b)) => a == b,
            (Piece::Glob(a), Piece::Glob(b)) => glyphs_meet(a, b),
            (Piece::Glob(a), Piece::Plain(b)) | (Piece::Plain(b), Piece::Glob(a)) => {
                glyphs_meet(a, &plain(b))
            }
            (Piece::Deep, _) | (_, Piece::Deep) => true,
        }
    }
}

fn glyphs_meet(a: &[Glyph], b: &[Glyph]) -> bool {
    meet(
        a,
        b,
        |glyph| *glyph == Glyph::Many,
        |x, y| matches!((x, y), (Glyph::One, _) | (_, Glyph::One)) || x == y,
    )
}

/// Whether one sequence can satisfy both: `many` marks an element that stands for any number of others, `one`
/// says whether two single elements have something in common.
fn meet<T>(a: &[T], b: &[T], many: impl Fn(&T) -> bool, one: impl Fn(&T, &T) -> bool) -> bool {
    // below[j] and row[j]: whether a[i + 1..] and a[i..] have something in common with b[j..].
    let mut below = vec![false; b.len() + 1];
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            row[j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(x), _) if many(x) => below[j] || (j < b.len() && row[j + 1]),
                (_, Some(y)) if many(y) => row[j + 1] || (i < a.len() && below[j]),
                (Some(x), Some(y)) => below[j + 1] && one(x, y),
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

fn fold(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().flat_map(char::to_lowercase)
}

fn fault_of(text: &str) -> Option<PathFault> {
    let bytes = text.as_bytes();
    let alternatives =
        text.split('{').skip(1).any(|part| part.split('}').next().is_some_and(|p| p.contains(',')));
    let mut names = text.split('/');
    if text.is_empty() {
        Some(PathFault::Empty)
    } else if text.len() > MAX_BYTES {
        Some(PathFault::TooLong)
    } else if text.contains(char::is_control) {
        Some(PathFault::Control)
    } else if text.starts_with('/') || (bytes[0].is_ascii_alphabetic() && bytes.get(1) == Some(&b':')) {
        Some(PathFault::Absolute)
    } else if text.starts_with('~') {
        Some(PathFault::Home)
    } else if names.clone().any(|name| name == "..") {
        Some(PathFault::Parent)
    } else if names.any(|name| name.eq_ignore_ascii_case(".git")) {
        Some(PathFault::Git)
    } else if alternatives {
        Some(PathFault::Braces)
    } else {
        None
    }
}
