//! From what ends a turn to the call to the host that it leads to.
//!
//! Missions of tasks in a row: nothing else is under way, so the next call of a kind is the one that was caused.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Built;
use super::host::{Host, Mark, Script, plan};
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Stat, Table};

const MISSIONS: usize = 10;
/// One more than verdicts that lead to a next task.
const TASKS: usize = 21;
/// Size of the project that is looked at between a report and its review.
const FILES: usize = 1_000;
/// Long enough for everything that follows a prompt to have settled.
const TURN: Duration = Duration::from_millis(30);

pub(super) fn measure(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let project = scratch::project(folder.path(), FILES)?;
    let mut host = Host::open(&built.gantry, &folder.path().join("home"), &project)?;
    let mut found = Found::default();
    for _ in 0..MISSIONS {
        let script = Script { plan: plan(TASKS, true), turn: TURN, forgetful: true, endless: false };
        found.add(&host.mission(script)?);
    }
    host.sidecar.end()?;
    let Found { reminded, reviewed, next } = found;
    Ok(Table::default()
        .row(
            Row::new(
                "host session idle → next prompt (a reminder: journal only)",
                "ms",
                Samples::millis(reminded),
            )
            .below(Stat::P99, 20.0),
        )
        .row(
            Row::new("reviewer's verdict → host session of the next task", "ms", Samples::millis(next))
                .below(Stat::P99, 20.0),
        )
        .row(
            Row::new(
                format!("worker idle → host session of its reviewer (git over {FILES} files between)"),
                "ms",
                Samples::millis(reviewed),
            )
            .below(Stat::P99, 20.0),
        ))
}

#[derive(Default)]
struct Found {
    reminded: Vec<Duration>,
    reviewed: Vec<Duration>,
    next: Vec<Duration>,
}

impl Found {
    fn add(&mut self, marks: &[(Instant, Mark)]) {
        for (place, (at, mark)) in marks.iter().enumerate() {
            let (list, awaited) = match mark {
                Mark::Idle { agent, reported: false } if agent == "worker" => {
                    (&mut self.reminded, Mark::Prompted { agent: agent.clone() })
                }
                Mark::Idle { agent, reported: true } if agent == "worker" => {
                    (&mut self.reviewed, Mark::Created { agent: "reviewer".into() })
                }
                Mark::Submitted { agent } if agent == "reviewer" => {
                    (&mut self.next, Mark::Created { agent: "worker".into() })
                }
                _ => continue,
            };
            // The last verdicts of a mission lead to no further task.
            list.extend(
                marks[place..].iter().find(|(_, other)| *other == awaited).map(|(then, _)| *then - *at),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_turn_is_paired_with_what_it_caused() {
        let start = Instant::now();
        let agent = || "worker".to_owned();
        let reviewer = || "reviewer".to_owned();
        let story = [
            (0, Mark::Idle { agent: "planner".into(), reported: true }),
            (1, Mark::Idle { agent: agent(), reported: false }),
            (3, Mark::Prompted { agent: agent() }),
            (10, Mark::Idle { agent: agent(), reported: true }),
            (14, Mark::Created { agent: reviewer() }),
            (20, Mark::Submitted { agent: reviewer() }),
            (21, Mark::Idle { agent: reviewer(), reported: true }),
            (28, Mark::Created { agent: agent() }),
            (30, Mark::Submitted { agent: reviewer() }),
        ];
        let marks: Vec<_> =
            story.into_iter().map(|(at, mark)| (start + Duration::from_millis(at), mark)).collect();
        let mut found = Found::default();
        found.add(&marks);
        let millis = |list: &[Duration]| list.iter().map(Duration::as_millis).collect::<Vec<_>>();
        assert_eq!(millis(&found.reminded), [2]);
        assert_eq!(millis(&found.reviewed), [4]);
        assert_eq!(millis(&found.next), [8]);
    }
}
