//! The code tools in missions of the real host, with a real language server.

use std::path::Path;

use gantry::domain::ids::TaskId;
use gantry::engine::core::event::Event;
use serde_json::{Value, json};
use xtask::lab::host::Finished;
use xtask::lab::model::{Role, Rule, Script};
use xtask::lab::sample::git;
use xtask::lab::tools::Tools;

use crate::script::{self, TASK};
use crate::support::{Stage, small_project};

const RIGHT: &str = "import { add } from \"./add\"\nexport const five: number = add(2, 3)\n";
const WRONG: &str = "import { add } from \"./add\"\nexport const five: number = add(2, \"3\")\n";

/// A small TypeScript project, with an error of its own from before.
fn typed_project(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write(
        "tsconfig.json",
        "{\"compilerOptions\": {\"strict\": true, \"noEmit\": true}, \"include\": [\"*.ts\"]}\n",
    );
    write("add.ts", "export function add(a: number, b: number): number {\n  return a + b\n}\n");
    write("old.ts", "export const old: number = \"from before\"\n");
    write(".gitignore", "node_modules\n");
    std::os::unix::fs::symlink(Tools::find().unwrap().modules(), folder.join("node_modules")).unwrap();
    small_project(folder);
    git(folder, &["status", "--short"]).unwrap();
}

fn write(project: &Path, file: &str, text: &str) -> Value {
    json!({"filePath": project.join(file), "content": text})
}

fn mission(files: &[&str], workers: Vec<Rule>) -> Script {
    let script = Script::new()
        .rule(script::commander())
        .rule(script::no_mission())
        .rule(script::planner(script::plan(&[script::task("T1", files, &[])])))
        .rule(script::integration(script::approve()))
        .rule(script::reviewer("T1", script::approve()));
    workers.into_iter().fold(script, Script::rule)
}

fn completed(stage: &Stage, finished: &Finished) {
    assert_eq!(stage.model.misses(), [""; 0]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told = stage.told();
    assert_eq!(told[0].state(), "completed", "{}", told[0].report());
}

#[test]
fn a_worker_that_brings_in_a_type_error_is_sent_back_because_of_it() {
    let stage = Stage::bare(typed_project, |project| {
        mission(
            &["five.ts", "old.ts"],
            vec![
                Rule::new(Role::Worker)
                    .contains("five.ts:2: new error (typescript 2345)")
                    .call("write", write(project, "five.ts", RIGHT))
                    .call("submit_report", script::report()),
                Rule::new(Role::Worker)
                    .contains("Task T1: ")
                    .call("write", write(project, "five.ts", WRONG))
                    .call(
                        "write",
                        write(project, "old.ts", "// moved\nexport const old: number = \"from before\"\n"),
                    )
                    .call("submit_report", script::report()),
            ],
        )
    })
    .gantry();
    let finished = stage.task(TASK);
    completed(&stage, &finished);
    let told = &stage.told()[0];
    let found: Vec<usize> = told
        .facts
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Inspected { inspection, .. } => Some(inspection.findings.len()),
            _ => None,
        })
        .collect();
    // The task twice, then the whole; what was wrong before is held against nobody.
    assert_eq!(found, [1, 0, 0]);
    assert_eq!(told.mission.task(&TaskId::new("T1")).unwrap().attempts, 2);
    assert!(stage.env.wait_gone(crate::support::END).unwrap().is_empty(), "the language server is gone too");
}

#[test]
fn diagnostics_can_be_switched_off() {
    let stage = Stage::bare(typed_project, |project| {
        mission(
            &["five.ts"],
            vec![
                Rule::new(Role::Worker)
                    .contains("Task T1: ")
                    .call("write", write(project, "five.ts", WRONG))
                    .call("submit_report", script::report()),
            ],
        )
    })
    .gantry()
    .adjust(|env| env.env("GANTRY_DIAGNOSTICS", "off"));
    let finished = stage.task(TASK);
    completed(&stage, &finished);
    assert_eq!(stage.told()[0].mission.task(&TaskId::new("T1")).unwrap().attempts, 1);
}

/// One call of each tool, in order, and what a worker's model was told.
fn tour(project: &Path) -> Script {
    let rewrite = json!({"pattern": "add($A, $B)", "language": "typescript", "rewrite": "sum($A, $B)"});
    let mut apply = rewrite.clone();
    apply["apply"] = json!(true);
    mission(
        &["*.ts"],
        vec![
            Rule::new(Role::Worker)
                .contains("Task T1: ")
                .call("write", write(project, "five.ts", WRONG))
                .call("search_text", json!({"patterns": ["add\\(", "from before"], "context": 1}))
                .call("search_files", json!({"globs": ["*.ts"], "limit": 1}))
                .call("search_code", rewrite)
                .call("diagnostics", json!({}))
                .call("tree_diff", json!({}))
                .call("search_code", apply)
                .call("search_text", json!({"patterns": "x", "path": "../elsewhere"}))
                .call("submit_report", script::report()),
        ],
    )
}

/// What the worker's model read of its tools, in order.
fn results(stage: &Stage) -> Vec<String> {
    let requests = stage.model.requests();
    let last = requests.iter().rfind(|request| request.role == Role::Worker).unwrap().body();
    let messages = last["messages"].as_array().unwrap().clone();
    let results = messages.iter().filter(|message| message["role"] == "tool");
    results.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_worker_searches_rewrites_and_reads_its_own_change() {
    let stage = Stage::bare(typed_project, tour).gantry().adjust(|env| env.env("GANTRY_DIAGNOSTICS", "off"));
    let finished = stage.task(TASK);
    completed(&stage, &finished);
    let said = results(&stage);
    let [_, text, files, preview, diagnosed, diff, applied, outside, _] = said.as_slice() else {
        panic!("{said:#?}")
    };
    assert_eq!(
        text,
        "add.ts\n  1: export function add(a: number, b: number): number {\n  2-   return a + b\n\
         five.ts\n  1- import { add } from \"./add\"\n  2: export const five: number = add(2, \"3\")\n\
         old.ts\n  1: export const old: number = \"from before\"\n3 hits.\n"
    );
    assert_eq!(files.lines().next(), Some("five.ts"), "the last changed first: {files}");
    assert!(files.contains("3 files, 1 shown; narrow the search, or go on with cursor"), "{files}");
    assert!(preview.starts_with("Would change 1 place in 1 file. Nothing is written"), "{preview}");
    assert!(
        preview.contains(
            "-export const five: number = add(2, \"3\")\n+export const five: number = sum(2, \"3\")"
        )
    );
    assert_eq!(
        diagnosed,
        "five.ts:2:36: error [typescript 2345]: Argument of type 'string' is not assignable to parameter of type 'number'.\n1 file checked.\n"
    );
    assert!(diff.contains("+++ b/five.ts") && !diff.contains("old.ts"), "{diff}");
    assert_eq!(applied, "Changed 1 place in 1 file. The files are written.\nfive.ts: 1 place\n");
    assert!(outside.contains("leads outside the project"), "{outside}");
    assert!(std::fs::read_to_string(stage.project.join("five.ts")).unwrap().contains("sum(2, \"3\")"));
}

#[test]
fn a_rewrite_obeys_the_hosts_permission_to_edit() {
    // The file is there already, so that nothing but the rewrite wants to edit.
    let make = |project: &Path| {
        std::fs::write(project.join("five.ts"), RIGHT).unwrap();
        typed_project(project);
    };
    let script = |_: &Path| {
        let apply = json!({"pattern": "add($A, $B)", "language": "typescript", "rewrite": "sum($A, $B)", "apply": true});
        let worker = Rule::new(Role::Worker).contains("Task T1: ");
        mission(&["*.ts"], vec![worker.call("search_code", apply).call("submit_report", script::report())])
    };
    for (rule, part) in [
        (json!("ask"), "rejected permission"),
        (json!({"*": "allow", "five.ts": "deny"}), "prevents you from using"),
    ] {
        let stage = Stage::bare(make, script)
            .gantry()
            .adjust(|env| env.config(json!({"permission": {"edit": rule}})).env("GANTRY_DIAGNOSTICS", "off"));
        stage.task(TASK);
        let said = results(&stage);
        assert!(said[0].contains("nothing was written") && said[0].contains(part), "{rule}: {}", said[0]);
        assert_eq!(std::fs::read_to_string(stage.project.join("five.ts")).unwrap(), RIGHT, "{rule}");
    }
}
