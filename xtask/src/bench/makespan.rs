//! Whole missions of independent tasks whose turns all take the same time, in a host that costs nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Built;
use super::host::{Host, Mark, Script, plan};
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};

const SIZES: [usize; 3] = [1, 10, 50];
const RUNS: usize = 3;
/// The sidecar's default.
pub(super) const WORKERS: usize = 10;
const TURN: Duration = Duration::from_secs(1);
const FILES: usize = 1_000;

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), FILES)?;
    let mut host = Host::open(&built.gantry, &folder.path().join("home"), &project)?;
    let mut table = Table::default();
    for tasks in SIZES {
        let bound = bound(tasks);
        let mut ratios = Vec::new();
        for _ in 0..RUNS {
            let script = Script { plan: plan(tasks, false), turn: TURN, forgetful: false, endless: false };
            ratios.push(makespan(&host.mission(script)?)?.as_secs_f64() / bound.as_secs_f64());
        }
        let what = format!(
            "makespan of {tasks} independent tasks, {WORKERS} workers ÷ its bound of {} s",
            bound.as_secs()
        );
        table = table.row(Row::new(what, "×", Samples::new(ratios)).below(Stat::P50, 1.05));
    }
    host.sidecar.end()?;
    Ok(table)
}

/// Commander, planner, the workers in as many rounds as they need, the review of the last round, the review of the
/// whole: turns that have to wait for each other whatever the engine does.
fn bound(tasks: usize) -> Duration {
    TURN * (2 + rounds(tasks) + 2)
}

/// Times that all workers begin anew.
pub(super) fn rounds(tasks: usize) -> u32 {
    u32::try_from(tasks.div_ceil(WORKERS)).unwrap_or(u32::MAX)
}

/// From the request to the report.
fn makespan(marks: &[(Instant, Mark)]) -> Result<Duration> {
    let at = |wanted: Mark| marks.iter().find(|(_, mark)| *mark == wanted).map(|(at, _)| *at);
    let (asked, reported) = (at(Mark::Asked), at(Mark::Reported));
    Ok(reported.context("no report")? - asked.context("no request")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_counts_the_turns_that_wait_for_each_other() {
        assert_eq!(SIZES.map(|tasks| bound(tasks).as_secs()), [5, 5, 9]);
        assert_eq!(bound(11), TURN * 6);
    }
}
