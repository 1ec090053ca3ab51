//! How many attempts may run at one time: ceilings per role, model and provider, adapted within what the user allows,
//! and who of those that wait comes next.
//!
//! Which attempts are open is the state of the missions; the seats they take are counted anew each time. A permit that
//! is kept apart from its attempt could leak; one that is the attempt cannot.
use super::ids::{MissionId, Role};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Successes in a row that raise a limit by one.
pub const RAISE_AFTER: u32 = 3;
/// Failures in a row that lower it by one.
pub const LOWER_AFTER: u32 = 2;

/// What is counted together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    Role(Role),
    /// As `provider/model`.
    Model(String),
    Provider(String),
}

impl Key {
    /// Whether one more may sit down if at most `most` of what counts for this may.
    pub fn has_room(&self, most: u32, seat: &Seat<'_>, taken: &[Seat<'_>]) -> bool {
        !seat.counts_for(self) || taken.iter().filter(|s| s.counts_for(self)).count() < most as usize
    }
}

/// What one open attempt takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat<'a> {
    pub role: Role,
    /// `provider/model`; none until the host has named it. Such a one counts for every model, so that no ceiling can be
    /// passed by what is not known yet.
    pub model: Option<&'a str>,
}

/// `provider` of `provider/model`.
pub fn provider(model: &str) -> &str {
    model.split_once('/').map_or(model, |(provider, _)| provider)
}

impl Seat<'_> {
    fn counts_for(&self, key: &Key) -> bool {
        match key {
            Key::Role(role) => self.role == *role,
            Key::Model(model) => self.model.is_none_or(|m| m == model),
            Key::Provider(name) => self.model.is_none_or(|m| provider(m) == name),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Limit {
    ceiling: u32,
    allowed: u32,
    successes: u32,
    failures: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Permits {
    limits: BTreeMap<Key, Limit>,
}

impl Permits {
    /// Limits begin at their ceilings: a mission that meets no fault never waits for them to grow.
    pub fn new(ceilings: impl IntoIterator<Item = (Key, u32)>) -> Self {
        let mut permits = Self::default();
        ceilings.into_iter().for_each(|(key, n)| permits.set_ceiling(key, n));
        permits
    }

    /// These and no others.
    pub fn set_ceilings(&mut self, ceilings: BTreeMap<Key, u32>) {
        self.limits.retain(|key, _| ceilings.contains_key(key));
        ceilings.into_iter().for_each(|(key, n)| self.set_ceiling(key, n));
    }

    /// At least one, for none would be a mission that never ends. A limit that had adapted stays where it was, as far as
    /// the new ceiling allows; one that stood at its ceiling moves with it.
    fn set_ceiling(&mut self, key: Key, ceiling: u32) {
        let ceiling = ceiling.max(1);
        let limit =
            self.limits.entry(key).or_insert(Limit { ceiling, allowed: ceiling, successes: 0, failures: 0 });
        let at_top = limit.allowed == limit.ceiling;
        limit.allowed = if at_top { ceiling } else { limit.allowed.min(ceiling) };
        limit.ceiling = ceiling;
    }

    /// What is allowed now, and its ceiling; none where nobody set one.
    pub fn limit(&self, key: &Key) -> Option<(u32, u32)> {
        self.limits.get(key).map(|l| (l.allowed, l.ceiling))
    }

    pub fn limits(&self) -> impl Iterator<Item = (&Key, u32, u32)> {
        self.limits.iter().map(|(key, l)| (key, l.allowed, l.ceiling))
    }

    /// Whether one more may sit down beside those that are there; else what is full.
    pub fn admits(&self, seat: &Seat<'_>, taken: &[Seat<'_>]) -> Result<(), Key> {
        let full =
            |(key, limit): (&Key, &Limit)| (!key.has_room(limit.allowed, seat, taken)).then(|| key.clone());
        self.limits.iter().find_map(full).map_or(Ok(()), Err)
    }

    /// A turn ended well, or its provider failed.
    pub fn settled(&mut self, seat: &Seat<'_>, well: bool) {
        for (_, limit) in self.limits.iter_mut().filter(|(key, _)| seat.counts_for(key)) {
            if well {
                limit.failures = 0;
                limit.successes += 1;
                if limit.successes == RAISE_AFTER {
                    limit.successes = 0;
                    limit.allowed = (limit.allowed + 1).min(limit.ceiling);
                }
            } else {
                limit.successes = 0;
                limit.failures += 1;
                if limit.failures == LOWER_AFTER {
                    limit.failures = 0;
                    limit.allowed = limit.allowed.saturating_sub(1).max(1);
                }
            }
        }
    }
}

/// Who waits for a permit of a role: higher levels first, and within a level in the order in which they came. A mission
/// that was served goes to the back, so that one with many tasks does not keep out one with few.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    tickets: BTreeMap<(Role, MissionId), u64>,
    next: u64,
}

impl Line {
    /// Takes note of all who wait for the role, with the level of the first thing each wants.
    pub fn arrange(&mut self, role: Role, waiting: &[(MissionId, u64)]) {
        self.tickets.retain(|(r, m), _| *r != role || waiting.iter().any(|(w, _)| w == m));
        for (mission, _) in waiting {
            let next = &mut self.next;
            self.tickets.entry((role, mission.clone())).or_insert_with(|| {
                *next += 1;
                *next
            });
        }
    }

    pub fn first(&self, role: Role, waiting: &[(MissionId, u64)]) -> Option<MissionId> {
        let ticket = |m: &MissionId| self.tickets.get(&(role, m.clone())).copied().unwrap_or(u64::MAX);
        waiting.iter().min_by_key(|(m, level)| (Reverse(*level), ticket(m))).map(|(m, _)| m.clone())
    }

    /// It wants nothing any more.
    pub fn left(&mut self, mission: &MissionId) {
        self.tickets.retain(|(_, waiting), _| waiting != mission);
    }

    /// Missions that wait, once for each role.
    pub fn waiting(&self) -> usize {
        self.tickets.len()
    }

    /// It has got one; should it want another, it stands behind all who wait.
    pub fn served(&mut self, role: Role, mission: &MissionId) {
        self.tickets.remove(&(role, mission.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seat(role: Role, model: Option<&str>) -> Seat<'_> {
        Seat { role, model }
    }

    fn worker() -> Seat<'static> {
        seat(Role::Worker, Some("a/x"))
    }

    #[test]
    fn each_of_role_model_and_provider_can_be_what_is_full() {
        let permits = Permits::new([
            (Key::Role(Role::Worker), 3),
            (Key::Model("a/x".into()), 2),
            (Key::Provider("a".into()), 3),
        ]);
        let y = seat(Role::Worker, Some("a/y"));
        let table: &[(Vec<Seat>, Seat, Result<(), Key>)] = &[
            (vec![], worker(), Ok(())),
            (vec![worker()], worker(), Ok(())),
            (vec![worker(), worker()], worker(), Err(Key::Model("a/x".into()))),
            (vec![worker(), worker()], y, Ok(())),
            (vec![worker(), worker(), seat(Role::Reviewer, Some("a/y"))], y, Err(Key::Provider("a".into()))),
            (vec![worker(), worker(), y], seat(Role::Worker, Some("b/z")), Err(Key::Role(Role::Worker))),
            // Nothing is known of the model: it may be any.
            (vec![worker(), worker()], seat(Role::Planner, None), Err(Key::Model("a/x".into()))),
            (
                vec![seat(Role::Planner, None), seat(Role::Planner, None)],
                worker(),
                Err(Key::Model("a/x".into())),
            ),
            (vec![], seat(Role::Planner, None), Ok(())),
        ];
        for (taken, seat, expected) in table {
            assert_eq!(permits.admits(seat, taken), *expected, "{taken:?} {seat:?}");
        }
    }

    #[test]
    fn two_failures_lower_and_three_successes_raise_within_the_ceiling() {
        let mut permits = Permits::new([(Key::Role(Role::Worker), 3)]);
        let key = Key::Role(Role::Worker);
        let mut after = |outcomes: &str| {
            outcomes.chars().for_each(|c| permits.settled(&worker(), c == '+'));
            permits.limit(&key).map(|l| l.0)
        };
        let table = [
            ("-", 3),
            ("-", 2),
            ("+++", 3),
            ("++++++", 3),
            ("--", 2),
            ("-+-+-+", 2),
            ("------", 1),
            ("++-+", 1),
            ("++", 2),
        ];
        for (outcomes, allowed) in table {
            assert_eq!(after(outcomes), Some(allowed), "{outcomes}");
        }
    }

    #[test]
    fn a_ceiling_that_is_moved_takes_a_full_limit_with_it() {
        let key = Key::Role(Role::Worker);
        let mut permits = Permits::new([(key.clone(), 4)]);
        permits.set_ceiling(key.clone(), 8);
        assert_eq!(permits.limit(&key), Some((8, 8)));
        (0..2).for_each(|_| permits.settled(&worker(), false));
        permits.set_ceiling(key.clone(), 20);
        assert_eq!(permits.limit(&key), Some((7, 20)), "what it had learned stays");
        permits.set_ceiling(key.clone(), 0);
        assert_eq!(permits.limit(&key), Some((1, 1)));
    }

    #[test]
    fn who_waits_is_served_in_order_within_a_level() {
        let mut line = Line::default();
        let m = |id: &str| MissionId::new(id);
        let mut waiting = vec![(m("b"), 1), (m("a"), 1)];
        line.arrange(Role::Worker, &waiting[..1]);
        line.arrange(Role::Worker, &waiting);
        assert_eq!(line.first(Role::Worker, &waiting), Some(m("b")), "it came first");
        line.served(Role::Worker, &m("b"));
        line.arrange(Role::Worker, &waiting);
        assert_eq!(line.first(Role::Worker, &waiting), Some(m("a")), "served goes to the back");
        waiting.push((m("c"), 2));
        line.arrange(Role::Worker, &waiting);
        assert_eq!(line.first(Role::Worker, &waiting), Some(m("c")), "a higher level goes first");
        // Who stops waiting loses the place.
        line.arrange(Role::Worker, &[(m("b"), 1)]);
        line.arrange(Role::Worker, &waiting);
        assert_eq!(line.first(Role::Worker, &[(m("a"), 1), (m("b"), 1)]), Some(m("b")));
    }

    proptest! {
        /// Whatever happens, a limit stays between one and its ceiling, and what is admitted never passes it.
        #[test]
        fn ceilings_are_never_passed(
            ceilings in proptest::collection::vec(1_u32..6, 3),
            steps in proptest::collection::vec((0_u8..4, 0_u8..3, any::<bool>()), 1..200),
        ) {
            let keys = [Key::Role(Role::Worker), Key::Model("a/x".into()), Key::Provider("a".into())];
            let mut permits = Permits::new(keys.iter().cloned().zip(ceilings.iter().copied()));
            let mut open: Vec<Seat> = Vec::new();
            for (what, model, well) in steps {
                let model = [None, Some("a/x"), Some("a/y")][model as usize];
                match what {
                    0 | 1 => {
                        let new = seat(Role::Worker, model);
                        if permits.admits(&new, &open).is_ok() {
                            open.push(new);
                        }
                    }
                    2 => drop(open.pop()),
                    _ => permits.settled(&seat(Role::Worker, model), well),
                }
                for (key, ceiling) in keys.iter().zip(&ceilings) {
                    let (allowed, top) = permits.limit(key).expect("it was set");
                    prop_assert!((1..=*ceiling).contains(&allowed) && top == *ceiling);
                    prop_assert!(open.iter().filter(|s| s.counts_for(key)).count() <= *ceiling as usize);
                }
            }
        }
    }
}
