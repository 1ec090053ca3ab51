//! What happened in a mission, in words: the newest lines for who follows it, all of them for its document.
use super::event::*;
use super::state::Mission;
use crate::domain::ids::{Millis, TaskId};
use crate::domain::task::TaskState;
use crate::engine::prompts::clip;
use std::collections::VecDeque;

/// Lines that are kept of a mission; a screen shows fewer.
const KEPT: usize = 60;
/// Longest line, in bytes.
const MAX_LINE: usize = 300;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub at: Millis,
    pub text: String,
}

/// The newest lines, oldest first. Read off the facts like all of the state, so that a replay gives the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Log(VecDeque<Note>);

impl Log {
    pub(super) fn take(&mut self, at: Millis, event: &Event) {
        let Some(text) = words(event) else { return };
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Note { at, text: clip(&one_line(&text), MAX_LINE) });
    }

    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    pub fn last(&self) -> Option<&Note> {
        self.0.back()
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How that stands, before the fact, which it says is otherwise now.
pub(super) fn standing(mission: &Mission, event: &Event) -> Option<&'static str> {
    match event {
        Event::StateChanged { .. } => Some(mission.state.name()),
        Event::PhaseChanged { .. } => mission.phase.map(|phase| phase.name()),
        Event::TaskChanged { task, .. } => mission.task(task).map(|task| task.state.name()),
        _ => None,
    }
}

/// None for what follows from another fact, or says nothing to a person.
pub fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::StateChanged { to, reason } => format!("{}: {reason}", to.name()),
        Event::PhaseChanged { to } => format!("phase {}", to.name()),
        // These two lead at once to the next.
        Event::TaskChanged { to: TaskState::Ready | TaskState::Assigned, note: None, .. } => return None,
        Event::TaskChanged { task, to, note } => {
            let note = note.as_ref().map_or(String::new(), |note| format!(": {note}"));
            format!("{task} {}{note}", to.name().replace('_', " "))
        }
        Event::Planned { plan, source, .. } => {
            let by = match source {
                PlanSource::Planner => "",
                PlanSource::Repaired => ", mended by the planner",
                PlanSource::Rules => ", made by rule",
            };
            format!("planned: {} tasks{by}", plan.tasks.len())
        }
        Event::PlanRevised { tasks, dropped, remarks } if tasks.is_empty() && dropped.is_empty() => {
            let why = remarks.first().map_or(String::new(), |why| format!(": {why}"));
            format!("the plan stays as it is{why}")
        }
        Event::PlanRevised { tasks, dropped, .. } => {
            let names = |ids: Vec<&str>| ids.join(", ");
            let changed = names(tasks.iter().map(|t| t.id.as_str()).collect());
            let dropped = names(dropped.iter().map(TaskId::as_str).collect());
            match (changed.as_str(), dropped.as_str()) {
                (changed, "") => format!("planned anew: {changed}"),
                ("", dropped) => format!("planned anew: without {dropped}"),
                (changed, dropped) => format!("planned anew: {changed}; without {dropped}"),
            }
        }
        Event::TaskAdded { spec } => format!("{} added: {}", spec.id, spec.title),
        Event::PlanJudged { approved: true, .. } => "plan approved by the user".into(),
        Event::PlanJudged { reason, .. } => {
            format!("plan refused by the user: {}", reason.as_deref().unwrap_or("no reason given"))
        }
        Event::PlanRefused { faults, task } => {
            let of = task.as_ref().map_or(String::new(), |task| format!(" of {task}"));
            format!("plan{of} refused: {}", faults.join("; "))
        }
        Event::Expanded { task, parts, .. } if parts.is_empty() => format!("{task} is worked as it is"),
        Event::Expanded { task, parts, .. } => format!("{task} planned further: {} parts", parts.len()),
        Event::RaceBegun { task, tries } if tries.is_empty() => format!("{task} is worked by one worker"),
        Event::RaceBegun { task, tries } => format!("{task} is raced: {} tries", tries.len()),
        Event::RaceWon { taken, why, .. } => format!("{taken} is taken: {why}"),
        Event::RaceLost { task } => format!("no try at {task} was good enough"),
        Event::ModeChosen { task, .. } => format!("{task} is to be planned further"),
        Event::ContextPut { key, value: Some(value), .. } => format!("note {key}: {value}"),
        Event::ContextPut { key, value: None, .. } => format!("note {key} taken away"),
        Event::AttemptClosed { attempt, outcome: Outcome::Failed { reason }, .. } => {
            let number = attempt.as_str().rsplit('/').next().unwrap_or_default();
            format!("attempt {number} failed: {reason}")
        }
        Event::Checked { subject, results, .. } => {
            let failed = results.iter().filter(|r| !r.passed()).count();
            match (results.len(), failed) {
                (0, _) => return None,
                (_, 0) => format!("checks of {} passed", of(subject)),
                (all, failed) => format!("checks of {}: {failed} of {all} failed", of(subject)),
            }
        }
        Event::Steered { text, task: Some(task), .. } => format!("{task} steered: {text}"),
        Event::Steered { text, .. } => format!("steered: {text}"),
        Event::RollbackBegun { scope, files, .. } => {
            format!("taking back {}: {files}", super::scope_text(scope))
        }
        Event::RolledBack { fault: Some(fault), .. } => format!("nothing taken back: {fault}"),
        Event::RolledBack { left, .. } if left.is_empty() => "files taken back".into(),
        Event::RolledBack { left, .. } => format!("files taken back, but for {}", left.join("; ")),
        Event::Restored { checkpoint } => format!("taken back to checkpoint {checkpoint}"),
        Event::Judged { subject, verdict } => {
            let word = if verdict.approved { "approved" } else { "sent back" };
            format!("review of {}: {word}: {}", of(subject), verdict.summary)
        }
        Event::HandedBack { .. } => "report handed back".into(),
        _ => return None,
    })
}

fn of(subject: &Subject) -> &str {
    match subject {
        Subject::Task(task) => task.as_str(),
        Subject::Whole => "the whole",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_stay_and_each_is_one_line() {
        let mut log = Log::default();
        for n in 0..KEPT as u64 + 5 {
            let text = format!("word {n}\n  more {}", "x".repeat(400));
            log.take(Millis(n), &Event::Steered { text, task: None, replan: None });
        }
        log.take(Millis(0), &Event::Baselined { results: Vec::new(), wrote: Vec::new() });
        assert_eq!(log.iter().count(), KEPT);
        assert_eq!(log.iter().next().map(|note| note.at), Some(Millis(5)));
        let last = &log.last().expect("a line").text;
        assert!(last.starts_with("steered: word 64 more xxx") && last.len() <= MAX_LINE + '…'.len_utf8());
    }
}
