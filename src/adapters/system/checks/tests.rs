//! Real commands, real process groups.
use super::super::tail::KEPT;
use super::CommandChecks;
use crate::domain::verdict::{CheckOutcome, CheckResult};
use crate::ports::workspace::Checks;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Outlives every test, so that a run can be spawned.
fn checks() -> &'static CommandChecks {
    static CHECKS: std::sync::LazyLock<CommandChecks> = std::sync::LazyLock::new(CommandChecks::default);
    &CHECKS
}

async fn run(root: &Path, command: &str) -> CheckResult {
    checks().run(root.to_path_buf(), command.into(), 20_000).await
}

/// The pids that a script wrote to a file, one a line, once there are `count`.
async fn pids(file: &Path, count: usize) -> Vec<u32> {
    for _ in 0..500 {
        let text = fs::read_to_string(file).unwrap_or_default();
        let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if pids.len() == count && text.ends_with('\n') {
            return pids;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} never had {count} pids", file.display());
}

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

async fn all_end(pids: &[u32]) {
    for _ in 0..300 {
        if !pids.iter().any(|pid| lives(*pid)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still running: {pids:?}");
}

#[tokio::test]
async fn a_command_runs_in_the_root_and_its_end_is_told() {
    let root = folder();
    fs::write(root.path().join("a file"), "inside\n").expect("a file");
    let cases = [
        ("cat 'a file'", CheckOutcome::Passed, "inside\n"),
        ("echo one; echo two >&2; echo three", CheckOutcome::Passed, "one\ntwo\nthree\n"),
        ("sh -c 'exit 3'", CheckOutcome::Failed(3), ""),
        ("exit 4", CheckOutcome::Failed(4), ""),
        ("sh -c 'kill -9 $$'", CheckOutcome::Failed(137), ""),
        ("echo $CI", CheckOutcome::Passed, "1\n"),
        ("cat", CheckOutcome::Passed, ""),
    ];
    for (command, outcome, tail) in cases {
        let result = run(root.path(), command).await;
        assert_eq!((result.outcome, result.tail.as_str()), (outcome, tail), "{command}");
        assert_eq!(result.command, command);
        assert!(result.millis < 10_000, "{command}: {}", result.millis);
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let root = folder();
    fs::write(root.path().join("plain"), "text").expect("a file");
    let cases = [
        ("no-such-program-here --x", root.path().to_path_buf(), "install it"),
        ("./plain", root.path().to_path_buf(), "check its mode"),
        (" ", root.path().to_path_buf(), "empty"),
        ("true", root.path().join("none"), "not a folder"),
    ];
    for (command, root, text) in cases {
        let result = run(&root, command).await;
        assert_eq!(result.outcome, CheckOutcome::NotRun, "{command}");
        assert!(result.tail.contains(text), "{command}: {}", result.tail);
    }
}

#[tokio::test]
async fn the_end_of_a_long_output_is_kept() {
    let root = folder();
    let result = run(root.path(), "seq 1 200000").await;
    assert_eq!(result.outcome, CheckOutcome::Passed);
    assert!(
        result.tail.ends_with("\n199999\n200000\n") && result.tail.len() <= KEPT,
        "{}",
        result.tail.len()
    );
}

#[tokio::test]
async fn a_time_limit_ends_the_whole_family() {
    let root = folder();
    fs::write(
        root.path().join("family"),
        "echo begun\necho $$ >> pids\n(sleep 300 & echo $! >> pids; wait) &\nsleep 300 & echo $! >> pids\nwait\n",
    )
    .expect("a script");
    let result = checks().run(root.path().into(), "sh family".into(), 400).await;
    assert_eq!(result.outcome, CheckOutcome::TimedOut);
    assert_eq!(result.tail, "begun\n");
    assert!((400..2000).contains(&result.millis), "asked to end, it ends: {}", result.millis);
    all_end(&pids(&root.path().join("pids"), 3).await).await;
}

#[tokio::test]
async fn one_that_does_not_listen_is_killed_after_two_seconds() {
    let root = folder();
    fs::write(
        root.path().join("deaf"),
        "trap '' TERM\necho $$ >> pids\nsleep 300 & echo $! >> pids\necho up\nwait\n",
    )
    .expect("a script");
    let result = checks().run(root.path().into(), "sh deaf".into(), 300).await;
    assert_eq!((result.outcome, result.tail.as_str()), (CheckOutcome::TimedOut, "up\n"));
    assert!((2300..4000).contains(&result.millis), "{}", result.millis);
    all_end(&pids(&root.path().join("pids"), 2).await).await;
}

#[tokio::test]
async fn a_dropped_run_ends_the_whole_family() {
    let root = folder();
    fs::write(
        root.path().join("family"),
        "trap '' TERM\necho $$ >> pids\n(sleep 300 & echo $! >> pids; wait) &\nwait\n",
    )
    .expect("a script");
    let task = tokio::spawn(checks().run(root.path().into(), "sh family".into(), 60_000));
    let pids = pids(&root.path().join("pids"), 2).await;
    assert!(pids.iter().all(|pid| lives(*pid)));
    task.abort();
    assert!(task.await.is_err());
    all_end(&pids).await;
}

#[tokio::test]
async fn what_a_finished_command_left_behind_ends_with_it() {
    let root = folder();
    let result = run(root.path(), "sleep 300 & echo $! > pids; echo done").await;
    assert_eq!((result.outcome, result.tail.as_str()), (CheckOutcome::Passed, "done\n"));
    assert!(result.millis < 2000, "the stray holds the pipe, and is not waited for: {}", result.millis);
    all_end(&pids(&root.path().join("pids"), 1).await).await;
}

#[tokio::test]
async fn output_of_one_that_left_the_group_is_not_waited_for() {
    let root = folder();
    let result =
        run(root.path(), "setsid sh -c 'echo $$ > pids; exec sleep 20' & sleep 0.3; echo done").await;
    assert_eq!((result.outcome, result.tail.as_str()), (CheckOutcome::Passed, "done\n"));
    assert!(result.millis < 5000, "{}", result.millis);
    let left = pids(&root.path().join("pids"), 1).await;
    for pid in left {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
