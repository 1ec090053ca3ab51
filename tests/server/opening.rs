//! The first calls of a connection: versions, order, options, requests that are refused.
use std::sync::Arc;

use gantry::adapters::memory::MemoryStore;
use gantry::protocol::types::PROTOCOL_VERSION;
use serde_json::{Value, json};

use crate::host::hello;
use crate::parts::project;
use crate::rig::{Rig, Server};
use crate::until;
use crate::wire::{Wire, wire};

async fn refused(wire: &Wire, method: &str, params: Value, code: i32, sentence: &str) {
    let answer = wire.call(method, params).await;
    assert_eq!(answer["error"]["code"], code, "{answer}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(sentence), "{message:?} does not say {sentence:?}");
}

#[tokio::test]
async fn ends_of_different_versions_refuse_each_other() {
    let (wire, _shim, far) = wire();
    let _server = Server::start(Arc::new(MemoryStore::new()), &project(), 1, far);
    refused(&wire, "tool/list", json!({}), -32002, "initialize").await;
    let other = serde_json::to_value(hello(PROTOCOL_VERSION + 1)).expect("plain");
    let sentence = format!(
        "plugin 0.0.0 speaks protocol {}, gantry {} speaks {PROTOCOL_VERSION}: install the same version of both",
        PROTOCOL_VERSION + 1,
        env!("CARGO_PKG_VERSION")
    );
    refused(&wire, "initialize", other, -32010, &sentence).await;
    refused(&wire, "tool/list", json!({}), -32002, "initialize").await;
    let same = serde_json::to_value(hello(PROTOCOL_VERSION)).expect("plain");
    let answer = wire.call("initialize", same).await;
    assert_eq!(answer["result"]["server"]["name"], "gantry", "{answer}");
    let tools = wire.call("tool/list", json!({})).await;
    let names: Vec<_> =
        tools["result"]["tools"].as_array().expect("tools").iter().map(|t| t["name"].clone()).collect();
    for name in
        ["mission", "submit_plan", "submit_report", "submit_review", "mission_status", "mission_control"]
    {
        assert!(names.contains(&json!(name)), "{name}: {names:?}");
    }
}

#[tokio::test]
async fn wrong_options_refuse_missions_and_nothing_else() {
    let rig = Rig::new().await;
    let create =
        |directory: &str| json!({ "directory": directory, "parentSession": "s", "text": "x", "key": "k" });
    let unopened = "/q is not open: call workspace/open first";
    refused(&rig.wire, "mission/create", create("/q"), -32012, unopened).await;
    // Missions of before are to be gone on with, whatever has become of the configuration since.
    let open = json!({ "directory": "/q", "worktree": "/q", "options": { "wrokers": 3, "bin": "/b" } });
    let opened = rig.wire.call("workspace/open", open).await;
    assert_eq!(opened["result"]["missions"], json!([]), "{opened}");
    refused(&rig.wire, "mission/create", create("/q"), -32602, "wrokers").await;
    let listed = rig.wire.call("mission/list", json!({ "directory": "/q" })).await;
    assert_eq!(listed["result"]["missions"], json!([]), "{listed}");
}

#[tokio::test]
async fn requests_that_cannot_become_missions_are_refused() {
    let rig = Rig::new().await;
    let create = |text: &str| json!({ "directory": "/p", "parentSession": "s", "text": text, "key": "k" });
    let long = "x".repeat(100_001);
    let table = [
        ("mission/create", create(" \n "), -32602, "say what is to be done: /task followed by the work"),
        ("mission/create", create(&long), -32602, "100001 bytes long, at most 100000"),
        ("mission/status", json!({ "directory": "/p" }), -32012, "this project has had no mission yet"),
        ("mission/status", json!({ "directory": "/p", "mission": "m" }), -32012, "there is no mission m"),
        (
            "mission/control",
            json!({ "directory": "/p", "mission": "m", "action": "pause" }),
            -32012,
            "there is no mission m",
        ),
        (
            "mission/control",
            json!({ "directory": "/p", "mission": "m", "action": "explode" }),
            -32602,
            "explode",
        ),
        ("mission/nonsense", json!({}), -32601, "mission/nonsense"),
        (
            "tool/call",
            json!({ "directory": "/p", "session": "s", "call": "c", "agent": "worker", "tool": "rm", "args": {} }),
            -32012,
            "there is no tool rm",
        ),
    ];
    for (method, params, code, sentence) in table {
        refused(&rig.wire, method, params, code, sentence).await;
    }
}

#[tokio::test]
async fn a_commander_may_start_a_mission_without_a_command() {
    let rig = Rig::new().await;
    rig.host.conversation("ses_user");
    rig.host.begin("ses_user", "please run a mission");
    until("a report", || !rig.host.delivered().is_empty()).await;
    assert!(
        rig.host.delivered()[0].contains(": completed\nthe brief\n4 of 4 tasks done"),
        "{:?}",
        rig.host.delivered()
    );
}

#[tokio::test]
async fn the_host_can_ask_the_process_to_end() {
    let rig = Rig::new().await;
    assert_eq!(rig.wire.call("shutdown", json!({})).await["result"], json!({}));
    assert!(rig.server.stop.is_cancelled());
}
