//! Permissions that workers ask for, in the real host: where a person may answer, and where nobody can.

use gantry::engine::core::event::{Event, Judge, PromptReason};
use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule};

use crate::script::{self, GREETING};
use crate::support::{PATIENCE, Stage, Told, calls, messages, new_session, task, text, wait};

fn asking(worker: impl FnOnce(Value, Rule) -> Vec<Rule>) -> Stage {
    let stage = Stage::small(|project| {
        let write = json!({"filePath": project.join("hello.txt"), "content": GREETING});
        let rule = Rule::new(Role::Worker).contains("Task T1: ");
        let rules = worker(write, rule);
        rules.into_iter().rev().fold(script::one_task(project), |script, rule| script.first(rule))
    });
    stage.adjust(|env| env.config(json!({"permission": {"bash": "ask"}})))
}

fn bash(command: &str) -> Value {
    json!({"command": command, "description": "Says a word"})
}

/// Commands that were asked for, by whom each was answered, and how.
fn verdicts(told: &Told) -> Vec<(String, Judge, bool)> {
    let judged = told.mission.asks.iter().filter_map(|ask| ask.verdict.as_ref().map(|v| (ask, v)));
    judged.map(|(ask, v)| (ask.patterns.join(" "), v.by, v.allow)).collect()
}

#[test]
fn a_worker_waits_for_the_users_word_and_not_for_ever() {
    let stage = asking(|write, rule| {
        vec![
            rule.call("bash", bash("echo zero"))
                .call("bash", bash("true && git push"))
                .call("bash", bash("echo one"))
                .call("bash", bash("echo two"))
                .call("bash", bash("echo three"))
                .call("write", write)
                .call("submit_report", script::report()),
        ]
    });
    std::fs::write(
        stage.project.join("gantry.jsonc"),
        r#"{"permissionTimeoutSeconds": 5, "permissions": ["allow bash echo zero", "deny bash git push*"]}"#,
    )
    .unwrap();
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    let waiting = |command: &str| {
        wait(&format!("an ask for {command}"), PATIENCE, || {
            let open: Vec<Value> = serde_json::from_str(&stage.cli(&["permissions", "--json"])).unwrap();
            open.into_iter().find(|ask| ask["patterns"] == json!([command]))
        })
    };
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(host, &session, script::TASK));
        let one = waiting("echo one");
        assert_eq!((&one["permission"], &one["task"]), (&json!("bash"), &json!("T1")));
        stage.cli(&["allow", text(&one["id"])]);
        stage.cli(&["deny", text(&waiting("echo two")["id"]), "not", "that"]);
        turn.join().unwrap();
    });

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    let said = |command: &str, by, allow| (command.to_owned(), by, allow);
    let wanted = [
        said("echo zero", Judge::Policy, true),
        said("echo one", Judge::User, true),
        said("echo two", Judge::User, false),
        said("echo three", Judge::Time, false),
    ];
    assert_eq!(verdicts(&told), wanted);
    let worker = told.mission.asks[0].attempt.clone();
    let attempt = &told.mission.attempts[&worker];
    assert_eq!(attempt.prompts, [PromptReason::First], "a refusal with a reason does not end the turn");
    let outputs: Vec<String> = calls(&messages(host, attempt.session.as_ref().unwrap().as_str()))
        .iter()
        .filter(|part| part["tool"] == "bash")
        .map(|part| format!("{}{}", text(&part["state"]["output"]), text(&part["state"]["error"])))
        .collect();
    assert!(outputs[0].contains("zero") && outputs[2].contains("one"), "{outputs:?}");
    assert!(outputs[1].contains("The rules of this mission do not allow this"), "{outputs:?}");
    assert!(outputs[3].contains("not that") && outputs[4].contains("Nobody answered in time"), "{outputs:?}");
    assert_eq!(stage.cli(&["permissions"]).trim(), "No agent waits for a permission.");
    stage.assert_no_misses();
}

/// `opencode run` refuses by itself what is asked for, and that ends the turn.
#[test]
fn headless_a_refused_permission_does_not_end_the_task() {
    let stage = asking(|write, rule| {
        let denied = Rule::new(Role::Worker).contains("A permission that your turn asked for was refused");
        vec![
            denied.call("write", write).call("submit_report", script::report()),
            rule.call("bash", bash("echo one")).call("submit_report", script::report()),
        ]
    });
    let finished = stage.task(script::TASK);
    let told = stage.only();
    assert_eq!((finished.code, told.state()), (Some(0), "completed"), "{finished:?}");
    assert_eq!(verdicts(&told), [("echo one".to_owned(), Judge::Host, false)]);
    assert!(
        told.facts.iter().any(|(_, e)| matches!(e, Event::Prompted { reason: PromptReason::Denied, .. }))
    );
    assert_eq!(told.mission.tasks[0].attempts, 1);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

/// It does not look at worktrees, so there an ask would wait for its time limit with nobody to see it.
#[test]
fn headless_an_ask_in_a_worktree_does_not_wait_for_nobody() {
    let stage = Stage::small(|project| {
        let worker = Rule::new(Role::Worker)
            .contains("Task T1: ")
            .call("bash", bash("echo one"))
            .call("write", json!({"filePath": "hello.txt", "content": GREETING}))
            .call("submit_report", script::report());
        script::one_task(project).first(worker)
    });
    let stage = stage.adjust(|env| env.config(json!({"permission": {"bash": "ask"}})));
    std::fs::write(stage.project.join("gantry.jsonc"), r#"{"isolation": "worktree"}"#).unwrap();
    let finished = stage.task(script::TASK);
    let told = stage.only();
    assert_eq!((finished.code, told.state()), (Some(0), "completed"), "{finished:?} {}", told.report());
    assert_eq!(verdicts(&told), [("echo one".to_owned(), Judge::Host, false)]);
    let worker = &told.mission.attempts[&told.mission.asks[0].attempt];
    assert_eq!(worker.prompts, [PromptReason::First], "a refusal with a reason does not end the turn");
    stage.assert_no_misses();
    stage.assert_nothing_left();
}
