//! The mission's own rules for what its agents do: `allow bash npm test*`, `deny webfetch`; the last that fits counts.
//!
//! They come before the user is asked, and never widen what the host allows: an allowance answers what the host asks for,
//! and what the host denies it does not ask for.

use std::ops::Range;

/// What a model is told of what the rules deny.
pub const REFUSED: &str = "The rules of this mission do not allow this. Do the work without it; if it cannot be done without, say so when you hand your work in.";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Allow,
    Ask,
    Deny,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub action: Action,
    /// The host's name of the permission, such as `bash` or `edit`; `*` and `?` stand for what they do in file names.
    pub permission: String,
    /// What it is asked for: a command, a path, an address.
    pub pattern: String,
}

impl Rule {
    /// `ACTION PERMISSION [PATTERN]`; without a pattern all that is asked for.
    pub fn parse(text: &str) -> Option<Self> {
        let (action, rest) = text.trim().split_once(char::is_whitespace)?;
        let action = match action {
            "allow" => Action::Allow,
            "ask" => Action::Ask,
            "deny" => Action::Deny,
            _ => return None,
        };
        let rest = rest.trim();
        let (permission, pattern) = rest.split_once(char::is_whitespace).unwrap_or((rest, "*"));
        Some(Self { action, permission: permission.into(), pattern: pattern.trim().into() })
    }

    fn fits(&self, permission: &str, subject: &str) -> bool {
        let named = if is_shell(permission) {
            SHELLS.iter().any(|name| matches(&self.permission, name))
        } else {
            matches(&self.permission, permission)
        };
        named && matches(&self.pattern, subject)
    }

    /// Whether it says what it means, instead of all there is.
    fn is_particular(&self) -> bool {
        self.pattern.chars().any(|c| c != '*')
    }
}

/// One tool, which the host names otherwise since its second version; rules may name either.
const SHELLS: [&str; 2] = ["bash", "shell"];

pub fn is_shell(tool: &str) -> bool {
    SHELLS.contains(&tool)
}

/// A tool call, as far as rules look at it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub tool: &'a str,
    /// What it is going to write.
    pub paths: &'a [String],
    /// What a shell would run, with its folder, and the home folder written out.
    pub command: Option<&'a str>,
    /// What the host's own rules would compare, as the model wrote it.
    pub subject: Option<&'a str>,
}

/// What the rules say of a permission that is asked for all of these: denied when one of them is, allowed when all are.
/// None where they say nothing, or want the user to be asked.
pub fn verdict(rules: &[Rule], permission: &str, subjects: &[String]) -> Option<Action> {
    let says = |subject: &str| rules.iter().rfind(|rule| rule.fits(permission, subject)).map(|r| r.action);
    let all: Vec<_> = match subjects {
        [] => vec![says("*")],
        subjects => subjects.iter().map(|subject| says(subject)).collect(),
    };
    if all.contains(&Some(Action::Deny)) {
        Some(Action::Deny)
    } else {
        all.iter().all(|said| *said == Some(Action::Allow)).then_some(Action::Allow)
    }
}

/// Whether a call is denied for what it is about, or for another text of the same. Such a text may be read wrongly, so only
/// a denial that names it counts, not one of all that is not allowed.
pub fn denies(rules: &[Rule], permission: &str, subjects: &[String], others: &[String]) -> bool {
    let named = |subject: &String| {
        let last = rules.iter().rfind(|rule| rule.fits(permission, subject));
        last.is_some_and(|rule| rule.action == Action::Deny && rule.is_particular())
    };
    verdict(rules, permission, subjects) == Some(Action::Deny) || others.iter().any(named)
}

/// Whether a shell command is denied, or a part of it that would run by itself; `full` is the same with its folder and the
/// home folder written out. Only words are compared: who means to get round a rule can.
pub fn denies_command(rules: &[Rule], command: &str, full: &str) -> bool {
    let owned = |parts: Vec<&str>| -> Vec<String> {
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(String::from).collect()
    };
    let parts = owned(parts(command));
    // Quoted text may be a command for another shell (`sh -c "..."`).
    let mut others = owned([command, full].iter().flat_map(|text| text.split(SEPARATORS)).collect());
    others.extend([command.trim().into(), full.trim().into()]);
    denies(rules, "bash", &parts, &others)
}

/// Between commands; those in brackets and backticks are run by themselves too.
const SEPARATORS: [char; 7] = ['\n', ';', '|', '&', '`', '(', ')'];

/// The commands of a line. Separators in quotes are text where it is certain what is quoted; else they separate.
fn parts(command: &str) -> Vec<&str> {
    let quoted = quoted(command).unwrap_or_default();
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, c) in command.char_indices() {
        let text = || quoted.get(quoted.partition_point(|r| r.end <= at)).is_some_and(|r| r.contains(&at));
        if SEPARATORS.contains(&c) && !text() && !(c == '&' && redirects(command, at)) {
            parts.push(&command[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&command[start..]);
    parts
}

/// What is in quotes; none where shells differ in that, or where quotes hold commands: a quote after a backslash, one that
/// stays open on its line (an apostrophe of a comment, a text of many lines), substitution. Shells of Windows differ.
fn quoted(command: &str) -> Option<Vec<Range<usize>>> {
    if cfg!(windows) || ["\\\"", "\\'", "`", "$(", "${"].iter().any(|doubt| command.contains(doubt)) {
        return None;
    }
    let mut ranges = Vec::new();
    let mut open = None;
    for (at, c) in command.char_indices() {
        match open {
            None if c == '"' || c == '\'' => open = Some((c, at)),
            Some(_) if c == '\n' => return None,
            Some((quote, from)) if c == quote => {
                ranges.push(from..at);
                open = None;
            }
            _ => {}
        }
    }
    open.is_none().then_some(ranges)
}

/// Whether the `&` belongs to a redirection: `2>&1`, `<&3`, `>&log`, `&>log`. The last ends a command in shells without it,
/// which then run what follows the file: so nothing may.
fn redirects(command: &str, at: usize) -> bool {
    let (before, after) = (&command[..at], &command[at + 1..]);
    if let Some(before) = before.strip_suffix(['>', '<']) {
        return !before.ends_with('\\');
    }
    let Some(file) = after.strip_prefix('>') else { return false };
    let end = file.find(&SEPARATORS[..4]).unwrap_or(file.len());
    let words = file[..end].trim_start_matches('>').split_whitespace().count();
    words == 1 && !before.ends_with(['&', '|'])
}

/// `*` for any text, `?` for any character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| Rule::parse(text).unwrap_or_else(|| panic!("{text}"))).collect()
    }

    #[test]
    fn the_last_rule_that_fits_counts_and_one_denial_denies_all() {
        let rules = rules(&[
            "allow bash *",
            "ask bash git *",
            "allow bash git status",
            "deny bash git push*",
            "deny web?etch",
            "allow edit src/*",
        ]);
        let table: &[(&str, &[&str], Option<Action>)] = &[
            ("bash", &["npm test"], Some(Action::Allow)),
            ("bash", &[], Some(Action::Allow)),
            ("bash", &["git log"], None),
            ("bash", &["git status"], Some(Action::Allow)),
            ("bash", &["git push --force"], Some(Action::Deny)),
            ("bash", &["npm test", "git push"], Some(Action::Deny)),
            ("bash", &["npm test", "git log"], None),
            ("webfetch", &["https://example.org"], Some(Action::Deny)),
            ("edit", &["src/a.rs", "src/b/c.rs"], Some(Action::Allow)),
            ("edit", &["src/a.rs", "README.md"], None),
            ("external_directory", &["/tmp"], None),
        ];
        for (permission, subjects, expected) in table {
            let subjects: Vec<_> = subjects.iter().map(|s| s.to_string()).collect();
            assert_eq!(verdict(&rules, permission, &subjects), *expected, "{permission} {subjects:?}");
        }
    }

    #[test]
    fn a_command_is_seen_part_by_part() {
        let rules = rules(&["deny bash git push*"]);
        for command in [
            "git push",
            "cd a && git push origin",
            "true;git push",
            "echo x |git push\nls",
            " git push ",
            "sh -c 'true; git push'",
            "npm test 2>&1&git push",
            "(git push)",
            "echo $(git push)",
            "echo \"`git push`\"",
        ] {
            assert!(denies_command(&rules, command, command), "{command}");
        }
        for command in ["git pull", "echo git push", "git-push"] {
            assert!(!denies_command(&rules, command, command), "{command}");
        }
    }

    #[test]
    fn a_list_of_what_is_allowed_lets_its_commands_through_whole() {
        let rules = rules(&["deny bash *", "allow bash npm test*", "allow bash git log*"]);
        for command in [
            "npm test 2>&1",
            "npm test >&2 | npm test <&3",
            "npm test &>log",
            "npm test &>> log; git log",
            "git log && npm test",
        ] {
            assert!(!denies_command(&rules, command, command), "{command}");
        }
        for command in [
            "rm x",
            "npm test; rm x",
            "npm test & rm x",
            "npm test 2>&1 & rm x",
            "npm test 2>&1& rm x",
            "npm test \\>& rm x",
            "npm test &> log rm x",
            "npm test &&> log rm x",
            "npm test $(rm x)",
            "npm test `rm x`",
            "npm test <(rm x)",
        ] {
            assert!(denies_command(&rules, command, command), "{command}");
        }
    }

    #[test]
    fn the_folder_of_a_command_is_none_and_counts_where_it_is_named() {
        let full = "/home/ada/x\nnpm test /home/ada/y";
        for (denied, expected) in [("deny bash *", false), ("deny bash */home/ada/y*", true)] {
            let rules = rules(&[denied, "allow bash npm test ~*"]);
            assert_eq!(denies_command(&rules, "npm test ~/y", full), expected, "{denied}");
        }
    }

    #[test]
    fn separators_in_quotes_are_text_where_it_is_certain_that_they_are_quoted() {
        let rules = rules(&["deny bash *", "allow bash npm test*"]);
        for command in ["npm test -- -t 'a; b'", "npm test -- -t \"it's (a|b) & c\" 2>&1"] {
            assert_eq!(denies_command(&rules, command, command), cfg!(windows), "{command}");
        }
        for command in [
            "npm test 'a'; rm x; 'b'",
            "npm test # it's\nrm x # it's",
            "npm test \\'; rm x; \\'",
            "npm test \"\\\"; rm x; \"\\\"",
            "npm test \"$(true; rm x)\"",
            "npm test \"`rm x`\"",
            "npm test \"${x#'\"'}\"; rm x; \"'\"",
            "npm test 'a; rm x",
        ] {
            assert!(denies_command(&rules, command, command), "{command}");
        }
    }

    #[test]
    fn both_names_of_the_shell_are_one() {
        for rule in ["deny bash git push*", "deny shell git push*", "deny s* git push*"] {
            let rules = rules(&[rule]);
            assert!(denies_command(&rules, "git push", "git push"), "{rule}");
            for name in ["bash", "shell"] {
                assert_eq!(verdict(&rules, name, &["git push".into()]), Some(Action::Deny), "{rule} {name}");
            }
            assert_eq!(verdict(&rules, "edit", &["git push".into()]), None, "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        for text in ["", "allow", "permit bash", "deny "] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
        let rule = Rule::parse(" deny  bash   git push * ").expect("a rule");
        assert_eq!((rule.permission.as_str(), rule.pattern.as_str()), ("bash", "git push *"));
    }
}
