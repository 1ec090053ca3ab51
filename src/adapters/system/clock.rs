//! The wall clock.
use crate::domain::ids::Millis;
use crate::ports::system::Clock;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the port's one real clock")]
    fn now(&self) -> Millis {
        // A clock set before 1970 counts as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_later_than_this_test_was_written() {
        let written = Millis(1_700_000_000_000);
        assert!(SystemClock.now() > written, "milliseconds, not seconds");
    }
}
