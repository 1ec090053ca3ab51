//! The mission on the whole screen of the terminal interface: read, steered and left by keys alone.
use std::time::Duration;

use gantry::engine::core::event::Event;
use xtask::lab::model::Role;
use xtask::lab::tui::{Key, Screen, Tui};

use crate::kill::{open_two, wait_two_at_work};
use crate::panel::{say, stage};
use crate::script::TASK;
use crate::support::{PATIENCE, Stage};

/// What the documentation shows.
pub const USING: &str = include_str!("../../docs/using.md");

/// Without what differs from run to run, and without blanks at the ends of lines.
pub fn masked(screen: &Screen, stage: &Stage) -> String {
    let id = stage.only().row.id;
    let text = screen.text.replace(id.as_str(), "ID").replace(&id.as_str()[..13], "ID");
    // Two that begin at the same time do so in any order.
    let text = text.replace("  T3 in progress", "  T2 in progress");
    let lines = text.lines().map(|line| {
        let line = digits(line);
        match line.split_once(" tokens") {
            // The number before it has one digit more or less from run to run, and stands at the right edge.
            Some((before, after)) => {
                let (head, _) = before.rsplit_once("· ").unwrap_or((before, ""));
                format!("{}· N tokens{after}", head.trim_start())
            }
            None => line,
        }
    });
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// `0` for each digit of a word like `1:23`.
pub fn digits(line: &str) -> String {
    let mask = |word: &str| {
        let time =
            word.len() > 3 && word.contains(':') && word.chars().all(|c| c.is_ascii_digit() || c == ':');
        if time { word.replace(|c: char| c.is_ascii_digit(), "0") } else { word.to_owned() }
    };
    line.split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

fn wait_view(tui: &Tui, parts: &[&str]) -> Screen {
    let there =
        |screen: &Screen| screen.contains("── Keys ") && parts.iter().all(|part| screen.contains(part));
    tui.wait_for(&format!("view with {parts:?}"), PATIENCE, there).unwrap()
}

/// Toasts cover a part of the screen for some seconds.
fn wait_clear(tui: &Tui, parts: &[&str]) -> Screen {
    let clear = |screen: &Screen| parts.iter().all(|part| screen.contains(part)) && !screen.contains("┃");
    tui.wait_still(&format!("view with {parts:?} and no toast"), PATIENCE, clear).unwrap()
}

#[test]
fn a_mission_is_read_and_steered_on_the_whole_screen() {
    let stage = stage();
    let mut tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    say(&mut tui, &format!("/task --approve {TASK}"));
    tui.wait_text("Mission waits for you: plan", PATIENCE).unwrap();
    let turns = talks(&stage);

    say(&mut tui, "/task-view");
    let plan = wait_view(&tui, &["Mission waits for you: plan", "a accept plan", "The greeting first."]);
    assert!(plan.contains("└─· T4 Write four.txt + T2"), "{plan}");
    // What the state does not allow has no key.
    tui.text("p").unwrap();
    assert!(!plan.contains("p pause"), "{plan}");
    tui.text("a").unwrap();
    wait_two_at_work(&stage);
    for _ in 0..2 {
        tui.key(Key::Down).unwrap();
    }
    wait_view(&tui, &["› ├─▸ T2", "worker 1 at work", "p pause"]);
    let wide = wait_clear(&tui, &["T3 in progress", "1/4 done"]);
    insta::assert_snapshot!("view_140x45", masked(&wide, &stage));

    tui.resize(80, 24).unwrap();
    wait_view(&tui, &["── Chosen "]);
    let small = wait_clear(&tui, &["── Chosen ", "1/4 done"]);
    insta::assert_snapshot!("view_80x24", masked(&small, &stage));
    assert!(USING.contains(&masked(&small, &stage)), "docs/using.md shows this screen");
    tui.resize(60, 20).unwrap();
    let least = wait_clear(&tui, &["› ├─▸ T2 ", "1/4 done", "── Keys "]);
    insta::assert_snapshot!("view_60x20", masked(&least, &stage));
    tui.resize(140, 45).unwrap();

    tui.text("s").unwrap();
    tui.wait_text("What should the worker of T2 know?", PATIENCE).unwrap();
    // Letters that are keys of the view are letters in a dialog.
    say(&mut tui, "cap sizes");
    wait_view(&tui, &["steered: cap sizes"]);
    tui.text("p").unwrap();
    wait_view(&tui, &["Mission paused", "p resume"]);
    tui.text("p").unwrap();
    wait_view(&tui, &["Mission executing", "p pause"]);

    tui.key(Key::Enter).unwrap();
    tui.wait_text("Task T2: Write two.txt", PATIENCE).unwrap();
    // The conversation of an agent has no prompt, but the host's list of commands.
    tui.key(Key::Ctrl('p')).unwrap();
    tui.wait_text("Commands", PATIENCE).unwrap();
    say(&mut tui, "whole screen");
    wait_view(&tui, &["Mission executing"]);
    tui.key(Key::Escape).unwrap();
    tui.wait_text("Task T2: Write two.txt", PATIENCE).unwrap();
    assert_eq!(talks(&stage), turns, "no order went to a model");

    tui.key(Key::Ctrl('p')).unwrap();
    tui.wait_text("Commands", PATIENCE).unwrap();
    say(&mut tui, "whole screen");
    wait_view(&tui, &["c cancel"]);
    tui.text("c").unwrap();
    tui.wait_text("Cancel the mission?", PATIENCE).unwrap();
    tui.key(Key::Enter).unwrap();
    let ended = |screen: &Screen| screen.contains("Mission stopped") && screen.contains("– T4");
    tui.wait_for("end without orders", PATIENCE, |screen| ended(screen) && !screen.contains("c cancel"))
        .unwrap();
    assert_eq!(stage.only().state(), "stopped");
    stage.assert_no_misses();
}

/// Requests in the conversation of the user.
pub fn talks(stage: &Stage) -> usize {
    let own = |role: Role| matches!(role, Role::Commander | Role::Other);
    stage.model.requests().iter().filter(|r| own(r.role)).count()
}

#[test]
fn the_keys_of_the_view_are_letters_everywhere_else() {
    let stage = stage();
    let mut tui = stage.env.tui(80, 24).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    say(&mut tui, &format!("/task {TASK}"));
    wait_two_at_work(&stage);
    say(&mut tui, "/task-view");
    wait_view(&tui, &["Mission executing"]);
    tui.text("q").unwrap();
    tui.wait_for("the conversation", PATIENCE, |screen| !screen.contains("── Keys ")).unwrap();
    tui.fill("scrap xq", PATIENCE).unwrap();
    tui.wait_text("scrap xq", PATIENCE).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let ordered = |event: &Event| matches!(event, Event::Steered { .. } | Event::PlanJudged { .. });
    let told = stage.only();
    assert!(!told.facts.iter().any(|(_, event)| ordered(event)), "{:?}", told.facts);
    assert_eq!(told.state(), "running");
    open_two(&stage);
    tui.wait_text("Mission completed", PATIENCE).unwrap();
}
