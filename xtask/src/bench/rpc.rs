//! Single calls to a sidecar that has a mission at work.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Built;
use super::host::{Host, Script, plan};
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};

const CALLS: usize = 2_000;
/// Each is a write to the journal.
const TAKEN: usize = 300;
const FILES: usize = 100;

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), FILES)?;
    let mut host = Host::open(&built.gantry, &folder.path().join("home"), &project)?;
    let script = Script { plan: plan(5, true), turn: Duration::ZERO, forgetful: false, endless: true };
    let worker = host.first_worker(script)?;
    let mission = host.status(None)?["mission"]["id"].as_str().context("a mission without an id")?.to_owned();

    let asked = json!({"directory": host.directory(), "mission": mission});
    let status = repeat(&mut host, CALLS, "mission/status", |_| asked.clone())?;
    let tools = repeat(&mut host, CALLS, "tool/list", |_| json!({}))?;
    let directory = host.directory();
    let check = |path: String| json!({"directory": directory, "session": worker, "call": "call_1", "tool": "write", "paths": [path]});
    let declared = repeat(&mut host, CALLS, "lease/check", |_| check("work/T1.txt".into()))?;
    let taken = repeat(&mut host, TAKEN, "lease/check", |n| check(format!("more/file{n}.txt")))?;
    host.sidecar.end()?;

    Ok(Table::default()
        .row(Row::new("`mission/status`, one at a time", "ms", status).below(Stat::P50, 0.1))
        .row(Row::new("`tool/list`, one at a time", "ms", tools))
        .row(Row::new("`lease/check` of a declared file", "ms", declared).below(Stat::P99, 0.5))
        .row(
            Row::new("`lease/check` of a file newly taken (one durable event)", "ms", taken)
                .below(Stat::P50, 2.0),
        ))
}

fn repeat(host: &mut Host, times: usize, method: &str, params: impl Fn(usize) -> Value) -> Result<Samples> {
    let mut took = Vec::with_capacity(times);
    for n in 0..times {
        let (answer, time) = host.call(method, params(n))?;
        ensure!(answer["allow"] != false, "{method} was answered {answer}");
        took.push(time);
    }
    Ok(Samples::millis(took))
}
