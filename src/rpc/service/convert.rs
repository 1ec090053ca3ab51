//! Between wire types and the engine's.
use crate::domain::budget::Budget;
use crate::domain::checkpoint::Checkpoint;
use crate::domain::ids::{HostSessionId, Millis, TaskId};
use crate::domain::permission::is_shell;
use crate::engine::handle::{
    AskView, AttemptView, Control, FindingView, HostInput, Metrics, MissionView, Note, Notice, Refusal,
    RollbackStep, RollbackView, Scope, Spent, Subject, TaskView,
};
use crate::ports::host::CallState;
use crate::ports::queue::Queue;
use crate::ports::store::MissionRow;
use crate::protocol::errors::*;
use crate::protocol::types::*;
use crate::rpc::{RpcError, host_types as host};

/// What an order lacks, for a model as for a program.
pub const NO_TEXT: &str = "steer needs a text: what the workers are to be told";
const NO_WISH: &str = "refuse needs a text: what is to be different in the plan";
pub const NO_CHECKPOINT: &str =
    "restore needs a checkpoint: its number, as the status of the mission lists it";

pub const NO_REASON: &str = "accept needs a text: why the work is taken as done";

pub const NO_TASK: &str = "expand needs a task: the id of one that is not begun";

/// What an acceptance is for.
pub fn subject(task: Option<String>) -> Subject {
    task.filter(|id| !id.is_empty()).map_or(Subject::Whole, |id| Subject::Task(TaskId(id)))
}

/// What is to be taken back; one thing at a time.
pub fn scope(task: Option<String>, checkpoint: Option<u32>, undo: bool) -> Result<Scope, String> {
    match (task.filter(|t| !t.is_empty()), checkpoint, undo) {
        (None, None, false) => Ok(Scope::Mission),
        (Some(task), None, false) => Ok(Scope::Task(TaskId(task))),
        (None, Some(checkpoint), false) => Ok(Scope::Checkpoint(checkpoint)),
        (None, None, true) => Ok(Scope::Undo),
        _ => Err("say one of task, checkpoint and undo, or none for the whole mission".into()),
    }
}

pub fn rollback(row: &MissionRow, view: &RollbackView, text: String) -> MissionRollbackResult {
    let file = |step: &RollbackStep| RollbackFile { path: step.path.clone(), what: step.what.into() };
    MissionRollbackResult {
        mission: summary(row),
        done: view.done,
        files: view.steps.iter().map(file).collect(),
        conflicts: view.conflicts.clone(),
        others: view.others.clone(),
        left: view.left.clone(),
        text,
    }
}

pub fn control(p: MissionControlParams) -> Result<Control, RpcError> {
    let missing = |what: &str| RpcError::new(INVALID_PARAMS, what);
    let MissionControlParams { action, text, ask, checkpoint, task, files, now, .. } = p;
    Ok(match action {
        ControlAction::Pause => Control::Pause,
        ControlAction::Suspend => Control::Suspend,
        ControlAction::Resume => Control::Resume,
        ControlAction::Cancel => Control::Cancel { by: "you" },
        ControlAction::Retry => Control::Retry,
        ControlAction::Steer => {
            let text = text.filter(|t| !t.trim().is_empty());
            let task = task.filter(|t| !t.is_empty()).map(TaskId);
            Control::Steer { text: text.ok_or_else(|| missing(NO_TEXT))?, task, now: now.unwrap_or_default() }
        }
        ControlAction::Approve => Control::Approve,
        ControlAction::Refuse => {
            let text = text.filter(|t| !t.trim().is_empty());
            Control::Refuse { text: text.ok_or_else(|| missing(NO_WISH))? }
        }
        ControlAction::Accept => {
            let reason = text.filter(|t| !t.trim().is_empty()).ok_or_else(|| missing(NO_REASON))?;
            Control::Accept { subject: subject(task), by: "the user", reason }
        }
        ControlAction::Expand => {
            let task = task.filter(|t| !t.is_empty()).ok_or_else(|| missing(NO_TASK))?;
            Control::Expand { task: TaskId(task) }
        }
        ControlAction::Allow => Control::Answer { ask, allow: true, reason: None },
        ControlAction::Deny => {
            let reason = text.filter(|t| !t.trim().is_empty());
            Control::Answer { ask, allow: false, reason }
        }
        ControlAction::Checkpoint => Control::Checkpoint,
        ControlAction::Restore => Control::Restore {
            checkpoint: checkpoint.ok_or_else(|| missing(NO_CHECKPOINT))?,
            files: files.unwrap_or_default(),
        },
    })
}

pub fn refusal(refusal: Refusal) -> RpcError {
    let code = match &refusal {
        Refusal::NotFound(_) => NOT_FOUND,
        Refusal::Conflict(_) => CONFLICT,
        Refusal::Invalid(_) => INVALID_PARAMS,
        Refusal::Store(_) => STORE,
        Refusal::Cancelled(_) => CANCELLED,
    };
    RpcError::new(code, refusal.to_string())
}

pub fn summary(row: &MissionRow) -> MissionSummary {
    MissionSummary {
        id: row.id.0.clone(),
        title: row.title.clone(),
        state: row.state.clone(),
        phase: row.phase.clone(),
        parent_session: row.parent_session.clone(),
        directory: row.directory.0.clone(),
        done: row.done,
        running: row.running,
        waiting: row.waiting,
        failed: row.failed,
        total: row.total,
        created_at: row.created_at.0,
        ended_at: row.ended_at.map(|m| m.0),
    }
}

pub fn notice(notice: Notice) -> NoticeDetail {
    let Notice { number, kind, title, message } = notice;
    NoticeDetail { number, title, message, variant: host::variant(kind) }
}

pub fn detail(view: &MissionView) -> MissionDetail {
    let task = |t: &TaskView| TaskDetail {
        id: t.id.clone(),
        title: t.title.clone(),
        state: t.state.clone(),
        part_of: t.part_of.clone(),
        depends_on: t.depends_on.clone(),
        files: t.files.clone(),
        checks: t.checks.clone(),
        attempts: t.attempts,
        brief_bytes: Some(t.brief_bytes),
        note: t.note.clone(),
        budget: budget_detail(&view.task_budget, t.budget_spent),
        began_at: t.began_at.map(|m| m.0),
        ended_at: t.ended_at.map(|m| m.0),
    };
    MissionDetail {
        mission: summary(&view.row),
        tasks: view.tasks.iter().map(task).collect(),
        tokens: view.spent.tokens,
        cost: view.spent.cost,
        awaits_approval: view.awaits_approval,
        report: view.report.clone(),
        asks: view.asks.iter().map(ask).collect(),
        checkpoints: view.checkpoints.iter().map(checkpoint).collect(),
        budget: budget_detail(&view.budget, view.budget_spent),
        forecast: view.forecast.map(|f| Forecast {
            minutes: f.minutes,
            turns: f.turns,
            tokens: f.cost.map(|c| c.tokens),
            cost: f.cost.map(|c| c.cost),
        }),
        last_event: view.log.last().map(log_line),
    }
}

fn budget_detail(limit: &Budget, spent: Spent) -> Option<BudgetDetail> {
    (!limit.limits_nothing()).then(|| BudgetDetail {
        tokens: limit.tokens,
        cost: limit.cost,
        minutes: limit.wall_ms.map(|ms| (ms / 60_000) as u32),
        tokens_spent: spent.tokens,
        cost_spent: spent.cost,
    })
}

fn ask(a: &AskView) -> AskDetail {
    AskDetail {
        id: a.id.clone(),
        session: a.session.as_ref().map(|s| s.0.clone()),
        task: a.task.clone(),
        permission: a.permission.clone(),
        patterns: a.patterns.clone(),
        at: a.at.0,
        allowed: a.allowed,
        by: a.by.map(Into::into),
    }
}

pub fn whole(view: &MissionView) -> MissionViewResult {
    let attempt = |a: &AttemptView| AttemptDetail {
        role: a.role.into(),
        task: a.task.clone(),
        ordinal: a.ordinal,
        session: a.session.clone(),
        state: a.state.into(),
        reason: a.reason.clone(),
        opened_at: a.opened_at.0,
        closed_at: a.closed_at.map(|m| m.0),
    };
    let finding = |f: &FindingView| FindingDetail {
        task: f.task.clone(),
        severity: f.finding.severity.clone(),
        file: f.finding.file.clone(),
        line: f.finding.line,
        message: f.finding.message.clone(),
    };
    MissionViewResult {
        detail: detail(view),
        summary: view.summary.clone(),
        attempts: view.attempts.iter().map(attempt).collect(),
        findings: view.findings.iter().map(finding).collect(),
        log: view.log.iter().map(log_line).collect(),
    }
}

fn log_line(note: &Note) -> LogLine {
    LogLine { at: note.at.0, text: note.text.clone() }
}

fn checkpoint(c: &Checkpoint) -> CheckpointDetail {
    CheckpointDetail {
        sequence: c.sequence,
        at: c.at.0,
        trigger: c.trigger.name().into(),
        phase: c.phase.map(|p| p.name().into()),
        completed: c.completed() as u32,
        total: c.tasks.len() as u32,
        tree: c.tree.as_ref().map(|t| t.0.clone()),
    }
}

pub fn metrics(metrics: Metrics) -> MetricsResult {
    let queue = |q: Queue| QueueMetric {
        name: q.name.into(),
        waiting: q.waiting,
        limit: q.limit,
        when_full: q.when_full.into(),
        turned_away: q.turned_away,
    };
    MetricsResult {
        pid: std::process::id(),
        counters: metrics.counters,
        gauges: metrics.gauges,
        queues: metrics.queues.into_iter().map(queue).collect(),
    }
}

/// The end of a shell command is one more thing to know, after the end of the call.
pub fn host_events(event: HostEvent) -> impl Iterator<Item = HostInput> {
    let ran = match &event {
        HostEvent::Tool { session, tool, state, .. }
            if is_shell(tool)
                && matches!(host::call_state(*state), CallState::Completed | CallState::Error) =>
        {
            Some(HostInput::ShellRan { session: HostSessionId(session.clone()) })
        }
        _ => None,
    };
    std::iter::once(host_event(event)).chain(ran)
}

fn host_event(event: HostEvent) -> HostInput {
    match event {
        HostEvent::Status { session, state, retry_at, message } => HostInput::Status {
            session: HostSessionId(session),
            state: host::turn_state(state),
            retry_at: retry_at.map(Millis),
            message,
        },
        HostEvent::Error { session, error } => {
            HostInput::Error { session: HostSessionId(session), fault: host::fault(error) }
        }
        HostEvent::Message { session, message } => {
            HostInput::Message { session: HostSessionId(session), message: host::message(message) }
        }
        HostEvent::Tool { session, call, state, .. } => {
            HostInput::ToolMoved { session: HostSessionId(session), call, state: host::call_state(state) }
        }
        HostEvent::Permission { session, id, open: true, permission, patterns, .. } => {
            HostInput::Asked { ask: host::ask(OpenAsk { id, session, permission, patterns }) }
        }
        HostEvent::Permission { session, id, rejected, .. } => {
            HostInput::AskAnswered { session: HostSessionId(session), ask: id, allow: !rejected }
        }
        HostEvent::Deleted { session } => HostInput::Deleted { session: HostSessionId(session) },
    }
}
