//! What the user says to a mission at work: who hears it, when, and that no attempt hears it twice without need.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::engine::core::event::{AttemptKind, Outcome, PromptReason};
use crate::engine::core::{Control, Refusal, ToolInput};

fn steer(text: &str, task: Option<&str>, now: bool) -> Control {
    Control::Steer { text: text.into(), task: task.map(Into::into), now }
}

/// Two tasks at work side by side, for two seconds by now.
fn at_work(first: Vec<Steps>) -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", ""), task("T2", "b", "")]);
    w.outside.script("T1", first);
    let m = w.task("do it");
    w.run_until(|w| w.turns_of("T1").len() + w.turns_of("T2").len() == 2);
    w.run_for(2_000);
    (w, m)
}

fn prompts(w: &World, m: &MissionId, task: &str) -> Vec<PromptReason> {
    let of_task = |a: &&crate::engine::core::state::Attempt| a.kind == AttemptKind::Work(task.into());
    w.mission(m).attempts.values().filter(of_task).flat_map(|a| a.prompts.clone()).collect()
}

/// What the calls of a session were answered.
fn answers(w: &World, what: &str) -> Vec<String> {
    let session = w.session_of(what);
    w.calls_of(&session)
}

#[test]
fn a_worker_hears_before_its_report_is_taken_and_once() {
    let again = vec![
        (10_000, Step::Call(report("T1"))),
        (1_000, Step::Call(report("T1"))),
        (100, Step::Say("worked")),
    ];
    let (mut w, m) = at_work(vec![again]);
    w.control(&m, steer("use tabs", Some("T1"), false)).expect("steered");
    w.control(&m, steer("and be brief", Some("T1"), false)).expect("steered");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(
        answers(&w, "T1"),
        [
            "Not taken yet. The user has added since:\n- use tabs\n- and be brief\nThis comes first. See to it, and then call submit_report again.",
            "The report is taken. Change nothing more, and end your turn now."
        ]
    );
    assert_eq!(answers(&w, "T2").len(), 1, "another's affair");
    assert_eq!((w.turns_of("T1").len(), w.turns_of("T2").len()), (1, 1), "no turn is begun for it");
    let review = w.turns_of("Review T1");
    assert!(
        review[0].contains("(this comes first):\n- of T1: use tabs\n- of T1: and be brief"),
        "{}",
        review[0]
    );
    assert!(!w.turns_of("Review T2")[0].contains("use tabs"));
}

#[test]
fn the_answer_to_a_call_that_is_repeated_is_the_same() {
    let (mut w, m) = at_work(vec![vec![]]);
    w.control(&m, steer("use tabs", None, false)).expect("steered");
    let session = w.session_of("T1");
    let mut call = |id: &str| w.call_as(&session, id, report("T1"));
    let told = call("c1");
    assert!(told.starts_with("Not taken yet."), "{told}");
    // The process may have died between the fact and the answer: the host asks once more.
    assert_eq!(call("c1"), told);
    assert!(call("c2").starts_with("The report is taken."));
}

#[test]
fn words_in_an_answer_that_died_with_the_host_are_told_again() {
    let (mut w, m) = at_work(vec![vec![(10_000, Step::Call(report("T1"))), (1_000, Step::Cut)]]);
    w.control(&m, steer("use tabs", Some("T1"), false)).expect("steered");
    w.run_until(|w| w.mission(&m).open_attempts().any(|a| a.told_in.is_some()));
    // The answer is a fact, and has not left yet.
    let moment = w.moments.last().expect("a commit").clone();
    let mut next = w.take_over(moment.now, moment.events, &moment.before, true);
    next.run_until(|w| w.turns_of("T1").len() == 2);
    let turn = next.turns_of("T1")[1].to_owned();
    assert!(turn.starts_with("The host was restarted in the middle of your turn."), "{turn}");
    assert!(turn.ends_with("since you began (this comes first):\n- use tabs\n"), "{turn}");
    // What is told after that is no reason to take this prompt for another.
    next.control(&m, steer("and be brief", Some("T1"), false)).expect("steered");
    let session = next.session_of("T1");
    assert!(next.call_as(&session, "c8", report("T1")).starts_with("Not taken yet."));
    next.run();
    assert_eq!(next.state(&m), "completed", "{}", next.story());
    assert_eq!(prompts(&next, &m, "T1"), [PromptReason::First, PromptReason::Continue], "{}", next.story());
}

#[test]
fn words_in_an_answer_do_not_hide_the_prompt_before_them() {
    let (mut w, m) = at_work(vec![]);
    w.control(&m, steer("use tabs", Some("T1"), true)).expect("steered");
    w.run_until(|w| w.turns_of("T1").len() == 2);
    w.run_for(500);
    w.control(&m, steer("and be brief", Some("T1"), false)).expect("steered");
    let session = w.session_of("T1");
    assert!(w.call_as(&session, "c8", report("T1")).starts_with("Not taken yet."));
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert_eq!(prompts(&w, &m, "T1"), [PromptReason::First, PromptReason::Steered], "{}", w.story());
}

#[test]
fn a_turn_that_ends_without_a_report_goes_on_with_the_words_instead_of_a_reminder() {
    for last in ["x", "REPORT"] {
        let (mut w, m) = at_work(vec![vec![(5_000, Step::Say(last))]]);
        w.control(&m, steer("use tabs", None, false)).expect("steered");
        w.run();
        assert_eq!(w.state(&m), "completed");
        assert_eq!(prompts(&w, &m, "T1"), [PromptReason::First, PromptReason::Steered], "{last}");
        let turn = w.turns_of("T1")[1];
        assert_eq!(
            turn,
            "The user has added since:\n- use tabs\nYour work: Task T1: task T1 (Attempt 1 of 3).\nThis comes first. Go on with your work accordingly, and end with submit_report."
        );
    }
}

#[test]
fn at_once_interrupts_who_is_concerned_and_nobody_else() {
    let (mut w, m) = at_work(vec![]);
    let again = vec![(1_000, Step::Call(report("T2"))), (100, Step::Say("worked"))];
    w.control(&m, steer("be brief", Some("T2"), false)).expect("steered");
    w.control(&m, steer("use tabs", Some("T1"), true)).expect("steered");
    w.run_for(3_000);
    assert_eq!(prompts(&w, &m, "T1"), [PromptReason::First, PromptReason::Steered], "{}", w.story());
    assert_eq!(prompts(&w, &m, "T2"), [PromptReason::First]);
    w.outside.script("T2", vec![again]);
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(answers(&w, "T1").len(), 1, "it was told already");
    let failed = |a: &crate::engine::core::state::Attempt| a.outcome != Some(Outcome::Done);
    assert!(!w.mission(&m).attempts.values().any(failed), "{}", w.story());
    assert_eq!(w.mission(&m).task(&"T1".into()).expect("T1").attempts, 1);
}

#[test]
fn a_task_in_review_goes_back_to_its_worker() {
    let (mut w, m) = at_work(vec![]);
    w.run_until(|w| !w.turns_of("Review T1").is_empty());
    w.control(&m, steer("use tabs", Some("T1"), false)).expect("steered");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    let turns = w.turns_of("T1");
    assert_eq!(turns.len(), 2);
    assert!(turns[1].contains("- of T1: use tabs"), "{}", turns[1]);
    assert_eq!(w.turns_of("T2").len(), 1);
    let of_task = |a: &&crate::engine::core::state::Attempt| a.kind == AttemptKind::Work("T1".into());
    let sessions: Vec<_> = w.mission(&m).attempts.values().filter(of_task).map(|a| &a.session).collect();
    assert!(sessions.len() == 2 && sessions[0] == sessions[1], "one conversation: {sessions:?}");
}

#[test]
fn what_cannot_be_heard_any_more_is_refused() {
    let (mut w, m) = at_work(vec![]);
    let unknown = w.control(&m, steer("x", Some("T9"), false));
    assert_eq!(unknown, Err(Refusal::NotFound("the mission has no task T9".into())));
    w.run_until(|w| {
        w.core.missions().any(|m| m.tasks.iter().all(|t| t.state.is_over()) && !m.tasks.is_empty())
    });
    let over = w.control(&m, steer("x", Some("T1"), false));
    let why = "task T1 is completed: open its box again in TODO.md, or say it to the whole mission";
    assert_eq!(over, Err(Refusal::Conflict(why.into())));
    for _ in 0..100 {
        w.control(&m, steer("x", None, false)).expect("steered");
    }
    let many = w.control(&m, steer("x", None, false));
    let why = "it was steered 100 times already: start a new mission with what is left";
    assert_eq!(many, Err(Refusal::Conflict(why.into())));
}

#[test]
fn the_planner_hears_before_its_plan_is_taken() {
    let mut w = diamond();
    let plan = ToolInput::Plan(w.outside.plan.clone());
    w.outside.script(
        "Plan",
        vec![vec![(3_000, Step::Call(plan.clone())), (1_000, Step::Call(plan)), (100, Step::Say("planned"))]],
    );
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("Plan").is_empty());
    w.control(&m, steer("leave the tests alone", None, false)).expect("steered");
    w.run();
    assert_eq!(w.state(&m), "completed");
    let answers = answers(&w, "Plan");
    assert!(answers[0].ends_with("and then call submit_plan again."), "{}", answers[0]);
    assert!(answers[1].starts_with("The plan of 4 tasks is accepted."), "{}", answers[1]);
}
