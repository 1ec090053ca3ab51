//! Just enough Rust to find every path a file names: words, use trees, `super`, and what is compiled for tests only.

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Word(String),
    /// `::`
    Sep,
    Mark(char),
}

/// A path with the modules it is written in, so that `super` can be resolved.
struct Found {
    line: usize,
    path: Vec<String>,
    inline_modules: usize,
}

/// Tokens with their lines. Comments, strings and characters are left out.
pub fn tokens(text: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let end = skip(&chars, i);
        if end > i {
            line += chars[i..end].iter().filter(|c| **c == '\n').count();
            i = end;
        } else if chars[i].is_alphanumeric() || chars[i] == '_' {
            let start = i;
            while i < chars.len() && (chars[i].is_alphanumeric() || chars[i] == '_') {
                i += 1;
            }
            out.push((line, Token::Word(chars[start..i].iter().collect())));
        } else if chars[i] == ':' && chars.get(i + 1) == Some(&':') {
            out.push((line, Token::Sep));
            i += 2;
        } else {
            out.push((line, Token::Mark(chars[i])));
            i += 1;
        }
    }
    out
}

/// The end of the blank, comment or literal that starts at `i`; `i` itself when none does.
fn skip(chars: &[char], i: usize) -> usize {
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let find = |from: usize, stop: &dyn Fn(usize) -> bool| {
        (from..chars.len()).find(|n| stop(*n)).unwrap_or(chars.len())
    };
    match at(i) {
        c if c.is_whitespace() => i + 1,
        '/' if at(i + 1) == '/' => find(i, &|n| chars[n] == '\n'),
        '/' if at(i + 1) == '*' => {
            (find(i + 2, &|n| chars[n] == '*' && at(n + 1) == '/') + 2).min(chars.len())
        }
        'r' | 'b' if !i.checked_sub(1).is_some_and(|p| chars[p].is_alphanumeric() || chars[p] == '_') => {
            let raw = i + usize::from(at(i) == 'b');
            let hashes = chars[(raw + 1).min(chars.len())..].iter().take_while(|c| **c == '#').count();
            if at(raw) == 'r' && at(raw + 1 + hashes) == '"' {
                let closes = |n: usize| chars[n] == '"' && (1..=hashes).all(|h| at(n + h) == '#');
                return (find(raw + hashes + 2, &closes) + 1 + hashes).min(chars.len());
            }
            if at(i) == 'b' && matches!(at(i + 1), '"' | '\'') { skip(chars, i + 1) } else { i }
        }
        '"' => quoted(chars, i, '"'),
        // A character, not a lifetime.
        '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => quoted(chars, i, '\''),
        _ => i,
    }
}

fn quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn word(token: Option<&(usize, Token)>) -> Option<&str> {
    match token {
        Some((_, Token::Word(word))) => Some(word),
        _ => None,
    }
}

fn is(token: Option<&(usize, Token)>, mark: char) -> bool {
    token.is_some_and(|(_, t)| *t == Token::Mark(mark))
}

/// Index behind the bracket that closes the one at `open`.
fn matching(tokens: &[(usize, Token)], open: usize) -> usize {
    let mut depth = 0;
    for (i, (_, token)) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Mark('{' | '[' | '(') => depth += 1,
            Token::Mark('}' | ']' | ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// Whether `#[cfg(test)]` starts at `i`.
fn is_test_mark(tokens: &[(usize, Token)], i: usize) -> bool {
    is(tokens.get(i), '#')
        && is(tokens.get(i + 1), '[')
        && word(tokens.get(i + 2)) == Some("cfg")
        && word(tokens.get(i + 4)) == Some("test")
        && is(tokens.get(i + 5), ')')
}

/// Index behind the item that starts at `i`: its `;`, or the block that ends it.
fn item_end(tokens: &[(usize, Token)], mut i: usize) -> usize {
    while i < tokens.len() {
        match tokens[i].1 {
            Token::Mark(';') => return i + 1,
            Token::Mark('{') => {
                let end = matching(tokens, i);
                return if is(tokens.get(end), ';') { end + 1 } else { end };
            }
            Token::Mark('[' | '(') => i = matching(tokens, i),
            _ => i += 1,
        }
    }
    i
}

/// Path prefixes (below `src/`) of modules that are declared for tests only.
pub fn test_modules(sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources {
        let tokens = tokens(text);
        for i in (0..tokens.len()).filter(|i| is_test_mark(&tokens, *i)) {
            let end = item_end(&tokens, matching(&tokens, i + 1));
            let [(_, Token::Word(module)), (_, Token::Word(name)), (_, Token::Mark(';'))] =
                &tokens[end.max(3) - 3..end]
            else {
                continue;
            };
            if module == "mod" {
                let folder = file.strip_suffix("mod.rs").or(file.strip_suffix("lib.rs"));
                let folder =
                    folder.map_or_else(|| format!("{}/", file.trim_end_matches(".rs")), str::to_owned);
                found.extend([format!("{folder}{name}.rs"), format!("{folder}{name}/")]);
            }
        }
    }
    found
}

/// Every path the shipped part of a file names, from the crate's root where it is one of the crate's own. `file` is
/// below `src/`.
pub fn paths(file: &str, text: &str) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    walk(&tokens, 0, tokens.len(), 0, &mut found);
    let home = home(file);
    found.into_iter().filter_map(|f| Some((f.line, absolute(f.path, &home, f.inline_modules)?))).collect()
}

fn home(file: &str) -> Vec<String> {
    let module = file.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
    if matches!(module, "lib" | "main") { vec![] } else { module.split('/').map(str::to_owned).collect() }
}

/// `None` for `self` and `super` that stay inside of an inline module.
fn absolute(path: Vec<String>, home: &[String], inline: usize) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|w| *w == "super" || *w == "self").count();
    let supers = path[..ups].iter().filter(|w| *w == "super").count();
    match path[0].as_str() {
        "crate" | "gantry" => Some([vec!["crate".to_owned()], path[1..].to_vec()].concat()),
        // The receiver of a method.
        "self" if path.len() == 1 => None,
        "self" | "super" if supers < inline => None,
        "self" | "super" => {
            let kept = home.len().checked_sub(supers - inline)?;
            Some([vec!["crate".to_owned()], home[..kept].to_vec(), path[ups..].to_vec()].concat())
        }
        _ => Some(path),
    }
}

fn walk(tokens: &[(usize, Token)], from: usize, to: usize, inline: usize, found: &mut Vec<Found>) {
    let mut i = from;
    while i < to {
        if is_test_mark(tokens, i) {
            i = item_end(tokens, matching(tokens, i + 1));
        } else if word(tokens.get(i)) == Some("mod") && is(tokens.get(i + 2), '{') {
            let end = matching(tokens, i + 2);
            walk(tokens, i + 3, end - 1, inline + 1, found);
            i = end;
        } else if word(tokens.get(i)).is_some() && !is(i.checked_sub(1).and_then(|p| tokens.get(p)), '.') {
            i = path(tokens, i, &[], inline, found);
        } else {
            i += 1;
        }
    }
}

/// Reads the path or use tree at `i` and returns the index behind it.
fn path(
    tokens: &[(usize, Token)],
    mut i: usize,
    prefix: &[String],
    inline: usize,
    found: &mut Vec<Found>,
) -> usize {
    let line = tokens[i].0;
    let mut path = prefix.to_vec();
    loop {
        match &tokens[i].1 {
            Token::Word(word) => path.push(word.clone()),
            Token::Mark('{') => {
                let end = matching(tokens, i);
                i += 1;
                while i < end - 1 {
                    let part = matches!(tokens[i].1, Token::Word(_) | Token::Mark('{'));
                    i = if part { self::path(tokens, i, &path, inline, found) } else { i + 1 };
                }
                return end;
            }
            _ => break,
        }
        i += 1;
        let goes_on = matches!(tokens.get(i), Some((_, Token::Sep)))
            && matches!(tokens.get(i + 1), Some((_, Token::Word(_) | Token::Mark('{'))));
        if !goes_on {
            break;
        }
        i += 1;
    }
    // `use a::b as c`: the new name is no path.
    if word(tokens.get(i)) == Some("as") {
        i += 2;
    }
    found.push(Found { line, path, inline_modules: inline });
    i
}

#[test]
fn paths_are_found_however_they_are_written() {
    let cases = [
        ("a/b.rs", "use crate::x::Y;", "crate::x::Y"),
        ("a/b.rs", "use crate::{x::{Y, z}, w as v};", "crate::x::Y crate::x::z crate::w"),
        ("a/b.rs", "use super::{c, super::d};", "crate::a::c crate::d"),
        ("a/mod.rs", "use super::d; use self::e;", "crate::d crate::a::e"),
        ("a.rs", "mod m { use super::x; use super::super::y; }", "crate::a::x crate::y"),
        ("a.rs", "fn f() { gantry::x::g::<u8>(1); h.crate_name() }", "crate::x::g"),
        ("a.rs", "#[cfg(test)]\nmod t { use crate::x; }\nuse crate::y;", "crate::y"),
        ("a.rs", "#[cfg(test)] use crate::{x}; #[cfg(not(test))] use crate::y;", "crate::y"),
        (
            "a.rs",
            "// crate::x\n/* crate::x */ \"crate::x\"; r#\"crate::\"x\"#; b'\"'; '\"'; '\\''; crate::y",
            "crate::y",
        ),
        ("a.rs", "impl<'a> X<'a> { fn f(&'a self) -> crate::Y<'a> {} }", "crate::Y"),
    ];
    for (file, text, wanted) in cases {
        let paths = paths(file, text).into_iter().map(|(_, path)| path.join("::"));
        let own: Vec<String> = paths.filter(|p| p.starts_with("crate::")).collect();
        assert_eq!(own.join(" "), wanted, "{file}: {text}");
    }
}

#[test]
fn modules_for_tests_are_left_out() {
    let sources = [
        ("a/mod.rs".to_owned(), "#[cfg(test)]\nmod tests;\nmod real;".to_owned()),
        ("b.rs".to_owned(), "#[cfg(test)] #[allow(x)] pub(crate) mod fakes;".to_owned()),
    ];
    assert_eq!(test_modules(&sources), ["a/tests.rs", "a/tests/", "b/fakes.rs", "b/fakes/"]);
}
