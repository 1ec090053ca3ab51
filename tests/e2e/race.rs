//! Three tries at one task on the real host: one fails its check, two are compared, one is in the user's files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule, Script, Turn};
use xtask::lab::sample::git;

use crate::command_line::{gantry, stage, text};
use crate::script::{self, TASK, approve, plan};
use crate::support::{Stage, small_project};

/// All three are at work at the same time: none ends before the others have begun.
fn script(_: &Path) -> Script {
    let write =
        |file: &str, content: &str| Turn::call("write", json!({"filePath": file, "content": content}));
    let worker = |id: &str, content: &str| {
        Rule::new(Role::Worker)
            .contains(&format!("Task {id}: "))
            .contains("Others try the same at the same time")
            .turn(write("hello.txt", content))
            .turn(Turn { delay_ms: 400, ..write(&format!("notes-of-{id}.txt"), "mine\n") })
            .call("submit_report", script::report())
    };
    let comparison =
        json!({"verdict": "approve", "summary": "It greets the whole world.", "choice": "T1.r3"});
    Script::new()
        .rule(script::commander())
        .rule(script::planner(plan(&[script::task("T1", &["hello.txt"], &[])])))
        .rule(script::integration(approve()))
        .rule(worker("T1.r1", "BROKEN\n"))
        .rule(worker("T1.r2", "hello\n"))
        .rule(worker("T1.r3", "hello, world\n"))
        .rule(
            Rule::new(Role::Reviewer)
                .contains("Comparison of the tries at task T1: ")
                .contains("+hello, world")
                .contains("`choice` one of T1.r2, T1.r3")
                .call("read", json!({"filePath": "hello.txt"}))
                .call("submit_review", comparison),
        )
}

#[test]
fn of_three_tries_the_one_that_is_chosen_is_in_the_users_files_and_nothing_else() {
    let raced = stage(Stage::bare(small_project, script).gantry());
    let limit = json!({"context": 128_000, "output": 8_000});
    let model = |name: &str| json!({"name": name, "tool_call": true, "limit": limit});
    let provider = json!({"lab": {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": raced.model.url(), "apiKey": "lab"},
        "models": {"scripted": model("scripted"), "big/one": model("another")},
    }});
    let raced = raced.adjust(|env| {
        env.config(json!({"provider": provider}))
            .env("GANTRY_CHECKS", "[\"! grep -qs BROKEN hello.txt\"]")
            .env("GANTRY_RACE_MODELS", "[\"lab/scripted\", \"lab/big/one\"]")
    });
    let refs = |stage: &Stage| git(&stage.project, &["for-each-ref"]).unwrap();
    let before = refs(&raced);
    let ran = gantry(&raced, &["run", "--race", "3", TASK]);
    assert_eq!(ran.status.code(), Some(0), "{}\n{}", text(&ran.stdout), text(&ran.stderr));

    let told = raced.only();
    let states: Vec<_> =
        told.mission.in_order().iter().map(|t| (t.spec.id.as_str(), t.state.name())).collect();
    let expected = [("T1", "completed"), ("T1.r1", "failed"), ("T1.r2", "cancelled"), ("T1.r3", "completed")];
    assert_eq!(states, expected, "{}", told.report());
    let won = "T1 done: Write hello.txt — T1.r3 of 3 tries is taken: It greets the whole world.";
    assert!(told.report().contains(won), "{}", told.report());
    assert!(told.report().contains("1 of 1 tasks done"), "{}", told.report());

    // The very bytes of the one, of the others nothing: no file, no branch, no line in the plan.
    let read = |name: &str| fs::read_to_string(raced.project.join(name)).unwrap();
    assert_eq!(read("hello.txt"), "hello, world\n");
    let status = git(&raced.project, &["status", "--porcelain", "--untracked-files=all"]).unwrap();
    assert_eq!(status.trim_end(), "?? TODO.md\n?? hello.txt\n?? notes-of-T1.r3.txt");
    assert_eq!(refs(&raced), before);
    assert!(!read("TODO.md").contains("T1.r"), "{}", read("TODO.md"));

    // They ran side by side, each on its model.
    let requests = raced.model.requests();
    let of = |id: &str| {
        let mine = |r: &&xtask::lab::model::Recorded| {
            r.role == Role::Worker && r.prompt.contains(&format!("Task {id}: "))
        };
        requests.iter().filter(mine).collect::<Vec<_>>()
    };
    let model = |id: &str| of(id)[0].body()["model"].clone();
    assert_eq!(["T1.r1", "T1.r2", "T1.r3"].map(model), ["scripted", "big/one", "scripted"].map(Value::from));
    assert!(of("T1.r2").iter().any(|r| of("T1.r3").iter().any(|other| r.overlaps(other))));

    let id = &told.row.id.0;
    assert!(raced.cli(&["show", id]).contains(won));
    let document = raced.cli(&["export", id]);
    for line in ["T1 is raced: 3 tries", "- race: T1.r3 of 3 tries is taken", "### T1.r2 cancelled"] {
        assert!(document.contains(line), "{line}:\n{document}");
    }
    raced.assert_no_misses();
    raced.assert_nothing_left();
}
