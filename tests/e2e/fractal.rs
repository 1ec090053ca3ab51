//! A task that is planned further, three levels down, on the real host.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule, Script};

use crate::script::{self, GREETING, TASK, approve, plan, reviewer, task, worker};
use crate::support::Stage;

/// The tasks that are worked, each with its one file.
const LEAVES: [&str; 5] = ["T1.1.1.1", "T1.1.1.2", "T1.1.2", "T1.2", "T2"];

fn fractal(id: &str, files: &[&str], needs: &[&str]) -> Value {
    let mut task = task(id, files, needs);
    task["mode"] = json!("fractal");
    task
}

fn planner(task: &str, parts: &[Value]) -> Rule {
    Rule::new(Role::Planner).contains(&format!("Plan task {task} further")).call("submit_plan", plan(parts))
}

fn three_levels(project: &Path) -> Script {
    let file = |task: &str| format!("out/{task}.txt");
    let named = |task: &str| [file(task)];
    let leaf = |id: &str, task_id: &str, needs: &[&str]| {
        let files = named(task_id);
        task(id, &[files[0].as_str()], needs)
    };
    let mut script = Script::new()
        .rule(script::commander())
        .rule(script::planner(plan(&[fractal("T1", &["out"], &[]), leaf("T2", "T2", &["T1"])])))
        .rule(planner("T1", &[fractal("A", &["out"], &[]), leaf("B", "T1.2", &["A"])]))
        .rule(planner("T1.1", &[fractal("A", &["out"], &[]), leaf("B", "T1.1.2", &["A"])]))
        // As deep as plans go: that it asks for another level is passed over.
        .rule(planner(
            "T1.1.1",
            &[fractal("A", &[file("T1.1.1.1").as_str()], &[]), leaf("B", "T1.1.1.2", &[])],
        ))
        .rule(script::integration(approve()));
    for task in LEAVES {
        script = script.rule(worker(project, task, &file(task))).rule(reviewer(task, approve()));
    }
    script
}

#[test]
fn a_task_is_planned_three_levels_down_and_done_by_its_parts() {
    let stage = Stage::small(three_levels);
    assert_eq!(stage.task(TASK).code, Some(0));
    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    for task in LEAVES {
        let text = fs::read_to_string(stage.project.join(format!("out/{task}.txt"))).unwrap();
        assert_eq!(text, GREETING, "{task}");
    }
    let todo = fs::read_to_string(stage.project.join("TODO.md")).unwrap();
    let mut shown: Vec<_> = todo
        .lines()
        .filter_map(|line| line.strip_prefix("- [x] ")?.split_once(": "))
        .map(|(id, _)| id.to_owned())
        .collect();
    // The file keeps its order, and parts come after what was there; their names say where they belong.
    shown.sort();
    assert_eq!(shown, ["T1", "T1.1", "T1.1.1", "T1.1.1.1", "T1.1.1.2", "T1.1.2", "T1.2", "T2"], "{todo}");
    let document = stage.cli(&["export", &told.row.id.0]);
    assert!(document.contains("T1.1.1 planned further: 2 parts"), "{document}");
    let detail: Value = serde_json::from_str(&stage.cli(&["show", &told.row.id.0, "--json"])).unwrap();
    assert!(
        detail["tasks"].as_array().unwrap().iter().all(|t| t["briefBytes"].as_u64().unwrap() > 100),
        "{detail}"
    );
    stage.assert_no_misses();
    stage.assert_nothing_left();
}
