//! What the gate lets pass and what it does not.

use gantry::engine::core::event::{AttemptKind, Event, Subject};
use serde_json::json;
use xtask::lab::model::{Role, Rule, Script, Turn};

use crate::script::{self, GREETING, TASK};
use crate::support::{PATIENCE, Stage, Told, calls, messages, new_session, task, text, wait};

/// T1 is done, T2 to T10 are blocked in each of their attempts.
fn one_of_ten(project: &std::path::Path) -> Script {
    let ids: Vec<String> = (1..=10).map(|n| format!("T{n}")).collect();
    let tasks: Vec<_> = ids.iter().map(|id| script::task(id, &[&format!("{id}.txt")], &[])).collect();
    let mut script = Script::new()
        .rule(script::commander())
        .rule(script::planner(script::plan(&tasks)))
        .rule(script::integration(script::approve()))
        .rule(script::worker(project, "T1", "T1.txt"))
        .rule(script::reviewer("T1", script::approve()));
    for id in &ids[1..] {
        let blocked = json!({"status": "blocked", "summary": "the text is nowhere to be found"});
        let rule = Rule::new(Role::Worker).contains(&format!("Task {id}: "));
        script = script.rule(rule.call("submit_report", blocked));
    }
    script
}

#[test]
fn nine_failed_and_one_done_are_never_complete_until_the_user_takes_them_as_done() {
    let stage = Stage::small(one_of_ten);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    let said = task(host, &session, TASK);
    let told = stage.only();
    assert_eq!(told.state(), "partially_completed", "{}", told.report());
    assert!(said.contains("1 of 10 tasks done"), "{said}");
    assert_eq!(told.report().matches(" failed: Write T").count(), 9, "{}", told.report());
    assert!(told.report().contains("the worker is blocked: the text is nowhere to be found"));

    let id = &told.row.id.0[..13];
    for n in 2..=10 {
        stage.cli(&["accept", id, &format!("T{n}"), "written", "by", "hand"]);
    }
    let completed = |told: &Told| told.state() == "completed" && told.mission.handed_back.is_some();
    let told = wait("the whole to pass", PATIENCE, || stage.told().pop().filter(completed));
    let report = told.report();
    assert_eq!(report.matches(" accepted by the user, not by its gate: Write T").count(), 9, "{report}");
    assert!(report.contains("Gates passed but for what the user accepted (T2, T3,"), "{report}");
    assert!(report.contains("— written by hand"), "{report}");
    stage.assert_no_misses();
}

/// T1 and T2 work side by side, each with a file of its own; T3 wants the file of T1.
fn trespassers(project: &std::path::Path) -> Script {
    let tasks = [
        script::task("T1", &["one.txt"], &[]),
        script::task("T2", &["two.txt"], &[]),
        script::task("T3", &["one.txt"], &[]),
    ];
    std::os::unix::fs::symlink("/tmp", project.join("away")).unwrap();
    std::os::unix::fs::symlink("one.txt", project.join("alias.txt")).unwrap();
    let write =
        |file: &str| Turn::call("write", json!({"filePath": project.join(file), "content": GREETING}));
    let shell =
        |command: &str| Turn::call("bash", json!({"command": command, "description": "Run a command"}));
    let second = Rule::new(Role::Worker)
        .contains("Task T2: ")
        .turn(write("one.txt").gate("both"))
        .turn(write("alias.txt"))
        .turn(write("away/gantry-never.txt"))
        .turn(write("../outside.txt"))
        .turn(write(".git/hooks/pre-commit"))
        .turn(write("two.txt"))
        .turn(shell("echo mine > one.txt"))
        .call("submit_report", script::report())
        .call("submit_report", script::report());
    let first = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .turn(Turn::call("read", json!({"filePath": project.join("notes.txt")})).gate("trespassed"))
        .turn(write("one.txt"))
        .call("submit_report", script::report());
    let third = Rule::new(Role::Worker).contains("Task T3: ").turn(shell("echo third >> one.txt"));
    let mut all = script::one_task(project)
        .first(first)
        .first(second)
        .first(third.call("submit_report", script::report()))
        .first(script::planner(script::plan(&tasks)));
    for id in ["T1", "T2", "T3"] {
        all = all.first(script::reviewer(id, script::approve()));
    }
    all
}

#[test]
fn a_worker_writes_nothing_of_anothers_by_no_way() {
    let stage = Stage::small(trespassers);
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(host, &session, TASK));
        let at_work = |told: &Told| {
            let at_work =
                |id: &str| told.mission.task(&id.into()).is_some_and(|t| t.state.name() == "in_progress");
            at_work("T1") && at_work("T2")
        };
        wait("both at work", PATIENCE, || stage.told().pop().filter(at_work));
        stage.model.open("both");
        let sent_back =
            |told: &Told| told.mission.task(&"T2".into()).is_some_and(|t| t.state.name() == "completed");
        wait("T2 to be sent back and done", PATIENCE, || stage.told().pop().filter(sent_back));
        stage.model.open("trespassed");
        turn.join().unwrap();
    });

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    let project = &stage.project;
    let read = |file: &str| std::fs::read_to_string(project.join(file)).unwrap_or_default();
    // T1's own write came after the shell command of T2, and T3 waited for both.
    assert_eq!(read("one.txt"), format!("{GREETING}third\n"));
    assert_eq!(read("two.txt"), GREETING);
    assert!(!project.join(".git/hooks/pre-commit").exists() && !project.join("../outside.txt").exists());
    assert!(!std::path::Path::new("/tmp/gantry-never.txt").exists());
    let children = host.get(&format!("/session/{session}/children")).unwrap();
    let refused: Vec<String> = children
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|child| calls(&messages(host, text(&child["id"]))))
        .filter(|part| part["state"]["status"] == "error")
        .map(|part| text(&part["state"]["error"]).to_owned())
        .collect();
    // Sent back, the worker tries all of it once more.
    assert_eq!(refused.len(), 2 * 5, "{refused:#?}");
    for (why, times) in
        [("is being changed by task T1", 4), ("leads outside the project", 4), ("belongs to git", 2)]
    {
        assert_eq!(refused.iter().filter(|error| error.contains(why)).count(), times, "{why}: {refused:#?}");
    }
    let verdicts = told.facts.iter().filter_map(|(_, event)| match event {
        Event::Judged { subject: Subject::Task(task), verdict } if task.0 == "T2" => Some(verdict.clone()),
        _ => None,
    });
    let verdicts: Vec<_> = verdicts.collect();
    assert_eq!(verdicts.iter().map(|v| v.approved).collect::<Vec<_>>(), [false, true]);
    let finding = &verdicts[0].findings[0];
    assert_eq!(finding.file.as_deref(), Some("one.txt"));
    assert!(
        finding.message.starts_with("this file is task T1's, and it changed while a shell command"),
        "{finding:?}"
    );
    let work = |id: &str| {
        let kind = AttemptKind::Work(id.into());
        told.mission.attempts.values().filter(|a| a.kind == kind).map(|a| a.opened_at).min().unwrap()
    };
    let done = told.at(
        |e| matches!(e, Event::TaskChanged { task, to, .. } if task.0 == "T1" && to.name() == "completed"),
    );
    assert!(work("T3") >= done, "one file, one task at a time");
    stage.assert_no_misses();
}

#[test]
fn what_the_user_edits_under_an_approval_voids_it() {
    let stage = Stage::small(|project| {
        let held = Rule::new(Role::Reviewer)
            .contains("Integration review")
            .turn(Turn::call("submit_review", script::approve()).gate("edited"));
        script::one_task(project).first(held)
    });
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(host, &session, TASK));
        let looked = |told: &Told| {
            told.mission.whole.inspection.is_some() && told.mission.open_attempts().next().is_some()
        };
        wait("the integration review", PATIENCE, || stage.told().pop().filter(looked));
        std::fs::write(stage.project.join("notes.txt"), "edited under the reviewer\n").unwrap();
        stage.model.open("edited");
        turn.join().unwrap();
    });

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    let approved = told.facts.iter().filter_map(|(_, event)| match event {
        Event::Judged { subject: Subject::Whole, verdict } => Some((verdict.approved, verdict.tree.clone())),
        _ => None,
    });
    let approved: Vec<_> = approved.collect();
    assert_eq!(approved.len(), 2, "the first is void: {approved:?}");
    assert!(approved.iter().all(|(approved, tree)| *approved && tree.is_some()));
    assert_ne!(approved[0].1, approved[1].1, "each is for its own tree");
    assert_eq!(told.mission.whole_rounds, 2);
    stage.assert_no_misses();
}
