//! Gates on a real repository, with checks that are run.
use std::path::Path;

use gantry::domain::ids::MissionId;
use gantry::domain::plan::{Draft, DraftTask};
use gantry::engine::core::event::{Event, Inspection, Options, Subject};
use gantry::engine::handle::MissionView;

use crate::git_rig::{GitRig, Work, write};

fn plan() -> Draft {
    let task = DraftTask {
        id: "T1".into(),
        title: "One".into(),
        description: "one".into(),
        files: vec!["parts/**".into()],
        ..DraftTask::default()
    };
    Draft { summary: "one part".into(), tasks: vec![task], ..Draft::default() }
}

/// A mission at its end: what is seen of it, and what was seen of the task.
async fn run(
    files: &[(&str, &str)],
    work: Work,
    options: Options,
    before: impl FnOnce(&Path),
) -> (GitRig, MissionId, MissionView, Vec<Inspection>) {
    let rig = GitRig::new(files, plan(), work, Box::new(|_| {}));
    before(&rig.project);
    let (mission, done) = rig.begin(Options { workers: 1, ..options }).await;
    rig.ended(&mission, done).await;
    let view = rig.engine.view(mission.clone()).await.expect("it is there");
    let looks = rig.facts(&mission).await.into_iter().filter_map(|(_, event)| match event {
        Event::Inspected { subject: Subject::Task(_), inspection } => Some(inspection),
        _ => None,
    });
    let looks = looks.collect();
    (rig, mission, view, looks)
}

fn shared() -> Options {
    Options { worktrees: Some(false), ..Options::default() }
}

#[tokio::test]
async fn a_check_may_write_a_file_that_git_does_not_ignore() {
    let files = [("check.sh", "echo run >> coverage.out\n")];
    let work: Work = Box::new(|_, _, folder| write(&folder.join("parts/a.txt"), "a\n"));
    let (rig, mission, view, _) = run(&files, work, shared(), |_| {}).await;
    assert_eq!(view.row.state, "completed", "{:?}", view.report);
    assert_eq!(rig.read("coverage.out").as_deref(), Some("run\nrun\n"), "before any work, and on the whole");
    let facts = rig.facts(&mission).await;
    let reviewed = |e: &Event| matches!(e, Event::Checked { subject: Subject::Whole, .. });
    assert_eq!(facts.iter().filter(|(_, e)| reviewed(e)).count(), 1);
}

#[tokio::test]
async fn what_the_checks_write_under_another_name_each_time_is_named() {
    let files = [("check.sh", "echo run > out.$$\n")];
    let work: Work = Box::new(|_, _, folder| write(&folder.join("parts/a.txt"), "a\n"));
    let (_rig, _, view, _) = run(&files, work, shared(), |_| {}).await;
    assert_eq!(view.row.state, "partially_completed", "{:?}", view.report);
    let report = view.report.expect("a report");
    assert!(report.contains("while they were being reviewed: out."), "{report}");
    assert!(report.contains("let git ignore what they write"), "{report}");
}

const TOKEN: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

/// More than a diff may have, markers behind that in the first turn, and a file that nobody has declared.
fn much(_: &str, turn: u32, folder: &Path) {
    let long: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    write(&folder.join("parts/a.txt"), &format!("{TOKEN}\n{long}"));
    let new = if turn == 1 { "<<<<<<< HEAD\na\n>>>>>>> other\n" } else { "a\n" };
    write(&folder.join("parts/zz.txt"), &format!("<<<<<<< old\n{new}"));
    write(&folder.join("c.txt"), "by a command\n");
}

#[tokio::test]
async fn the_look_at_a_change_misses_neither_markers_nor_strays_nor_secrets() {
    let files = [("check.sh", "true\n"), ("parts/zz.txt", "<<<<<<< old\n")];
    for worktrees in [false, true] {
        let options = Options { worktrees: Some(worktrees), ..Options::default() };
        let (rig, mission, view, looks) = run(&files, Box::new(much), options, |_| {}).await;
        assert_eq!(view.row.state, "completed", "{:?}", view.report);
        let found: Vec<_> = looks.iter().map(|look| look.findings.len()).collect();
        assert_eq!(found, [2, 0], "worktrees: {worktrees}");
        assert_eq!(looks[0].findings[0].file.as_deref(), Some("parts/zz.txt"));
        assert_eq!(looks[0].undeclared, ["c.txt"], "worktrees: {worktrees}");
        assert!(looks[0].diff.contains("[masked]"), "worktrees: {worktrees}");
        assert!(!format!("{:?}", rig.facts(&mission).await).contains(TOKEN), "worktrees: {worktrees}");
        let review = rig.team.prompt_of("Review T1").expect("a review");
        assert!(review.contains("though no task declares it (by a shell command, or by the user): c.txt."));
        assert!(!review.contains(TOKEN));
    }
}

/// A program of the project's environment, which git ignores.
#[cfg(unix)]
fn environment(project: &Path, folder: &str) {
    use std::os::unix::fs::PermissionsExt;
    let program = project.join(folder).join("bin/check");
    write(&program, "#!/bin/sh\ntrue\n");
    write(&project.join(folder).join("pyvenv.cfg"), "home = /usr/bin\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[cfg(unix)]
#[tokio::test]
async fn a_check_out_of_what_git_ignores_runs_in_worktrees_or_ends_the_mission_at_once() {
    let files = [("check.sh", "true\n"), (".gitignore", ".venv/\nown/\n")];
    let part: fn(&str, u32, &Path) = |_, _, folder| write(&folder.join("parts/a.txt"), "a\n");
    let with = |check: &str| Options { checks: Some(vec![check.into()]), ..Options::default() };

    let make = |project: &Path| environment(project, ".venv");
    let (_rig, _, view, _) = run(&files, Box::new(part), with(".venv/bin/check"), make).await;
    assert_eq!(view.row.state, "completed", "{:?}", view.report);

    let make = |project: &Path| environment(project, "own");
    let (rig, mission, view, looks) = run(&files, Box::new(part), with("own/bin/check"), make).await;
    assert_eq!((view.row.state, looks.len()), ("failed".into(), 1), "{:?}", view.report);
    assert_eq!(view.tasks[0].attempts, 1, "no attempt is spent on it");
    let report = view.report.expect("a report");
    assert!(
        report.contains("`own/bin/check` could be started in the project but not in a worktree"),
        "{report}"
    );
    assert!(report.contains("worktreeLinks"), "{report}");
    drop((rig, mission));
}
