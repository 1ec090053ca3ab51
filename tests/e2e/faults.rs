//! What goes wrong before and around a mission: the sidecar, the store, the project, a second host. In each case the user
//! reads one sentence that says what to do, nothing else is printed, nothing is left running, and the host goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use gantry::engine::core::event::Event;
use serde_json::json;
use xtask::lab::demo;
use xtask::lab::host::Finished;
use xtask::lab::model::{Recorded, Role, Rule, Turn};

use crate::script::{self, GREETING, PLAIN, PLAIN_ANSWER, REFUSED, TASK};
use crate::support::{BEAT, PATIENCE, Stage, new_session, shim, task, wait};

// ---- the sidecar

#[test]
fn a_missing_sidecar_is_named() {
    let stage = Stage::small(script::one_task);
    let file = stage.folder().join("nowhere/gantry");
    let stage = stage.adjust(|env| env.gantry(&file));
    let sentence = format!("Gantry's sidecar is not at {}; correct GANTRY_BIN or remove it.", file.display());
    assert_refused(&stage, &sentence);
}

#[test]
fn a_sidecar_without_the_right_to_run_is_named() {
    let stage = Stage::small(script::one_task).stand_in("exit 0");
    let file = stage.folder().join("stand-in");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let file = file.display();
    assert_refused(&stage, &format!("Gantry's sidecar {file} is not executable; run \"chmod +x {file}\"."));
}

#[test]
fn a_sidecar_of_another_version_is_named() {
    let refusal = r#"read -r line
id=$(printf %s "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32010,"message":"speaks protocol 99"}}'
cat > /dev/null"#;
    let stage = Stage::small(script::one_task).stand_in(refusal);
    let file = stage.folder().join("stand-in");
    let finished = assert_refused(&stage, "");
    let said = format!("Gantry's sidecar {} does not belong to this plugin", file.display());
    assert!(finished.stdout.starts_with(&said), "{finished:?}");
    assert!(finished.stdout.contains("install the same version of both."), "{finished:?}");
}

#[test]
fn a_sidecar_that_dies_at_start_is_given_up_after_three_times() {
    let stage = Stage::small(script::one_task);
    let starts = stage.folder().join("starts");
    let stage = stage.stand_in(&format!("echo started >> '{}'\nexit 7", starts.display()));
    let file = stage.folder().join("stand-in");
    let finished = assert_refused(&stage, "");
    let said = format!("Gantry's sidecar {} ended at start three times in a row; see ", file.display());
    assert!(finished.stdout.starts_with(&said), "{finished:?}");
    assert_eq!(
        fs::read_to_string(&starts).unwrap(),
        "started\n".repeat(3),
        "the plain run after it started none"
    );
}

/// Refuses `/task` with this sentence (any, when it is empty) and is of use for everything else.
#[test]
fn a_fault_in_the_options_is_told_and_a_correction_counts_at_once() {
    let stage = Stage::small(script::one_task);
    let file = stage.project.join("gantry.jsonc");
    fs::write(&file, "{\n  \"wrokers\": 2\n}\n").unwrap();
    let said = format!(
        "Gantry's configuration has a fault. {}:2: no option \"wrokers\"; did you mean \"workers\"?",
        file.display()
    );
    assert_refused(&stage, &said);
    fs::write(&file, "{\n  \"workers\": 2, \"todo\": \"PLAN.md\"\n}\n").unwrap();
    // Of two entries for one file, the host takes that of the project.
    let config = stage.project.join("opencode.json");
    let entry = format!("file://{}", shim().display());
    let options = json!({"permissions": ["deny webfetch"], "budgetTokns": 9_000_000});
    fs::write(&config, json!({"plugin": [[entry, options]]}).to_string()).unwrap();
    let of_entry = "no option \"budgetTokns\"; did you mean \"budgetTokens\"?";
    let finished = assert_refused(&stage, "");
    assert!(finished.stdout.contains(of_entry), "{finished:?}");
    let options = json!({"permissions": ["deny webfetch"], "budgetTokens": 9_000_000});
    fs::write(&config, json!({"plugin": [[entry, options]]}).to_string()).unwrap();
    let finished = flagged(&stage, &format!("--budget $5 {TASK}"));
    let told = stage.only();
    assert_eq!(told.state(), "completed", "{finished:?}");
    let options = &told.mission.created.options;
    assert_eq!((options.workers, options.budget_dollars), (2, Some(5.0)));
    assert_eq!(options.permissions.as_deref(), Some(&["deny webfetch".to_owned()][..]));
    assert!(stage.project.join("PLAN.md").is_file() && !stage.project.join("TODO.md").exists());
}

#[test]
fn a_budget_ends_a_mission_and_keeps_what_was_done() {
    let stage = Stage::sample(|project| demo::script(project, BEAT));
    let finished = flagged(&stage, &format!("--budget 1500 {}", demo::TASK));
    let told = stage.only();
    assert!(matches!(told.state(), "partially_completed" | "failed"), "{finished:?}");
    assert!(told.report().contains("The budget is spent: "), "{}", told.report());
    assert!(told.report().contains(" of 1500 tokens used; "), "{}", told.report());
    assert_eq!(told.mission.created.text, demo::TASK, "the flag is no part of the work");
    assert_eq!(told.mission.created.options.budget_tokens, Some(1_500));
    let (mut spent, mut begun) = (0, 0);
    for (_, event) in &told.facts {
        match event {
            Event::AttemptOpened { .. } => {
                assert!(spent < 1_500, "a turn was begun with {spent} tokens spent");
                begun += 1;
            }
            Event::AttemptClosed { usage, .. } => spent += usage.tokens,
            _ => {}
        }
    }
    assert!(begun > 0 && spent >= 1_500, "{begun} attempts, {spent} tokens");
    stage.assert_nothing_left();
}

/// `/task` with flags, headless; without `--` the host would take them for its own.
fn flagged(stage: &Stage, text: &str) -> Finished {
    stage.env.run(&["--command", "task", "--", text]).unwrap().wait(PATIENCE).unwrap()
}

fn assert_refused(stage: &Stage, sentence: &str) -> Finished {
    let finished = stage.task(TASK);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let (said, answer) = finished.stdout.trim().rsplit_once('\n').unwrap_or_default();
    assert_eq!(answer, REFUSED, "{finished:?}");
    assert_eq!(said.trim().lines().count(), 1, "one sentence: {finished:?}");
    if !sentence.is_empty() {
        assert_eq!(said.trim(), sentence);
    }
    assert!(stage.told().is_empty(), "no mission was accepted");
    assert_plain_run_works(stage);
    stage.assert_no_misses();
    stage.assert_nothing_left();
    finished
}

fn assert_plain_run_works(stage: &Stage) {
    let plain = stage.run(PLAIN);
    assert_eq!((plain.code, plain.stdout.trim()), (Some(0), PLAIN_ANSWER), "{plain:?}");
}

// ---- the request

#[test]
fn an_empty_task_is_answered_with_how_to_write_one() {
    let stage = Stage::small(script::one_task);
    for empty in ["", "  \t "] {
        let finished = stage.task(empty);
        let wanted =
            format!("Say what is to be done, for example: /task add a dark mode and test it.\n{REFUSED}");
        let lines: Vec<&str> = finished.stdout.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(lines.join("\n"), wanted, "{finished:?}");
    }
    stage.assert_no_misses();
    stage.assert_nothing_left();
    assert!(!stage.env.gantry_home().join("gantry.db").exists(), "the sidecar was not even started");
}

// ---- the project

#[test]
fn a_project_without_git_is_worked_on_all_the_same() {
    let plain_folder = |folder: &Path| fs::write(folder.join("notes.txt"), "first line\n").unwrap();
    let stage = Stage::bare(plain_folder, script::one_task).gantry();
    let finished = stage.task(TASK);
    let told = stage.only();
    assert_eq!(told.state(), "completed", "{finished:?}");
    assert_eq!(finished.stdout.trim(), told.report().trim());
    assert!(told.report().contains("Changed files: hello.txt\n"), "{}", told.report());
    assert_eq!(fs::read_to_string(stage.project.join("hello.txt")).unwrap(), GREETING);
    assert!(fs::read_to_string(stage.project.join("TODO.md")).unwrap().contains("- [x] T1: "));
    let mut names: Vec<_> = fs::read_dir(&stage.project).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["TODO.md", "hello.txt", "notes.txt"]);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

#[test]
fn a_read_only_project_is_refused_before_any_work() {
    let stage = Stage::small(script::one_task);
    let Some(_sealed) = Sealed::seal(&stage.project) else {
        eprintln!(
            "skipped: no way to make a folder read-only here (chattr +i is refused, and root ignores modes)"
        );
        return;
    };
    let finished = stage.task(TASK);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("make it writable, or work on a copy"), "{finished:?}");
    assert!(!stage.model.requests().iter().any(|r| r.role == Role::Worker), "no worker was sent");
    assert_plain_run_works(&stage);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

/// A folder in which nothing can be made or removed.
struct Sealed<'a>(&'a Path);

impl<'a> Sealed<'a> {
    fn seal(folder: &'a Path) -> Option<Self> {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
        // For root modes mean nothing.
        if rustix::process::geteuid().is_root() && !change(folder, "+i") {
            return None;
        }
        let sealed = Self(folder);
        fs::write(folder.join("probe"), "").is_err().then_some(sealed)
    }
}

impl Drop for Sealed<'_> {
    fn drop(&mut self) {
        if rustix::process::geteuid().is_root() {
            change(self.0, "-i");
        }
        fs::set_permissions(self.0, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn change(folder: &Path, attribute: &str) -> bool {
    let output = Command::new("chattr").arg(attribute).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

// ---- the store

#[test]
fn a_store_that_cannot_grow_accepts_no_mission() {
    // The signal that comes with the limit is ignored, so that the write itself fails.
    let stage =
        Stage::small(script::one_task).stand_in("trap '' XFSZ\nulimit -f 8\nexec \"$GANTRY_REAL\" \"$@\"");
    let finished = stage.task(TASK);
    assert!(finished.stdout.contains("gantry.db"), "{finished:?}");
    assert_refused_by_store(&stage, &finished);
}

#[test]
fn a_full_disk_accepts_no_mission_and_says_what_to_free() {
    // 64 KiB is too little to make the store, 200 KiB enough to make it and too little for a long mission.
    for size in ["64k", "200k"] {
        let mount = format!("mount -t tmpfs -o size={size} gantry-test \"$GANTRY_HOME\"");
        let stage = Stage::small(script::one_task);
        fs::create_dir_all(stage.env.gantry_home()).unwrap();
        if !in_private_mounts(&stage, &mount) {
            eprintln!("skipped: a small file system cannot be mounted here (unshare and mount are refused)");
            return;
        }
        let run = format!(
            "exec unshare {} sh -c '{mount} && exec \"$GANTRY_REAL\" \"$@\"' sh \"$@\"",
            namespaces()
        );
        let stage = stage.stand_in(&run);
        let finished = stage.task(&format!("{TASK} {}", "and mind the long story ".repeat(4_000)));
        assert!(
            finished.stdout.contains("the store is full: free some space on the disk of "),
            "{finished:?}"
        );
        assert_refused_by_store(&stage, &finished);
    }
}

#[test]
fn a_disk_that_is_full_for_a_while_delays_a_mission_and_loses_nothing() {
    let stage = Stage::small(|project| {
        let write = json!({"filePath": project.join("hello.txt"), "content": GREETING});
        // Too long for what a log of the store has left over.
        let report = json!({"status": "done", "summary": "It took a while. ".repeat(10_000)});
        let worker = Rule::new(Role::Worker).contains("Task T1: ");
        script::one_task(project)
            .first(worker.clone().call("write", write).call("submit_report", script::report()))
            .first(worker.contains("Attempt 1 of 3\n").turn(Turn::call("submit_report", report).gate("full")))
    });
    fs::create_dir_all(stage.env.gantry_home()).unwrap();
    let mount = "mount -t tmpfs -o size=2m gantry-test \"$GANTRY_HOME\"";
    if !in_private_mounts(&stage, mount) {
        eprintln!("skipped: a small file system cannot be mounted here (unshare and mount are refused)");
        return;
    }
    let flag = |name: &str| stage.folder().join(name);
    let [fill, filled, free] = ["fill", "filled", "free"].map(flag);
    let file = stage.folder().join("on-a-small-disk");
    let script = format!(
        "{mount} || exit 1
        (until [ -e '{}' ]; do sleep 0.05; done
        cat /dev/zero > \"$GANTRY_HOME/ballast\" 2> /dev/null
        touch '{}'
        until [ -e '{}' ]; do sleep 0.05; done
        rm \"$GANTRY_HOME/ballast\") < /dev/null > /dev/null 2>&1 &
        exec \"$GANTRY_REAL\" \"$@\"",
        fill.display(),
        filled.display(),
        free.display()
    );
    fs::write(&file, script).unwrap();
    let stage = stage.stand_in(&format!("exec unshare {} sh '{}' \"$@\"", namespaces(), file.display()));

    let mut host = stage.env.run_command("task", TASK).unwrap();
    let worker = |turn: usize| {
        move |records: &[Recorded]| {
            records.iter().any(|r| r.role == Role::Worker && r.turn == turn).then_some(())
        }
    };
    stage.model.wait_for(PATIENCE, worker(0)).unwrap();
    fs::write(&fill, "").unwrap();
    wait("a full disk", PATIENCE, || filled.exists().then_some(()));
    stage.model.open("full");
    stage.model.wait_for(PATIENCE, worker(1)).unwrap();
    let requests = stage.model.requests();
    let told = requests.iter().rfind(|r| r.role == Role::Worker).unwrap();
    assert!(told.raw.contains("the store is full: free some space on the disk of "), "{}", told.raw);
    fs::write(&free, "").unwrap();

    let finished = host.wait(PATIENCE).unwrap();
    assert!(finished.stdout.contains(": completed\n"), "{finished:?}");
    assert!(finished.stdout.contains("1 of 1 tasks done"), "{finished:?}");
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

fn assert_refused_by_store(stage: &Stage, finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines: Vec<&str> = finished.stdout.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 2, "one sentence and the model's answer: {finished:?}");
    assert_eq!(lines[1], REFUSED, "{finished:?}");
    assert!(
        !stage.model.requests().iter().any(|r| r.prompt.contains("has been accepted")),
        "not acknowledged"
    );
    assert!(stage.told().is_empty());
    assert_plain_run_works(stage);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

fn namespaces() -> &'static str {
    if rustix::process::geteuid().is_root() { "--mount" } else { "--mount --user --map-root-user" }
}

fn in_private_mounts(stage: &Stage, command: &str) -> bool {
    let mut unshare = stage.env.command(Path::new("unshare")).unwrap();
    let output = unshare.args(namespaces().split(' ')).args(["sh", "-c", command]).output();
    output.is_ok_and(|output| output.status.success())
}

// ---- two hosts

#[test]
fn a_second_host_in_the_project_is_told_who_works_there() {
    let stage = Stage::small(|project| script::one_task(project).first(gated_worker(project)));
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| task(host, &session, TASK));
        wait("a worker", PATIENCE, || {
            stage.model.requests().iter().any(|r| r.role == Role::Worker).then_some(())
        });

        let second = stage.task("Write another greeting");
        let lines: Vec<&str> = second.stdout.lines().filter(|line| !line.trim().is_empty()).collect();
        let told = stage.only();
        assert!(lines[0].starts_with("another OpenCode (gantry process "), "{second:?}");
        let advice =
            format!("is running mission {} in this project: wait for it, or cancel it there.", told.row.id);
        assert!(lines[0].ends_with(&advice), "{second:?}");
        assert_eq!(lines[1..], [REFUSED], "{second:?}");
        assert_plain_run_works(&stage);

        stage.model.open("go on");
        assert!(first.join().unwrap().contains("completed"));
    });
    assert_eq!(stage.only().state(), "completed");
    let third = stage.task("Write the greeting once more");
    assert!(third.stdout.contains("completed"), "free again: {third:?}");
    drop(server);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

fn gated_worker(project: &Path) -> Rule {
    let write = json!({"filePath": project.join("hello.txt"), "content": GREETING});
    Rule::new(Role::Worker)
        .contains("Task T1: ")
        .turn(Turn::call("write", write).gate("go on"))
        .call("submit_report", script::report())
}

// ---- permissions

/// Without a terminal the host refuses by itself whatever its user would be asked.
#[test]
fn a_permission_that_is_refused_is_named_as_the_reason() {
    let stage =
        Stage::small(script::one_task).adjust(|env| env.config(json!({"permission": {"edit": "ask"}})));
    let finished = stage.task(TASK);
    let told = stage.only();
    assert_eq!(told.state(), "failed", "{finished:?}");
    assert_eq!(finished.stdout.trim(), told.report().trim());
    assert!(told.report().contains("permission"), "{}", told.report());
    assert!(!told.report().contains("restarted"), "{}", told.report());
    let asked = finished.stderr.matches("permission requested: edit").count();
    assert!((1..=6).contains(&asked), "asked {asked} times for the same thing");
    assert_plain_run_works(&stage);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}
