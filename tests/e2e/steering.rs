//! What the user says to agents at work, and a mission that is suspended in one host process and goes on in another.

use gantry::domain::ids::TaskId;
use gantry::engine::core::event::{AttemptKind, Event, Outcome, PromptReason};
use serde_json::json;
use xtask::lab::host::Client;
use xtask::lab::model::{Recorded, Role, Rule, Script, Turn};

use crate::kill::{diamond, gate, hold, wait_held};
use crate::script::{self, GREETING, TASK};
use crate::support::{PATIENCE, Stage, Told, calls, messages, new_session, task, text, wait, words};

const POLITELY: &str = "Greet politely";
const BRITISH: &str = "Use British spelling";

/// Two tasks side by side; the second worker hands its report in twice.
fn two(project: &std::path::Path) -> Script {
    let tasks = [script::task("T1", &["one.txt"], &[]), script::task("T2", &["two.txt"], &[])];
    let write = json!({"filePath": project.join("two.txt"), "content": GREETING});
    Script::new()
        .rule(script::commander())
        .rule(script::planner(script::plan(&tasks)))
        .rule(script::integration(script::approve()))
        .rule(script::worker(project, "T1", "one.txt"))
        .rule(
            Rule::new(Role::Worker)
                .contains("Task T2: ")
                .call("write", write)
                .call("submit_report", script::report())
                .call("submit_report", script::report()),
        )
        .rule(script::reviewer("T1", script::approve()))
        .rule(script::reviewer("T2", script::approve()))
}

fn stage() -> Stage {
    Stage::small(|project| {
        let script = hold(hold(two(project), Role::Worker, "Task T1: ", 1), Role::Worker, "Task T2: ", 1);
        let polite = Rule::new(Role::Worker).contains(POLITELY).call("submit_report", script::report());
        hold(script.first(polite), Role::Worker, POLITELY, 0)
    })
}

/// The prompts of the only worker of a task.
fn prompts(told: &Told, task: &str) -> Vec<PromptReason> {
    let mut of_task =
        told.mission.attempts.values().filter(|a| a.kind == AttemptKind::Work(TaskId::new(task)));
    let found = of_task.next().expect("a worker").prompts.clone();
    assert!(of_task.next().is_none(), "one attempt of {task}");
    found
}

fn outputs(host: &Client, told: &Told, task: &str) -> Vec<String> {
    let worker = told.mission.attempts.values().find(|a| a.kind == AttemptKind::Work(TaskId::new(task)));
    let session = worker.and_then(|a| a.session.clone()).expect("a conversation");
    let parts = calls(&messages(host, session.as_str()));
    let reports = parts.iter().filter(|part| part["tool"] == "submit_report");
    reports.map(|part| text(&part["state"]["output"]).to_owned()).collect()
}

#[test]
fn workers_are_steered_and_a_suspended_mission_goes_on_in_another_host() {
    let stage = stage();
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    let said = std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(host, &session, TASK));
        wait_held(&stage, Role::Worker, "Task T1: ", 1);
        wait_held(&stage, Role::Worker, "Task T2: ", 1);
        let id = stage.told()[0].row.id.0.clone();
        stage.cli(&["steer", &id, "--task", "T2", BRITISH]);
        stage.cli(&["steer", &id, "--task", "T1", "--now", POLITELY]);
        // Told at once in the same conversation; the other is told when it hands its report in.
        wait_held(&stage, Role::Worker, POLITELY, 0);
        stage.model.open(&gate("Task T2: ", 1));
        wait("T2", PATIENCE, || {
            stage.only().mission.task(&TaskId::new("T2")).filter(|t| t.state.is_over()).map(|_| ())
        });
        stage.cli(&["suspend", &id]);
        turn.join().unwrap()
    });
    assert!(said.contains("The user has suspended mission"), "{said}");
    wait("rest in the host", PATIENCE, || (host.get("/session/status").unwrap() == json!({})).then_some(()));
    let asked = stage.model.requests().len();
    let told = stage.only();
    assert_eq!(told.state(), "paused");
    assert_eq!(prompts(&told, "T1"), [PromptReason::First, PromptReason::Steered]);
    assert_eq!(prompts(&told, "T2"), [PromptReason::First], "no turn of its own for that");
    let second = outputs(host, &told, "T2");
    assert!(second[0].contains(&format!("The user has added since:\n- {BRITISH}")), "{second:?}");
    assert!(second.len() == 2 && second[1].starts_with("The report is taken."), "{second:?}");
    drop(server);
    stage.assert_nothing_left();

    let server = stage.env.serve().unwrap();
    let host = server.client();
    // The plugin takes up what is open when the project is opened.
    host.get("/session").unwrap();
    let id = &told.row.id.0;
    stage.model.open(&gate("Task T1: ", 1));
    wait("the next process", PATIENCE, || {
        let output = stage.env.command(&crate::support::sidecar()).unwrap().args(["resume", id]).output();
        output.unwrap().status.success().then_some(())
    });
    let report = wait("the report in the conversation", PATIENCE, || {
        messages(host, &session).iter().map(words).find(|text| text.contains(": completed\n"))
    });
    assert!(report.contains("2 of 2 tasks done"), "{report}");
    let told = stage.only();
    assert_eq!(
        prompts(&told, "T1"),
        [PromptReason::First, PromptReason::Steered, PromptReason::Resumed],
        "{:#?}",
        told.facts
    );
    let resumed = |r: &&Recorded| r.prompt.contains("The user had interrupted your turn");
    assert!(stage.model.requests()[asked..].iter().any(|r| resumed(&r)));
    let failed =
        |event: &Event| matches!(event, Event::AttemptClosed { outcome, .. } if *outcome != Outcome::Done);
    assert!(!told.facts.iter().any(|(_, event)| failed(event)), "{:#?}", told.facts);
    drop(server);
    stage.assert_nothing_left();
    stage.assert_no_misses();
}

#[test]
fn words_to_the_whole_mission_change_what_has_not_begun() {
    let stage = Stage::small(|project| {
        let plan = json!({
            "summary": "One file instead of two.",
            "tasks": [script::task("T5", &["five.txt"], &["T1"])],
            "drop": ["T2", "T3"],
        });
        let script = script::worker(project, "T5", "five.txt");
        let script = diamond(project)
            .first(script::anew(plan))
            .rule(script)
            .rule(script::reviewer("T5", script::approve()));
        let twice = script.rules.iter().position(|r| r.contains == ["Task T1: "]);
        let mut script = hold(script, Role::Worker, "Task T1: ", 1);
        script.rules[twice.unwrap()].turns.push(Turn::call("submit_report", script::report()));
        script
    });
    let mut running = stage.env.run_command("task", TASK).unwrap();
    wait_held(&stage, Role::Worker, "Task T1: ", 1);
    let id = stage.only().row.id.0.clone();
    stage.cli(&["steer", &id, "one", "file", "instead", "of", "two"]);
    wait("another plan", PATIENCE, || {
        stage.only().facts.iter().any(|(_, e)| matches!(e, Event::PlanRevised { .. })).then_some(())
    });
    stage.model.open(&gate("Task T1: ", 1));
    let finished = running.wait(PATIENCE).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told = stage.only();
    let tasks: Vec<_> = told.mission.tasks.iter().map(|t| (t.spec.id.as_str(), t.state.name())).collect();
    assert_eq!(tasks, [("T1", "completed"), ("T4", "completed"), ("T5", "completed")], "{}", told.report());
    assert_eq!(told.state(), "completed");
    let file = std::fs::read_to_string(stage.project.join("TODO.md")).unwrap();
    assert!(file.contains("- [x] T5: Write five.txt") && !file.contains("T2"), "{file}");
    assert!(!stage.project.join("two.txt").exists());
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

#[test]
fn a_plan_that_waits_is_read_and_edited_before_it_begins() {
    let stage = Stage::small(|project| {
        diamond(project)
            .rule(script::worker(project, "U1", "five.txt"))
            .rule(script::reviewer("U1", script::approve()))
    });
    let mut running = stage.env.run(&["--command", "task", "--", &format!("--approve {TASK}")]).unwrap();
    let waits = || stage.told().pop().filter(|told| told.mission.awaits_approval());
    let id = wait("a plan that waits", PATIENCE, waits).row.id.0;
    let shown = stage.cli(&["show", &id]);
    for part in [
        "Still to come: about ",
        "- T4 pending: Write four.txt\n  files four.txt; after T2, T3",
        "gantry approve",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let file = stage.project.join("TODO.md");
    let text = wait("the plan file", PATIENCE, || {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains("T4: "))
    });
    let lines = text.lines().filter(|line| !line.contains("T2: ")).map(|line| {
        let line = line.replace("T3: Write three.txt", "T3: Write the third file");
        let line =
            line.replace("(files: four.txt) (after: T2, T3)", "(files: four.txt, extra.txt) (after: T1)");
        line.replace(
            "<!-- gantry:end",
            "- [ ] Write a fifth file (files: five.txt) (after: T1)\n<!-- gantry:end",
        )
    });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let told = wait("the edits in the plan", PATIENCE, || {
        waits().filter(|told| told.mission.tasks.iter().any(|t| t.spec.id.as_str() == "U1"))
    });
    let line = |t: &gantry::engine::core::state::Task| {
        let after: Vec<_> = t.spec.depends_on.iter().map(|d| d.as_str()).collect();
        format!("{} {} ({}) ({})", t.spec.id, t.spec.title, t.spec.files.join(" "), after.join(" "))
    };
    assert_eq!(
        told.mission.tasks.iter().map(line).collect::<Vec<_>>(),
        [
            "T1 Write one.txt (one.txt) ()",
            "T3 Write the third file (three.txt) (T1)",
            "T4 Write four.txt (four.txt extra.txt) (T1)",
            "U1 Write a fifth file (five.txt) (T1)",
        ]
    );
    assert_eq!(stage.model.requests().iter().filter(|r| r.role == Role::Worker).count(), 0);
    stage.cli(&["approve", &id]);
    let finished = running.wait(PATIENCE).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told = stage.only();
    assert_eq!(told.state(), "completed", "what was left out is not missed: {}", told.report());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("- [x] T4: Write four.txt (files: four.txt, extra.txt) (after: T1)"), "{text}");
    assert!(!text.contains("T2") && !stage.project.join("two.txt").exists(), "{text}");
    stage.assert_no_misses();
    stage.assert_nothing_left();
}
