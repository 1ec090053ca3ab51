//! Samples and what is said of them.

use std::time::Duration;

/// Measured values in one unit, in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(super) fn millis(values: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(values.into_iter().map(|value| value.as_secs_f64() * 1e3).collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The value that this share of the samples does not exceed (nearest rank). NaN without samples.
    pub(super) fn at(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn p50(&self) -> f64 {
        self.at(0.50)
    }

    /// Of fewer than a hundred samples this is the greatest.
    pub(super) fn p99(&self) -> f64 {
        self.at(0.99)
    }

    pub(super) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    pub(super) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_nearest_and_never_interpolated() {
        let hundred = Samples::new((1..=100).rev().map(f64::from).collect());
        assert_eq!((hundred.min(), hundred.p50(), hundred.p99(), hundred.max()), (1.0, 50.0, 99.0, 100.0));
        let three = Samples::new(vec![3.0, 1.0, 2.0]);
        assert_eq!((three.p50(), three.p99()), (2.0, 3.0));
        let one = Samples::millis([Duration::from_micros(1500)]);
        assert_eq!((one.count(), one.p50(), one.p99()), (1, 1.5, 1.5));
    }

    #[test]
    fn nothing_measured_is_no_number() {
        assert!(Samples::default().p50().is_nan());
    }
}
