//! Turns in the host: how their end is noticed when events are missing, early, stale or wrong, and what follows.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::engine::core::Action;
use crate::engine::core::event::Options;
use crate::ports::host::CallState;

const T1: &str = "T1 #1";

/// One task whose first turns are these; the mission is run to its end.
fn played(turns: Vec<Steps>) -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", turns);
    let m = w.task("do it");
    w.run();
    (w, m)
}

fn prompts(w: &World, m: &MissionId) -> Vec<String> {
    let lines = w.trace(m, &["prompt T1", "close T1"]);
    lines.into_iter().map(|l| l.replace("prompt T1 ", "").replace("close T1 ", "close ")).collect()
}

#[test]
fn how_turns_end() {
    let handed_in = || (1_000, Step::Call(report("T1")));
    let provider = || vec![(500, Step::Fail("APIError", Some(503)))];
    let table: Vec<(&str, Vec<Steps>, Vec<&str>)> = vec![
        ("well", vec![vec![handed_in(), (100, Step::Say("x"))]], vec!["#1: First", "close #1: done"]),
        (
            "the idle event is lost: looking finds it",
            vec![vec![handed_in(), (100, Step::EndUnseen("x"))]],
            vec!["#1: First", "close #1: done"],
        ),
        (
            "idle is announced while it goes on",
            vec![vec![
                (500, Step::Emit(Sign::FalseIdle)),
                (2_000, Step::Call(report("T1"))),
                (100, Step::Say("x")),
            ]],
            vec!["#1: First", "close #1: done"],
        ),
        (
            "without the submit call: reminded",
            vec![vec![(500, Step::Say("all done"))]],
            vec!["#1: First", "#1: Nudge", "close #1: done"],
        ),
        (
            "without it, and unseen",
            vec![vec![(500, Step::EndUnseen("all done"))]],
            vec!["#1: First", "#1: Nudge", "close #1: done"],
        ),
        (
            "with the report in words",
            vec![vec![(500, Step::Say("REPORT"))]],
            vec!["#1: First", "close #1: done"],
        ),
        (
            "never with it: another tries",
            vec![vec![(500, Step::Say("x"))], vec![(500, Step::Say("x"))]],
            vec![
                "#1: First",
                "#1: Nudge",
                "close #1: it ended its turn twice without calling submit_report",
                "#2: First",
                "close #2: done",
            ],
        ),
        ("cut off", vec![vec![(500, Step::Cut)]], vec!["#1: First", "#1: Continue", "close #1: done"]),
        (
            "at the length limit",
            vec![vec![(500, Step::Fail("MessageOutputLengthError", None))]],
            vec!["#1: First", "#1: Cut", "close #1: done"],
        ),
        (
            "the provider fails twice",
            vec![provider(), provider()],
            vec!["#1: First", "#1: Retry", "#1: Retry", "close #1: done"],
        ),
        (
            "the key is refused",
            vec![vec![(500, Step::Fail("ProviderAuthError", None))]],
            vec!["#1: First", "close #1: ProviderAuthError: scripted", "#2: First", "close #2: done"],
        ),
        (
            "somebody ends it",
            vec![vec![(500, Step::Fail("MessageAbortedError", None))]],
            vec!["#1: First", "close #1: MessageAbortedError: scripted", "#2: First", "close #2: done"],
        ),
        (
            "its conversation is deleted",
            vec![vec![(500, Step::Emit(Sign::Deleted))]],
            vec!["#1: First", "close #1: its host session was deleted", "#2: First", "close #2: done"],
        ),
    ];
    for (what, turns, expected) in table {
        let (w, m) = played(turns);
        assert_eq!(prompts(&w, &m), expected, "{what}");
        assert_eq!(w.state(&m), "completed", "{what}");
    }
}

#[test]
fn a_provider_that_keeps_failing_is_waited_for_longer_each_time_and_costs_no_attempt() {
    let provider = || vec![(500, Step::Fail("APIError", Some(429)))];
    let (w, m) = played(vec![provider(), provider(), provider(), provider(), provider()]);
    assert_eq!(
        prompts(&w, &m),
        ["#1: First", "#1: Retry", "#1: Retry", "#1: Retry", "#1: Retry", "#1: Retry", "close #1: done"]
    );
    let at: Vec<_> = w.outside.turns.iter().filter(|(_, s, _)| s == "T1").map(|(at, _, _)| *at).collect();
    assert!(w.turns_of("T1")[1].starts_with("The model provider failed in the middle"));
    let waits: Vec<_> = at.windows(2).take(4).map(|w| w[1].since(w[0]) - 500).collect();
    // The gate of the provider puts the end of a pause off by up to half a second, and begins one turn a second.
    let later = |(wait, least): (&u64, u64)| (least..=least + 500).contains(wait);
    assert!(waits.iter().zip([0, 1_000, 2_000, 4_000]).all(later), "{waits:?}");
}

#[test]
fn a_turn_that_is_cut_off_for_ever_is_given_up() {
    let (w, m) = played((0..4).map(|_| vec![(500, Step::Cut)]).collect());
    let expected = ["#1: First", "#1: Continue", "#1: Continue", "#1: Continue"];
    assert_eq!(prompts(&w, &m)[..4], expected);
    assert!(prompts(&w, &m)[4].starts_with("close #1: its turn was cut off 4 times"));
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn an_idle_notice_that_overtakes_the_answer_to_the_prompt_is_not_lost() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.host_ms = 900;
    w.outside.script("T1", vec![vec![(10, Step::Call(report("T1"))), (10, Step::Say("quick"))]]);
    let m = w.task("do it");
    w.run_until(|w| w.outside.turns.iter().any(|(_, s, _)| s == "T1"));
    let begin = w.now;
    w.run_until(|w| w.core.missions().any(|m| m.tasks[0].state.name() == "in_review"));
    assert!(w.now.since(begin) < 3_000, "after {} ms", w.now.since(begin));
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn an_idle_notice_of_the_turn_before_does_not_end_the_one_that_is_about_to_begin() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.slow_ms = Some(900);
    w.outside.script("T1", vec![vec![(500, Step::Say("all done"))]]);
    let m = w.task("do it");
    w.run();
    assert_eq!(prompts(&w, &m), ["#1: First", "#1: Nudge", "close #1: done"]);
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn a_lost_idle_event_costs_seconds_at_most() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![vec![(1_000, Step::Call(report("T1"))), (100, Step::EndUnseen("x"))]]);
    w.task("do it");
    w.run_until(|w| w.outside.turns.iter().any(|(_, s, _)| s == "T1"));
    let begin = w.now;
    w.run_until(|w| w.core.missions().any(|m| m.tasks[0].state.name() == "in_review"));
    assert!(w.now.since(begin) <= 1_100 + 5_100, "after {} ms", w.now.since(begin));
}

fn looks(w: &World) -> Vec<(u64, bool)> {
    let begin = w.outside.turns.iter().find(|(_, s, _)| s == "T1").map(|(at, ..)| *at).expect("it ran");
    let look = |(at, action): &(crate::domain::ids::Millis, Action)| match action {
        Action::Look { transcript, .. } if *at >= begin => Some((at.since(begin), *transcript)),
        _ => None,
    };
    w.actions.iter().filter_map(look).collect()
}

#[test]
fn where_events_arrive_a_silent_turn_is_looked_at_every_two_and_a_half_minutes() {
    let (w, m) = played(vec![vec![(500_000, Step::Call(report("T1"))), (10, Step::Say("x"))]]);
    assert_eq!(w.state(&m), "completed");
    let looks = looks(&w);
    assert_eq!(looks.iter().map(|(at, _)| at / 1_000).collect::<Vec<_>>(), [150, 300, 450]);
    assert!(looks.iter().all(|(_, transcript)| !transcript), "no transcript while it is busy: {looks:?}");
}

#[test]
fn after_a_look_that_found_an_unheard_end_events_are_not_relied_on_for_a_while() {
    let unheard = || vec![(1_000, Step::EndUnseen("nothing handed in"))];
    let (w, m) = played(vec![unheard(), vec![(1_000, Step::EndUnseen("REPORT"))]]);
    assert_eq!((w.state(&m), w.core.events_missed), ("completed", 2));
    let looks: Vec<_> = looks(&w).into_iter().map(|(at, _)| at).take(2).collect();
    assert!(looks[0] >= 150_000 && looks[1] < looks[0] + 2_000, "the second end is found at once: {looks:?}");
}

#[test]
fn a_call_that_a_killed_host_left_open_excuses_no_silence() {
    let mut w = planned(vec![task("T1", "a", "")]);
    // The first turn dies in a tool call; the one that goes on says nothing at all.
    w.outside
        .script("T1", vec![vec![(1_000, Step::Emit(Sign::Tool(CallState::Running))), (1_000, Step::Cut)]]);
    w.outside.script("T1", vec![vec![]]);
    let m = w.task("do it");
    w.run();
    assert_eq!(prompts(&w, &m)[..2], ["#1: First", "#1: Continue"]);
    assert!(prompts(&w, &m)[2].starts_with("close #1: no progress for 600 s"), "{:?}", prompts(&w, &m));
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn silence_ends_a_turn_unless_it_has_a_reason() {
    let hour = 3_600_000;
    let running = || Step::Emit(Sign::Tool(CallState::Running));
    let table: Vec<(&str, Steps, bool)> = vec![
        ("nothing at all", vec![], true),
        ("signs of life, then nothing", vec![(300_000, Step::Emit(Sign::Tool(CallState::Completed)))], true),
        (
            "an open tool call",
            vec![(1_000, running()), (hour, Step::Call(report("T1"))), (1, Step::Say("x"))],
            false,
        ),
        (
            "an ask that waits for the user",
            vec![(1_000, Step::Ask), (1, Step::Call(report("T1"))), (1, Step::Say("x"))],
            false,
        ),
        (
            "a retry that the host has announced",
            vec![
                (1_000, Step::Emit(Sign::HostRetry(hour, "Too Many Requests"))),
                (hour, Step::Call(report("T1"))),
                (1, Step::Say("x")),
            ],
            false,
        ),
        (
            "a call that came back, then nothing",
            vec![(1_000, running()), (1_000, Step::Emit(Sign::Tool(CallState::Completed)))],
            true,
        ),
    ];
    for (what, turn, ended) in table {
        let (w, m) = played(vec![turn]);
        let closes = w.trace(&m, &[&format!("close {T1}")]);
        let expected = if ended { "close T1 #1: no progress for 600 s" } else { "close T1 #1: done" };
        assert_eq!(closes, [expected], "{what}");
        assert_eq!(w.state(&m), "completed", "{what}");
    }
}

#[test]
fn a_turn_is_ended_in_the_host_when_its_time_is_over() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![vec![]]);
    let m = w.task_in("u0", "/p", "do it", Options { turn_timeout_ms: 60_000, ..w.options() });
    w.run();
    assert_eq!(w.trace(&m, &["close T1 #1"]), ["close T1 #1: no progress for 60 s"]);
    assert!(w.outside.sessions.values().filter(|s| s.key.is_some()).all(|s| !s.busy), "left running");
}

#[test]
fn a_report_counts_although_its_turn_never_ends() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![vec![(1_000, Step::Call(report("T1")))]]);
    let m = w.task_in("u0", "/p", "do it", Options { turn_timeout_ms: 60_000, ..w.options() });
    w.run();
    assert_eq!(w.trace(&m, &["close T1"]), ["close T1 #1: done"]);
    assert_eq!(w.state(&m), "completed");
    assert!(w.outside.sessions.values().filter(|s| s.key.is_some()).all(|s| !s.busy), "left running");
}

#[test]
fn a_submission_is_taken_once_and_only_from_who_owns_the_work() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![vec![]]);
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("T1").is_empty());
    let first = w.session_of("T1");
    // Its time is over, another has the task; then it wakes up and reports.
    w.run_until(|w| w.turns_of("T1").len() == 2);
    assert_eq!(
        w.call(first.as_str(), report("stale")),
        "This work is no longer yours: it was ended or given to another. Stop here."
    );
    assert_eq!(w.core.late_reports, 1);
    w.run();
    assert_eq!(
        w.mission(&m).task(&"T1".into()).and_then(|t| t.summary.clone()).as_deref(),
        Some("T1 is done")
    );
    assert_eq!(w.trace(&m, &["submit T1"]), ["submit T1 #2"]);
}

#[test]
fn a_reviewer_that_gives_no_verdict_is_replaced_once_then_the_work_is_sent_back() {
    let mut w = planned(vec![task("T1", "a", "")]);
    let silent = || vec![(500, Step::Say("hm"))];
    w.outside.script("Review T1", vec![silent(), silent(), silent(), silent()]);
    let m = w.task("do it");
    w.run();
    assert_eq!(
        w.trace(&m, &["judged T1", "open review T1"]),
        ["open review T1 #1", "open review T1 #1", "judged T1: no", "open review T1 #2", "judged T1: yes"]
    );
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn an_attempt_in_the_place_of_an_old_one_has_nothing_of_it() {
    use crate::domain::ids::Millis;
    use crate::engine::core::event::{AttemptKind, Outcome, PromptReason};
    use crate::engine::core::state::Attempt;
    let begin = |mut attempt: Attempt| {
        let (id, kind) = ("m2/a1".into(), AttemptKind::Work("T2".into()));
        attempt.begin(Millis(7), &id, &kind, 3, 1, Some(&"s2".into()));
        attempt
    };
    let old = Attempt {
        id: "m1/a22".into(),
        token: 22,
        ordinal: 2,
        closed_at: Some(Millis(5)),
        session: Some("s1".into()),
        node: Some("T1".into()),
        prompts: vec![PromptReason::First, PromptReason::Nudge],
        outcome: Some(Outcome::Done),
        given_up: true,
        ..Attempt::blank()
    };
    assert_eq!(begin(old), begin(Attempt::blank()));
}
