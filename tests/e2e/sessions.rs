//! Which conversations a mission's tasks are worked in.

use serde_json::json;
use xtask::lab::model::{Role, Rule, Script};

use crate::script;
use crate::support::{Stage, new_session, task};

/// T1 reads the notes; T2, which depends on it, writes of what is in them.
fn script(project: &std::path::Path) -> Script {
    let plan =
        script::plan(&[script::task("T1", &["one.txt"], &[]), script::task("T2", &["two.txt"], &["T1"])]);
    let write = |file: &str| json!({"filePath": project.join(file), "content": "done\n"});
    let worker = |id: &str| Rule::new(Role::Worker).contains(&format!("Task {id}: "));
    let first = worker("T1")
        .call("read", json!({"filePath": project.join("notes.txt")}))
        .call("write", write("one.txt"))
        .call("submit_report", script::report());
    let second = worker("T2").call("write", write("two.txt")).call("submit_report", script::report());
    Script::new()
        .rule(script::commander())
        .rule(script::planner(plan))
        .rule(script::integration(script::approve()))
        .rule(second)
        .rule(first)
        .rule(script::reviewer("T1", script::approve()))
        .rule(script::reviewer("T2", script::approve()))
}

#[test]
fn a_task_goes_on_in_the_conversation_of_the_one_it_depends_on_where_the_user_wants_that() {
    let stage = Stage::small(script);
    let server = stage.env.serve().unwrap();
    let host = server.client_in(&stage.project);
    let mut known = Vec::new();
    for reuse in ["off", "follow"] {
        std::fs::write(stage.project.join("gantry.json"), json!({"sessionReuse": reuse}).to_string())
            .unwrap();
        let from = stage.model.requests().len();
        task(&host, &new_session(&host), "Do both");
        let told = stage.told().pop().unwrap();
        assert_eq!(told.state(), "completed", "{}", told.report());
        let workers =
            told.mission.attempts.values().filter(|a| a.role() == gantry::domain::ids::Role::Worker);
        let sessions: std::collections::BTreeSet<_> = workers.map(|a| a.session.clone()).collect();
        assert_eq!(sessions.len(), if reuse == "off" { 2 } else { 1 }, "{reuse}");
        let requests = stage.model.requests().split_off(from);
        let second =
            requests.iter().find(|r| r.role == Role::Worker && r.prompt.contains("Task T2: ")).unwrap();
        known.push(second.raw.contains("first line"));
        let shown = stage.cli(&["show", told.row.id.as_str(), "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let hits = &shown["processes"][0]["counters"]["sessions.hits"];
        assert_eq!(*hits, u64::from(reuse == "follow"), "{hits}");
    }
    assert_eq!(known, [false, true], "what the notes say is known to the second task");
    drop(server);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}
