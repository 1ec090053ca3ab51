//! Flags before the words of `/task`.
use crate::domain::race::tries;

/// What the flags say, and the text without them.
#[derive(Debug, PartialEq, Default)]
pub struct Flags<'a> {
    pub budget: Option<Budget>,
    /// The plan is to wait for the user's word.
    pub approve: bool,
    /// The conversation is not to wait for the end.
    pub background: bool,
    /// Each task is to work in a working tree of its own.
    pub worktree: bool,
    /// So many tries at each task side by side.
    pub race: Option<u32>,
    pub text: &'a str,
}

#[derive(Debug, PartialEq, Clone, Copy)]
pub enum Budget {
    Tokens(u64),
    Dollars(f64),
}

const BUDGET: &str = "--budget takes tokens, as in 50k or 2m, or dollars, as in $2";

/// Flags stand first; `--` alone ends them.
pub fn parse(text: &str) -> Result<Flags<'_>, String> {
    let mut flags = Flags { text: text.trim(), ..Flags::default() };
    while flags.text.starts_with("--") {
        let (word, rest) = next(flags.text);
        flags.text = rest;
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        match name {
            "--" => return Ok(flags),
            "--approve" if value.is_none() => flags.approve = true,
            "--background" if value.is_none() => flags.background = true,
            "--worktree" if value.is_none() => flags.worktree = true,
            "--budget" => {
                let value = value.unwrap_or_else(|| value_of(&mut flags));
                flags.budget = Some(budget(value).ok_or(BUDGET)?);
            }
            "--race" => {
                let value = value.unwrap_or_else(|| value_of(&mut flags));
                flags.race = Some(tries(value)?);
            }
            other => {
                return Err(format!(
                    "/task has no flag {other}; there is --approve (the plan waits for you), --background (the conversation goes on meanwhile), --budget 50k (tokens) or --budget $2, --race 3 (tries at each task, the best is taken), --worktree (each task in a working tree of its own), and -- before words that begin with --"
                ));
            }
        }
    }
    Ok(flags)
}

fn value_of<'a>(flags: &mut Flags<'a>) -> &'a str {
    let (value, rest) = next(flags.text);
    flags.text = rest;
    value
}

fn next(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn budget(value: &str) -> Option<Budget> {
    if let Some(dollars) = value.strip_prefix('$') {
        return dollars.parse().ok().filter(|d: &f64| d.is_finite() && *d > 0.0).map(Budget::Dollars);
    }
    let lower = value.to_ascii_lowercase();
    let (digits, unit) = match lower.strip_suffix('k') {
        Some(digits) => (digits, 1e3),
        None => lower.strip_suffix('m').map_or((lower.as_str(), 1.0), |digits| (digits, 1e6)),
    };
    let tokens = digits.parse::<f64>().ok()? * unit;
    (tokens.is_finite() && tokens >= 1.0 && tokens.fract() == 0.0).then_some(Budget::Tokens(tokens as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_flag_and_what_is_text() {
        let tokens = |n| Some(Budget::Tokens(n));
        let good = [
            ("add a mode", None, "add a mode"),
            ("--budget 50k add a mode", tokens(50_000), "add a mode"),
            ("--budget=1.5M  add\na mode", tokens(1_500_000), "add\na mode"),
            ("--budget 70000 x", tokens(70_000), "x"),
            ("--budget $2.50 x", Some(Budget::Dollars(2.5)), "x"),
            ("--budget $1 --budget 3k x", tokens(3_000), "x"),
            ("-- --budget is a flag: document it", None, "--budget is a flag: document it"),
            ("document the flag --budget 50k", None, "document the flag --budget 50k"),
            ("--budget 50k", tokens(50_000), ""),
            ("", None, ""),
        ];
        for (given, budget, text) in good {
            assert_eq!(parse(given), Ok(Flags { budget, text, ..Flags::default() }), "{given}");
        }
        let all = Flags {
            budget: tokens(3_000),
            text: "x",
            approve: true,
            background: true,
            worktree: true,
            race: Some(3),
        };
        assert_eq!(parse("--approve --background --budget 3k --race 3 --worktree x"), Ok(all));
        assert_eq!(parse("--race=5 x").map(|flags| flags.race), Ok(Some(5)));
        for given in ["--race x", "--race", "--race 1 x", "--race 6 x", "--race=-2 x"] {
            assert_eq!(
                parse(given),
                Err("--race takes how many tries at each task: 2 to 5".into()),
                "{given}"
            );
        }
        for given in [
            "--budget",
            "--budget x",
            "--budget $",
            "--budget -3 x",
            "--budget 0.5 x",
            "--budget $inf x",
            "--budget= x",
        ] {
            assert_eq!(parse(given), Err(BUDGET.to_owned()), "{given}");
        }
        let unknown = parse("--budgt 3 x").expect_err("unknown");
        assert!(
            unknown.starts_with(
                "/task has no flag --budgt; there is --approve (the plan waits for you), --background (the conversation goes on meanwhile), --budget 50k"
            ),
            "{unknown}"
        );
    }
}
