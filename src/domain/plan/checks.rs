//! Which of the commands that a planner proposes as checks may run.
//!
//! Checks are run by the sidecar, so a command of a model's own making would run past the permission the host
//! asks for its shell. Only the project's own checks pass, as they are or narrowed to paths of the project.
use super::fault::quote;
use crate::domain::lease::Pattern;

/// Programs that take an argument for one more thing to do (`make test deploy`), not for a place to look at.
const TARGET_RUNNERS: &[&str] = &[
    "ant", "bazel", "buck2", "gmake", "gradle", "gradlew", "invoke", "just", "lein", "make", "mix", "mvn",
    "mvnw", "ninja", "nox", "rake", "sbt", "scons", "task", "tox",
];

/// The command to run for `asked`, when one of `known` allows it.
pub(super) fn allow(asked: &str, known: &[String]) -> Option<String> {
    let asked: Vec<&str> = asked.split_whitespace().collect();
    known.iter().find_map(|check| {
        let words: Vec<&str> = check.split_whitespace().collect();
        let rest = asked.strip_prefix(words.as_slice()).filter(|_| !words.is_empty())?;
        if rest.is_empty() {
            return Some(check.clone());
        }
        // `npm test -- test/a.js`: what follows goes to the script.
        let rest = if is_script(&words) { rest.strip_prefix(&["--"]).unwrap_or(rest) } else { rest };
        if is_script(&words) && !rest.is_empty() && rest.iter().all(|word| is_plain_path(word)) {
            return Some(format!("{} -- {}", check.trim(), rest.join(" ")));
        }
        let extensible = takes_paths(&words) && rest.iter().all(|word| is_plain_path(word));
        extensible.then(|| format!("{} {}", check.trim(), rest.join(" ")))
    })
}

/// Runs a script of package.json, which takes what stands after `--` as its own arguments.
fn is_script(words: &[&str]) -> bool {
    matches!(words, ["npm" | "pnpm" | "yarn" | "bun", "test"] | ["npm" | "pnpm" | "yarn" | "bun", "run", _])
}

/// Appending to a command with shell syntax could change what it does (`… | tee`), so such a one stands as it is.
fn takes_paths(words: &[&str]) -> bool {
    let program = words[0].rsplit('/').next().unwrap_or_default();
    words.iter().all(|word| word.chars().all(is_harmless)) && !TARGET_RUNNERS.contains(&program)
}

fn is_harmless(c: char) -> bool {
    c.is_alphanumeric() || "/._-+@,:=".contains(c)
}

/// A relative path, or a test within one as pytest writes it (`tests/test_a.py::test_b`). A bare word is not
/// taken for a path: for too many tools it is the name of something to do.
fn is_plain_path(word: &str) -> bool {
    let mut parts = word.split("::");
    let path = parts.next().unwrap_or_default();
    let inner = path.strip_prefix("./").unwrap_or(path);
    path.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_')
        && inner.contains(['/', '.'])
        && path.chars().all(|c| c.is_alphanumeric() || "/._-+@,".contains(c))
        && Pattern::parse(path).is_ok()
        && parts.all(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

/// Tells the planner what became of a check that may not run.
pub(super) fn left_out(task: &str, asked: &str, known: &[String]) -> String {
    let choice = match known {
        [] => "this project has no checks to choose from".to_string(),
        known => format!(
            "only {} may run, followed by paths of the project where the tool takes paths",
            known.iter().map(|check| quote(check)).collect::<Vec<_>>().join(", ")
        ),
    };
    format!("The check {} of {task} is left out: {choice}.", quote(asked))
}
