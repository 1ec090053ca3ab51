//! The rate gate of a provider: what it announces for one turn holds for all, and turns are begun again at a pace that it
//! is known to bear.
//!
//! A gate that has never been told to wait does not pace at all. Once it was, it begins anew at one turn a second, goes
//! up by a tenth a second to just below the pace that was refused, and from there looks for more, slowly at first and
//! faster the longer nothing is refused. A pace is learned only from turns that were begun at it: what the host tries
//! again by itself says that the provider is still not to be asked, and nothing of how fast turns may begin. It never
//! falls below `SLOWEST`, so after a pause of any length, and any number of them, nobody waits for long.
use super::ids::Millis;
use std::collections::VecDeque;

/// Turns a second after the first refusal, and at most after one that says nothing of the pace.
const RESTART: f64 = 1.0;
/// The slowest pace. One that bears less refuses a turn now and then, and says itself how long to wait.
const SLOWEST: f64 = 0.1;
/// What is left of a pace that was refused.
const BACK_OFF: f64 = 0.7;
const GROWTH_PER_S: f64 = 1.1;
/// Share of the refused pace at which growth stops.
const BELOW: f64 = 0.9;
/// By how much the refused pace is believed to have moved in the first minute without a refusal; in `n` minutes by the
/// `n * n`th power of it. So what is steady is tested once in one and a half minutes, and after ten nothing is left of a limit.
const PROBE: f64 = 1.05;
/// A pace beyond this is none.
const UNLIMITED: f64 = 50.0;
/// What is announced for longer is asked again after this: it may have been said of one model only, or by a clock that
/// was wrong, and one refused turn an hour costs less than a mission that sleeps for days.
pub const MAX_PAUSE_MS: u64 = 3_600_000;
/// The end of a pause is put off by up to a tenth of it, at least by this much, so that processes that were refused
/// together do not come back together.
const LEAST_JITTER_MS: u64 = 500;

/// Turns a second, as it was at the end of the last pause; what it is now follows from the time since.
#[derive(Clone, PartialEq, Debug)]
struct Pace {
    began_at: f64,
    /// The pace that was refused.
    refused: f64,
    /// The end of the last pause.
    since: Millis,
}

impl Pace {
    fn rate(&self, now: Millis) -> f64 {
        let seconds = now.since(self.since) as f64 / 1000.0;
        (self.began_at * GROWTH_PER_S.powf(seconds)).min((self.believed(now) * BELOW).max(self.began_at))
    }

    fn believed(&self, now: Millis) -> f64 {
        let minutes = now.since(self.since) as f64 / 60_000.0;
        self.refused * PROBE.powf(minutes * minutes)
    }

    fn gap_ms(&self, now: Millis) -> u64 {
        (1000.0 / self.rate(now)).ceil() as u64
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct RateGate {
    seed: u64,
    pauses: u64,
    paused_until: Millis,
    pace: Option<Pace>,
    last: Option<Millis>,
    /// Turns were begun as fast as the pace allows since the last pause.
    at_pace: bool,
    /// Starts within the last second.
    recent: VecDeque<Millis>,
}

impl RateGate {
    /// `seed` differs between processes: their jitter must not be the same.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// When one more turn may begin; now, or earlier, when it may at once. Asked later, it is never told a later time but
    /// for turns that have begun and pauses that were announced meanwhile.
    pub fn ready_at(&self, now: Millis) -> Millis {
        let paced = self.pace.as_ref().zip(self.last).map(|(pace, last)| last.plus(pace.gap_ms(now)));
        self.paused_until.max(paced.unwrap_or_default())
    }

    /// A turn is begun.
    pub fn begun(&mut self, now: Millis) {
        if self.pace.as_ref().is_some_and(|pace| pace.rate(now) >= UNLIMITED) {
            self.pace = None;
        }
        if let (Some(pace), Some(last)) = (&self.pace, self.last) {
            self.at_pace |= last >= pace.since && now.since(last) < 2 * pace.gap_ms(now);
        }
        self.last = Some(now);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|t| now.since(*t) >= 1_000) {
            self.recent.pop_front();
        }
    }

    /// The provider wants nothing before `until`. What is told during a pause comes from turns begun before it.
    pub fn refused(&mut self, now: Millis, until: Millis) {
        if now >= self.paused_until {
            self.pauses += 1;
            self.learn(now);
        }
        let pause = until.since(now).min(MAX_PAUSE_MS);
        let until = now.plus(pause + self.jitter(pause));
        self.paused_until = self.paused_until.max(until);
        if let Some(pace) = &mut self.pace {
            pace.since = self.paused_until;
        }
    }

    fn learn(&mut self, now: Millis) {
        let recent = self.recent.iter().filter(|t| now.since(**t) < 1_000).count() as f64;
        let (began_at, refused) = match &self.pace {
            None => (RESTART, recent.max(RESTART)),
            Some(pace) if self.at_pace => (pace.rate(now) * BACK_OFF, pace.rate(now)),
            Some(pace) => (pace.rate(now).min(RESTART), pace.believed(now)),
        };
        let began_at = began_at.max(SLOWEST);
        self.at_pace = false;
        self.pace = Some(Pace { began_at, refused: refused.max(began_at), since: now });
    }

    /// When the pause ends; none when there is none.
    pub fn pause(&self, now: Millis) -> Option<Millis> {
        (now < self.paused_until).then_some(self.paused_until)
    }

    /// Turns a minute, while they are paced.
    pub fn per_minute(&self, now: Millis) -> Option<u64> {
        let rate = self.pace.as_ref()?.rate(now);
        (rate < UNLIMITED).then_some((rate * 60.0).round() as u64)
    }

    pub fn pauses(&self) -> u64 {
        self.pauses
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

    /// Begins a turn now, or tells when.
    fn admit(gate: &mut RateGate, now: Millis) -> Result<(), Millis> {
        let at = gate.ready_at(now);
        if at > now {
            return Err(at);
        }
        gate.begun(now);
        Ok(())
    }

    #[test]
    fn a_gate_that_was_never_refused_lets_everything_through() {
        let mut gate = RateGate::new(1);
        assert!((0..1000).all(|_| admit(&mut gate, Millis(5)).is_ok()));
        assert_eq!((gate.pause(Millis(5)), gate.per_minute(Millis(5))), (None, None));
    }

    #[test]
    fn an_announced_wait_holds_for_all_and_ends_with_one_turn_at_a_time() {
        let mut gate = RateGate::new(1);
        (0..20).for_each(|_| assert!(admit(&mut gate, Millis(0)).is_ok()));
        gate.refused(Millis(10), Millis(30_000));
        // News of the other turns of that burst changes nothing but the end of the pause.
        (0..19).for_each(|_| gate.refused(Millis(20), Millis(20_000)));
        let end = gate.pause(Millis(30)).expect("paused");
        assert!((30_000..33_000).contains(&end.0), "{end:?}");
        assert_eq!((admit(&mut gate, Millis(29_999)), gate.pauses()), (Err(end), 1));
        assert_eq!(admit(&mut gate, end), Ok(()));
        assert_eq!(admit(&mut gate, end), Err(end.plus(1_000)));
        assert_eq!(admit(&mut gate, end.plus(1_000)), Ok(()));
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
                if let Err(later) = admit(&mut gate, now) {
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

    #[test]
    fn what_the_host_tries_again_by_itself_says_nothing_of_the_pace() {
        // One turn, refused every three seconds for an hour.
        let mut gate = RateGate::new(1);
        assert!(admit(&mut gate, Millis(0)).is_ok());
        let mut now = Millis(1_000);
        while now.0 < 3_600_000 {
            gate.refused(now, now.plus(3_000));
            now = now.plus(4_000);
        }
        let end = gate.pause(now.plus(0)).unwrap_or(now);
        assert!(gate.pauses() > 500 && gate.ready_at(end) <= end, "{:?} {end:?}", gate.ready_at(end));
        assert_eq!(gate.per_minute(end), Some(60));
    }

    #[test]
    fn a_limit_that_was_lifted_is_forgotten_within_ten_minutes() {
        let mut gate = RateGate::new(1);
        let mut now = Millis(0);
        // Learned to the bottom: whatever is begun is refused.
        for _ in 0..200 {
            while let Err(later) = admit(&mut gate, now) {
                now = later;
            }
            now = now.plus(10);
            gate.refused(now, now);
            for _ in 0..2 {
                now = gate.ready_at(now).max(now);
                gate.begun(now);
            }
        }
        assert_eq!(gate.per_minute(now), Some(6));
        assert!(gate.per_minute(now.plus(600_000)).is_none_or(|n| n > 600), "{gate:?}");
    }

    proptest! {
        /// Whatever was refused and begun, at whatever times: when the pause is over, `n` turns that wait have all begun
        /// within `n` times ten seconds.
        #[test]
        fn nobody_waits_for_ever(
            story in proptest::collection::vec((0_u64..20_000, 0_u64..60_000, 0_usize..6), 0..200),
            waiting in 1_u64..20,
        ) {
            let mut gate = RateGate::new(3);
            let mut now = Millis(0);
            for (after, pause, begun) in story {
                now = now.plus(after);
                for _ in 0..begun {
                    if let Err(later) = admit(&mut gate, now) {
                        prop_assert!(later > now);
                        now = later;
                    }
                }
                gate.refused(now, now.plus(pause));
            }
            now = gate.pause(now).unwrap_or(now);
            prop_assert!(gate.pause(now).is_none());
            let latest = now.plus(waiting * 10_000);
            for _ in 0..waiting {
                while let Err(later) = admit(&mut gate, now) {
                    prop_assert!(later > now);
                    now = later;
                }
            }
            prop_assert!(now <= latest, "{now:?} {latest:?} {gate:?}");
        }
    }
}
