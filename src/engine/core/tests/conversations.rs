//! Where work goes on: in the conversation it was done in, unless a turn may still run there, or it sits elsewhere.
use super::outside::*;
use super::*;
use crate::domain::ids::{HostSessionId, MissionId, TaskId};
use crate::domain::todo::{Edit, TodoState};
use crate::engine::core::event::{AttemptKind, Event, Options, Outcome, Subject};
use crate::engine::core::worktrees::{Stacked, TreeDone, TreeNews, TreeWork};
use crate::engine::core::{Action, Control, Input};
use crate::ports::worktrees::Conflict;

const REVIEW: &str = "Review T1";

fn accept(task: &str) -> Control {
    let subject = Subject::Task(task.into());
    Control::Accept { subject, by: "the user", reason: "good enough".into() }
}

fn begin(w: &mut World, workers: u32) -> MissionId {
    let options = Options { worktrees: Some(true), workers, ..w.options() };
    w.task_in("u", "/p", "do it", options)
}

/// The conversations of the attempts at a task, in order.
fn worked_in(w: &World, m: &MissionId, task: &str) -> Vec<HostSessionId> {
    let kind = AttemptKind::Work(task.into());
    let mut all: Vec<_> = w.mission(m).attempts.values().filter(|a| a.kind == kind).collect();
    all.sort_by_key(|a| a.token);
    all.iter().filter_map(|a| a.session.clone()).collect()
}

fn given(w: &World, m: &MissionId) -> Vec<(TaskId, u32)> {
    let given = |(_, event): &(_, Event)| match event {
        Event::WorktreeGiven { task: Some(task), number, .. } => Some((task.clone(), *number)),
        _ => None,
    };
    w.log[m].iter().filter_map(given).collect()
}

#[test]
fn a_task_called_back_while_its_turn_is_being_ended_is_told_in_another_conversation() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script(REVIEW, vec![does(changes("a is wrong"))]);
    w.outside.script("T1", vec![does(report("T1")), vec![]]);
    let m = begin(&mut w, 1);
    w.run_until(|w| w.turns_of("T1").len() == 2);
    // What its gate has seen waits to be merged, and the turn that went on with it is not over yet.
    w.control(&m, accept("T1")).expect("accepted");
    w.control(&m, Control::Steer { text: "hurry".into(), task: Some("T1".into()), now: true }).expect("said");
    w.run_until(|w| w.turns_of("T1").len() == 3);
    let all = worked_in(&w, &m, "T1");
    assert_eq!(all[0], all[1], "sent back by a review");
    assert_ne!(all[1], all[2], "{}", w.story());
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn work_whose_turn_fell_silent_is_sent_back_to_another_conversation() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script("T1", vec![vec![(1_000, Step::Call(report("T1")))]]);
    w.outside.script(REVIEW, vec![does(changes("a is wrong"))]);
    let m = w.task("do it");
    w.run();
    let all = worked_in(&w, &m, "T1");
    let first = w.mission(&m).attempts.values().find(|a| a.session.as_ref() == all.first());
    assert!(first.is_some_and(|a| a.outcome == Some(Outcome::Done) && a.cut_off && !a.given_up));
    assert!(all.len() == 2 && all[0] != all[1], "{}", w.story());
    assert_eq!(w.state(&m), "completed");
}

fn mark(w: &mut World, m: &MissionId, state: TodoState) {
    w.edit(m, vec![Edit::Marked { id: "T1".into(), state }]);
}

/// T1 is done once, and crossed out during its review; U1 may come in its place. Nothing runs, and the mission is paused.
fn crossed_out(replaced: bool) -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.script(REVIEW, vec![vec![]]);
    w.outside.script("U1", vec![vec![(60_000, Step::Call(report("U1"))), (100, Step::Say("worked"))]]);
    let m = begin(&mut w, 1);
    w.run_until(|w| !w.turns_of(REVIEW).is_empty() && w.watches.contains_key(&m));
    w.control(&m, Control::Pause).expect("paused");
    let (title, files, depends_on) = ("more".to_owned(), vec!["b".to_owned()], Vec::new());
    let more = replaced.then_some(Edit::Added { id: None, title, files, depends_on });
    let crossed = Edit::Marked { id: "T1".into(), state: TodoState::Skipped };
    w.edit(&m, more.into_iter().chain([crossed]).collect());
    w.run_for(1_000);
    assert!(w.mission(&m).attempts.values().all(|a| !a.open() && !a.given_up), "{}", w.story());
    (w, m)
}

/// What T1 has changed contradicts what was accepted meanwhile.
fn refuse(w: &mut World, m: &MissionId) {
    let merge = |(_, action): &(_, Action)| match action {
        Action::Trees { round, work: TreeWork::Merge { .. }, .. } => Some(*round),
        _ => None,
    };
    let round = w.actions.iter().find_map(merge).expect("it is to be merged");
    let conflict = Conflict { path: "a".into(), message: "both changed it".into() };
    let refused = Stacked { steps: Vec::new(), refused: vec![("T1".into(), vec![conflict])] };
    let done = TreeDone::Merged(Ok(refused));
    w.step(Input::Trees(TreeNews { mission: m.clone(), round, done }));
}

#[test]
fn a_task_that_comes_back_to_life_gets_a_worktree_that_nobody_is_in() {
    for anew in [false, true] {
        let (mut w, m) = crossed_out(true);
        w.control(&m, Control::Resume).expect("resumed");
        w.run_until(|w| !w.turns_of("U1").is_empty() && w.watches.contains_key(&m));
        if anew {
            mark(&mut w, &m, TodoState::Open);
        }
        w.control(&m, accept("T1")).expect("accepted");
        refuse(&mut w, &m);
        w.run();
        let expected = [("T1", 1), ("U1", 1), ("T1", 2)].map(|(task, number)| (TaskId::from(task), number));
        assert_eq!(given(&w, &m), expected, "anew: {anew}\n{}", w.story());
        let all = worked_in(&w, &m, "T1");
        assert!(all.len() == 2 && all[0] != all[1], "a conversation stays where it was begun");
        assert!(w.turns_of("T1")[1].contains("both changed it"), "{}", w.turns_of("T1")[1]);
        assert_eq!(w.state(&m), "completed", "anew: {anew}");
    }
}

#[test]
fn it_goes_on_in_its_conversation_when_it_gets_the_worktree_that_it_had() {
    let (mut w, m) = crossed_out(false);
    mark(&mut w, &m, TodoState::Open);
    w.control(&m, accept("T1")).expect("accepted");
    w.control(&m, Control::Resume).expect("resumed");
    refuse(&mut w, &m);
    w.run();
    assert_eq!(given(&w, &m)[1], ("T1".into(), 1), "{}", w.story());
    let all = worked_in(&w, &m, "T1");
    assert!(all.len() == 2 && all[0] == all[1], "{}", w.story());
    assert_eq!(w.state(&m), "completed");
}
