//! What the full view of a mission shows beyond its tasks: who tried what, and what was found, as plain values.
use super::core::event::{AttemptKind, Outcome, Subject};
use super::core::state::{Attempt, Mission, Task};
use super::prompts::clip;
use crate::domain::ids::Millis;
use crate::domain::verdict::Finding;

/// Newest attempts that are shown; a mission of the largest plan may have ten times as many.
const MAX_ATTEMPTS: usize = 200;
const MAX_FINDINGS: usize = 100;
/// Longest reason and message, in bytes.
const MAX_TEXT: usize = 1_000;

#[derive(Debug, Clone, PartialEq)]
pub struct AttemptView {
    pub role: &'static str,
    /// None for planning, and for the review of the whole.
    pub task: Option<String>,
    pub ordinal: u32,
    pub session: Option<String>,
    pub state: &'static str,
    pub reason: Option<String>,
    pub opened_at: Millis,
    pub closed_at: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FindingView {
    /// None for the whole.
    pub task: Option<String>,
    pub finding: Finding,
}

/// Oldest first.
pub fn attempts(mission: &Mission) -> Vec<AttemptView> {
    let mut all: Vec<&Attempt> = mission.attempts.values().collect();
    all.sort_by_key(|attempt| attempt.token);
    let newest = all.len().saturating_sub(MAX_ATTEMPTS);
    all[newest..].iter().map(|a| attempt(a)).collect()
}

fn attempt(attempt: &Attempt) -> AttemptView {
    let task = match &attempt.kind {
        AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(task.0.clone()),
        AttemptKind::Planning | AttemptKind::Review(Subject::Whole) => None,
    };
    let (state, reason) = match &attempt.outcome {
        None => ("open", None),
        Some(Outcome::Done) => ("done", None),
        Some(Outcome::Aborted) => ("aborted", None),
        Some(Outcome::Failed { reason }) => ("failed", Some(clip(reason, MAX_TEXT))),
    };
    AttemptView {
        role: attempt.role().name(),
        task,
        ordinal: attempt.ordinal,
        session: attempt.session.as_ref().map(|session| session.0.clone()),
        state,
        reason,
        opened_at: attempt.opened_at,
        closed_at: attempt.closed_at,
    }
}

/// Of the newest reviews and looks, task by task.
pub fn findings(mission: &Mission) -> Vec<FindingView> {
    let of_task = |task: &Task| {
        let id = task.spec.id.0.clone();
        task.findings.iter().map(move |f| (Some(id.clone()), f.clone())).collect::<Vec<_>>()
    };
    let whole = mission.whole.verdict.iter().flat_map(|verdict| verdict.findings.iter().cloned());
    let all = mission.tasks.iter().flat_map(of_task).chain(whole.map(|finding| (None, finding)));
    let bounded = |(task, finding): (Option<String>, Finding)| {
        let message = clip(&finding.message, MAX_TEXT);
        FindingView { task, finding: Finding { message, ..finding } }
    };
    all.take(MAX_FINDINGS).map(bounded).collect()
}
