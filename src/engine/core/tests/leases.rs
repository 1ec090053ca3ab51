//! Who may write what.
use super::outside::*;
use super::*;
use crate::domain::ids::HostSessionId;
use crate::domain::plan::DraftTask;
use crate::engine::core::event::{Options, ReportStatus};
use crate::engine::core::{HostInput, Input};

/// How far two tasks overlapped: the work attempts open at one time.
fn side_by_side(a: &str, b: &str) -> usize {
    let mut w = planned(vec![task("T1", a, ""), task("T2", b, "")]);
    w.task("do it");
    w.run();
    w.most_workers
}

#[test]
fn tasks_that_declare_the_same_files_wait_for_each_other() {
    let table = [
        ("a", "b", 2),
        ("a", "a", 1),
        ("src/**", "src/x/y.rs", 1),
        ("src/**", "test/**", 2),
        ("src/*.rs", "src/a.rs", 1),
        ("src/*.rs", "src/a.js", 2),
        ("", "", 2),
        ("", "a", 2),
    ];
    for (a, b, expected) in table {
        assert_eq!(side_by_side(a, b), expected, "{a:?} beside {b:?}");
    }
}

/// T1 declares `a`, T2 declares `b`, T3 nothing; all are at work.
fn at_work() -> (World, [HostSessionId; 3]) {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", ""), task("T3", "", "")]);
    for t in ["T1", "T2", "T3"] {
        w.outside.script(t, vec![vec![]]);
    }
    w.task("do it");
    w.run_until(|w| w.outside.turns.iter().filter(|(_, s, _)| s.starts_with('T')).count() == 3);
    let sessions = ["T1", "T2", "T3"].map(|t| w.session_of(t));
    (w, sessions)
}

#[test]
fn a_path_belongs_to_who_took_it_first() {
    let (mut w, [s1, s2, s3]) = at_work();
    let m = "m1".into();
    assert_eq!(w.write(&s1, "a"), None);
    let held = "a is being changed by task T1 (task T1). Work on your own files; if the task cannot be done without it, \
                report status blocked.";
    assert_eq!(w.write(&s2, "a").as_deref(), Some(held));
    assert_eq!(w.write(&s3, "a").as_deref(), Some(held));
    assert_eq!(w.write(&s3, "c"), None);
    assert_eq!(w.write(&s3, "c"), None, "its own by now");
    assert!(w.write(&s1, "c").is_some_and(|why| why.contains("task T3")));
    assert_eq!(w.trace(&m, &["taken"]), ["taken T3: c"]);
}

#[test]
fn a_path_is_free_again_when_the_task_that_took_it_is_over() {
    let (mut w, [s1, s2, s3]) = at_work();
    assert_eq!(w.write(&s3, "c"), None);
    assert!(w.write(&s1, "c").is_some());
    w.call(s3.as_str(), report("T3"));
    w.outside.abort(w.now, &s3);
    w.run_until(|w| w.task_state(&"m1".into(), "T3") == "completed");
    assert_eq!(w.write(&s1, "c"), None);
    assert!(w.write(&s2, "c").is_some());
}

#[test]
fn a_file_declared_by_a_task_that_waits_is_free_until_it_starts() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1")]);
    w.outside.script(
        "T1",
        vec![vec![(500, Step::Write("b")), (5_000, Step::Call(report("T1"))), (1, Step::Say("x"))]],
    );
    let m = w.task("do it");
    w.run();
    assert_eq!(w.trace(&m, &["taken"]), ["taken T1: b"]);
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn a_task_that_lost_a_path_while_it_waited_for_its_next_attempt_waits_for_the_path() {
    let urgent = DraftTask { priority: Some("high".into()), ..task("T3", "", "T0") };
    let mut w =
        planned(vec![task("T0", "", ""), task("T1", "", ""), task("T2", "", ""), urgent, task("T4", "", "")]);
    let end = || (1, Step::Say("x"));
    // T1 takes c and is blocked. T3 gets its worker; T2 gets the path before T4 makes room for T1 again.
    let blocked = Step::Call(reported(ReportStatus::Blocked, "no"));
    w.outside.script("T1", vec![vec![(500, Step::Write("c")), (20_000, blocked), end()]]);
    w.outside.script("T2", vec![vec![(25_000, Step::Write("c")), (90_000, Step::Call(report("T2"))), end()]]);
    w.outside.script("T3", vec![vec![(120_000, Step::Call(report("T3"))), end()]]);
    w.outside.script("T4", vec![vec![(30_000, Step::Call(report("T4"))), end()]]);
    let m = w.task_in("u0", "/p", "do it", Options { workers: 3, ..w.options() });
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(
        w.trace(&m, &["taken", "open T1", "close T4", "task T2 completed"]),
        ["open T1 #1", "taken T1: c", "taken T2: c", "close T4 #1: done", "task T2 completed", "open T1 #2"]
    );
}

#[test]
fn who_may_not_write() {
    let (mut w, [s1, ..]) = at_work();
    let planner = w.session_of("Plan");
    assert_eq!(
        w.write(&planner, "a").as_deref(),
        Some("the planner reads only: hand in submit_plan instead of changing files")
    );
    assert_eq!(
        w.write(&s1, "TODO.md").as_deref(),
        Some("TODO.md is kept by Gantry: it follows the plan by itself. Leave it out.")
    );
    w.call(s1.as_str(), report("T1"));
    assert_eq!(w.write(&s1, "a").as_deref(), Some("the report on task T1 is handed in; stop here"));
    w.outside.abort(w.now, &s1);
    w.run_until(|w| !w.turns_of("Review T1").is_empty());
    assert_eq!(w.write(&s1, "a").as_deref(), Some("task T1 is no longer yours; stop here"));
    let reviewer = w.session_of("Review T1");
    assert_eq!(
        w.write(&reviewer, "a").as_deref(),
        Some("the reviewer reads only: hand in submit_review instead of changing files")
    );
    let stranger = w.write(&"somebody else's".into(), "a");
    assert_eq!(
        stranger.as_deref(),
        Some("the mission of this conversation is not at work here any more; stop here")
    );
}

#[test]
fn a_mission_that_is_over_holds_nothing() {
    for control in [None, Some(crate::engine::core::Control::Cancel { by: "you" })] {
        let (mut w, [s1, s2, s3]) = at_work();
        assert_eq!(w.write(&s3, "c"), None);
        match control {
            Some(control) => w.control(&"m1".into(), control).expect("cancelled"),
            None => {
                for s in [&s1, &s2, &s3] {
                    w.call(s.as_str(), report("it"));
                    w.outside.abort(w.now, s);
                }
            }
        }
        w.run();
        let me = crate::domain::lease::Holder { mission: "other".into(), task: "T".into() };
        for path in ["a", "b", "c"] {
            let check = w.core.leases("/p").map(|t| t.check(&me, path));
            assert_eq!(check, Some(crate::domain::lease::Check::Free), "{path}");
        }
    }
}

/// Which files were written by tools before a restart nobody knows after it.
#[test]
fn after_a_restart_nobody_is_blamed_for_what_came_before() {
    let (w, [_, s2, _]) = at_work();
    let m = "m1".into();
    let events = w.log[&m].len();
    let mut w = w.take_over(w.now, events, &w.outside, false);
    w.outside.shell_changes = vec!["a".into()];
    w.step(Input::Host { event: HostInput::ShellRan { session: s2.clone() } });
    w.run_for(1_000);
    assert_eq!(w.trace(&m, &["trespassed"]), [""; 0]);
    // From here on it is known.
    w.outside.shell_changes = vec!["a".into()];
    w.step(Input::Host { event: HostInput::ShellRan { session: s2 } });
    w.run_for(1_000);
    assert_eq!(w.trace(&m, &["trespassed"]), ["trespassed"], "{}", w.story());
}

#[test]
fn a_shell_command_that_changes_what_another_task_holds_is_a_finding_of_its_gate() {
    let (mut w, [s1, s2, _]) = at_work();
    let m = "m1".into();
    w.outside.shell_changes = vec!["a".into(), "b".into(), "free".into()];
    w.step(Input::Host { event: HostInput::ShellRan { session: s2.clone() } });
    // Its turn ends before the look does: the gate waits for it.
    w.call(s2.as_str(), report("T2"));
    w.outside.abort(w.now, &s2);
    w.run_until(|w| w.turns_of("T2").len() == 2);
    assert_eq!(
        w.trace(&m, &["trespassed", "judged T2", "inspected T2"]),
        ["trespassed", "inspected T2", "judged T2: no"]
    );
    let order = w.turns_of("T2")[1];
    assert!(
        order.contains("[high] a: this file is task T1's, and it changed while a shell command"),
        "{order}"
    );
    assert_eq!(order.matches("this file is task").count(), 1, "its own files and free ones are no finding");
    // Said once: the next round is judged by what it does.
    w.call(s1.as_str(), report("T1"));
    w.outside.abort(w.now, &s1);
    w.run_until(|w| w.task_state(&m, "T2") == "completed");
    assert_eq!(w.trace(&m, &["judged T2"]), ["judged T2: no", "judged T2: yes"]);
}

#[test]
fn nothing_below_git_is_written_in_any_case_of_letters() {
    let (mut w, [_, _, s3]) = at_work();
    for path in [".git/hooks/pre-commit", "sub/.GIT/config", "todo.MD"] {
        assert!(w.write(&s3, path).is_some(), "{path}");
    }
    assert_eq!(w.write(&s3, ".gitignore"), None);
}
