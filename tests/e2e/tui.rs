//! Missions in the host's terminal interface, typed and read in a pseudo terminal.

use gantry::domain::task::TaskState;
use xtask::lab::demo;
use xtask::lab::model::{Outcome, Recorded, Role, Rule};
use xtask::lab::tui::{Key, Screen, Tui};

use crate::kill::{
    Checks, PROMPTLY, checked, gate, hold, open_two, sidecars, two_held, wait_check_gone, wait_held,
    wait_two_at_work,
};
use crate::script::{self, TASK};
use crate::support::{BEAT, PATIENCE, Stage};

/// Columns of the conversation on a wide screen; right of them is the sidebar.
const PANE: usize = 98;
const LIVE: &str = "mission [progress=";

fn open(stage: &Stage, columns: u16, rows: u16, task: &str) -> Tui {
    let mut tui = stage.env.tui(columns, rows).unwrap();
    tui.wait_text("Ask anything", PATIENCE).unwrap();
    tui.say(&format!("/task {task}"), PATIENCE).unwrap();
    tui
}

fn quit(stage: &Stage, mut tui: Tui) {
    tui.key(Key::Ctrl('c')).unwrap();
    assert_eq!(tui.wait_exit(PATIENCE).unwrap(), 0);
    assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), []);
}

/// The conversation has bars at its left edge only.
fn has_toast(screen: &Screen) -> bool {
    screen.text.lines().any(|line| line.chars().skip(4).any(|c| c == '┃'))
}

/// A toast that is up while the host goes from its first screen to the conversation, as that of the acceptance may be,
/// loses its title, and takes the title of the next one along if that comes before it is gone (1.18.33).
fn wait_no_toast(tui: &Tui) -> Screen {
    tui.wait_for("screen without a toast", PATIENCE, |screen| !has_toast(screen)).unwrap()
}

/// Waits until the turn is over and no toast covers the conversation.
fn wait_rest(tui: &Tui) -> Screen {
    let rest = |screen: &Screen| !has_toast(screen) && !screen.contains("esc interrupt");
    tui.wait_for("screen at rest", PATIENCE, rest).unwrap()
}

/// The conversation on the screen without empty lines, the box below it and the sidebar; what differs from run to run
/// is masked.
fn conversation(stage: &Stage, screen: &Screen) -> String {
    let id = stage.only().row.id;
    let lines = screen.text.lines().map(|line| line.chars().take(PANE).collect::<String>());
    let mut lines: Vec<String> = lines.filter(|line| !matches!(line.trim(), "" | "┃")).collect();
    let below = lines.iter().rposition(|line| line.contains("scripted lab")).unwrap();
    lines.truncate(below);
    lines.iter().map(|line| masked(&line.replace(id.as_str(), "ID"))).collect::<Vec<_>>().join("\n")
}

/// `0:07` and `6.9s` differ from run to run.
fn masked(line: &str) -> String {
    if let Some((before, _)) = line.split_once("Spent: ") {
        return format!("{before}Spent: N tokens.");
    }
    let time = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        let (minutes, seconds) = bare.split_once(':').or(bare.split_once('.'))?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (digits(minutes) && digits(seconds)).then(|| word.replace(bare, "TIME"))
    };
    let words = line.trim_end().split(' ').map(|word| time(word).unwrap_or_else(|| word.to_owned()));
    words.collect::<Vec<_>>().join(" ")
}

/// Seconds in the live title.
fn elapsed(screen: &Screen) -> Option<u32> {
    let title = screen.line(LIVE)?.split(']').next()?;
    let (minutes, seconds) = title.rsplit_once(' ')?.1.split_once(':')?;
    Some(minutes.parse::<u32>().ok()? * 60 + seconds.parse::<u32>().ok()?)
}

#[test]
fn a_mission_is_typed_followed_and_reported_on_a_wide_screen() {
    let stage = Stage::sample(|project| {
        let script = hold(demo::script(project, BEAT), Role::Worker, "Task T2: ", 1);
        hold(script, Role::Worker, "Task T3: ", 1)
    });
    let tui = open(&stage, 140, 45, demo::TASK);
    tui.wait_text("executing · 1/5 done, 2 running, 2 waiting", PATIENCE).unwrap();
    let two = wait_no_toast(&tui);
    insta::assert_snapshot!(conversation(&stage, &two), @"
      ┃  Finish the tally library: every function in src that is not written yet, so that the whole
      ┃  test suite passes, and describe the command line in README.md
         ⚙ mission [progress=executing · 1/5 done, 2 running, 2 waiting · TIME]
         ▣  Commander · scripted
    ");
    let then = elapsed(&two).unwrap();
    tui.wait_for("moving clock", PATIENCE, |screen| elapsed(screen).is_some_and(|now| now > then)).unwrap();
    stage.model.open(&gate("Task T2: ", 1));
    stage.model.open(&gate("Task T3: ", 1));

    let toast = tui.wait_text("Mission completed", PATIENCE).unwrap();
    assert!(toast.contains("5/5 tasks in 0:"), "{toast}");
    assert!(toast.contains(" tokens"), "{toast}");
    let end = wait_rest(&tui);
    insta::assert_snapshot!(conversation(&stage, &end), @"
      ┃  Finish the tally library: every function in src that is not written yet, so that the whole
      ┃  test suite passes, and describe the command line in README.md
         ⚙ mission [brief=Finish the tally library in src. Every exported function has a comment
           that says what it must do and throws until it is written; the tests in test describe the
           details. README.md must say how the command line is used.]
         Mission ID: completed
         Finish the tally library: every function in src that is not written yet, so that…
         5 of 5 tasks done in TIME. All gates passed.
         Spent: N tokens.
         Tasks:
         - T1 done: Parse amounts and lines
         - T2 done: Compute the tax
         - T3 done: Apply discounts (2 attempts)
         - T4 done: Build the invoice
         - T5 done: Print and describe it
         Checks (before → after):
         - npm test: failed (exit 1) → passed
         Changed files: README.md, src/cli.js, src/discount.js, src/format.js, src/invoice.js, src/
         parse.js, src/tax.js, test/discount.test.js
         Integration review: The parts fit together, the suite passes and README.md shows the
         command line.
         ▣  Commander · scripted · TIMEs
    ");
    assert_eq!(stage.only().state(), "completed");
    stage.assert_no_misses();
    quit(&stage, tui);
}

#[test]
fn a_mission_is_followed_on_a_small_screen() {
    let stage = Stage::small(two_held);
    let tui = open(&stage, 80, 24, TASK);
    wait_two_at_work(&stage);
    tui.wait_text("executing · 1/4 done, 2 running, 1 waiting", PATIENCE).unwrap();
    let two = wait_no_toast(&tui);
    insta::assert_snapshot!(conversation(&stage, &two), @"
      ┃  Write a greeting into hello.txt
         ⚙ mission [progress=executing · 1/4 done, 2 running, 1 waiting · TIME]
         ▣  Commander · scripted
    ");
    open_two(&stage);

    let toast = tui.wait_text("Mission completed", PATIENCE).unwrap();
    assert!(toast.contains("4/4 tasks in 0:"), "{toast}");
    let end = wait_rest(&tui);
    insta::assert_snapshot!(conversation(&stage, &end), @"
         Spent: N tokens.
         Tasks:
         - T1 done: Write one.txt
         - T2 done: Write two.txt
         - T3 done: Write three.txt
         - T4 done: Write four.txt
         Checks: the project has none that could be found.
         Changed files: four.txt, one.txt, three.txt, two.txt
         Integration review: The file greets.
         ▣  Commander · scripted · TIMEs
    ");
    quit(&stage, tui);
}

// ---- Esc

#[test]
fn escape_while_workers_work_ends_them_and_the_mission() {
    let stage = Stage::small(|project| {
        let talk = Rule::new(Role::Commander).contains("are you there").say("I am here.");
        two_held(project).first(talk)
    });
    let mut tui = open(&stage, 140, 45, TASK);
    wait_two_at_work(&stage);
    tui.wait_text("2 running", PATIENCE).unwrap();
    wait_no_toast(&tui);
    tui.interrupt(PATIENCE).unwrap();
    wait_dropped(&stage, 2);

    let toast = tui.wait_text("Mission cancelled", PATIENCE).unwrap();
    assert!(toast.contains("1/4 tasks in 0:"), "{toast}");
    let end = wait_rest(&tui);
    insta::assert_snapshot!(conversation(&stage, &end), @"
      ┃  Write a greeting into hello.txt
         ⚙ mission [brief=Put a greeting into the file hello.txt.]
         ▣  Commander · scripted · interrupted
      ┃  Mission ID: stopped
      ┃  Write a greeting into hello.txt
      ┃  1 of 4 tasks done in TIME. Cancelled by you.
      ┃  Spent: N tokens.
      ┃  Tasks:
      ┃  - T1 done: Write one.txt
      ┃  - T2 cancelled: Write two.txt
      ┃  - T3 cancelled: Write three.txt
      ┃  - T4 cancelled: Write four.txt
    ");
    assert_stopped(&stage);
    let told = stage.only();
    let states: Vec<_> = told.mission.tasks.iter().map(|task| task.state).collect();
    assert_eq!(
        states,
        [TaskState::Completed, TaskState::Cancelled, TaskState::Cancelled, TaskState::Cancelled]
    );

    // The conversation goes on as ever, and nobody works behind its back.
    let before = worked(&stage);
    tui.say("are you there", PATIENCE).unwrap();
    tui.wait_text("I am here.", PATIENCE).unwrap();
    assert_eq!(worked(&stage), before);
    stage.assert_no_misses();
    quit(&stage, tui);
}

#[test]
fn escape_before_the_brief_ends_the_mission() {
    let about = "Call the tool `mission`";
    let stage = Stage::small(|project| hold(script::one_task(project), Role::Commander, about, 0));
    let mut tui = open(&stage, 140, 45, TASK);
    wait_held(&stage, Role::Commander, about, 0);
    wait_no_toast(&tui);
    tui.interrupt(PATIENCE).unwrap();
    wait_dropped(&stage, 1);
    tui.wait_text("Mission cancelled", PATIENCE).unwrap();
    assert_stopped(&stage);
    assert_eq!(worked(&stage), 0);
    quit(&stage, tui);
}

#[test]
fn escape_in_the_middle_of_a_check_ends_it() {
    let (stage, checks) = checked();
    let mut tui = open(&stage, 140, 45, TASK);
    let check = checks.wait_running(&stage);
    tui.wait_text("reviewing · 4/4 done", PATIENCE).unwrap();
    wait_no_toast(&tui);
    tui.interrupt(PATIENCE).unwrap();
    wait_check_gone(&stage, check);
    tui.wait_text("Mission cancelled", PATIENCE).unwrap();
    assert_stopped(&stage);
    assert_eq!(Checks::running(&stage), [0; 0]);
    quit(&stage, tui);
}

fn wait_dropped(stage: &Stage, count: usize) {
    let dropped = |records: &[Recorded]| {
        let dropped = records.iter().filter(|r| r.outcome == Outcome::Dropped).count();
        let running = records.iter().filter(|r| r.outcome == Outcome::Running).count();
        ((dropped, running) == (count, 0)).then_some(())
    };
    stage.model.wait_for(PATIENCE, dropped).unwrap();
}

fn assert_stopped(stage: &Stage) {
    let told = stage.only();
    assert_eq!(told.state(), "stopped", "{}", told.report());
    let open: Vec<_> = told.mission.open_attempts().collect();
    assert!(open.is_empty(), "{open:?}");
}

/// Requests of planners, workers and reviewers.
fn worked(stage: &Stage) -> usize {
    let roles = [Role::Planner, Role::Worker, Role::Reviewer];
    stage.model.requests().iter().filter(|r| roles.contains(&r.role)).count()
}

// ---- the end of the host

#[test]
fn quitting_in_the_middle_leaves_nothing_running_and_the_next_start_goes_on() {
    let stage = Stage::small(two_held);
    let tui = open(&stage, 140, 45, TASK);
    wait_two_at_work(&stage);
    tui.wait_text("2 running", PATIENCE).unwrap();
    quit(&stage, tui);
    assert_eq!(stage.only().state(), "running", "to quit is not to cancel");

    let tui = stage.env.tui(140, 45).unwrap();
    tui.wait_text("Mission resumed", PATIENCE).unwrap();
    open_two(&stage);
    let toast = tui.wait_text("Mission completed", PATIENCE).unwrap();
    assert!(toast.contains("4/4 tasks in 0:"), "{toast}");
    assert_eq!(stage.only().state(), "completed");
    assert_eq!(sidecars(&stage).len(), 1);
    stage.assert_no_misses();
    quit(&stage, tui);
}
