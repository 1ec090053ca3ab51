use super::TodoFiles;
use super::change::{IfMissing, change};
use super::lock::Lock;
use super::target::fault;
use crate::domain::todo::{Document, TodoItem, TodoState};
use crate::ports::workspace::{Todo, TodoPlan, WorkspaceError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Lab {
    folder: tempfile::TempDir,
    todo: TodoFiles,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        std::fs::create_dir(folder.path().join("project")).expect("a project");
        let todo = TodoFiles::new(folder.path().join("data"));
        Self { folder, todo }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("project/TODO.md")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).expect("a plan file")
    }

    /// The folder with the lock and the versions of the only file.
    fn kept(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.folder.path().join("data/todo")).expect("the data folder");
        let folder = entries.next().expect("one file").expect("readable").path();
        assert!(entries.next().is_none(), "one file has one folder");
        folder
    }

    async fn publish(&self, ids: &[&str]) -> Result<u64, WorkspaceError> {
        self.publish_at("TODO.md", ids).await
    }

    async fn publish_at(&self, file: &str, ids: &[&str]) -> Result<u64, WorkspaceError> {
        let root = self.folder.path().join("project");
        self.todo.publish(root, file.into(), plan("m1", ids), Vec::new()).await
    }

    async fn update(&self, id: &str, state: TodoState) -> Result<u64, WorkspaceError> {
        self.todo.update(self.file(), "m1".into(), vec![(id.into(), state)], Vec::new()).await
    }

    /// Of which there is a copy.
    fn versions(&self) -> Vec<u64> {
        let number = |name: &str| name.strip_prefix('v')?.strip_suffix(".md")?.parse().ok();
        let mut versions: Vec<u64> = std::fs::read_dir(self.kept())
            .expect("the versions")
            .filter_map(|entry| number(entry.ok()?.file_name().to_str()?))
            .collect();
        versions.sort_unstable();
        versions
    }

    fn project(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("project")).expect("the project");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn plan(mission: &str, ids: &[&str]) -> TodoPlan {
    let item = |id: &&str| TodoItem {
        id: id.to_string(),
        title: format!("Title of {id}"),
        state: TodoState::Open,
        files: Vec::new(),
        depends_on: Vec::new(),
    };
    TodoPlan { mission: mission.into(), title: "A mission".into(), items: ids.iter().map(item).collect() }
}

fn reason(result: Result<u64, WorkspaceError>) -> String {
    match result {
        Err(WorkspaceError::File { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plan_is_written_and_ticked() {
    let lab = Lab::new();
    std::fs::write(lab.file(), "mine\r\n").expect("written");
    assert_eq!(lab.publish(&["T1", "T2"]).await, Ok(1));
    assert_eq!(lab.update("T2", TodoState::Done).await, Ok(2));
    assert_eq!(lab.update("T2", TodoState::Done).await, Ok(2), "nothing to do, no new version");
    assert_eq!(
        lab.text(),
        "mine\r\n\r\n<!-- gantry:begin mission=m1 version=2 -->\r\n## A mission\r\n\
         - [ ] T1: Title of T1\r\n- [x] T2: Title of T2\r\n<!-- gantry:end -->\r\n"
    );
    assert_eq!(lab.project(), ["TODO.md"], "nothing else in the project");
}

#[tokio::test]
async fn the_folder_of_a_plan_file_is_made() {
    let lab = Lab::new();
    assert_eq!(lab.publish_at("docs/plans/PLAN.md", &["T1"]).await, Ok(1));
    let text = std::fs::read_to_string(lab.folder.path().join("project/docs/plans/PLAN.md"));
    assert!(text.expect("a plan file").contains("- [ ] T1: Title of T1"));
    assert_eq!(lab.project(), ["docs"]);
}

#[tokio::test]
async fn the_last_twenty_versions_stay_readable() {
    let lab = Lab::new();
    lab.publish(&["T1"]).await.expect("written");
    for turn in 0..25 {
        let state = if turn % 2 == 0 { TodoState::Running } else { TodoState::Review };
        lab.update("T1", state).await.expect("written");
    }
    assert_eq!(lab.versions(), (7..=26).collect::<Vec<u64>>());
    assert_eq!(std::fs::read_to_string(lab.kept().join("v26.md")).expect("a version"), lab.text());
    let earlier = std::fs::read_to_string(lab.kept().join("v25.md")).expect("a version");
    assert_eq!(
        (Document::parse(&earlier).version(), Document::parse(&earlier).items("m1")[0].state),
        (25, TodoState::Review)
    );
}

#[tokio::test]
async fn a_deleted_file_is_written_anew() {
    let lab = Lab::new();
    std::fs::write(lab.file(), "mine\n").expect("written");
    lab.publish(&["T1"]).await.expect("written");
    std::fs::remove_file(lab.file()).expect("removed");
    assert_eq!(lab.update("T1", TodoState::Done).await, Ok(2));
    assert!(lab.text().starts_with("mine\n") && lab.text().contains("- [x] T1"), "{}", lab.text());

    std::fs::remove_file(lab.file()).expect("removed");
    assert_eq!(
        lab.update("T1", TodoState::Done).await,
        Ok(2),
        "back again although nothing is to be changed"
    );
    assert!(lab.text().contains("- [x] T1"));

    std::fs::remove_file(lab.file()).expect("removed");
    assert_eq!(lab.publish(&["T1"]).await, Ok(3), "a version is never used twice");
    assert!(lab.text().starts_with("<!-- gantry:begin"), "a new plan begins with an empty file");
}

#[tokio::test]
async fn a_removed_section_is_not_forced_back() {
    let lab = Lab::new();
    lab.publish(&["T1"]).await.expect("written");
    std::fs::write(lab.file(), "mine\n").expect("written");
    let text = reason(lab.update("T1", TodoState::Done).await);
    assert_eq!(text, "the section of this mission was removed; publish its plan again to go on");
    assert_eq!(lab.text(), "mine\n");
}

#[tokio::test]
async fn what_an_editor_saves_meanwhile_is_kept() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    let mut saves = 3;
    let file = lab.file();
    let version = change(
        &lab.folder.path().join("data/todo"),
        &lab.file(),
        "m1",
        IfMissing::Restore,
        tokio::time::Instant::now() + Duration::from_secs(60),
        |document, _, version| {
            let changed = document.set_states("m1", &[("T1".into(), TodoState::Done)], version);
            if saves > 0 {
                saves -= 1;
                let text = std::fs::read_to_string(&file).expect("a plan file");
                std::fs::write(&file, format!("saved {saves}\n{text}").replace("[ ] T2", "[x] T2"))
                    .expect("saved");
            }
            changed
        },
    );
    assert_eq!((version, saves), (Ok(2), 0));
    assert!(lab.text().starts_with("saved 0\nsaved 1\nsaved 2\n<!--"), "{}", lab.text());
    assert!(lab.text().contains("[x] T1") && lab.text().contains("[x] T2"), "{}", lab.text());
    assert_eq!(lab.project(), ["TODO.md"]);
}

#[tokio::test]
async fn a_program_that_never_stops_writing_is_named() {
    let lab = Lab::new();
    lab.publish(&["T1"]).await.expect("written");
    let (file, mut count) = (lab.file(), 0);
    let result = change(
        &lab.folder.path().join("data/todo"),
        &lab.file(),
        "m1",
        IfMissing::Restore,
        tokio::time::Instant::now() + Duration::from_secs(60),
        |document, _, version| {
            count += 1;
            std::fs::write(
                &file,
                format!("<!-- gantry:begin mission=m1 -->\n- [ ] T1: {count}\n<!-- gantry:end -->\n"),
            )
            .expect("saved");
            document.set_states("m1", &[("T1".into(), TodoState::Done)], version)
        },
    );
    assert_eq!(reason(result), "another program keeps changing it; close what has it open and try again");
    assert!(lab.text().contains(&format!("- [ ] T1: {count}")), "its text is what stays");
    assert_eq!(lab.project(), ["TODO.md"]);
}

#[cfg(unix)]
#[tokio::test]
async fn mode_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let lab = Lab::new();
    let real = lab.folder.path().join("elsewhere.md");
    std::fs::write(&real, "mine\n").expect("written");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("mode");
    symlink("link.md", lab.file()).expect("a link");
    symlink("../elsewhere.md", lab.folder.path().join("project/link.md")).expect("a link to it");
    lab.publish(&["T1"]).await.expect("written");
    assert!(lab.file().is_symlink() && lab.folder.path().join("project/link.md").is_symlink());
    let text = std::fs::read_to_string(&real).expect("the file behind the links");
    assert!(text.starts_with("mine\n") && text.contains("T1"), "{text}");
    assert_eq!(std::fs::metadata(&real).expect("meta").permissions().mode() & 0o777, 0o640);

    let direct =
        lab.todo.update(real.clone(), "m1".into(), vec![("T1".into(), TodoState::Done)], Vec::new()).await;
    assert_eq!(direct, Ok(2));
    lab.kept();

    std::fs::remove_file(&real).expect("removed");
    assert_eq!(lab.update("T1", TodoState::Open).await, Ok(3), "a link that leads nowhere is followed");
    assert!(lab.file().is_symlink() && real.is_file());

    std::fs::remove_file(lab.file()).expect("removed");
    symlink("TODO.md", lab.file()).expect("a link to itself");
    assert_eq!(reason(lab.publish(&["T1"]).await), "too many symbolic links; point it at a file");
}

#[tokio::test]
async fn what_cannot_be_written_is_said_and_left_alone() {
    let lab = Lab::new();
    std::fs::create_dir(lab.file()).expect("a folder");
    assert!(reason(lab.publish(&["T1"]).await).starts_with("is a folder; move it away"));
    std::fs::remove_dir(lab.file()).expect("removed");

    std::fs::write(lab.file(), b"caf\xe9\n").expect("written");
    assert!(reason(lab.publish(&["T1"]).await).starts_with("is not UTF-8 text; save it"));
    assert_eq!(std::fs::read(lab.file()).expect("bytes"), b"caf\xe9\n");

    std::fs::File::create(lab.file()).and_then(|file| file.set_len((4 << 20) + 1)).expect("a large file");
    assert!(reason(lab.publish(&["T1"]).await).starts_with("is larger than 4 MB"));

    std::fs::write(lab.file(), "mine\n").expect("written");
    let mut permissions = std::fs::metadata(lab.file()).expect("meta").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(lab.file(), permissions).expect("read-only");
    assert!(reason(lab.publish(&["T1"]).await).starts_with("is read-only; make it writable"));
    assert_eq!((lab.text().as_str(), lab.project().len()), ("mine\n", 1));

    let nowhere = lab.folder.path().join("no/such");
    let gone = lab.todo.publish(nowhere.clone(), "docs/TODO.md".into(), plan("m1", &["T1"]), Vec::new());
    assert_eq!(reason(gone.await), "its folder does not exist; create it");
    assert!(!nowhere.exists(), "a project that is gone is not made again");
    assert_eq!(
        reason(lab.publish_at("TODO.md/PLAN.md", &["T1"]).await),
        "a file is in the way of its folder; move it away or set another path for the plan file"
    );
}

#[test]
fn every_kind_of_failure_says_what_to_do() {
    let rows = [
        (
            ErrorKind::PermissionDenied,
            "/p/TODO.md: may not be written; give the user that runs Gantry the right to",
        ),
        (
            ErrorKind::ReadOnlyFilesystem,
            "/p/TODO.md: is read-only; make it writable to have the plan kept in it",
        ),
        (ErrorKind::StorageFull, "/p/TODO.md: the disk is full; make room and go on"),
        (ErrorKind::QuotaExceeded, "/p/TODO.md: the disk is full; make room and go on"),
    ];
    for (kind, text) in rows {
        assert_eq!(fault(Path::new("/p/TODO.md"), &io::Error::from(kind)).to_string(), text);
    }
}

/// The lock of the only plan file, as another process would hold it.
fn locked(lab: &Lab, name: &str) -> Lock {
    let soon = tokio::time::Instant::now() + Duration::from_secs(10);
    Lock::take(&lab.kept().join(name), soon).expect("free")
}

#[tokio::test]
async fn a_process_that_keeps_others_waiting_is_told_of_and_the_next_change_is_made() {
    let mut lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    lab.todo = TodoFiles::new(lab.folder.path().join("data")).patient_for(Duration::from_millis(100));
    for name in ["lock", "writer"] {
        let held = locked(&lab, name);
        assert_eq!(
            reason(lab.update("T1", TodoState::Running).await),
            "another process has kept it locked for too long; end that process and try again",
            "{name}"
        );
        drop(held);
    }
    lab.todo = TodoFiles::new(lab.folder.path().join("data"));
    lab.update("T2", TodoState::Done).await.expect("written");
    lab.update("T1", TodoState::Running).await.expect("written");
    assert!(lab.text().contains("[~] T1") && lab.text().contains("[x] T2"), "{}", lab.text());
}

/// Both changes are versions before either is in the file: the one that comes to write takes the other with it.
#[tokio::test]
async fn changes_that_wait_come_into_the_file_together() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    let busy = locked(&lab, "writer");
    let both = async { tokio::join!(lab.update("T1", TodoState::Done), lab.update("T2", TodoState::Failed)) };
    let free = async {
        while lab.versions().last() != Some(&3) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(lab.text().contains("version=1"), "nobody else writes the file meanwhile");
        drop(busy);
    };
    let ((one, two), ()) = tokio::join!(both, free);
    let mut versions = [one.expect("written"), two.expect("written")];
    versions.sort_unstable();
    assert_eq!((versions, Document::parse(&lab.text()).version()), ([2, 3], 3));
    assert!(lab.text().contains("[x] T1") && lab.text().contains("[!] T2"), "{}", lab.text());
}

#[tokio::test]
async fn a_change_that_waits_is_made_anew_when_the_file_comes_from_elsewhere_meanwhile() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    let busy = locked(&lab, "writer");
    let elsewhere = async {
        while lab.versions().last() != Some(&2) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lab.save("version=1", "version=900");
        drop(busy);
    };
    let (version, ()) = tokio::join!(lab.update("T1", TodoState::Done), elsewhere);
    assert_eq!(version, Ok(901));
    assert!(lab.text().contains("[x] T1"), "{}", lab.text());
}

/// A change that was told to have failed must not come into the file later, with somebody else's.
#[tokio::test]
async fn a_change_that_failed_stays_out() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    let read_only = |on: bool| {
        let mut permissions = std::fs::metadata(lab.file()).expect("meta").permissions();
        permissions.set_readonly(on);
        std::fs::set_permissions(lab.file(), permissions).expect("its rights");
    };
    read_only(true);
    assert!(reason(lab.update("T1", TodoState::Done).await).starts_with("is read-only"));
    read_only(false);
    lab.update("T2", TodoState::Done).await.expect("written");
    assert!(lab.text().contains("[ ] T1") && lab.text().contains("[x] T2"), "{}", lab.text());
    assert_eq!(lab.versions(), [1, 2]);
}

/// As a process leaves it that is killed between the file's new name and its mark.
#[tokio::test]
async fn a_version_that_is_in_the_file_without_the_mark_counts_as_written() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    let mark = std::fs::read(lab.kept().join("mark")).expect("a mark");
    lab.update("T1", TodoState::Done).await.expect("written");
    std::fs::write(lab.kept().join("mark"), &mark).expect("as it was before");
    assert_eq!(lab.update("T1", TodoState::Done).await, Ok(2), "nothing is to be done");
    assert_eq!(lab.update("T2", TodoState::Done).await, Ok(3));
    // A person has saved it, and no process was there since.
    std::fs::write(lab.kept().join("mark"), mark).expect("as it was before");
    lab.save("[x] T2", "[ ] T2");
    assert_eq!(lab.update("T1", TodoState::Failed).await, Ok(4));
    assert_eq!(lab.edits(&[]).await, [marked("T2", TodoState::Open)], "told from what was written last");
    // A power cut may take what is not the plan file itself.
    std::fs::write(lab.kept().join("mark"), "").expect("spoilt");
    assert_eq!(lab.update("T1", TodoState::Review).await, Ok(5));
    assert_eq!(
        lab.versions(),
        [1, 3, 4, 5],
        "of those before the file's own only 1 was known to have been in it"
    );
}

/// Runs `child` of this file as a process of its own.
#[allow(clippy::disallowed_methods, reason = "the test binary itself, as another process")]
fn spawn(lab: &Lab, job: &str, number: usize) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().expect("the test binary"))
        .args(["--exact", "adapters::todo::tests::child", "--ignored", "--nocapture"])
        .env("TODO_TEST_JOB", job)
        .env("TODO_TEST_NUMBER", number.to_string())
        .env("TODO_TEST_FOLDER", lab.folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .spawn()
        .expect("a process")
}

#[tokio::test]
#[ignore = "the other process of the tests below; does nothing by itself"]
async fn child() {
    let var = |name: &str| std::env::var(name).ok();
    let (Some(job), Some(number), Some(folder)) =
        (var("TODO_TEST_JOB"), var("TODO_TEST_NUMBER"), var("TODO_TEST_FOLDER"))
    else {
        return;
    };
    let (todo, file) =
        (TodoFiles::new(format!("{folder}/data")), PathBuf::from(format!("{folder}/project/TODO.md")));
    match job.as_str() {
        "tick" => {
            for i in 0..CHANGES {
                // Each item is changed eight times; its last state is done.
                let state = [TodoState::Done, TodoState::Running][(i / ITEMS + 1) % 2];
                let states = vec![(format!("P{number}.{}", i % ITEMS), state)];
                todo.update(file.clone(), "m1".into(), states, Vec::new()).await.expect("written");
            }
        }
        _ => {
            for turn in 0.. {
                let state = TodoState::ALL[turn % 2];
                let states = (0..MANY).map(|i| (format!("T{i}"), state)).collect();
                todo.update(file.clone(), "m1".into(), states, Vec::new()).await.expect("written");
            }
        }
    }
}

const PROCESSES: usize = 8;
const CHANGES: usize = 200;
/// Items of each process: together they are as many as a plan may have tasks.
const ITEMS: usize = 25;
/// Items of a file that takes many system calls' worth of bytes to write.
const MANY: usize = 2000;

#[tokio::test]
async fn eight_processes_lose_no_change_of_each_other() {
    let lab = Lab::new();
    let ids: Vec<String> =
        (0..PROCESSES).flat_map(|number| (0..ITEMS).map(move |i| format!("P{number}.{i}"))).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    lab.publish(&ids).await.expect("written");
    let children: Vec<_> = (0..PROCESSES).map(|number| spawn(&lab, "tick", number)).collect();
    for mut child in children {
        assert!(child.wait().expect("its end").success());
    }
    let document = Document::parse(&lab.text());
    let open: Vec<String> = document
        .items("m1")
        .into_iter()
        .filter(|item| item.state != TodoState::Done)
        .map(|item| item.id)
        .collect();
    assert_eq!(open, Vec::<String>::new(), "lost changes");
    assert_eq!(document.version(), 1 + (PROCESSES * CHANGES) as u64);
    assert_eq!(lab.project(), ["TODO.md"]);
}

/// The version of a file of which nothing is missing and whose last change was made in full.
fn whole(text: &str) -> u64 {
    let document = Document::parse(text);
    let items = document.items("m1");
    assert_eq!(items.len(), MANY, "a part of the file");
    assert!(items.iter().all(|item| item.state == items[0].state), "half a change");
    assert!(text.ends_with("<!-- gantry:end -->\n"));
    document.version()
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_the_old_text_or_the_new() {
    let lab = Lab::new();
    let ids: Vec<String> = (0..MANY).map(|i| format!("T{i}")).collect();
    lab.publish(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await.expect("written");
    let mut version = 1;
    for round in 0..10 {
        let mut child = spawn(&lab, "flip", 0);
        // A reader finds one of them at any moment, too: in place, the file would be short for a part of the time.
        let goal = version + 5;
        while version < goal {
            version = whole(&lab.text());
            tokio::time::sleep(Duration::from_micros(100)).await;
            assert!(child.try_wait().expect("its state").is_none(), "it ended by itself");
        }
        tokio::time::sleep(Duration::from_micros(1100 * round)).await;
        child.kill().expect("killed");
        child.wait().expect("its end");
        version = whole(&lab.text());
    }
    let state = if lab.text().contains("- [ ] T0:") { TodoState::Done } else { TodoState::Open };
    assert!(lab.update("T0", state).await.expect("written") > version);
    assert_eq!(lab.project(), ["TODO.md"], "what a killed process left is gone");
}

// ---- what people change

use crate::domain::todo::Edit;

fn marked(id: &str, state: TodoState) -> Edit {
    Edit::Marked { id: id.into(), state }
}

impl Lab {
    /// The edits that are told when these are known; panics when none come.
    async fn edits(&self, known: &[Edit]) -> Vec<Edit> {
        let told = self.todo.edited(self.file(), "m1".into(), known.to_vec());
        tokio::time::timeout(Duration::from_secs(20), told).await.expect("an edit is told")
    }

    fn save(&self, from: &str, to: &str) {
        let text = self.text();
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(self.file(), text.replace(from, to)).expect("saved");
    }
}

#[tokio::test]
async fn edits_made_while_nobody_looked_are_told_and_survive_every_write_until_they_were_seen() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2", "T3"]).await.expect("written");
    lab.save("[ ] T1", "[x] T1");
    let tick = vec![marked("T1", TodoState::Done)];
    assert_eq!(lab.edits(&[]).await, tick);
    lab.update("T2", TodoState::Running).await.expect("written");
    lab.update("T1", TodoState::Running).await.expect("written");
    lab.publish(&["T1", "T2", "T3"]).await.expect("a process that takes over writes the plan anew");
    assert!(lab.text().contains("- [x] T1") && lab.text().contains("- [ ] T2"), "{}", lab.text());
    assert_eq!(lab.edits(&[]).await, tick, "told until it was seen");
    let states = vec![("T1".to_owned(), TodoState::Done)];
    lab.todo.update(lab.file(), "m1".into(), states, tick.clone()).await.expect("written");
    assert_eq!(lab.edits(&tick).await, [], "seen, and the file says what Gantry says");
    let bases = std::fs::read_dir(lab.kept()).expect("the data folder").filter_map(|entry| {
        entry.ok()?.file_name().into_string().ok().filter(|name| name.ends_with(".base"))
    });
    assert_eq!(bases.count(), 1, "one base for one section");
}

#[tokio::test]
async fn an_edit_is_told_within_300_ms_however_the_editor_saves() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    let mut known = Vec::new();
    let mut slowest = Duration::ZERO;
    for round in 0..10 {
        let (from, to) = if round % 2 == 0 { ("[ ] T1", "[x] T1") } else { ("[x] T1", "[ ] T1") };
        let told = known.clone();
        let waiting = lab.edits(&told);
        tokio::pin!(waiting);
        let early = tokio::time::timeout(Duration::from_millis(60), &mut waiting).await;
        assert!(early.is_err(), "nothing new: {early:?}");
        let text = lab.text().replace(from, to);
        let began = tokio::time::Instant::now();
        if round % 3 == 0 {
            let swap = lab.file().with_file_name("TODO.md.swp");
            std::fs::write(&swap, &text).and_then(|()| std::fs::rename(&swap, lab.file())).expect("saved");
        } else {
            std::fs::write(lab.file(), &text).expect("saved");
        }
        known = waiting.await;
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_millis(300), "{slowest:?}");
}

/// The folder cannot be watched before it is there, so the file is looked at.
#[tokio::test]
async fn an_edit_is_told_where_no_watcher_can_be_had() {
    let lab = Lab::new();
    let file = lab.folder.path().join("project/docs/PLAN.md");
    let waiting = lab.todo.edited(file.clone(), "m1".into(), Vec::new());
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(20), &mut waiting).await;
    assert!(early.is_err(), "there is no file: {early:?}");
    lab.publish_at("docs/PLAN.md", &["T1"]).await.expect("written");
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "nobody has edited it: {early:?}");
    let text = std::fs::read_to_string(&file).expect("a plan file");
    let began = tokio::time::Instant::now();
    std::fs::write(&file, text.replace("[ ] T1", "[x] T1")).expect("saved");
    assert_eq!(waiting.await, [marked("T1", TodoState::Done)]);
    assert!(began.elapsed() < Duration::from_millis(1_000), "five looks a second: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_plan_of_ten_thousand_items_is_written_ticked_and_read_back() {
    let lab = Lab::new();
    let ids: Vec<String> = (0..10_000).map(|i| format!("T{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    lab.publish(&ids).await.expect("written");
    lab.update("T1", TodoState::Done).await.expect("written");
    lab.save("[ ] T9999:", "[x] T9999:");
    assert_eq!(lab.edits(&[]).await, [marked("T9999", TodoState::Done)]);
    lab.update("T1000", TodoState::Failed).await.expect("written");
    let items = Document::parse(&lab.text()).items("m1");
    let closed = items.iter().filter(|item| item.state != TodoState::Open);
    let closed: Vec<_> = closed.map(|item| (item.id.as_str(), item.state)).collect();
    let wanted = [("T1", TodoState::Done), ("T1000", TodoState::Failed), ("T9999", TodoState::Done)];
    assert_eq!((items.len(), closed), (10_000, wanted.to_vec()));
}

#[tokio::test]
async fn a_file_or_a_section_that_went_away_removes_no_task() {
    let lab = Lab::new();
    lab.publish(&["T1", "T2"]).await.expect("written");
    lab.save("- [ ] T2: Title of T2\n", "");
    let removed = vec![Edit::Removed { id: "T2".into() }];
    assert_eq!(lab.edits(&[]).await, removed);
    std::fs::write(lab.file(), "mine\n").expect("saved");
    assert_eq!(lab.edits(&removed).await, []);
    std::fs::remove_file(lab.file()).expect("removed");
    let told = tokio::time::timeout(Duration::from_millis(500), lab.edits(&[])).await;
    assert!(told.is_err(), "{told:?}");
}
