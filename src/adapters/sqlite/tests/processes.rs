//! Several processes on one file, and processes that die. The test binary runs itself again with an
//! environment variable that names the part to play.
#![allow(clippy::disallowed_methods, reason = "a second process is what is tested")]
use super::super::SqliteStore;
use super::{contract, scratch};
use crate::ports::store::{Claim, OwnerToken, Store, StoreError};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PART: &str = "GANTRY_TEST_STORE_PART";
const FILE: &str = "GANTRY_TEST_STORE_FILE";

fn command(program: &Path, part: &str, file: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "adapters::sqlite::tests::processes::another_process", "--nocapture"])
        .env(PART, part)
        .env(FILE, file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

fn start(part: &str, file: &Path) -> Child {
    let program = std::env::current_exe().expect("the test binary");
    command(&program, part, file).spawn().expect("a second process")
}

/// Not a test of its own: does nothing unless another test has started it.
#[tokio::test]
async fn another_process() {
    let (Ok(part), Some(file)) = (std::env::var(PART), std::env::var_os(FILE)) else { return };
    let opened = SqliteStore::open(Path::new(&file));
    match part.as_str() {
        "open" => match opened {
            Ok(_) => println!("said opened"),
            Err(error) => println!("said {error:?}"),
        },
        "share" => {
            let store = opened.expect("the store");
            println!("said {}", contract::write_until(&store, "shared", 100).await);
        }
        "acknowledge" => {
            let store = opened.expect("the store");
            let kept = contract::length(&store, "m1").await as u64;
            for after in kept.. {
                store.append(vec![contract::append("m1", after, 1)]).await.expect("an append");
                println!("said {}", after + 1);
            }
        }
        "claim" => {
            let store = opened.expect("the store");
            let by = contract::identity(&format!("process {}", std::process::id()));
            let claim = store.claim("m1".into(), by, 1000, crate::domain::ids::Millis(5000), |_| true).await;
            println!("said {}", matches!(claim, Ok(Claim::Granted(OwnerToken { fence: 2, .. }))));
        }
        other => panic!("no part {other}"),
    }
}

fn said(child: &mut Child) -> impl Iterator<Item = String> {
    let out = BufReader::new(child.stdout.take().expect("its output"));
    // The test harness prints around, and on the same line as, what the part prints.
    out.lines().filter_map(|line| Some(line.ok()?.split_once("said ")?.1.to_string()))
}

/// What every one of `count` processes said last.
fn run(count: usize, part: &str, file: &Path) -> Vec<String> {
    let mut children: Vec<_> = (0..count).map(|_| start(part, file)).collect();
    let mut answers = Vec::new();
    for child in &mut children {
        answers.push(said(child).last().expect("an answer"));
        assert!(child.wait().expect("its end").success());
    }
    answers
}

#[tokio::test]
async fn processes_share_a_mission() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "shared", 0).await.expect("a mission");
    assert_eq!(run(3, "share", &path), ["100", "100", "100"]);
    assert_eq!(contract::length(&store, "shared").await, 301);
}

#[test]
fn processes_that_make_the_store_together_all_get_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("home/gantry.db");
    assert_eq!(run(6, "open", &path), ["opened"; 6]);
}

#[tokio::test]
async fn one_process_wins_a_claim() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    let answers = run(5, "claim", &path);
    assert_eq!(answers.iter().filter(|a| *a == "true").count(), 1, "{answers:?}");
}

#[tokio::test]
async fn every_acknowledged_record_outlives_a_killed_writer() {
    let (store, path, _folder) = scratch();
    contract::create(&store, "m1", 0).await.expect("a mission");
    drop(store);
    let mut acknowledged: u64 = 1;
    for records in [30, 3, 60] {
        let mut child = start("acknowledge", &path);
        let last = said(&mut child).nth(records).expect("some records");
        child.kill().expect("a kill");
        child.wait().expect("its end");
        acknowledged = last.parse().expect("a number");
        let store = SqliteStore::open(&path).expect("the store after a kill");
        let kept = contract::length(&store, "m1").await as u64;
        assert!(kept >= acknowledged, "{acknowledged} records were acknowledged, {kept} are there");
    }
    assert!(acknowledged > 90, "{acknowledged}");
}

/// The super user may write anywhere, so that it has to become somebody else for this.
#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_is_read_only() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let set = |p: &Path, mode| fs::set_permissions(p, Permissions::from_mode(mode)).expect("a mode");
    set(folder.path(), 0o755);
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("a folder");
    let old = home.join("old.db");
    drop(SqliteStore::open(&old).expect("a store"));
    set(&old, 0o444);
    set(&home, 0o555);
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().expect("the test binary"), &program).expect("a copy for anybody");
    for path in [home.join("new.db"), home.join("deeper/new.db"), old] {
        let mut command = command(&program, "open", &path);
        if rustix::process::geteuid().is_root() {
            command.uid(65534);
        }
        let mut child = spawn_copy(command);
        let expected = format!("{:?}", StoreError::ReadOnly { path: path.display().to_string() });
        assert_eq!(said(&mut child).last(), Some(expected));
        child.wait().expect("its end");
    }
    set(&home, 0o755);
}

/// A process that another test starts while the copy is being written holds it open for a moment, and a file
/// that is open for writing cannot be run.
#[cfg(unix)]
fn spawn_copy(mut command: Command) -> Child {
    for _ in 0..200 {
        match command.spawn() {
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            spawned => return spawned.expect("a second process"),
        }
    }
    panic!("the copy of the test binary stays busy");
}
