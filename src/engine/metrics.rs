//! What the engine counts of itself: for people who look for the reason of a wait, and for tests.
use super::core::Action;
use crate::ports::queue::Queue;
use std::collections::BTreeMap;
use std::time::Duration;

/// Numbers by name. Counters only grow while the process lives; gauges say how it is now.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metrics {
    pub counters: BTreeMap<String, u64>,
    pub gauges: BTreeMap<String, u64>,
    pub queues: Vec<Queue>,
}

impl Metrics {
    pub fn count(&mut self, name: &str, value: u64) {
        *self.counters.entry(name.to_owned()).or_default() += value;
    }

    pub fn gauge(&mut self, name: &str, value: u64) {
        self.gauges.insert(name.to_owned(), value);
    }
}

/// What the dispatcher has counted so far.
#[derive(Default)]
pub struct Tally {
    facts: BTreeMap<&'static str, u64>,
    actions: BTreeMap<&'static str, u64>,
    pub commits: u64,
    pub commits_refused: u64,
    commit_total: Duration,
    commit_longest: Duration,
    pub taken_over: u64,
    pub jobs_broken: u64,
    pub missions_forgotten: u64,
}

impl Tally {
    pub fn fact(&mut self, kind: &'static str) {
        *self.facts.entry(kind).or_default() += 1;
    }

    pub fn action(&mut self, action: &Action) {
        *self.actions.entry(action.kind()).or_default() += 1;
    }

    pub fn committed(&mut self, took: Duration) {
        self.commits += 1;
        self.commit_total += took;
        self.commit_longest = self.commit_longest.max(took);
    }

    pub fn report(&self, metrics: &mut Metrics) {
        for (kind, n) in &self.facts {
            metrics.count(&format!("facts.{kind}"), *n);
        }
        for (kind, n) in &self.actions {
            metrics.count(&format!("actions.{kind}"), *n);
        }
        let micros = |d: Duration| d.as_micros() as u64;
        metrics.count("commits", self.commits);
        metrics.count("commits.refused", self.commits_refused);
        metrics.count("commits.micros", micros(self.commit_total));
        metrics.gauge("commits.longest_micros", micros(self.commit_longest));
        metrics.count("missions.taken_over_by_others", self.taken_over);
        metrics.count("jobs.broken", self.jobs_broken);
        metrics.count("store.missions_forgotten", self.missions_forgotten);
    }
}
