//! Missions in worktrees: side by side in one file, nothing of the user's touched before the end, and the same worktrees
//! again for the next mission.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule, Script, Turn};
use xtask::lab::sample::git;

use crate::script;
use crate::support::{PATIENCE, Stage, Told, calls, messages, new_session, small_project, task, text, wait};

const LIST: [&str; 9] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

fn list(first: &str, last: &str) -> String {
    let mut lines = LIST;
    (lines[0], lines[8]) = (first, last);
    lines.join("\n") + "\n"
}

/// Two tasks that each write the whole file with one line of their own; one also tries the user's tree, directly and
/// through a link.
fn script(project: &Path) -> Script {
    let commander = Rule::new(Role::Commander)
        .contains("Call the tool `mission`")
        .call("mission", json!({"brief": "Mend both ends of list.txt."}))
        .turn(Turn::echo());
    let plan =
        script::plan(&[script::task("T1", &["list.txt"], &[]), script::task("T2", &["list.txt"], &[])]);
    let write = |file: Value, content: String| json!({"filePath": file, "content": content});
    let worker = |id: &str| {
        Rule::new(Role::Worker)
            .contains(&format!("Task {id}: "))
            .call("read", json!({"filePath": "list.txt"}))
    };
    let first = worker("T1")
        .call("write", write(json!(project.join("outside.txt")), "x\n".into()))
        .call("bash", json!({"command": way_out(project), "description": "link"}))
        .call("write", write(json!("way-out/outside.txt"), "x\n".into()))
        .call("bash", json!({"command": "rm way-out", "description": "tidy"}))
        .turn(Turn::call("write", write(json!("list.txt"), list("ONE", "nine"))).gate("work"))
        .call("submit_report", script::report());
    let second = worker("T2")
        .turn(Turn::call("write", write(json!("list.txt"), list("one", "NINE"))).gate("work"))
        .call("submit_report", script::report());
    Script::new()
        .rule(commander)
        .rule(
            Rule::new(Role::Planner)
                .contains("Plan the mission")
                .turn(Turn::call("submit_plan", plan).gate("plan")),
        )
        .rule(script::integration(script::approve()))
        .rule(first)
        .rule(second)
        .rule(script::reviewer("T1", script::approve()))
        .rule(script::reviewer("T2", script::approve()))
}

/// A link to the user's tree that no word of the command names.
fn way_out(project: &Path) -> String {
    let (folder, name) =
        (project.parent().unwrap().display(), project.file_name().unwrap().to_string_lossy());
    format!("F={folder}; ln -s $F/{name} way-out; git status --porcelain")
}

fn make(project: &Path) {
    fs::write(project.join("list.txt"), list("one", "nine")).unwrap();
    small_project(project);
    // What the user is at.
    fs::write(project.join("notes.txt"), "not committed\n").unwrap();
}

#[test]
fn two_tasks_change_one_file_side_by_side_and_the_user_sees_the_verified_whole() {
    let stage = Stage::bare(make, script).gantry().adjust(|env| {
        env.env("GANTRY_CHECKS", "[\"grep -q three list.txt\"]").env("GANTRY_WORKTREES_AHEAD", "2")
    });
    let server = stage.env.serve().unwrap();
    let host = server.client_in(&stage.project);
    let dot_git = || {
        git(&stage.project, &["for-each-ref"]).unwrap() + &git(&stage.project, &["worktree", "list"]).unwrap()
    };
    let before = dot_git();
    let read = |name: &str| fs::read_to_string(stage.project.join(name)).unwrap();

    let session = new_session(&host);
    let ahead = std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(&host, &session, "--worktree Mend both ends"));
        // While it is planned, the host gets two ready, as far as its own log tells.
        let ahead =
            wait("two worktrees", PATIENCE, || Some(worktrees_opened(&stage)).filter(|all| all.len() == 2));
        assert!(stage.model.requests().iter().all(|r| r.role != Role::Worker));
        stage.model.open("plan");
        wait("both workers", PATIENCE, || at_work(&stage).then_some(()));
        // In the middle of it the user works on.
        fs::write(stage.project.join("mine.txt"), "written meanwhile\n").unwrap();
        assert_eq!(read("list.txt"), list("one", "nine"));
        stage.model.open("work");
        let said = turn.join().unwrap();
        assert!(said.contains("The result was put into your files, as it was checked."), "{said}");
        ahead
    });

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(read("list.txt"), list("ONE", "NINE"));
    assert_eq!(
        (read("notes.txt").as_str(), read("mine.txt").as_str()),
        ("not committed\n", "written meanwhile\n")
    );
    assert!(!stage.project.join("outside.txt").exists());
    assert_eq!(dot_git(), before);
    let paths = |told: &Told| {
        told.mission.tasks.iter().map(|t| t.worktree.as_ref().unwrap().path.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(paths(&told), ahead, "the tasks had what was made ready");
    let isolation = told.mission.isolation.as_ref().unwrap();
    assert_eq!(
        isolation.landed,
        told.mission.whole.verdict.as_ref().unwrap().tree,
        "the very tree that was approved"
    );
    refused_outside(&told, &host);

    // What was put into the user's files is taken back, and only that.
    let id = told.row.id.0.get(..13).unwrap();
    stage.cli(&["rollback", id]);
    assert_eq!((read("list.txt"), read("mine.txt")), (list("one", "nine"), "written meanwhile\n".to_owned()));
    stage.cli(&["rollback", id, "--undo"]);
    assert_eq!(read("list.txt"), list("ONE", "NINE"));

    // The next one, to a branch, in the same worktrees: the host knows them already.
    fs::write(stage.project.join("gantry.json"), "{\"isolation\": \"worktree\", \"integrate\": \"branch\"}")
        .unwrap();
    fs::write(stage.project.join("list.txt"), list("one", "nine")).unwrap();
    let session = new_session(&host);
    let said = task(&host, &session, "Mend both ends again");
    let again = stage.told().pop().unwrap();
    let branch = format!("gantry/{}", again.row.id);
    assert!(said.contains(&format!("on the branch {branch}")), "{said}");
    let left =
        wait("the branch", PATIENCE, || git(&stage.project, &["show", &format!("{branch}:list.txt")]).ok());
    assert_eq!(left.trim_end(), list("ONE", "NINE").trim_end());
    assert_eq!(read("list.txt"), list("one", "nine"));
    assert_eq!(paths(&told), paths(&again));
    drop(server);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

/// Worktrees in which the host has loaded what a first turn waits for.
fn worktrees_opened(stage: &Stage) -> BTreeSet<String> {
    let home = stage.env.gantry_home().display().to_string();
    let logs = fs::read_dir(stage.env.root().join("data/opencode/log")).into_iter().flatten().flatten();
    let text: String = logs.filter_map(|log| fs::read_to_string(log.path()).ok()).collect();
    let booted = text.lines().filter(|line| line.contains("booting location services"));
    let directory = booted.filter_map(|line| line.split_once("directory=")?.1.split(' ').next());
    directory.filter(|directory| directory.starts_with(&home)).map(str::to_owned).collect()
}

fn at_work(stage: &Stage) -> bool {
    let requests = stage.model.requests();
    let at = |task: &str, turn| {
        requests
            .iter()
            .any(|r| r.role == Role::Worker && r.turn == turn && r.prompt.contains(&format!("Task {task}: ")))
    };
    at("T1", 5) && at("T2", 1)
}

fn refused_outside(told: &Told, host: &xtask::lab::host::Client) {
    let of_first = |a: &&gantry::engine::core::state::Attempt| {
        a.kind == gantry::engine::core::event::AttemptKind::Work(gantry::domain::ids::TaskId::new("T1"))
    };
    let worker = told.mission.attempts.values().find(of_first).unwrap();
    let parts = calls(&messages(host, worker.session.as_ref().unwrap().as_str()));
    let errors: Vec<&str> = parts
        .iter()
        .filter(|part| part["tool"] == "write" && part["state"]["status"] == "error")
        .map(|part| text(&part["state"]["error"]))
        .collect();
    assert_eq!(errors.len(), 2, "{parts:#?}");
    assert!(
        errors.iter().all(|error| error.contains("Only files of the project can be changed.")),
        "{errors:?}"
    );
}

/// Both change the same line; the second also tries the user's tree by shell, and mends what both sides have made of it.
fn contradiction(project: &Path) -> Script {
    let commander = Rule::new(Role::Commander)
        .contains("Call the tool `mission`")
        .call("mission", json!({"brief": "Mend the head of list.txt."}))
        .turn(Turn::echo());
    let plan =
        script::plan(&[script::task("T1", &["list.txt"], &[]), script::task("T2", &["list.txt"], &[])]);
    let read = || Turn::call("read", json!({"filePath": "list.txt"}));
    let write =
        |first: &str| Turn::call("write", json!({"filePath": "list.txt", "content": list(first, "mine")}));
    let shell = |command: String| Turn::call("bash", json!({"command": command, "description": "try"}));
    let first = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .turn(read())
        .turn(write("ONE").gate("both"))
        .call("submit_report", script::report());
    let second = Rule::new(Role::Worker)
        .contains("Task T2: ")
        .turn(shell(format!("echo x > {}/outside.txt", project.display())))
        .turn(shell(format!("cd '{}' && touch outside.txt", project.display())))
        .turn(read())
        .turn(write("EINS").gate("both"))
        .turn(Turn::call("submit_report", script::report()).gate("late"));
    let again = Rule::new(Role::Worker)
        .contains("Task T2: ")
        .contains("Both sides stand in the file, what was accepted first")
        .turn(read())
        .turn(write("ONE EINS"))
        .call("submit_report", script::report());
    Script::new()
        .rule(commander)
        .rule(script::planner(plan))
        .rule(script::integration(script::approve()))
        .rule(again)
        .rule(first)
        .rule(second)
        .rule(script::reviewer("T1", script::approve()))
        .rule(script::reviewer("T2", script::approve()))
}

#[test]
fn a_contradiction_goes_back_with_both_sides_and_the_users_tree_is_out_of_reach() {
    let dirty = |project: &Path| {
        make(project);
        git(project, &["add", "--all"]).unwrap();
        fs::write(project.join("list.txt"), list("one", "mine")).unwrap();
    };
    let stage = Stage::bare(dirty, contradiction).gantry();
    let server = stage.env.serve().unwrap();
    let host = server.client_in(&stage.project);
    let index = || git(&stage.project, &["ls-files", "--stage"]).unwrap();
    let before = index();

    let session = new_session(&host);
    let worked = |task: &str, turns: usize| {
        let marks = format!("Task {task}: ");
        let requests = stage.model.requests();
        requests.iter().any(|r| r.role == Role::Worker && r.turn == turns && r.prompt.contains(&marks))
    };
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(&host, &session, "--worktree Mend the head"));
        wait("both at the same line", PATIENCE, || (worked("T1", 1) && worked("T2", 3)).then_some(()));
        stage.model.open("both");
        let first_is_in = |told: &Told| told.mission.task(&"T1".into()).unwrap().state.name() == "completed";
        wait("T1 accepted", PATIENCE, || stage.told().pop().filter(first_is_in));
        assert_eq!(fs::read_to_string(stage.project.join("list.txt")).unwrap(), list("one", "mine"));
        stage.model.open("late");
        turn.join().unwrap();
    });

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    let attempts: Vec<_> = told.mission.tasks.iter().map(|t| t.attempts).collect();
    assert_eq!(attempts, [1, 2], "{}", told.report());
    let read = |name: &str| fs::read_to_string(stage.project.join(name)).ok();
    assert_eq!(read("list.txt"), Some(list("ONE EINS", "mine")), "what was not committed is there still");
    assert_eq!((read("notes.txt").as_deref(), read("outside.txt")), (Some("not committed\n"), None));
    assert_eq!(index(), before);

    // The same conversation saw both sides, and was kept from the user's tree before the host asked anybody.
    let works = |a: &&gantry::engine::core::state::Attempt| {
        a.kind == gantry::engine::core::event::AttemptKind::Work("T2".into())
    };
    let worker = told.mission.attempts.values().find(works).unwrap();
    let parts = calls(&messages(&host, worker.session.as_ref().unwrap().as_str()));
    let of = |tool: &str| parts.iter().filter(|part| part["tool"] == tool).collect::<Vec<_>>();
    let seen = text(&of("read")[1]["state"]["output"]);
    assert!(["<<<<<<<", "ONE", "EINS", ">>>>>>>"].iter().all(|side| seen.contains(side)), "{seen}");
    for denied in of("bash") {
        assert!(text(&denied["state"]["error"]).contains("is the user's own working tree"), "{denied}");
    }
    assert_eq!((of("bash").len(), told.mission.asks.len()), (2, 0));
    drop(server);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}
