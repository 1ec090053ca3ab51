//! Orders where no terminal interface serves them: headless, and for clients of a served host.
use gantry::engine::core::event::Event;
use serde_json::{Value, json};
use xtask::lab::host::Client;
use xtask::lab::model::{Recorded, Role, Rule, Turn};

use crate::kill::{diamond, gate, hold, wait_held};
use crate::script::TASK;
use crate::support::{PATIENCE, Stage, ask, messages, new_session, task, text, wait, words};

pub const DONE: &str = "Done.";

fn stage() -> Stage {
    Stage::small(|project| {
        let script = hold(diamond(project), Role::Worker, "Task T1: ", 1);
        script.first(Rule::new(Role::Other).contains("shown the answer above").say(DONE))
    })
}

/// What the user reads after an order, and the turns of a model that it took.
pub fn order(
    stage: &Stage,
    host: &Client,
    session: &str,
    command: &str,
    words_after: &str,
) -> (String, usize) {
    let talks =
        || stage.model.requests().iter().filter(|r| matches!(r.role, Role::Other | Role::Commander)).count();
    let before = talks();
    let answer = host
        .post(&format!("/session/{session}/command"), &json!({"command": command, "arguments": words_after}))
        .unwrap();
    assert_eq!(words(&answer), DONE);
    let all = messages(host, session);
    let asked = all.iter().rev().find(|message| message["info"]["role"] == "user").unwrap();
    let parts = asked["parts"].as_array().unwrap();
    let seen: Vec<&str> = parts
        .iter()
        .filter(|part| part["synthetic"] != Value::Bool(true))
        .map(|part| text(&part["text"]))
        .collect();
    (seen.join("\n"), talks() - before)
}

#[test]
fn a_mission_in_the_background_is_asked_after_steered_and_reports_later() {
    let stage = stage();
    let finished = stage.env.run_command("task-status", "").unwrap().wait(PATIENCE).unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("this project has had no mission yet"), "{finished:?}");

    let server = stage.env.serve().unwrap();
    let host = server.client_in(&stage.project);
    let (first, second, other) = (new_session(&host), new_session(&host), new_session(&host));
    let said = task(&host, &first, &format!("--background {TASK}"));
    assert!(said.contains("is at work in the background"), "{said}");
    wait_held(&stage, Role::Worker, "Task T1: ", 1);

    let (status, turns) = order(&stage, &host, &other, "task-status", "");
    assert!(status.contains(": executing · 0/4 done, 1 running, 3 waiting"), "{status}");
    assert_eq!(turns, 1, "this line of the host begins a turn with every command");
    task(&host, &second, &format!("--background {TASK} too"));
    let (choice, _) = order(&stage, &host, &other, "task-pause", "");
    assert!(choice.starts_with("2 missions are open here. Say which one, as in /task-pause "), "{choice}");
    let (paused, _) = order(&stage, &host, &first, "task-pause", "");
    assert!(paused.starts_with("The mission is paused: "), "{paused}");
    let (resumed, _) = order(&stage, &host, &first, "task-resume", "");
    assert!(resumed.starts_with("The mission goes on: "), "{resumed}");
    let (cancelled, _) = order(&stage, &host, &second, "task-cancel", "");
    assert!(cancelled.starts_with("The mission is cancelled: "), "{cancelled}");

    // Its conversation is compacted meanwhile: the summary is asked to keep the mission.
    let id = stage.told().first().unwrap().row.id.0.clone();
    let summarised = json!({"providerID": "lab", "modelID": "scripted"});
    host.post(&format!("/session/{first}/summarize"), &summarised).unwrap();
    let kept =
        |r: &Recorded| r.raw.contains(&format!("Mission {id}: executing")) && r.raw.contains("Keep its id");
    assert_eq!(stage.model.requests().iter().filter(|r| kept(r)).count(), 1);

    stage.model.open(&gate("Task T1: ", 1));
    let report = wait("the report in the conversation", PATIENCE, || {
        let all = messages(&host, &first);
        all.iter().map(words).find(|text| text.contains(": completed\n"))
    });
    assert!(report.contains("4 of 4 tasks done"), "{report}");
    drop(server);
    stage.assert_nothing_left();
}

/// From whoever knows no command of that name.
#[test]
fn an_order_that_comes_as_a_message_is_obeyed_and_told_to_no_model() {
    const OBEYED: &str = "carried out and answered without you";
    let stage = Stage::small(|project| {
        hold(diamond(project), Role::Worker, "Task T1: ", 1)
            .first(Rule::new(Role::Other).contains(OBEYED).say(DONE))
            .first(Rule::new(Role::Commander).contains(OBEYED).turn(Turn::echo()))
    });
    let server = stage.env.serve().unwrap();
    let host = server.client_in(&stage.project);
    let (own, other) = (new_session(&host), new_session(&host));
    let heard = |word: &str| {
        let is = |event: &Event| matches!(event, Event::Steered { text, .. } if text == word);
        wait(word, PATIENCE, || stage.only().facts.iter().any(|(_, event)| is(event)).then_some(()));
    };
    let report = std::thread::scope(|scope| {
        let mission = scope.spawn(|| task(&host, &own, TASK));
        wait_held(&stage, Role::Worker, "Task T1: ", 1);
        assert_eq!(ask(&host, &other, "build", "/task-steer use the date helper"), DONE);
        heard("use the date helper");
        // In the middle of the Commander's turn, which goes on.
        let message =
            json!({"agent": "commander", "parts": [{"type": "text", "text": "/task-steer in tabs"}]});
        host.post(&format!("/session/{own}/prompt_async"), &message).unwrap();
        heard("in tabs");
        stage.model.open(&gate("Task T1: ", 1));
        mission.join().unwrap()
    });
    assert!(report.contains(": completed\n") && report.contains("4 of 4 tasks done"), "{report}");
    let seen = messages(&host, &own).iter().map(words).find(|text| text.starts_with("/task-steer in tabs"));
    assert!(seen.is_some_and(|text| text.contains("The workers are told: ")), "the user sees the answer");
    let users = [Role::Commander, Role::Other, Role::Title];
    let all = stage.model.requests();
    let told = |r: &&Recorded| {
        users.contains(&r.role) && (r.raw.contains("date helper") || r.raw.contains("in tabs"))
    };
    assert_eq!(all.iter().filter(told).count(), 0, "no model of the user's conversations heard it");
    let turns = all.iter().filter(|r| matches!(r.role, Role::Commander | Role::Other)).count();
    assert_eq!(turns, 3, "the Commander's call, its report, and one word in the other conversation");
    stage.assert_no_misses();
}
