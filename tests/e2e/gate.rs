//! What the gate lets pass and what it does not.

use serde_json::json;
use xtask::lab::model::{Role, Rule, Script};

use crate::script::{self, TASK};
use crate::support::{PATIENCE, Stage, Told, new_session, task, wait};

/// T1 is done, T2 to T10 are blocked in each of their attempts.
fn one_of_ten(project: &std::path::Path) -> Script {
    let ids: Vec<String> = (1..=10).map(|n| format!("T{n}")).collect();
    let tasks: Vec<_> = ids.iter().map(|id| script::task(id, &[&format!("{id}.txt")], &[])).collect();
    let mut script = Script::new()
        .rule(script::commander())
        .rule(script::planner(script::plan(&tasks)))
        .rule(script::integration(script::approve()))
        .rule(script::worker(project, "T1", "T1.txt"))
        .rule(script::reviewer("T1", script::approve()));
    for id in &ids[1..] {
        let blocked = json!({"status": "blocked", "summary": "the text is nowhere to be found"});
        let rule = Rule::new(Role::Worker).contains(&format!("Task {id}: "));
        script = script.rule(rule.call("submit_report", blocked));
    }
    script
}

#[test]
fn nine_failed_and_one_done_are_never_complete_until_the_user_takes_them_as_done() {
    let stage = Stage::small(one_of_ten);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    let said = task(host, &session, TASK);
    let told = stage.only();
    assert_eq!(told.state(), "partially_completed", "{}", told.report());
    assert!(said.contains("1 of 10 tasks done"), "{said}");
    assert_eq!(told.report().matches(" failed: Write T").count(), 9, "{}", told.report());
    assert!(told.report().contains("the worker is blocked: the text is nowhere to be found"));

    let id = &told.row.id.0[..13];
    for n in 2..=10 {
        stage.cli(&["accept", id, &format!("T{n}"), "written", "by", "hand"]);
    }
    let completed = |told: &Told| told.state() == "completed" && told.mission.handed_back.is_some();
    let told = wait("the whole to pass", PATIENCE, || stage.told().pop().filter(completed));
    let report = told.report();
    assert_eq!(report.matches(" accepted by the user, not by its gate: Write T").count(), 9, "{report}");
    assert!(report.contains("Gates passed but for what the user accepted (T2, T3,"), "{report}");
    assert!(report.contains("— written by hand"), "{report}");
    stage.assert_no_misses();
}
