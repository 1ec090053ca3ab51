//! The way of a result into the user's files, or to where it is left, and what is told of it.
use super::outside::*;
use super::*;
use crate::domain::ids::MissionId;
use crate::engine::core::event::{Event, Options, ReportStatus};
use crate::ports::worktrees::{Left, Move};

fn worktrees(adjust: impl Fn(&mut World, &mut Options)) -> (World, MissionId) {
    let mut w = planned(vec![task("T1", "a", "")]);
    let done = reported(ReportStatus::Done, "T1");
    w.outside
        .script("T1", vec![vec![(500, Step::Write("a")), (500, Step::Call(done)), (100, Step::Say("x"))]]);
    let mut options = Options { worktrees: Some(true), ..w.options() };
    adjust(&mut w, &mut options);
    let m = w.task_in("u0", "/p", "do it", options);
    (w, m)
}

fn to_rest(w: &mut World, m: &MissionId) {
    w.run();
    w.run_until(|w| w.mission(m).isolation.as_ref().is_some_and(|i| i.released));
}

fn kinds(w: &World, m: &MissionId) -> Vec<&'static str> {
    let wanted =
        ["landing_begun", "landing_ended", "landed", "result_left", "reported", "worktrees_released"];
    w.log[m].iter().map(|(_, e)| e.kind()).filter(|kind| wanted.contains(kind)).collect()
}

fn report(w: &World, m: &MissionId) -> String {
    w.mission(m).report.clone().expect("a report")
}

#[test]
fn the_report_is_written_when_it_is_known_where_the_result_is() {
    let (mut w, m) = worktrees(|_, o| o.as_branch = Some(true));
    to_rest(&mut w, &m);
    assert_eq!(w.state(&m), "completed");
    assert_eq!(kinds(&w, &m), ["result_left", "reported", "worktrees_released"]);
    assert!(
        report(&w, &m).contains(&format!("is on the branch gantry/{m}; look at it")),
        "{}",
        report(&w, &m)
    );
    assert_eq!(w.outside.delivered.len(), 1);

    let patch = || Some("/data/x.patch".to_owned());
    let (whole, rest) = (
        Left { patch: patch(), fault: Some("cannot lock".into()), ..Left::default() },
        Left { branch: Some("other".into()), patch: patch(), outside: vec!["sub/s".into()], fault: None },
    );
    for (left, said) in [
        (
            whole,
            "No branch could be made for the accepted work (cannot lock). It is in the patch /data/x.patch;",
        ),
        (
            rest,
            "is on the branch other, but for files of submodules, which a branch cannot hold: sub/s. They are in the patch /data/x.patch;",
        ),
    ] {
        let (mut w, m) = worktrees(|w, o| {
            o.as_branch = Some(true);
            w.outside.proposals.push_back(Ok(left.clone()));
        });
        w.run();
        assert!(report(&w, &m).contains(said), "{}", report(&w, &m));
    }
}

#[test]
fn what_could_be_left_nowhere_is_not_done_with() {
    let (mut w, m) = worktrees(|w, o| {
        o.as_branch = Some(true);
        w.outside.proposals.extend((0..3).map(|_| Err("no space".to_owned())));
    });
    to_rest(&mut w, &m);
    assert_eq!(kinds(&w, &m), ["result_left", "reported", "worktrees_released"]);
    let said = "neither on a branch nor as a patch (no space)";
    assert!(report(&w, &m).contains(said), "{}", report(&w, &m));
    assert!(!w.mission(&m).at_rest(), "it would not be found after a restart");
    let moment = w.moments.last().expect("a commit").clone();
    let mut next = w.take_over(moment.now, moment.events, &moment.after, true);
    next.run_until(|w| w.mission(&m).at_rest());
    assert!(report(&next, &m).contains(&format!("is on the branch gantry/{m};")), "{}", next.story());
    assert_eq!(kinds(&next, &m)[3..], ["result_left", "reported"]);
    assert_eq!(next.outside.delivered.len(), 2, "who was told that it is nowhere is told where it is");
}

#[test]
fn what_another_round_cannot_mend_goes_to_a_branch_at_once() {
    let (mut w, m) = worktrees(|w, _| {
        w.outside.landings.push_back(Ok(Move::Refused("build is there".into())));
    });
    to_rest(&mut w, &m);
    assert_eq!(w.state(&m), "partially_completed");
    let want = ["landing_begun", "landing_ended", "result_left", "reported", "worktrees_released"];
    assert_eq!(kinds(&w, &m), want);
    assert_eq!(w.mission(&m).whole_rounds, 1);
    let text = report(&w, &m);
    assert!(text.contains("The result could not be put into your files: build is there."), "{text}");
    assert!(text.contains("Your files were left as they are. The accepted work is on the branch"), "{text}");
    assert!(w.mission(&m).spans.iter().all(|s| s.merged().is_some()), "nothing is to be taken back");
}

#[test]
fn half_of_a_result_is_told_of_and_can_be_taken_back() {
    let half = || vec![Ok(Move::Half("no space".to_owned()))];
    // How the files are is not known at all.
    let unknown = || (0..3).map(|_| Err("no space".to_owned())).collect::<Vec<_>>();
    for landings in [half(), unknown()] {
        let (mut w, m) = worktrees(|w, _| w.outside.landings.extend(landings.clone()));
        w.run();
        let text = report(&w, &m);
        assert!(
            text.contains("Only a part of the result is in your files: no space. `gantry rollback"),
            "{text}"
        );
        assert!(
            !text.contains("left as they are") && text.contains("The accepted work is on the branch"),
            "{text}"
        );
        assert_eq!(w.mission(&m).spans.len(), 2, "its merge, and what is in the files of it");
    }
}

#[test]
fn a_landing_is_brought_to_its_end_whatever_becomes_of_the_mission() {
    let (mut w, m) = worktrees(|_, o| o.auto_resume = false);
    to_rest(&mut w, &m);
    assert_eq!(kinds(&w, &m), ["landing_begun", "landed", "reported", "worktrees_released"]);
    let begun = w.log[&m].iter().position(|(_, e)| matches!(e, Event::LandingBegun { .. })).expect("begun");
    let moment = w.moments.iter().find(|moment| moment.events > begun).expect("its commit").clone();
    for outside in [&moment.before, &moment.after] {
        // The host was stopped: the mission waits for the user, and his files do not.
        let mut next = w.take_over(moment.now, moment.events, outside, true);
        assert!(next.mission(&m).begun() && !next.mission(&m).at_rest());
        next.run_until(|w| w.mission(&m).isolation.as_ref().is_some_and(|i| i.landed.is_some()));
        assert!(next.mission(&m).isolation.as_ref().is_some_and(|i| i.landing.is_none()));
        assert_eq!(next.state(&m), "paused", "{}", next.story());
    }
}
