//! The real sidecar on SQLite and git, killed with SIGKILL at every line of a mission: of its own, before every answer
//! and after everything that is written to it. Whatever the moment, the next one brings the mission to its end.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests take their time, and their chance, from the machine and say what they drew"
)]
mod host;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gantry::adapters::sqlite::SqliteStore;
use gantry::domain::ids::MissionId;
use gantry::domain::mission::MissionState;
use gantry::domain::task::TaskState;
use gantry::engine::core::event::{AttemptKind, Event};
use gantry::engine::journal;
use gantry::ports::store::Store;
use host::{Host, Kill};
use rustix::process::Signal;
use xtask::bench::scratch;

/// The points are shared out among tests, so that all cores work.
const PARTS: u32 = 4;
/// After a line was written to it: at once, and into the commit that it leads to.
const WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_micros(1_500), Duration::from_micros(4_000)];

fn play(kill: Kill, host_restarts: bool) -> Result<(u32, u32)> {
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), 1)?;
    std::fs::write(project.join("README"), "read me\n")?;
    let home = folder.path().join("home");
    std::fs::create_dir(&home)?;
    let gantry = Path::new(env!("CARGO_BIN_EXE_gantry"));
    let mut host = Host::new(gantry, home.clone(), project.clone(), kill, host_restarts);
    let counts = host.play()?;
    ensure!(host.killed == (kill != Kill::Never), "the point was never reached");
    ensure!(host.deliveries() == 1, "the report was delivered {} times", host.deliveries());
    let mission = host.mission.context("a mission")?;
    judge(&home, &mission)?;
    for task in ["T1", "T2"] {
        ensure!(project.join(format!("{task}.txt")).exists(), "{task} was not done");
    }
    Ok(counts)
}

/// What the journal must say of a mission that has come to its end.
fn judge(home: &Path, mission: &str) -> Result<()> {
    let store = SqliteStore::open(&home.join("gantry.db"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let id = MissionId::from(mission);
    let rows = runtime.block_on(store.missions(None, false, 10))?;
    ensure!(rows.len() == 1, "{} missions", rows.len());
    ensure!(rows[0].state == "completed" && !rows[0].open, "{:?}", rows[0]);
    let records = runtime.block_on(store.load(id))?;
    let (mut ends, mut completed) = (0, Vec::new());
    for (at, record) in records.iter().enumerate() {
        ensure!(record.seq == at as u64 + 1, "a gap before record {}", record.seq);
        match journal::decode(&record.kind, &record.body)? {
            Event::StateChanged { to, .. } => ends += u32::from(to == MissionState::Completed),
            Event::TaskChanged { task, to: TaskState::Completed, .. } => {
                ensure!(!completed.contains(&task), "{task} was completed twice");
                completed.push(task);
            }
            Event::AttemptOpened { kind: AttemptKind::Work(task), .. } => {
                ensure!(!completed.contains(&task), "{task} was done, and worked on again");
            }
            _ => {}
        }
    }
    ensure!(ends == 1 && completed.len() == 2, "{ends} ends, completed: {completed:?}");
    Ok(())
}

/// Every point of this part; those that failed are named together.
fn sweep(part: u32, host_restarts: bool) {
    let (read, written) = play(Kill::Never, false).expect("a mission without any fault");
    let mut points: Vec<_> =
        (1..=read).flat_map(|n| [Kill::AfterItsLine(n), Kill::BeforeTheAnswer(n)]).collect();
    points.extend((1..=written).map(|n| Kill::AfterOurLine(n, WAITS[n as usize % WAITS.len()])));
    let mine: Vec<_> = points.into_iter().skip(part as usize).step_by(PARTS as usize).collect();
    let (mut failed, mut missed) = (Vec::new(), 0);
    for point in &mine {
        match play(*point, host_restarts) {
            Ok(_) => {}
            // A line that carried an answer has none itself, and a run may be a few lines shorter than another.
            Err(error) if error.to_string().contains("never reached") => missed += 1,
            Err(error) => failed.push(format!("{point:?}: {error:#}")),
        }
    }
    println!("{} points, {missed} of them not reached", mine.len());
    assert!(failed.is_empty(), "{} of {} points failed:\n{}", failed.len(), mine.len(), failed.join("\n"));
    assert!(missed < mine.len() / 2);
}

/// From a file that holds nothing up to one that holds a whole mission.
#[test]
fn a_full_disk_at_any_size_loses_nothing() {
    let mut points = 0;
    for blocks in (8..=1_400).step_by(58) {
        match play(Kill::Full(blocks), false) {
            Ok(_) => points += 1,
            // All of the mission has found room.
            Err(error) if error.to_string().contains("never reached") => break,
            Err(error) => panic!("{blocks} blocks: {error:#}"),
        }
    }
    println!("{points} sizes");
    assert!(points >= 5, "{points}");
}

#[test]
fn told_to_end_it_hands_its_mission_over_at_once() {
    for (line, signal) in [(4, Signal::TERM), (9, Signal::INT), (17, Signal::TERM), (25, Signal::INT)] {
        play(Kill::Signal(line, signal), false)
            .unwrap_or_else(|error| panic!("{signal:?} at {line}: {error:#}"));
    }
}

macro_rules! parts {
    ($($alone:ident $with_host:ident $part:literal)*) => {$(
        #[test]
        fn $alone() {
            sweep($part, false);
        }
        #[test]
        fn $with_host() {
            sweep($part, true);
        }
    )*};
}

parts! {
    the_sidecar_is_killed_0 the_host_is_killed_0 0
    the_sidecar_is_killed_1 the_host_is_killed_1 1
    the_sidecar_is_killed_2 the_host_is_killed_2 2
    the_sidecar_is_killed_3 the_host_is_killed_3 3
}
