//! The rate gate of a provider: what it announces for one turn holds for all, and turns are begun again at a pace that it
//! is known to bear.
//!
//! A gate that has never been told to wait does not pace at all. Once it was, it begins anew at one turn a second, goes
//! up by a tenth a second to just below the rate that was refused, and from there looks for more only slowly.
use super::ids::Millis;
use std::collections::VecDeque;

/// Turns a second after the first refusal.
const RESTART: f64 = 1.0;
/// What is left of a pace that was refused.
const BACK_OFF: f64 = 0.7;
const GROWTH_PER_S: f64 = 1.1;
/// Share of the refused rate at which growth stops.
const BELOW: f64 = 0.9;
/// By how much the refused rate is believed to have moved in a minute.
const PROBE_PER_MIN: f64 = 1.05;
/// A pace beyond this is none.
const UNLIMITED: f64 = 50.0;
/// What is announced for longer is asked again after this: it may have been said of one model only, or by a clock that
/// was wrong, and one refused turn an hour costs less than a mission that sleeps for days.
pub const MAX_PAUSE_MS: u64 = 3_600_000;
/// The end of a pause is put off by up to a tenth of it, at least by this much, so that processes that were refused
/// together do not come back together.
const LEAST_JITTER_MS: u64 = 500;

#[derive(Clone, PartialEq, Debug)]
struct Pace {
    /// Turns a second.
    rate: f64,
    /// The rate that was refused.
    refused: f64,
    /// Earliest start of the next turn; fractions of a millisecond matter at high rates.
    next_ms: f64,
    grown_at: Millis,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct RateGate {
    seed: u64,
    pauses: u64,
    paused_until: Millis,
    pace: Option<Pace>,
    /// Starts within the last second.
    recent: VecDeque<Millis>,
}

impl RateGate {
    /// `seed` differs between processes: their jitter must not be the same.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Asks to begin one turn now; else when to ask again, which is always later than now.
    pub fn admit(&mut self, now: Millis) -> Result<(), Millis> {
        if now < self.paused_until {
            return Err(self.paused_until);
        }
        self.grow(now);
        if let Some(pace) = &mut self.pace {
            if (now.0 as f64) < pace.next_ms {
                return Err(Millis(pace.next_ms.ceil() as u64));
            }
            pace.next_ms = now.0 as f64 + 1000.0 / pace.rate;
        }
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|t| now.since(*t) >= 1_000) {
            self.recent.pop_front();
        }
        Ok(())
    }

    /// The provider wants nothing before `until`. What is told during a pause comes from turns begun before it.
    pub fn refused(&mut self, now: Millis, until: Millis) {
        if now >= self.paused_until {
            self.pauses += 1;
            let recent = self.recent.iter().filter(|t| now.since(**t) < 1_000).count() as f64;
            let (rate, refused) = match &self.pace {
                Some(pace) => (pace.rate * BACK_OFF, pace.rate),
                None => (RESTART, recent.max(RESTART)),
            };
            self.pace = Some(Pace { rate, refused, next_ms: 0.0, grown_at: now });
        }
        let pause = until.since(now).min(MAX_PAUSE_MS);
        let until = now.plus(pause + self.jitter(pause));
        self.paused_until = self.paused_until.max(until);
        if let Some(pace) = &mut self.pace {
            pace.grown_at = self.paused_until;
        }
    }

    /// When the pause ends; none when there is none.
    pub fn pause(&self, now: Millis) -> Option<Millis> {
        (now < self.paused_until).then_some(self.paused_until)
    }

    /// Turns a minute, while they are paced.
    pub fn per_minute(&self) -> Option<u64> {
        self.pace.as_ref().map(|p| (p.rate * 60.0) as u64)
    }

    pub fn pauses(&self) -> u64 {
        self.pauses
    }

    fn grow(&mut self, now: Millis) {
        let Some(pace) = &mut self.pace else { return };
        let seconds = now.since(pace.grown_at) as f64 / 1000.0;
        pace.grown_at = now;
        pace.refused *= PROBE_PER_MIN.powf(seconds / 60.0);
        let top = (pace.refused * BELOW).max(pace.rate);
        pace.rate = (pace.rate * GROWTH_PER_S.powf(seconds)).min(top);
        if pace.rate >= UNLIMITED {
            self.pace = None;
        }
    }

    /// From the seed and the number of the pause (splitmix64): chance is not for this layer.
    fn jitter(&self, pause_ms: u64) -> u64 {
        let mut x = self.seed.wrapping_add(self.pauses.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % (pause_ms / 10).max(LEAST_JITTER_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_gate_that_was_never_refused_lets_everything_through() {
        let mut gate = RateGate::new(1);
        assert!((0..1000).all(|_| gate.admit(Millis(5)).is_ok()));
        assert_eq!((gate.pause(Millis(5)), gate.per_minute()), (None, None));
    }

    #[test]
    fn an_announced_wait_holds_for_all_and_ends_with_one_turn_at_a_time() {
        let mut gate = RateGate::new(1);
        (0..20).for_each(|_| assert!(gate.admit(Millis(0)).is_ok()));
        gate.refused(Millis(10), Millis(30_000));
        // News of the other turns of that burst changes nothing but the end of the pause.
        (0..19).for_each(|_| gate.refused(Millis(20), Millis(20_000)));
        let end = gate.pause(Millis(30)).expect("paused");
        assert!((30_000..33_000).contains(&end.0), "{end:?}");
        assert_eq!((gate.admit(Millis(29_999)), gate.pauses()), (Err(end), 1));
        assert_eq!(gate.admit(end), Ok(()));
        assert_eq!(gate.admit(end), Err(end.plus(1_000)));
        assert_eq!(gate.admit(end.plus(1_000)), Ok(()));
    }

    #[test]
    fn no_announcement_silences_a_provider_for_more_than_an_hour() {
        let mut gate = RateGate::new(1);
        gate.refused(Millis(0), Millis(u64::MAX));
        assert!(gate.pause(Millis(0)).is_some_and(|end| end.0 <= MAX_PAUSE_MS + MAX_PAUSE_MS / 10));
    }

    #[test]
    fn processes_that_were_refused_together_come_back_apart() {
        let ends: std::collections::BTreeSet<_> = (0..20)
            .map(|seed| {
                let mut gate = RateGate::new(seed);
                gate.refused(Millis(0), Millis(30_000));
                gate.pause(Millis(0))
            })
            .collect();
        assert!(ends.len() > 15, "{ends:?}");
    }

    /// A provider that refuses what goes beyond `per_s` turns in any second, and 50 clients that always want another turn.
    fn storm(per_s: usize, seconds: u64) -> (BTreeMap<u64, usize>, usize, usize) {
        let mut gate = RateGate::new(7);
        let (mut taken, mut refused) = (VecDeque::new(), BTreeMap::new());
        let mut due = vec![Millis(0); 50];
        let (mut served, mut asked) = (0, 0);
        for now in (0..seconds * 1000).map(Millis) {
            for at in &mut due {
                if *at > now {
                    continue;
                }
                if let Err(later) = gate.admit(now) {
                    *at = later;
                    continue;
                }
                asked += 1;
                while taken.front().is_some_and(|t: &Millis| now.since(*t) >= 1_000) {
                    taken.pop_front();
                }
                if taken.len() < per_s {
                    taken.push_back(now);
                    served += 1;
                    *at = now.plus(1_000);
                } else {
                    *refused.entry(now.0 / 1_000).or_default() += 1;
                    gate.refused(now, now.plus(1_000));
                    *at = now.plus(1);
                }
            }
        }
        (refused, served, asked)
    }

    #[test]
    fn of_a_provider_with_a_rate_limit_fewer_than_one_in_a_hundred_is_refused() {
        for per_s in [2, 5, 10, 20] {
            let (refused, served, asked) = storm(per_s, 600);
            let late: usize = refused.range(1..).map(|(_, n)| n).sum();
            let share = late as f64 / asked as f64;
            assert!(share < 0.01, "{per_s} a second: {late} of {asked}");
            let used = served as f64 / (600 * per_s) as f64;
            assert!(used > 0.7, "{per_s} a second: {used:.2} of what it bears");
        }
    }

    proptest! {
        /// Who is refused is told a later time, and is let in some time.
        #[test]
        fn nobody_waits_for_ever(waits in proptest::collection::vec((0_u64..5_000, 0_u64..60_000), 0..40)) {
            let mut gate = RateGate::new(3);
            let mut now = Millis(0);
            for (after, pause) in waits {
                now = now.plus(after);
                gate.refused(now, now.plus(pause));
                if let Err(at) = gate.admit(now) {
                    prop_assert!(at > now);
                }
            }
            for _ in 0..3 {
                if let Err(at) = gate.admit(now) {
                    prop_assert!(at > now);
                    now = at;
                }
            }
            prop_assert!(gate.pause(now).is_none());
        }
    }
}
