//! Whole missions over the wire.
use std::sync::Arc;

use gantry::ports::code::{Diagnosed, Diagnostic, Severity, Unchecked};
use gantry::protocol::methods as m;
use gantry::protocol::types::*;
use gantry::rpc::CallError;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::host::{DIRECTORY, FakeHost};
use crate::models::Act;
use crate::rig::Rig;
use crate::{SOON, until};

pub async fn status(host: &FakeHost, mission: &str) -> MissionDetail {
    let params = MissionStatusParams {
        directory: DIRECTORY.into(),
        mission: Some(mission.into()),
        parent_session: None,
    };
    host.next_peer().await.call(m::MissionStatus, &params, SOON).await.expect("a status")
}

/// The mission at its end, with its report delivered and no turn left.
pub async fn finished(rig: &Rig, mission: &str) -> MissionDetail {
    until("a report in the conversation", || !rig.host.delivered().is_empty()).await;
    until("all turns at their end", || rig.host.busy().is_empty()).await;
    let detail = status(&rig.host, mission).await;
    assert_eq!(rig.host.delivered().len(), 1, "{:?}", rig.host.delivered());
    detail
}

async fn lease(host: &FakeHost, session: &str, tool: &str, paths: &[&str]) -> Option<String> {
    asked(host, session, tool, paths, None).await
}

async fn asked(
    host: &FakeHost,
    session: &str,
    tool: &str,
    paths: &[&str],
    subject: Option<&str>,
) -> Option<String> {
    let params = LeaseCheckParams {
        directory: DIRECTORY.into(),
        session: session.into(),
        call: "x".into(),
        tool: tool.into(),
        paths: paths.iter().map(ToString::to_string).collect(),
        command: None,
        subject: subject.map(Into::into),
    };
    let answer = host.peer().call(m::LeaseCheck, &params, SOON).await.expect("an answer");
    assert_eq!(answer.allow, answer.reason.is_none());
    answer.reason
}

#[tokio::test]
async fn a_mission_from_the_request_to_the_report() {
    let rig = Rig::new().await;
    rig.host.script.next("Review T2", Act::Object);
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    assert_eq!((created.mission.state.as_str(), created.queued_behind.len()), ("running", 0));
    let detail = finished(&rig, &created.mission.id).await;
    assert_eq!(detail.mission.state, "completed");
    let tasks: Vec<_> = detail.tasks.iter().map(|t| (t.id.as_str(), t.state.as_str(), t.attempts)).collect();
    assert_eq!(
        tasks,
        [("T1", "completed", 1), ("T2", "completed", 2), ("T3", "completed", 1), ("T4", "completed", 1)]
    );
    assert!(rig.host.turns_of("T2")[1].contains("not like this"));
    assert_eq!(detail.report, rig.host.delivered().pop());
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
    let sessions = rig.host.state.lock().sessions.clone();
    let children = sessions.values().filter(|s| s.parent.as_deref() == Some("ses_user")).count();
    assert_eq!(children + 1, sessions.len(), "every session of the mission is a child of the conversation");
    assert!(rig.project.todo.lock().values().all(|s| format!("{s:?}") == "Done"));
    until("no open work in the directory", || rig.project.open.lock().is_empty()).await;
}

#[tokio::test]
async fn what_language_servers_cannot_tell_is_held_against_nobody_and_told_to_the_reviewer() {
    let rig = Rig::new().await;
    let missing = Diagnostic {
        path: "src/T1.py".into(),
        line: 3,
        column: 8,
        severity: Severity::Error,
        code: Some("reportMissingImports".into()),
        source: Some("Pyright".into()),
        message: "Import \"absent\" could not be resolved".into(),
    };
    let unchecked = Unchecked { paths: vec!["src/large.py".into()], reason: "too large".into() };
    *rig.project.diagnosed.lock() =
        Diagnosed { missing: vec![missing], unchecked: vec![unchecked], ..Diagnosed::default() };
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    let detail = finished(&rig, &created.mission.id).await;
    assert_eq!(detail.mission.state, "completed");
    assert!(detail.tasks.iter().all(|task| task.attempts == 1), "{:?}", detail.tasks);
    let review = rig.host.turns_of("Review T1").concat();
    for note in [
        "- src/T1.py:3: what it needs is not installed on this machine: Import \"absent\" could not be resolved",
        "- no language server looked at 1 of the changed files (src/large.py): too large",
    ] {
        assert!(review.contains(note), "{review}");
    }
}

#[tokio::test]
async fn a_task_says_what_is_used_of_its_budget() {
    let rig = Rig::new().await;
    let params = json!({ "directory": DIRECTORY, "worktree": DIRECTORY, "options": { "taskBudgetTokens": 1_000_000 } });
    let params: WorkspaceOpenParams = serde_json::from_value(params).expect("plain");
    rig.host.peer().call(m::WorkspaceOpen, &params, SOON).await.expect("opened");
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    let detail = finished(&rig, &created.mission.id).await;
    let of_tasks: Vec<_> = detail.tasks.iter().filter_map(|t| t.budget.as_ref()).collect();
    assert_eq!(of_tasks.len(), detail.tasks.len());
    assert!(of_tasks.iter().all(|b| b.tokens == Some(1_000_000) && b.tokens_spent > 0), "{of_tasks:?}");
    let sum: u64 = of_tasks.iter().map(|b| b.tokens_spent).sum();
    assert!(sum < detail.tokens, "the plan and the review of the whole are the mission's");
}

#[tokio::test]
async fn the_tool_hook_is_answered_for_each_kind_of_session() {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    let shown = || {
        rig.host
            .state
            .lock()
            .progress
            .iter()
            .any(|t| t.starts_with("executing · 0/4 done, 1 running, 3 waiting"))
    };
    until("the call's title tells", shown).await;
    let worker = rig.host.session_of("T1").expect("a session");
    let planner = rig.host.session_of("Plan").expect("a session");
    let (inside, todo) = ("/p/src/T1.txt", "/p/TODO.md");
    assert_eq!(lease(&rig.host, &worker, "write", &[inside]).await, None);
    assert_eq!(lease(&rig.host, &worker, "write", &["notes.md"]).await, None, "free, and taken now");
    assert!(
        lease(&rig.host, &worker, "write", &[todo]).await.is_some_and(|why| why.contains("kept by Gantry"))
    );
    assert!(
        lease(&rig.host, &worker, "write", &["/etc/passwd"])
            .await
            .is_some_and(|why| why.contains("leads outside"))
    );
    assert_eq!(lease(&rig.host, &worker, "bash", &[]).await, None);
    assert!(lease(&rig.host, &planner, "write", &[inside]).await.is_some_and(|why| why.contains("planner")));
    assert!(lease(&rig.host, &planner, "bash", &[]).await.is_some());
    assert_eq!(lease(&rig.host, &planner, "read", &[]).await, None);
    let stranger = lease(&rig.host, "ses_gone", "write", &[inside]).await;
    assert!(stranger.is_some_and(|why| why.contains("not at work here any more")));
    assert_eq!(lease(&rig.host, "ses_gone", "read", &[]).await, None);
    gate.add_permits(1);
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    assert!(
        lease(&rig.host, &worker, "write", &[inside])
            .await
            .is_some_and(|why| why.contains("no longer yours"))
    );
}

#[tokio::test]
async fn rules_are_compared_with_what_a_call_is_about() {
    let rig = Rig::new().await;
    let denied =
        ["deny read secrets/*", "deny webfetch https://x*", "deny task", "deny grep a*", "allow grep ab"];
    let params =
        json!({ "directory": DIRECTORY, "worktree": DIRECTORY, "options": { "permissions": denied } });
    let params: WorkspaceOpenParams = serde_json::from_value(params).expect("plain");
    rig.host.peer().call(m::WorkspaceOpen, &params, SOON).await.expect("opened");
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    let worker = rig.host.session_of("T1").expect("a session");
    for (tool, subject, refused) in [
        ("read", Some("/p/secrets/key"), true),
        ("read", Some("secrets/key"), true),
        ("read", Some("src/key"), false),
        ("list", Some("secrets/key"), false),
        ("webfetch", Some("https://x.example"), true),
        ("webfetch", Some("https://y.example"), false),
        ("task", Some("explore"), true),
        ("task", None, true),
        ("grep", Some("abc"), true),
        ("grep", Some("ab"), false),
    ] {
        let answer = asked(&rig.host, &worker, tool, &[], subject).await;
        let told = answer.as_ref().is_some_and(|why| why.starts_with("The rules of this mission"));
        assert_eq!((told, answer.is_some()), (refused, refused), "{tool} {subject:?}: {answer:?}");
        assert_eq!(asked(&rig.host, "ses_foreign", tool, &[], subject).await, None, "{tool} {subject:?}");
    }
    gate.add_permits(1);
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
}

#[tokio::test]
async fn a_call_that_is_cancelled_cancels_the_mission() {
    let rig = Rig::new().await;
    rig.host.script.next("T1", Act::Hang);
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    let id = rig.wire.id_of("tool/call", |p| p["tool"] == "mission");
    rig.wire.put(&json!({ "jsonrpc": "2.0", "method": "$/cancel", "params": { "id": id } }).to_string());
    let answer = rig.wire.answer_to(&id).await;
    assert_eq!(answer["error"]["code"], -32011, "{answer}");
    until("the worker's turn is ended", || !rig.host.busy().iter().any(|t| t.starts_with("T1"))).await;
    assert_eq!(status(&rig.host, &created.mission.id).await.mission.state, "stopped");
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn the_user_controls_the_mission_over_the_wire() {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    let order = async |action: ControlAction, text: Option<&str>| {
        control(&rig, None, action, text, None).await.map(|d| d.mission.state)
    };
    assert_eq!(order(ControlAction::Pause, None).await, Ok("paused".into()));
    gate.add_permits(1);
    until("T1's turn over", || !rig.host.busy().iter().any(|t| t.starts_with("T1"))).await;
    assert_eq!(order(ControlAction::Steer, Some("mind the gap")).await, Ok("paused".into()));
    assert!(matches!(order(ControlAction::Steer, None).await, Err(CallError::Remote(e)) if e.code == -32602));
    assert!(matches!(order(ControlAction::Retry, None).await, Err(CallError::Remote(e)) if e.code == -32013));
    assert_eq!(order(ControlAction::Resume, None).await, Ok("running".into()));
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    assert!(rig.host.turns_of("T4")[0].contains("mind the gap"));
}

async fn control(
    rig: &Rig,
    mission: Option<&str>,
    action: ControlAction,
    text: Option<&str>,
    checkpoint: Option<u32>,
) -> Result<MissionDetail, CallError> {
    let (mission, text) = (mission.map(String::from), text.map(String::from));
    let params = MissionControlParams {
        now: None,
        directory: DIRECTORY.into(),
        mission,
        action,
        text,
        ask: None,
        checkpoint,
        files: None,
        task: None,
    };
    rig.host.peer().call(m::MissionControl, &params, SOON).await
}

#[tokio::test]
async fn a_task_that_failed_is_accepted_over_the_wire() {
    let rig = Rig::new().await;
    for _ in 0..6 {
        rig.host.script.next("T2", Act::Say("I would rather not"));
    }
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    let id = created.mission.id;
    assert_eq!(finished(&rig, &id).await.mission.state, "partially_completed");
    let accept = async |task: Option<&str>, text: Option<&str>| {
        let params = MissionControlParams {
            now: None,
            directory: DIRECTORY.into(),
            mission: Some(id.clone()),
            action: ControlAction::Accept,
            text: text.map(String::from),
            ask: None,
            checkpoint: None,
            task: task.map(String::from),
            files: None,
        };
        rig.host.peer().call(m::MissionControl, &params, SOON).await
    };
    let refused = accept(Some("T2"), None).await;
    assert!(matches!(refused, Err(CallError::Remote(e)) if e.code == -32602 && e.message.contains("why")));
    let refused = accept(None, Some("fine")).await;
    assert!(
        matches!(refused, Err(CallError::Remote(e)) if e.code == -32013 && e.message.contains("task T2 is"))
    );
    // T4 was skipped for the sake of T2; it is not begun before somebody asks for it.
    let detail = accept(Some("T2"), Some("done by hand")).await.expect("accepted");
    assert_eq!(detail.mission.state, "partially_completed");
    let task = |id: &str| detail.tasks.iter().find(|t| t.id == id).expect("a task");
    assert_eq!(task("T2").note.as_deref(), Some("accepted by the user: done by hand"));
    assert_eq!(task("T4").state, "pending");
    control(&rig, Some(&id), ControlAction::Retry, None, None).await.expect("retried");
    until("the report after the retry", || rig.host.delivered().len() == 3).await;
    let detail = status(&rig.host, &id).await;
    assert_eq!(detail.mission.state, "completed");
    let report = detail.report.expect("a report");
    assert!(report.contains("- T2 accepted by the user, not by its gate: "), "{report}");
}

#[tokio::test]
async fn a_mission_that_failed_yesterday_is_taken_back_and_retried_today() {
    let rig = Rig::new().await;
    // Three attempts, each with one reminder.
    for _ in 0..6 {
        rig.host.script.next("T2", Act::Say("I would rather not"));
    }
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    let id = created.mission.id;
    assert_eq!(finished(&rig, &id).await.mission.state, "partially_completed");
    let rig = rig.replace_server(2, true).await;

    let restore = async |checkpoint| control(&rig, Some(&id), ControlAction::Restore, None, checkpoint).await;
    let refused = |result: Result<MissionDetail, CallError>| match result {
        Err(CallError::Remote(e)) => e.message,
        other => panic!("{other:?}"),
    };
    assert!(refused(restore(None).await).starts_with("restore needs a checkpoint"));
    assert!(refused(restore(Some(999)).await).contains("there is no checkpoint 999"));
    let detail = status(&rig.host, &id).await;
    let one_done = detail.checkpoints.iter().find(|c| c.completed == 1).expect("a checkpoint");
    assert_eq!((one_done.trigger.as_str(), one_done.total), ("task_state", 4));
    assert!(one_done.tree.is_some(), "what was verified");

    let restored = restore(Some(one_done.sequence)).await.expect("restored");
    assert_eq!((restored.mission.state.as_str(), restored.mission.done), ("partially_completed", 1));
    let other = MissionControlParams {
        now: None,
        directory: "/elsewhere".into(),
        mission: Some(id.clone()),
        action: ControlAction::Retry,
        text: None,
        ask: None,
        checkpoint: None,
        files: None,
        task: None,
    };
    let why = refused(rig.host.peer().call(m::MissionControl, &other, SOON).await);
    assert_eq!(why, format!("mission {id} is not of this project: open OpenCode in {DIRECTORY}"));
    control(&rig, Some(&id), ControlAction::Retry, None, None).await.expect("retried");
    until("a second report", || rig.host.delivered().len() == 2).await;
    assert_eq!(status(&rig.host, &id).await.mission.state, "completed");
    assert_eq!(rig.host.turns_of("T1:").len(), 1, "done by the checkpoint");
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn two_missions_of_a_directory_follow_each_other() {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let first = rig.host.task("ses_user", "first").await.expect("accepted");
    let second = rig.host.task("ses_other", "second").await.expect("accepted");
    assert_eq!(second.mission.state, "queued");
    assert_eq!(second.queued_behind, std::slice::from_ref(&first.mission.id));
    gate.add_permits(1);
    until("two reports", || rig.host.delivered().len() == 2).await;
    for mission in [&first, &second] {
        assert_eq!(status(&rig.host, &mission.mission.id).await.mission.state, "completed");
    }
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn the_same_request_twice_is_one_mission() {
    let rig = Rig::new().await;
    let first = rig.host.task("ses_user", "make it so").await.expect("accepted");
    let params = MissionCreateParams {
        directory: DIRECTORY.into(),
        parent_session: "ses_user".into(),
        text: "make it so".into(),
        key: "ses_user make it so".into(),
    };
    let again = rig.host.peer().call(m::MissionCreate, &params, SOON).await.expect("answered");
    assert_eq!(again.mission.id, first.mission.id);
    finished(&rig, &first.mission.id).await;
}

#[tokio::test]
async fn the_process_says_what_it_counts_and_how_full_its_queues_are() {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    rig.wire.put("{ this is no message");
    let read = async || rig.host.peer().call(m::MetricsRead, &Empty {}, SOON).await.expect("metrics");
    let during = read().await;
    assert_eq!((during.gauges["missions.running"], during.gauges["attempts.open.worker"]), (1, 1));
    assert_eq!(during.gauges["calls.waiting_for_the_end"], 1);
    assert_eq!(during.counters["lines.bad"], 1);
    let names: Vec<_> = during.queues.iter().map(|q| q.name.as_str()).collect();
    let all = [
        "lanes",
        "store writes",
        "engine inputs",
        "outgoing bytes",
        "requests under way",
        "calls of the host",
    ];
    assert_eq!(names, all);
    assert!(during.queues.iter().all(|q| q.limit > 0 && !q.when_full.is_empty() && q.turned_away == 0));
    // The call of `mission`, and this one.
    assert_eq!(during.queues[4].waiting, 2);
    assert_eq!((during.gauges["permits.worker.allowed"], during.gauges["lanes.worker.lanes"]), (10, 8));

    gate.add_permits(1);
    let prompts =
        finished(&rig, &created.mission.id).await.tasks.iter().map(|t| u64::from(t.attempts)).sum::<u64>();
    let after = read().await;
    assert_eq!(after.gauges["missions.completed"], 1);
    let calls = after.counters["pools.buffers.hits"] + after.counters["pools.buffers.misses"];
    assert!(after.counters["pools.buffers.hits"] > calls / 2, "of {calls} calls of the host");
    assert!((1..1 << 20).contains(&after.gauges["pools.buffers.kept_bytes"]));
    // A planner, a worker and a reviewer of each task, and the reviewer of the whole.
    assert_eq!(after.counters["actions.prompt"], 2 * prompts + 2);
    assert_eq!(after.counters["facts.prompted"], after.counters["actions.prompt"]);
    assert!(after.counters["commits"] > during.counters["commits"]);
    // Two calls for each attempt.
    let lanes = ["planner", "worker", "reviewer"].map(|role| after.counters[&format!("lanes.{role}.pushed")]);
    assert!(lanes.iter().sum::<u64>() >= 2 * after.counters["actions.prompt"], "{lanes:?}");
    assert_eq!(after.queues[0].waiting, 0);
}
