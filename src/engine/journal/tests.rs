mod arb;

use super::{JournalError, decode, encode, row};
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::{Millis, MissionId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::plan::Priority;
use crate::domain::task::TaskState;
use crate::engine::core::event::*;
use crate::engine::core::replay;
use crate::engine::core::state::Mission;
use crate::ports::store::{MissionRow, Record};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The kinds, written out once more by hand. A new variant does not compile here before it has a line, and a
/// kind with a line has to be in `arb_event` and in the newest journal of the corpus.
macro_rules! kinds {
    ($($variant:ident $kind:literal)*) => {
        const KINDS: &[&str] = &[$($kind),*];
        fn kind_of(event: &Event) -> &'static str {
            match event { $(Event::$variant { .. } => $kind,)* }
        }
    };
}

kinds! {
    Created "created"
    StateChanged "state_changed"
    PhaseChanged "phase_changed"
    Briefed "briefed"
    Surveyed "surveyed"
    Baselined "baselined"
    PlanRefused "plan_refused"
    RaceBegun "race_begun"
    RaceWon "race_won"
    RaceLost "race_lost"
    PlanJudged "plan_judged"
    Planned "planned"
    TaskAdded "task_added"
    TaskRequested "task_requested"
    TaskReworded "task_reworded"
    TaskChanged "task_changed"
    Accepted "accepted"
    Reopened "reopened"
    AttemptOpened "attempt_opened"
    AttemptSession "attempt_session"
    Prompted "prompted"
    Submitted "submitted"
    AttemptClosed "attempt_closed"
    TurnGivenUp "turn_given_up"
    TurnEnded "turn_ended"
    PathTaken "path_taken"
    Trespassed "trespassed"
    Inspected "inspected"
    Checked "checked"
    Judged "judged"
    WorktreeGiven "worktree_given"
    BatchMade "batch_made"
    BatchChecked "batch_checked"
    BatchMerged "batch_merged"
    UserTreeTaken "user_tree_taken"
    LandingBegun "landing_begun"
    Landed "landed"
    LandingEnded "landing_ended"
    ResultLeft "result_left"
    WorktreesReleased "worktrees_released"
    PlanRevised "plan_revised"
    Steered "steered"
    Told "told"
    Asked "asked"
    AskJudged "ask_judged"
    Reported "reported"
    HandedBack "handed_back"
    Attached "attached"
    Checkpointed "checkpointed"
    ContextPut "context_put"
    Expanded "expanded"
    ModeChosen "mode_chosen"
    TreeRecorded "tree_recorded"
    RollbackBegun "rollback_begun"
    RolledBack "rolled_back"
    Restored "restored"
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(event in arb::arb_event()) {
        let (kind, body) = encode(&event);
        prop_assert_eq!(&kind, kind_of(&event));
        prop_assert!(body.starts_with("{\"v\":1") && !body.contains('\n'), "{}", body);
        // Text first: equal floats need not be the same float (0.0 and -0.0).
        let back = decode(&kind, &body).expect(&body);
        prop_assert_eq!(encode(&back).1, body);
        prop_assert_eq!(back, event);
    }
}

#[test]
fn any_event_can_be_any_kind() {
    let mut runner = TestRunner::deterministic();
    let events = arb::arb_event();
    let seen: BTreeSet<_> =
        (0..2_000).map(|_| kind_of(&events.new_tree(&mut runner).expect("a value").current())).collect();
    assert_eq!(seen, BTreeSet::from_iter(KINDS.iter().copied()));
}

// ---- the corpus

const MISSION: &str = "019aa3c2-7d10-7c4e-9a51-3f0c8e21b6d4";

fn corpus() -> Vec<Record> {
    records(include_str!("../../../tests/journals/v1.jsonl"))
}

/// A mission in worktrees: a batch that the checks part, a result that the user's edit came before.
fn worktree_corpus() -> Vec<Record> {
    records(include_str!("../../../tests/journals/v1-worktrees.jsonl"))
}

/// The same with a result that the user came before, and that then got stuck.
fn landing_corpus() -> Vec<Record> {
    records(include_str!("../../../tests/journals/v1-landings.jsonl"))
}

/// Two tasks that are raced: a try at one is taken, none at the other is any good.
fn race_corpus() -> Vec<Record> {
    records(include_str!("../../../tests/journals/v1-races.jsonl"))
}

/// A mission that is steered and suspended.
fn steered_corpus() -> Vec<Record> {
    records(include_str!("../../../tests/journals/v1-steering.jsonl"))
}

fn records(text: &str) -> Vec<Record> {
    let lines = text.lines();
    let read = |line: &str| -> Record {
        let line: Value = serde_json::from_str(line).expect(line);
        Record {
            seq: line["seq"].as_u64().expect("seq"),
            at: Millis(line["at"].as_u64().expect("at")),
            kind: line["kind"].as_str().expect("kind").into(),
            body: line["body"].to_string(),
        }
    };
    lines.map(read).collect()
}

fn events(records: &[Record]) -> Vec<(Millis, Event)> {
    let read =
        |r: &Record| (r.at, decode(&r.kind, &r.body).unwrap_or_else(|e| panic!("record {}: {e}", r.seq)));
    records.iter().map(read).collect()
}

/// The mission after the first `count` records of the corpus.
fn mission_after(count: usize) -> Mission {
    replay(&MissionId::from(MISSION), &events(&corpus()[..count])).expect("it begins with `created`")
}

#[test]
fn the_corpus_has_every_kind_and_each_of_its_facts_fits() {
    let records = corpus();
    assert!(records.iter().map(|r| r.seq).eq(1..=records.len() as u64));
    let others = [worktree_corpus(), landing_corpus(), race_corpus(), steered_corpus()].concat();
    let seen: BTreeSet<_> = records.iter().chain(&others).map(|r| r.kind.as_str()).collect();
    assert_eq!(seen, BTreeSet::from_iter(KINDS.iter().copied()));
    let events = events(&records);
    let mut mission = mission_after(1);
    for ((at, event), record) in events.iter().zip(&records).skip(1) {
        assert_eq!(mission.apply(*at, event), Ok(()), "record {}", record.seq);
    }
    assert_eq!(mission, mission_after(records.len()));
}

/// Pins the writer: a field that was renamed but may be missing would still load, without its content.
#[test]
fn the_corpus_is_what_would_be_written_today() {
    for (record, (_, event)) in corpus().iter().zip(events(&corpus())) {
        assert_eq!(encode(&event), (record.kind.clone(), record.body.clone()), "record {}", record.seq);
    }
}

/// The mission at the end of a corpus, each of whose facts fits and is what would be written today.
fn replayed(records: &[Record]) -> Mission {
    let events = events(records);
    for (record, (_, event)) in records.iter().zip(&events) {
        assert_eq!(encode(event), (record.kind.clone(), record.body.clone()), "record {}", record.seq);
    }
    let mut mission = replay(&MissionId::from(MISSION), &events[..1]).expect("it begins with `created`");
    for ((at, event), record) in events.iter().zip(records).skip(1) {
        assert_eq!(mission.apply(*at, event), Ok(()), "record {}", record.seq);
    }
    mission
}

#[test]
fn the_corpus_of_steering_fits_and_is_what_would_be_written_today() {
    let mission = replayed(&steered_corpus());
    let worker = mission.attempts.values().next().expect("a worker");
    assert_eq!((worker.told_before, worker.told, worker.told_in.as_deref()), (1, 2, Some("call_1")));
    assert!(!worker.given_up && !worker.interrupted);
    assert_eq!(mission.steers.iter().map(|s| s.task.is_some()).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(mission.tasks.iter().map(|t| t.spec.id.as_str()).collect::<Vec<_>>(), ["T1", "T3"]);
    assert!(!mission.revision.wanted && mission.revision.made == 1 && mission.restorable(1).is_err());
    assert_eq!(mission.task(&"T1".into()).map(|t| t.attempts), Some(1));
}

#[test]
fn the_corpus_of_landings_fits_and_is_what_would_be_written_today() {
    let mission = replayed(&landing_corpus());
    let isolation = mission.isolation.as_ref().expect("worktrees");
    assert!(isolation.landing.is_none() && isolation.landed.is_none() && isolation.owes_result());
    assert_eq!(isolation.half.as_deref(), Some("no space left"));
    let left = isolation.left.as_ref().expect("a result");
    assert_eq!(
        (left.branch.as_deref(), left.outside.as_slice()),
        (Some("gantry-x"), &["sub/s.txt".to_owned()][..])
    );
    assert!(mission.at_rest());
}

#[test]
fn the_corpus_of_worktrees_fits_and_is_what_would_be_written_today() {
    let mission = replayed(&worktree_corpus());
    let isolation = mission.isolation.as_ref().expect("worktrees");
    assert_eq!(isolation.landed.as_ref(), mission.whole.verdict.as_ref().and_then(|v| v.tree.as_ref()));
    assert!(!isolation.owes_result() && isolation.released && mission.state == MissionState::Completed);
    let given = mission.tasks.iter().map(|t| t.worktree.as_ref().map(|w| (w.number, w.stale)));
    assert_eq!(given.collect::<Vec<_>>(), [Some((1, false)), Some((2, false))]);
    assert_eq!(
        (mission.whole_rounds, mission.checkpoints.last().and_then(|c| c.tree.clone())),
        (2, Some(crate::domain::verdict::TreeId("t12".into())))
    );
}

#[test]
fn races_are_read_as_they_were_written() {
    let records = race_corpus();
    let events = events(&records);
    for (record, (_, event)) in records.iter().zip(&events) {
        assert_eq!(encode(event), (record.kind.clone(), record.body.clone()), "record {}", record.seq);
    }
    let mut mission = replay(&MissionId::from(MISSION), &events[..1]).expect("it begins with `created`");
    for ((at, event), record) in events.iter().zip(&records).skip(1) {
        assert_eq!(mission.apply(*at, event), Ok(()), "record {}", record.seq);
    }
    let told = |id: &str| mission.task(&id.into()).and_then(|t| crate::engine::report::race(&mission, t));
    assert_eq!(told("T1").as_deref(), Some("T1.r2 of 2 tries is taken: the shortest"));
    assert_eq!(told("T2").as_deref(), Some("none of 2 tries was good enough"));
    let t2 = mission.task(&"T2".into()).expect("a task");
    assert_eq!((t2.attempts, t2.findings.len(), mission.planned().count()), (1, 2, 2));
}

#[test]
fn the_corpus_goes_back_to_a_checkpoint() {
    let m = mission_after(78);
    let states: Vec<_> = m.tasks.iter().map(|t| (t.spec.id.as_str(), t.state)).collect();
    let open = TaskState::Pending;
    assert_eq!(states, [("T1", TaskState::Completed), ("T3", open), ("T2", open)], "R1 was added later");
    assert_eq!((m.whole_rounds, m.rework, m.edition), (0, 0, 1));
    let last = m.checkpoints.last().map(|c| (c.sequence, c.trigger, c.completed()));
    assert_eq!(last, Some((15, Trigger::BeforeRisky, 1)));
}

#[test]
fn the_corpus_replays_to_its_end_state() {
    let m = mission_after(74);
    assert_eq!((m.state, m.reason.as_str()), (MissionState::Stopped, "cancelled by the user"));
    assert_eq!((m.created_at, m.ended_at), (Millis(1_763_683_200_000), Some(Millis(1_763_683_634_792))));
    assert_eq!(m.phase, Some(Phase::Executing));
    assert_eq!((m.created.parent.as_str(), m.parent.as_str()), ("ses_parent", "ses_parent2"));
    assert_eq!(m.created.options.checks, Some(vec!["npm test".to_owned()]));
    assert_eq!(m.brief.as_ref().map(|b| b.acceptance.join(";")), Some("npm test passes".into()));
    assert!(m.survey.as_ref().is_some_and(|s| s.failed_before("npm test")));
    assert_eq!((m.plan_refusals, m.plan_source), (1, Some(PlanSource::Repaired)));
    assert_eq!((m.next_attempt, m.next_token, m.rework, m.whole_rounds), (7, 7, 1, 1));
    assert_eq!(m.spent, Spent { tokens: 35_310, cost: 0.0181 + 0.0625 + 0.0094 + 0.025 });
    assert_eq!(m.steers.iter().map(|s| s.text.as_str()).collect::<Vec<_>>(), ["keep the error text short"]);
    assert_eq!(m.report_calls, ["call_7"]);
    assert_eq!(m.handed_back, Some(HandBack::ToolResult));
    assert!(m.settled() && m.open_attempts().next().is_none());

    let tasks: Vec<_> = m
        .tasks
        .iter()
        .map(|t| (t.spec.id.as_str(), t.state, t.attempts, t.failures, t.note.as_deref()))
        .collect();
    assert_eq!(
        tasks,
        [
            ("T1", TaskState::Completed, 2, 0, None),
            ("T3", TaskState::Failed, 1, 1, Some("the provider refused: ContentPolicy")),
            ("T2", TaskState::Skipped, 0, 0, Some("T3 was not completed")),
            ("R1", TaskState::Cancelled, 0, 0, Some("cancelled by the user")),
        ]
    );
    assert_eq!((m.tasks[0].spec.priority, m.tasks[1].spec.estimate_minutes), (Priority::High, 12.5));
    assert_eq!((m.tasks[0].taken.join(";"), m.tasks[0].findings.len()), ("src/index.js".into(), 0));
    assert_eq!(
        m.tasks[0].base.as_ref().map(|t| t.0.as_str()),
        Some("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    );

    let prompts: Vec<_> = m.attempts.values().map(|a| a.prompts.as_slice()).collect();
    use PromptReason::*;
    assert_eq!(prompts, [&[First][..], &[First], &[First, Retry], &[First], &[First, Continue, Nudge], &[]]);
    let closed: Vec<_> = m.attempts.values().filter_map(|a| a.outcome.clone()).collect();
    let failed = Outcome::Failed { reason: "the provider refused: ContentPolicy".into() };
    assert_eq!(
        closed,
        [Outcome::Done, Outcome::Done, failed, Outcome::Done, Outcome::Done, Outcome::Aborted]
    );
}

// ---- names

/// What the corpus has no place for. The names of states are those that people see, too.
#[test]
fn names_are_stored_as_they_always_were() {
    let reads = |event: Event, body: Value| {
        let (kind, text) = encode(&event);
        assert_eq!(text, body.to_string());
        assert_eq!(decode(&kind, &text), Ok(event));
    };
    for to in MissionState::ALL {
        reads(
            Event::StateChanged { to, reason: "x".into() },
            json!({"v": 1, "to": to.name(), "reason": "x"}),
        );
    }
    for to in Phase::ALL {
        reads(Event::PhaseChanged { to }, json!({"v": 1, "to": to.name()}));
    }
    for to in TaskState::ALL {
        let event = Event::TaskChanged { task: "T1".into(), to, note: None };
        reads(event, json!({"v": 1, "task": "T1", "to": to.name()}));
    }
    for (source, name) in [(BriefSource::Commander, "commander"), (BriefSource::User, "user")] {
        let brief = Brief { text: "x".into(), ..Brief::default() };
        reads(Event::Briefed { brief, source }, json!({"v": 1, "brief": {"text": "x"}, "source": name}));
    }
    for (source, name) in
        [(PlanSource::Planner, "planner"), (PlanSource::Repaired, "repaired"), (PlanSource::Rules, "rules")]
    {
        let plan = json!({"summary": "", "tasks": []});
        let event = Event::Planned { plan: Default::default(), source, remarks: Vec::new() };
        reads(event, json!({"v": 1, "plan": plan, "source": name}));
    }
    for (how, name) in
        [(HandBack::ToolResult, "tool_result"), (HandBack::Message, "message"), (HandBack::Nobody, "nobody")]
    {
        reads(Event::HandedBack { how }, json!({"v": 1, "how": name}));
    }
    let submission =
        Submission::Report { status: ReportStatus::Blocked, summary: "x".into(), files: vec![], notes: None };
    reads(
        Event::Submitted { attempt: "a".into(), submission },
        json!({"v": 1, "attempt": "a", "submission": {"report": {"status": "blocked", "summary": "x"}}}),
    );
}

// ---- what is not as it should be

/// What may be missing from a body; everything else in it is required.
const OPTIONAL: &[(&str, &[&str])] = &[
    ("surveyed", &["tree", "remark"]),
    ("planned", &["remarks"]),
    ("task_changed", &["note"]),
    ("accepted", &["task"]),
    ("plan_refused", &["task"]),
    ("expanded", &["remarks"]),
    ("context_put", &["task", "value"]),
    ("tree_recorded", &["tree"]),
    ("attempt_opened", &["session"]),
    ("asked", &["patterns"]),
    ("ask_judged", &["reason"]),
    ("reported", &["calls"]),
];

#[test]
fn a_missing_field_is_named_unless_it_may_be_missing() {
    for record in corpus() {
        let Value::Object(body) = serde_json::from_str(&record.body).expect("JSON") else { unreachable!() };
        let may_miss = OPTIONAL.iter().find(|(kind, _)| *kind == record.kind).map_or(&[][..], |(_, f)| f);
        for field in body.keys() {
            let mut less = body.clone();
            less.shift_remove(field);
            let result = decode(&record.kind, &Value::Object(less).to_string());
            if may_miss.contains(&field.as_str()) {
                assert!(result.is_ok(), "{}.{field}: {result:?}", record.kind);
            } else {
                let text = result.expect_err("a required field").to_string();
                assert!(text.contains(&format!("`{}`", record.kind)), "{text}");
                assert!(text.contains(&format!("missing field `{field}`")), "{text}");
            }
        }
    }
}

#[test]
fn unknown_fields_are_ignored_wherever_they_are() {
    fn strew(value: &mut Value) {
        match value {
            Value::Object(map) => {
                // An object that is a choice between variants has exactly one key, and no room for another.
                let choice = ["work", "review", "report", "task", "failed", "before", "after", "checkpoint"];
                let is_choice = map.len() == 1 && map.keys().all(|key| choice.contains(&key.as_str()));
                map.values_mut().for_each(strew);
                if !is_choice {
                    map.insert("from_the_future".into(), json!({"deep": [1, null]}));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strew),
            _ => {}
        }
    }
    for (record, (_, event)) in corpus().into_iter().zip(events(&corpus())) {
        let mut body: Value = serde_json::from_str(&record.body).expect("JSON");
        strew(&mut body);
        assert_eq!(decode(&record.kind, &body.to_string()), Ok(event), "record {}", record.seq);
    }
}

#[test]
fn broken_bodies_are_refused_with_their_place() {
    let malformed = |kind: &str, body: &str| match decode(kind, body) {
        Err(JournalError::Malformed { kind: k, field, .. }) if k == kind => field,
        other => panic!("{kind} {body}: {other:?}"),
    };
    let usage = r#""usage":{"tokens":1,"cost":0.5}"#;
    let table = [
        ("steered", "".to_owned(), "body"),
        ("steered", "{".into(), "body"),
        ("steered", "null".into(), "body"),
        ("steered", "[1]".into(), "[0]"),
        ("steered", r#"{"v":1,"text":"cut o"#.into(), "text"),
        ("steered", r#"{"v":1,"text":"x"} {}"#.into(), "body"),
        ("steered", r#"{"text":"no version"}"#.into(), "body"),
        ("steered", r#"{"v":"1","text":"x"}"#.into(), "v"),
        ("steered", r#"{"v":1.5,"text":"x"}"#.into(), "v"),
        ("steered", r#"{"v":0,"text":"x"}"#.into(), "v"),
        ("steered", r#"{"v":-1,"text":"x"}"#.into(), "v"),
        ("steered", r#"{"v":1,"text":null}"#.into(), "text"),
        ("steered", r#"{"v":1,"text":"x","text":"y"}"#.into(), "body"),
        ("state_changed", r#"{"v":1,"to":"exploded","reason":""}"#.into(), "to"),
        ("checked", r#"{"v":1,"subject":"everything","results":[]}"#.into(), "subject"),
        (
            "checked",
            r#"{"v":1,"subject":"whole","results":[{"command":"x","outcome":"passed","millis":"1","tail":""}]}"#.into(),
            "results[0].millis",
        ),
        ("plan_refused", r#"{"v":1,"faults":["a",2]}"#.into(), "faults[1]"),
        ("attempt_opened", r#"{"v":1,"attempt":"a","kind":"planning","token":-1,"ordinal":1}"#.into(), "token"),
        (
            "attempt_opened",
            r#"{"v":1,"attempt":"a","kind":"planning","token":1,"ordinal":4294967296}"#.into(),
            "ordinal",
        ),
        ("attempt_closed", format!(r#"{{"v":1,"attempt":"a","outcome":"lost",{usage}}}"#), "outcome"),
        ("attempt_closed", format!(r#"{{"v":1,"attempt":"a","outcome":{{"failed":{{}}}},{usage}}}"#), "outcome.failed"),
        (
            "attempt_closed",
            r#"{"v":1,"attempt":"a","outcome":"done","usage":{"tokens":1,"cost":null}}"#.into(),
            "usage.cost",
        ),
        (
            "submitted",
            r#"{"v":1,"attempt":"a","submission":{"review":{"approved":1,"summary":""}}}"#.into(),
            "submission.review.approved",
        ),
    ];
    for (kind, body, field) in table {
        assert_eq!(malformed(kind, &body), field, "{kind} {body}");
    }
}

#[test]
fn errors_say_what_to_do() {
    let text = |kind: &str, body: &str| decode(kind, body).expect_err("an error").to_string();
    assert_eq!(
        text("teleported", "not even JSON"),
        "the journal has a record of the kind `teleported`, which only a newer Gantry knows: update Gantry"
    );
    // Whatever else a newer body holds is not judged.
    assert_eq!(
        text("steered", r#"{"v":2,"words":["x"]}"#),
        "the journal has a `steered` record of version 2 (this Gantry knows 1): update Gantry"
    );
    assert_eq!(
        text("attached", r#"{"v":1}"#),
        "the journal has a damaged `attached` record (body: missing field `parent` at line 1 column 7): restore \
         a copy of the store"
    );
    let long = text("attached", &json!({"v": 1, "parent": {"x": "y".repeat(9_000)}}).to_string());
    assert!(long.len() < 500, "{long}");
    let long = text("handed_back", &json!({"v": 1, "how": "y".repeat(9_000)}).to_string());
    assert!(long.contains("yyy…") && long.len() < 500, "{long}");
}

#[test]
fn numbers_that_json_lacks_are_stored_as_the_nearest_it_has() {
    for (cost, stored) in [(f64::NAN, 0.0), (f64::INFINITY, f64::MAX), (f64::NEG_INFINITY, f64::MIN)] {
        let usage = Spent { tokens: 1, cost };
        let (kind, body) =
            encode(&Event::AttemptClosed { attempt: "a".into(), outcome: Outcome::Done, usage });
        match decode(&kind, &body) {
            Ok(Event::AttemptClosed { usage, .. }) => assert_eq!(usage.cost, stored),
            other => panic!("{other:?}"),
        }
    }
}

// ---- the row

#[test]
fn the_row_follows_the_mission() {
    let records = corpus();
    let after = |kind: &str, part: &str| {
        let is_it = |r: &Record| r.kind == kind && r.body.contains(part);
        row(&mission_after(records.iter().position(is_it).expect("a record") + 1))
    };
    let accepted = MissionRow {
        id: MISSION.into(),
        directory: "/home/ada/calc".into(),
        place: "/home/ada/calc".into(),
        title: "teach calc to divide – and say why not".into(),
        state: "pending".into(),
        phase: None,
        parent_session: "ses_parent".into(),
        open: true,
        begun: false,
        done: 0,
        running: 0,
        waiting: 0,
        failed: 0,
        total: 0,
        created_at: Millis(1_763_683_200_000),
        ended_at: None,
        key: "ses_parent/msg_1".into(),
    };
    assert_eq!(after("created", ""), accepted);
    let executing = after("steered", "");
    assert_eq!(
        executing,
        MissionRow {
            state: "running".into(),
            phase: Some("executing".into()),
            begun: true,
            running: 2,
            waiting: 1,
            total: 3,
            ..accepted.clone()
        }
    );
    let paused = after("state_changed", "paused");
    assert_eq!(
        (paused.state.as_str(), paused.phase, paused.open, paused.begun),
        ("paused", None, true, true)
    );
    assert_eq!(after("attached", "").parent_session, "ses_parent2");
    let owing = after("reported", "");
    let ended = MissionRow {
        state: "stopped".into(),
        parent_session: "ses_parent2".into(),
        done: 1,
        failed: 3,
        total: 4,
        ended_at: Some(Millis(1_763_683_634_792)),
        ..accepted
    };
    assert_eq!(owing, ended, "open while the report is owed");
    assert_eq!(after("handed_back", ""), MissionRow { open: false, ..ended });
}
