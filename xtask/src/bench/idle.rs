//! What the sidecar costs while nothing happens: processor time by the kernel's own count, of all its threads.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::Built;
use super::host::{Host, Script, plan};
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};

const WATCHED: Duration = Duration::from_secs(20);
/// What was begun before has settled.
const SETTLED: Duration = Duration::from_secs(3);
const FILES: usize = 100;
const WORKERS: usize = 10;

pub(super) fn measure(built: &Built) -> Result<Table> {
    if !cfg!(target_os = "linux") {
        return Ok(Table::default().remark("Processor time is read from /proc, which this system has not."));
    }
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), FILES)?;
    let mut host = Host::open(&built.gantry, &folder.path().join("home"), &project)?;
    let open = watched(&mut host)?;
    let script = Script { plan: plan(WORKERS, false), turn: Duration::ZERO, forgetful: false, endless: true };
    host.first_worker(script)?;
    let at_work = watched(&mut host)?;
    let mission = host.status(None)?["mission"]["id"].take();
    let pause = json!({"directory": host.directory(), "mission": mission, "action": "pause"});
    host.call("mission/control", pause)?;
    let paused = watched(&mut host)?;
    host.sidecar.end()?;
    let row = |what: &str, share| Row::new(what, "%", Samples::new(vec![share]));
    Ok(Table::default()
        .row(
            row("processor while idle, of one core over 20 s: a workspace open", open).below(Stat::P50, 0.05),
        )
        .row(row("… and a mission paused", paused).below(Stat::P50, 0.05))
        .row(row(
            "… and a mission of 10 workers whose turns are silent (its title is drawn every 2 s)",
            at_work,
        )))
}

/// Percent of one core that the sidecar takes while its host is served as ever.
fn watched(host: &mut Host) -> Result<f64> {
    let quiet = |host: &mut Host, time: Duration| -> Result<Instant> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            host.step(until)?;
        }
        Ok(Instant::now())
    };
    let began = quiet(host, SETTLED)?;
    let before = processor(host.sidecar.pid())?;
    let ended = quiet(host, WATCHED)?;
    let after = processor(host.sidecar.pid())?;
    let of_thread = |(thread, now): (&OsString, &u64)| now - before.get(thread).copied().unwrap_or_default();
    let took = Duration::from_nanos(after.iter().map(of_thread).sum());
    Ok(took.as_secs_f64() / (ended - began).as_secs_f64() * 100.0)
}

/// Nanoseconds on a processor, by thread; the ticks of `stat` are too coarse for a process that sleeps. A thread that
/// ends in between is left out: the runtime lets some go that have nothing to do.
fn processor(pid: u32) -> Result<BTreeMap<OsString, u64>> {
    let time = |thread: io::Result<fs::DirEntry>| {
        let thread = thread?;
        let text = fs::read_to_string(thread.path().join("schedstat"))?;
        let nanos = text.split(' ').next().context("an empty schedstat")?.parse()?;
        Ok((thread.file_name(), nanos))
    };
    fs::read_dir(format!("/proc/{pid}/task"))?.map(time).collect()
}
