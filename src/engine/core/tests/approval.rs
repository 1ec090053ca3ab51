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
    for control in [Control::Approve, Control::Resume] {
        let mut w = asking();
        let m = waiting(&mut w);
        w.run_for(3_600_000);
        assert_eq!(w.state(&m), "paused");
        assert_eq!(w.outside.todo.len(), 1, "the plan is there to be read");
        assert_eq!(w.outside.tree, 0, "nothing was changed");
        w.control(&m, control).unwrap();
        w.run();
        assert_eq!(w.state(&m), "completed");
    }
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
