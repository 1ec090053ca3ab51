//! Toasts: what each setting shows, what is shown as one, and who is told that it stands still.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::engine::core::Control;
use crate::engine::core::event::{Options, ReportStatus, Toasts};

fn begin(w: &mut World, toasts: Option<Toasts>) -> MissionId {
    let options = Options { toasts, ..w.options() };
    w.task_in("u0", "/p", "do it", options)
}

fn titles(w: &World) -> Vec<String> {
    w.toasts().into_iter().map(|(title, _)| title).collect()
}

/// The end is shown half a second after it.
fn run_out(w: &mut World) {
    w.run();
    w.run_for(1_000);
}

#[test]
fn each_setting_shows_all_that_the_one_before_shows() {
    let verbose = [
        "Mission started",
        "Work begins",
        "Task T1 completed",
        "Task T2 completed",
        "Task T4 completed",
        "Mission completed",
    ];
    for (toasts, wanted) in [
        (Some(Toasts::Quiet), &["Mission completed"][..]),
        (None, &["Mission started", "Mission completed"]),
        (Some(Toasts::Normal), &["Mission started", "Mission completed"]),
        (Some(Toasts::Verbose), &verbose),
    ] {
        let mut w = diamond();
        begin(&mut w, toasts);
        run_out(&mut w);
        assert_eq!(titles(&w), wanted, "{toasts:?}");
    }
}

#[test]
fn what_happens_within_half_a_second_is_one_toast() {
    let mut w = planned((1..=7).map(|i| task(&format!("T{i}"), "", "")).collect());
    let blocked = || vec![(500, Step::Call(reported(ReportStatus::Blocked, "cannot"))), (1, Step::Say("x"))];
    for i in 1..=7 {
        w.outside.script(&format!("T{i}"), vec![blocked(), blocked(), blocked()]);
    }
    begin(&mut w, None);
    run_out(&mut w);
    let all = w.toasts();
    let [(started, _), (title, message)] = &all[..] else { panic!("{all:#?}") };
    assert_eq!((started.as_str(), title.as_str()), ("Mission started", "Mission failed"));
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 6, "{message}");
    assert!(lines[0].starts_with("do it: 0/7 tasks in 0:"), "{message}");
    assert!(lines[1].starts_with("Task T1 failed: "), "{message}");
    assert_eq!(lines[5], "and 3 more");
}

#[test]
fn projects_are_told_apart() {
    let mut w = diamond();
    for (parent, place) in [("u0", "/p"), ("u1", "/q")] {
        let options = w.options();
        w.task_in(parent, place, "do it", options);
    }
    run_out(&mut w);
    assert_eq!(titles(&w), ["Mission started", "Mission started", "Mission completed", "Mission completed"]);
}

#[test]
fn a_mission_that_stands_still_for_want_of_a_place_says_so_once() {
    let mut w = planned(vec![task("T1", "", "")]);
    let slow = vec![(60_000, Step::Call(reported(ReportStatus::Done, "slow"))), (1, Step::Say("x"))];
    w.outside.script("T1", vec![slow]);
    let options = Options { workers: 1, ..w.options() };
    let first = w.task_in("u0", "/p", "the first", options.clone());
    let second = w.task_in("u1", "/q", "the second", options);
    run_out(&mut w);
    assert_eq!((w.state(&first), w.state(&second)), ("completed", "completed"));
    let waits: Vec<_> = titles(&w).into_iter().filter(|t| t == "Mission waits for a place").collect();
    assert_eq!(waits.len(), 1, "{:?}", w.toasts());

    // One that is paused waits for the user, and knows it.
    let mut w = diamond();
    let m = begin(&mut w, None);
    w.run_for(2_000);
    w.control(&m, Control::Pause).expect("paused");
    w.run_for(120_000);
    assert!(!titles(&w).contains(&"Mission waits for a place".to_owned()), "{:?}", w.toasts());
}
