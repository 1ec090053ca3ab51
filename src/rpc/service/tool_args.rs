//! Arguments of tool calls, as models write them, to inputs of the engine.
use super::convert::{NO_CHECKPOINT, NO_REASON, NO_TASK, NO_TEXT, scope, subject};
use crate::domain::ids::{MissionId, Role, TaskId};
use crate::domain::plan::{Draft, DraftTask};
use crate::domain::verdict::Finding;
use crate::engine::handle::{Control, NotePut, ReportStatus, RollbackAsk, ToolInput};
use crate::protocol::errors::NOT_FOUND;
use crate::protocol::tools as t;
use crate::rpc::RpcError;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Arguments that do not fit become `Malformed`, which the engine answers in words for the model.
pub fn tool_input(tool: &str, args: Value) -> Result<ToolInput, RpcError> {
    let read = match tool {
        "mission" => read(args, |a: t::MissionArgs| {
            Ok(ToolInput::Mission { brief: a.brief, acceptance: a.acceptance, constraints: a.constraints })
        }),
        "mission_status" => read(args, |a: t::MissionStatusArgs| {
            Ok(ToolInput::Status { mission: a.mission.filter(|m| !m.is_empty()).map(MissionId) })
        }),
        "mission_control" => read(args, mission_control),
        "context_put" => read(args, |a: t::ContextPutArgs| {
            let of_task = a.scope == Some(t::NoteScope::Task);
            let put = NotePut { key: a.key, value: a.value, of_task, expected: a.expected_version };
            Ok(ToolInput::ContextPut(put))
        }),
        "context_get" => read(args, |a: t::ContextGetArgs| {
            Ok(ToolInput::ContextGet { key: a.key.filter(|key| !key.is_empty()) })
        }),
        "submit_plan" => read(args, |a| Ok(ToolInput::Plan(draft(a)))),
        "submit_report" => read(args, |a| Ok(report(a))),
        "submit_review" => read(args, |a| Ok(review(a))),
        _ => return Err(RpcError::new(NOT_FOUND, format!("there is no tool {tool}"))),
    };
    Ok(read.unwrap_or_else(|fault| ToolInput::Malformed { tool: tool.into(), fault }))
}

fn read<A: DeserializeOwned>(
    args: Value,
    then: impl FnOnce(A) -> Result<ToolInput, String>,
) -> Result<ToolInput, String> {
    then(object(args)?)
}

/// Some models hand the arguments over as a string of JSON.
pub(super) fn object<A: DeserializeOwned>(args: Value) -> Result<A, String> {
    let args = match args {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|e| format!("the arguments are no JSON object: {e}"))?
        }
        args => args,
    };
    serde_json::from_value(args).map_err(|e| e.to_string())
}

fn mission_control(a: t::MissionControlArgs) -> Result<ToolInput, String> {
    let control = match a.action {
        t::ControlArg::Pause => Control::Pause,
        t::ControlArg::Suspend => Control::Suspend,
        t::ControlArg::Resume => Control::Resume,
        t::ControlArg::Cancel => Control::Cancel { by: "the Commander" },
        t::ControlArg::Retry => Control::Retry,
        t::ControlArg::Steer => {
            let text = a.text.filter(|t| !t.trim().is_empty());
            let task = a.task.filter(|t| !t.is_empty()).map(TaskId);
            Control::Steer { text: text.ok_or(NO_TEXT)?, task, now: a.now.unwrap_or_default() }
        }
        t::ControlArg::Accept => {
            let reason = a.text.filter(|t| !t.trim().is_empty()).ok_or(NO_REASON)?;
            Control::Accept { subject: subject(a.task), by: "the user, through the Commander", reason }
        }
        t::ControlArg::Expand => Control::Expand { task: TaskId(a.task.ok_or(NO_TASK)?) },
        t::ControlArg::Checkpoint => Control::Checkpoint,
        t::ControlArg::Restore => Control::Restore {
            checkpoint: a.checkpoint.ok_or(NO_CHECKPOINT)?,
            files: a.files.unwrap_or_default(),
        },
        t::ControlArg::Rollback => Control::Rollback {
            ask: RollbackAsk {
                scope: scope(a.task, a.checkpoint, a.undo.unwrap_or_default())?,
                dry_run: a.dry_run.unwrap_or_default(),
                // Only a person says that somebody's edits may go.
                force: false,
                with_state: false,
            },
        },
    };
    Ok(ToolInput::Control { mission: a.mission.filter(|m| !m.is_empty()).map(MissionId), control })
}

fn draft(a: t::SubmitPlanArgs) -> Draft {
    let task = |task: t::PlanTask| DraftTask {
        id: task.id,
        title: task.title,
        description: task.description,
        files: task.files,
        depends_on: task.depends_on,
        capabilities: task.capabilities,
        priority: task.priority.map(|p| match p {
            t::PlanPriority::High => "high".into(),
            t::PlanPriority::Normal => "normal".into(),
            t::PlanPriority::Low => "low".into(),
        }),
        checks: task.checks,
        estimate_minutes: task.estimate_minutes,
        mode: task.mode.map(|m| match m {
            t::PlanMode::Normal => "normal".into(),
            t::PlanMode::Fractal => "fractal".into(),
            t::PlanMode::Race => "race".into(),
        }),
    };
    Draft { summary: a.summary, tasks: a.tasks.into_iter().map(task).collect(), drop: a.drop }
}

fn report(a: t::SubmitReportArgs) -> ToolInput {
    let status = match a.status {
        t::ReportStatus::Done => ReportStatus::Done,
        t::ReportStatus::Partial => ReportStatus::Partial,
        t::ReportStatus::Blocked => ReportStatus::Blocked,
    };
    ToolInput::Report { status, summary: a.summary, files: a.files_changed, notes: a.notes }
}

fn review(a: t::SubmitReviewArgs) -> ToolInput {
    let finding =
        |f: t::FindingArg| Finding { file: f.file, line: f.line, severity: f.severity, message: f.message };
    ToolInput::Review {
        approved: a.verdict == t::ReviewVerdict::Approve,
        summary: a.summary,
        findings: a.findings.into_iter().map(finding).collect(),
        choice: a.choice,
    }
}

/// A submission that a model wrote down as text instead of calling the tool: the last JSON object in it that fits.
pub fn salvage(role: Role, text: &str) -> Option<ToolInput> {
    let tool = match role {
        Role::Planner => "submit_plan",
        Role::Worker => "submit_report",
        Role::Reviewer => "submit_review",
        Role::Commander => return None,
    };
    let starts = text.match_indices('{').map(|(at, _)| at);
    let mut skip_to = 0;
    let mut found = None;
    for at in starts {
        if at < skip_to {
            continue;
        }
        let mut objects = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        let Some(Ok(value)) = objects.next() else { continue };
        skip_to = at + objects.byte_offset();
        // `{"name": "submit_plan", "arguments": {…}}` is how some models write a call down.
        let args = value.get("arguments").or_else(|| value.get("args")).cloned().unwrap_or(value);
        if let Ok(input) = tool_input(tool, args)
            && !matches!(input, ToolInput::Malformed { .. })
        {
            found = Some(input);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_down_call_is_read() {
        let table = [
            (Role::Worker, r#"Done. {"status":"done","summary":"ok"}"#, true),
            (
                Role::Worker,
                "```json\n{\"name\":\"submit_report\",\"arguments\":{\"status\":\"partial\",\"summary\":\"x\"}}\n```",
                true,
            ),
            (Role::Reviewer, r#"{"verdict":"approve","summary":"fine"}"#, true),
            (Role::Planner, r#"plan: {"tasks":[{"id":"T1","title":"a"}]}"#, true),
            (Role::Worker, r#"{"verdict":"approve","summary":"fine"}"#, false),
            (Role::Worker, "I am done { with it", false),
            (Role::Worker, r#"{"status":"finished","summary":"x"}"#, false),
            (Role::Commander, r#"{"brief":"x"}"#, false),
        ];
        for (role, text, found) in table {
            assert_eq!(salvage(role, text).is_some(), found, "{role:?} {text}");
        }
    }

    #[test]
    fn arguments_that_do_not_fit_are_named() {
        let Ok(ToolInput::Malformed { tool, fault }) =
            tool_input("submit_plan", serde_json::json!({"tasks": 5}))
        else {
            panic!("taken")
        };
        assert_eq!(tool, "submit_plan");
        assert!(fault.contains("expected a sequence"), "{fault}");
        assert!(
            tool_input("submit_plan", Value::String(r#"{"tasks":[]}"#.into()))
                .is_ok_and(|t| matches!(t, ToolInput::Plan(_)))
        );
        assert_eq!(tool_input("nope", Value::Null).unwrap_err().code, NOT_FOUND);
    }
}
