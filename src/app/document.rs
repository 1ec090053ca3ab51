//! A mission as one JSON value: the same parts as the Markdown document of `engine::export`, and the journal.
use crate::domain::ids::Millis;
use crate::domain::mask::masked;
use crate::domain::verdict::{CheckResult, Finding, Verdict};
use crate::engine::core::event::{AttemptKind, Event, Outcome, Subject};
use crate::engine::core::state::{Attempt, Gate, Mission};
use crate::engine::{export, report};
use crate::ports::store::Record;
use crate::protocol::types::MissionDetail;
use serde_json::{Map, Value, json};

/// `detail` as `gantry show --json` gives it, with what only this document has beside it.
pub(super) fn json(
    mission: &Mission,
    facts: &[(Millis, Event)],
    detail: &MissionDetail,
    records: &[Record],
) -> Result<Value, serde_json::Error> {
    let mut all = serde_json::to_value(detail)?;
    all["text"] = json!(mission.created.text);
    all["brief"] = json!(mission.brief.as_ref().map(|brief| &brief.text));
    all["plan"] = json!(mission.plan.as_ref().map(|plan| &plan.summary));
    let mut attempts: Vec<_> = mission.attempts.values().collect();
    attempts.sort_by_key(|attempt| attempt.token);
    all["attempts"] = attempts.into_iter().map(attempt).collect();
    let diff = |subject| export::diff(facts, &subject);
    let of_tasks = mission.tasks.iter().map(|task| {
        let id = &task.spec.id;
        (id.0.clone(), gate(&task.gate, diff(Subject::Task(id.clone()))))
    });
    all["gates"] = of_tasks.collect::<Map<_, _>>().into();
    all["whole"] = gate(&mission.whole, diff(Subject::Whole));
    let journal = records.iter().map(|record| {
        let body: Value = serde_json::from_str(&record.body).unwrap_or_default();
        json!({"seq": record.seq, "at": record.at.0, "kind": record.kind, "body": body})
    });
    all["journal"] = journal.collect();
    mask(&mut all);
    Ok(all)
}

/// What is exported is passed on: nothing in it that looks like a secret.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn attempt(attempt: &Attempt) -> Value {
    let of = match &attempt.kind {
        AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(&task.0),
        _ => None,
    };
    let outcome = match &attempt.outcome {
        None => "open".to_owned(),
        Some(Outcome::Done) => "done".into(),
        Some(Outcome::Aborted) => "aborted".into(),
        Some(Outcome::Failed { reason }) => format!("failed: {reason}"),
    };
    json!({
        "id": attempt.id.0,
        "role": attempt.role().name(),
        "task": of,
        "ordinal": attempt.ordinal,
        "session": attempt.session.as_ref().map(|session| &session.0),
        "openedAt": attempt.opened_at.0,
        "outcome": outcome,
    })
}

/// The last look, its checks and its verdict.
fn gate(gate: &Gate, diff: &str) -> Value {
    let inspection = gate.inspection.as_ref();
    json!({
        "changed": inspection.map(|inspection| &inspection.changed),
        "diff": diff,
        "checks": gate.checks.iter().flatten().map(check).collect::<Vec<_>>(),
        "verdict": gate.verdict.as_ref().map(verdict),
    })
}

fn check(result: &CheckResult) -> Value {
    json!({
        "command": result.command,
        "passed": result.passed(),
        "outcome": report::outcome(result),
        "millis": result.millis,
    })
}

fn verdict(verdict: &Verdict) -> Value {
    json!({
        "approved": verdict.approved,
        "tree": verdict.tree.as_ref().map(|tree| &tree.0),
        "summary": verdict.summary,
        "findings": verdict.findings.iter().map(Finding::line_text).collect::<Vec<_>>(),
    })
}
