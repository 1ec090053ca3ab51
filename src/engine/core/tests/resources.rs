//! Permits, budgets, the rate gate and memory on the live path. A turn of these worlds costs 110 tokens and half a dollar.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::memory::MemoryUse;
use crate::domain::plan::DraftTask;
use crate::engine::core::event::{AttemptKind, Ceiling, Event, Options};
use crate::engine::core::live::Stage;
use crate::engine::core::{Control, Core, Input, Limits};
use crate::ports::host::{HostError, HostFault};
use std::collections::BTreeMap;

fn independent(n: usize) -> World {
    planned((1..=n).map(|i| task(&format!("T{i}"), "", "")).collect())
}

fn with_priority(priority: &str, mut task: DraftTask) -> DraftTask {
    task.priority = Some(priority.into());
    task
}

fn memory_use(percent: u64) -> Input {
    Input::Memory { now: MemoryUse { total: 100, available: 100 - percent, own: 0 } }
}

/// Workers in the order in which they were set to work.
fn order(w: &World) -> Vec<(String, String)> {
    let mut opened: Vec<_> = w
        .log
        .iter()
        .flat_map(|(id, log)| log.iter().map(move |(at, event)| (*at, id, event)))
        .filter_map(|(at, id, event)| match event {
            Event::AttemptOpened { kind: AttemptKind::Work(task), .. } => {
                Some((at, id.0.clone(), task.0.clone()))
            }
            _ => None,
        })
        .collect();
    opened.sort_by_key(|(at, ..)| *at);
    opened.into_iter().map(|(_, mission, task)| (mission, task)).collect()
}

fn spent(w: &World, m: &MissionId) -> u64 {
    w.mission(m).spent.tokens
}

#[test]
fn a_spent_budget_ends_the_mission_with_what_it_has_and_a_retry_spends_it_again() {
    for (workers, in_flight) in [(1, 1), (3, 6)] {
        let mut w = independent(9);
        let options = Options { budget_tokens: Some(1_000), workers, ..w.options() };
        let m = w.task_in("u0", "/p", "do it", options);
        w.run();
        let reason = w.mission(&m).reason.clone();
        assert_eq!(w.state(&m), "partially_completed", "{reason}");
        assert!(reason.contains("of 1000 tokens used"), "{reason}");
        assert!((1_000..=1_000 + in_flight * 110).contains(&spent(&w, &m)), "{}", spent(&w, &m));
        // Half a second later it may be told with the end.
        w.run_for(1_000);
        let said = |(title, text): &(String, String)| {
            format!("{title}: {text}").matches("Budget nearly spent").count()
        };
        assert_eq!(w.toasts().iter().map(said).sum::<usize>(), 1, "{:?}", w.toasts());
        let done = w.mission(&m).tasks.iter().filter(|t| t.state.name() == "completed").count();
        assert!((2..9).contains(&done), "{done}");
        // The user wants it to go on: the tasks that were done stay done, and the budget counts anew.
        w.control(&m, Control::Retry).expect("retried");
        w.run();
        let all = w.mission(&m).tasks.iter().filter(|t| t.state.name() == "completed").count();
        assert!(all > done && spent(&w, &m) <= 2_000 + 2 * in_flight * 110, "{all} {}", spent(&w, &m));
    }
}

#[test]
fn a_budget_that_is_large_enough_changes_nothing() {
    let mut w = independent(3);
    let options = Options { budget_tokens: Some(100_000), task_budget_tokens: Some(100_000), ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run();
    assert_eq!((w.state(&m), spent(&w, &m)), ("completed", 8 * 110));
    assert!(!w.toasts().iter().any(|(title, _)| title.contains("Budget")));
}

#[test]
fn money_and_time_are_budgets_too() {
    let table = [((Some(2.0), None), "$2.00 used"), ((None, Some(1)), "of 1 min used")];
    for ((budget_dollars, budget_minutes), words) in table {
        let mut w = independent(9);
        let m = w.task_in(
            "u0",
            "/p",
            "do it",
            Options { budget_dollars, budget_minutes, workers: 1, ..w.options() },
        );
        w.run();
        assert_eq!(w.state(&m), "partially_completed");
        assert!(w.mission(&m).reason.contains(words), "{}", w.mission(&m).reason);
    }
}

#[test]
fn a_task_that_has_spent_its_budget_gets_no_further_turn() {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1"), task("T3", "c", "")]);
    w.outside.script("Review T1", vec![does(changes("no")), does(changes("no"))]);
    let options = Options { task_budget_tokens: Some(300), ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run();
    assert_eq!(w.state(&m), "partially_completed");
    let states = ["T1", "T2", "T3"].map(|t| w.task_state(&m, t));
    assert_eq!(states, ["failed", "skipped", "completed"]);
    let t1 = w.mission(&m).task(&"T1".into()).cloned().expect("it is there");
    assert!(
        t1.note.as_deref().is_some_and(|n| n.contains("of the task") && n.contains("of 300 tokens")),
        "{t1:?}"
    );
    assert_eq!(
        (t1.spent.tokens, t1.attempts),
        (330, 2),
        "the third turn was in flight; the fourth never began"
    );
}

#[test]
fn what_a_provider_tells_one_turn_holds_for_all() {
    let mut w = independent(4);
    // The first worker is told to wait a minute; the others end their turns meanwhile, and their reviews have to wait.
    w.outside.script(
        "T1",
        vec![vec![
            (1_000, Step::Emit(Sign::HostRetry(60_000, "Too Many Requests"))),
            (70_000, Step::Call(report("T1"))),
            (10, Step::Say("x")),
        ]],
    );
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let told =
        w.outside.turns.iter().find(|(_, s, _)| s == "T1").map(|(at, ..)| at.plus(1_000)).expect("it ran");
    let during = |at: &crate::domain::ids::Millis| *at > told && *at < told.plus(60_000);
    assert!(!w.outside.turns.iter().any(|(at, ..)| during(at)), "{:?}", w.outside.turns);
    let after: Vec<_> =
        w.outside.turns.iter().filter(|(at, ..)| *at >= told.plus(60_000)).map(|(at, ..)| *at).collect();
    assert!(after.windows(2).all(|pair| pair[1].since(pair[0]) >= 400), "one after another: {after:?}");
    let waits = |a: &crate::engine::core::Action| matches!(a, crate::engine::core::Action::Progress { title, .. } if title.contains("asks to wait"));
    assert!(w.actions.iter().any(|(_, a)| waits(a)), "the user is told what it waits for");
    let paced = |a: &crate::engine::core::Action| matches!(a, crate::engine::core::Action::Progress { title, .. } if title.contains("begin one by one; next in 1 s"));
    assert!(w.actions.iter().any(|(_, a)| paced(a)));
}

/// A provider that bears five turns a second, and missions in four projects that would begin far more. What was begun in the
/// first burst the host itself tries again; of what the engine begins after that, fewer than one in a hundred is refused.
#[test]
fn after_the_first_burst_hardly_a_turn_is_begun_that_its_provider_refuses() {
    let mut w = independent(30);
    w.outside.bears = Some(5);
    let many = Options { workers: 50, reviewers: Some(50), ..w.options() };
    let missions: Vec<_> =
        (0..4).map(|n| w.task_in(&format!("u{n}"), &format!("/p{n}"), "do it", many.clone())).collect();
    w.run();
    assert!(missions.iter().all(|m| w.state(m) == "completed"));
    let asked = &w.outside.asked;
    let first = asked.iter().find(|(.., refused)| *refused).map(|(at, ..)| *at).expect("a burst");
    let later: Vec<_> = asked
        .iter()
        .filter(|(at, begun, _)| *begun && at.since(first) >= 1_000)
        .map(|(.., no)| *no)
        .collect();
    let refused = later.iter().filter(|no| **no).count();
    assert!(later.len() > 200, "{} turns", later.len());
    assert!(refused * 100 < later.len(), "{refused} of {} turns", later.len());
}

#[test]
fn ceilings_of_models_and_providers_hold_before_the_model_is_known_as_after() {
    for name in ["lab/x", "lab"] {
        let mut w = independent(6);
        let options = Options { providers: vec![Ceiling { name: name.into(), most: 2 }], ..w.options() };
        let m = w.task_in("u0", "/p", "do it", options);
        w.run();
        assert_eq!((w.state(&m), w.most_workers), ("completed", 2));
    }
}

#[test]
fn each_mission_keeps_to_its_own_ceilings_and_its_end_wakes_who_waits() {
    let mut w = independent(6);
    let narrow = Options { workers: 1, reviewers: Some(1), ..w.options() };
    let a = w.task_in("u0", "/p", "do it", narrow);
    let wide = Options { workers: 4, ..w.options() };
    let b = w.task_in("u1", "/q", "do it", wide);
    w.run();
    assert_eq!([w.state(&a), w.state(&b)], ["completed", "completed"]);
    assert_eq!(w.most_workers, 4, "the wider of the two is never exceeded");
    // How many workers there were when the narrow one began its own; what ends in the same moment has ended before.
    let (mut open, mut beside) = (0, Vec::new());
    let mut facts: Vec<_> =
        w.log.iter().flat_map(|(id, log)| log.iter().map(move |(at, event)| (*at, id, event))).collect();
    facts.sort_by_key(|(at, _, event)| (*at, matches!(event, Event::AttemptOpened { .. })));
    let mut workers = std::collections::BTreeSet::new();
    for (_, id, event) in facts {
        match event {
            Event::AttemptOpened { attempt, kind: AttemptKind::Work(_), .. } => {
                if *id == a {
                    beside.push(open);
                }
                open += 1;
                workers.insert(attempt.clone());
            }
            Event::AttemptClosed { attempt, .. } if workers.remove(attempt) => open -= 1,
            _ => {}
        }
    }
    assert_eq!(beside, [0; 6], "it begins a worker only when there is no other");
}

/// Whatever becomes of an attempt, its permit is free when it is closed: it is the open attempt that is counted.
#[test]
fn calls_that_break_down_or_never_come_back_keep_no_permit() {
    for ceiling in [1, 2] {
        let mut w = independent(5);
        let broken = || {
            HostError::Refused(HostFault {
                name: "InternalError".into(),
                message: "it broke".into(),
                status: None,
            })
        };
        w.outside.create_faults.extend([broken(), HostError::TimedOut(30_000), broken()]);
        w.outside.prompt_faults.extend([broken(), HostError::TimedOut(30_000)]);
        let m = w.task_in("u0", "/p", "do it", Options { workers: ceiling, ..w.options() });
        w.run();
        assert!(w.state(&m) == "completed" && w.most_workers <= ceiling as usize, "{}", w.most_workers);
        let mut gauges = BTreeMap::new();
        w.core.report(&mut gauges);
        assert_eq!((gauges["attempts.open.worker"], gauges["attempts.wanted.worker"]), (0, 0));
    }
}

#[test]
fn missions_that_wait_for_workers_are_served_in_turn() {
    let mut w = independent(4);
    let options = |w: &World| Options { workers: 1, ..w.options() };
    for (parent, place) in [("u0", "/p"), ("u1", "/q")] {
        let options = options(&w);
        w.task_in(parent, place, "do it", options);
    }
    w.run();
    let missions: Vec<_> = order(&w).into_iter().map(|(mission, _)| mission).collect();
    assert_eq!(missions.len(), 8);
    assert!(missions.windows(3).all(|three| three.iter().any(|m| *m != three[0])), "{missions:?}");
}

#[test]
fn low_priority_waits_for_memory_and_nothing_else_does() {
    let mut w = planned(vec![with_priority("low", task("T1", "a", "")), task("T2", "b", "")]);
    w.outside.script("T2", vec![vec![(300_000, Step::Call(report("T2"))), (1, Step::Say("x"))]]);
    w.step(memory_use(90));
    let m = w.task("do it");
    w.run_until(|w| w.most_workers == 1);
    w.run_for(60_000);
    assert_eq!(["T1", "T2"].map(|t| w.task_state(&m, t)), ["ready", "in_progress"]);
    let told = |a: &crate::engine::core::Action| matches!(a, crate::engine::core::Action::Progress { title, .. } if title.contains("1 of low priority wait: 90 % of the machine's memory"));
    assert!(w.actions.iter().any(|(_, a)| told(a)));
    w.step(memory_use(50));
    w.run_for(1_000);
    assert_eq!(w.most_workers, 2, "at once");
    w.run();
    assert_eq!(w.state(&m), "completed");
}

/// Memory that others use may stay short for ever.
#[test]
fn short_memory_keeps_low_priority_waiting_for_ten_minutes_at_most() {
    let mut w = planned(vec![with_priority("low", task("T1", "a", "")), task("T2", "b", "")]);
    w.outside.script("T2", vec![vec![(3_000_000, Step::Call(report("T2"))), (1, Step::Say("x"))]]);
    w.step(memory_use(90));
    let options = Options { turn_timeout_ms: 4_000_000, ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run_until(|w| w.most_workers == 1);
    let begin = w.now;
    w.run_until(|w| w.most_workers == 2);
    assert!((599_000..=601_000).contains(&w.now.since(begin)), "after {} ms", w.now.since(begin));
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn where_nothing_else_is_at_work_low_priority_goes_on_one_by_one_however_short_memory_is() {
    let low = |n: usize| (1..=n).map(|i| with_priority("low", task(&format!("T{i}"), "", ""))).collect();
    let mut w = planned(low(3));
    w.step(memory_use(99));
    let missions = [("u0", "/p"), ("u1", "/q")].map(|(parent, place)| {
        let options = w.options();
        w.task_in(parent, place, "do it", options)
    });
    let begin = w.now;
    w.run();
    assert_eq!(missions.map(|m| w.state(&m)), ["completed"; 2]);
    assert_eq!(w.most_workers, 1);
    assert!(w.now.since(begin) < 600_000, "after {} ms", w.now.since(begin));
}

#[test]
fn what_urgent_work_waits_for_is_as_urgent() {
    let mut tasks: Vec<_> = (1..=4).map(|n| task(&format!("A{n}"), &format!("a{n}"), "")).collect();
    tasks.push(with_priority("low", task("L", "l", "")));
    tasks.push(with_priority("high", task("H", "h", "L")));
    for short in [false, true] {
        let mut w = planned(tasks.clone());
        w.step(memory_use(if short { 90 } else { 10 }));
        let options = Options { workers: 1, ..w.options() };
        let m = w.task_in("u0", "/p", "do it", options);
        w.run();
        let tasks: Vec<_> = order(&w).into_iter().map(|(_, task)| task).collect();
        assert_eq!(w.state(&m), "completed");
        // A1 has the only worker while the low task's review, and with it the urgent one, is on its way.
        assert_eq!(tasks, ["L", "A1", "H", "A2", "A3", "A4"], "memory short: {short}");
    }
}

#[test]
fn missions_have_a_number_and_a_depth() {
    let limits = Limits { missions: 2, depth: 2, ..Limits::default() };
    let mut w = independent(1);
    w.core = Core::new(limits.clone(), 0);
    w.task("do it");
    w.run_until(|w| w.most_workers == 1);
    w.run_for(1_000);
    let worker = w.session_of("T1");
    let mut nested = |parent: &str, key: &str| {
        let reply = w.reply();
        let created = crate::engine::core::event::Created {
            parent: parent.into(),
            key: key.into(),
            ..w.mission(&"m1".into()).created.clone()
        };
        w.step(Input::Create { reply, mission: key.into(), created });
        format!("{:?}", w.answers[&reply])
    };
    assert!(nested(worker.as_str(), "m2").contains("Created"));
    let third = nested("u7", "m3");
    assert!(third.contains("2 missions are open already"), "{third}");
    let mut w = independent(1);
    w.core = Core::new(Limits { depth: 1, ..limits }, 0);
    w.task("do it");
    w.run_until(|w| w.most_workers == 1);
    w.run_for(1_000);
    let (worker, reply) = (w.session_of("T1"), w.reply());
    let created = crate::engine::core::event::Created {
        parent: worker,
        key: "deep".into(),
        ..w.mission(&"m1".into()).created.clone()
    };
    w.step(Input::Create { reply, mission: "m2".into(), created });
    let refused = format!("{:?}", w.answers[&reply]);
    assert!(refused.contains("works for a mission 1 levels down"), "{refused}");
}

#[test]
fn the_longest_way_first_and_estimates_learn() {
    // One worker at a time: T3 leads to the most work, T2 is urgent.
    let minutes = |mut t: crate::domain::plan::DraftTask, n: f64| {
        t.estimate_minutes = Some(n);
        t
    };
    let urgent = with_priority("high", minutes(task("T2", "b", ""), 1.0));
    let mut w = planned(vec![
        minutes(task("T1", "a", ""), 5.0),
        urgent,
        minutes(task("T3", "c", ""), 4.0),
        minutes(task("T4", "d", "T3"), 4.0),
    ]);
    let options = Options { workers: 1, ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run_until(|w| w.core.mission(&"m1".into()).is_some_and(|m| m.tasks.iter().any(|t| t.worked_ms > 0)));
    let before = crate::engine::report::forecast(w.mission(&m), &BTreeMap::new()).expect("it has a plan");
    w.run();
    let tasks: Vec<_> = order(&w).into_iter().map(|(_, task)| task).collect();
    assert_eq!(tasks[..2], ["T2", "T3"]);
    assert!(before.minutes > 12.0 && before.turns >= 8, "{before:?}");
    // Estimated at minutes, done in ten seconds.
    let spec = &w.mission(&m).tasks[0].spec;
    assert!(crate::engine::core::pace(w.mission(&m)).minutes(spec) < spec.estimate_minutes / 4.0);
}

/// A provider fails the only worker; its mission is stopped while it waits to try again. Others have the permit meanwhile,
/// and it goes on when they leave it one.
#[test]
fn a_turn_that_waits_for_its_provider_gives_its_permit_up_when_its_mission_is_paused() {
    for stop in [Control::Pause, Control::Suspend] {
        let mut w = independent(3);
        // The first repeat is at once, the second a second later.
        let fails = || vec![(100, Step::Fail("APIError", Some(503)))];
        w.outside.script("T1", vec![fails(), fails()]);
        let one = Options { workers: 1, ..w.options() };
        let a = w.task_in("u0", "/p", "do it", one.clone());
        w.run_until(|w| {
            w.core.live.values().flat_map(|l| l.pulses.values()).any(|p| p.stage == Stage::Waiting)
        });
        w.control(&a, stop.clone()).expect("stopped");
        w.run_for(3_600_000);
        assert_eq!(w.turns_of("T1").len(), 2, "{}", w.story());
        let b = w.task_in("u1", "/q", "do it", one);
        w.run_until(|w| w.turns_of("T2").len() == 1);
        w.control(&a, Control::Resume).expect("resumed");
        let working = |w: &World| {
            let busy = w.outside.sessions.values().filter(|s| s.busy);
            busy.filter(|s| s.title.starts_with('T')).count()
        };
        while w.state(&a) != "completed" || w.state(&b) != "completed" {
            w.run_for(50);
            assert!(working(&w) <= 1, "{}", w.story());
            assert!(w.now.0 < 10 * 3_600_000, "{stop:?}: {}", w.story());
        }
        assert_eq!(w.mission(&a).task(&"T1".into()).map(|t| t.attempts), Some(1), "{}", w.story());
    }
}
