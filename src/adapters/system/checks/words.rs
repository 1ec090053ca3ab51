//! A command line as the program and its arguments, or the finding that it takes a shell.

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Line {
    Empty,
    Words(Vec<String>),
    Shell,
}

/// Anything with a meaning to a shell beyond quotes and backslashes is left to a shell.
pub(super) fn parse(line: &str) -> Line {
    let Some(words) = split(line) else { return Line::Shell };
    match words.first() {
        None => Line::Empty,
        // An assignment, or a word that only a shell knows.
        Some(first) if first.contains('=') || BUILT_IN.contains(&first.as_str()) => Line::Shell,
        Some(_) => Line::Words(words),
    }
}

const BUILT_IN: [&str; 20] = [
    ".", ":", "alias", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "set",
    "source", "trap", "type", "ulimit", "unset", "until", "while",
];

/// `None` where a shell is needed, an unclosed quote included: the shell has the better message for it.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.trim().chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next().filter(|c| *c != '\n')?),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '{' | '!' | '\n' => {
                return None;
            }
            '~' | '#' if word.is_none() => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

fn quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '"' => return Some(()),
            '$' | '`' => return None,
            '\\' => match rest.next()? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                '\n' => {}
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_commands_are_split_and_the_rest_goes_to_a_shell() {
        let words: [(&str, &[&str]); 9] = [
            ("npm test", &["npm", "test"]),
            ("  cargo\ttest  --  a::b ", &["cargo", "test", "--", "a::b"]),
            ("a 'b c' \"d e\" f\\ g", &["a", "b c", "d e", "f g"]),
            ("a '' \"\"", &["a", "", ""]),
            ("a x'y z'\"w\"", &["a", "xy zw"]),
            (r#"a "q\"\\\n\$""#, &["a", r#"q"\\n$"#]),
            ("a '$x | * # ~'", &["a", "$x | * # ~"]),
            ("a b#c d~e --x=y", &["a", "b#c", "d~e", "--x=y"]),
            ("./run.sh ä", &["./run.sh", "ä"]),
        ];
        for (line, expected) in words {
            let expected = expected.iter().map(ToString::to_string).collect();
            assert_eq!(parse(line), Line::Words(expected), "{line}");
        }
        let shell = [
            "a && b",
            "a | b",
            "a; b",
            "a > f",
            "a < f",
            "a &",
            "a $X",
            "a \"$X\"",
            "a `b`",
            "a \"`b`\"",
            "(a)",
            "ls *.rs",
            "ls ?.rs",
            "ls [a].rs",
            "a {b,c}",
            "! a",
            "a\nb",
            "# a",
            "ls ~/x",
            "X=1 a",
            "cd x",
            "exit 1",
            "a 'b",
            "a \"b",
            "a \\",
        ];
        for line in shell {
            assert_eq!(parse(line), Line::Shell, "{line}");
        }
        for line in ["", "  ", "\n"] {
            assert_eq!(parse(line), Line::Empty, "{line:?}");
        }
    }
}
