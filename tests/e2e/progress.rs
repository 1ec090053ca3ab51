//! The running call says where its mission is: to clients of a served host, and to programs that read a headless one.
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule, Script, Turn};

use crate::script::{self, TASK};
use crate::support::{PATIENCE, Stage, calls, messages, new_session, task, text, wait};

const BRIEF: &str = "Put a greeting into the file hello.txt.";
/// Titles that are waited for, so that their pace is seen.
const TITLES: usize = 4;

/// A mission of one task whose worker waits for the gate `seen`.
fn slow(project: &Path) -> Script {
    let write = json!({"filePath": project.join("hello.txt"), "content": script::GREETING});
    let slow = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .turn(Turn::call("write", write).gate("seen"))
        .call("submit_report", script::report());
    script::one_task(project).first(slow)
}

/// At most two a second, and one more for where the time begins.
fn assert_pace(updates: usize, span: Duration) {
    assert!(updates as f64 <= 2.0 * span.as_secs_f64() + 1.0, "{updates} updates in {span:?}");
}

#[test]
fn clients_of_a_served_host_see_it_live_at_most_twice_a_second() {
    let stage = Stage::small(slow);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let events = host.events().unwrap();
    let session = new_session(host);
    let live = || {
        let parts = events.of("message.part.updated").into_iter();
        let parts = parts.map(|(at, properties)| (at, properties["part"].clone()));
        parts.filter(|(_, part)| part["state"]["input"]["progress"].is_string()).collect::<Vec<_>>()
    };
    let part = || calls(&messages(host, &session)).into_iter().find(|part| part["tool"] == "mission");

    std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(host, &session, TASK));
        let now = wait("progress in the running call", PATIENCE, || {
            part().filter(|part| text(&part["state"]["title"]).contains("0/1 done, 1 running"))
        });
        assert_eq!(now["state"]["status"], "running");
        assert!(text(&now["state"]["title"]).starts_with("executing · "), "{now}");
        assert_eq!(now["state"]["metadata"]["total"], "1", "{now}");
        wait("more of it", PATIENCE, || (live().len() >= TITLES).then_some(()));
        stage.model.open("seen");
        turn.join().unwrap();
    });

    let live = live();
    let titles: BTreeSet<&str> = live.iter().map(|(_, part)| text(&part["state"]["title"])).collect();
    assert_eq!(titles.len(), live.len(), "each update says something new");
    assert_pace(live.len(), live[live.len() - 1].0 - live[0].0);
    let done = part().unwrap();
    assert_eq!(done["state"]["status"], "completed");
    assert!(text(&done["state"]["title"]).starts_with("completed · "), "{done}");
    assert_eq!(done["state"]["input"]["brief"], BRIEF, "the arguments are back");
    assert_eq!(done["state"]["output"], stage.only().report());
    stage.assert_no_misses();
}

#[test]
fn a_program_reads_it_in_the_json_of_a_headless_host() {
    let stage = Stage::small(slow);
    let mut host = stage.env.run(&["--format", "json", "--command", "task", TASK]).unwrap();
    let printed = |stdout: &str| -> Vec<Value> {
        stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let live = |lines: &[Value]| {
        let told = lines.iter().filter(|line| line["part"]["metadata"]["mission"].is_string());
        told.filter(|line| line["type"] == "text").cloned().collect::<Vec<_>>()
    };
    wait("progress in the output", PATIENCE, || {
        let live = live(&printed(&host.stdout()));
        let works = |line: &Value| text(&line["part"]["metadata"]["title"]).contains("0/1 done, 1 running");
        (live.len() >= TITLES && live.iter().any(works)).then_some(())
    });
    stage.model.open("seen");
    let finished = host.wait(PATIENCE).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");

    let told = stage.only();
    let all = printed(&finished.stdout);
    assert_eq!(all.len(), finished.stdout.lines().count(), "nothing but JSON: {}", finished.stdout);
    let live = live(&all);
    let at = |line: &Value| line["timestamp"].as_u64().unwrap();
    assert_pace(live.len(), Duration::from_millis(at(&live[live.len() - 1]) - at(&live[0])));
    let id = told.row.id.as_str();
    for line in &live {
        let part = &line["part"];
        assert_eq!((&part["text"], &part["metadata"]["mission"]), (&json!(""), &json!(id)), "{line}");
    }
    let call = all.iter().find(|line| line["type"] == "tool_use").unwrap();
    assert_eq!(call["part"]["callID"], live[0]["part"]["metadata"]["call"]);
    assert_eq!(call["part"]["state"]["input"]["brief"], BRIEF, "the arguments are back");
    assert_eq!(call["part"]["state"]["output"], told.report());
    let heard = stage.model.requests();
    assert!(heard.iter().all(|request| !request.raw.contains("1 running")), "no model is told of it");

    // Nothing of it stays in the conversation.
    let server = stage.env.serve().unwrap();
    let kept = messages(server.client(), told.row.parent_session.as_str());
    assert!(kept.iter().all(|message| !message.to_string().contains("1 running")), "{kept:#?}");
    stage.assert_no_misses();
}
