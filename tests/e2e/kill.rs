//! Processes that die in the middle of a mission: what was finished stays finished, what was under way goes on, and
//! nothing is left behind.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gantry::domain::ids::TaskId;
use gantry::domain::task::TaskState;
use gantry::engine::core::event::{AttemptKind, Event, HandBack};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use xtask::lab::host::Server;
use xtask::lab::model::{Outcome, Recorded, Role, Rule, Script};

use crate::script::{self, TASK};
use crate::support::{PATIENCE, Stage, Told, calls, messages, shim, sidecar, small_project};

/// For a sidecar to end by itself, and everything it started with it.
pub const PROMPTLY: Duration = Duration::from_secs(2);
const TASKS: [(&str, &str, &[&str]); 4] = [
    ("T1", "one.txt", &[]),
    ("T2", "two.txt", &["T1"]),
    ("T3", "three.txt", &["T1"]),
    ("T4", "four.txt", &["T2", "T3"]),
];

/// A diamond of four small tasks.
pub fn diamond(project: &Path) -> Script {
    let tasks = TASKS.map(|(id, file, needs)| script::task(id, &[file], needs));
    let mut script = Script::new()
        .rule(script::commander())
        .rule(script::planner(script::plan(&tasks)))
        .rule(script::plan_stays())
        .rule(script::integration(script::approve()))
        .rule(script::plain());
    for (id, file, _) in TASKS {
        script = script.rule(script::worker(project, id, file)).rule(script::reviewer(id, script::approve()));
    }
    script
}

/// Puts a gate before one turn of the rule for this role and text.
pub fn hold(mut script: Script, role: Role, about: &str, turn: usize) -> Script {
    let rule = script
        .rules
        .iter_mut()
        .find(|r| r.role == role && r.contains.iter().any(|text| text.contains(about)));
    rule.unwrap().turns[turn].gate = Some(gate(about, turn));
    script
}

/// The name of the gate that `hold` puts up.
pub fn gate(about: &str, turn: usize) -> String {
    format!("{about}{turn}")
}

/// Waits until the model holds that turn back.
pub fn wait_held(stage: &Stage, role: Role, about: &str, turn: usize) {
    let held = stage.model.wait_for(PATIENCE, |records| {
        let is = |r: &Recorded| {
            r.role == role && r.turn == turn && r.outcome == Outcome::Running && r.prompt.contains(about)
        };
        records.iter().any(is).then_some(())
    });
    held.unwrap();
}

/// Gantry with options of the plugin, in a small project.
fn gantry_with(options: Value, script: impl FnOnce(&Path) -> Script) -> Stage {
    Stage::bare(small_project, script).adjust(|env| env.plugin(&shim(), options).gantry(&sidecar()))
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Process ids of the running sidecars.
pub fn sidecars(stage: &Stage) -> Vec<u32> {
    with_command(stage, " sidecar")
}

fn with_command(stage: &Stage, end: &str) -> Vec<u32> {
    let all = stage.env.leftovers().unwrap();
    all.into_iter().filter(|process| process.command.ends_with(end)).map(|process| process.pid).collect()
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

fn kill_sidecar(stage: &Stage, with: Signal) -> u32 {
    let pid = wait("sidecar", || sidecars(stage).first().copied());
    signal(pid, with);
    pid
}

/// What must hold however often a process died: every task was done once, by one attempt, after one first prompt.
fn assert_nothing_ran_twice(stage: &Stage, told: &Told) {
    for (id, ..) in TASKS {
        let task = TaskId::new(id);
        let completed = |e: &Event| matches!(e, Event::TaskChanged { task: t, to: TaskState::Completed, .. } if *t == task);
        let opened =
            |e: &Event| matches!(e, Event::AttemptOpened { kind: AttemptKind::Work(t), .. } if *t == task);
        let places = |wanted: &dyn Fn(&Event) -> bool| {
            let all = told.facts.iter().enumerate().filter(|(_, (_, event))| wanted(event));
            all.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let (completed, opened) = (places(&completed), places(&opened));
        assert_eq!((completed.len(), opened.len()), (1, 1), "{id}: {:#?}", told.facts);
        assert!(opened[0] < completed[0], "{id}");
    }
    let requests = stage.model.requests();
    assert_told_once(&requests, Role::Planner, "Plan the mission", told);
    assert_told_once(&requests, Role::Reviewer, "Integration review", told);
    for (id, ..) in TASKS {
        assert_told_once(&requests, Role::Worker, &format!("Task {id}: "), told);
        assert_told_once(&requests, Role::Reviewer, &format!("Review of task {id}: "), told);
    }
}

/// Whoever works on this was told all of it at the beginning of his conversation, and never again.
fn assert_told_once(requests: &[Recorded], role: Role, start: &str, told: &Told) {
    let about: Vec<_> = requests.iter().filter(|r| r.role == role && r.prompt.contains(start)).collect();
    assert!(!about.is_empty(), "no {role:?} request about {start:?}");
    for request in &about {
        let body = request.body();
        let users = body["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "user");
        let told: Vec<_> = users.filter(|message| said(message).starts_with(start)).collect();
        assert_eq!(told.len(), 1, "a {role:?} conversation about {start:?}: {body:#}");
    }
    let begun = about.iter().filter(|r| r.turn == 0 && r.prompt.starts_with(start)).count();
    assert!(begun <= 1, "{begun} {role:?} conversations begin with {start:?}: {:#?}", told.facts);
}

/// The text of a message, which is a string or a list of parts.
fn said(message: &Value) -> &str {
    message["content"].as_str().or(message["content"][0]["text"].as_str()).unwrap_or_default()
}

fn assert_files_written(project: &Path) {
    for (_, file, _) in TASKS {
        assert_eq!(fs::read_to_string(project.join(file)).unwrap(), script::GREETING, "{file}");
    }
}

// ---- the sidecar

/// When to kill, and the requests that are held meanwhile: role, text of the prompt, turn.
type Moment<'a> = (&'a str, &'a [(Role, &'a str, usize)]);

#[test]
fn a_sidecar_killed_again_and_again_comes_back_and_the_mission_ends_in_the_same_call() {
    let moments: [Moment; 6] = [
        ("before the brief", &[(Role::Commander, "Call the tool `mission`", 0)]),
        ("planning", &[(Role::Planner, "Plan the mission", 0)]),
        ("two at work", &[(Role::Worker, "Task T2: ", 0), (Role::Worker, "Task T3: ", 1)]),
        ("in review", &[(Role::Reviewer, "Review of task T3: ", 0)]),
        ("integration", &[(Role::Reviewer, "Integration review", 0)]),
        ("after the report", &[(Role::Commander, "Call the tool `mission`", 1)]),
    ];
    // The policy is about a host that was stopped; this one never is.
    let stage = gantry_with(json!({"resume": "report"}), |project| {
        let held = moments.iter().flat_map(|(_, held)| *held);
        held.fold(diamond(project), |script, (role, about, turn)| hold(script, *role, about, *turn))
    });
    let mut host = stage.env.run_command("task", TASK).unwrap();
    for (number, (moment, held)) in moments.iter().enumerate() {
        held.iter().for_each(|(role, about, turn)| wait_held(&stage, *role, about, *turn));
        let killed = kill_sidecar(&stage, Signal::KILL);
        // Every other time the turns go on at once, so that their calls find no sidecar.
        if number % 2 == 0 {
            wait(moment, || sidecars(&stage).into_iter().find(|pid| *pid != killed));
        }
        held.iter().for_each(|(_, about, turn)| stage.model.open(&gate(about, *turn)));
    }
    let finished = host.wait(PATIENCE).unwrap();

    let told = stage.only();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(
        finished.stdout.trim(),
        told.report().trim(),
        "the report came as the result of the waiting call"
    );
    assert_nothing_ran_twice(&stage, &told);
    assert_files_written(&stage.project);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

#[test]
fn a_sidecar_ended_in_the_middle_of_a_check_takes_it_along_and_the_next_one_runs_it_again() {
    let (stage, checks) = checked();
    let mut host = stage.env.run_command("task", TASK).unwrap();
    for with in [Signal::TERM, Signal::KILL] {
        let check = checks.wait_running(&stage);
        kill_sidecar(&stage, with);
        wait_check_gone(&stage, check);
    }
    checks.wait_running(&stage);
    checks.let_pass(&stage);
    let finished = host.wait(PATIENCE).unwrap();

    let told = stage.only();
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(finished.stdout.trim(), told.report().trim(), "the call went on with the next sidecar");
    assert_nothing_ran_twice(&stage, &told);
    stage.assert_no_misses();
    stage.assert_nothing_left();
}

pub fn wait_check_gone(stage: &Stage, check: u32) {
    let asked = Instant::now();
    while Checks::running(stage).contains(&check) {
        assert!(asked.elapsed() < PROMPTLY, "the check goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A check that passes before there is any work, and then hangs until it is let pass.
pub struct Checks {
    pass: PathBuf,
}

impl Checks {
    const HANG: &str = "sleep 600";

    /// The processes that hang.
    pub fn running(stage: &Stage) -> Vec<u32> {
        with_command(stage, Self::HANG)
    }

    pub fn wait_running(&self, stage: &Stage) -> u32 {
        wait("check", || Self::running(stage).first().copied())
    }

    fn let_pass(&self, stage: &Stage) {
        fs::write(&self.pass, "").unwrap();
        Self::running(stage).into_iter().for_each(|pid| signal(pid, Signal::KILL));
    }
}

/// The diamond with such a check of the whole.
pub fn checked() -> (Stage, Checks) {
    let stage = Stage::bare(small_project, diamond);
    let pass = stage.folder().join("pass");
    // A child of a child, as under a test runner.
    let check =
        format!("! test -e four.txt || test -e '{}' || sh -c '{}; true'", pass.display(), Checks::HANG);
    let stage = stage.adjust(|env| env.plugin(&shim(), json!({"checks": [check]})).gantry(&sidecar()));
    (stage, Checks { pass })
}

// ---- the host

#[test]
fn a_killed_host_takes_its_sidecar_along_and_the_next_one_finishes_the_mission() {
    let stage = Stage::small(two_held);
    let mut host = stage.env.run_command("task", TASK).unwrap();
    wait_two_at_work(&stage);
    host.kill().unwrap();
    assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), []);
    assert_eq!(stage.only().state(), "running");
    open_two(&stage);

    let server = stage.env.serve().unwrap();
    let told = wait_settled(&stage, &server);

    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(told.mission.handed_back, Some(HandBack::Message));
    assert_nothing_ran_twice(&stage, &told);
    assert_files_written(&stage.project);
    assert_eq!(copies(&server, &told), 1);
    let asked = stage.model.requests().iter().filter(|r| r.role == Role::Commander).count();
    assert_eq!(asked, 1, "the report starts no turn of its own");
    let conversation = messages(server.client(), told.row.parent_session.as_str());
    let call = calls(&conversation).into_iter().find(|part| part["tool"] == "mission").unwrap();
    assert!(
        call["state"]["input"]["brief"].is_string(),
        "what the model asked for stands there again: {call}"
    );
    // The end of this server is a kill as well, and the marker of open work goes a moment after the last fact is written.
    let marked = || fs::read_dir(stage.env.gantry_home().join("open")).unwrap().count();
    wait("end of the marker", || (marked() == 0).then_some(()));
    drop(server);
    stage.assert_nothing_left();

    // Nothing is owed any more, so the next start has no need of a sidecar.
    let server = stage.env.serve().unwrap();
    assert_eq!(copies(&server, &told), 1);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sidecars(&stage), [0; 0]);
    assert_eq!(copies(&server, &told), 1);
    stage.assert_no_misses();
}

#[test]
fn a_host_killed_again_and_again_costs_no_finished_work() {
    let moments = [
        (Role::Commander, "Call the tool `mission`"),
        (Role::Planner, "Plan the mission"),
        (Role::Reviewer, "Review of task T2: "),
        (Role::Reviewer, "Integration review"),
    ];
    let stage = Stage::small(|project| {
        moments.iter().fold(diamond(project), |script, (role, about)| hold(script, *role, about, 0))
    });
    let mut host = stage.env.run_command("task", TASK).unwrap();
    let mut server: Option<Server> = None;
    for (role, about) in moments {
        wait_held(&stage, role, about, 0);
        server.as_mut().map_or(&mut host, |server| &mut server.process).kill().unwrap();
        assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), [], "{about}");
        stage.model.open(&gate(about, 0));
        let next = stage.env.serve().unwrap();
        next.get("/session").unwrap();
        server = Some(next);
    }
    let server = server.unwrap();
    let told = wait_settled(&stage, &server);

    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_nothing_ran_twice(&stage, &told);
    assert_files_written(&stage.project);
    assert_eq!(copies(&server, &told), 1);
    stage.assert_no_misses();
}

/// Five missions, each with two hosts killed at some moment between its acceptance and, as often as not, its end.
#[test]
fn ten_hosts_killed_at_random_moments_cost_no_mission() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    // Knuth's linear congruential generator, its upper bits.
    let mut random = now;
    let mut pause = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let ms = (random >> 33) % most;
        std::thread::sleep(Duration::from_millis(ms));
        ms
    };
    for mission in 0..5 {
        let stage = Stage::small(diamond);
        let mut host = stage.env.run_command("task", TASK).unwrap();
        wait("first turn", || (!stage.model.requests().is_empty()).then_some(()));
        let first = pause(2_500);
        host.kill().unwrap();
        assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), []);
        let mut server = stage.env.serve().unwrap();
        server.get("/session").unwrap();
        let second = pause(1_500);
        server.process.kill().unwrap();
        assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), []);
        println!("mission {mission}: killed after {first} ms, and again after {second} ms");
        let server = stage.env.serve().unwrap();
        let told = wait_settled(&stage, &server);
        assert_eq!(told.state(), "completed", "{}", told.report());
        assert_nothing_ran_twice(&stage, &told);
        assert_files_written(&stage.project);
        assert_eq!(deliveries(&server, &told), 1, "killed after {first} and {second} ms");
        drop(server);
        stage.assert_nothing_left();
    }
}

#[test]
fn after_a_killed_host_a_mission_waits_for_the_user_when_he_wants_it_so() {
    let resume = json!({"action": "resume"});
    let stage = gantry_with(json!({"resume": "report"}), |project| {
        let go_on =
            Rule::new(Role::Commander).contains("go on").call("mission_control", resume).say("It goes on.");
        two_held(project).first(go_on)
    });
    let mut host = stage.env.run_command("task", TASK).unwrap();
    wait_two_at_work(&stage);
    host.kill().unwrap();
    assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), []);
    open_two(&stage);

    let server = stage.env.serve().unwrap();
    server.get("/session").unwrap();
    wait("pause", || (stage.only().state() == "paused").then_some(()));
    let told = stage.only();
    let id = &told.row.id;
    let notice =
        format!("[Gantry] Mission {id} ({TASK}) was interrupted when OpenCode stopped, and is paused.");
    wait("notice", || (count(&server, &told, &notice) == 1).then_some(()));
    let attempts = told.mission.attempts.len();

    let parent = &told.mission.parent.0;
    let answer = json!({"agent": "commander", "parts": [{"type": "text", "text": "go on"}]});
    server.post(&format!("/session/{parent}/message"), &answer).unwrap();
    let told = wait_settled(&stage, &server);

    assert_eq!(told.state(), "completed", "{}", told.report());
    assert!(told.mission.attempts.len() > attempts);
    assert_nothing_ran_twice(&stage, &told);
    assert_eq!((copies(&server, &told), count(&server, &told, &notice)), (1, 1));
    stage.assert_no_misses();
}

#[test]
fn a_host_killed_in_the_middle_of_a_check_leaves_no_process_of_it() {
    let (stage, checks) = checked();
    let mut host = stage.env.run_command("task", TASK).unwrap();
    checks.wait_running(&stage);
    host.kill().unwrap();
    assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), []);
    checks.let_pass(&stage);

    let server = stage.env.serve().unwrap();
    let told = wait_settled(&stage, &server);
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_nothing_ran_twice(&stage, &told);
    assert_eq!(copies(&server, &told), 1);
    stage.assert_no_misses();
}

pub fn two_held(project: &Path) -> Script {
    hold(hold(diamond(project), Role::Worker, "Task T2: ", 0), Role::Worker, "Task T3: ", 1)
}

pub fn wait_two_at_work(stage: &Stage) {
    wait_held(stage, Role::Worker, "Task T2: ", 0);
    wait_held(stage, Role::Worker, "Task T3: ", 1);
}

pub fn open_two(stage: &Stage) {
    stage.model.open(&gate("Task T2: ", 0));
    stage.model.open(&gate("Task T3: ", 1));
}

/// Waits until the mission is over and its report has reached somebody. The first call opens the project in the host.
fn wait_settled(stage: &Stage, server: &Server) -> Told {
    server.get("/session").unwrap();
    wait("end of the mission", || Some(stage.only()).filter(|told| told.mission.at_rest()))
}

/// How often the report stands in the conversation that asked.
fn copies(server: &Server, told: &Told) -> usize {
    count(server, told, told.report())
}

/// How often the report was handed over: as the result of the call or as a message, and not as the model repeats it.
fn deliveries(server: &Server, told: &Told) -> usize {
    let messages = server.get(&format!("/session/{}/message", told.mission.parent)).unwrap();
    let handed = |message: &Value| {
        let said = message["info"]["role"] == "user";
        let parts = message["parts"].as_array().unwrap().iter();
        let text = |part: &Value| {
            let text = part["state"]["output"].as_str().or(part["text"].as_str().filter(|_| said));
            text.is_some_and(|text| text.contains(told.report().trim()))
        };
        parts.filter(|part| text(part)).count()
    };
    messages.as_array().unwrap().iter().map(handed).sum()
}

fn count(server: &Server, told: &Told, what: &str) -> usize {
    let messages = server.get(&format!("/session/{}/message", told.mission.parent)).unwrap();
    let parts = messages.as_array().unwrap().iter().flat_map(|message| message["parts"].as_array().unwrap());
    let texts = parts.filter_map(|part| part["text"].as_str().or(part["state"]["output"].as_str()));
    texts.map(|text| text.matches(what.trim()).count()).sum()
}

// ---- the sidecar by itself

#[test]
fn a_sidecar_ends_at_once_with_its_checks_when_its_host_is_gone_or_it_is_told_to() {
    type End = fn(&mut Child);
    let ends: [(&str, End); 3] = [
        ("end of input", |child| drop(child.stdin.take())),
        ("SIGTERM", |child| signal(child.id(), Signal::TERM)),
        ("SIGINT", |child| signal(child.id(), Signal::INT)),
    ];
    let stage = Stage::bare(small_project, |_| Script::new()).adjust(|env| env.gantry(&sidecar()));
    for (what, end) in ends {
        let mut child = busy_sidecar(&stage);
        let started = Instant::now();
        end(&mut child);
        let status = wait(what, || child.try_wait().unwrap());
        assert!(started.elapsed() < PROMPTLY, "{what}: {:?}", started.elapsed());
        assert_eq!(status.code(), Some(0), "{what}");
        assert_eq!(stage.env.wait_gone(PROMPTLY).unwrap(), [], "{what}");
    }
}

/// A sidecar on a pipe of ours whose new mission hangs in the survey of the project.
fn busy_sidecar(stage: &Stage) -> Child {
    let mut command = stage.env.command(&sidecar()).unwrap();
    let mut child = command.arg("sidecar").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let directory = stage.project.display().to_string();
    let hello = json!({"protocolVersion": 1, "client": {"name": "test", "version": "0"}, "host": {"line": "v1", "pid": 1}});
    let options = json!({"checks": [Checks::HANG]});
    let calls = [
        ("initialize", hello),
        ("workspace/open", json!({"directory": directory, "worktree": directory, "options": options})),
        (
            "mission/create",
            json!({"directory": directory, "parentSession": "ses_1", "text": TASK, "key": "k"}),
        ),
    ];
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for (id, (method, params)) in calls.into_iter().enumerate() {
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let answer = answer_to(id, &mut output);
        assert!(answer["result"].is_object(), "{method}: {answer}");
    }
    // Kept open: a host that reads no more is another way to end.
    child.stdout = Some(output.into_inner());
    wait("check", || Checks::running(stage).first().copied());
    child
}

/// The answer with this id; what the sidecar asks of its host meanwhile is passed over.
fn answer_to(id: usize, output: &mut impl BufRead) -> Value {
    loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the sidecar ended");
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["id"] == id && message["method"].is_null() {
            return message;
        }
    }
}
