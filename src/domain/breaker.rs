//! The circuit breaker: after many failures in a short time nothing is tried for a while, then one probe at a time.
//!
//! Who probes is kept by name, and whether that one is still at it is asked each time: a flag that has to be taken back
//! wherever a turn can end would one day not be, and keep everybody out for good.
use super::ids::{AttemptId, Millis};
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
    /// With who probes.
    HalfOpen {
        successes: u32,
        probe: Option<AttemptId>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breaker {
    state: State,
    failures: VecDeque<Millis>,
    /// The last answer.
    answered: Option<Millis>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, failures: VecDeque::new(), answered: None }
    }
}

impl Breaker {
    /// Nothing is wrong as far as it knows.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// When one more request may be sent; none while that depends on the outcome of a probe, of which `under_way` says
    /// whether it can still have one.
    pub fn ready_at(&self, now: Millis, under_way: impl FnOnce(&AttemptId) -> bool) -> Option<Millis> {
        match &self.state {
            State::Closed => Some(now),
            State::Open { until } => Some((*until).max(now)),
            State::HalfOpen { probe, .. } => {
                let probing = probe.as_ref().is_some_and(under_way);
                (!probing).then_some(now)
            }
        }
    }

    /// It is sent; by a probe when the breaker is not closed.
    pub fn begun(&mut self, now: Millis, who: &AttemptId) {
        match &mut self.state {
            State::Open { until } if *until <= now => {
                self.state = State::HalfOpen { successes: 0, probe: Some(who.clone()) };
            }
            State::HalfOpen { probe, .. } => *probe = Some(who.clone()),
            State::Open { .. } | State::Closed => {}
        }
    }

    /// The provider has begun to answer the probe: another may go, whatever becomes of this one.
    pub fn heard(&mut self, who: &AttemptId) {
        if let State::HalfOpen { probe, .. } = &mut self.state
            && probe.as_ref() == Some(who)
        {
            *probe = None;
        }
    }

    /// An answer is complete. Once the open time is over it counts whoever got it, for a host that tries a turn again by
    /// itself probes too.
    pub fn succeeded(&mut self, now: Millis, who: &AttemptId) {
        self.heard(who);
        self.answered = Some(now);
        match &mut self.state {
            State::Closed => self.failures.clear(),
            // A request from before it opened says nothing of now.
            State::Open { until } if *until > now => {}
            State::Open { .. } => self.state = State::HalfOpen { successes: 1, probe: None },
            State::HalfOpen { successes, .. } => {
                *successes += 1;
                if *successes >= SUCCESSES {
                    self.state = State::Closed;
                }
            }
        }
    }

    /// Whether anybody had an answer since then.
    pub fn answered_since(&self, then: Millis) -> bool {
        self.answered.is_some_and(|at| at >= then)
    }

    pub fn failed(&mut self, now: Millis) {
        match self.state {
            State::Open { until } if until > now => {}
            State::Open { .. } | State::HalfOpen { .. } => self.open(now),
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

    fn who(name: &str) -> AttemptId {
        AttemptId::new(name)
    }

    /// Sends a request when it may; whoever probes is still at it.
    fn sends(breaker: &mut Breaker, now: u64, name: &str) -> bool {
        let may = breaker.ready_at(Millis(now), |_| true).is_some_and(|at| at <= Millis(now));
        if may {
            breaker.begun(Millis(now), &who(name));
        }
        may
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
        breaker.succeeded(Millis(3), &who("a"));
        breaker.failed(Millis(4));
        assert!(breaker.is_closed());
    }

    #[test]
    fn half_open_lets_one_probe_through_at_a_time_and_closes_after_two() {
        let mut breaker = after(&[0, 0, 0, 0, 0]);
        assert!(!sends(&mut breaker, 29_999, "a"));
        assert_eq!(breaker.ready_at(Millis(5), |_| true), Some(Millis(30_000)));
        breaker.succeeded(Millis(29_999), &who("z"));
        assert!(sends(&mut breaker, 30_000, "a"));
        assert!(!sends(&mut breaker, 30_001, "b"), "the probe is under way");
        assert_eq!(breaker.ready_at(Millis(30_001), |_| true), None);
        breaker.succeeded(Millis(30_001), &who("a"));
        assert!(!breaker.is_closed());
        assert!(sends(&mut breaker, 30_002, "b"));
        breaker.succeeded(Millis(30_003), &who("b"));
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_failed_probe_opens_it_for_the_whole_time_again() {
        let mut breaker = after(&[0, 0, 0, 0, 0]);
        assert!(sends(&mut breaker, 30_000, "a"));
        breaker.failed(Millis(31_000));
        assert!(!sends(&mut breaker, 60_999, "b"));
        assert!(sends(&mut breaker, 61_000, "b"));
    }

    #[test]
    fn a_probe_that_can_have_no_outcome_any_more_or_that_is_heard_makes_room_for_another() {
        let mut breaker = after(&[0, 0, 0, 0, 0]);
        assert!(sends(&mut breaker, 30_000, "a"));
        let by = |breaker: &Breaker, lost: &str| breaker.ready_at(Millis(30_000), |p| *p != who(lost));
        assert_eq!((by(&breaker, "a"), by(&breaker, "b")), (Some(Millis(30_000)), None));
        breaker.heard(&who("b"));
        assert!(!sends(&mut breaker, 30_000, "b"));
        breaker.heard(&who("a"));
        assert!(sends(&mut breaker, 30_000, "b"));
    }

    #[test]
    fn when_its_time_is_over_what_the_host_tries_again_by_itself_probes_too() {
        let mut breaker = after(&[0, 0, 0, 0, 0]);
        breaker.failed(Millis(30_000));
        assert!(!sends(&mut breaker, 59_999, "a"), "it has failed again");
        for at in [60_000, 61_000] {
            assert!(!breaker.is_closed());
            breaker.succeeded(Millis(at), &who("z"));
        }
        assert!(breaker.is_closed());
    }
}
