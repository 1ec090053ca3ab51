//! Between wire types and the engine's.
use crate::domain::budget::Budget;
use crate::domain::checkpoint::Checkpoint;
use crate::domain::ids::{HostSessionId, Millis, TaskId};
use crate::domain::inside::is_inside;
use crate::domain::permission::{Rule, is_shell};
use crate::domain::race::{MAX_TRIES, is_model};
use crate::engine::handle::{
    self, AskView, AttemptView, Ceiling, Control, FindingView, HostInput, Metrics, MissionView, Note, Notice,
    Options, Refusal, RollbackStep, RollbackView, Scope, Spent, Subject, TaskView,
};
use crate::ports::host::CallState;
use crate::ports::queue::Queue;
use crate::ports::store::MissionRow;
use crate::protocol::errors::*;
use crate::protocol::types::*;
use crate::rpc::{RpcError, host_types as host};

pub fn options(wire: &WorkspaceOptions) -> Result<Options, RpcError> {
    let mut options = Options::default();
    let invalid = |text: String| Err(RpcError::new(INVALID_PARAMS, text));
    for (name, most) in
        [("workers", wire.workers), ("planners", wire.planners), ("reviewers", wire.reviewers)]
    {
        side_by_side(name, most)?;
    }
    options.workers = wire.workers.unwrap_or(options.workers);
    (options.planners, options.reviewers) = (wire.planners, wire.reviewers);
    for (name, most) in wire.providers.iter().flatten() {
        side_by_side(&format!("providers[{name:?}]"), Some(*most))?;
        options.providers.push(Ceiling { name: name.clone(), most: *most });
    }
    if let Some(seconds) = wire.turn_timeout_seconds {
        if !(10..=86_400).contains(&seconds) {
            return invalid(format!("option turnTimeoutSeconds is {seconds}: it must be 10 to 86400"));
        }
        options.turn_timeout_ms = u64::from(seconds) * 1000;
    }
    if let Some(seconds) = wire.max_duration_seconds {
        if !(60..=86_400).contains(&seconds) {
            return invalid(format!("option maxDurationSeconds is {seconds}: it must be 60 to 86400"));
        }
        options.max_duration_ms = u64::from(seconds) * 1000;
    }
    budget("budget", wire.budget_tokens, wire.budget_dollars, wire.budget_minutes)?;
    (options.budget_tokens, options.budget_dollars, options.budget_minutes) =
        (wire.budget_tokens, wire.budget_dollars, wire.budget_minutes);
    budget("taskBudget", wire.task_budget_tokens, wire.task_budget_dollars, wire.task_budget_minutes)?;
    (options.task_budget_tokens, options.task_budget_dollars, options.task_budget_minutes) =
        (wire.task_budget_tokens, wire.task_budget_dollars, wire.task_budget_minutes);
    options.fractal = wire.fractal.map(|policy| policy == FractalPolicy::Auto);
    if let Some(rule) = wire.permissions.iter().flatten().find(|rule| Rule::parse(rule).is_none()) {
        return invalid(format!(
            "option permissions has {rule:?}: write rules as in \"allow bash npm test*\""
        ));
    }
    options.permissions.clone_from(&wire.permissions);
    if let Some(seconds) = wire.permission_timeout_seconds {
        if !(5..=86_400).contains(&seconds) {
            return invalid(format!("option permissionTimeoutSeconds is {seconds}: it must be 5 to 86400"));
        }
        options.permission_timeout_ms = Some(u64::from(seconds) * 1000);
    }
    options.approval = wire.plan_approval.map(|policy| policy == PlanApproval::Ask);
    options.toasts = wire.toasts.map(|toasts| match toasts {
        Toasts::Quiet => handle::Toasts::Quiet,
        Toasts::Normal => handle::Toasts::Normal,
        Toasts::Verbose => handle::Toasts::Verbose,
    });
    options.worktrees = wire.isolation.map(|policy| policy == IsolationPolicy::Worktree);
    options.as_branch = wire.integrate.map(|policy| policy == IntegratePolicy::Branch);
    if let Some(link) = wire.worktree_links.iter().flatten().find(|link| !is_inside(link)) {
        return invalid(format!(
            "option worktreeLinks has {link:?}: it must be a path inside the project, such as node_modules"
        ));
    }
    options.worktree_links.clone_from(&wire.worktree_links);
    options.worktree_setup.clone_from(&wire.worktree_setup);
    if let Some(tries) = wire.race.filter(|tries| !(1..=MAX_TRIES).contains(tries)) {
        return invalid(format!("option race is {tries}: it must be 1 to {MAX_TRIES}"));
    }
    if let Some(models) = &wire.race_models {
        let few = (1..=MAX_TRIES as usize).contains(&models.len());
        if !few || !models.iter().all(|model| is_model(model)) {
            return invalid(format!(
                "option raceModels is {models:?}: it must be 1 to {MAX_TRIES} models with their provider, as in anthropic/claude-sonnet-4-5"
            ));
        }
    }
    options.race = wire.race;
    options.race_models.clone_from(&wire.race_models);
    if let Some(ahead) = wire.worktrees_ahead.filter(|ahead| *ahead > 50) {
        return invalid(format!("option worktreesAhead is {ahead}: it must be 0 to 50"));
    }
    options.follow = wire.session_reuse.map(|policy| policy == SessionReuse::Follow);
    options.worktrees_ahead = wire.worktrees_ahead;
    options.diagnostics = wire.diagnostics.map(|policy| policy == DiagnosticsPolicy::Auto);
    if let Some(todo) = &wire.todo {
        if !is_inside(todo) {
            return invalid(format!(
                "option todo is {todo:?}: it must be a path inside the project, such as TODO.md"
            ));
        }
        options.todo.clone_from(todo);
    }
    if let Some(checks) = &wire.checks {
        if checks.iter().any(|c| c.trim().is_empty()) {
            return invalid(
                "option checks has an empty command: leave it out, or write [] for no checks".into(),
            );
        }
        options.checks = Some(checks.clone());
    }
    options.auto_resume = wire.resume != Some(ResumePolicy::Report);
    Ok(options)
}

fn side_by_side(name: &str, most: Option<u32>) -> Result<(), RpcError> {
    match most {
        Some(most) if !(1..=50).contains(&most) => {
            Err(RpcError::new(INVALID_PARAMS, format!("option {name} is {most}: it must be 1 to 50")))
        }
        _ => Ok(()),
    }
}

fn budget(
    name: &str,
    tokens: Option<u64>,
    dollars: Option<f64>,
    minutes: Option<u32>,
) -> Result<(), RpcError> {
    let invalid = |text: String| Err(RpcError::new(INVALID_PARAMS, text));
    if let Some(tokens) = tokens.filter(|n| !(1_000..=1_000_000_000_000).contains(n)) {
        return invalid(format!("option {name}Tokens is {tokens}: it must be 1000 to 1000000000000"));
    }
    if let Some(dollars) = dollars.filter(|n| !(0.01..=1_000_000.0).contains(n)) {
        return invalid(format!("option {name}Dollars is {dollars}: it must be 0.01 to 1000000"));
    }
    if let Some(minutes) = minutes.filter(|n| !(1..=1_440).contains(n)) {
        return invalid(format!("option {name}Minutes is {minutes}: it must be 1 to 1440"));
    }
    Ok(())
}

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
