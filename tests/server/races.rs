//! A race on a real repository: what was taken is in the user's files, and nothing of what was not.
use gantry::domain::plan::{Draft, DraftTask};
use gantry::engine::core::event::{AttemptKind, Event, Options, Subject};
use gantry::engine::core::replay;
use gantry::engine::handle::Control;
use gantry::engine::report;
use gantry::ports::store::Store;
use xtask::lab::sample::git;

use crate::git_rig::{GitRig, Work, write};

const CHECK: &str = "! grep -rq BROKEN src\n";

fn plan() -> Draft {
    let task = |id: &str, mode: &str, after: &[&str]| DraftTask {
        id: id.into(),
        title: format!("Do {id}"),
        mode: Some(mode.into()),
        checks: vec!["sh check.sh".into()],
        depends_on: after.iter().map(|t| (*t).into()).collect(),
        ..DraftTask::default()
    };
    Draft {
        summary: "a race".into(),
        tasks: vec![task("T1", "race", &[]), task("T2", "normal", &["T1"])],
        ..Draft::default()
    }
}

/// Each try writes the same file and leaves one of its own; the first breaks the check.
fn work() -> Work {
    Box::new(|task, _, folder| {
        assert!(!folder.join("src/mine-T1.r1.txt").exists(), "{task} finds what another try left");
        let text = if task == "T1.r1" { "BROKEN\n".into() } else { format!("by {task}\n") };
        write(&folder.join("src/answer.txt"), &text);
        write(&folder.join(format!("src/mine-{task}.txt")), "left\n");
        write(&folder.join("ignored/build.txt"), "built\n");
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_files_are_those_of_the_try_that_was_taken() {
    let files = [("check.sh", CHECK), ("src/answer.txt", "none\n"), (".gitignore", "ignored/\n")];
    let rig = GitRig::new(&files, plan(), work(), Box::new(|_| {}));
    let before = git(&rig.project, &["for-each-ref"]).expect("git");
    let (mission, done) = rig.begin(Options::default()).await;
    rig.ended(&mission, done).await;

    let facts = rig.facts(&mission).await;
    let told = replay(&mission, &facts).expect("a mission");
    assert_eq!(told.state.name(), "completed", "{:?}", told.report);
    let states: Vec<_> = told.in_order().iter().map(|t| (t.spec.id.as_str(), t.state.name())).collect();
    let expected = [
        ("T1", "completed"),
        ("T1.r1", "failed"),
        ("T1.r2", "cancelled"),
        ("T1.r3", "completed"),
        ("T2", "completed"),
    ];
    assert_eq!(states, expected);
    let race = told.task(&"T1".into()).and_then(|t| report::race(&told, t));
    assert_eq!(race.as_deref(), Some("T1.r3 of 3 tries is taken: well done"));

    // T2 came after, and wrote the same file in a worktree that a try had.
    assert_eq!(rig.read("src/answer.txt").as_deref(), Some("by T2\n"));
    let status = git(&rig.project, &["status", "--porcelain", "--untracked-files=all"]).expect("git");
    let mut changed: Vec<_> = status.lines().map(str::trim).collect();
    changed.sort_unstable();
    assert_eq!(changed, ["?? src/mine-T1.r3.txt", "?? src/mine-T2.txt", "M src/answer.txt"]);
    assert_eq!(git(&rig.project, &["for-each-ref"]).expect("git"), before);

    // The comparison saw both diffs, in full.
    let compares = |kind: &AttemptKind| *kind == AttemptKind::Review(Subject::Task("T1".into()));
    assert_eq!(told.attempts.values().filter(|a| compares(&a.kind)).count(), 1);
    let looks = facts.iter().filter_map(|(_, event)| match event {
        Event::Inspected { subject: Subject::Task(task), inspection } if task.as_str().contains(".r") => {
            Some(inspection.changed.len())
        }
        _ => None,
    });
    assert_eq!(looks.collect::<Vec<_>>(), [2, 2, 2]);
    let word =
        Control::Accept { subject: Subject::Task("T1.r1".into()), by: "the user", reason: "mine".into() };
    let why = rig.engine.control(mission.clone(), word).await.expect_err("one was taken").to_string();
    assert!(why.contains("task T1.r1 is raced"), "{why}");
    // The mission is read from the store as it was.
    assert!(
        rig.store.mission(mission).await.expect("a row").is_some_and(|row| row.done == 2 && row.total == 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sound_try_one_worker_goes_on_in_clean_files() {
    let broken: Work = Box::new(|task, turn, folder| {
        assert!(!folder.join("src/mine.txt").exists() || turn > 1, "{task} finds what another left");
        let text = if task.contains(".r") { "BROKEN\n" } else { "good\n" };
        write(&folder.join("src/answer.txt"), text);
        write(&folder.join("src/mine.txt"), task);
    });
    let mut plan = plan();
    plan.tasks.truncate(1);
    let rig = GitRig::new(&[("check.sh", CHECK)], plan, broken, Box::new(|_| {}));
    let (mission, done) = rig.begin(Options { race: Some(2), ..Options::default() }).await;
    rig.ended(&mission, done).await;
    assert_eq!(rig.read("src/answer.txt").as_deref(), Some("good\n"));
    assert_eq!(rig.read("src/mine.txt").as_deref(), Some("T1"));
    let facts = rig.facts(&mission).await;
    let told = replay(&mission, &facts).expect("a mission");
    assert_eq!(told.state.name(), "completed", "{:?}", told.report);
    assert!(facts.iter().any(|(_, event)| matches!(event, Event::RaceLost { .. })));
}
