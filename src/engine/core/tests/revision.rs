//! What has not begun, planned anew because the user said something to the whole mission.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::mission::Phase;
use crate::engine::core::event::Event;
use crate::engine::core::{Control, Refusal, ToolInput};

fn say(w: &mut World, m: &MissionId, text: &str) {
    w.control(m, Control::Steer { text: text.into(), task: None, now: false }).expect("steered");
}

/// A diamond with its first task at work.
fn begun() -> (World, MissionId) {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("T1").is_empty());
    (w, m)
}

fn anew(tasks: Vec<DraftTask>, drop: &str) -> Draft {
    Draft { tasks, drop: drop.split_whitespace().map(String::from).collect(), ..Draft::default() }
}

fn tasks(w: &World, m: &MissionId) -> Vec<String> {
    let line = |t: &crate::engine::core::state::Task| {
        let after: Vec<_> = t.spec.depends_on.iter().map(|d| d.as_str()).collect();
        format!("{} {} ({}) {}", t.spec.id, t.spec.title, after.join(" "), t.state.name())
    };
    w.mission(m).tasks.iter().map(line).collect()
}

#[test]
fn tasks_that_have_not_begun_change_and_the_others_stay() {
    let (mut w, m) = begun();
    let three = DraftTask { title: "another task".into(), ..task("T3", "c", "T1") };
    w.outside.anew = anew(vec![three, task("T9", "e", "T3")], "T2");
    say(&mut w, &m, "no second part, but a fifth");
    w.run_until(|w| w.core.missions().any(|m| m.tasks.iter().any(|t| t.spec.id.as_str() == "T9")));
    assert_eq!(
        tasks(&w, &m),
        [
            "T1 task T1 () in_progress",
            "T3 another task (T1) pending",
            "T4 task T4 (T1 T3) pending",
            "T9 task T9 (T3) pending"
        ]
    );
    let prompt = w.turns_of("Plan anew")[0];
    assert!(prompt.contains("this comes first: no second part, but a fifth"), "{prompt}");
    assert!(prompt.contains("stay as they are:\n- T1 (in progress): task T1\n"), "{prompt}");
    assert!(prompt.contains("not begun:\n- T2: task T2\n  files: b\n  after: T1\n- T3"), "{prompt}");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(w.mission(&m).task(&"T1".into()).expect("T1").attempts, 1);
    assert!(w.turns_of("T2").is_empty() && w.turns_of("T3").len() == 1 && w.turns_of("T9").len() == 1);
    assert!(w.outside.todo.contains_key("T9") && !w.outside.todo.contains_key("T2"), "{:?}", w.outside.todo);
    let said = (
        "Planned anew".to_owned(),
        "3 tasks new or otherwise, 1 dropped; what has begun goes on.".to_owned(),
    );
    assert!(w.toasts().contains(&said), "{:?}", w.toasts());
    let lines: Vec<_> = w.mission(&m).log.iter().map(|n| n.text.clone()).collect();
    assert!(lines.contains(&"planned anew: T4, T3, T9; without T2".to_owned()), "{lines:?}");
}

#[test]
fn nothing_begins_before_the_new_plan_is_there() {
    let (mut w, m) = begun();
    w.outside.script(
        "Plan anew",
        vec![vec![(60_000, Step::Call(ToolInput::Plan(Draft::default()))), (100, Step::Say("x"))]],
    );
    say(&mut w, &m, "hm");
    w.run_for(50_000);
    assert_eq!(w.task_state(&m, "T1"), "completed");
    assert_eq!((w.turns_of("T2").len(), w.turns_of("T3").len()), (0, 0));
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(tasks(&w, &m).len(), 4, "with nothing named, all stays");
    assert!(w.toasts().iter().any(|(title, _)| title == "The plan stays"));
}

#[test]
fn a_planner_that_fails_costs_only_its_turns() {
    let bad = || Step::Call(ToolInput::Plan(anew(vec![task("T1", "a", "")], "T7 T1")));
    let failed = || Step::Fail("ProviderAuthError", Some(401));
    let table: [(&str, Vec<Steps>, usize); 3] = [
        ("talks", vec![vec![(1_000, Step::Say("x"))], vec![(1_000, Step::Say("x"))]], 2),
        ("is wrong twice", vec![vec![(1_000, bad()), (1_000, bad()), (100, Step::Say("x"))]], 1),
        ("fails twice", vec![vec![(1_000, failed())], vec![(1_000, failed())]], 2),
    ];
    for (what, turns, expected) in table {
        let (mut w, m) = begun();
        w.outside.script("Plan anew", turns);
        say(&mut w, &m, "hm");
        w.run();
        assert_eq!(w.state(&m), "completed", "{what}: {}", w.story());
        assert_eq!(w.turns_of("Plan anew").len(), expected, "{what}");
        assert_eq!(tasks(&w, &m).len(), 4, "{what}");
        let stays = |e: &Event| matches!(e, Event::PlanRevised { tasks, dropped, .. } if tasks.len() + dropped.len() == 0);
        assert!(w.log[&m].iter().any(|(_, e)| stays(e)), "{what}");
    }
}

#[test]
fn faults_are_told_to_the_planner_all_at_once() {
    let (mut w, m) = begun();
    let wrong = anew(vec![task("T1", "a", ""), task("T2", "b", ""), task("T8", "h", "T3 T9")], "T2 T3 T1 T7");
    w.outside
        .script("Plan anew", vec![vec![(1_000, Step::Call(ToolInput::Plan(wrong))), (100, Step::Say("x"))]]);
    say(&mut w, &m, "hm");
    w.run();
    let told = &w.calls_of(&w.session_of("Plan anew"))[0];
    for fault in [
        "T1: it has begun and stays as it is; leave it out",
        "T2: it cannot be both changed and dropped",
        "T1: it has begun and cannot be dropped",
        "there is no task T7 that could be dropped",
    ] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
}

#[test]
fn words_while_the_whole_is_reviewed_may_bring_more_work() {
    for phase in [Phase::Reviewing, Phase::Integrating] {
        let mut w = diamond();
        let m = w.task("do it");
        w.run_until(|w| w.core.missions().any(|m| m.phase == Some(phase)));
        w.outside.anew = anew(vec![task("T5", "e", "")], "");
        say(&mut w, &m, "and a fifth");
        w.run();
        assert_eq!(w.state(&m), "completed", "{}", w.story());
        assert_eq!(w.task_state(&m, "T5"), "completed", "{}", phase.name());
        assert_eq!(w.turns_of("T1").len(), 1);
    }
}

#[test]
fn a_plan_that_is_not_there_or_waits_is_not_made_anew() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("Plan").is_empty());
    say(&mut w, &m, "early");
    w.run();
    assert!(w.turns_of("Plan anew").is_empty(), "its planner is told");
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn the_plan_is_made_anew_a_bounded_number_of_times() {
    let (mut w, m) = begun();
    w.outside.script("T1", vec![]);
    for n in 0..20 {
        say(&mut w, &m, "again");
        w.run_until(|w| w.core.missions().all(|m| !m.revision.wanted && m.revision.made == n + 1));
    }
    let more = w.control(&m, Control::Steer { text: "again".into(), task: None, now: false });
    let why = "its plan was made anew 20 times already: say it to one task, or edit TODO.md";
    assert_eq!(more, Err(Refusal::Conflict(why.into())));
}

#[test]
fn a_crash_at_any_moment_leaves_one_new_plan() {
    let (mut w, m) = begun();
    w.outside.anew = anew(vec![task("T5", "e", "T4")], "T3");
    say(&mut w, &m, "no third part, but a fifth");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let first = w.log[&m].iter().position(|(_, e)| matches!(e, Event::Steered { .. })).expect("steered");
    for moment in w.moments.iter().filter(|moment| moment.events > first).step_by(3) {
        for host in [false, true] {
            let mut next = w.take_over(moment.now, moment.events, &moment.after, host);
            next.run();
            let case = format!("after {} facts, host restarted: {host}", moment.events);
            assert_eq!(next.state(&m), "completed", "{case}: {}", next.story());
            let ids: Vec<_> = next.mission(&m).tasks.iter().map(|t| t.spec.id.as_str()).collect();
            assert_eq!(ids, ["T1", "T2", "T4", "T5"], "{case}");
        }
    }
}

#[test]
fn a_planner_that_has_handed_in_is_known_by_its_prompt_all_the_same() {
    let (mut w, m) = begun();
    let handed_in = Step::Call(ToolInput::Plan(anew(vec![task("T5", "e", "")], "")));
    w.outside.script("Plan anew", vec![vec![(1_000, handed_in), (60_000, Step::EndUnseen("x"))]]);
    say(&mut w, &m, "and a fifth");
    w.run_until(|w| w.core.missions().any(|m| m.tasks.len() == 5));
    // Another process takes it over, and looks what became of the planner's turn.
    let events = w.log[&m].len();
    let mut next = w.take_over(w.now.plus(1_000), events, &w.outside.clone(), false);
    next.run();
    assert_eq!(next.state(&m), "completed");
    assert_eq!(next.turns_of("Plan anew").len(), 1, "{}", next.story());
}

#[test]
fn a_checkpoint_from_before_tasks_were_rewritten_is_out_of_reach() {
    let (mut w, m) = begun();
    let before = w.mission(&m).checkpoints.last().expect("a checkpoint").sequence;
    w.outside.anew = anew(vec![task("T2", "b", "T5"), task("T5", "e", "T1")], "");
    say(&mut w, &m, "something first");
    w.run_until(|w| w.core.missions().any(|m| m.tasks.len() == 5));
    w.control(&m, Control::Pause).expect("paused");
    // T2 would depend on a task that is not there.
    let refused = w.control(&m, Control::Restore { checkpoint: before, files: false });
    assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
    w.control(&m, Control::Resume).expect("resumed");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
}
