//! From the brief to a plan: what happens when the Commander, or the planner, does not do his part.
use super::outside::*;
use super::*;
use crate::engine::core::ToolInput;

fn plan(tasks: Vec<crate::domain::plan::DraftTask>) -> ToolInput {
    ToolInput::Plan(draft(tasks))
}

#[test]
fn a_commander_who_never_calls_leaves_it_to_the_users_words() {
    let mut w = diamond();
    w.outside.script("Commander", vec![vec![(3_000, Step::Say("I would rather chat"))]]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.trace(&m, &["briefed", "handed"]), ["briefed by User: do it", "handed back: Message"]);
    assert_eq!(w.outside.delivered.len(), 1);
}

#[test]
fn a_commander_whose_turn_ends_unseen_is_found_by_looking() {
    let mut w = diamond();
    w.outside.script("Commander", vec![vec![(3_000, Step::EndUnseen("bye"))]]);
    let m = w.task("do it");
    let begin = w.now;
    w.run_until(|w| w.mission(&"m1".into()).brief.is_some());
    assert!(w.now.since(begin) < 80_000, "after {} ms", w.now.since(begin));
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn esc_while_the_brief_is_awaited_cancels_the_mission() {
    let mut w = diamond();
    w.outside.script("Commander", vec![vec![]]);
    let m = w.task("do it");
    w.run_for(2_000);
    w.escape("u0");
    w.run();
    assert_eq!(w.state(&m), "stopped");
    assert_eq!(w.mission(&m).reason, "cancelled by you");
    assert_eq!(w.trace(&m, &["open"]), Vec::<String>::new());
}

#[test]
fn an_empty_brief_means_the_users_words() {
    let mut w = diamond();
    w.outside.script("Commander", vec![vec![(100, Step::Call(brief("  "))), (100, Step::Say("done"))]]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.trace(&m, &["briefed"]), ["briefed by Commander: do it"]);
}

#[test]
fn a_faulty_plan_is_mended_once_then_the_rules_plan() {
    let cycle = || plan(vec![task("T1", "", "T2"), task("T2", "", "T1")]);
    let good = || plan(vec![task("T1", "", "")]);
    let call = |tool: ToolInput| (500, Step::Call(tool));
    let end = || (100, Step::Say("there"));
    // What the planner does in its one turn, how often it is refused, and whose plan it is in the end.
    let table = [
        (vec![call(good()), end()], 0, "planned by Planner: 1"),
        (vec![call(cycle()), call(good()), end()], 1, "planned by Repaired: 1"),
        (vec![call(cycle()), call(cycle()), end()], 2, "planned by Rules: 1"),
        (vec![call(malformed()), call(good()), end()], 1, "planned by Repaired: 1"),
    ];
    for (turn, refused, expected) in table {
        let mut w = World::new();
        w.outside.script("Plan", vec![turn]);
        let m = w.task("do it");
        w.run();
        assert_eq!(w.trace(&m, &["planned"]), [expected]);
        assert_eq!(w.trace(&m, &["plan_refused"]).len(), refused, "{expected}");
        assert_eq!(w.state(&m), "completed");
        let warned = w.toasts().iter().any(|(title, _)| title == "Planned by rule");
        assert_eq!(warned, expected.contains("Rules"));
    }
}

fn malformed() -> ToolInput {
    ToolInput::Malformed { tool: "submit_plan".into(), fault: "tasks: expected a sequence".into() }
}

#[test]
fn the_planner_is_told_every_fault() {
    let mut w = World::new();
    w.outside.script("Plan", vec![vec![]]);
    w.task("do it");
    w.run_until(|w| !w.turns_of("Plan").is_empty());
    w.run_for(100);
    let session = w.session_of("Plan");
    let answer = w.call(session.as_str(), plan(vec![task("T1", "../etc", "T9"), task("T1", "", "")]));
    for part in ["not accepted", "T9", "../etc", "submit_plan once more"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(answer.matches("\n- ").count() >= 3, "{answer}");
}

#[test]
fn a_planner_that_never_hands_in_is_reminded_once_then_the_rules_plan() {
    let mut w = World::new();
    let silent = || vec![(500, Step::Say("I have a plan in mind"))];
    w.outside.script("Plan", vec![silent(), silent()]);
    let m = w.task("do it");
    w.run();
    assert_eq!(
        w.trace(&m, &["prompt plan", "close plan", "planned"]),
        [
            "prompt plan #1: First",
            "prompt plan #1: Nudge",
            "close plan #1: it ended its turn twice without calling submit_plan",
            "planned by Rules: 1"
        ]
    );
    assert!(w.turns_of("Plan")[1].starts_with("You ended your turn without calling submit_plan."));
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn a_planner_that_the_host_fails_is_tried_twice_then_the_rules_plan() {
    let mut w = World::new();
    w.outside.create_faults.extend([gone(), gone()]);
    let m = w.task("do it");
    w.run();
    assert_eq!(
        w.trace(&m, &["open plan", "planned"]),
        ["open plan #1", "open plan #2", "planned by Rules: 1"]
    );
}

#[test]
fn a_second_plan_is_not_taken() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&"m1".into()).plan.is_some());
    let session = w.session_of("Plan");
    let answer = w.call(session.as_str(), plan(vec![task("X", "", "")]));
    assert_eq!(answer, "It has been handed in already. End your turn now.");
    w.run();
    let late = w.call(session.as_str(), plan(vec![task("X", "", "")]));
    assert_eq!(late, "This work is no longer yours: it was ended or given to another. Stop here.");
    assert_eq!(w.core.late_reports, 1);
    assert_eq!(w.mission(&m).tasks.len(), 4);
}

#[test]
fn tools_of_others_are_refused_in_words() {
    let mut w = diamond();
    w.outside.script("Plan", vec![vec![]]);
    w.task("do it");
    w.run_until(|w| !w.turns_of("Plan").is_empty());
    let planner = w.session_of("Plan");
    let table = [
        (
            planner.as_str(),
            report("x"),
            "submit_report is not yours to call; your work ends with submit_plan.",
        ),
        (planner.as_str(), approve(), "submit_review is not yours to call; your work ends with submit_plan."),
        ("stranger", approve(), "This conversation works for no mission. Stop here."),
    ];
    for (session, tool, expected) in table {
        assert_eq!(w.call(session, tool), expected);
    }
}
