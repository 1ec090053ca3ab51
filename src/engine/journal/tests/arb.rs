//! Any event at all, lawful in its place or not: the stored form has no opinion on that.
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{AttemptId, Directory, HostSessionId, TaskId};
use crate::domain::merge::Step;
use crate::domain::mission::{MissionState, Phase};
use crate::domain::plan::{Mode, Plan, Priority, TaskSpec};
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckOutcome, CheckResult, Finding, TreeId, Verdict};
use crate::engine::core::event::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts with everything JSON has to escape, and everything else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,12}", any::<String>(), Just("\0\u{7f}\u{2028}\"\\\r\n😀".to_owned())]
}
fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}
/// All numbers JSON has; the edges of precision among them.
fn number() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![
        POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        0.0..1e6,
        select(vec![0.1 + 0.2, f64::MAX, f64::MIN, f64::MIN_POSITIVE])
    ]
}
/// Random numbers are rarely at the edge where 64 bits do not fit a float.
fn whole() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), select(vec![0, u64::MAX, (1 << 53) + 1])]
}
fn task_id() -> impl Strategy<Value = TaskId> {
    text().prop_map(TaskId)
}
fn attempt_id() -> impl Strategy<Value = AttemptId> {
    text().prop_map(AttemptId)
}
fn session() -> impl Strategy<Value = HostSessionId> {
    text().prop_map(HostSessionId)
}
fn tree() -> impl Strategy<Value = Option<TreeId>> {
    of(text().prop_map(TreeId))
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        task_id().prop_map(Moment::Before),
        task_id().prop_map(Moment::After),
        any::<u32>().prop_map(Moment::Checkpoint),
    ]
}
fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Mission),
        task_id().prop_map(Scope::Task),
        any::<u32>().prop_map(Scope::Checkpoint),
        Just(Scope::Undo),
    ]
}

fn created() -> impl Strategy<Value = Created> {
    let options = (
        of(texts()),
        text(),
        (any::<u32>(), of(any::<u32>()), of(any::<u32>()), vec((text(), any::<u32>()), 0..3)),
        whole(),
        whole(),
        any::<bool>(),
        (of(whole()), of(0.01..1e6), of(any::<u32>())),
        (of(whole()), of(0.01..1e6), of(any::<u32>())),
        of(any::<bool>()),
        (
            of(any::<bool>()),
            of(any::<bool>()),
            of(any::<bool>()),
            of(select(vec![Toasts::Quiet, Toasts::Normal, Toasts::Verbose])),
            (of(texts()), of(whole())),
        ),
        (
            of(any::<bool>()),
            of(any::<bool>()),
            of(texts()),
            of(texts()),
            of(any::<u32>()),
            of(any::<bool>()),
            (of(any::<u32>()), of(texts())),
        ),
    )
        .prop_map(
            |(
                checks,
                todo,
                (workers, planners, reviewers, providers),
                turn_timeout_ms,
                max_duration_ms,
                auto_resume,
                budget,
                task_budget,
                diagnostics,
                (approval, fractal, background, toasts, (permissions, permission_timeout_ms)),
                (
                    worktrees,
                    as_branch,
                    worktree_links,
                    worktree_setup,
                    worktrees_ahead,
                    follow,
                    (race, race_models),
                ),
            )| Options {
                checks,
                todo,
                workers,
                planners,
                reviewers,
                providers: providers.into_iter().map(|(name, most)| Ceiling { name, most }).collect(),
                turn_timeout_ms,
                max_duration_ms,
                auto_resume,
                budget_tokens: budget.0,
                budget_dollars: budget.1,
                budget_minutes: budget.2,
                task_budget_tokens: task_budget.0,
                task_budget_dollars: task_budget.1,
                task_budget_minutes: task_budget.2,
                diagnostics,
                approval,
                fractal,
                background,
                toasts,
                worktrees,
                as_branch,
                worktree_links,
                worktree_setup,
                race,
                race_models,
                worktrees_ahead,
                follow,
                permissions,
                permission_timeout_ms,
            },
        );
    (text(), text(), session(), text(), text(), text(), options).prop_map(
        |(directory, worktree, parent, text, key, title, options)| Created {
            directory: Directory(directory),
            worktree,
            parent,
            text,
            key,
            title,
            options,
        },
    )
}

fn spec() -> impl Strategy<Value = TaskSpec> {
    let lists = (texts(), vec(task_id(), 0..3), texts(), texts());
    let priority = select(vec![Priority::Low, Priority::Normal, Priority::High]);
    let way = (of(select(vec![Mode::Fractal, Mode::Race, Mode::Try])), of(task_id()));
    (task_id(), text(), text(), lists, priority, number(), way).prop_map(
        |(
            id,
            title,
            description,
            (files, depends_on, capabilities, checks),
            priority,
            estimate_minutes,
            (mode, parent),
        )| {
            TaskSpec {
                id,
                title,
                description,
                files,
                depends_on,
                capabilities,
                priority,
                checks,
                estimate_minutes,
                mode,
                parent,
            }
        },
    )
}

fn findings() -> impl Strategy<Value = Vec<Finding>> {
    let finding = (of(text()), of(any::<u32>()), text(), text())
        .prop_map(|(file, line, severity, message)| Finding { file, line, severity, message });
    vec(finding, 0..3)
}

fn results() -> impl Strategy<Value = Vec<CheckResult>> {
    let outcome = prop_oneof![
        Just(CheckOutcome::Passed),
        Just(CheckOutcome::Flaky),
        any::<i32>().prop_map(CheckOutcome::Failed),
        Just(CheckOutcome::TimedOut),
        Just(CheckOutcome::NotRun),
    ];
    let result = (text(), outcome, whole(), text())
        .prop_map(|(command, outcome, millis, tail)| CheckResult { command, outcome, millis, tail });
    vec(result, 0..3)
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![task_id().prop_map(Subject::Task), Just(Subject::Whole)]
}

fn kind() -> impl Strategy<Value = AttemptKind> {
    prop_oneof![
        Just(AttemptKind::Planning),
        task_id().prop_map(AttemptKind::Work),
        subject().prop_map(AttemptKind::Review)
    ]
}

fn submission() -> impl Strategy<Value = Submission> {
    let status = select(vec![ReportStatus::Done, ReportStatus::Partial, ReportStatus::Blocked]);
    prop_oneof![
        Just(Submission::Plan),
        (status, text(), texts(), of(text()))
            .prop_map(|(status, summary, files, notes)| Submission::Report { status, summary, files, notes }),
        (any::<bool>(), text(), findings()).prop_map(|(approved, summary, findings)| Submission::Review {
            approved,
            summary,
            findings
        }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        text().prop_map(|reason| Outcome::Failed { reason }),
        Just(Outcome::Aborted)
    ]
}

/// What is said of the mission as a whole.
fn of_mission() -> BoxedStrategy<Event> {
    let brief = (text(), texts(), texts()).prop_map(|(text, acceptance, constraints)| Brief {
        text,
        acceptance,
        constraints,
    });
    let brief_source = select(vec![BriefSource::Commander, BriefSource::User]);
    let plan = (text(), vec(spec(), 0..3)).prop_map(|(summary, tasks)| Plan { summary, tasks });
    let plan_source = select(vec![PlanSource::Planner, PlanSource::Repaired, PlanSource::Rules]);
    let how = select(vec![HandBack::ToolResult, HandBack::Message, HandBack::Nobody]);
    prop_oneof![
        created().prop_map(Event::Created),
        (select(MissionState::ALL.to_vec()), text())
            .prop_map(|(to, reason)| Event::StateChanged { to, reason }),
        select(Phase::ALL.to_vec()).prop_map(|to| Event::PhaseChanged { to }),
        (brief, brief_source).prop_map(|(brief, source)| Event::Briefed { brief, source }),
        (texts(), tree(), of(text())).prop_map(|(checks, tree, remark)| Event::Surveyed {
            checks,
            tree,
            remark
        }),
        (results(), texts()).prop_map(|(results, wrote)| Event::Baselined { results, wrote }),
        (texts(), of(task_id())).prop_map(|(faults, task)| Event::PlanRefused { faults, task }),
        (task_id(), vec(spec(), 0..3), texts()).prop_map(|(task, parts, remarks)| Event::Expanded {
            task,
            parts,
            remarks
        }),
        (task_id(), any::<bool>()).prop_map(|(task, fractal)| Event::ModeChosen { task, fractal }),
        (task_id(), vec(spec(), 0..3)).prop_map(|(task, tries)| Event::RaceBegun { task, tries }),
        (task_id(), task_id(), text()).prop_map(|(task, taken, why)| Event::RaceWon { task, taken, why }),
        task_id().prop_map(|task| Event::RaceLost { task }),
        (any::<bool>(), of(text())).prop_map(|(approved, reason)| Event::PlanJudged { approved, reason }),
        (plan, plan_source, texts()).prop_map(|(plan, source, remarks)| Event::Planned {
            plan,
            source,
            remarks
        }),
        (text(), of(task_id()), of(any::<bool>())).prop_map(|(text, task, replan)| Event::Steered {
            text,
            task,
            replan
        }),
        (vec(spec(), 0..3), vec(task_id(), 0..3), texts())
            .prop_map(|(tasks, dropped, remarks)| { Event::PlanRevised { tasks, dropped, remarks } }),
        (attempt_id(), 0..9u32, of(text())).prop_map(|(attempt, steers, call)| Event::Told {
            attempt,
            steers,
            call
        }),
        (text(), attempt_id(), text(), texts()).prop_map(|(ask, attempt, permission, patterns)| {
            Event::Asked { ask, attempt, permission, patterns }
        }),
        (
            text(),
            any::<bool>(),
            select(vec![Judge::Host, Judge::User, Judge::Policy, Judge::Time, Judge::Nobody]),
            of(text())
        )
            .prop_map(|(ask, allow, by, reason)| Event::AskJudged { ask, allow, by, reason }),
        (text(), texts()).prop_map(|(text, calls)| Event::Reported { text, calls }),
        how.prop_map(|how| Event::HandedBack { how }),
        session().prop_map(|parent| Event::Attached { parent }),
        select(vec![Trigger::Periodic, Trigger::TaskState, Trigger::Manual, Trigger::BeforeRisky])
            .prop_map(|trigger| Event::Checkpointed { trigger }),
        (of(task_id()), text(), of(text()), attempt_id())
            .prop_map(|(task, key, value, by)| Event::ContextPut { task, key, value, by }),
        (vec(moment(), 0..3), tree()).prop_map(|(moments, tree)| Event::TreeRecorded { moments, tree }),
        (scope(), text(), text(), any::<u32>(), any::<bool>()).prop_map(
            |(scope, from, to, files, with_state)| Event::RollbackBegun {
                scope,
                from: TreeId(from),
                to: TreeId(to),
                files,
                with_state
            }
        ),
        (texts(), of(text())).prop_map(|(left, fault)| Event::RolledBack { left, fault }),
        any::<u32>().prop_map(|checkpoint| Event::Restored { checkpoint }),
    ]
    .boxed()
}

/// What is said of worktrees, and of the way of their results.
fn of_worktrees() -> BoxedStrategy<Event> {
    let id = || text().prop_map(TreeId);
    let step = (task_id(), id()).prop_map(|(task, tree)| Step { task, tree });
    prop_oneof![
        (of(task_id()), any::<u32>(), text(), id())
            .prop_map(|(task, number, path, base)| Event::WorktreeGiven { task, number, path, base }),
        (id(), vec(step, 0..3)).prop_map(|(onto, steps)| Event::BatchMade { onto, steps }),
        (any::<u32>(), any::<bool>(), results()).prop_map(|(changes, passed, results)| Event::BatchChecked {
            changes,
            passed,
            results
        }),
        any::<u32>().prop_map(|changes| Event::BatchMerged { changes }),
        (id(), tree(), texts()).prop_map(|(seen, merged, clashes)| Event::UserTreeTaken {
            seen,
            merged,
            clashes
        }),
        (id(), id()).prop_map(|(from, to)| Event::LandingBegun { from, to }),
        id().prop_map(|tree| Event::Landed { tree }),
        (any::<bool>(), text()).prop_map(|(half, why)| Event::LandingEnded { half, why }),
        (of(text()), of(text()), texts(), of(text())).prop_map(|(branch, patch, outside, fault)| {
            Event::ResultLeft { branch, patch, outside, fault }
        }),
        of(text()).prop_map(|left_at| Event::WorktreesReleased { left_at }),
    ]
    .boxed()
}

/// What is said of its tasks, attempts and gates.
fn of_work() -> BoxedStrategy<Event> {
    let reason = select(vec![
        PromptReason::First,
        PromptReason::Nudge,
        PromptReason::Continue,
        PromptReason::Cut,
        PromptReason::Retry,
        PromptReason::Denied,
        PromptReason::Steered,
        PromptReason::Resumed,
    ]);
    let usage = (whole(), number()).prop_map(|(tokens, cost)| Spent { tokens, cost });
    let inspection = (tree(), texts(), texts(), text(), findings(), texts()).prop_map(
        |(tree, changed, undeclared, diff, findings, notes)| Inspection {
            tree,
            changed,
            undeclared,
            diff,
            findings,
            notes,
        },
    );
    let verdict = (any::<bool>(), tree(), text(), findings())
        .prop_map(|(approved, tree, summary, findings)| Verdict { approved, tree, summary, findings });
    prop_oneof![
        spec().prop_map(|spec| Event::TaskAdded { spec }),
        spec().prop_map(|spec| Event::TaskRequested { spec }),
        (task_id(), text()).prop_map(|(task, title)| Event::TaskReworded { task, title }),
        task_id().prop_map(|task| Event::Reopened { task }),
        (task_id(), select(TaskState::ALL.to_vec()), of(text()))
            .prop_map(|(task, to, note)| { Event::TaskChanged { task, to, note } }),
        (of(task_id()), text(), text(), tree()).prop_map(|(task, by, reason, tree)| Event::Accepted {
            task,
            by,
            reason,
            tree
        }),
        (attempt_id(), kind(), whole(), any::<u32>(), of(session()), of(task_id())).prop_map(
            |(attempt, kind, token, ordinal, session, node)| Event::AttemptOpened {
                attempt,
                kind,
                token,
                ordinal,
                session,
                node
            }
        ),
        (attempt_id(), session()).prop_map(|(attempt, session)| Event::AttemptSession { attempt, session }),
        (attempt_id(), reason).prop_map(|(attempt, reason)| Event::Prompted { attempt, reason }),
        (attempt_id(), submission())
            .prop_map(|(attempt, submission)| Event::Submitted { attempt, submission }),
        (attempt_id(), outcome(), usage).prop_map(|(attempt, outcome, usage)| Event::AttemptClosed {
            attempt,
            outcome,
            usage
        }),
        attempt_id().prop_map(|attempt| Event::TurnGivenUp { attempt }),
        attempt_id().prop_map(|attempt| Event::TurnEnded { attempt }),
        (task_id(), text()).prop_map(|(task, path)| Event::PathTaken { task, path }),
        (task_id(), findings()).prop_map(|(task, findings)| Event::Trespassed {
            task,
            finding: findings.into_iter().next().unwrap_or_else(|| Finding::of("high", "x"))
        }),
        (subject(), inspection).prop_map(|(subject, inspection)| Event::Inspected { subject, inspection }),
        (subject(), results(), texts()).prop_map(|(subject, results, wrote)| Event::Checked {
            subject,
            results,
            wrote
        }),
        (subject(), verdict).prop_map(|(subject, verdict)| Event::Judged { subject, verdict }),
    ]
    .boxed()
}

pub(super) fn arb_event() -> impl Strategy<Value = Event> {
    prop_oneof![of_mission(), of_work(), of_worktrees()]
}
