//! Files taken back: what is recorded on the way, what is refused, and a process that dies over it.
use super::*;
use crate::domain::checkpoint::Trigger;
use crate::domain::ids::MissionId;
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::domain::verdict::TreeId;
use crate::engine::core::event::{AttemptKind, Event, Moment, Scope};
use crate::engine::core::{
    Action, Answer, Control, Input, Part, Refusal, RollbackAsk, RollbackFound, RollbackLook, RollbackView,
    ToolInput,
};

fn ask(scope: Scope) -> RollbackAsk {
    RollbackAsk { scope, dry_run: false, force: false, with_state: false }
}

fn roll_back(w: &mut World, m: &MissionId, ask: RollbackAsk) -> Result<RollbackView, String> {
    let reply = w.reply();
    w.step(Input::Control { reply: Some(reply), mission: m.clone(), control: Control::Rollback { ask } });
    w.run_until(|w| w.answers.contains_key(&reply));
    match &w.answers[&reply] {
        Answer::Rollback(view) => Ok(view.clone()),
        Answer::Refused(Refusal::Conflict(why) | Refusal::Invalid(why) | Refusal::NotFound(why)) => {
            Err(why.clone())
        }
        other => panic!("{other:?}"),
    }
}

/// The newest look that a rollback asked for.
fn look(w: &World) -> RollbackLook {
    let look = |(_, action): &(_, Action)| match action {
        Action::PlanRollback { look, .. } => Some(look.clone()),
        _ => None,
    };
    w.actions.iter().rev().find_map(look).expect("a look")
}

fn parts(w: &World) -> Vec<String> {
    let one = |s: &crate::engine::core::RollbackStretch| {
        format!("{} {:?}", s.task.as_ref().map_or("-", |t| t.as_str()), s.part)
    };
    look(w).stretches.iter().map(one).collect()
}

fn kinds(w: &World, m: &MissionId, kinds: &[&str]) -> usize {
    w.log[m].iter().filter(|(_, e)| kinds.contains(&e.kind())).count()
}

#[test]
fn no_worker_is_told_its_task_before_the_tree_is_on_record() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    let mut recorded = Vec::new();
    for (_, event) in &w.log[&m] {
        match event {
            Event::TreeRecorded { moments, tree } => {
                assert!(tree.is_some());
                recorded.extend(moments.clone());
            }
            Event::Prompted { attempt, .. } => {
                if let AttemptKind::Work(task) = &w.mission(&m).attempts[attempt].kind {
                    assert!(
                        recorded.contains(&Moment::Before(task.clone())),
                        "{task} was begun: {recorded:?}"
                    );
                }
            }
            _ => {}
        }
    }
    // Those that begin together share a look; how they ended their gate has seen.
    let mission = w.mission(&m);
    assert_eq!(mission.spans.len(), 4);
    assert!(mission.spans.iter().all(|s| s.before.is_some() && s.after.is_some() && !s.open));
    let made = mission.checkpoints.iter().filter(|c| c.trigger == Trigger::BeforeRisky && c.tree.is_some());
    assert_eq!(made.count(), 4, "a checkpoint before each task");
    let looks = w.actions.iter().filter(|(_, a)| matches!(a, Action::Record { .. })).count();
    assert!(looks <= 4, "{looks}");
}

#[test]
fn a_tree_that_cannot_be_read_holds_nothing_up() {
    let mut w = diamond();
    let m = w.task("do it");
    w.outside.record_fault = true;
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert!(w.mission(&m).spans.iter().all(|s| s.before.is_none()));
}

#[test]
fn a_finished_mission_is_taken_back_and_brought_again() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    let view = roll_back(&mut w, &m, RollbackAsk { dry_run: true, ..ask(Scope::Mission) }).unwrap();
    assert!(!view.done && view.steps.len() == 4 && kinds(&w, &m, &["rollback_begun"]) == 0);
    let view = roll_back(&mut w, &m, ask(Scope::Mission)).unwrap();
    assert!(view.done && view.steps.len() == 4, "{view:?}");
    assert_eq!(parts(&w), ["T1 Chosen", "T2 Chosen", "T3 Chosen", "T4 Chosen"]);
    assert_eq!(w.state(&m), "completed", "only the files go back");
    let last = w.mission(&m).checkpoints.last().unwrap().clone();
    assert!(last.trigger == Trigger::BeforeRisky && last.tree.is_some());
    let view = roll_back(&mut w, &m, ask(Scope::Undo)).unwrap();
    assert!(view.done && parts(&w) == ["- Chosen"], "{view:?}");
    // The Commander may ask for it too.
    let control = Control::Rollback { ask: ask(Scope::Task("T2".into())) };
    w.tool("u0".into(), "c9".into(), ToolInput::Control { mission: None, control });
    w.run_for(1_000);
    let told = w.answers.values().rev().find_map(|a| match a {
        Answer::Tool { title, output, .. } => Some(format!("{title}: {output}")),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("taken back: Taken back: 1 file\n- T2 (changed back)\n"));
    assert_eq!(parts(&w), ["T1 Other", "T2 Chosen", "T3 Other", "T4 Other", "- Continues", "- Continues"]);
}

#[test]
fn what_stands_in_the_way_leaves_everything_as_it_is() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    let tree = TreeId("now".into());
    let found = RollbackFound {
        from: tree.clone(),
        to: tree,
        steps: Vec::new(),
        conflicts: vec!["a.js: it was edited since".into()],
        others: vec!["b.js".into()],
    };
    w.outside.rollbacks.push_back(Ok(found));
    let view = roll_back(&mut w, &m, ask(Scope::Mission)).unwrap();
    assert!(!view.done);
    let text = crate::engine::report::rollback(&view);
    assert!(text.contains("- a.js: it was edited since") && text.contains("left alone"), "{text}");
    assert_eq!(kinds(&w, &m, &["rollback_begun"]), 0);
    w.outside.rollbacks.push_back(Err("git was not found".into()));
    assert_eq!(roll_back(&mut w, &m, ask(Scope::Mission)).unwrap_err(), "git was not found");
    assert_eq!(kinds(&w, &m, &["rollback_begun"]), 0);
    // Nothing was changed, so nothing is to be undone.
    w.outside.restores.push_back(Err("the disk is full".into()));
    let view = roll_back(&mut w, &m, ask(Scope::Mission)).unwrap();
    assert!(!view.done && view.fault.as_deref() == Some("the disk is full"));
    assert_eq!(roll_back(&mut w, &m, ask(Scope::Undo)).unwrap_err(), "no files of it were taken back");
    // What was left is not said to be taken back.
    w.outside.restores.push_back(Ok(vec!["T1: Is a directory".into()]));
    let view = roll_back(&mut w, &m, ask(Scope::Mission)).unwrap();
    let text = crate::engine::report::rollback(&view);
    assert!(text.contains("Taken back: 3 files\n- T2 (") && text.contains("- T1: Is a directory"), "{text}");
}

#[test]
fn it_is_refused_with_what_to_do() {
    let mut w = diamond();
    let m = w.task("do it");
    let why = "the files of a mission that is running cannot be taken back: pause it first";
    assert_eq!(roll_back(&mut w, &m, ask(Scope::Mission)).unwrap_err(), why);
    w.control(&m, Control::Pause).unwrap();
    w.run_for(60_000);
    let why = "no task of it was begun, so it has changed no files";
    assert_eq!(roll_back(&mut w, &m, ask(Scope::Mission)).unwrap_err(), why);
    w.control(&m, Control::Resume).unwrap();
    w.run_until(|w| {
        w.mission(&m).open_attempts().any(|a| matches!(a.kind, AttemptKind::Work(_)) && !a.prompts.is_empty())
    });
    w.control(&m, Control::Pause).unwrap();
    let why = roll_back(&mut w, &m, ask(Scope::Mission)).unwrap_err();
    assert!(why.contains(" still running: try again when they have ended"), "{why}");
    w.control(&m, Control::Resume).unwrap();
    w.run_until(|w| w.mission(&m).state == MissionState::Completed);
    // The last review is handed in and its turn not yet over: a reviewer writes nothing.
    assert!(w.mission(&m).open_attempts().count() > 0);
    roll_back(&mut w, &m, RollbackAsk { dry_run: true, ..ask(Scope::Mission) }).unwrap();
    w.run();
    let why = roll_back(&mut w, &m, ask(Scope::Task("T9".into()))).unwrap_err();
    assert_eq!(why, "it has no task T9 that was begun: choose one of T1, T2, T3, T4");
    let why = roll_back(&mut w, &m, ask(Scope::Checkpoint(1))).unwrap_err();
    assert!(why.starts_with("checkpoint 1 has no record of the files; these have: "), "{why}");
    let other = w.task("and more");
    w.run_until(|w| w.mission(&other).running());
    let why = "another mission is at work in this project: wait until it has ended";
    assert_eq!(roll_back(&mut w, &m, ask(Scope::Mission)).unwrap_err(), why);
}

#[test]
fn a_checkpoint_on_demand_has_its_tree_and_gives_work_and_files_back() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| w.mission(&m).tasks.iter().filter(|t| t.state == TaskState::Completed).count() == 1);
    w.control(&m, Control::Checkpoint).unwrap();
    let manual =
        |w: &World| w.mission(&m).checkpoints.iter().find(|c| c.trigger == Trigger::Manual).unwrap().clone();
    w.run_until(|w| manual(w).tree.is_some());
    w.run_until(|w| w.mission(&m).tasks.iter().filter(|t| t.state == TaskState::Completed).count() == 3);
    w.control(&m, Control::Pause).unwrap();
    w.run_for(60_000);
    let reply = w.reply();
    let control = Control::Restore { checkpoint: manual(&w).sequence, files: true };
    w.step(Input::Control { reply: Some(reply), mission: m.clone(), control });
    let busy = w.control(&m, Control::Resume).unwrap_err().to_string();
    assert!(busy.contains("taken back just now"), "{busy}");
    w.run_until(|w| w.answers.contains_key(&reply));
    assert!(matches!(&w.answers[&reply], Answer::Rollback(view) if view.done));
    // T1 was done by then, T2 and T3 not: those are taken back, from the tree that was recorded before them.
    let look = look(&w);
    let part = |task: &str| look.stretches.iter().find(|s| s.task == Some(task.into())).map(|s| s.part);
    assert_eq!(
        (part("T1"), part("T2"), part("T3")),
        (Some(Part::Other), Some(Part::Chosen), Some(Part::Chosen))
    );
    assert_eq!(w.mission(&m).tasks.iter().filter(|t| t.state == TaskState::Completed).count(), 1);
    w.control(&m, Control::Resume).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn work_that_was_cut_off_is_looked_at_before_it_is_taken_back() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| {
        w.mission(&m).open_attempts().any(|a| matches!(a.kind, AttemptKind::Work(_)) && !a.prompts.is_empty())
    });
    w.control(&m, Control::Cancel { by: "you" }).unwrap();
    assert!(w.mission(&m).spans[0].open);
    w.run_for(1_000);
    assert!(!w.mission(&m).spans[0].open && w.mission(&m).spans[0].after.is_some());
    assert!(roll_back(&mut w, &m, ask(Scope::Mission)).unwrap().done);
    assert!(w.mission(&m).at_rest());
}

#[test]
fn a_process_that_dies_over_it_leaves_it_to_the_next() {
    let mut w = diamond();
    let m = w.task("do it");
    w.run();
    let before = w.moments.len();
    assert!(roll_back(&mut w, &m, ask(Scope::Mission)).unwrap().done);
    for moment in w.moments[before..].iter() {
        for (outside, host_restarted) in [(&moment.before, true), (&moment.after, false)] {
            let mut next = w.take_over(moment.now, moment.events, outside, host_restarted);
            let begun = next.mission(&m).rolling_back();
            assert!(!begun || next.mission(&m).begun() && !next.mission(&m).at_rest());
            next.run_until(|w| !w.mission(&m).rolling_back());
            assert_eq!(next.mission(&m).rollback.is_some(), begun || kinds(&next, &m, &["rolled_back"]) > 0);
            assert_eq!(kinds(&next, &m, &["rollback_begun"]), kinds(&next, &m, &["rolled_back"]));
        }
    }
}
