//! What Gantry costs the user's other agents: not one byte of a request. And what a user's own agent of a role's name
//! changes.

use std::fs;

use serde_json::{Value, json};
use xtask::lab::host::HostEnv;
use xtask::lab::model::{Model, Recorded, Role, Rule, Turn};

use crate::script::{self, PLAIN, PLAIN_ANSWER};
use crate::support::{PATIENCE, Stage, ask, new_session, shim, sidecar, small_project, task};

/// The host's own primary agents, and two of the user's.
const AGENTS: [&str; 4] = ["build", "plan", "mine", "open"];

/// The user's settings, in the shapes the host knows for them.
fn settings() -> Vec<(&'static str, Value)> {
    vec![
        ("none", json!({})),
        ("one word", json!({"permission": "allow"})),
        ("asks for everything", json!({"permission": {"*": "ask"}})),
        (
            "patterns",
            json!({"permission": {
                "edit": "ask",
                "bash": {"*": "ask", "git *": "allow", "rm *": "deny"},
                "task": {"*": "deny", "general": "allow"},
            }}),
        ),
        ("no subagents", json!({"permission": {"task": "deny"}})),
        ("everything denied but one", json!({"permission": {"*": "deny", "read": "allow", "task": "allow"}})),
        (
            "by agent",
            json!({"agent": {
                "build": {"permission": {"*": "deny", "read": "allow", "task": {"*": "allow"}}},
                "plan": {"permission": "allow", "tools": {"bash": false}},
                "mine": {"prompt": "You are mine.", "mode": "primary", "tools": {"write": false, "task": false}},
                "open": {"prompt": "You are open.", "mode": "primary", "permission": {"*": "allow"}},
            }}),
        ),
        ("old switches", json!({"tools": {"webfetch": false, "task": false}})),
    ]
}

#[test]
fn requests_of_other_agents_are_the_same_to_the_byte() {
    for (shape, settings) in settings().into_iter().take(4) {
        compare(shape, &settings);
    }
}

#[test]
fn so_they_are_under_the_other_shapes_of_permission() {
    for (shape, settings) in settings().into_iter().skip(4) {
        compare(shape, &settings);
    }
}

fn compare(shape: &str, settings: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();
    small_project(&project);
    let script = || script::one_task(&project);
    let host = |name: &str| {
        let root = folder.path().join(name);
        fs::create_dir(&root).unwrap();
        let model = Model::start(script()).unwrap();
        // The host tells its agents where temporary files go. The address of the model is no part of a request.
        let env = HostEnv::new(&root, &project).unwrap().env("TMPDIR", &folder.path().display().to_string());
        (env.model(&model).config(settings.clone()), model)
    };
    let (without, with) = std::thread::scope(|scope| {
        let without = scope.spawn(|| {
            let (env, model) = host("without");
            said(&env, &model)
        });
        let (env, model) = host("with");
        let with = said(&env.plugin(&shim(), json!({})).gantry(&sidecar()), &model);
        (without.join().unwrap(), with)
    });
    assert!(without.len() >= 2, "{shape}: build and plan at least");
    assert_eq!(without.len(), with.len(), "{shape}");
    for (without, with) in without.iter().zip(&with) {
        assert_eq!(without, with, "{shape}");
    }
}

/// What the model is asked on behalf of each agent.
fn said(env: &HostEnv, model: &Model) -> Vec<String> {
    let server = env.serve().unwrap();
    let host = server.client();
    let known = host.get("/agent").unwrap();
    let known: Vec<&str> = known.as_array().unwrap().iter().filter_map(|a| a["name"].as_str()).collect();
    for agent in AGENTS.into_iter().filter(|agent| known.contains(agent)) {
        assert_eq!(ask(host, &new_session(host), agent, &format!("{PLAIN} as {agent}")), PLAIN_ANSWER);
    }
    let of_user = |r: &&Recorded| r.prompt.contains(PLAIN) && r.role != Role::Title;
    model.requests().iter().filter(of_user).map(|r| r.raw.clone()).collect()
}

#[test]
fn a_mission_under_way_changes_no_request_either() {
    let stage = Stage::small(|project| script::one_task(project).first(gated_reviewer()));
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let asked = |when: &str| {
        assert_eq!(ask(host, &new_session(host), "build", &format!("{PLAIN} {when}")), PLAIN_ANSWER);
        request(&stage.model, &format!("{PLAIN} {when}"))
    };
    let before = asked("soon");
    std::thread::scope(|scope| {
        scope.spawn(|| task(host, &new_session(host), script::TASK));
        let at_work = |records: &[Recorded]| records.iter().any(|r| r.role == Role::Reviewer).then_some(());
        stage.model.wait_for(PATIENCE, at_work).unwrap();
        assert_eq!(asked("now!").replace("now!", "soon"), before);
        stage.model.open("go on");
    });
    assert_eq!(stage.only().state(), "completed");
    assert_eq!(asked("last").replace("last", "soon"), before);
    stage.assert_no_misses();
}

fn gated_reviewer() -> Rule {
    let submit = Turn::call("submit_review", script::approve()).gate("go on");
    Rule::new(Role::Reviewer).contains("Review of task T1: ").turn(submit)
}

fn request(model: &Model, prompt: &str) -> String {
    let said = |r: &&Recorded| r.prompt.contains(prompt) && r.role != Role::Title;
    model.requests().iter().find(said).unwrap().raw.clone()
}

/// A reviewer of the user's own, in a file as the host's documentation describes it.
const REVIEWER: &str = "---
description: Reviews the way we do it here
mode: subagent
model: lab/other
temperature: 0.25
---
You review for the harbour office. Mind the tides.
";

#[test]
fn a_users_own_reviewer_brings_its_prompt_and_model_and_keeps_the_duties() {
    let stage = Stage::small(script::one_task);
    let folder = stage.env.root().join("config/opencode/agents");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("reviewer.md"), REVIEWER).unwrap();
    let options = json!({"baseURL": stage.model.url(), "apiKey": "lab"});
    let model = |name| json!({"name": name, "tool_call": true, "temperature": true, "limit": {"context": 128_000, "output": 8_000}});
    let provider = json!({"lab": {
        "npm": "@ai-sdk/openai-compatible",
        "options": options,
        "models": {"scripted": model("scripted"), "other": model("other")},
    }});
    let stage = stage.adjust(|env| env.config(json!({"provider": provider})));

    let finished = stage.task(script::TASK);

    assert_eq!(stage.only().state(), "completed", "{finished:?}");
    stage.assert_no_misses();
    let requests = stage.model.requests();
    let reviews: Vec<_> = requests.iter().filter(|r| r.role == Role::Reviewer).collect();
    assert!(reviews.len() >= 2, "of the task and of the whole");
    for review in reviews {
        let body = review.body();
        assert_eq!((&body["model"], &body["temperature"]), (&json!("other"), &json!(0.25)));
        let system = body["messages"][0]["content"].to_string();
        assert!(system.contains("You review for the harbour office. Mind the tides."), "{system}");
        assert!(!system.contains("You are a Reviewer of Gantry"), "{system}");
        let tools = review.tools();
        for absent in ["edit", "write", "bash", "task", "mission", "submit_plan", "submit_report"] {
            assert!(!tools.iter().any(|tool| tool == absent), "{absent} in {tools:?}");
        }
    }
    let others = requests.iter().filter(|r| matches!(r.role, Role::Planner | Role::Worker | Role::Commander));
    assert!(others.map(|r| r.body()).all(|body| body["model"] == "scripted"));
}

/// What each role may see of the host's tools and of Gantry's.
#[test]
fn each_role_has_the_tools_of_its_part() {
    let stage = Stage::small(script::one_task);
    stage.task(script::TASK);
    let requests = stage.model.requests();
    let tools = |role: Role| requests.iter().find(|r| r.role == role).unwrap().tools();
    let writing = ["edit", "write", "bash"];
    let gantry =
        ["mission", "mission_status", "mission_control", "submit_plan", "submit_report", "submit_review"];
    let table = [
        (Role::Commander, &gantry[..3], false),
        (Role::Planner, &gantry[3..4], false),
        (Role::Worker, &gantry[4..5], true),
        (Role::Reviewer, &gantry[5..], false),
    ];
    for (role, own, writes) in table {
        let tools = tools(role);
        let has = |name: &&str| tools.iter().any(|tool| tool == name);
        assert_eq!(gantry.iter().filter(|name| has(name)).copied().collect::<Vec<_>>(), own, "{role:?}");
        assert!(writing.iter().all(|name| has(name) == writes), "{role:?}: {tools:?}");
        assert!(has(&"read") && !has(&"task"), "only the engine starts others; {role:?}: {tools:?}");
    }
}
