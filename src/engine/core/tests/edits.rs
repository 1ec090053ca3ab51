//! What people change in the plan file.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::domain::todo::{Edit, TodoState};
use crate::engine::core::{Action, Control};
use TodoState::*;

fn marked(id: &str, state: TodoState) -> Edit {
    Edit::Marked { id: id.into(), state }
}

fn added(title: &str) -> Edit {
    let (files, depends_on) = (vec!["e".into(), "../out".into()], vec!["T1".into(), "T77".into()]);
    Edit::Added { id: None, title: title.into(), files, depends_on }
}

/// T1 and T2 are at work and go on for ever, T3 waits for T1, T4 for T3.
fn at_work() -> (World, MissionId) {
    let mut w =
        planned(vec![task("T1", "a", ""), task("T2", "b", ""), task("T3", "c", "T1"), task("T4", "d", "T3")]);
    w.outside.script("T1", vec![vec![]]);
    w.outside.script("T2", vec![vec![]]);
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("T1").is_empty() && !w.turns_of("T2").is_empty() && !w.watches.is_empty());
    (w, m)
}

fn states(w: &World, m: &MissionId) -> Vec<&'static str> {
    w.mission(m).tasks.iter().map(|t| t.state.name()).collect()
}

/// The newest edits that a write was told it may overwrite.
fn seen(w: &World) -> Vec<Edit> {
    let told = w.actions.iter().rev().find_map(|(_, action)| match action {
        Action::PublishTodo { seen, .. } | Action::UpdateTodo { seen, .. } if !seen.is_empty() => {
            Some(seen.clone())
        }
        _ => None,
    });
    told.expect("a write that may overwrite something")
}

#[test]
fn a_tick_is_the_users_word() {
    let (mut w, m) = at_work();
    w.edit(&m, vec![marked("T1", Done)]);
    assert_eq!(states(&w, &m), ["completed", "in_progress", "assigned", "pending"]);
    let accepted = w.mission(&m).tasks[0].accepted.clone().expect("accepted");
    assert_eq!((accepted.by.as_str(), accepted.reason.as_str()), ("the user, in the plan file", "ticked"));
    assert_eq!(w.toasts().last().expect("a notice").1, "T1 counts as done (it was in progress)");
    w.run_for(1_000);
    assert_eq!((w.outside.todo["T1"], seen(&w)), (Done, vec![marked("T1", Done)]));
    // Told once more after a crash that came before the write: nothing is done twice.
    let facts = w.log[&m].len();
    w.edit(&m, vec![]);
    w.edit(&m, vec![marked("T1", Done)]);
    assert_eq!(w.log[&m].len(), facts);
}

#[test]
fn a_line_that_went_away_or_was_crossed_out_calls_the_task_off() {
    for edit in [Edit::Removed { id: "T1".into() }, marked("T1", Skipped)] {
        let (mut w, m) = at_work();
        w.edit(&m, vec![edit]);
        assert_eq!(states(&w, &m), ["cancelled", "in_progress", "skipped", "skipped"]);
        w.run_for(1_000);
        let session = w.session_of("T1");
        assert!(!w.outside.session(&session).busy, "its turn is ended");
        w.edit(&m, vec![marked("T2", Done)]);
        w.run();
        assert_eq!(w.state(&m), "partially_completed", "work that was called off is not complete");
    }
}

#[test]
fn an_open_box_on_what_is_over_has_it_done_again() {
    let (mut w, m) = at_work();
    w.edit(&m, vec![marked("T1", Skipped)]);
    w.run_for(1_000);
    w.edit(&m, vec![marked("T1", Open)]);
    assert_eq!(states(&w, &m), ["assigned", "in_progress", "pending", "pending"]);
    w.run_for(1_000);
    w.edit(&m, vec![marked("T2", Done)]);
    w.run();
    assert_eq!(w.state(&m), "completed");
    // T1's script has one turn that never ends; the second attempt did the work.
    assert_eq!(w.turns_of("T1").len(), 2);
}

#[test]
fn a_mark_that_means_nothing_is_put_back_with_a_notice() {
    let (mut w, m) = at_work();
    let facts = w.log[&m].len();
    let edits = vec![marked("T1", Open), marked("T2", Blocked), marked("T9", Done)];
    w.edit(&m, edits.clone());
    assert_eq!(w.log[&m].len(), facts);
    let notice = w.toasts().last().expect("a notice").1.clone();
    assert!(
        notice.starts_with("T1 is in progress: tick it, open it again or cross it out; T2 is"),
        "{notice}"
    );
    w.run_for(1_000);
    assert_eq!((w.outside.todo["T1"], w.outside.todo["T2"], seen(&w)), (Running, Running, edits));
}

#[test]
fn other_words_steer_the_workers() {
    let (mut w, m) = at_work();
    w.edit(
        &m,
        vec![Edit::Reworded { id: "T3".into(), title: "Part three, in French".into() }, marked("T1", Done)],
    );
    w.run_until(|w| !w.turns_of("T3").is_empty());
    let order = w.turns_of("T3")[0];
    assert!(order.contains("In the user's words, which come first: Part three, in French\n"), "{order}");
    assert!(
        order.contains("reworded in the plan file, from \"task T3\" to \"Part three, in French\""),
        "{order}"
    );
}

#[test]
fn an_open_box_is_a_new_task_also_while_the_whole_is_reviewed() {
    let (mut w, m) = at_work();
    w.edit(&m, vec![added("One more"), marked("T1", Done), marked("T2", Done)]);
    let spec = w.mission(&m).task(&"U1".into()).expect("a task").spec.clone();
    assert_eq!(
        (spec.title.as_str(), spec.files, spec.depends_on),
        ("One more", vec!["e".into()], vec!["T1".into()])
    );
    w.outside.script("Integration review", vec![vec![], does(approve())]);
    w.run_until(|w| !w.turns_of("Integration review").is_empty());
    let edit = Edit::Added { id: Some("T9".into()), title: "Last".into(), files: vec![], depends_on: vec![] };
    w.edit(&m, vec![edit.clone()]);
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert_eq!(
        w.trace(&m, &["task U1 completed", "phase rev", "task T9 completed"]),
        ["task U1 completed", "phase reviewing", "task T9 completed", "phase reviewing"]
    );
    let published = w.actions.iter().rev().find_map(|(_, action)| match action {
        Action::PublishTodo { items, .. } => Some(items.iter().map(|i| i.id.clone()).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(published.expect("a plan"), ["T1", "T2", "T3", "T4", "U1", "T9"]);
    assert!(w.watches.is_empty(), "nobody watches when the mission is over");
}

#[test]
fn the_file_is_watched_while_the_mission_rests_and_not_after_its_end() {
    let (mut w, m) = at_work();
    w.control(&m, Control::Pause).expect("paused");
    w.edit(&m, vec![marked("T2", Done)]);
    assert_eq!(w.task_state(&m, "T2"), "completed");
    assert!(w.watches.contains_key(&m));
    w.control(&m, Control::Cancel { by: "you" }).expect("cancelled");
    assert!(w.watches.is_empty());
    w.run();
    assert!(w.watches.is_empty());
}
