//! Work of low priority waits while memory is short: better it begins later than that the machine swaps under all.

/// What the machine has, and what this process takes of it; in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryUse {
    pub total: u64,
    pub available: u64,
    /// Resident, of this process.
    pub own: u64,
}

impl MemoryUse {
    pub fn percent(&self) -> u64 {
        self.total.saturating_sub(self.available).saturating_mul(100).checked_div(self.total).unwrap_or(0)
    }
}

/// From where on low priority waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryLimits {
    /// Of the machine, in percent.
    pub percent: u64,
    /// Of this process, in bytes.
    pub own: u64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { percent: 80, own: 1 << 30 }
    }
}

/// How far use has to fall below a limit before work goes on, in percent of the limit: at the limit itself it would
/// start and stop with every sample.
const SLACK: u64 = 5;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryGuard {
    limits: MemoryLimits,
    last: Option<MemoryUse>,
    short: Option<String>,
}

impl MemoryGuard {
    pub fn new(limits: MemoryLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// True when this sample changed the answer.
    pub fn sample(&mut self, now: MemoryUse) -> bool {
        let slack = |limit: u64| if self.short.is_some() { limit - limit * SLACK / 100 } else { limit };
        let before = self.short.is_some();
        self.short = if now.percent() > slack(self.limits.percent) {
            Some(format!("{} % of the machine's memory are in use", now.percent()))
        } else if now.own > slack(self.limits.own) {
            Some(format!("Gantry itself uses {} MB of memory", now.own >> 20))
        } else {
            None
        };
        self.last = Some(now);
        before != self.short.is_some()
    }

    /// The reason why work of low priority has to wait.
    pub fn short(&self) -> Option<&str> {
        self.short.as_deref()
    }

    /// The newest sample.
    pub fn last(&self) -> Option<MemoryUse> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_priority_waits_above_the_limit_until_use_is_well_below_it() {
        let mut guard = MemoryGuard::default();
        let sample = |used: u64, own: u64| MemoryUse { total: 1_000, available: 1_000 - used, own };
        // Used of a thousand, own bytes, whether it holds back.
        let table = [
            (800, 0, false),
            (810, 0, true),
            (780, 0, true),
            (761, 0, false),
            (0, 1 << 30, false),
            (0, (1 << 30) + 1, true),
            (0, 1_030_000_000, true),
            (0, 1_000_000_000, false),
        ];
        let mut held = false;
        for (used, own, expected) in table {
            assert_eq!(guard.sample(sample(used, own)), held != expected, "{used} {own}");
            held = expected;
            assert_eq!(guard.short().is_some(), expected, "{used} {own}");
        }
        guard.sample(sample(900, 0));
        assert_eq!(guard.short(), Some("90 % of the machine's memory are in use"));
        assert_eq!(MemoryUse { total: 0, available: 0, own: 0 }.percent(), 0);
    }
}
