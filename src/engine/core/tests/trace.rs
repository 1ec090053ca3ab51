//! The facts of a journal as short lines, for literal expectations.
use crate::domain::ids::Millis;
use crate::engine::core::event::*;
use std::collections::BTreeMap;

pub fn lines(log: &[(Millis, Event)]) -> Vec<String> {
    let mut names = BTreeMap::new();
    log.iter().map(|(_, event)| line(event, &mut names)).collect()
}

fn subject(kind: &AttemptKind) -> String {
    match kind {
        AttemptKind::Planning => "plan".into(),
        AttemptKind::Work(task) => task.0.clone(),
        AttemptKind::Review(Subject::Task(task)) => format!("review {task}"),
        AttemptKind::Review(Subject::Whole) => "review whole".into(),
    }
}

fn of(subject: &Subject) -> &str {
    match subject {
        Subject::Task(task) => task.as_str(),
        Subject::Whole => "whole",
    }
}

fn line(event: &Event, names: &mut BTreeMap<String, String>) -> String {
    let mut name =
        |attempt: &crate::domain::ids::AttemptId| names.entry(attempt.0.clone()).or_default().clone();
    match event {
        Event::StateChanged { to, .. } => format!("state {}", to.name()),
        Event::PhaseChanged { to } => format!("phase {}", to.name()),
        Event::Briefed { source, brief } => format!("briefed by {source:?}: {}", brief.text),
        Event::Planned { source, plan, .. } => format!("planned by {source:?}: {}", plan.tasks.len()),
        Event::TaskAdded { spec } => format!("added {}", spec.id),
        Event::TaskChanged { task, to, .. } => format!("task {task} {}", to.name()),
        Event::AttemptOpened { attempt, kind, ordinal, .. } => {
            let subject = format!("{} #{ordinal}", subject(kind));
            names.insert(attempt.0.clone(), subject.clone());
            format!("open {subject}")
        }
        Event::AttemptSession { attempt, session } => format!("session {}: {session}", name(attempt)),
        Event::Prompted { attempt, reason } => format!("prompt {}: {reason:?}", name(attempt)),
        Event::Submitted { attempt, .. } => format!("submit {}", name(attempt)),
        Event::AttemptClosed { attempt, outcome, .. } => match outcome {
            Outcome::Done => format!("close {}: done", name(attempt)),
            Outcome::Failed { reason } => format!("close {}: {reason}", name(attempt)),
            Outcome::Aborted => format!("close {}: aborted", name(attempt)),
        },
        Event::Accepted { task, reason, .. } => {
            format!("accepted {}: {reason}", task.as_ref().map_or("whole", |t| t.as_str()))
        }
        Event::PathTaken { task, path } => format!("taken {task}: {path}"),
        Event::Inspected { subject, .. } => format!("inspected {}", of(subject)),
        Event::Checked { subject, results, .. } => format!("checked {}: {}", of(subject), results.len()),
        Event::Judged { subject, verdict } => {
            format!("judged {}: {}", of(subject), if verdict.approved { "yes" } else { "no" })
        }
        Event::HandedBack { how } => format!("handed back: {how:?}"),
        other => other.kind().into(),
    }
}
