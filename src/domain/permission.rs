//! The mission's own rules for what its agents do: `allow bash npm test*`, `deny webfetch`; the last that fits counts.
//!
//! They come before the user is asked, and never widen what the host allows: an allowance answers what the host asks for,
//! and what the host denies it does not ask for.

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
        matches(&self.permission, permission) && matches(&self.pattern, subject)
    }
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

/// Whether a shell command is denied, or a part of it that would run by itself. Only words are compared: who means to get
/// round a rule can.
pub fn denies_command(rules: &[Rule], command: &str) -> bool {
    let parts = command.split(['\n', ';', '|', '&']).map(str::trim).filter(|part| !part.is_empty());
    let all: Vec<_> = parts.chain([command.trim()]).map(String::from).collect();
    verdict(rules, "bash", &all) == Some(Action::Deny)
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
        for command in
            ["git push", "cd a && git push origin", "true;git push", "echo x |git push\nls", " git push "]
        {
            assert!(denies_command(&rules, command), "{command}");
        }
        for command in ["git pull", "echo git push", "git-push"] {
            assert!(!denies_command(&rules, command), "{command}");
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
