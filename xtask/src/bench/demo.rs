//! The demo mission, in the real host, as `cargo xtask demo` runs it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Built;
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Table};
use crate::lab::demo::{BEAT, TASK, critical_path, script};
use crate::lab::host::HostEnv;
use crate::lab::model::Model;
use crate::lab::sample;

const LONGEST: Duration = Duration::from_secs(300);

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let (root, project) = (folder.path().join("host"), folder.path().join("project"));
    std::fs::create_dir_all(&root)?;
    sample::create(&project)?;
    let project = project.canonicalize()?;
    let model = Model::start(script(&project, BEAT))?;
    let env =
        HostEnv::new(&root, &project)?.model(&model).plugin(&built.shim, json!({})).gantry(&built.gantry);

    let started = Instant::now();
    let finished = env.run_command("task", TASK)?.wait(LONGEST)?;
    let wall = started.elapsed();
    ensure!(finished.code == Some(0), "the host said {finished:?}");
    let mut all = missions(built, &env)?;
    ensure!(all.len() == 1, "one mission was asked for, {} are there", all.len());
    let mission = all.remove(0);
    ensure!(mission["state"] == "completed", "the mission ended so: {mission}\n{:?}", model.misses());
    let at = |name: &str| mission[name].as_u64().with_context(|| format!("no {name} in {mission}"));
    let makespan = Duration::from_millis(at("endedAt")? - at("createdAt")?);

    let bound = critical_path(BEAT);
    let seconds = |time: Duration| Samples::new(vec![time.as_secs_f64()]);
    let ratio = makespan.as_secs_f64() / bound.as_secs_f64();
    let turns = model.requests().len();
    Ok(Table::default()
        .row(Row::new("demo: the host's start to its end", "s", seconds(wall)))
        .row(Row::new("demo: makespan, from the request to the report", "s", seconds(makespan)))
        .row(Row::new("demo: makespan ÷ scripted thinking on its critical path", "×", Samples::new(vec![ratio])))
        .remark(format!(
            "The demo's critical path is {:.1} s of scripted thinking. The rest of its makespan is the real host's own \
             work on {turns} requests to the model, the project's test suite (before, after each task, at the end) and \
             the sidecar; the row without a host above is the sidecar alone.",
            bound.as_secs_f64()
        )))
}

/// Rows of `gantry missions --json`, newest first.
pub(super) fn missions(built: &Built, env: &HostEnv) -> Result<Vec<Value>> {
    let mut command = env.command(&built.gantry)?;
    command.args(["missions", "--json", "--directory"]).arg(env.project()).stdin(Stdio::null());
    let output = command.output()?;
    ensure!(output.status.success(), "`gantry missions` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
