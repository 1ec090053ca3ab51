//! Missions in worktrees on a real repository.
use std::sync::atomic::Ordering;

use gantry::domain::ids::{Millis, MissionId};
use gantry::domain::permission::Call;
use gantry::domain::plan::{Draft, DraftTask};
use gantry::engine::core::event::{Event, Options, Scope, Subject};
use gantry::engine::handle::{Control, RollbackAsk, RollbackView, rollback_text};

use crate::git_rig::{GitRig, write};
use crate::until;

/// Passes while no part is broken.
const CHECK: (&str, &str) = ("check.sh", "! grep -rn broken parts\n");

fn task(n: usize, after: &[&str]) -> DraftTask {
    DraftTask {
        id: format!("T{n}"),
        title: format!("Part {n}"),
        description: "a part".into(),
        files: vec![format!("parts/T{n}.txt")],
        depends_on: after.iter().map(ToString::to_string).collect(),
        ..DraftTask::default()
    }
}

fn many(workers: u32) -> Options {
    Options { workers, reviewers: Some(workers), ..Options::default() }
}

fn approved(facts: &[(Millis, Event)]) -> usize {
    let task =
        |e: &Event| matches!(e, Event::Judged { subject: Subject::Task(_), verdict } if verdict.approved);
    facts.iter().filter(|(_, e)| task(e)).count()
}

/// Twelve changes are approved before the queue may begin, one of them breaks the check.
async fn twelve(culprit: usize) -> (usize, usize) {
    let plan = Draft {
        summary: "twelve parts".into(),
        tasks: (1..=12).map(|n| task(n, &[])).collect(),
        ..Draft::default()
    };
    let guilty = format!("T{culprit}");
    let work = move |task: &str, turn: u32, folder: &std::path::Path| {
        let broken = task == guilty && turn == 1;
        write(&folder.join(format!("parts/{task}.txt")), if broken { "broken\n" } else { "whole\n" });
    };
    let files = [CHECK, ("parts/T0.txt", "whole\n")];
    let rig = GitRig::new(&files, plan, Box::new(work), Box::new(|_| {}));
    rig.team.hold_reviews();
    let (mission, done) = rig.begin(many(12)).await;
    until("twelve reviewers at work", || rig.team.waiting.load(Ordering::SeqCst) == 12).await;
    rig.engine.control(mission.clone(), Control::Pause).await.expect("it runs");
    rig.team.release_reviews();
    rig.until(&mission, "twelve verdicts", |facts| approved(facts) == 12).await;
    rig.engine.control(mission.clone(), Control::Resume).await.expect("it waits");
    rig.ended(&mission, done).await;

    let view = rig.engine.view(mission.clone()).await.expect("it is there");
    assert_eq!(view.row.state, "completed", "{:?}", view.report);
    let again: Vec<_> = view.tasks.iter().filter(|t| t.attempts > 1).map(|t| t.id.clone()).collect();
    assert_eq!(again, [format!("T{culprit}")], "nobody else was sent back");
    for n in 1..=12 {
        assert_eq!(rig.read(&format!("parts/T{n}.txt")).as_deref(), Some("whole\n"));
    }
    let facts = rig.facts(&mission).await;
    let sent_back =
        |e: &Event| matches!(e, Event::Judged { subject: Subject::Task(_), verdict } if !verdict.approved);
    let blamed = facts.iter().position(|(_, e)| sent_back(e)).expect("somebody is blamed");
    let Event::Judged { verdict, .. } = &facts[blamed].1 else { unreachable!() };
    assert!(verdict.findings[0].message.contains(&format!("parts/T{culprit}.txt")), "{verdict:?}");
    let run = |e: &Event| matches!(e, Event::BatchChecked { results, .. } if !results.is_empty());
    let runs = |facts: &[(_, Event)]| facts.iter().filter(|(_, e)| run(e)).count();
    // The eleven others are in before the culprit is heard of again.
    let merged = facts.iter().filter_map(|(_, e)| match e {
        Event::BatchMerged { changes } => Some(*changes),
        _ => None,
    });
    assert_eq!(merged.sum::<u32>(), 12);
    (runs(&facts[..blamed]), runs(&facts))
}

#[tokio::test]
async fn one_culprit_of_twelve_is_found_by_halving_and_the_others_land() {
    for culprit in [1, 7, 12] {
        let (to_the_culprit, in_all) = twelve(culprit).await;
        assert!((4..=5).contains(&to_the_culprit), "{to_the_culprit} runs to find T{culprit} of 12");
        assert!(in_all <= 7, "{in_all} runs in all with T{culprit}");
        println!("T{culprit} of 12: {to_the_culprit} runs to find it, {in_all} in all");
    }
}

fn ask(scope: Scope) -> RollbackAsk {
    RollbackAsk { scope, dry_run: false, force: false, with_state: false }
}

/// Head of the list, middle, and end each belong to somebody.
fn list(head: &str, middle: &str, end: &str) -> String {
    format!("{head}\n1\n2\n3\n4\n{middle}\n5\n6\n7\n8\n{end}\n")
}

fn change(folder: &std::path::Path, from: &str, to: &str) {
    let file = folder.join("list.txt");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(file, text.replacen(from, to, 1)).expect("written");
}

/// T1 changes the head of the list, T2 makes a file, T3 the end of the list and a file of its own.
fn three() -> GitRig {
    let task = |n: usize, after: &[&str], files: &[&str]| DraftTask {
        files: files.iter().map(ToString::to_string).collect(),
        ..task(n, after)
    };
    let tasks = vec![
        task(1, &[], &["list.txt"]),
        task(2, &[], &["parts/T2.txt"]),
        task(3, &["T1", "T2"], &["list.txt", "parts/T3.txt"]),
    ];
    let work = |task: &str, _: u32, folder: &std::path::Path| match task {
        "T1" => change(folder, "head", "HEAD"),
        "T3" => {
            change(folder, "end", "END");
            write(&folder.join("parts/T3.txt"), "third\n");
        }
        task => write(&folder.join(format!("parts/{task}.txt")), "whole\n"),
    };
    let files = [CHECK, ("parts/T0.txt", "whole\n"), ("list.txt", &list("head", "middle", "end"))];
    GitRig::new(
        &files,
        Draft { summary: "three".into(), tasks, ..Draft::default() },
        Box::new(work),
        Box::new(|_| {}),
    )
}

/// Also an error where nothing was changed.
async fn roll_back(rig: &GitRig, m: &MissionId, scope: Scope) -> Result<RollbackView, String> {
    let view = rig.engine.rollback(m.clone(), ask(scope)).await.map_err(|refusal| refusal.to_string())?;
    if view.done { Ok(view) } else { Err(rollback_text(&view)) }
}

#[tokio::test]
async fn what_was_put_into_the_users_files_is_taken_back_but_for_what_the_user_edits() {
    let rig = three();
    rig.team.hold_reviews();
    let (m, done) = rig.begin(many(3)).await;
    until("T1 is reviewed", || rig.team.waiting.load(Ordering::SeqCst) == 2).await;
    rig.engine.control(m.clone(), Control::Pause).await.expect("it runs");
    let why = roll_back(&rig, &m, Scope::Mission).await.expect_err("nothing is there");
    assert_eq!(
        why,
        "it has changed no files of yours: its work is in worktrees until it is checked as a whole"
    );
    // Merged in before the result is put into the files, so it is there before and after.
    write(&rig.project.join("list.txt"), &list("head", "MINE", "end"));
    write(&rig.project.join("mine.txt"), "mine\n");
    rig.engine.control(m.clone(), Control::Resume).await.expect("it waits");
    rig.team.release_reviews();
    rig.ended(&m, done).await;
    let landed = Some(list("HEAD", "MINE", "END"));
    assert_eq!(rig.read("list.txt"), landed);

    let why = roll_back(&rig, &m, Scope::Task("T9".into())).await.expect_err("there is none");
    assert_eq!(why, "no work of task T9 is in your files: choose one of T1, T2, T3");
    // T2 alone has a file of its own; that of T1 was changed again since, by T3 and by the user.
    let view = roll_back(&rig, &m, Scope::Task("T2".into())).await.expect("it stands alone");
    assert!(view.steps.len() == 1 && rig.read("parts/T2.txt").is_none(), "{view:?}");
    roll_back(&rig, &m, Scope::Undo).await.expect("undone");
    assert_eq!(rig.read("parts/T2.txt").as_deref(), Some("whole\n"));
    let why = roll_back(&rig, &m, Scope::Task("T1".into())).await.expect_err("not alone");
    assert!(why.contains("- list.txt: T3 changed it since"), "{why}");
    let why = roll_back(&rig, &m, Scope::Task("T3".into())).await.expect_err("merged with the user's");
    assert!(why.contains("- list.txt: it was edited since"), "{why}");
    assert_eq!((rig.read("list.txt"), rig.read("parts/T3.txt").is_some()), (landed.clone(), true));

    // All of it: the user's own edit of before stays, also in the very file.
    roll_back(&rig, &m, Scope::Mission).await.expect("all back");
    assert_eq!(rig.read("list.txt"), Some(list("head", "MINE", "end")));
    assert!(rig.read("parts/T2.txt").is_none() && rig.read("parts/T3.txt").is_none());
    assert_eq!(rig.read("mine.txt").as_deref(), Some("mine\n"));
    roll_back(&rig, &m, Scope::Undo).await.expect("and again");
    assert_eq!(rig.read("list.txt"), landed);

    // An edit of afterwards is never lost: nothing is changed at all.
    write(&rig.project.join("list.txt"), &list("HEAD", "AGAIN MINE", "END"));
    let why = roll_back(&rig, &m, Scope::Mission).await.expect_err("it would be lost");
    assert!(why.contains("- list.txt: it was edited since"), "{why}");
    assert!(rig.read("parts/T2.txt").is_some() && rig.read("parts/T3.txt").is_some());
    let first = rig.engine.view(m.clone()).await.expect("there").checkpoints[0].sequence;
    let forced = RollbackAsk { force: true, ..ask(Scope::Checkpoint(first)) };
    assert!(rig.engine.rollback(m.clone(), forced).await.expect("forced").done);
    assert_eq!(rig.read("list.txt"), Some(list("head", "MINE", "end")));
    roll_back(&rig, &m, Scope::Undo).await.expect("it can be undone");
    assert_eq!(rig.read("list.txt"), Some(list("HEAD", "AGAIN MINE", "END")));
}

#[tokio::test]
async fn what_was_left_on_a_branch_is_in_no_file_that_could_be_taken_back() {
    let rig = three();
    let (m, done) = rig.begin(Options { as_branch: Some(true), ..many(3) }).await;
    rig.ended(&m, done).await;
    let why = roll_back(&rig, &m, Scope::Mission).await.expect_err("nothing is there");
    assert_eq!(why, format!("it has changed no files of yours: its result is on the branch gantry/{m}"));
    assert_eq!(rig.read("list.txt"), Some(list("head", "middle", "end")));
}

/// T2 is never approved (`refused`), or breaks the check; T3 waits for it. To its end, with T1 alone done.
async fn without_t2(refused: bool) -> (GitRig, MissionId) {
    let plan = Draft {
        summary: "three".into(),
        drop: Vec::new(),
        tasks: vec![task(1, &[]), task(2, &[]), task(3, &["T2"])],
    };
    let work = move |task: &str, _: u32, folder: &std::path::Path| {
        let text = if task == "T2" && !refused { "broken\n" } else { "whole\n" };
        write(&folder.join(format!("parts/{task}.txt")), text);
    };
    let files = [CHECK, ("parts/T0.txt", "whole\n")];
    let rig = GitRig::new(&files, plan, Box::new(work), Box::new(|_| {}));
    if refused {
        rig.team.objects.lock().insert("Review T2".into());
    }
    let (m, done) = rig.begin(many(3)).await;
    rig.ended(&m, done).await;
    assert_eq!(state(&rig, &m).await, ("partially_completed".into(), vec!["completed", "failed", "skipped"]));
    assert!(rig.read("parts/T1.txt").is_some() && rig.read("parts/T2.txt").is_none());
    (rig, m)
}

async fn state(rig: &GitRig, m: &MissionId) -> (String, Vec<&'static str>) {
    let view = rig.engine.view(m.clone()).await.expect("there");
    let names = ["completed", "failed", "skipped", "in_progress", "in_review"];
    let known = |state: &str| names.into_iter().find(|name| *name == state).unwrap_or("open");
    (view.row.state, view.tasks.iter().map(|t| known(&t.state)).collect())
}

/// The mission is begun again, and T2 is taken as done while its worker or reviewer is at it; to the next end.
async fn accepted(rig: &GitRig, m: &MissionId) -> String {
    let word =
        || Control::Accept { subject: Subject::Task("T2".into()), by: "the user", reason: "fine".into() };
    let why = rig.engine.control(m.clone(), word()).await.expect_err("it has ended");
    assert!(why.to_string().contains("retry the mission, and accept T2 then; the change is kept"), "{why}");
    rig.team.hold_reviews();
    let ends = |facts: &[(Millis, Event)]| {
        facts.iter().filter(|(_, e)| matches!(e, Event::WorktreesReleased { .. })).count()
    };
    rig.until(m, "the worktrees given up", |facts| ends(facts) == 1).await;
    rig.engine.control(m.clone(), Control::Retry).await.expect("begun again");
    rig.engine.control(m.clone(), word()).await.expect("its change is known");
    rig.team.release_reviews();
    rig.until(m, "the next end", |facts| ends(facts) == 2).await;
    rig.engine.view(m.clone()).await.expect("there").report.expect("a report")
}

#[tokio::test]
async fn a_task_in_a_worktree_is_accepted_with_the_change_that_its_gate_has_seen() {
    let (rig, m) = without_t2(true).await;
    let report = accepted(&rig, &m).await;
    assert_eq!(state(&rig, &m).await, ("completed".into(), vec!["completed"; 3]), "{report}");
    assert!(report.contains("- T2 accepted by the user, not by its gate"), "{report}");
    for n in 1..=3 {
        assert_eq!(rig.read(&format!("parts/T{n}.txt")).as_deref(), Some("whole\n"));
    }
}

#[tokio::test]
async fn the_users_word_takes_the_place_of_a_review_and_not_of_the_checks() {
    let (rig, m) = without_t2(false).await;
    let report = accepted(&rig, &m).await;
    let (ended, tasks) = state(&rig, &m).await;
    assert_eq!((ended.as_str(), tasks[1]), ("partially_completed", "failed"), "{report}");
    assert!(report.contains("T2 failed") && !report.contains("not by its gate"), "{report}");
    let facts = rig.facts(&m).await;
    let word =
        facts.iter().position(|(_, e)| matches!(e, Event::Accepted { tree: Some(_), .. })).expect("his word");
    let refused = |e: &Event| matches!(e, Event::Judged { subject: Subject::Task(t), verdict } if *t == "T2".into() && !verdict.approved);
    let refusal = facts[word..].iter().map(|(_, e)| e).find(|e| refused(e)).expect("the queue refuses it");
    assert!(
        format!("{refusal:?}").contains("the checks fail with it on top of what was accepted"),
        "{refusal:?}"
    );
    assert!(rig.read("parts/T2.txt").is_none(), "what fails its check is in no file of the user's");
}

/// In one tree nobody looks at a task's verdict again: the gate of the whole does.
#[tokio::test]
async fn what_is_edited_in_the_files_of_an_accepted_task_comes_before_the_gate_of_the_whole() {
    let plan = Draft { summary: "two".into(), drop: Vec::new(), tasks: vec![task(1, &[]), task(2, &["T1"])] };
    let work = |task: &str, _: u32, folder: &std::path::Path| {
        if task == "T2" {
            // The user, while T2 is at work.
            write(&folder.join("parts/T1.txt"), "broken\n");
        }
        let mended = if task == "R1" { "T1" } else { task };
        write(&folder.join(format!("parts/{mended}.txt")), "whole\n");
    };
    let files = [CHECK, ("parts/T0.txt", "whole\n")];
    let rig = GitRig::new(&files, plan, Box::new(work), Box::new(|_| {}));
    let (m, done) = rig.begin(Options { worktrees: Some(false), ..many(2) }).await;
    rig.ended(&m, done).await;
    let facts = rig.facts(&m).await;
    let whole: Vec<_> = facts
        .iter()
        .filter_map(|(_, e)| match e {
            Event::Judged { subject: Subject::Whole, verdict } => Some(verdict),
            _ => None,
        })
        .collect();
    assert_eq!(whole.iter().map(|v| v.approved).collect::<Vec<_>>(), [false, true]);
    assert!(whole[0].findings[0].message.contains("parts/T1.txt"), "{:?}", whole[0]);
    assert_eq!(state(&rig, &m).await, ("completed".into(), vec!["completed"; 3]));
    assert_eq!(rig.read("parts/T1.txt").as_deref(), Some("whole\n"));
}

/// A rule of paths is compared with the file that a path means, and with the name a link gives it.
#[cfg(unix)]
#[tokio::test]
async fn no_way_of_writing_a_path_gets_round_a_rule() {
    let plan = Draft { summary: "one part".into(), tasks: vec![task(1, &[])], ..Draft::default() };
    let work = |task: &str, _: u32, folder: &std::path::Path| {
        write(&folder.join("../parts").join(format!("{task}.txt")), "whole\n");
    };
    let files = [CHECK, ("parts/T0.txt", "whole\n"), ("src/a", ""), ("secrets/key", ""), ("held/a", "")];
    let rig = GitRig::new(&files, plan, Box::new(work), Box::new(|_| {}));
    for (to, link) in [("../secrets", "src/link"), ("src", "named"), ("/etc", "src/etc")] {
        std::os::unix::fs::symlink(to, rig.project.join(link)).expect("a link");
    }
    rig.team.hold_reviews();
    let permissions = [
        "deny edit secrets/*",
        "deny edit named/*",
        "deny edit *.md",
        "allow edit held/a.md",
        "deny read *",
        "allow read src/*",
    ];
    let permissions = permissions.map(String::from).to_vec();
    let options = Options { worktrees: Some(false), permissions: Some(permissions), ..many(1) };
    let (mission, done) = rig.begin_in("src", options).await;
    until("a reviewer at work", || rig.team.waiting.load(Ordering::SeqCst) == 1).await;
    let session = rig.team.session_of("Review ").expect("a session");
    let root = rig.project.display();
    for (path, edit, read) in [
        ("a".to_owned(), false, false),
        ("new/../a".into(), false, false),
        ("../src/a".into(), false, false),
        (format!("{root}/src/a"), false, false),
        ("key".into(), false, false),
        ("../secrets/key".into(), true, true),
        (format!("{root}/src/../secrets/key"), true, true),
        (format!("{root}/./secrets//key"), true, true),
        ("link/key".into(), true, true),
        ("../named/a".into(), true, false),
        ("../held/a".into(), false, true),
        ("../held/b.md".into(), true, true),
        (format!("{root}/held/a.md"), false, true),
        ("etc/passwd".into(), false, true),
        ("../../outside".into(), false, true),
    ] {
        let refused = |tool, paths: &[String], subject| {
            let call = Call { tool, paths, command: None, subject };
            rig.engine.rules_check(&session, call).is_err()
        };
        let told = (refused("write", std::slice::from_ref(&path), None), refused("read", &[], Some(&path)));
        assert_eq!(told, (edit, read), "{path}");
    }
    rig.team.release_reviews();
    rig.ended(&mission, done).await;
}
