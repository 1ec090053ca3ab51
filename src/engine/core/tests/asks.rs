//! Permissions that turns wait for.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::engine::core::event::{Judge, Options, PromptReason};
use crate::engine::core::{Control, Refusal};

/// One task, whose worker asks after a second and reports when it may go on.
fn asking(step: Step) -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![vec![(1_000, step), (1_000, Step::Call(report("T1"))), (1, Step::Say("x"))]]);
    let m = w.task("do it");
    (w, m)
}

fn until_asked(w: &mut World) {
    w.run_until(|w| w.core.missions().any(|m| m.open_asks().next().is_some()));
}

fn answer(allow: bool, reason: Option<&str>) -> Control {
    Control::Answer { ask: None, allow, reason: reason.map(Into::into) }
}

/// By whom each ask was answered, and how.
fn verdicts(w: &World, m: &MissionId) -> Vec<(Judge, bool)> {
    w.mission(m).asks.iter().filter_map(|a| a.verdict.as_ref()).map(|v| (v.by, v.allow)).collect()
}

#[test]
fn the_users_word_is_written_down_and_passed_on() {
    for (allow, reason, said) in [
        (true, None, None),
        (false, None, Some("The user refused this. Do the work without it")),
        (false, Some("not today"), Some("The user refused this: not today")),
    ] {
        let (mut w, m) = asking(Step::Ask);
        until_asked(&mut w);
        w.control(&m, answer(allow, reason)).unwrap();
        w.run();
        assert_eq!(w.state(&m), "completed", "the turn goes on");
        assert_eq!(verdicts(&w, &m), [(Judge::User, allow)]);
        let told = w.outside.answers[0].as_deref();
        assert_eq!(w.outside.answers.len(), 1);
        assert!(
            told.unwrap_or_default().starts_with(said.unwrap_or_default()) && told.is_some() != allow,
            "{told:?}"
        );
        assert_eq!(w.mission(&m).task(&"T1".into()).unwrap().attempts, 1);
    }
}

#[test]
fn the_user_is_told_once_and_the_clock_decides() {
    let (mut w, m) = asking(Step::Ask);
    until_asked(&mut w);
    w.run_for(1_000);
    let notices = |w: &World| {
        w.toasts().iter().filter(|(title, _)| title.starts_with("A permission waits for you")).count()
    };
    assert_eq!(notices(&w), 0, "the host's dialog comes first");
    w.run_for(598_000);
    assert_eq!((notices(&w), verdicts(&w, &m)), (1, vec![]));
    w.run();
    assert_eq!(verdicts(&w, &m), [(Judge::Time, false)]);
    assert!(w.outside.answers[0].as_deref().unwrap().starts_with("Nobody answered in time"));
    assert_eq!((w.state(&m), notices(&w)), ("completed", 1));
}

#[test]
fn asks_of_several_at_once_are_one_notice() {
    let mut w = planned((1..=5).map(|i| task(&format!("T{i}"), &i.to_string(), "")).collect());
    for i in 1..=5 {
        let steps = vec![
            (1_000 + 20 * i, Step::Ask),
            (1_000, Step::Call(report(&format!("T{i}")))),
            (100, Step::Say("x")),
        ];
        w.outside.script(&format!("T{i}"), vec![steps]);
    }
    let options = Options { permission_timeout_ms: Some(30_000), ..w.options() };
    w.task_in("u0", "/p", "do it", options);
    w.run_until(|w| w.core.missions().any(|m| m.open_asks().count() == 5));
    w.run_for(10_000);
    let told: Vec<_> = w.toasts().into_iter().filter(|(title, _)| title.contains("permission")).collect();
    let [(title, message)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(title, "A permission waits for you (/task-allow or /task-deny)");
    let lines: Vec<_> = message.lines().collect();
    assert!(lines.len() == 5 && lines.iter().all(|l| l.ends_with("; after 0:30 it is refused")), "{message}");
}

#[test]
fn the_hosts_own_answer_counts() {
    let (mut w, m) = asking(Step::Ask);
    w.outside.dialog.push_back(true);
    w.run();
    assert_eq!((w.state(&m), verdicts(&w, &m)), ("completed", vec![(Judge::Host, true)]));
    assert!(
        w.outside.answers.is_empty() && w.toasts().iter().all(|(title, _)| !title.contains("permission"))
    );
}

#[test]
fn a_turn_that_ends_with_a_refusal_goes_on_without_and_not_for_ever() {
    let ask = || vec![(1_000, Step::Ask)];
    for (refusals, end) in [(1, "completed"), (5, "completed"), (6, "failed")] {
        let mut w = planned(vec![task("T1", "a", "")]);
        w.outside.script("T1", (0..refusals).map(|_| ask()).collect());
        w.outside.dialog.extend((0..refusals).map(|_| false));
        let m = w.task("do it");
        w.run();
        assert_eq!(w.state(&m), end, "{refusals}");
        let first = w.mission(&m).attempts.values().find(|a| a.prompted(PromptReason::Denied) > 0).unwrap();
        assert_eq!(first.prompted(PromptReason::Denied), 1);
        let again = w.outside.turns.iter().filter(|(_, what, _)| what == "T1").nth(1).unwrap();
        assert!(
            again.2.starts_with("A permission that your turn asked for was refused. Your work: Task T1"),
            "{}",
            again.2
        );
    }
}

#[test]
fn lost_news_of_an_ask_are_made_up_for() {
    let (mut w, m) = asking(Step::AskUnseen);
    until_asked(&mut w);
    w.outside.answer_faults = 2;
    w.control(&m, answer(true, None)).unwrap();
    w.run();
    assert_eq!((w.state(&m), verdicts(&w, &m)), ("completed", vec![(Judge::User, true)]));
    assert_eq!(w.outside.answers, [None], "told again until the host had it");
}

#[test]
fn an_ask_outlives_the_process_and_not_its_turn() {
    let (mut w, m) = asking(Step::Ask);
    until_asked(&mut w);
    let mut taken = w.take_over(w.now, w.log[&m].len(), &w.outside, false);
    taken.run_for(1_000);
    assert!(taken.mission(&m).open_asks().next().is_some());
    taken.control(&m, answer(true, None)).unwrap();
    taken.run();
    assert_eq!((taken.state(&m), verdicts(&taken, &m)), ("completed", vec![(Judge::User, true)]));

    w.control(&m, Control::Cancel { by: "you" }).unwrap();
    w.run();
    assert_eq!(verdicts(&w, &m), [(Judge::Nobody, false)]);
}

#[test]
fn an_answer_without_an_ask_is_refused() {
    let (mut w, m) = asking(Step::Ask);
    w.run_for(100);
    assert!(matches!(w.control(&m, answer(true, None)), Err(Refusal::NotFound(_))));
    until_asked(&mut w);
    let ask = w.mission(&m).asks[0].id.clone();
    w.control(&m, answer(true, None)).unwrap();
    let again = Control::Answer { ask: Some(ask), allow: false, reason: None };
    assert!(matches!(w.control(&m, again), Err(Refusal::Conflict(_))));
}

#[test]
fn the_rules_of_the_mission_answer_before_anybody_is_asked() {
    // What the host asks for is `npm publish` under `bash`.
    let table = [
        (vec!["allow bash npm *"], Some(true)),
        (vec!["allow bash npm *", "deny bash npm publish"], Some(false)),
        (vec!["deny *", "allow edit src/*", "ask bash"], None),
    ];
    for (rules, expected) in table {
        let mut w = planned(vec![task("T1", "a", "")]);
        let steps = vec![(1_000, Step::Ask), (1_000, Step::Call(report("T1"))), (100, Step::Say("x"))];
        w.outside.script("T1", vec![steps]);
        let permissions = Some(rules.iter().map(|rule| (*rule).to_owned()).collect());
        let options = Options { permissions, permission_timeout_ms: Some(30_000), ..w.options() };
        let m = w.task_in("u0", "/p", "do it", options);
        w.run();
        let ask = &w.mission(&m).asks[0];
        let verdict = ask.verdict.as_ref().expect("an answer");
        let by = if expected.is_some() { Judge::Policy } else { Judge::Time };
        assert_eq!((verdict.by, verdict.allow), (by, expected == Some(true)), "{rules:?}");
        let waited = w.toasts().iter().any(|(title, _)| title.starts_with("A permission waits for you"));
        assert_eq!(waited, expected.is_none(), "{rules:?}");
        let told = w.outside.answers[0].clone();
        let refused = told.as_deref().is_some_and(|t| t.starts_with("The rules of this mission"));
        assert_eq!(refused, expected == Some(false), "{rules:?}: {told:?}");
        assert_eq!(w.state(&m), "completed");
        assert_eq!(w.mission(&m).attempts.values().filter(|a| a.prompts.len() > 1).count(), 0, "{rules:?}");
    }
}
