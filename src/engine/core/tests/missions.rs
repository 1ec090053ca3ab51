//! Whole missions: the good way through, the order of work, and how missions end when work fails.
use super::outside::*;
use super::*;
use crate::domain::plan::DraftTask;
use crate::engine::core::Action;
use crate::engine::core::event::ReportStatus;

#[test]
fn a_diamond_is_carried_out_in_order_and_side_by_side() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    let expected = [
        "state queued",
        "state running",
        "phase briefing",
        "phase planning",
        "open plan #1",
        "phase executing",
        "open T1 #1",
        "open review T1 #1",
        "task T1 completed",
        "open T2 #1",
        "open T3 #1",
        "open review T2 #1",
        "open review T3 #1",
        "task T2 completed",
        "task T3 completed",
        "open T4 #1",
        "open review T4 #1",
        "task T4 completed",
        "phase reviewing",
        "open review whole #1",
        "phase integrating",
        "state completed",
    ];
    let seen = w.trace(&m, &["state", "phase", "open", "task"]);
    let seen: Vec<_> =
        seen.iter().filter(|l| !l.starts_with("task") || l.ends_with("completed")).cloned().collect();
    assert_eq!(seen, expected);
    assert_eq!(w.most_workers, 2);
    assert_eq!(
        w.trace(&m, &["briefed", "planned"]),
        ["briefed by Commander: the brief", "planned by Planner: 4"]
    );
}

#[test]
fn every_state_of_a_task_reaches_the_plan_file_and_the_report_the_conversation() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    let done: Vec<_> = w.outside.todo.values().collect();
    assert_eq!(format!("{done:?}"), "[Done, Done, Done, Done]");
    let [report] = &w.outside.delivered[..] else { panic!("{:?}", w.outside.delivered) };
    assert!(report.starts_with("Mission m1: completed\ndo it\n4 of 4 tasks done in 0:"), "{report}");
    assert!(report.contains("- `npm test`: passed → passed"), "{report}");
    assert_eq!(w.trace(&m, &["handed"]), ["handed back: ToolResult"]);
    w.run_for(1_000);
    let titles: Vec<_> = w.toasts().into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles, ["Mission started", "Mission completed"]);
    assert_eq!(w.mission(&m).spent.tokens, 110 * 10, "ten turns, each counted once");
}

#[test]
fn the_running_call_shows_progress_and_not_too_often() {
    let mut w = diamond();
    w.task("do it");
    w.run();
    let shown = w.actions.iter().filter_map(|(at, a)| match a {
        Action::Progress { title, .. } => Some((*at, title.clone())),
        _ => None,
    });
    let shown: Vec<_> = shown.collect();
    assert!(
        shown.iter().any(|(_, t)| t.starts_with("executing · 1/4 done, 2 running, 1 waiting · 0:")),
        "{shown:?}"
    );
    assert!(shown.windows(2).all(|w| w[1].0.since(w[0].0) >= 500), "{shown:?}");
}

#[test]
fn work_starts_by_priority_then_by_the_longest_way_to_the_end() {
    let with = |id: &str, after: &str, priority: &str, minutes: f64| DraftTask {
        priority: Some(priority.into()),
        estimate_minutes: Some(minutes),
        ..task(id, "", after)
    };
    let mut w = planned(vec![
        with("Short", "", "normal", 5.0),
        with("Low", "", "low", 500.0),
        with("Chain", "", "normal", 10.0),
        with("Last", "Chain", "normal", 100.0),
        with("High", "", "high", 1.0),
        with("Long", "", "normal", 50.0),
    ]);
    let m = w.task_in("u0", "/p", "do it", crate::engine::core::event::Options { workers: 1, ..w.options() });
    w.run();
    let begun = w.trace(&m, &["open"]);
    let begun: Vec<_> = begun.iter().filter(|l| !l.contains("plan") && !l.contains("review")).collect();
    // Low waits for all others that can start; Last can start only when its dependency is accepted, and a worker that
    // is free earlier does not wait for it.
    assert_eq!(
        begun,
        ["open High #1", "open Chain #1", "open Long #1", "open Last #1", "open Short #1", "open Low #1"]
    );
}

#[test]
fn the_ceiling_of_workers_holds_over_all_missions() {
    let tasks = || (1..=4).map(|i| task(&format!("T{i}"), "", "")).collect::<Vec<_>>();
    let mut w = planned(tasks());
    for place in ["/p", "/q", "/r"] {
        let options = crate::engine::core::event::Options { workers: 3, ..w.options() };
        w.task_in(&format!("u{place}"), place, "do it", options);
    }
    w.run();
    assert_eq!(w.most_workers, 3);
    assert!(w.core.missions().all(|m| m.state.name() == "completed"));
}

#[test]
fn changes_wanted_go_back_to_the_same_conversation_with_the_findings() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("Review T1", vec![does(changes("a is wrong"))]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let [first, second] = w.turns_of("T1")[..] else { panic!("{:?}", w.turns_of("T1")) };
    assert!(!first.contains("sent back"), "{first}");
    assert!(second.contains("sent back") && second.contains("[high] a is wrong"), "{second}");
    assert_eq!(w.outside.sessions.values().filter(|s| s.title.starts_with("T1")).count(), 1);
    assert_eq!(w.mission(&m).task(&"T1".into()).map(|t| t.attempts), Some(2));
}

#[test]
fn a_third_refusal_fails_the_task_and_skips_what_depends_on_it() {
    let mut w =
        planned(vec![task("T1", "a", ""), task("T2", "b", "T1"), task("T3", "c", "T2"), task("T4", "d", "")]);
    w.outside.script("Review T1", vec![does(changes("no")), does(changes("no")), does(changes("no"))]);
    let m = w.task("do it");
    w.run();
    let states: Vec<_> = ["T1", "T2", "T3", "T4"].map(|t| w.task_state(&m, t)).into();
    assert_eq!(states, ["failed", "skipped", "skipped", "completed"]);
    assert_eq!(w.state(&m), "partially_completed");
    assert_eq!(w.turns_of("T1").len(), 3);
    assert!(
        w.outside.delivered[0].contains("T2 skipped: task T2 — T1 was not completed"),
        "{}",
        w.outside.delivered[0]
    );
}

#[test]
fn a_mission_with_a_failed_task_is_never_completed() {
    let blocked = || does(reported(ReportStatus::Blocked, "cannot"));
    // Tasks that fail of how many, and the end.
    let table = [
        (0, 10, "completed"),
        (1, 10, "partially_completed"),
        (9, 10, "partially_completed"),
        (10, 10, "failed"),
    ];
    for (failing, all, end) in table {
        let mut w = planned((1..=all).map(|i| task(&format!("T{i}"), "", "")).collect());
        for i in 1..=failing {
            w.outside.script(&format!("T{i}"), vec![blocked(), blocked(), blocked()]);
        }
        let m = w.task("do it");
        w.run();
        assert_eq!(w.state(&m), end, "{failing} of {all} fail");
        let report = &w.outside.delivered[0];
        assert!(report.contains(&format!("{} of {all} tasks done", all - failing)), "{report}");
    }
}

#[test]
fn a_blocked_worker_is_followed_by_another_that_is_told_why() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![does(reported(ReportStatus::Blocked, "no compiler here"))]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let turns = w.turns_of("T1");
    assert_eq!(turns.len(), 2);
    assert!(
        turns[1].contains("The last attempt failed: the worker is blocked: no compiler here"),
        "{}",
        turns[1]
    );
    assert_eq!(
        w.outside.sessions.values().filter(|s| s.title.starts_with("T1")).count(),
        2,
        "a fresh conversation"
    );
}

#[test]
fn results_of_dependencies_are_handed_on() {
    let mut w = diamond();
    w.outside.script("T2", vec![does(reported(ReportStatus::Done, "b is there now"))]);
    w.task("do it");
    w.run();
    let turns = w.turns_of("T4");
    assert!(turns[0].contains("Done before, T2 (task T2): b is there now"), "{}", turns[0]);
}

#[test]
fn a_plan_file_that_cannot_be_written_is_said_once_and_stops_nothing() {
    let mut w = diamond();
    w.outside.todo_faults.extend(std::iter::repeat_n("/p/TODO.md: read-only".to_owned(), 100));
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let said: Vec<_> = w.toasts().into_iter().filter(|(title, _)| title == "Plan file not written").collect();
    assert_eq!(
        said,
        [(
            "Plan file not written".to_owned(),
            "/p/TODO.md: read-only. The mission goes on without it.".to_owned()
        )]
    );
}
