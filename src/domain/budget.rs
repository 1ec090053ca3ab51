//! What a mission or a task may cost: a warning near the end, a stop at it.
//!
//! Nobody knows what a turn costs before it has ended. What turns of a kind cost on average is reserved while they run,
//! so that the sum passes a budget by at most the turns that are under way when it is reached.
use std::fmt;

/// Share of a budget from which on the user is warned.
pub const SOFT: f64 = 0.8;

/// What was used, as the host counts it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Spent {
    /// Input, output, reasoning and cache tokens together.
    pub tokens: u64,
    /// US dollars.
    pub cost: f64,
}

impl Spent {
    pub fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), cost: self.cost + other.cost }
    }

    /// What of it is not in `other` yet; nothing where that is more.
    pub fn beyond(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_sub(other.tokens), cost: (self.cost - other.cost).max(0.0) }
    }
}

/// Limits; those that are absent do not limit.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Budget {
    pub tokens: Option<u64>,
    /// US dollars.
    pub cost: Option<f64>,
    pub wall_ms: Option<u64>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Standing {
    Within,
    /// Past the warning.
    Near(Use),
    Over(Use),
}

/// How much of which limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Use {
    Tokens { used: u64, of: u64 },
    Cost { used: f64, of: f64 },
    Wall { used_ms: u64, of_ms: u64 },
}

impl Use {
    fn share(self) -> f64 {
        match self {
            Use::Tokens { used, of } => ratio(used as f64, of as f64),
            Use::Cost { used, of } => ratio(used, of),
            Use::Wall { used_ms, of_ms } => ratio(used_ms as f64, of_ms as f64),
        }
    }
}

/// A budget of nothing is spent from the start.
fn ratio(used: f64, of: f64) -> f64 {
    if of > 0.0 { used / of } else { f64::INFINITY }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Use::Tokens { used, of } => write!(f, "{used} of {of} tokens"),
            Use::Cost { used, of } => write!(f, "${used:.2} of ${of:.2}"),
            Use::Wall { used_ms, of_ms } => write!(f, "{} of {} min", used_ms / 60_000, of_ms / 60_000),
        }
    }
}

impl Budget {
    pub fn limits_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn uses(&self, spent: Spent, wall_ms: u64) -> impl Iterator<Item = Use> {
        let tokens = self.tokens.map(|of| Use::Tokens { used: spent.tokens, of });
        let cost = self.cost.map(|of| Use::Cost { used: spent.cost, of });
        let wall = self.wall_ms.map(|of_ms| Use::Wall { used_ms: wall_ms, of_ms });
        [tokens, cost, wall].into_iter().flatten()
    }

    /// By the limit of which the greatest share is used.
    pub fn standing(&self, spent: Spent, wall_ms: u64) -> Standing {
        match self.uses(spent, wall_ms).max_by(|a, b| a.share().total_cmp(&b.share())) {
            Some(most) if most.share() >= 1.0 => Standing::Over(most),
            Some(most) if most.share() >= SOFT => Standing::Near(most),
            _ => Standing::Within,
        }
    }

    /// Whether a turn that is expected to cost `next` may begin beside those for which `reserved` is kept. The last bit
    /// of a budget is for one turn alone: kept back, it would be of no use to anybody.
    pub fn admits(&self, spent: Spent, wall_ms: u64, reserved: Option<Spent>, next: Spent) -> bool {
        if matches!(self.standing(spent, wall_ms), Standing::Over(_)) {
            return false;
        }
        let Some(reserved) = reserved else { return true };
        let all = spent.plus(reserved).plus(next);
        self.tokens.is_none_or(|of| all.tokens <= of) && self.cost.is_none_or(|of| all.cost <= of)
    }
}

/// What turns of one kind cost on average.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Mean {
    count: u64,
    sum: Spent,
}

impl Mean {
    pub fn learn(&mut self, cost: Spent) {
        self.count += 1;
        self.sum = self.sum.plus(cost);
    }

    /// None while nothing is known.
    pub fn value(&self) -> Option<Spent> {
        (self.count > 0)
            .then(|| Spent { tokens: self.sum.tokens / self.count, cost: self.sum.cost / self.count as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spent(tokens: u64, cost: f64) -> Spent {
        Spent { tokens, cost }
    }

    #[test]
    fn a_budget_warns_at_four_fifths_and_is_over_at_its_end() {
        let budget = Budget { tokens: Some(1_000), cost: Some(2.0), wall_ms: Some(60_000) };
        let table = [
            (spent(0, 0.0), 0, "within"),
            (spent(799, 1.59), 47_999, "within"),
            (spent(800, 0.0), 0, "near 800 of 1000 tokens"),
            (spent(800, 1.9), 0, "near $1.90 of $2.00"),
            (spent(1_000, 0.0), 0, "over 1000 of 1000 tokens"),
            (spent(0, 2.5), 0, "over $2.50 of $2.00"),
            (spent(0, 0.0), 60_000, "over 1 of 1 min"),
        ];
        for (spent, wall, expected) in table {
            let found = match budget.standing(spent, wall) {
                Standing::Within => "within".to_owned(),
                Standing::Near(most) => format!("near {most}"),
                Standing::Over(most) => format!("over {most}"),
            };
            assert_eq!(found, expected);
        }
        assert_eq!(Budget::default().standing(spent(u64::MAX, 1e9), u64::MAX), Standing::Within);
        let nothing = Budget { tokens: Some(0), ..Budget::default() };
        assert!(!nothing.admits(Spent::default(), 0, None, Spent::default()));
    }

    #[test]
    fn what_runs_is_reserved_for_and_the_last_bit_is_for_one_turn_alone() {
        let budget = Budget { tokens: Some(1_000), ..Budget::default() };
        let admits = |used, reserved: Option<u64>, next| {
            budget.admits(spent(used, 0.0), 0, reserved.map(|t| spent(t, 0.0)), spent(next, 0.0))
        };
        assert!(admits(0, Some(900), 100));
        assert!(!admits(0, Some(901), 100));
        assert!(!admits(950, Some(0), 100), "one is under way");
        assert!(admits(950, None, 100), "none is under way");
        assert!(!admits(1_000, None, 0));
    }

    #[test]
    fn a_mean_is_none_before_the_first() {
        let mut mean = Mean::default();
        assert_eq!(mean.value(), None);
        mean.learn(spent(10, 1.0));
        mean.learn(spent(20, 2.0));
        assert_eq!(mean.value(), Some(spent(15, 1.5)));
        assert_eq!(spent(5, 1.0).beyond(spent(9, 0.5)), spent(0, 0.5));
    }

    proptest! {
        /// Turns of any cost, any number side by side: the sum passes the budget by less than the turns that were under
        /// way when it was reached.
        #[test]
        fn a_budget_is_passed_by_at_most_the_turns_in_flight(
            limit in 1_u64..10_000, costs in proptest::collection::vec(1_u64..2_000, 1..200), most in 1_usize..12,
        ) {
            let budget = Budget { tokens: Some(limit), ..Budget::default() };
            let (mut used, mut mean) = (0_u64, Mean::default());
            let mut running: Vec<u64> = Vec::new();
            let mut at_the_limit: Option<u64> = None;
            let mut next = costs.iter();
            loop {
                let each = mean.value().unwrap_or_default();
                let reserved = (!running.is_empty()).then(|| spent(each.tokens * running.len() as u64, 0.0));
                if running.len() < most && budget.admits(spent(used, 0.0), 0, reserved, each)
                    && let Some(cost) = next.next() {
                    prop_assert!(used < limit);
                    running.push(*cost);
                    continue;
                }
                if running.is_empty() {
                    break;
                }
                let in_flight: u64 = running.iter().sum();
                let cost = running.remove(0);
                mean.learn(spent(cost, 0.0));
                used += cost;
                if used >= limit && at_the_limit.is_none() {
                    at_the_limit = Some(in_flight);
                }
            }
            prop_assert!(used <= limit + at_the_limit.unwrap_or(0));
            prop_assert!(used >= limit || next.next().is_none(), "the budget was of use to the end");
        }
    }
}
