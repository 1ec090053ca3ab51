//! Secrets are neither logged nor passed on, whoever wrote them into a text.
//!
//! Two looks: for shapes that only secrets have, and for values that stand beside a name. Some names (`password`) make a
//! secret of nearly any value. Others (`token`) also stand in source code and in what compilers say, which workers need
//! to the letter: there the value has to look like a secret itself.
//!
//! Texts come as they are, within JSON, and within JSON in JSON: quotes and line ends may be escaped.
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

#[cfg(test)]
mod tests;

const MASK: &str = "[masked]";

/// Tokens that can be told by themselves.
const TOKENS: [&str; 9] = [
    // Providers, forges, clouds, chats, registries.
    r"(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}",
    r"(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}\b|AIza[A-Za-z0-9_-]{30,}",
    r"(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{20,}",
    r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{16,}|shpat_[a-fA-F0-9]{20,}",
    r"ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}|dop_v1_[a-f0-9]{32,}|pypi-AgE[A-Za-z0-9_-]{30,}",
    r"(?:gsk_|xai-|pplx-|nvapi-|hv[bs]\.|dckr_[op]at_|lin_api_|rubygems_|ATATT3|AGE-SECRET-KEY-1)[A-Za-z0-9_=-]{20,}",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\d{8,10}:AA[A-Za-z0-9_-]{30,}",
    // Three parts of base 64 with dots between: a signed token.
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
];

/// Secrets with something around them by which they are known; it is in the groups and stays.
const PLACES: [&str; 7] = [
    // The end of a key may have been cut off.
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,.]|\\+[nr]|-[A-Za-z0-9])*(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)?",
    // A password within an address, with or without a user; and a user as long as a token that has none.
    r#"(?<url>\b[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"\\]*:)[^\s/"\\]+(?<at>@)"#,
    r"(?<user>\b[A-Za-z][A-Za-z0-9+.-]*://)[A-Za-z0-9_-]{20,}(?<end>@)",
    // Addresses that are a secret as a whole, and signatures in others.
    r"(?<hook>hooks\.slack\.com/services/|discord(?:app)?\.com/api/webhooks/)[A-Za-z0-9_/-]{20,}",
    r"(?<signed>(?i:signature|\bsig)=)[A-Za-z0-9%+/_-]{20,}=*",
    r#"(?<scheme>(?i:authorization)(?:\\*["'])?\s*[:=]\s*(?:\\*["'])?(?i:bearer|basic|token|digest|apikey|negotiate)\s+)[^\s"'\\,;]{6,}"#,
    r#"(?<cookie>(?i:cookie)(?:\\*["'])?:\s*(?:\\*["'])?)[^\s=;"'\\]+=[^\r\n"'\\]{4,}"#,
];

const KEPT: [&str; 7] = ["edge", "url", "user", "hook", "signed", "scheme", "cookie"];

static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    // The letter before a token may belong to an escaped line end, or to a change of the colour.
    let edge = r"(?:\b|(?<edge>\\[bfnrt]|\[[0-9;]*m))";
    let (tokens, places) = (TOKENS.join("|"), PLACES.join("|"));
    Regex::new(&format!("{edge}(?:{tokens})|{places}")).expect("the shapes are tested")
});

/// A name, what is between it and its value, and the quote in which the value begins.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let sure = r"passwo?r?d|passphrase|api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?";
    let key = r"(?:private|access|account|shared|signing|encryption|master|auth|ssh|deploy|session|service)[_-]?key";
    let maybe =
        format!(r#"token|{key}|secret|credentials?|authorization|[_-]pass|[_-]pwd|;\s*pwd|[_"']auth"#);
    let name = format!(r"(?:(?<sure>{sure})|(?:{maybe}|{sure})(?:[_-][a-z0-9_-]*)?)");
    let between = r#"(?<quote>\\*["'])?(?<join>\s*(?:=>|:=|[:=])\s*)"#;
    // A word of a command line, and a header that is told without its name.
    let spaced =
        r"--[a-z0-9-]*(?:passwo?r?d|passphrase|api-?key|secret|token|private-?key)\s+|\b(?:bearer|basic)\s+";
    Regex::new(&format!(r#"(?i)(?:{name}{between}|{spaced})(?<open>\\*["'])?"#))
        .expect("the names are tested")
});

/// What people and programs write in the place of a value.
const NO_VALUE: [&str; 21] = [
    "string",
    "str",
    "bool",
    "boolean",
    "number",
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "required",
    "optional",
    "missing",
    "invalid",
    "incorrect",
    "expired",
    "changed",
    "empty",
    "unset",
    MASK,
];

/// So much of a value says what it is, in bytes.
const LOOK: usize = 200;

/// The text with `[masked]` in the place of secrets.
pub fn masked(text: &str) -> Cow<'_, str> {
    let shapes = SHAPES.replace_all(text, |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        format!("{}{MASK}{}{}", KEPT.map(part).concat(), part("at"), part("end"))
    });
    match shapes {
        Cow::Borrowed(text) => named(text),
        Cow::Owned(text) => Cow::Owned(named(&text).into_owned()),
    }
}

fn named(text: &str) -> Cow<'_, str> {
    let (mut out, mut taken, mut from) = (String::new(), 0, 0);
    while let Some(head) = NAMED.captures_at(text, from) {
        // What is no secret may have one in it.
        from = head.get_match().end();
        let rest = &text[from..];
        let part = |name: &str| head.name(name).map(|part| part.as_str());
        let open = part("open").unwrap_or_default();
        if !is_secret(rest, open, part("join"), part("quote").is_some(), part("sure").is_some()) {
            continue;
        }
        // A number of JSON becomes a string of JSON.
        let quote = part("quote").filter(|_| open.is_empty()).unwrap_or_default();
        let quote = quote.len().checked_sub(1).map_or("", |before| &quote[before - escapes(before)..]);
        out.push_str(&text[taken..from]);
        [quote, MASK, quote].iter().for_each(|part| out.push_str(part));
        taken = from + length(rest, open);
        from = taken;
    }
    if taken == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[taken..]);
    Cow::Owned(out)
}

/// Whether what begins here is a value, and a secret one. `join` is what stands between name and value, if anything does.
fn is_secret(rest: &str, open: &str, join: Option<&str>, named_in_quotes: bool, sure: bool) -> bool {
    let seen = &rest[..rest.floor_char_boundary(LOOK)];
    let value = &seen[..length(seen, open)];
    let bare = open.is_empty();
    let tight = join.is_some_and(|join| !join.contains(char::is_whitespace));
    let word = value.trim_end_matches(['.', '!', '?']);
    let no_value = if bare {
        // A comparison, a placeholder, code in prose; a list or an object of JSON.
        value.starts_with(['=', ':', '<', '`']) || named_in_quotes && value.starts_with(['[', '{'])
    } else {
        // The quote was not the first one of a value but the last one of a string.
        value.trim_start().starts_with([',', ':', ']', '}'])
    };
    // A short word after a space is prose.
    let least = if bare && !tight { 6 } else { 3 };
    if no_value || value.len() < least || NO_VALUE.iter().any(|no| word.eq_ignore_ascii_case(no)) {
        return false;
    }
    sure || looks_secret(value, bare, tight && join.is_some_and(|join| join.ends_with('=')))
}

/// Neither a word, nor a number, nor code.
fn looks_secret(value: &str, bare: bool, assigned: bool) -> bool {
    let has = |of: fn(char) -> bool| value.contains(of);
    let code = bare && (value.contains(['(', '`']) || value.contains("::") || value.starts_with('$'));
    if code || value.contains("://") || !has(char::is_alphabetic) {
        return false;
    }
    let least_of_letters = if bare { 24 } else { 16 };
    assigned && value.len() >= 6
        || has(|c| c.is_ascii_digit()) && value.len() >= 8
        || value.len() >= least_of_letters && !has(|c| c.is_whitespace() || "_.:/-".contains(c))
}

/// Of a value that begins here, in bytes. In quotes it ends at one that is escaped no more often than the first was; further
/// backslashes before that one belong to the value.
fn length(rest: &str, open: &str) -> usize {
    let Some(quote) = open.chars().last() else {
        let end = |c: char| c.is_whitespace() || r#""'\,;&)}"#.contains(c);
        return rest.find(end).unwrap_or(rest.len());
    };
    let mut backslashes = 0_usize;
    for (at, c) in rest.char_indices() {
        let own = escapes(backslashes);
        match c {
            '\\' => {
                backslashes += 1;
                continue;
            }
            '\n' => return at,
            c if own < open.len() && (c == quote || c == '"') => return at - own,
            _ => {}
        }
        backslashes = 0;
    }
    rest.len()
}

/// How many of the backslashes before a quote belong to it. Each string within a string doubles what is there and adds one
/// for the quote: 1, 3, 7.
fn escapes(backslashes: usize) -> usize {
    (1 << backslashes.trailing_ones()) - 1
}
