//! The merge queue: of which tree the checks speak.
use super::*;
use crate::domain::verdict::{CheckOutcome, TreeId};
use crate::engine::core::event::{Event, Options};
use crate::engine::core::worktrees::{TreeDone, TreeNews, TreeWork};
use crate::engine::core::{Action, Input};

/// A batch that is withdrawn while its checks run may be followed by one with as many changes.
#[test]
fn the_result_of_a_tree_that_is_no_longer_asked_about_counts_for_nothing() {
    let mut w = planned(vec![task("T1", "a", "")]);
    w.outside.checks.insert("npm test".into(), [CheckOutcome::Passed; 9].into());
    let options = Options { worktrees: Some(true), checks: Some(vec!["npm test".into()]), ..w.options() };
    let m = w.task_in("u", "/p", "do it", options);
    let tried = |w: &World| {
        w.actions.iter().find_map(|(_, action)| match action {
            Action::Trees { round, work: TreeWork::Try { .. }, .. } => Some(*round),
            _ => None,
        })
    };
    w.run_until(|w| tried(w).is_some());
    let round = tried(&w).expect("checks of the merged tree");
    let facts = |w: &World| {
        let checked = |(_, event): &&(_, Event)| matches!(event, Event::BatchChecked { .. });
        w.log[&m].iter().filter(checked).count()
    };
    let other = TreeDone::Tried { tree: TreeId("another".into()), result: Ok(Vec::new()) };
    w.step(Input::Trees(TreeNews { mission: m.clone(), round, done: other }));
    assert_eq!(facts(&w), 0, "{}", w.story());
    w.run();
    assert_eq!((facts(&w), w.state(&m)), (1, "completed"), "{}", w.story());
}
