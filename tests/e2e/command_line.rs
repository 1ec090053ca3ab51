//! Gantry's own command line around missions of the real host.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use xtask::lab::demo;
use xtask::lab::host::{self, HostProcess};
use xtask::lab::model::{Role, Rule, Script};

use crate::kill::{open_two, two_held, wait_two_at_work};
use crate::script::{self, TASK};
use crate::support::{BEAT, PATIENCE, Stage, Told, sidecar, wait};

/// With the host on the path, and Gantry in its configuration.
pub fn stage(stage: Stage) -> Stage {
    let folder = host::find().unwrap().parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    stage.adjust(|env| env.env("PATH", &path))
}

pub fn gantry(stage: &Stage, args: &[&str]) -> Output {
    stage.env.command(&sidecar()).unwrap().args(args).stdin(Stdio::null()).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_mission_is_run_watched_and_exported() {
    let stage = stage(Stage::sample(|project| demo::script(project, BEAT)));
    let ran = gantry(&stage, &["run", demo::TASK]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let told = stage.only();
    assert_eq!(told.state(), "completed");
    assert_eq!(text(&ran.stdout).trim_end(), told.report().trim_end(), "the report and nothing else");
    let progress = text(&ran.stderr);
    assert!(progress.contains("░ 1/5  executing") || progress.contains("░ 2/5  executing"), "{progress}");
    stage.assert_nothing_left();

    let watched = gantry(&stage, &["watch"]);
    assert_eq!(watched.status.code(), Some(0));
    assert!(
        text(&watched.stdout).starts_with("████████████████████████ 5/5  completed, 0 running\n"),
        "{watched:?}"
    );

    let id = &told.row.id.0;
    let short = id.get(..13).unwrap();
    let listed = stage.cli(&["missions"]);
    assert!(listed.starts_with(&format!("{short}  completed")), "{listed}");
    assert!(listed.contains(&told.row.title), "a pipe gets the title whole: {listed}");
    assert_eq!(stage.cli(&["show", short]), stage.cli(&["show", id]));

    // Steps of the mission that the log tells: what changed, and what was before.
    let log = stage.cli(&["logs", "--lines", "1000"]);
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = [
        ["state_changed", "", "queued", "running"],
        ["task_changed", "T3", "in_review", "in_progress"],
        ["state_changed", "", "running", "completed"],
    ];
    for step in steps {
        let told = |line: &Value| {
            let fields = &line["fields"];
            let parts = ["fact", "task", "from", "to"].map(|part| fields[part].as_str().unwrap_or_default());
            fields["mission"] == **id && parts == step
        };
        assert!(log.iter().any(told), "{step:?}: {log:#?}");
    }

    let document = stage.cli(&["export", short]);
    for part in [
        "# ",
        "| state | completed (all gates passed) |",
        "| tasks | 5 of 5 done |",
        "### T1 completed: Parse amounts and lines",
        "- after T1",
        "review of T3: sent back",
        "Review: approved",
        "```diff\n",
        "- `npm test`: passed",
        "## Timeline",
    ] {
        assert!(document.contains(part), "{part}:\n{document}");
    }
    let json: Value = serde_json::from_str(&stage.cli(&["export", short, "--json"])).unwrap();
    assert_eq!(json["journal"].as_array().unwrap().len(), told.facts.len());
    assert!(json["tokens"].as_u64().unwrap() > 0 && json["attempts"].as_array().unwrap().len() > 10);
    let gate = &json["gates"]["T3"];
    assert!(gate["diff"].as_str().unwrap().contains("+++ b/src/discount.js"), "{gate:#}\n{}", document);
    assert_eq!(
        (&json["gates"]["T3"]["verdict"]["approved"], &json["whole"]["checks"][0]["passed"]),
        (&true.into(), &true.into())
    );
    let file = stage.folder().join("mission.md");
    let written = ["export", short, "--output", file.to_str().unwrap()];
    stage.cli(&written);
    assert_eq!(fs::read_to_string(&file).unwrap(), document);
    let again = gantry(&stage, &written);
    assert_eq!(again.status.code(), Some(1), "a file that is there is not written over");
}

#[test]
fn the_exit_code_says_how_it_ended() {
    let stage = stage(Stage::small(script::one_task));
    let missing = gantry(&stage, &["run", TASK, "--directory", "nowhere"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    let ran = gantry(&stage, &["run", TASK, "--json"]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let json: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(json["mission"]["state"], "completed");
    assert_eq!(text(&ran.stderr), "");
    let wrong = gantry(&stage, &["run", TASK, "--set", "workers=0"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    fs::write(stage.project.join("gantry.json"), "{\"workers\": 0}").unwrap();
    let refused = gantry(&stage, &["run", TASK]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        text(&refused.stderr).contains("workers is 0: it must be a whole number from 1 to 50"),
        "{refused:?}"
    );
    assert!(Path::new(&stage.project).is_dir());
    assert!(stage.cli(&["logs"]).contains("refused: "), "{}", stage.cli(&["logs"]));
}

#[test]
fn partly_done_is_three_and_the_options_of_the_command_line_count() {
    let stage = stage(Stage::small(|project| {
        let tasks = [script::task("T1", &["a.txt"], &[]), script::task("T2", &["b.txt"], &[])];
        let blocked = json!({"status": "blocked", "summary": "There is no greeting for b."});
        Script::new()
            .rule(script::commander())
            .rule(script::planner(script::plan(&tasks)))
            .rule(script::integration(script::approve()))
            .rule(script::worker(project, "T1", "a.txt"))
            .rule(Rule::new(Role::Worker).contains("Task T2: ").call("submit_report", blocked))
            .rule(script::reviewer("T1", script::approve()))
    }));
    let ran = gantry(&stage, &["run", TASK, "--set", "workers=1", "--set", "todo=PLAN.md"]);
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    let told = stage.only();
    assert_eq!((told.state(), told.mission.created.options.workers), ("partially_completed", 1));
    assert!(fs::read_to_string(stage.project.join("PLAN.md")).unwrap().contains("- [x] T1: "));
    assert!(text(&ran.stdout).contains("There is no greeting for b."), "{ran:?}");
    let watched = gantry(&stage, &["watch"]);
    assert_eq!(watched.status.code(), Some(3));
    assert!(
        text(&watched.stdout).starts_with("████████████░░░░░░░░░░░░ 1/2  partially_completed"),
        "{watched:?}"
    );
}

/// Ctrl-C reaches `gantry run` alone here; in a terminal it reaches the host as well.
#[test]
fn an_interrupt_ends_the_run_and_keeps_the_mission() {
    let stage = stage(Stage::small(two_held));
    let mut command = stage.env.command(&sidecar()).unwrap();
    command.args(["run", TASK]);
    let mut running = HostProcess::spawn(&mut command).unwrap();
    wait_two_at_work(&stage);
    running.interrupt();
    let finished = running.wait(PATIENCE).unwrap();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(
        finished.stderr.ends_with("gantry: interrupted; `gantry missions` says how the mission stands\n"),
        "{finished:?}"
    );
    stage.assert_nothing_left();
    let told = stage.only();
    assert!(stage.cli(&["missions"]).contains(told.row.id.0.get(..13).unwrap()));
    assert!(told.mission.state.is_open(), "{}: it goes on at the next start", told.state());
}

#[test]
fn a_mission_without_a_terminal_is_steered_from_another_one() {
    let stage = stage(Stage::small(two_held));
    let task = format!("--approve {TASK}");
    let mut running = stage.env.run(&["--command", "task", "--", &task]).unwrap();
    let state = |wanted: &str| {
        let told = || stage.told().pop().filter(|told| told.state() == wanted);
        wait(&format!("mission {wanted}"), PATIENCE, told)
    };
    let id = state("paused").row.id.0;
    let short = id.get(..13).unwrap();
    let listed = stage.cli(&["show", short, "--json"]);
    assert!(listed.contains("\"awaitsApproval\":true"), "{listed}");

    let said = stage.cli(&["refuse", short, "smaller", "steps"]);
    assert!(said.contains("planning") || said.contains("paused"), "{said}");
    let wished =
        |told: &Told| told.mission.plan_wishes == ["smaller steps"] && told.mission.awaits_approval();
    wait("another plan", PATIENCE, || stage.told().pop().filter(wished));
    stage.cli(&["approve"]);
    wait_two_at_work(&stage);
    let shown: Value = serde_json::from_str(&stage.cli(&["show", short, "--json"])).unwrap();
    let numbers = &shown["processes"][0];
    assert_eq!(
        (&numbers["gauges"]["attempts.open.worker"], shown["processes"].as_array().map(Vec::len)),
        (&2.into(), Some(1))
    );
    for name in [
        "permits.worker.allowed",
        "lanes.worker.waiting",
        "budget.tokens_spent",
        "breaker.lab.open",
        "memory.percent",
    ] {
        assert!(numbers["gauges"][name].is_u64(), "{name}: {numbers}");
    }
    for name in
        ["lanes.worker.stolen", "lanes.worker.parks", "actions.look", "looks.that_found_missed_events"]
    {
        assert!(numbers["counters"][name].is_u64(), "{name}: {numbers}");
    }
    assert!(shown["forecast"]["turns"].as_u64() > Some(0), "{shown}");
    stage.cli(&["steer", short, "mind", "the", "gap"]);
    stage.cli(&["pause", short]);
    let twice = gantry(&stage, &["pause", short]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice.stderr).contains("a mission that is paused cannot be paused"), "{twice:?}");
    stage.cli(&["resume", short]);
    open_two(&stage);
    let finished = running.wait(PATIENCE).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let steers = state("completed").mission.steers;
    assert_eq!(steers.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["mind the gap"]);

    // Nobody is at work on it any more.
    let late = gantry(&stage, &["cancel", short]);
    assert_eq!(late.status.code(), Some(1));
    assert!(text(&late.stderr).contains("start opencode in "), "{late:?}");
    stage.assert_no_misses();
}
