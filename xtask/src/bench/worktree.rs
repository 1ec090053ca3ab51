//! A worktree that is made for its task against one that an earlier task has used, in the real host.
//!
//! Pairs of missions of one task, each pair in a project of its own: the first makes the worktree, the second finds it.
//! Nothing is made ready ahead, so that what is saved by that is not taken for what reuse saves.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Built;
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Table};
use crate::lab::host::{Client, HostEnv};
use crate::lab::model::{Model, Role, Rule, Script, Turn};

const PAIRS: usize = 8;
const FILES: usize = 1000;

/// In milliseconds.
#[derive(Default)]
struct Found {
    /// From the task being ready to its worktree.
    given: Vec<f64>,
    /// From the worker's attempt to its host session, and to its first request to the model.
    session: Vec<f64>,
    asked: Vec<f64>,
}

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let root = folder.path().join("host");
    std::fs::create_dir(&root)?;
    let first = scratch::project(&folder.path().join("first"), FILES)?;
    let model = Model::start(script())?;
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let env = HostEnv::new(&root, &first)?
        .model(&model)
        .plugin(&built.shim, json!({}))
        .gantry(&built.gantry)
        .env("GANTRY_WORKTREES_AHEAD", "0");
    let server = env.serve()?;
    let mission = |client: &Client, project: &Path, found: &mut Found| -> Result<()> {
        let before = model.requests().len();
        let session = client.post("/session", &json!({ "title": "bench" }))?;
        let id = session["id"].as_str().context("a session without an id")?;
        let ask = json!({ "command": "task", "arguments": "--worktree Write a note" });
        client.post(&format!("/session/{id}/command"), &ask)?;
        let requests = model.requests().split_off(before);
        let asked = requests.iter().find(|r| r.role == Role::Worker).context("no request of a worker")?;
        found.take(&exported(built, &env, project)?, began + asked.started)
    };
    // The host's own first mission is not what is looked for.
    mission(&server.client_in(&first), &first, &mut Found::default())?;
    let (mut fresh, mut reused) = (Found::default(), Found::default());
    for n in 0..PAIRS {
        let project = scratch::project(&folder.path().join(format!("pair{n}")), FILES)?;
        let client = server.client_in(&project);
        mission(&client, &project, &mut fresh)?;
        mission(&client, &project, &mut reused)?;
    }
    Ok(table(fresh, reused))
}

impl Found {
    /// `mission` is what `gantry export --json` says of it; its times are in milliseconds.
    fn take(&mut self, mission: &Value, asked: Duration) -> Result<()> {
        ensure!(mission["mission"]["state"] == "completed", "the mission ended so: {}", mission["mission"]);
        let facts = mission["journal"].as_array().context("no journal")?;
        let at = |kind: &str, wanted: &dyn Fn(&Value) -> bool| -> Result<f64> {
            let fact = facts.iter().find(|f| f["kind"] == kind && wanted(&f["body"]));
            fact.and_then(|f| f["at"].as_f64()).with_context(|| format!("no {kind} in the journal"))
        };
        let ready = at("task_changed", &|body| body["to"] == "ready")?;
        let given = at("worktree_given", &|body| body["task"] == "T1")?;
        let opened = |body: &Value| body["kind"]["work"] == "T1";
        let attempt = facts.iter().find(|f| f["kind"] == "attempt_opened" && opened(&f["body"]));
        let attempt = attempt.map(|f| f["body"]["attempt"].clone()).context("no worker")?;
        let began = at("attempt_opened", &opened)?;
        let session = at("attempt_session", &|body| body["attempt"] == attempt)?;
        self.given.push(given - ready);
        self.session.push(session - began);
        self.asked.push(asked.as_secs_f64() * 1e3 - began);
        Ok(())
    }
}

fn exported(built: &Built, env: &HostEnv, project: &Path) -> Result<Value> {
    let run = |args: &[&str]| -> Result<Value> {
        let mut command = env.command(&built.gantry)?;
        let output = command.args(args).arg("--json").stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "gantry {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let missions = run(&["missions", "--directory", &project.display().to_string()])?;
    let newest = missions[0]["id"].as_str().context("no mission")?.to_owned();
    run(&["export", &newest])
}

fn table(fresh: Found, reused: Found) -> Table {
    let row = |what: &str, values| Row::new(what, "ms", Samples::new(values));
    Table::default()
        .row(row("worktree of 1000 files, made: task ready → worktree given", fresh.given))
        .row(row("… used before", reused.given))
        .row(row("worker's attempt → its host session, in a worktree the host has not opened", fresh.session))
        .row(row("… in one it has", reused.session))
        .row(row("worker's attempt → its first request to the model, in such a new worktree", fresh.asked))
        .row(row("… in one used before", reused.asked))
        .remark("Missions of one task in worktrees, none made ready ahead (`worktreesAhead` 0), each pair in a new project.")
}

fn script() -> Script {
    let write = json!({ "filePath": "note.txt", "content": "a note\n" });
    let task =
        json!({ "id": "T1", "title": "Write a note", "description": "One line.", "files": ["note.txt"] });
    let approve = json!({ "verdict": "approve", "summary": "It is there.", "findings": [] });
    Script::new()
        .rule(
            Rule::new(Role::Commander)
                .contains("Call the tool `mission`")
                .call("mission", json!({ "brief": "Write a note into note.txt." }))
                .turn(Turn::echo()),
        )
        .rule(
            Rule::new(Role::Planner).call("submit_plan", json!({ "summary": "One note.", "tasks": [task] })),
        )
        .rule(
            Rule::new(Role::Worker)
                .call("write", write)
                .call("submit_report", json!({ "status": "done", "summary": "Written." })),
        )
        .rule(Rule::new(Role::Reviewer).call("submit_review", approve))
}
