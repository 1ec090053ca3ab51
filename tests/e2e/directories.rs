//! One host, several directories: one sidecar for all, and nothing of one project in another.

use std::fs;
use std::path::Path;

use gantry::engine::core::event::{AttemptKind, Event};
use serde_json::json;
use xtask::lab::host::{Client, Events, HostEnv, Leftover};
use xtask::lab::model::{Model, Recorded, Role, Rule, Script, Turn};

use crate::script::{self, PLAIN, PLAIN_ANSWER};
use crate::support::{PATIENCE, Stage, ask, calls, messages, new_session, small_project, task, text, wait};

const NAMES: [&str; 2] = ["left", "right"];

/// A stage whose host serves two projects, each with a mission of its own words.
fn two_projects() -> Stage {
    let make = |folder: &Path| {
        for name in NAMES {
            fs::create_dir(folder.join(name)).unwrap();
            small_project(&folder.join(name));
        }
    };
    Stage::bare(make, |folder| {
        let [left, right] = NAMES.map(|name| folder.join(name));
        let script = rules(Script::new(), &left, &right, "left");
        rules(script, &right, &left, "right").rule(script::plain())
    })
    .gantry()
}

/// The mission of one project; its worker also tries to write into the other one.
fn rules(script: Script, project: &Path, other: &Path, name: &str) -> Script {
    let write = |folder: &Path| json!({"filePath": folder.join("hello.txt"), "content": format!("{name}\n")});
    let brief = json!({"brief": format!("Greet from the {name} side.")});
    let about = |rule: Rule| rule.contains(&format!("the {name} side"));
    let commander = Rule::new(Role::Commander)
        .contains("Call the tool `mission`")
        .call("mission_status", json!({}))
        .call("mission", brief)
        .turn(Turn::echo());
    let worker = Rule::new(Role::Worker)
        .contains("Task T1: ")
        .call("write", write(other))
        .turn(Turn::call("write", write(project)).gate(name))
        .call("submit_report", script::report());
    script
        .rule(about(commander))
        .rule(about(script::planner(script::plan(&[script::task("T1", &["hello.txt"], &[])]))))
        .rule(about(script::integration(script::approve())))
        .rule(about(script::reviewer("T1", script::approve())))
        .rule(about(worker))
}

fn request(name: &str) -> String {
    format!("Greet from the {name} side")
}

#[test]
fn one_sidecar_serves_every_directory_and_none_sees_the_other() {
    let stage = two_projects();
    let server = stage.env.serve().unwrap();
    let hosts = NAMES.map(|name| server.client_in(&stage.project.join(name)));
    let sessions = [new_session(&hosts[0]), new_session(&hosts[1])];
    let events = [hosts[0].events().unwrap(), hosts[1].events().unwrap()];
    assert_eq!(sidecars(&stage.env), [], "none is started before it is needed");

    std::thread::scope(|scope| {
        let turns = [0, 1].map(|at| {
            let (host, session) = (&hosts[at], &sessions[at]);
            scope.spawn(move || task(host, session, &request(NAMES[at])))
        });
        // Both are in the middle of their work, held by a gate each.
        wait("both workers", PATIENCE, || NAMES.iter().all(|name| at_gate(&stage.model, name)).then_some(()));
        let running = sidecars(&stage.env);
        assert_eq!(running.len(), 1, "{running:?}");
        assert_eq!(parent(running[0].pid), server.process.pid());

        stage.model.open("right");
        let [left, right] = turns;
        assert!(right.join().unwrap().contains(": completed\n"));
        assert!(stage.told().iter().any(|told| told.mission.state.is_open()), "the other goes on");
        assert!(!stage.project.join("left/hello.txt").exists());
        stage.model.open("left");
        assert!(left.join().unwrap().contains(": completed\n"));
    });

    for (at, name) in NAMES.into_iter().enumerate() {
        wait("the last toast", PATIENCE, || {
            toasts(&events[at]).last()?.starts_with("Mission completed").then_some(())
        });
        let all = toasts(&events[at]);
        assert!(all.iter().any(|toast| toast.starts_with("Mission started")), "{all:?}");
        assert!(all.iter().all(|toast| toast.contains(&request(name))), "{all:?}");
        nothing_of_the_other(&stage, &hosts[at], &sessions[at], at);
        assert_eq!(
            fs::read_to_string(stage.project.join(name).join("hello.txt")).unwrap(),
            format!("{name}\n")
        );
        let todo = fs::read_to_string(stage.project.join(name).join("TODO.md")).unwrap();
        assert_eq!(todo.matches("- [x] T1: ").count(), 1, "{todo}");
    }
    drop(server);
    assert_eq!(stage.model.misses(), [""; 0]);
    stage.assert_nothing_left();
}

/// What the interfaces of one directory were told to show, as title and message.
fn toasts(events: &Events) -> Vec<String> {
    let all = events.of("tui.toast.show").into_iter();
    all.map(|(_, toast)| format!("{}: {}", text(&toast["title"]), text(&toast["message"]))).collect()
}

/// Of a project's rows, conversations, requests and refused writes.
fn nothing_of_the_other(stage: &Stage, host: &Client, session: &str, at: usize) {
    let (own, other) = (stage.project.join(NAMES[at]), stage.project.join(NAMES[1 - at]));
    let told = stage.told().into_iter().find(|told| told.row.parent_session == session).unwrap();
    assert_eq!(told.row.directory.as_str(), own.to_str().unwrap());
    assert_eq!(told.mission.created.worktree, own.to_str().unwrap());

    let status =
        calls(&messages(host, session)).into_iter().find(|part| part["tool"] == "mission_status").unwrap();
    assert!(text(&status["state"]["output"]).contains(told.row.id.as_str()), "{status}");
    let foreign = format!("the {} side", NAMES[1 - at]);
    assert!(!status.to_string().contains(&foreign), "{status}");

    let worker = told.mission.attempts.values().find(|a| matches!(a.kind, AttemptKind::Work(_))).unwrap();
    let parts = calls(&messages(host, worker.session.as_ref().unwrap().as_str()));
    let refused = parts.iter().find(|part| part["state"]["status"] == "error").unwrap();
    let error = text(&refused["state"]["error"]);
    assert!(error.contains("Only files of the project can be changed."), "{error}");

    let own_words = format!("the {} side", NAMES[at]);
    let requests = stage.model.requests();
    let mine = requests.iter().filter(|r| r.prompt.contains(&own_words)).collect::<Vec<_>>();
    assert!(mine.len() >= 9, "{}", mine.len());
    // The worker names the other folder itself, to write there.
    for request in mine.iter().filter(|r| r.role != Role::Worker) {
        assert!(!request.raw.contains(other.to_str().unwrap()), "{}", request.raw);
    }
}

#[test]
fn closing_one_directory_does_no_harm_to_another() {
    let stage = two_projects();
    let server = stage.env.serve().unwrap();
    let [left, right] = NAMES.map(|name| server.client_in(&stage.project.join(name)));
    let sessions = [new_session(&left), new_session(&right)];
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            left.post(
                &format!("/session/{}/command", sessions[0]),
                &json!({"command": "task", "arguments": request("left")}),
            )
        });
        let second = scope.spawn(|| task(&right, &sessions[1], &request("right")));
        wait("both workers", PATIENCE, || NAMES.iter().all(|name| at_gate(&stage.model, name)).then_some(()));
        let before = sidecars(&stage.env);

        left.post("/instance/dispose", &json!({})).unwrap();
        assert_eq!(sidecars(&stage.env), before, "it serves the other directory");
        stage.model.open("right");
        assert!(second.join().unwrap().contains(": completed\n"));
        // Whether the host answers the turn that it cut off is its own affair.
        stage.model.open("left");
        let _ = first.join().unwrap();
    });

    // Opened again, the directory takes its mission up.
    assert_eq!(ask(&left, &new_session(&left), "build", PLAIN), PLAIN_ANSWER);
    wait("the end of the mission that was cut off", PATIENCE, || {
        stage.told().iter().all(|told| told.state() == "completed").then_some(())
    });
    assert_eq!(fs::read_to_string(stage.project.join("left/hello.txt")).unwrap(), "left\n");
    assert_eq!(stage.told().len(), 2);
    drop(server);
    stage.assert_nothing_left();
}

/// Models name files as the host reads them: relative to the folder it runs in, not to the repository.
#[test]
fn a_relative_path_is_one_of_the_folder_that_the_host_runs_in() {
    let make = |project: &Path| {
        small_project(project);
        fs::create_dir(project.join("sub")).unwrap();
    };
    let stage = Stage::bare(make, |project| {
        let plan = script::plan(&[script::task("T1", &["sub/hello.txt"], &[])]);
        let write = json!({"filePath": "hello.txt", "content": script::GREETING});
        let worker = Rule::new(Role::Worker)
            .contains("Task T1: ")
            .call("write", write)
            .call("submit_report", script::report());
        script::one_task(project).first(worker).first(script::planner(plan))
    })
    .gantry();
    let server = stage.env.serve().unwrap();
    let host = server.client_in(&stage.project.join("sub"));
    let said = task(&host, &new_session(&host), script::TASK);

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{said}");
    assert!(stage.project.join("sub/hello.txt").is_file());
    let inspection = told.mission.tasks[0].gate.inspection.as_ref().unwrap();
    assert_eq!(inspection.changed, ["sub/hello.txt"]);
    let taken = |event: &Event| matches!(event, Event::PathTaken { .. });
    assert!(!told.facts.iter().any(|(_, event)| taken(event)), "it is the file that the task declares");
    assert!(!stage.project.join("sub/TODO.md").exists(), "the plan file belongs to the repository");
    assert!(stage.project.join("TODO.md").is_file());
}

/// The worker of this project has had its first write refused and waits with the second.
fn at_gate(model: &Model, name: &str) -> bool {
    let waits = |r: &Recorded| {
        r.role == Role::Worker && r.turn == 1 && r.prompt.contains(&format!("the {name} side"))
    };
    model.requests().iter().any(waits)
}

fn sidecars(env: &HostEnv) -> Vec<Leftover> {
    let all = env.leftovers().unwrap().into_iter();
    all.filter(|process| process.command.ends_with("gantry sidecar")).collect()
}

fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in parentheses may hold blanks.
    let fields = stat.rsplit_once(')').unwrap().1;
    fields.split_whitespace().nth(1).unwrap().parse().unwrap()
}
