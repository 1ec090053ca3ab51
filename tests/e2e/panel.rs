//! The half of the plugin that runs in the terminal interface: the panel beside the conversation, and commands without a model.

use std::time::Duration;

use gantry::engine::core::event::Event;
use xtask::lab::tui::{Key, Screen, Tui};

use crate::kill::{open_two, two_held, wait_two_at_work};
use crate::script::{PLAIN, PLAIN_ANSWER, TASK};
use crate::support::{PATIENCE, PROMPTLY, Stage, shim, wait};
use crate::view::{USING, digits, talks};

/// First column of the sidebar on a wide screen.
const SIDEBAR: usize = 98;

pub fn stage() -> Stage {
    let panel = shim().with_file_name("tui.js");
    Stage::small(two_held).adjust(|env| env.tui_plugin(&panel).unwrap())
}

pub fn say(tui: &mut Tui, text: &str) {
    tui.say(text, PATIENCE).unwrap();
}

fn open(stage: &Stage, columns: u16, rows: u16) -> Tui {
    let mut tui = stage.env.tui(columns, rows).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    say(&mut tui, &format!("/task {TASK}"));
    tui
}

/// The panel's lines, without what differs from run to run.
fn panel(screen: &Screen) -> String {
    let side = screen.text.lines().map(|line| line.chars().skip(SIDEBAR).collect::<String>());
    let lines = side.map(|line| line.trim().to_owned()).skip_while(|line| !line.starts_with("Mission "));
    let lines = lines.take_while(|line| !line.is_empty());
    let masked = |line: String| match line.split_once(" · ") {
        Some((_, rest)) if rest.ends_with(" tokens") => "TIME · N tokens".into(),
        _ => digits(&line),
    };
    lines.map(masked).collect::<Vec<_>>().join("\n")
}

fn wait_panel(tui: &Tui, parts: &[&str]) -> Screen {
    let there = |screen: &Screen| parts.iter().all(|part| panel(screen).contains(part));
    tui.wait_for(&format!("panel with {parts:?}"), PATIENCE, there).unwrap()
}

/// Runs `/task-status` in an interface that has just been drawn: the host loads plugins of it in its own time.
pub fn first_status(tui: &mut Tui) {
    const COMMAND: &str = "/task-status";
    for _ in 0..20 {
        tui.fill(COMMAND, PATIENCE).unwrap();
        let offered = |screen: &Screen| {
            screen.text.matches(COMMAND).count() > 1 && !screen.contains("No matching items")
        };
        if tui.wait_for("offer of the command", Duration::from_secs(2), offered).is_ok() {
            return tui.key(Key::Enter).unwrap();
        }
        COMMAND.chars().for_each(|_| tui.key(Key::Backspace).unwrap());
    }
    panic!("the command is never offered: {}", tui.screen());
}

/// What models have been asked so far.
fn asked(stage: &Stage) -> usize {
    stage.model.requests().len()
}

#[test]
fn the_panel_follows_a_mission_and_stays_away_without_one() {
    let stage = stage();
    let mut tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    say(&mut tui, PLAIN);
    let plain = tui.wait_text(PLAIN_ANSWER, PATIENCE).unwrap();
    assert_eq!(panel(&plain), "", "no mission, nothing drawn");
    say(&mut tui, &format!("/task {TASK}"));
    wait_two_at_work(&stage);
    let screen = wait_panel(&tui, &["▸ T2", "▸ T3"]);
    // Two that begin at the same time do so in any order.
    let shown = panel(&screen).replace("\nT3 in", "\nT2 in");
    assert!(USING.contains(&shown), "docs/using.md shows this panel");
    insta::assert_snapshot!(shown, @r"
    Mission executing
    ███░░░░░░░ 1/4
    ✓ T1 Write one.txt 0:00
    ▸ T2 Write two.txt 0:00
    ▸ T3 Write three.txt 0:00
    · T4 Write four.txt
    TIME · N tokens
    about 19 min to go
    T2 in progress
    ");
    // In the middle of it the window becomes too narrow for a sidebar, and wide again.
    tui.resize(60, 20).unwrap();
    let narrow = tui.wait_text("1/4 done, 2 running", PATIENCE).unwrap();
    assert!(!narrow.contains("Mission executing"), "{narrow}");
    tui.resize(140, 45).unwrap();
    wait_panel(&tui, &["▸ T2", "▸ T3"]);
    open_two(&stage);
    let screen = wait_panel(&tui, &["Mission completed"]);
    insta::assert_snapshot!(panel(&screen), @r"
    Mission completed
    ██████████ 4/4
    TIME · N tokens
    ");
    stage.assert_no_misses();
}

#[test]
fn commands_of_the_interface_need_no_model() {
    let stage = stage();
    let mut tui = open(&stage, 140, 45);
    wait_two_at_work(&stage);
    wait_panel(&tui, &["▸ T2", "▸ T3"]);
    let before = asked(&stage);

    say(&mut tui, "/task-status");
    let status = tui.wait_text("T4 Write four.txt (pending)", PATIENCE).unwrap();
    assert!(status.contains("✓ T1 Write one.txt (completed)"), "{status}");
    tui.key(Key::Enter).unwrap();
    tui.wait_for("no dialog", PATIENCE, |screen| !screen.contains("(pending)")).unwrap();

    say(&mut tui, "/task-report");
    tui.wait_text("has not ended yet", PATIENCE).unwrap();

    say(&mut tui, "/task-steer");
    tui.wait_text("What should the workers know?", PATIENCE).unwrap();
    say(&mut tui, "Use British spelling");
    tui.wait_text("The workers are told.", PATIENCE).unwrap();

    say(&mut tui, "/task-pause");
    wait_panel(&tui, &["Mission paused"]);
    say(&mut tui, "/task-resume");
    wait_panel(&tui, &["Mission executing"]);
    let (told, steered) = (
        stage.only(),
        |event: &Event| matches!(event, Event::Steered { text, .. } if text == "Use British spelling"),
    );
    assert!(told.facts.iter().any(|(_, event)| steered(event)), "{:?}", told.facts);

    say(&mut tui, "/task-cancel");
    tui.wait_text("Cancel the mission?", PATIENCE).unwrap();
    tui.key(Key::Enter).unwrap();
    wait_panel(&tui, &["Mission stopped"]);
    assert_eq!(stage.only().state(), "stopped");
    let workers =
        stage.model.requests().into_iter().skip(before).filter(|r| r.prompt.contains("task-")).count();
    assert_eq!(workers, 0, "no command went to a model");
    stage.assert_no_misses();
}

/// An order that goes to the model instead reaches no worker, and has the Commander talk about it after the mission.
#[test]
fn what_is_typed_behind_a_command_is_obeyed_at_once_and_takes_no_turn() {
    let stage = stage();
    let mut tui = open(&stage, 140, 45);
    wait_two_at_work(&stage);
    wait_panel(&tui, &["▸ T2", "▸ T3"]);
    let turns = talks(&stage);
    let obeyed = |tui: &mut Tui, typed: &str, answer: &str| {
        say(tui, typed);
        tui.wait_text(answer, PROMPTLY).unwrap();
        tui.wait_for("empty prompt", PROMPTLY, |screen| !screen.contains(typed)).unwrap();
    };
    obeyed(&mut tui, "/task-steer use the existing date helper", "The workers are told: ");
    obeyed(&mut tui, "/task-steer --task T2 cap sizes", "The workers are told: ");
    obeyed(&mut tui, "/task-accept T9 by hand", "The mission has no task T9");
    let told = stage.only();
    let steered = |wanted: &str, of: Option<&str>| {
        let is = |event: &Event| matches!(event, Event::Steered { text, task, .. } if text == wanted && task.as_ref().map(|t| t.as_str()) == of);
        told.facts.iter().any(|(_, event)| is(event))
    };
    assert!(
        steered("use the existing date helper", None) && steered("cap sizes", Some("T2")),
        "{:?}",
        told.facts
    );
    assert_eq!(talks(&stage), turns, "no order went to a model");
    // Pasted text stands in the prompt as a mark.
    tui.fill("/task-steer ", PATIENCE).unwrap();
    let pasted = "Dates are written as the helper writes them. ".repeat(5);
    tui.paste(&pasted).unwrap();
    tui.wait_text("[Pasted ", PATIENCE).unwrap();
    tui.key(Key::Enter).unwrap();
    tui.wait_for("empty prompt", PROMPTLY, |screen| !screen.contains("[Pasted ")).unwrap();
    let heard = |event: &Event| matches!(event, Event::Steered { text, .. } if text == pasted.trim());
    wait("the pasted words", PROMPTLY, || stage.only().facts.iter().any(|(_, e)| heard(e)).then_some(()));
    // A message that only looks like one is a message.
    assert_eq!(talks(&stage), turns);
    say(&mut tui, "/task-cancel");
    tui.wait_text("Cancel the mission?", PATIENCE).unwrap();
    tui.key(Key::Enter).unwrap();
    wait_panel(&tui, &["Mission stopped"]);
    tui.wait_for("end of the turn", PATIENCE, |screen| !screen.contains("esc interrupt")).unwrap();
    assert_eq!(talks(&stage), turns + 1, "the turn that takes the report, and no other");
    stage.assert_no_misses();
}

#[test]
fn a_small_screen_has_no_sidebar_but_the_commands() {
    let stage = stage();
    let mut tui = open(&stage, 80, 24);
    wait_two_at_work(&stage);
    tui.wait_text("executing · 1/4 done, 2 running", PATIENCE).unwrap();
    say(&mut tui, "/task-status");
    let status = tui.wait_text("T4 Write four.txt (pending)", PATIENCE).unwrap();
    assert!(status.contains("███░░░░░░░ 1/4"), "{status}");
    open_two(&stage);
}

/// Where `gantry install --project` puts it.
#[test]
fn the_file_of_a_project_is_read_too() {
    let stage = Stage::small(|_| Default::default());
    let panel = format!("file://{}", shim().with_file_name("tui.js").display());
    std::fs::write(stage.project.join("tui.json"), serde_json::json!({"plugin": [panel]}).to_string())
        .unwrap();
    let folder = stage.project.join("packages/web");
    std::fs::create_dir_all(&folder).unwrap();
    let mut tui = stage.env.tui_in(&folder, 140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    first_status(&mut tui);
    tui.wait_text("No mission is at work here", PATIENCE).unwrap();
    let all = tui
        .fill("/task-s", PATIENCE)
        .and_then(|()| tui.wait_still("list of commands", PATIENCE, |s| s.contains("/task-steer")));
    let all = all.unwrap().text;
    assert_eq!(all.matches("/task-status").count(), 1, "{all}");
}

#[test]
fn a_plan_waits_for_the_users_word() {
    let stage = stage();
    let mut tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    say(&mut tui, &format!("/task --approve {TASK}"));
    // First, for it goes by itself.
    tui.wait_text("4 tasks in TODO.md", PATIENCE).unwrap();
    wait_panel(&tui, &["Mission waits for you: plan", "· T4 Write four.txt"]);
    tui.wait_text("mission [progress=the plan waits for you", PATIENCE).unwrap();
    assert!(std::fs::read_to_string(stage.project.join("TODO.md")).unwrap().contains("- [ ] T4"));
    let planners = |stage: &Stage| {
        stage.model.requests().iter().filter(|r| r.prompt.contains("Plan the mission")).count()
    };
    let before = planners(&stage);

    say(&mut tui, "/task-refuse");
    tui.wait_text("What is to be different in the plan?", PATIENCE).unwrap();
    say(&mut tui, "Smaller steps");
    tui.wait_text("It is planned anew.", PATIENCE).unwrap();
    tui.wait_for("another plan", PATIENCE, |_| planners(&stage) > before).unwrap();
    assert!(stage.model.requests().iter().any(|r| r.prompt.contains("- Smaller steps")));
    wait_panel(&tui, &["Mission waits for you: plan", "· T4 Write four.txt"]);
    assert_eq!(
        stage
            .only()
            .mission
            .attempts
            .values()
            .filter(|a| a.role() == gantry::domain::ids::Role::Worker)
            .count(),
        0
    );

    say(&mut tui, "/task-approve");
    wait_two_at_work(&stage);
    open_two(&stage);
    wait_panel(&tui, &["Mission completed"]);
    stage.assert_no_misses();
}
