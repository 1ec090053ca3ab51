//! The sidecar by itself: how soon it is there, and what it holds in memory.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::Built;
use super::host::{Host, Script, hello, plan};
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};
use super::wire::{Message, Sidecar};

const RUNS: usize = 50;
const ANSWER: Duration = Duration::from_secs(10);
const FILES: usize = 100;

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), FILES)?;
    let gantry = built.gantry.as_path();

    let mut fresh = Vec::new();
    let mut known = Vec::new();
    // Taken in turns, so that both see the same noise. The first start of all reads the binary from the disk.
    let home = folder.path().join("home");
    started(gantry, &home)?;
    for run in 0..RUNS {
        fresh.push(started(gantry, &folder.path().join(format!("home{run}")))?);
        known.push(started(gantry, &home)?);
    }
    let first_call = (0..RUNS).map(|_| first_call(gantry, &home, &project)).collect::<Result<Vec<_>>>()?;

    let table = Table::default()
        .row(
            Row::new("sidecar: spawn → `initialize` answered", "ms", Samples::millis(known))
                .below(Stat::P99, 10.0),
        )
        .row(Row::new("… with a new data folder (the store is made)", "ms", Samples::millis(fresh)))
        .row(
            Row::new(
                "spawn → `initialize`, `workspace/open`, first tool call answered",
                "ms",
                Samples::millis(first_call),
            )
            .below(Stat::P50, 10.0),
        );
    memory(table, built, &home, &project)
}

/// From just before the start of the process to its first answer.
fn started(gantry: &Path, home: &Path) -> Result<Duration> {
    let mut sidecar = Sidecar::spawn(gantry, home)?;
    sidecar.request("initialize", hello())?;
    let answer = sidecar.next(Instant::now() + ANSWER)?.context("no answer to `initialize`")?;
    let Message::Answer { result: Ok(_), .. } = answer.message else {
        anyhow::bail!("`initialize` was answered by {:?}", answer.message);
    };
    let took = answer.at - sidecar.spawned;
    sidecar.end()?;
    Ok(took)
}

fn first_call(gantry: &Path, home: &Path, project: &Path) -> Result<Duration> {
    let mut host = Host::open(gantry, home, project)?;
    let params = json!({
        "directory": host.directory(), "session": "ses_1", "call": "call_1", "agent": "commander",
        "tool": "mission_status", "args": {},
    });
    host.call("tool/call", params)?;
    let took = host.sidecar.spawned.elapsed();
    host.sidecar.end()?;
    Ok(took)
}

fn memory(table: Table, built: &Built, home: &Path, project: &Path) -> Result<Table> {
    let mut host = Host::open(&built.gantry, home, project)?;
    let Some(idle) = resident(host.sidecar.pid())? else {
        return Ok(table.remark("Memory is read from /proc, which this system has not."));
    };
    let script = Script { plan: plan(10, false), turn: Duration::ZERO, forgetful: false, endless: false };
    host.mission(script)?;
    let after = resident(host.sidecar.pid())?.context("the sidecar is gone")?;
    host.sidecar.end()?;
    let megabytes = |value| Samples::new(vec![value]);
    Ok(table
        .row(Row::new("resident memory with a workspace open", "MB", megabytes(idle)).below(Stat::P50, 15.0))
        .row(Row::new("resident memory after a mission of 10 tasks", "MB", megabytes(after))))
}

/// Resident memory in megabytes (10⁶ bytes); nothing where the system does not tell.
pub(super) fn resident(pid: u32) -> Result<Option<f64>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(Some(kib * 1024.0 / 1e6))
}
