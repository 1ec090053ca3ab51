//! A mission as a document: plan, attempts, verdicts, checks, cost and timeline. Pure text from the journal.
use super::core::event::{AttemptKind, Event, Outcome, Subject};
use super::core::log;
use super::core::state::{Attempt, Mission, Task};
use super::prompts::{clip, duration};
use super::report;
use crate::domain::ids::Millis;
use crate::domain::verdict::{CheckResult, Verdict};
use std::fmt::Write;

/// Longest diff of one task in the document, in bytes.
const MAX_DIFF: usize = 60_000;
/// The report is a fact of its moment, and the host may count the last turns after it.
const REPORTED: &str =
    "As it was given when the mission ended. What the host counted later is in the sum at the top alone.";

pub fn markdown(mission: &Mission, facts: &[(Millis, Event)]) -> String {
    let mut out = String::new();
    let created = &mission.created;
    let counts = report::counts(mission);
    let _ = writeln!(out, "# {}\n", created.title);
    let _ = writeln!(out, "| | |\n|---|---|");
    let _ = writeln!(out, "| mission | `{}` |", mission.id);
    let _ = writeln!(out, "| state | {} ({}) |", mission.state.name(), cell(&mission.reason));
    let _ = writeln!(out, "| tasks | {} of {} done |", counts.done, counts.total);
    if let Some(ended) = mission.ended_at {
        let _ = writeln!(out, "| time | {} |", duration(ended.since(mission.created_at)));
    }
    let _ = writeln!(out, "| spent in all | {} tokens, ${:.2} |", mission.spent.tokens, mission.spent.cost);
    let _ = writeln!(out, "| project | `{}` |\n", created.worktree);
    let _ = writeln!(out, "## Task\n\n{}\n", quote(&created.text));
    if let Some(brief) = mission.brief.as_ref().filter(|brief| brief.text != created.text) {
        let _ = writeln!(out, "## Brief\n\n{}\n", quote(&brief.text));
    }
    if let Some(plan) = &mission.plan {
        let _ = writeln!(out, "## Plan\n\n{}\n", plan.summary);
    }
    for task in mission.in_order() {
        of_task(&mut out, mission, task, diff(facts, &Subject::Task(task.spec.id.clone())));
    }
    whole(&mut out, mission);
    if let Some(text) = &mission.report {
        let _ = writeln!(out, "## Report\n\n{REPORTED}\n\n{}\n", fenced(text.trim_end()));
    }
    timeline(&mut out, mission, facts);
    out
}

/// What the last look at a subject found changed. From the journal: the state keeps no diff once it was judged.
pub fn diff<'a>(facts: &'a [(Millis, Event)], of: &Subject) -> &'a str {
    let look = facts.iter().rev().find_map(|(_, event)| match event {
        Event::Inspected { subject, inspection } if subject == of => Some(inspection),
        _ => None,
    });
    look.map_or("", |inspection| &inspection.diff)
}

fn of_task(out: &mut String, mission: &Mission, task: &Task, diff: &str) {
    let spec = &task.spec;
    let _ = writeln!(out, "### {} {}: {}\n", spec.id, task.state.name(), spec.title);
    if !spec.description.is_empty() {
        let _ = writeln!(out, "{}\n", spec.description);
    }
    if !spec.depends_on.is_empty() {
        let needs: Vec<_> = spec.depends_on.iter().map(|id| id.0.as_str()).collect();
        let _ = writeln!(out, "- after {}", needs.join(", "));
    }
    if !spec.files.is_empty() {
        let _ = writeln!(out, "- files: `{}`", spec.files.join("`, `"));
    }
    if let Some(race) = report::race(mission, task) {
        let _ = writeln!(out, "- race: {race}");
    }
    if let Some(note) = &task.note {
        let _ = writeln!(out, "- {note}");
    }
    let work = AttemptKind::Work(spec.id.clone());
    let review = AttemptKind::Review(Subject::Task(spec.id.clone()));
    let mut attempts: Vec<_> =
        mission.attempts.values().filter(|a| a.kind == work || a.kind == review).collect();
    attempts.sort_by_key(|a| a.token);
    attempts.iter().for_each(|attempt| of_attempt(out, attempt));
    if let Some(summary) = &task.summary {
        let _ = writeln!(out, "\nWorker: {summary}");
    }
    of_gate(out, task.gate.checks.as_deref(), task.gate.verdict.as_ref());
    if !diff.is_empty() {
        let _ = writeln!(out, "\n{}", fence("diff", &clip(diff, MAX_DIFF)));
    }
    out.push('\n');
}

fn of_attempt(out: &mut String, attempt: &Attempt) {
    let end = match &attempt.outcome {
        None => "open".to_owned(),
        Some(Outcome::Done) => "done".into(),
        Some(Outcome::Aborted) => "ended by Gantry".into(),
        Some(Outcome::Failed { reason }) => format!("failed: {reason}"),
    };
    let session = attempt.session.as_ref().map_or(String::new(), |session| format!(", session `{session}`"));
    let _ = writeln!(out, "- {} #{}{session}: {end}", attempt.role().name(), attempt.ordinal);
}

fn of_gate(out: &mut String, checks: Option<&[CheckResult]>, verdict: Option<&Verdict>) {
    for check in checks.unwrap_or_default() {
        let _ = writeln!(out, "- `{}`: {}", check.command, report::outcome(check));
    }
    if let Some(verdict) = verdict {
        let word = if verdict.approved { "approved" } else { "sent back" };
        let _ = writeln!(out, "\nReview: {word}. {}", verdict.summary);
        for finding in &verdict.findings {
            let _ = writeln!(out, "- {}", finding.line_text());
        }
    }
}

fn whole(out: &mut String, mission: &Mission) {
    if mission.whole.checks.is_none() && mission.whole.verdict.is_none() {
        return;
    }
    let _ = writeln!(out, "## The whole\n");
    of_gate(out, mission.whole.checks.as_deref(), mission.whole.verdict.as_ref());
    out.push('\n');
}

fn timeline(out: &mut String, mission: &Mission, facts: &[(Millis, Event)]) {
    let _ = writeln!(out, "## Timeline\n");
    for (at, event) in facts {
        let Some(text) = log::words(event) else { continue };
        let _ = writeln!(out, "- {} {}", duration(at.since(mission.created_at)), cell(&text));
    }
}

fn quote(text: &str) -> String {
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

/// On one line, and no end of a table's cell.
fn cell(text: &str) -> String {
    clip(&text.replace('\n', " ").replace('|', "\\|"), 500)
}

fn fenced(text: &str) -> String {
    fence("text", text)
}

/// With a fence longer than any inside.
fn fence(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest.max(2) + 1);
    format!("{ticks}{language}\n{text}\n{ticks}")
}
