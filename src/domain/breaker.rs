//! The circuit breaker: after many failures in a short time nothing is tried for a while, then one probe at a time.
use super::ids::Millis;
use std::collections::VecDeque;

/// Failures within `WINDOW_MS` that open it.
pub const FAILURES: usize = 5;
pub const WINDOW_MS: u64 = 30_000;
/// How long it stays open before a probe is let through.
pub const OPEN_MS: u64 = 30_000;
/// Successes of probes in a row that close it.
pub const SUCCESSES: u32 = 2;

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Closed,
    Open {
        until: Millis,
    },
    /// `probing` while the one probe is under way.
    HalfOpen {
        successes: u32,
        probing: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breaker {
    state: State,
    failures: VecDeque<Millis>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, failures: VecDeque::new() }
    }
}

impl Breaker {
    /// Nothing is wrong as far as it knows.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Asks to send one request now; a half-open one lets a single one through until its outcome is known.
    pub fn admit(&mut self, now: Millis) -> bool {
        if let State::Open { until } = self.state
            && until <= now
        {
            self.state = State::HalfOpen { successes: 0, probing: false };
        }
        match &mut self.state {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen { probing, .. } => !std::mem::replace(probing, true),
        }
    }

    /// When asking again can be of use: the end of the open time; at once otherwise.
    pub fn retry_at(&self, now: Millis) -> Millis {
        match self.state {
            State::Open { until } => until.max(now),
            State::Closed | State::HalfOpen { .. } => now,
        }
    }

    pub fn succeeded(&mut self) {
        match &mut self.state {
            State::Closed => self.failures.clear(),
            // A request from before it opened says nothing of now.
            State::Open { .. } => {}
            State::HalfOpen { successes, probing } => {
                *probing = false;
                *successes += 1;
                if *successes >= SUCCESSES {
                    *self = Self::default();
                }
            }
        }
    }

    pub fn failed(&mut self, now: Millis) {
        match self.state {
            State::Open { .. } => {}
            State::HalfOpen { .. } => self.open(now),
            State::Closed => {
                self.failures.push_back(now);
                while self.failures.front().is_some_and(|t| now.since(*t) > WINDOW_MS) {
                    self.failures.pop_front();
                }
                if self.failures.len() >= FAILURES {
                    self.open(now);
                }
            }
        }
    }

    /// The probe ended without an outcome (its turn was cancelled, its process lost): another may go.
    pub fn forgotten(&mut self) {
        if let State::HalfOpen { probing, .. } = &mut self.state {
            *probing = false;
        }
    }

    fn open(&mut self, now: Millis) {
        self.failures.clear();
        self.state = State::Open { until: now.plus(OPEN_MS) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: &[u64]) -> Breaker {
        let mut breaker = Breaker::default();
        failures.iter().for_each(|t| breaker.failed(Millis(*t)));
        breaker
    }

    #[test]
    fn five_failures_within_thirty_seconds_open_it() {
        let table: &[(&[u64], bool)] = &[
            (&[], true),
            (&[0, 1, 2, 3], true),
            (&[0, 1, 2, 3, 30_000], false),
            (&[0, 1, 2, 3, 30_001], true),
            (&[0, 20_000, 31_000, 32_000, 33_000, 34_000], false),
        ];
        for (failures, closed) in table {
            assert_eq!(after(failures).is_closed(), *closed, "{failures:?}");
        }
    }

    #[test]
    fn a_success_forgets_the_failures_before_it() {
        let mut breaker = after(&[0, 1, 2, 3]);
        breaker.succeeded();
        breaker.failed(Millis(4));
        assert!(breaker.is_closed());
    }

    #[test]
    fn half_open_lets_one_probe_through_at_a_time_and_closes_after_two() {
        let mut breaker = after(&[0, 0, 0, 0, 0]);
        assert!(!breaker.admit(Millis(29_999)));
        assert_eq!(breaker.retry_at(Millis(5)), Millis(30_000));
        assert!(breaker.admit(Millis(30_000)));
        assert!(!breaker.admit(Millis(30_001)), "the probe is under way");
        breaker.succeeded();
        assert!(!breaker.is_closed());
        assert!(breaker.admit(Millis(30_002)));
        breaker.succeeded();
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_failed_probe_opens_it_for_the_whole_time_again() {
        let mut breaker = after(&[0, 0, 0, 0, 0]);
        assert!(breaker.admit(Millis(30_000)));
        breaker.failed(Millis(31_000));
        assert!(!breaker.admit(Millis(60_999)));
        assert!(breaker.admit(Millis(61_000)));
        breaker.forgotten();
        assert!(breaker.admit(Millis(61_000)), "a probe without an outcome makes room for another");
    }
}
