//! Tasks that are planned further: their parts, their end, what is refused, and by whom they are chosen.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::plan::DraftTask;
use crate::engine::core::event::{AttemptKind, Event};
use crate::engine::core::{Control, ToolInput};

fn fractal(id: &str, files: &str, after: &str) -> DraftTask {
    DraftTask { mode: Some("fractal".into()), ..task(id, files, after) }
}

fn hands_in(w: &mut World, task: &str, parts: Vec<DraftTask>) {
    w.outside.script(&format!("Plan {task}"), vec![does(ToolInput::Plan(draft(parts)))]);
}

fn worked(w: &World, m: &MissionId) -> Vec<String> {
    let mut tasks = Vec::new();
    for (_, event) in &w.log[m] {
        if let Event::AttemptOpened { kind: AttemptKind::Work(task), .. } = event {
            tasks.push(task.0.clone());
        }
    }
    tasks
}

#[test]
fn a_task_is_done_by_its_parts_three_levels_down() {
    let mut w = planned(vec![task("T1", "a", ""), fractal("T2", "b", "T1"), task("T3", "c", "T2")]);
    hands_in(&mut w, "T2", vec![fractal("A", "b/1", ""), task("B", "b/2", "A")]);
    hands_in(&mut w, "T2.1", vec![task("A", "", ""), fractal("B", "", "")]);
    hands_in(&mut w, "T2.1.2", vec![fractal("A", "", ""), task("B", "", "")]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    let mut all = worked(&w, &m);
    assert_eq!((all.first().map(String::as_str), all.last().map(String::as_str)), (Some("T1"), Some("T3")));
    all.sort();
    assert_eq!(all, ["T1", "T2.1.1", "T2.1.2.1", "T2.1.2.2", "T2.2", "T3"], "wholes have no workers");
    let shown: Vec<_> = w.mission(&m).in_order().iter().map(|t| t.spec.id.0.clone()).collect();
    assert_eq!(shown, ["T1", "T2", "T2.1", "T2.1.1", "T2.1.2", "T2.1.2.1", "T2.1.2.2", "T2.2", "T3"]);
    // Each planner is told of its task, what that is a part of, and what was done before.
    let told = w.turns_of("Plan T2.1.2")[0];
    assert!(told.contains("It is a part of T2.1 (") && told.contains("It is a part of T2 ("), "{told}");
    assert!(w.turns_of("Plan T2")[0].contains("Done before, T1"));
    let part = w.turns_of("T2.2")[0];
    assert!(part.contains("It is a part of T2: "), "{part}");
}

#[test]
fn a_part_that_fails_takes_its_whole_with_it_and_what_comes_after() {
    let mut w = planned(vec![fractal("T1", "a", ""), task("T2", "b", "T1"), task("T3", "c", "")]);
    hands_in(&mut w, "T1", vec![task("A", "", ""), task("B", "", ""), task("C", "", "B")]);
    let fails = || vec![(10, Step::Fail("ProviderAuthError", Some(401)))];
    w.outside.script("T1.2", vec![fails(), fails(), fails()]);
    let m = w.task("do it");
    w.run();
    let states = ["T1", "T1.1", "T1.2", "T1.3", "T2", "T3"].map(|t| w.task_state(&m, t));
    assert_eq!(states, ["failed", "completed", "failed", "skipped", "skipped", "completed"]);
    assert_eq!(w.mission(&m).task(&"T1".into()).unwrap().note.as_deref(), Some("not completed: T1.2, T1.3"));
    assert_eq!(w.state(&m), "partially_completed");
    // What is done stays done; the parts are the same ones.
    w.control(&m, Control::Retry).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(worked(&w, &m).iter().filter(|t| *t == "T1.1").count(), 1);
}

#[test]
fn without_a_plan_of_its_own_it_is_worked_as_it_is() {
    let mut w = planned(vec![fractal("T1", "a", "")]);
    let bad = || ToolInput::Plan(draft(vec![task("A", "b", ""), task("B", "a", "")]));
    let tries = vec![(10, Step::Call(bad())), (10, Step::Call(bad())), (10, Step::Say("x"))];
    w.outside.script("Plan T1", vec![tries]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(worked(&w, &m), ["T1"]);
    let refused =
        w.log[&m].iter().filter(|(_, e)| matches!(e, Event::PlanRefused { task: Some(_), .. })).count();
    assert_eq!(refused, 2);
    assert_eq!(w.mission(&m).plan_refusals, 0, "the plan of the mission is another");
}

#[test]
fn it_can_be_switched_off_and_chosen_by_hand() {
    let mut w = planned(vec![fractal("T1", "a", "")]);
    let options = crate::engine::core::event::Options { fractal: Some(false), ..w.options() };
    let m = w.task_in("u", "/p", "do it", options);
    w.run();
    assert_eq!(worked(&w, &m), ["T1"]);
    assert!(!w.turns_of("Plan")[0].contains("fractal"));

    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "T1")]);
    hands_in(&mut w, "T2", vec![task("A", "", ""), task("B", "", "")]);
    let m = w.task("do it");
    w.run_until(|w| !worked(w, &m).is_empty());
    let why = w.control(&m, Control::Expand { task: "T1".into() }).unwrap_err().to_string();
    assert_eq!(why, "task T1 has begun already");
    w.control(&m, Control::Expand { task: "T2".into() }).unwrap();
    w.run();
    assert_eq!(worked(&w, &m), ["T1", "T2.1", "T2.2"]);
    let why = w.control(&m, Control::Expand { task: "T2".into() }).unwrap_err().to_string();
    assert!(why.contains("is not planned further"), "{why}");
}

#[test]
fn a_process_that_dies_in_the_middle_leaves_the_parts_as_they_are() {
    let mut w = planned(vec![fractal("T1", "a", ""), task("T2", "b", "T1")]);
    hands_in(&mut w, "T1", vec![task("A", "", ""), task("B", "", "A")]);
    let m = w.task("do it");
    w.run();
    for moment in w.moments.iter().step_by(3) {
        let mut next = w.take_over(moment.now, moment.events, &moment.after, false);
        next.run();
        assert_eq!(next.state(&m), "completed", "after {} facts: {}", moment.events, next.story());
    }
}
