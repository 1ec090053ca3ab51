//! Which of the permissions that wait the user's words are about.
use crate::engine::handle::{AskView, Refusal};
use crate::protocol::types::Command;

#[derive(Debug, PartialEq)]
pub(super) enum Which<'a> {
    /// And why it is refused.
    One(&'a AskView, Option<&'a str>),
    Several(Vec<&'a AskView>),
}

/// The only one that waits, or the one whose id or task stands first in the words; what follows is the reason of a refusal.
pub(super) fn which_ask<'a>(
    asks: &'a [AskView],
    tasks: &[&str],
    allow: bool,
    words: &'a str,
) -> Result<Which<'a>, Refusal> {
    let open: Vec<_> = asks.iter().filter(|ask| ask.allowed.is_none()).collect();
    let (first, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let is = |name: &str| name.eq_ignore_ascii_case(first);
    let meant = |ask: &&AskView| is(&ask.id) || ask.task.as_deref().is_some_and(is);
    let named: Vec<_> = open.iter().copied().filter(meant).collect();
    // An answer to one that does not wait must not become an answer to another.
    let other = asks.iter().any(|ask| meant(&ask)) || tasks.iter().any(|task| is(task));
    if named.is_empty() && (other || (allow && !words.is_empty())) {
        return Err(Refusal::NotFound(format!(
            "no permission of {first:?} waits for an answer; name one by its task or id, as `gantry permissions` lists them"
        )));
    }
    let (candidates, reason) = if named.is_empty() { (open, words) } else { (named, rest.trim()) };
    if allow && !reason.is_empty() {
        let text = "/task-allow takes the ask and nothing else; /task-steer tells the agents something";
        return Err(Refusal::Invalid(text.into()));
    }
    match candidates[..] {
        [] => Err(Refusal::NotFound(
            "no permission of this mission waits for an answer; `gantry permissions` lists what is open"
                .into(),
        )),
        [ask] => Ok(Which::One(ask, (!reason.is_empty()).then_some(reason))),
        _ => Ok(Which::Several(candidates)),
    }
}

pub(super) fn choice_of_asks(open: &[&AskView], command: Command) -> String {
    let lines: Vec<_> = open.iter().map(|ask| format!("- {} {}", ask.id, ask_line(ask))).collect();
    let (name, id) = (command.name(), open.first().map_or("", |ask| &ask.id));
    format!("{} permissions wait. Say which one, as in /task-{name} {id}\n{}", open.len(), lines.join("\n"))
}

/// Whole: what is allowed has to be seen.
pub(super) fn ask_line(ask: &AskView) -> String {
    let who = ask.task.as_ref().map(|task| format!("{task}: ")).unwrap_or_default();
    format!("{who}{} ({})", ask.permission, ask.patterns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Millis;

    fn ask(id: &str, task: &str, allowed: Option<bool>) -> AskView {
        AskView {
            id: id.into(),
            session: None,
            task: Some(task.into()),
            permission: "bash".into(),
            patterns: vec![format!("make {task}")],
            at: Millis(0),
            allowed,
            by: None,
        }
    }

    #[test]
    fn an_answer_is_to_the_ask_that_was_meant_and_to_no_other() {
        let tasks = ["T1", "T2", "T3"];
        let one = [ask("per_1", "T1", None), ask("per_0", "T2", Some(true))];
        let more = [ask("per_1", "T1", None), ask("per_2", "T2", None), ask("per_3", "T2", None)];
        let id = |asks, allow, words| match which_ask(asks, &tasks, allow, words) {
            Ok(Which::One(ask, reason)) => format!("{} {}", ask.id, reason.unwrap_or("-")),
            Ok(Which::Several(open)) => format!("{} of {}", open.len(), open[0].id),
            Err(refusal) => refusal.to_string(),
        };
        let table: [(&[AskView], bool, &str, &str); 14] = [
            (&[], true, "", "no permission of this mission waits"),
            (&[], false, "not that", "no permission of this mission waits"),
            (&one, true, "", "per_1 -"),
            (&one, true, "t1", "per_1 -"),
            (&one, true, "T1 please", "/task-allow takes the ask and nothing else"),
            (&one, true, "third one", "no permission of \"third\" waits"),
            (&one, true, "per_0", "no permission of \"per_0\" waits"),
            (&one, false, "use pnpm", "per_1 use pnpm"),
            (&one, false, "per_1 use pnpm", "per_1 use pnpm"),
            (&one, false, "T3", "no permission of \"T3\" waits"),
            (&more, true, "", "3 of per_1"),
            (&more, true, "T2", "2 of per_2"),
            (&more, true, "PER_3", "per_3 -"),
            (&more, false, "T1 use pnpm", "per_1 use pnpm"),
        ];
        for (asks, allow, words, expected) in table {
            let said = id(asks, allow, words);
            assert!(said.starts_with(expected), "{words:?}: {said}");
        }
        let open: Vec<_> = more.iter().collect();
        let choice = choice_of_asks(&open, Command::Deny);
        assert!(choice.starts_with(
            "3 permissions wait. Say which one, as in /task-deny per_1\n- per_1 T1: bash (make T1)\n"
        ));
    }
}
