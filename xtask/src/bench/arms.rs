//! The same work done in several ways, one after the other, and what each way cost.

use std::time::Duration;

use super::cost::Used;
use super::stats::Samples;
use super::table::{Row, Stat, Table};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arm {
    Mission,
    /// Turns begun by nothing but a loop, whose workers write a file each as those of the mission do.
    Writing,
    /// … and only read.
    Reading,
}

/// One way, once.
pub(super) struct Run {
    pub(super) took: Duration,
    pub(super) used: Used,
    /// From the last answer to each worker to the first request of its reviewer.
    pub(super) waits: Vec<Duration>,
    /// Requests to the model, and their bytes.
    pub(super) asked: usize,
    pub(super) sent: usize,
}

#[derive(Default)]
pub(super) struct Arms {
    mission: Vec<Run>,
    writing: Vec<Run>,
    reading: Vec<Run>,
}

impl Arm {
    pub(super) const ALL: [Self; 3] = [Self::Mission, Self::Writing, Self::Reading];

    /// Where its workers write.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Mission => "work",
            Self::Writing | Self::Reading => "bare",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mission => "mission",
            Self::Writing => "loop that writes the same files",
            Self::Reading => "loop that only reads",
        }
    }
}

impl Arms {
    pub(super) fn of(&mut self, arm: Arm) -> &mut Vec<Run> {
        match arm {
            Arm::Mission => &mut self.mission,
            Arm::Writing => &mut self.writing,
            Arm::Reading => &mut self.reading,
        }
    }

    fn runs(&self) -> [(Arm, &[Run]); 3] {
        [(Arm::Mission, &self.mission), (Arm::Writing, &self.writing), (Arm::Reading, &self.reading)]
    }

    pub(super) fn take_in(&mut self, other: Self) {
        self.mission.extend(other.mission);
        self.writing.extend(other.writing);
        self.reading.extend(other.reading);
    }

    /// Times, and their ratios run by run.
    pub(super) fn rows(&self, mut table: Table, tasks: usize, bound: Duration) -> Table {
        for (arm, runs) in self.runs() {
            let ratios = runs.iter().map(|run| run.took.as_secs_f64() / bound.as_secs_f64()).collect();
            let what = match arm {
                Arm::Mission => format!(
                    "real host: mission of {tasks} tasks side by side ÷ its bound of {} s",
                    bound.as_secs()
                ),
                Arm::Writing | Arm::Reading => format!("… the same turns by a {} ÷ the bound", arm.name()),
            };
            table = table.row(Row::new(what, "×", Samples::new(ratios)));
        }
        for (arm, runs) in &self.runs()[1..] {
            let beside = self.mission.iter().zip(*runs);
            let ratios = beside.map(|(mission, run)| mission.took.as_secs_f64() / run.took.as_secs_f64());
            let row = Row::new(
                format!("… mission ÷ {}, run by run", arm.name()),
                "×",
                Samples::new(ratios.collect()),
            );
            table = table.row(row.below(Stat::P50, 1.05));
        }
        self.costs(table, tasks)
    }

    /// What each task cost, with its share of what belongs to all of them.
    fn costs(&self, mut table: Table, tasks: usize) -> Table {
        for (arm, runs) in self.runs() {
            let name = arm.name();
            let each = |what: &str, unit, value: &dyn Fn(&Run) -> f64| {
                let values = runs.iter().map(|run| value(run) / tasks as f64).collect();
                Row::new(format!("{name} of {tasks}, per task: {what}"), unit, Samples::new(values))
            };
            let millis = |time: Duration| time.as_secs_f64() * 1e3;
            table = table
                .row(each("processor time of the host", "ms", &|run| millis(run.used.host)))
                .row(each("… of what the host started", "ms", &|run| millis(run.used.of_host)));
            if arm == Arm::Mission {
                table = table.row(each("… of the sidecar", "ms", &|run| millis(run.used.sidecar))).row(each(
                    "… of what the sidecar started",
                    "ms",
                    &|run| millis(run.used.of_sidecar),
                ));
            }
            table = table.row(each("requests to the model", "", &|run| run.asked as f64)).row(each(
                "… sent",
                "KB",
                &|run| run.sent as f64 / 1e3,
            ));
        }
        table
    }

    pub(super) fn wait_rows(self, mut table: Table) -> Table {
        for (arm, runs) in
            [(Arm::Mission, self.mission), (Arm::Writing, self.writing), (Arm::Reading, self.reading)]
        {
            let waits = Samples::millis(runs.into_iter().flat_map(|run| run.waits));
            table = table.row(Row::new(
                format!("worker's last answer → its reviewer's first request, {}", arm.name()),
                "ms",
                waits,
            ));
        }
        table
    }
}
