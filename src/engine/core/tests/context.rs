//! Notes between the agents of a mission.
use super::outside::*;
use super::*;
use crate::domain::context::MAX_KEYS;
use crate::domain::ids::TaskId;
use crate::domain::verdict::Finding;
use crate::engine::core::event::{Event, ReportStatus};
use crate::engine::core::{NotePut, ToolInput};
use crate::engine::prompts::brief_bytes;

fn put(key: &str, value: Option<&str>) -> NotePut {
    NotePut { key: key.into(), value: value.map(String::from), of_task: false, expected: None }
}

/// A worker that leaves a note before it reports.
fn notes(note: NotePut, task: &str) -> Steps {
    vec![(10, Step::Call(ToolInput::ContextPut(note))), (10, Step::Call(report(task))), (1, Step::Say("x"))]
}

#[test]
fn a_note_is_told_to_those_who_come_after_without_its_secrets() {
    let mut w = diamond();
    let value = "one enum for all errors; key sk-proj-abcdefghijklmnop1234";
    w.outside.script("T1", vec![notes(put("api.errors", Some(value)), "T1")]);
    let of_task = NotePut { of_task: true, ..put("mine", Some("half done")) };
    w.outside.script("T2", vec![notes(of_task, "T2")]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    let line = "- api.errors: one enum for all errors; key [masked]\n";
    for told in ["T2", "T3", "T4", "Review T1", "Integration review"] {
        assert!(w.turns_of(told)[0].contains(line), "{told}: {}", w.turns_of(told)[0]);
    }
    assert!(!w.turns_of("T1")[0].contains("Notes of the others"));
    // A note of a task is for its own reviewer, and goes when the task is over.
    assert!(w.turns_of("Review T2")[0].contains("- mine (of this task): half done\n"));
    assert!(!w.turns_of("T3")[0].contains("half done") && !w.turns_of("T4")[0].contains("half done"));
    assert!(w.mission(&m).tasks.iter().all(|t| t.context.is_empty()) && !w.mission(&m).context.is_empty());
    let stored = format!("{:?}", w.log[&m]);
    assert!(stored.contains("[masked]") && !stored.contains("sk-proj"), "nor is it written down");
}

#[test]
fn a_note_that_was_changed_meanwhile_is_not_written_over() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.first().is_some_and(|t| t.state.name() == "in_progress"));
    let session = w.session_of("T1").0;
    let mut ask = |tool| w.call(&session, tool);
    assert_eq!(ask(ToolInput::ContextPut(put("a.b", Some("one")))), "a.b is at version 1.");
    let late = NotePut { expected: Some(0), ..put("a.b", Some("two")) };
    let said = ask(ToolInput::ContextPut(late));
    assert_eq!(said, "Not noted: it is at version 1 by now, not 0; it says: one.");
    let next = NotePut { expected: Some(1), ..put("a.b", Some("two")) };
    assert_eq!(ask(ToolInput::ContextPut(next)), "a.b is at version 2.");
    let said = ask(ToolInput::ContextGet { key: Some("a.b".into()) });
    assert!(
        said.starts_with("a.b, version 2: two\n") && said.contains("changed it from one to two"),
        "{said}"
    );
    assert_eq!(ask(ToolInput::ContextPut(put("a.b", None))), "a.b is taken away.");
    assert!(ask(ToolInput::ContextGet { key: None }).starts_with("There is no such note"));
    assert!(
        ask(ToolInput::ContextPut(put("a b", Some("x")))).starts_with("Not noted: the key must be words")
    );
    let stranger = w.call("somebody", ToolInput::ContextPut(put("a", Some("x"))));
    assert!(stranger.contains("works for no mission"), "{stranger}");
}

#[test]
fn nothing_of_one_project_is_told_in_another() {
    let mut w = diamond();
    w.outside.script("T1", vec![notes(put("who", Some("the first project")), "T1")]);
    let (one, options) = (w.task("do it"), w.options());
    w.run();
    let other = w.task_in("v", "/q", "and that", options);
    let before = w.outside.turns.len();
    w.run();
    assert!((w.state(&one), w.state(&other)) == ("completed", "completed"));
    let told =
        |range: &[(_, String, String)]| range.iter().any(|(_, _, text)| text.contains("the first project"));
    assert!(told(&w.outside.turns[..before]) && !told(&w.outside.turns[before..]));
    assert!(w.mission(&other).context.is_empty());
}

#[test]
fn what_a_worker_is_told_does_not_grow_with_the_notes() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.first().is_some_and(|t| t.state.name() == "in_progress"));
    let session = w.session_of("T1").0;
    let size = |w: &World| brief_bytes(w.mission(&m), &w.mission(&m).tasks[1]);
    let before = size(&w);
    for n in 0..MAX_KEYS {
        w.call(&session, ToolInput::ContextPut(put(&format!("k{n}"), Some(&"x".repeat(4_000)))));
    }
    assert!(size(&w) > before + 3_000 && size(&w) < before + 4_300, "{before}, {}", size(&w));
    let full = w.call(&session, ToolInput::ContextPut(put("more", Some("x"))));
    assert!(full.starts_with("Not noted: there are 200 notes already"), "{full}");
    let told = w.call(&session, ToolInput::ContextGet { key: None });
    assert!(told.len() < 25_000);
    assert_eq!(w.log[&m].iter().filter(|(_, e)| matches!(e, Event::ContextPut { .. })).count(), MAX_KEYS);
}

#[test]
fn what_is_handed_in_is_passed_on_without_its_secrets() {
    let mut w = diamond();
    let secret = "sk-proj-abcdefghijklmnop1234";
    let summary = format!("the client is written; it worked with {secret}");
    let handed = ToolInput::Report {
        status: ReportStatus::Done,
        summary,
        files: Vec::new(),
        notes: Some(format!("the key is {secret}")),
    };
    w.outside.script("T1", vec![vec![(10, Step::Call(handed)), (1, Step::Say("x"))]]);
    let found = Finding::of("high", format!("{secret} stands in the file"));
    let changes =
        ToolInput::Review { approved: false, summary: "not yet".into(), findings: vec![found], choice: None };
    w.outside.script("Review T1", vec![vec![(10, Step::Call(changes)), (1, Step::Say("x"))]]);
    let m = w.task("do it");
    w.run();
    assert_eq!(w.state(&m), "completed", "{}", w.story());
    assert!(w.turns_of("Review T1")[0].contains("it worked with [masked]\n"));
    assert!(w.turns_of("T1")[1].contains("- [high] [masked] stands in the file"), "{}", w.turns_of("T1")[1]);
    assert!(w.outside.turns.iter().all(|(_, _, text)| !text.contains(secret)));
    assert!(!format!("{:?}", w.log[&m]).contains(secret), "nor is it written down");
}

#[test]
fn what_a_worker_is_told_is_bounded_whatever_was_handed_in() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.first().is_some_and(|t| t.state.name() == "in_progress"));
    let mut mission = w.mission(&m).clone();
    let bare = brief_bytes(&mission, &mission.tasks[3]);
    for n in 0..40 {
        let mut before = mission.tasks[0].clone();
        before.spec.id = TaskId::new(format!("D{n}"));
        before.summary = Some("x".repeat(10_000));
        mission.tasks[3].spec.depends_on.push(before.spec.id.clone());
        mission.tasks.push(before);
    }
    let (size, one) = (brief_bytes(&mission, &mission.tasks[3]), 2_000);
    assert!(size > bare + 16_000 - 2 * one && size < bare + 16_000 + 200, "{bare}, {size}");
    mission.tasks[3].attempts = 2;
    mission.tasks[3].findings = vec![Finding::of("high", "y".repeat(10_000)); 40];
    let (with, one) = (brief_bytes(&mission, &mission.tasks[3]), 3_000);
    assert!(with > size + 24_000 - 2 * one && with < size + 24_000 + 200, "{size}, {with}");
}
