//! The lab itself, tried on the real host: what every end-to-end test relies on.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use xtask::lab::host::HostEnv;
use xtask::lab::model::{Fault, Model, Outcome, Role, Rule, Script, Turn};
use xtask::lab::sample::git;
use xtask::lab::tui::Key;

const PATIENCE: Duration = Duration::from_secs(60);

fn scratch() -> (TempDir, TempDir) {
    let (root, project) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    git(project.path(), &["init", "--quiet"]).unwrap();
    (root, project)
}

fn writes(file: &Path) -> Script {
    let write = json!({"filePath": file, "content": "hello\n"});
    Script::new().rule(
        Rule::new(Role::Other)
            .contains("write it")
            .call("write", write)
            .turn(Turn { text: "It says: ".into(), ..Turn::echo() }),
    )
}

#[test]
fn a_scripted_tool_call_is_carried_out_headless() {
    let (root, project) = scratch();
    let file = project.path().canonicalize().unwrap().join("hello.txt");
    let model = Model::start(writes(&file)).unwrap();
    let env = HostEnv::new(root.path(), project.path()).unwrap().model(&model);

    let finished = env.run(&["write it"]).unwrap().wait(PATIENCE).unwrap();

    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello\n");
    assert!(finished.stdout.contains("It says: Wrote file"), "{finished:?}");
    assert_eq!(model.misses(), [""; 0]);
    let requests = model.requests();
    let turns: Vec<usize> = requests.iter().filter(|r| r.role == Role::Other).map(|r| r.turn).collect();
    assert_eq!(turns, [0, 1]);
    assert!(requests.iter().all(|r| r.outcome == Outcome::Answered), "{requests:?}");
    assert_eq!(env.wait_gone(PATIENCE).unwrap(), []);
}

#[test]
fn a_served_host_is_driven_over_http_and_leaves_nothing_when_dropped() {
    let (root, project) = scratch();
    let file = project.path().canonicalize().unwrap().join("hello.txt");
    let model = Model::start(writes(&file)).unwrap();
    let env = HostEnv::new(root.path(), project.path()).unwrap().model(&model);
    let server = env.serve().unwrap();

    let session = server.post("/session", &json!({"title": "lab"})).unwrap();
    let id = session["id"].as_str().unwrap();
    let parts = json!({"agent": "build", "parts": [{"type": "text", "text": "write it"}]});
    let reply = server.post(&format!("/session/{id}/message"), &parts).unwrap();
    assert_eq!(reply["info"]["finish"], "stop", "{reply}");
    assert!(file.is_file());
    let messages = server.get(&format!("/session/{id}/message")).unwrap();
    assert_eq!(messages.as_array().unwrap().len(), 3, "{messages}");
    assert!(server.get("/session/ses_nothere/message").is_err());

    let seen = env.leftovers().unwrap();
    assert!(seen.iter().any(|left| left.pid == server.process.pid()), "{seen:?}");
    drop(server);
    assert_eq!(env.wait_gone(PATIENCE).unwrap(), []);
}

#[test]
fn an_environment_kills_what_outlived_its_host() {
    let (root, project) = scratch();
    let env = HostEnv::new(root.path(), project.path()).unwrap();
    let mut sleeper = env.command(Path::new("sleep")).unwrap().arg("600").spawn().unwrap();
    assert_eq!(env.leftovers().unwrap().len(), 1);
    drop(env);
    let status = sleeper.wait().unwrap();
    assert_eq!(status.code(), None, "ended by a signal");
}

#[test]
fn the_terminal_interface_is_typed_into_and_read() {
    for (columns, rows) in [(140, 45), (80, 24)] {
        let (root, project) = scratch();
        let file = project.path().canonicalize().unwrap().join("hello.txt");
        let model = Model::start(writes(&file)).unwrap();
        let env = HostEnv::new(root.path(), project.path()).unwrap().model(&model);
        let mut tui = env.tui(columns, rows).unwrap();

        tui.wait_text("Ask anything", PATIENCE).unwrap();
        tui.say("write it", PATIENCE).unwrap();
        tui.wait_text("It says: Wrote file", PATIENCE).unwrap();
        assert!(file.is_file());

        tui.key(Key::Ctrl('c')).unwrap();
        tui.wait_exit(PATIENCE).unwrap();
        assert_eq!(env.wait_gone(PATIENCE).unwrap(), []);
    }
}

#[test]
fn a_slash_command_is_typed_and_its_turn_interrupted() {
    let (root, project) = scratch();
    let rule = Rule::new(Role::Other).contains("Mission: all of it").turn(Turn::fault(Fault::Hang));
    let model = Model::start(Script::new().rule(rule)).unwrap();
    let command = json!({"command": {"task": {"template": "Mission: $ARGUMENTS"}}});
    let env = HostEnv::new(root.path(), project.path()).unwrap().model(&model).config(command);
    let mut tui = env.tui(80, 24).unwrap();

    tui.wait_text("Ask anything", PATIENCE).unwrap();
    tui.say("/task all of it", PATIENCE).unwrap();
    let of_turn = |outcome: Outcome| {
        model.wait_for(PATIENCE, |records| {
            records.iter().any(|r| r.role == Role::Other && r.outcome == outcome).then_some(())
        })
    };
    of_turn(Outcome::Running).unwrap();
    tui.interrupt(PATIENCE).unwrap();
    of_turn(Outcome::Dropped).unwrap();
    tui.wait_text("interrupted", PATIENCE).unwrap();
    drop(tui);
    assert_eq!(env.wait_gone(PATIENCE).unwrap(), []);
}

#[test]
fn the_users_own_configuration_is_added_to_and_not_touched() {
    let (root, project) = scratch();
    let plugin = |name: &str| {
        let file = root.path().canonicalize().unwrap().join(format!("{name}.js"));
        let tool = format!("{{ {name}: {{ description: 'x', args: {{}}, execute: async () => 'x' }} }}");
        std::fs::write(
            &file,
            format!("export default {{ id: '{name}', server: async () => ({{ tool: {tool} }}) }}"),
        )
        .unwrap();
        file
    };
    let model = Model::start(Script::new().rule(Rule::new(Role::Other).say("hello"))).unwrap();
    // The user's home is played by the scratch home of another environment, which has written its files.
    let home = tempfile::tempdir().unwrap();
    let user =
        HostEnv::new(home.path(), project.path()).unwrap().model(&model).plugin(&plugin("mine"), json!({}));
    user.command(Path::new("true")).unwrap();
    let folder = home.path().join("config/opencode");
    let before = std::fs::read(folder.join("opencode.json")).unwrap();

    let mut env = HostEnv::of_user(root.path(), project.path()).unwrap().plugin(&plugin("added"), json!({}));
    for (name, folder) in [("HOME", "home"), ("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data")] {
        env = env.env(name, &home.path().join(folder).display().to_string());
    }
    let finished = env.run(&["hi"]).unwrap().wait(PATIENCE).unwrap();

    assert_eq!(finished.stdout.trim(), "hello", "{finished:?}");
    let requests = model.requests();
    let tools = requests.iter().find(|r| r.role == Role::Other).unwrap().tools();
    assert!(tools.contains(&"mine".to_owned()) && tools.contains(&"added".to_owned()), "{tools:?}");
    assert_eq!(std::fs::read(folder.join("opencode.json")).unwrap(), before);
    assert!(root.path().join("opencode.db").is_file());
    assert!(!home.path().join("data/opencode/opencode.db").exists());
}
