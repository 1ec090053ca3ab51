//! Every command of a mission on the real host. As a command of the host each costs one turn of one word, on the terminal
//! interface none. What the others of these tests have in passing (status, pause, resume, cancel, approve, refuse) is left to them.
use std::path::Path;

use gantry::domain::mission::MissionState;
use gantry::engine::core::event::{Event, Judge};
use serde_json::{Value, json};
use xtask::lab::host::Client;
use xtask::lab::model::{Role, Rule, Script, Turn};
use xtask::lab::tui::{Key, Screen, Tui};

use crate::orders::{DONE, order};
use crate::panel::{first_status, say};
use crate::script::{self, REFUSED, TASK};
use crate::support::{PATIENCE, Stage, Told, new_session, shim, task, wait};
use crate::view::talks;

/// T1 asks twice to run a command and waits; T2 is blocked in each of its attempts.
fn stubborn(project: &Path) -> Script {
    let tasks = [script::task("T1", &["one.txt"], &[]), script::task("T2", &["two.txt"], &["T1"])];
    let bash = |word: &str| json!({"command": format!("echo {word}"), "description": "Says a word"});
    let write = json!({"filePath": project.join("one.txt"), "content": script::GREETING});
    let asking = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .call("bash", bash("first"))
        .call("bash", bash("second"))
        .turn(Turn::call("write", write).gate("told"))
        // What it is told is the answer to the first.
        .call("submit_report", script::report())
        .call("submit_report", script::report());
    let blocked = json!({"status": "blocked", "summary": "the text is nowhere to be found"});
    Script::new()
        .rule(script::commander())
        .rule(script::no_mission())
        .rule(script::plan_stays())
        .rule(script::planner(script::plan(&tasks)))
        .rule(script::integration(script::approve()))
        .rule(asking)
        .rule(Rule::new(Role::Worker).contains("Task T2: ").call("submit_report", blocked))
        .rule(script::reviewer("T1", script::approve()))
        .rule(Rule::new(Role::Other).contains("shown the answer above").say(DONE))
}

fn stage() -> Stage {
    Stage::small(stubborn).adjust(|env| env.config(json!({"permission": {"bash": "ask"}})))
}

fn wait_asked(stage: &Stage, word: &str) {
    wait(&format!("an ask for {word}"), PATIENCE, || {
        let open: Vec<Value> = serde_json::from_str(&stage.cli(&["permissions", "--json"])).unwrap();
        open.iter().any(|ask| ask["patterns"] == json!([format!("echo {word}")])).then_some(())
    });
}

/// Failed in part so many times.
fn wait_failed(stage: &Stage, times: usize) {
    let partly =
        |event: &Event| matches!(event, Event::StateChanged { to: MissionState::PartiallyCompleted, .. });
    let failed = |told: &Told| told.facts.iter().filter(|(_, event)| partly(event)).count() == times;
    wait("the failure", PATIENCE, || failed(&stage.only()).then_some(()));
}

fn wait_completed(stage: &Stage) -> Told {
    let done = |told: &Told| told.state() == "completed" && told.mission.at_rest();
    wait("the whole to pass", PATIENCE, || Some(stage.only()).filter(done))
}

/// What the words of the user have come to, whichever way they came.
fn assert_obeyed(stage: &Stage, told: &Told) {
    let asks: Vec<_> = told.mission.asks.iter().filter_map(|ask| ask.verdict.as_ref()).collect();
    assert_eq!(
        asks.iter().map(|v| (v.by, v.allow)).collect::<Vec<_>>(),
        [(Judge::User, true), (Judge::User, false)]
    );
    let steered =
        |event: &Event| matches!(event, Event::Steered { text, .. } if text == "Use British spelling");
    assert!(told.facts.iter().any(|(_, event)| steered(event)), "{:#?}", told.facts);
    assert!(told.report().contains("- T2 accepted by the user, not by its gate"), "{}", told.report());
    assert!(told.report().contains("written by hand"), "{}", told.report());
    assert!(!stage.project.join("one.txt").exists(), "the files are taken back");
    stage.assert_no_misses();
}

#[test]
fn as_commands_of_the_host_each_takes_one_turn_of_one_word() {
    let stage = stage();
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let (own, other) = (new_session(host), new_session(host));
    for (flags, fault) in [
        ("--budgt 3k", "/task has no flag --budgt; there is --approve (the plan waits for you), "),
        ("--budget soon", "--budget takes tokens, as in 50k or 2m, or dollars, as in $2"),
    ] {
        assert_eq!(task(host, &own, &format!("{flags} {TASK}")), REFUSED);
        assert!(last_words(host, &own).starts_with(fault), "{}", last_words(host, &own));
    }
    assert_eq!(stage.told().len(), 0, "a wrong flag begins nothing");

    task(host, &own, &format!("--background --budget $3 {TASK}"));
    let say = |command: &str, words: &str, answer: &str| {
        let (said, turns) = order(&stage, host, &other, &format!("task-{command}"), words);
        assert!(said.starts_with(answer), "/task-{command} {words}: {said}");
        assert_eq!(turns, 1, "/task-{command} {words}");
        said
    };
    say("retry", "", "Not done: ");
    wait_asked(&stage, "first");
    say("allow", "", "It is allowed: ");
    wait_asked(&stage, "second");
    say("deny", "write the file instead", "It is refused: ");
    say("deny", "", "Not done: ");
    say("steer", "", "Not done: say what the workers are to know, as in /task-steer use the date helper.");
    say("steer", "Use British spelling", "The workers are told: ");
    say("report", "", "Not done: it has not ended yet; /task-status says where it stands");
    stage.model.open("told");
    wait_failed(&stage, 1);
    let report = say("report", "", "Mission ");
    assert!(report.contains("- T2 failed: Write two.txt"), "{report}");
    say("retry", "", "The mission is tried again: ");
    wait_failed(&stage, 2);
    say("accept", "T2", "Not done: say which task (or whole), and why it counts as done");
    say("accept", "T2 written by hand", "It counts as done by your word: ");
    wait_completed(&stage);
    assert_eq!(stage.only().mission.created.options.budget_dollars, Some(3.0));
    say("rollback", "", "Taken back: 1 file");
    assert_obeyed(&stage, &stage.only());
}

/// What stands newest in a conversation as the user's.
fn last_words(host: &Client, session: &str) -> String {
    let all = crate::support::messages(host, session);
    let asked = all.into_iter().rev().find(|message| message["info"]["role"] == "user");
    crate::support::words(&asked.unwrap())
}

#[test]
fn on_the_terminal_interface_none_takes_a_turn() {
    let stage = stage().adjust(|env| env.tui_plugin(&shim().with_file_name("tui.js")).unwrap());
    let mut tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    say(&mut tui, &format!("/task {TASK}"));
    wait_asked(&stage, "first");
    tui.wait_text("T1 asks: bash echo first", PATIENCE).unwrap();
    let turns = talks(&stage);
    let order = |tui: &mut Tui, command: &str, answer: &str| {
        say(tui, &format!("/task-{command}"));
        tui.wait_text(answer, PATIENCE).unwrap();
    };
    // The host's own dialog stands in the place of the prompt meanwhile; its list of commands has ours as well.
    for (ask, command, question, answer) in [
        ("first", "allow what", "Allow this once", "Allowed"),
        ("second", "refuse what", "Refuse this", "Refused"),
    ] {
        tui.wait_text(&format!("T1 asks: bash echo {ask}"), PATIENCE).unwrap();
        tui.key(Key::Ctrl('p')).unwrap();
        tui.wait_text("Commands", PATIENCE).unwrap();
        say(&mut tui, command);
        tui.wait_text(&format!("{question}?"), PATIENCE).unwrap();
        tui.key(Key::Enter).unwrap();
        tui.wait_text(&format!("{answer}: bash (echo {ask})"), PATIENCE).unwrap();
    }
    order(&mut tui, "steer", "What should the workers know?");
    say(&mut tui, "Use British spelling");
    tui.wait_text("The workers are told.", PATIENCE).unwrap();
    assert_eq!(talks(&stage), turns);

    // The Commander repeats the report when the mission ends, which is a turn of the mission's own.
    stage.model.open("told");
    wait_failed(&stage, 1);
    tui.wait_for("end of the turn", PATIENCE, |screen| !screen.contains("esc interrupt")).unwrap();
    let turns = talks(&stage);
    order(&mut tui, "retry", "The mission is tried again.");
    wait_failed(&stage, 2);
    order(&mut tui, "accept", "Which task, and why?");
    say(&mut tui, "T2 written by hand");
    wait_completed(&stage);
    say(&mut tui, "/task-report");
    let title = format!("Mission {} ", &stage.only().row.id.as_str()[..13]);
    let dialog = tui.wait_text(&title, PATIENCE).unwrap();
    assert!(dialog.contains("accepted by the user, not by its gate"), "{dialog}");
    tui.key(Key::Enter).unwrap();
    tui.wait_for("no dialog", PATIENCE, |screen: &Screen| !screen.contains(&title)).unwrap();
    order(&mut tui, "rollback", "Take back 1 file?");
    tui.key(Key::Enter).unwrap();
    tui.wait_text("Files taken back: 1.", PATIENCE).unwrap();
    assert_eq!(talks(&stage), turns, "no order went to a model");
    assert_obeyed(&stage, &stage.only());
}

/// T1 is blocked in each of its attempts.
fn blocked(_: &Path) -> Script {
    let report = json!({"status": "blocked", "summary": "the text is nowhere to be found"});
    Script::new()
        .rule(script::commander())
        .rule(script::plan_stays())
        .rule(script::planner(script::plan(&[script::task("T1", &["one.txt"], &[])])))
        .rule(Rule::new(Role::Worker).contains("Task T1: ").call("submit_report", report))
}

/// A mission that has ended keeps no process: what is ordered starts one.
#[test]
fn in_a_new_host_an_ended_mission_is_read_and_tried_again() {
    let failed = |told: &Told, times: usize| {
        let over = |event: &Event| matches!(event, Event::StateChanged { to: MissionState::Failed, .. });
        told.facts.iter().filter(|(_, event)| over(event)).count() == times
    };
    let stage = Stage::small(blocked).adjust(|env| env.tui_plugin(&shim().with_file_name("tui.js")).unwrap());
    stage.task(TASK);
    assert!(failed(&stage.only(), 1), "{:#?}", stage.only().facts);
    stage.assert_nothing_left();
    let mut tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    first_status(&mut tui);
    tui.wait_text("✗ T1 Write one.txt (failed", PATIENCE).unwrap();
    tui.key(Key::Enter).unwrap();
    tui.wait_for("no dialog", PATIENCE, |screen: &Screen| !screen.contains("(failed")).unwrap();
    let turns = talks(&stage);
    let mission = stage.only().row.id;
    say(&mut tui, &format!("/task-report {}", &mission.as_str()[..13]));
    tui.wait_text("- T1 failed: Write one.txt", PATIENCE).unwrap();
    tui.key(Key::Enter).unwrap();
    tui.wait_for("no dialog", PATIENCE, |screen: &Screen| !screen.contains("- T1 failed")).unwrap();
    say(&mut tui, "/task-retry");
    tui.wait_text("The mission is tried again.", PATIENCE).unwrap();
    wait("another failure", PATIENCE, || failed(&stage.only(), 2).then_some(()));
    assert_eq!(talks(&stage), turns, "no order went to a model");
    stage.assert_no_misses();
}
