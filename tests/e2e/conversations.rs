//! Conversations that are forked, taken back or deleted while their mission is at work, through the host's own interface.

use gantry::engine::core::event::{Event, HandBack, Outcome};
use serde_json::{Value, json};
use xtask::lab::host::Client;
use xtask::lab::model::{Recorded, Role};

use crate::kill::{diamond, gate, hold, wait_held};
use crate::script::{PLAIN, PLAIN_ANSWER, TASK};
use crate::support::{PATIENCE, Stage, ask, messages, new_session, task, text, wait, words};

fn stage() -> Stage {
    Stage::small(|project| hold(diamond(project), Role::Worker, "Task T1: ", 1))
}

fn background(host: &Client, session: &str) {
    let said = task(host, session, &format!("--background {TASK}"));
    assert!(said.contains("is at work in the background"), "{said}");
}

/// How often a text stands in a conversation.
fn times(host: &Client, session: &str, part: &str) -> usize {
    messages(host, session).iter().map(words).filter(|text| text.contains(part)).count()
}

#[test]
fn a_fork_is_no_second_mission_and_a_conversation_taken_back_still_gets_its_report() {
    let stage = stage();
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    assert_eq!(ask(host, &session, "build", PLAIN), PLAIN_ANSWER);
    background(host, &session);
    wait_held(&stage, Role::Worker, "Task T1: ", 1);

    let fork = text(&host.post(&format!("/session/{session}/fork"), &json!({})).unwrap()["id"]).to_owned();
    assert!(
        times(host, &fork, "has been accepted") + messages(host, &fork).len() > 2,
        "it has the request too"
    );
    assert_eq!(ask(host, &fork, "build", PLAIN), PLAIN_ANSWER);
    let first = messages(host, &session)[0]["info"]["id"].clone();
    host.post(&format!("/session/{session}/revert"), &json!({"messageID": first})).unwrap();

    stage.model.open(&gate("Task T1: ", 1));
    wait("the end", PATIENCE, || (stage.only().state() == "completed").then_some(()));
    wait("the report in the conversation", PATIENCE, || {
        (times(host, &session, ": completed\n") == 1).then_some(())
    });
    wait("the note of that", PATIENCE, || stage.only().mission.handed_back);
    assert_eq!(stage.only().mission.handed_back, Some(HandBack::Message));
    assert_eq!(times(host, &fork, ": completed\n"), 0, "the fork asked for nothing");
    assert_eq!(ask(host, &session, "build", PLAIN), PLAIN_ANSWER);
    assert_eq!(times(host, &session, ": completed\n"), 1);
    drop(server);
    stage.assert_nothing_left();
    stage.assert_no_misses();
}

#[test]
fn what_the_user_deletes_ends_or_is_done_again_and_the_report_stays_readable() {
    let stage = stage();
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    background(host, &session);
    wait_held(&stage, Role::Worker, "Task T1: ", 1);
    let child = |told: &crate::support::Told| {
        let open = told.mission.open_attempts().find_map(|a| a.session.clone());
        open.expect("a worker at work").0
    };
    let first = child(&stage.only());
    // The worker's own conversation: its task is begun anew in another one.
    host.delete(&format!("/session/{first}")).unwrap();
    let second = wait("another worker", PATIENCE, || {
        let told = stage.only();
        let open = told.mission.open_attempts().find_map(|a| a.session.clone()).map(|s| s.0);
        open.filter(|open| *open != first)
    });
    wait("its first turn", PATIENCE, || {
        let first = |r: &&Recorded| r.role == Role::Worker && r.turn == 0;
        (stage.model.requests().iter().filter(first).count() == 2).then_some(())
    });
    let told = stage.only();
    let deleted = |e: &Event| matches!(e, Event::AttemptClosed { outcome: Outcome::Failed { reason }, .. } if reason.contains("was deleted"));
    assert_eq!(told.facts.iter().filter(|(_, e)| deleted(e)).count(), 1, "{:#?}", told.facts);

    // The conversation that asked: the mission has nobody to report to.
    host.delete(&format!("/session/{session}")).unwrap();
    wait("the end", PATIENCE, || (stage.only().state() == "orphaned").then_some(()));
    let told = stage.only();
    assert_eq!(told.mission.handed_back, Some(HandBack::Nobody));
    assert!(told.mission.attempts.values().all(|a| !a.open()), "{:#?}", told.facts);
    let known: Vec<Value> = serde_json::from_value(host.get("/session").unwrap()).unwrap();
    assert!(!known.iter().any(|s| s["id"] == second.as_str()), "the host deletes its children with it");
    let shown = stage.cli(&["show", &told.row.id.0]);
    assert!(shown.contains("Its conversation was deleted"), "{shown}");
    let rests = || Some(stage.only()).filter(|told| told.mission.at_rest());
    let facts = wait("its last fact", PATIENCE, rests).facts.len();
    stage.model.open(&gate("Task T1: ", 1));
    // The host lets the turn of a conversation that is deleted run on to its end, with nothing of what was said in it. But
    // nobody is prompted anew, which would be a fact: longer than any look at a conversation takes to come round.
    std::thread::sleep(std::time::Duration::from_secs(7));
    let rest = stage.only();
    assert_eq!(rest.facts.len(), facts, "{:#?}", rest.facts);
    assert_eq!(ask(host, &new_session(host), "build", PLAIN), PLAIN_ANSWER);
    drop(server);
    stage.assert_nothing_left();
    stage.assert_no_misses();
}
