//! Races: which try is taken and when, what becomes of the others, of the budget, and of a process that dies.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::plan::{Draft, DraftTask};
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckOutcome, Finding};
use crate::engine::core::event::{AttemptKind, Event, Options};
use crate::engine::core::{Action, Control, Core, Limits, ToolInput};

const FAILS: CheckOutcome = CheckOutcome::Failed(1);
const GOOD: CheckOutcome = CheckOutcome::Passed;

fn race(id: &str, after: &str) -> DraftTask {
    let checks = vec!["npm test".into()];
    DraftTask { mode: Some("race".into()), checks, ..task(id, "a", after) }
}

fn start(w: &mut World, options: impl FnOnce(&mut Options)) -> MissionId {
    let mut all = Options { worktrees: Some(true), ..w.options() };
    options(&mut all);
    w.task_in("u", "/p", "do it", all)
}

/// How `npm test` ends, the run before any work left out.
fn checks(w: &mut World, outcomes: &[CheckOutcome]) {
    let all = std::iter::once(GOOD).chain(outcomes.iter().copied()).collect();
    w.outside.checks.insert("npm test".into(), all);
}

fn choose(one: &str, approved: bool) -> ToolInput {
    let findings = if approved { Vec::new() } else { vec![Finding::of("low", "a name is missing")] };
    ToolInput::Review { approved, summary: "the shortest".into(), findings, choice: Some(one.into()) }
}

fn states(w: &World, m: &MissionId) -> Vec<String> {
    w.mission(m).in_order().iter().map(|t| format!("{} {}", t.spec.id, t.state.name())).collect()
}

/// What holds whatever happens: one try at most is merged, nobody is at work when it is over.
fn sound(w: &World, m: &MissionId) {
    let mission = w.mission(m);
    let done = |t: &&crate::engine::core::state::Task| t.state == TaskState::Completed;
    for task in mission.planned() {
        assert!(mission.parts_of(&task.spec.id).filter(done).count() <= 1, "{}", w.story());
    }
    assert!(mission.open_attempts().next().is_none() && mission.attempts.values().all(|a| !a.given_up));
    let agents = |s: &&Session| s.role.is_some();
    assert!(w.outside.sessions.values().filter(agents).all(|s| !s.busy), "{}", w.story());
}

#[test]
fn several_that_passed_are_compared_and_one_is_taken() {
    let mut w = planned(vec![race("T1", ""), task("T2", "b", "T1")]);
    checks(&mut w, &[FAILS]);
    let m = start(&mut w, |_| {});
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    let all = ["T1 completed", "T1.r1 failed", "T1.r2 completed", "T1.r3 cancelled", "T2 completed"];
    assert_eq!(states(&w, &m), all);
    let t1 = w.mission(&m).task(&"T1".into()).expect("a task");
    let how = crate::engine::report::race(w.mission(&m), t1);
    assert_eq!(how.as_deref(), Some("T1.r2 of 3 tries is taken: it is shorter"));
    let told = w.turns_of("Compare T1");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("## T1.r2") && told[0].contains("`choice` one of T1.r2, T1.r3"), "{}", told[0]);
    assert!(!told[0].contains("T1.r1"), "{}", told[0]);
    assert!(w.turns_of("T1.r1")[0].contains("Others try the same at the same time"));
    assert!(
        w.turns_of("T2")[0].contains("Done before, T1 (task T1): T1.r2 is done"),
        "{}",
        w.turns_of("T2")[0]
    );
    let report = w.mission(&m).report.clone().unwrap_or_default();
    assert!(report.contains("2 of 2 tasks done"), "{report}");
    assert!(report.contains("- T1 done: task T1 — T1.r2 of 3 tries is taken: it is shorter\n"), "{report}");
    assert!(report.contains("  - T1.r3 cancelled — T1.r2 was taken\n"), "{report}");
    assert!(!w.outside.todo.keys().any(|id| id.contains(".r")), "{:?}", w.outside.todo);
    sound(&w, &m);
}

#[test]
fn the_only_one_that_passed_is_taken_and_reviewed_as_any_task() {
    let mut w = planned(vec![race("T1", "")]);
    checks(&mut w, &[FAILS, GOOD, FAILS]);
    w.outside.script("Review T1.r2", vec![does(changes("no tests"))]);
    let m = start(&mut w, |_| {});
    w.run();
    assert_eq!(states(&w, &m), ["T1 completed", "T1.r1 failed", "T1.r2 completed", "T1.r3 failed"]);
    assert!(w.turns_of("Compare T1").is_empty());
    // Sent back like any other: in its own conversation, with the findings.
    assert_eq!(w.turns_of("T1.r2").len(), 2);
    assert!(w.turns_of("T1.r2")[1].contains("no tests"));
    sound(&w, &m);
}

#[test]
fn the_one_that_is_taken_may_be_sent_back_with_the_comparison() {
    let mut w = planned(vec![race("T1", "")]);
    w.outside.script("Compare T1", vec![does(choose("T1.r3", false))]);
    let m = start(&mut w, |_| {});
    w.run();
    assert_eq!(
        states(&w, &m)[..4],
        ["T1 completed", "T1.r1 cancelled", "T1.r2 cancelled", "T1.r3 completed"]
    );
    assert!(w.turns_of("T1.r3")[1].contains("a name is missing"));
    assert_eq!(w.turns_of("Review T1.r3").len(), 1);
    sound(&w, &m);
}

#[test]
fn when_none_passes_one_worker_goes_on_with_what_was_found() {
    let mut w = planned(vec![race("T1", ""), task("T2", "b", "T1")]);
    checks(&mut w, &[FAILS, FAILS, FAILS]);
    let m = start(&mut w, |_| {});
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(w.task_state(&m, "T1"), "completed");
    let told = w.turns_of("T1")[0];
    assert!(told.contains("Attempt 2 of 3") && told.contains("Several workers have tried this"), "{told}");
    assert!(told.contains("T1.r3: `npm test` fails"), "{told}");
    assert_eq!(w.turns_of("Review T1").len(), 1, "an ordinary one");
    sound(&w, &m);
}

#[test]
fn who_is_far_behind_the_first_that_passed_is_stopped() {
    let mut w = planned(vec![race("T1", "")]);
    // Ten seconds for the first; the others never end.
    w.outside.script("T1.r1", vec![vec![]]);
    w.outside.script("T1.r3", vec![vec![]]);
    let m = start(&mut w, |_| {});
    let began = w.now;
    w.run();
    assert_eq!(states(&w, &m), ["T1 completed", "T1.r1 cancelled", "T1.r2 completed", "T1.r3 cancelled"]);
    let aborted = w.actions.iter().filter(|(_, a)| matches!(a, Action::Abort { .. })).count();
    assert_eq!(aborted, 2);
    let took = w.now.since(began);
    assert!((60_000..120_000).contains(&took), "a minute for those behind, and the rest: {took} ms");
    sound(&w, &m);
}

#[test]
fn time_in_which_nobody_could_work_makes_nobody_late() {
    const HOUR: u64 = 3_600_000;
    for case in ["suspended", "paused", "no process", "no host"] {
        let mut w = planned(vec![race("T1", "")]);
        let slow = || vec![(130_000, Step::Call(report("T1"))), (100, Step::Say("worked"))];
        ["T1.r1", "T1.r3"].into_iter().for_each(|t| w.outside.script(t, vec![slow()]));
        let m = start(&mut w, |o| o.auto_resume = true);
        w.run_until(|w| !w.mission(&m).passed_tries(&"T1".into()).is_empty());
        w.run_for(5_000);
        let mut w = match case {
            // Turns that run go on in a pause, and in a suspension none does.
            "suspended" | "paused" => {
                let paused = case == "paused";
                w.control(&m, if paused { Control::Pause } else { Control::Suspend }).expect("at rest");
                w.run_for(if paused { 100_000 } else { HOUR });
                w.control(&m, Control::Resume).expect("resumed");
                w
            }
            _ => {
                let (later, outside) = (w.now.plus(HOUR), w.outside.clone());
                w.take_over(later, w.log[&m].len(), &outside, case == "no host")
            }
        };
        w.run();
        assert_eq!(w.state(&m), "completed", "{case}: {}", w.story());
        let late = |t: &crate::engine::core::state::Task| t.note.as_ref().is_some_and(|n| n.contains("slow"));
        assert!(!w.mission(&m).tasks.iter().any(late), "{case}: {}", w.story());
        let compared = w.turns_of("Compare T1").concat();
        assert!(compared.contains("one of T1.r1, T1.r2, T1.r3"), "{case}: {}", w.story());
        sound(&w, &m);
    }
}

/// One try is slow and hears what the user says meanwhile before its report is taken; the others had handed in.
#[test]
fn words_about_a_raced_task_reach_who_compares_its_tries_and_who_is_taken() {
    let say = || Control::Steer { text: "use tabs".into(), task: Some("T1".into()), now: false };
    let heard = |w: &World, what: &str| w.turns_of(what).last().is_some_and(|t| t.contains("use tabs"));
    // Who is taken, whether it is said before the comparison, and how many turns the one that is taken then has.
    for (taken, early, turns) in [("T1.r1", true, 2), ("T1.r1", false, 2), ("T1.r3", true, 1)] {
        let case = format!("{taken} {early}");
        let mut w = planned(vec![race("T1", "")]);
        let again = || (20_000, Step::Call(report("T1.r3")));
        w.outside.script("T1.r3", vec![vec![again(), again(), (100, Step::Say("worked"))]]);
        w.outside.script("Compare T1", vec![does(choose(taken, true))]);
        let m = start(&mut w, |_| {});
        let passed = |w: &World| w.mission(&m).passed_tries(&"T1".into()).len();
        w.run_until(|w| if early { passed(w) == 2 } else { !w.turns_of("Compare T1").is_empty() });
        w.control(&m, say()).expect("steered");
        w.run();
        assert_eq!(w.state(&m), "completed", "{case}: {}", w.story());
        assert_eq!(w.task_state(&m, taken), "completed", "{case}: {}", w.story());
        assert_eq!((w.turns_of("Compare T1").len(), heard(&w, "Compare T1")), (1, early), "{case}");
        assert_eq!(w.turns_of(taken).len(), turns, "{case}: {}", w.story());
        assert_eq!((w.turns_of("T1.r2").len(), heard(&w, "T1.r2")), (1, false), "{case}");
        if turns == 2 {
            // It is not what was compared any more.
            assert!(heard(&w, taken) && heard(&w, &format!("Review {taken}")), "{case}: {}", w.story());
        } else {
            assert!(w.calls_of(&w.session_of(taken))[0].contains("use tabs"), "{case}");
        }
        sound(&w, &m);
    }
}

#[test]
fn tries_are_no_part_of_a_plan_that_is_made_anew_or_edited() {
    use crate::domain::todo::Edit;
    // As long as an id may be: the tries at it have longer ones.
    let long = "T".repeat(32);
    let mut w = planned(vec![race(&long, ""), task("T2", "b", &long)]);
    w.core = Core::new(Limits { tasks: 4, ..Limits::default() }, 0);
    w.outside.script(&format!("{long}.r1"), vec![vec![(30_000, Step::Call(report("T1")))]]);
    let m = start(&mut w, |_| {});
    w.run_until(|w| !w.turns_of(&format!("{long}.r1")).is_empty());
    let added = |title: &str, after: &str| Edit::Added {
        id: None,
        title: title.into(),
        files: Vec::new(),
        depends_on: vec![after.into()],
    };
    w.edit(&m, vec![added("One more", &format!("{long}.r1"))]);
    assert!(w.mission(&m).task(&"U1".into()).expect("a task").spec.depends_on.is_empty());
    let (id, files) = ("T2".to_owned(), vec!["c".to_owned()]);
    w.edit(&m, vec![Edit::Rearranged { id, files, depends_on: vec![long.clone()] }]);
    assert_eq!(w.mission(&m).task(&"T2".into()).expect("a task").spec.files, ["c"], "{:?}", w.toasts());
    w.outside.anew = Draft { tasks: vec![task("T3", "d", "T2")], ..Draft::default() };
    w.control(&m, Control::Steer { text: "and a third".into(), task: None, now: false }).expect("steered");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(w.task_state(&m, "T3"), "completed", "{}", w.story());
    assert_eq!(w.mission(&m).parts_of(&long.as_str().into()).count(), 3);
    sound(&w, &m);
}

#[test]
fn a_try_whose_turn_fails_is_out_and_a_comparison_that_cannot_be_had_ends_with_the_first() {
    let mut w = planned(vec![race("T1", "")]);
    w.outside.script("T1.r1", vec![vec![(10, Step::Fail("ProviderAuthError", Some(401)))]]);
    let silent = || vec![(10, Step::Say("hm"))];
    w.outside.script("Compare T1", (0..4).map(|_| silent()).collect());
    let m = start(&mut w, |_| {});
    w.run();
    assert_eq!(states(&w, &m), ["T1 completed", "T1.r1 failed", "T1.r2 completed", "T1.r3 cancelled"]);
    assert_eq!(w.turns_of("T1.r1").len(), 1);
    assert_eq!(w.turns_of("Review T1.r2").len(), 1, "it has no review yet");
    sound(&w, &m);
}

#[test]
fn a_choice_that_names_no_try_is_asked_for_again() {
    let mut w = planned(vec![race("T1", "")]);
    checks(&mut w, &[FAILS]);
    let first = vec![
        (10, Step::Call(approve())),
        (10, Step::Call(choose("T1.r1", true))),
        (10, Step::Call(choose(" T1.r3 ", true))),
        (10, Step::Say("so")),
    ];
    w.outside.script("Compare T1", vec![first]);
    let m = start(&mut w, |_| {});
    w.run();
    assert_eq!(w.task_state(&m, "T1.r3"), "completed", "{}", w.story());
}

#[test]
fn who_races_is_said_by_the_user_the_plan_and_the_worktrees() {
    let plan = || {
        vec![
            race("T1", ""),
            task("T2", "b", ""),
            DraftTask { mode: Some("normal".into()), ..task("T3", "c", "") },
        ]
    };
    let table: [(Option<u32>, Option<bool>, &str); 5] = [
        (None, None, "T1 T2 T3"),
        (None, Some(true), "T1.r1 T1.r2 T1.r3 T2 T3"),
        (Some(1), Some(true), "T1 T2 T3"),
        (Some(2), None, "T1.r1 T1.r2 T2.r1 T2.r2 T3"),
        (Some(2), Some(false), "T1.r1 T1.r2 T2.r1 T2.r2 T3"),
    ];
    for (race, worktrees, expected) in table {
        let mut w = planned(plan());
        let m = start(&mut w, |o| (o.race, o.worktrees) = (race, worktrees));
        w.run();
        assert_eq!(w.state(&m), "completed", "{race:?}: {}", w.story());
        let mut worked: Vec<_> = w.log[&m]
            .iter()
            .filter_map(|(_, event)| match event {
                Event::AttemptOpened { kind: AttemptKind::Work(task), .. } => Some(task.as_str()),
                _ => None,
            })
            .collect();
        worked.sort_unstable();
        assert_eq!(worked.join(" "), expected, "{race:?} {worktrees:?}");
        let told = w.turns_of("Plan")[0];
        assert_eq!(told.contains("`mode` race"), race.is_none() && worktrees.is_some(), "{told}");
        assert_eq!(told.contains("wants each task raced"), race == Some(2), "{told}");
    }
}

#[test]
fn without_a_tree_to_work_on_a_race_is_refused() {
    let mut w = planned(vec![task("T1", "a", "")]);
    let m = start(&mut w, |o| (o.race, o.worktrees) = (Some(3), None));
    w.step(crate::engine::core::Input::Surveyed {
        mission: m.clone(),
        checks: Vec::new(),
        tree: None,
        remark: Some("git is not installed".into()),
    });
    assert_eq!(w.mission(&m).reason, "there can be no worktrees, which a race needs: git is not installed");
}

#[test]
fn tries_run_on_the_models_in_turn() {
    let mut w = planned(vec![race("T1", "")]);
    let models = vec!["lab/a".to_owned(), "lab/b".to_owned()];
    let m = start(&mut w, |o| o.race_models = Some(models));
    w.run();
    let made: Vec<_> = w
        .actions
        .iter()
        .filter_map(|(_, action)| match action {
            Action::CreateSession { title, model, .. } => Some((subject(title), model.clone())),
            _ => None,
        })
        .filter(|(title, _)| title.starts_with("T1."))
        .collect();
    let expected = [("T1.r1", "lab/a"), ("T1.r2", "lab/b"), ("T1.r3", "lab/a")];
    assert_eq!(made, expected.map(|(t, m)| (t.to_owned(), Some(m.to_owned()))));
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn no_more_begin_than_the_budget_covers_and_none_outlives_it() {
    // A turn costs 110 tokens; the planner and the worker of T1 have told that when T2 begins.
    let tries = |tokens: u64| {
        let mut w = planned(vec![task("T1", "b", ""), race("T2", "T1")]);
        let m = start(&mut w, |o| o.budget_tokens = Some(tokens));
        w.run();
        w.run_for(1_000);
        sound(&w, &m);
        assert!(w.mission(&m).spent.tokens < tokens + 3 * 110, "{tokens}");
        let begun = |(_, e): &(_, Event)| match e {
            Event::RaceBegun { tries, .. } => Some(tries.len()),
            _ => None,
        };
        (w.log[&m].iter().find_map(begun), w.state(&m))
    };
    assert_eq!(tries(220 + 330).0, Some(3));
    assert_eq!(tries(220 + 329).0, Some(2));
    assert_eq!(tries(220 + 219).0, Some(0));
    assert_eq!(tries(10_000), (Some(3), "completed"));
    for tokens in (340..1_400).step_by(53) {
        tries(tokens);
    }
}

#[test]
fn a_race_that_is_called_off_leaves_nobody_at_work_and_a_retry_races_again() {
    let mut w = planned(vec![race("T1", "")]);
    ["T1.r1", "T1.r2", "T1.r3"].into_iter().for_each(|t| w.outside.script(t, vec![vec![]]));
    let m = start(&mut w, |_| {});
    w.run_until(|w| w.turns_of("T1.r3").len() == 1);
    w.control(&m, Control::Cancel { by: "you" }).expect("cancelled");
    w.run_for(1_000);
    sound(&w, &m);

    let mut w = planned(vec![race("T1", ""), task("T2", "b", "")]);
    ["T1.r1", "T1.r2", "T1.r3"].into_iter().for_each(|t| w.outside.script(t, vec![vec![]]));
    let m = start(&mut w, |_| {});
    w.run_until(|w| states(w, &m).contains(&"T2 completed".to_owned()));
    let out =
        crate::domain::todo::Edit::Marked { id: "T1".into(), state: crate::domain::todo::TodoState::Skipped };
    w.edit(&m, vec![out]);
    w.run();
    assert_eq!(
        states(&w, &m)[..4],
        ["T1 cancelled", "T1.r1 cancelled", "T1.r2 cancelled", "T1.r3 cancelled"]
    );
    assert_eq!(w.state(&m), "partially_completed");
    sound(&w, &m);
    w.control(&m, Control::Retry).expect("retried");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(states(&w, &m)[..3], ["T1 completed", "T1.r1 completed", "T1.r2 cancelled"]);
    sound(&w, &m);
}

#[test]
fn a_race_that_is_crossed_out_in_a_pause_leaves_no_try_at_work_when_it_begins_again() {
    use crate::domain::todo::{Edit, TodoState};
    for taken in [false, true] {
        let mut w = planned(vec![race("T1", "")]);
        if taken {
            w.outside.script("Compare T1", vec![does(choose("T1.r2", false))]);
            w.outside.script("T1.r2", vec![does(report("T1.r2")), vec![]]);
        } else {
            ["T1.r1", "T1.r2", "T1.r3"].into_iter().for_each(|t| w.outside.script(t, vec![vec![]]));
        }
        let m = start(&mut w, |_| {});
        w.run_until(|w| if taken { w.turns_of("T1.r2").len() == 2 } else { !w.turns_of("T1.r3").is_empty() });
        w.control(&m, Control::Pause).expect("paused");
        let mark = |state| vec![Edit::Marked { id: "T1".into(), state }];
        w.edit(&m, mark(TodoState::Skipped));
        w.edit(&m, mark(TodoState::Open));
        let at_work = |a: &crate::engine::core::state::Attempt| matches!(a.kind, AttemptKind::Work(_));
        assert!(!w.mission(&m).open_attempts().any(at_work), "{taken}: {}", w.story());
        assert!(w.mission(&m).parts_of(&"T1".into()).all(|t| t.state.is_over()), "{taken}: {}", w.story());
        w.run_for(5_000);
        w.control(&m, Control::Resume).expect("resumed");
        w.run();
        assert_eq!(w.state(&m), "completed", "{taken}: {}", w.story());
        let begun = w.log[&m].iter().filter(|(_, e)| matches!(e, Event::RaceBegun { .. })).count();
        assert_eq!((begun, w.task_state(&m, "T1")), (2, "completed"), "{taken}");
        sound(&w, &m);
    }
}

#[test]
fn a_process_that_dies_anywhere_in_a_race_takes_one_try_in_the_end() {
    let mut w = planned(vec![race("T1", ""), task("T2", "b", "T1")]);
    checks(&mut w, &[FAILS]);
    let m = start(&mut w, |_| {});
    w.run();
    for (moment, restarted) in w.moments.iter().zip([false, true].into_iter().cycle()) {
        for outside in [&moment.before, &moment.after] {
            let mut next = w.take_over(moment.now, moment.events, outside, restarted);
            next.run();
            next.run_for(10_000);
            assert_eq!(next.state(&m), "completed", "after {} facts: {}", moment.events, next.story());
            let compared = next.turns_of("Compare T1").iter().filter(|t| t.starts_with("Comparison")).count();
            assert_eq!(compared, 1, "after {} facts: {}", moment.events, next.story());
            sound(&next, &m);
        }
    }
}
