//! Files taken back after a mission on the real host, with an edit of the user's in between.

use std::fs;

use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule, Script};
use xtask::lab::sample::git;

use crate::command_line::{gantry, text};
use crate::script::{self, GREETING, TASK, approve, plan, report, reviewer, task};
use crate::support::Stage;

const NOTES: &str = "first line\n";
const MINE: &str = "a greeting of my own\n";

fn two_files(project: &std::path::Path) -> Script {
    let notes = project.join("notes.txt");
    let tasks = [task("T1", &["notes.txt"], &[]), task("T2", &["hello.txt"], &["T1"])];
    Script::new()
        .rule(script::commander())
        .rule(script::planner(plan(&tasks)))
        .rule(script::integration(approve()))
        .rule(
            Rule::new(Role::Worker)
                .contains("Task T1: ")
                .call("read", json!({"filePath": &notes}))
                .call("write", json!({"filePath": &notes, "content": GREETING}))
                .call("submit_report", report()),
        )
        .rule(script::worker(project, "T2", "hello.txt"))
        .rule(reviewer("T1", approve()))
        .rule(reviewer("T2", approve()))
}

#[test]
fn files_are_taken_back_but_for_what_the_user_has_edited_since() {
    let stage = Stage::small(two_files);
    let read = |name: &str| fs::read_to_string(stage.project.join(name)).ok();
    let asked: [&[&str]; 4] =
        [&["log", "--all", "--format=%H %s"], &["stash", "list"], &["reflog"], &["diff", "--cached"]];
    let told_by_git = || asked.map(|args| git(&stage.project, args).unwrap());
    let before = told_by_git();

    assert_eq!(stage.task(TASK).code, Some(0));
    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(read("notes.txt").as_deref(), Some(GREETING));
    stage.assert_nothing_left();

    // No host runs now; the command does it by itself.
    let id = told.row.id.0.get(..13).unwrap().to_owned();
    fs::write(stage.project.join("hello.txt"), MINE).unwrap();
    let refused = gantry(&stage, &["rollback", &id]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stdout).contains("- hello.txt: it was edited since"), "{refused:?}");
    assert_eq!((read("notes.txt").as_deref(), read("hello.txt").as_deref()), (Some(GREETING), Some(MINE)));

    let looked: Value =
        serde_json::from_str(&stage.cli(&["rollback", &id, "--task", "T1", "--dry-run", "--json"])).unwrap();
    assert_eq!(looked["files"], json!([{"path": "notes.txt", "what": "changed back"}]));
    assert_eq!((&looked["done"], read("notes.txt").as_deref()), (&json!(false), Some(GREETING)));
    let said = stage.cli(&["rollback", &id, "--task", "T1"]);
    assert!(said.contains("--undo` brings them back"), "{said}");
    assert_eq!((read("notes.txt").as_deref(), read("hello.txt").as_deref()), (Some(NOTES), Some(MINE)));
    stage.cli(&["rollback", &id, "--undo"]);
    assert_eq!(read("notes.txt").as_deref(), Some(GREETING));

    stage.cli(&["rollback", &id, "--force"]);
    assert_eq!((read("notes.txt").as_deref(), read("hello.txt")), (Some(NOTES), None));
    assert_eq!(git(&stage.project, &["status", "--porcelain"]).unwrap().trim(), "?? TODO.md");
    stage.cli(&["rollback", &id, "--undo"]);
    assert_eq!((read("notes.txt").as_deref(), read("hello.txt").as_deref()), (Some(GREETING), Some(MINE)));

    assert_eq!(told_by_git(), before, "git knows nothing of all this");
    let document = stage.cli(&["export", &id]);
    assert!(
        document.contains("taking back the files of T1: 1") && document.contains("files taken back"),
        "{document}"
    );
    stage.assert_no_misses();
}
