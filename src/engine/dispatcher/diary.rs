//! What the log says of missions: a line for each fact that changes how a mission or a task stands, or says why it does not
//! go on. Told once the fact is written down, so that the log and the journal say the same.
//!
//! Absent on purpose: what follows at once from another line (a prompt, a tree that was recorded), and what agents wrote to
//! each other at length; the journal has that.
use crate::domain::ids::{AttemptId, MissionId, TaskId};
use crate::domain::mask::masked;
use crate::domain::verdict::Finding;
use crate::engine::core::Turn;
use crate::engine::core::event::{AttemptKind, Event, Outcome, Subject};
use crate::engine::core::log::words;
use crate::engine::prompts::clip;
use crate::engine::report::outcome;
use std::collections::BTreeMap;

/// Target of these lines, for `GANTRY_LOG`.
const TARGET: &str = "gantry::mission";
/// Longest text of a line, in bytes.
const MAX_TEXT: usize = 400;
/// Findings of one look or verdict that are told.
const MAX_FINDINGS: usize = 5;

pub(super) struct Line {
    mission: MissionId,
    fact: &'static str,
    from: Option<&'static str>,
    says: Says,
}

#[derive(Default)]
struct Says {
    task: Option<String>,
    attempt: Option<String>,
    session: Option<String>,
    to: Option<&'static str>,
    text: String,
}

/// Of the facts that have one; none at all where nobody wants such lines.
pub(super) fn lines(turn: &Turn) -> Vec<Line> {
    if turn.events.is_empty() || !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return Vec::new();
    }
    let lines = turn.events.iter().enumerate().filter_map(|(n, (mission, event))| {
        let says = says(event)?;
        // Masked first: what was cut may not look like a secret any more.
        let text = clip(&masked(&one_line(&says.text)), MAX_TEXT);
        let from = turn.before.get(&n).copied();
        Some(Line { mission: mission.clone(), fact: event.kind(), from, says: Says { text, ..says } })
    });
    lines.collect()
}

/// A mission that was let go in the turn has written nothing, and nothing is told of it.
pub(super) fn tell(lines: &[Line], written: &BTreeMap<MissionId, u64>) {
    for Line { mission, fact, from, says } in lines.iter().filter(|line| written.contains_key(&line.mission))
    {
        let Says { task, attempt, session, to, text } = says;
        let (task, attempt, session) = (task.as_deref(), attempt.as_deref(), session.as_deref());
        tracing::info!(target: TARGET, %mission, fact, task, attempt, session, from, to, "{text}");
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(event: &Event) -> Option<Says> {
    let plain = |text: String| Says { text, ..Says::default() };
    let of_task = |task: &TaskId, text: String| Says { task: Some(task.0.clone()), ..plain(text) };
    let of_subject = |subject: &Subject, text: String| Says { task: Some(named(subject)), ..plain(text) };
    let of_attempt = |id: &AttemptId, text: String| Says { attempt: Some(id.0.clone()), ..plain(text) };
    Some(match event {
        Event::Created(created) => plain(format!("accepted in {}: {}", created.worktree, created.title)),
        Event::StateChanged { to, reason } => Says { to: Some(to.name()), ..plain(reason.clone()) },
        Event::PhaseChanged { to } => Says { to: Some(to.name()), ..plain(format!("phase {}", to.name())) },
        Event::TaskChanged { task, to, note } => {
            let text = note.clone().unwrap_or_else(|| format!("{task} {}", to.name().replace('_', " ")));
            Says { to: Some(to.name()), ..of_task(task, text) }
        }
        Event::AttemptOpened { attempt, kind, session, ordinal, node, .. } => {
            let task = match kind {
                AttemptKind::Planning => node.as_ref().map(|task| task.0.clone()),
                AttemptKind::Work(task) => Some(task.0.clone()),
                AttemptKind::Review(subject) => Some(named(subject)),
            };
            let session = session.as_ref().map(|session| session.0.clone());
            let text = format!("{} {ordinal} begins", kind.role().name());
            Says { task, session, ..of_attempt(attempt, text) }
        }
        Event::AttemptSession { attempt, session } => {
            Says { session: Some(session.0.clone()), ..of_attempt(attempt, "has its conversation".into()) }
        }
        Event::AttemptClosed { attempt, outcome, usage } => {
            let end = match outcome {
                Outcome::Done => "done".to_owned(),
                Outcome::Aborted => "ended by Gantry".into(),
                Outcome::Failed { reason } => format!("failed: {reason}"),
            };
            of_attempt(attempt, format!("{end} ({} tokens)", usage.tokens))
        }
        Event::Inspected { inspection, .. } if inspection.findings.is_empty() => return None,
        Event::Inspected { subject, inspection } => {
            of_subject(subject, format!("found: {}", listed(&inspection.findings)))
        }
        Event::Checked { results, .. } if results.is_empty() => return None,
        Event::Checked { subject, results, .. } => {
            let each = results.iter().map(|r| format!("{} {}", r.command, outcome(r)));
            of_subject(subject, format!("checks: {}", each.collect::<Vec<_>>().join("; ")))
        }
        Event::Judged { subject, verdict } => {
            let word = if verdict.approved { "approved" } else { "sent back" };
            of_subject(subject, format!("{word}: {} {}", verdict.summary, listed(&verdict.findings)))
        }
        Event::Accepted { task, by, reason, .. } => {
            let subject = task.clone().map_or(Subject::Whole, Subject::Task);
            of_subject(&subject, format!("accepted by {by}: {reason}"))
        }
        Event::Reopened { task } => of_task(task, "to be done again".into()),
        Event::Asked { attempt, permission, patterns, .. } => {
            of_attempt(attempt, format!("asks for {permission}: {}", patterns.join(", ")))
        }
        Event::AskJudged { ask, allow, by, reason } => {
            let word = if *allow { "allowed" } else { "refused" };
            let why = reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
            plain(format!("{ask} {word} ({}){why}", by.name()))
        }
        Event::BatchChecked { changes, passed, .. } => {
            let word = if *passed { "passed" } else { "failed" };
            plain(format!("checks of {changes} changes together {word}"))
        }
        Event::BatchMerged { changes } => plain(format!("{changes} changes merged")),
        Event::UserTreeTaken { clashes, .. } if !clashes.is_empty() => {
            plain(format!("the user's files contradict the result: {}", clashes.join("; ")))
        }
        Event::Landed { .. } => plain("the result is in the user's files".into()),
        Event::WorktreesReleased { left_at: Some(place) } => plain(format!("the result was left at {place}")),
        Event::ContextPut { .. } => return None,
        other => plain(words(other)?),
    })
}

fn named(subject: &Subject) -> String {
    match subject {
        Subject::Task(task) => task.0.clone(),
        Subject::Whole => "whole".into(),
    }
}

fn listed(findings: &[Finding]) -> String {
    let mut told: Vec<_> = findings.iter().take(MAX_FINDINGS).map(Finding::line_text).collect();
    if findings.len() > MAX_FINDINGS {
        told.push(format!("and {} more", findings.len() - MAX_FINDINGS));
    }
    told.join("; ")
}
