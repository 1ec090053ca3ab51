//! A plan that waits for the user's word.
use super::outside::*;
use super::*;
use crate::domain::mission::Phase;
use crate::engine::core::Control;
use crate::engine::core::event::Options;

fn asking() -> World {
    planned(vec![task("T1", "a", "")])
}

fn waiting(w: &mut World) -> crate::domain::ids::MissionId {
    let options = Options { approval: Some(true), ..w.options() };
    let m = w.task_in("u0", "/p", "do it", options);
    w.run_until(|w| w.core.missions().any(|m| m.awaits_approval()));
    m
}

#[test]
fn no_work_begins_before_the_word() {
    let mut w = asking();
    let m = waiting(&mut w);
    w.run_for(3_600_000);
    assert_eq!(w.state(&m), "paused");
    assert_eq!(w.outside.todo.len(), 1, "the plan is there to be read");
    assert_eq!(w.outside.tree, 0, "nothing was changed");
    // An agent may resume a mission; that is no word on its plan.
    let refused = w.control(&m, Control::Resume).unwrap_err().to_string();
    assert!(refused.contains("/task-approve begins the work"), "{refused}");
    w.run_for(60_000);
    assert_eq!((w.state(&m), w.outside.tree), ("paused", 0));
    w.control(&m, Control::Approve).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn a_refused_plan_is_made_anew_with_what_was_wished() {
    let mut w = asking();
    let m = waiting(&mut w);
    w.outside.plan = draft(vec![task("T1", "a", ""), task("T2", "b", "")]);
    w.control(&m, Control::Refuse { text: "in two parts".into() }).unwrap();
    w.run_until(|w| w.core.missions().any(|m| m.awaits_approval()));
    let mission = w.core.mission(&m).unwrap();
    assert_eq!((mission.tasks.len(), mission.phase), (2, Some(Phase::Planning)));
    let told = |s: &Session| s.messages.iter().any(|m| m.text.contains("- in two parts"));
    assert!(w.outside.sessions.values().any(told));
    w.control(&m, Control::Approve).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
    assert!(
        w.control(&m, Control::Approve).is_err()
            && w.control(&m, Control::Refuse { text: "x".into() }).is_err()
    );
}

#[test]
fn it_is_cancelled_like_any_other() {
    let mut w = asking();
    let m = waiting(&mut w);
    w.control(&m, Control::Cancel { by: "you" }).unwrap();
    w.run();
    assert_eq!(w.state(&m), "stopped");
}

#[test]
fn the_wait_outlives_the_process() {
    let mut w = asking();
    let m = waiting(&mut w);
    w.run_for(1_000);
    let moment = w.moments.last().expect("a commit").clone();
    let mut w = w.take_over(moment.now, moment.events, &moment.after, true);
    w.run_for(600_000);
    assert_eq!(w.state(&m), "paused");
    w.control(&m, Control::Approve).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed");
}

#[test]
fn a_plan_that_waits_is_edited_in_its_file() {
    use crate::domain::todo::{Edit, TodoState};
    let mut w = diamond();
    let m = waiting(&mut w);
    w.run_for(1_000);
    let list = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    let rearranged = |id: &str, files: &str, after: &str| Edit::Rearranged {
        id: id.into(),
        files: list(files),
        depends_on: list(after),
    };
    w.edit(
        &m,
        vec![
            Edit::Removed { id: "T1".into() },
            Edit::Marked { id: "T3".into(), state: TodoState::Skipped },
            Edit::Reworded { id: "T2".into(), title: "in my words".into() },
            rearranged("T4", "d e", "T2"),
            rearranged("T2", "b", "T4"),
            rearranged("T2", "../b", ""),
            Edit::Added { id: None, title: "a fifth".into(), files: list("f"), depends_on: list("T4") },
        ],
    );
    let line = |t: &crate::engine::core::state::Task| {
        let after: Vec<_> = t.spec.depends_on.iter().map(|d| d.as_str()).collect();
        format!("{} {} ({}) ({})", t.spec.id, t.spec.title, t.spec.files.join(" "), after.join(" "))
    };
    let tasks = |w: &World| w.mission(&m).tasks.iter().map(line).collect::<Vec<_>>();
    let wanted = ["T2 in my words (b) ()", "T4 task T4 (d e) (T2)", "U1 a fifth (f) (T4)"];
    assert_eq!(tasks(&w), wanted);
    let said = &w.toasts().last().expect("a toast").1.clone();
    for part in [
        "T1 is left out of the plan; T3 is left out of the plan; T2 has another title",
        "T4 has other files, or another place in the order; tasks depend on each other in a circle: T4 needs T2 needs T4",
        "T2 lists the file `../b`: `..` leads out of the project",
        "U1 is a new task",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(w.mission(&m).awaits_approval() && w.mission(&m).steers.is_empty());
    w.control(&m, Control::Approve).unwrap();
    w.run();
    assert_eq!(w.state(&m), "completed", "what was left out is not missed: {}", w.story());
    assert_eq!((w.turns_of("T1").len(), w.turns_of("T3").len()), (0, 0));
}

#[test]
fn what_has_begun_keeps_its_files_and_its_place() {
    use crate::domain::todo::Edit;
    let mut w = diamond();
    let m = w.task("do it");
    w.run_until(|w| !w.turns_of("T1").is_empty());
    w.run_for(1_000);
    let edit = |id: &str, file: &str| Edit::Rearranged {
        id: id.into(),
        files: vec![file.into()],
        depends_on: Vec::new(),
    };
    w.edit(&m, vec![edit("T1", "z"), edit("T3", "c2")]);
    let files = |w: &World, id: &str| w.mission(&m).task(&id.into()).expect("a task").spec.files.clone();
    assert_eq!((files(&w, "T1"), files(&w, "T3")), (vec!["a".to_owned()], vec!["c2".to_owned()]));
    let said = &w.toasts().last().expect("a toast").1.clone();
    assert!(said.contains("T1: it has begun and stays as it is"), "{said}");
    w.run();
    assert_eq!(w.state(&m), "completed");
}
