//! Models that do not keep to their part: no submit call, two of them, plans that cannot be carried out, no JSON. The
//! mission ends in a stated way, and the conversation can be used afterwards.

use gantry::domain::ids::Role as Agent;
use gantry::engine::core::event::{BriefSource, Event, HandBack, PlanSource, PromptReason};
use serde_json::{Value, json};
use xtask::lab::host::Client;
use xtask::lab::model::{Role, Rule, Script, Turn};

use crate::script::{self, PLAIN, PLAIN_ANSWER, TASK};
use crate::support::{PATIENCE, PROMPTLY, Stage, Told, ask, messages, new_session, task, text, wait, words};

/// One mission in a host that runs already, and then a plain turn in the same conversation.
fn play(stage: &Stage, host: &Client, name: &str, script: Script) -> Told {
    stage.model.replace(script);
    let session = new_session(host);
    let said = task(host, &session, TASK);
    // The host announces the end of the call on its own time.
    let told = wait("word that the report was taken", PROMPTLY, || {
        stage.told().pop().filter(|told| told.mission.handed_back.is_some())
    });
    assert!(!told.mission.state.is_open(), "{name}: {}", told.state());
    assert_eq!(said.trim(), told.report().trim(), "{name}: the report is what the user reads");
    assert_eq!(told.mission.handed_back, Some(HandBack::ToolResult), "{name}: and known to be read");
    assert_eq!(ask(host, &session, "build", PLAIN), PLAIN_ANSWER, "{name}: the conversation goes on");
    assert_eq!(stage.model.misses(), [""; 0], "{name}");
    told
}

/// What the planner was told of its plans.
fn refusals(told: &Told) -> Vec<Vec<String>> {
    let faults = told.facts.iter().filter_map(|(_, event)| match event {
        Event::PlanRefused { faults, .. } => Some(faults.clone()),
        _ => None,
    });
    faults.collect()
}

fn prompts(told: &Told, role: Agent, reason: PromptReason) -> usize {
    told.mission.attempts.values().filter(|a| a.role() == role).map(|a| a.prompted(reason)).sum()
}

fn good_plan() -> Value {
    script::plan(&[script::task("T1", &["hello.txt"], &[])])
}

/// Plans nobody can carry out, and a part of what is said about each.
fn bad_plans() -> Vec<(&'static str, Value, &'static str)> {
    let one = |task: Value| script::plan(&[task]);
    let many: Vec<Value> = (0..500).map(|n| script::task(&format!("T{n}"), &[], &[])).collect();
    let circle = [script::task("T1", &["a"], &["T2"]), script::task("T2", &["b"], &["T1"])];
    vec![
        ("a circle", script::plan(&circle), "tasks depend on each other in a circle: T1 needs T2 needs T1"),
        (
            "an unknown dependency",
            one(script::task("T1", &["a"], &["T9"])),
            "T1 depends on `T9`, which is no task",
        ),
        ("500 tasks", script::plan(&many), "the plan has 500 tasks and may have 200"),
        (
            "a path outside",
            one(script::task("T1", &["../../etc/passwd"], &[])),
            "T1 lists the file `../../etc/passwd`: ",
        ),
        (
            "an absolute path",
            one(script::task("T1", &["/etc/passwd"], &[])),
            "T1 lists the file `/etc/passwd`: ",
        ),
        ("no tasks", script::plan(&[]), "the plan has no tasks"),
    ]
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_mended_in_one_round() {
    let stage = Stage::small(script::one_task);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    for (name, plan, fault) in bad_plans() {
        let planner = script::planner(plan).call("submit_plan", good_plan());
        let told = play(&stage, host, name, script::one_task(&stage.project).first(planner));
        assert_eq!(told.state(), "completed", "{name}: {}", told.report());
        assert_eq!(told.mission.plan_source, Some(PlanSource::Repaired), "{name}");
        let refusals = refusals(&told);
        assert_eq!(refusals.len(), 1, "{name}");
        assert!(refusals[0].iter().any(|f| f.contains(fault)), "{name}: {refusals:?}");
        let requests = stage.model.requests();
        let second = requests.iter().rfind(|r| r.role == Role::Planner && r.turn == 1).unwrap();
        assert!(second.raw.contains(fault), "{name}: its author reads it");
    }
    drop(server);
    stage.assert_nothing_left();
}

#[test]
fn a_planner_that_does_not_come_up_with_a_plan_is_replaced_by_rules() {
    let stage = Stage::small(script::one_task);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let broken = script::plan(&[script::task("T1", &["a"], &["T9"])]);
    let twice = script::planner(broken.clone()).call("submit_plan", broken);
    let silent = Rule::new(Role::Planner).contains("Plan the mission").say("It should be easy to do.");
    let scrawl = || Value::String("plan: write the greeting, then test it".into());
    let no_json = Rule::new(Role::Planner)
        .contains("Plan the mission")
        .call("submit_plan", scrawl())
        .call("submit_plan", scrawl());
    for (name, planner, refused, nudged) in
        [("faults twice", twice, 2, 0), ("no call", silent, 0, 1), ("no JSON", no_json, 0, 1)]
    {
        let told = play(&stage, host, name, script::one_task(&stage.project).first(planner));
        assert_eq!(told.state(), "completed", "{name}: {}", told.report());
        assert_eq!(told.mission.plan_source, Some(PlanSource::Rules), "{name}");
        assert_eq!(refusals(&told).len(), refused, "{name}");
        assert_eq!(prompts(&told, Agent::Planner, PromptReason::Nudge), nudged, "{name}");
    }
    drop(server);
    stage.assert_nothing_left();
}

#[test]
fn arguments_that_are_no_json_cost_one_more_call() {
    let stage = Stage::small(script::one_task);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let scrawl = || Value::String("{\"tasks\": [".into());
    let project = &stage.project;
    let planner = Rule::new(Role::Planner)
        .contains("Plan the mission")
        .call("submit_plan", scrawl())
        .call("submit_plan", good_plan());
    let write = json!({"filePath": project.join("hello.txt"), "content": script::GREETING});
    let worker = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .call("write", write)
        .call("submit_report", scrawl())
        .call("submit_report", script::report());
    let reviewer = Rule::new(Role::Reviewer)
        .contains("Review of task T1: ")
        .call("submit_review", scrawl())
        .call("submit_review", script::approve());
    let script = script::one_task(project).first(planner).first(worker).first(reviewer);
    let told = play(&stage, host, "no JSON", script);
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(told.mission.plan_source, Some(PlanSource::Planner));
    assert_eq!(told.mission.tasks[0].attempts, 1);
    for role in [Agent::Planner, Agent::Worker, Agent::Reviewer] {
        assert_eq!(prompts(&told, role, PromptReason::Nudge), 0, "{role:?}");
    }
}

#[test]
fn a_worker_or_reviewer_that_never_submits_fails_the_task_and_not_the_host() {
    let stage = Stage::small(script::one_task);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let mute = |role, about: &str| Rule::new(role).contains(about).say("I am done here.");

    let worker = mute(Role::Worker, "Task T1: ");
    let told = play(&stage, host, "worker", script::one_task(&stage.project).first(worker));
    assert_eq!(told.state(), "failed", "{}", told.report());
    assert_eq!(told.mission.tasks[0].attempts, 3);
    assert_eq!(prompts(&told, Agent::Worker, PromptReason::Nudge), 3, "reminded once in each attempt");
    assert!(
        told.report().contains("it ended its turn twice without calling submit_report"),
        "{}",
        told.report()
    );

    let reviewer = mute(Role::Reviewer, "Review of task T1: ");
    let told = play(&stage, host, "reviewer", script::one_task(&stage.project).first(reviewer));
    assert_eq!(told.state(), "failed", "work without a review is not accepted: {}", told.report());
    assert!(told.report().contains("2 reviewers ended without a verdict"), "{}", told.report());
    drop(server);
    stage.assert_nothing_left();
}

#[test]
fn a_submission_that_is_only_written_down_is_taken() {
    let stage = Stage::small(script::one_task);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let write = json!({"filePath": stage.project.join("hello.txt"), "content": script::GREETING});
    let worker = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .call("write", write)
        .say(&format!("Here is my report:\n```json\n{}\n```", script::report()));
    let reviewer =
        Rule::new(Role::Reviewer).contains("Review of task T1: ").say(&script::approve().to_string());
    let script = script::one_task(&stage.project).first(worker).first(reviewer);
    let told = play(&stage, host, "written down", script);
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(prompts(&told, Agent::Worker, PromptReason::Nudge), 0);
}

#[test]
fn of_two_submissions_the_first_counts() {
    let stage = Stage::small(script::one_task);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let other_plan = script::plan(&[script::task("T7", &["other.txt"], &[])]);
    let planner = Rule::new(Role::Planner)
        .contains("Plan the mission")
        .call("submit_plan", good_plan())
        .call("submit_plan", other_plan);
    let write = json!({"filePath": stage.project.join("hello.txt"), "content": script::GREETING});
    let blocked = json!({"status": "blocked", "summary": "On second thoughts it cannot be done."});
    let worker = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .call("write", write)
        .call("submit_report", script::report())
        .call("submit_report", blocked);
    let changes = json!({"verdict": "changes", "summary": "On second thoughts it is wrong.", "findings": []});
    let reviewer = Rule::new(Role::Reviewer)
        .contains("Review of task T1: ")
        .call("submit_review", script::approve())
        .call("submit_review", changes);
    // Both in one turn: the host makes the calls at the same time.
    let brief = |text: &str| json!({"brief": text});
    let commander = Rule::new(Role::Commander)
        .contains("Call the tool `mission`")
        .turn(
            Turn::call("mission", brief("The first brief.")).and_call("mission", brief("The second brief.")),
        )
        .turn(Turn::echo());
    let script =
        script::one_task(&stage.project).first(planner).first(worker).first(reviewer).first(commander);
    let told = play(&stage, host, "twice", script);
    assert_eq!(stage.told().len(), 1, "two calls of one turn are one mission");
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert!(
        ["The first brief.", "The second brief."]
            .contains(&told.mission.brief.as_ref().unwrap().text.as_str())
    );
    assert_eq!(told.mission.tasks.len(), 1);
    assert_eq!((told.mission.tasks[0].spec.id.as_str(), told.mission.tasks[0].attempts), ("T1", 1));
    let submitted = told.facts.iter().filter(|(_, event)| matches!(event, Event::Submitted { .. })).count();
    assert_eq!(submitted, 4, "plan, report, review, and the review of the whole");
}

#[test]
fn a_commander_that_never_hands_over_loses_nothing() {
    let stage = Stage::small(script::one_task);
    let chatty =
        Rule::new(Role::Commander).contains("Call the tool `mission`").say("Let me think about that.");
    // The host ends with the Commander's turn, so the mission is taken up by the next one.
    stage.model.replace(script::one_task(&stage.project).first(chatty));
    let finished = stage.task(TASK);
    assert_eq!(
        (finished.code, finished.stdout.trim()),
        (Some(0), "Let me think about that."),
        "{finished:?}"
    );
    stage.assert_nothing_left();
    let told = stage.only();
    assert!(told.mission.state.is_open(), "{}", told.state());

    stage.model.replace(
        script::one_task(&stage.project)
            .rule(Rule::new(Role::Commander).contains("[Gantry]").say("I have read the report.")),
    );
    let server = stage.env.serve().unwrap();
    let host = server.client();
    host.get("/session").unwrap();
    let told = wait("the report in the conversation", PATIENCE, || {
        Some(stage.only()).filter(|told| told.mission.handed_back.is_some())
    });
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(told.mission.brief_source, Some(BriefSource::User));
    assert_eq!(told.mission.handed_back, Some(HandBack::Message));
    let conversation = messages(host, &told.row.parent_session);
    let reports = conversation.iter().filter(|m| words(m).contains(told.report().trim()));
    assert_eq!(reports.count(), 1, "handed back once");
    let last = text(&conversation.last().unwrap()["info"]["role"]);
    assert!(["user", "assistant"].contains(&last));
    drop(server);
    stage.assert_nothing_left();
}
