//! Rows of figures with their targets, as Markdown.

use super::stats::Samples;

/// Which figure of a row its target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stat {
    P50,
    P99,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    what: String,
    unit: &'static str,
    samples: Samples,
    target: Option<(Stat, f64)>,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, unit: &'static str, samples: Samples) -> Self {
        Self { what: what.into(), unit, samples, target: None }
    }

    /// A figure that stays below this is as it is meant to be.
    pub(super) fn below(mut self, stat: Stat, limit: f64) -> Self {
        self.target = Some((stat, limit));
        self
    }

    fn markdown(&self) -> String {
        let Self { what, unit, samples, target } = self;
        let figure = |value| format!("{} {unit}", digits(value));
        let spread = format!("{} – {}", digits(samples.min()), figure(samples.max()));
        let (wanted, verdict) = match *target {
            None => (String::new(), ""),
            Some((stat, limit)) => {
                let (name, value) = match stat {
                    Stat::P50 => ("p50", samples.p50()),
                    Stat::P99 => ("p99", samples.p99()),
                };
                // A figure that is missing (NaN) meets nothing.
                (format!("{name} < {limit} {unit}"), if value < limit { "met" } else { "**missed**" })
            }
        };
        let (count, p50, p99) = (samples.count(), figure(samples.p50()), figure(samples.p99()));
        format!("| {what} | {count} | {p50} | {p99} | {spread} | {wanted} | {verdict} |")
    }
}

/// The figures of one part, with remarks on how they came about.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Row>,
    remarks: Vec<String>,
}

impl Table {
    pub(super) fn row(mut self, row: Row) -> Self {
        self.rows.push(row);
        self
    }

    pub(super) fn remark(mut self, text: impl Into<String>) -> Self {
        self.remarks.push(text.into());
        self
    }

    /// Rows without a header, so that the parts make one table.
    pub fn rows(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(Row::markdown)
    }

    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

pub fn header() -> &'static str {
    "| what | n | p50 | p99 | min – max | target | |\n|---|--:|--:|--:|--:|--:|---|"
}

/// Three significant digits, which is more than one run is worth.
fn digits(value: f64) -> String {
    let whole = value.abs().max(0.001).log10().floor() as i32;
    let decimals = usize::try_from(2 - whole).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        let cases = [
            (0.0, "0.00000"),
            (0.04567, "0.0457"),
            (1.0, "1.00"),
            (12.345, "12.3"),
            (-4.5, "-4.50"),
            (1234.5, "1234"),
        ];
        for (value, expected) in cases {
            assert_eq!(digits(value), expected);
        }
    }

    #[test]
    fn a_row_says_whether_its_target_is_met() {
        let row = |limit| Row::new("x", "ms", Samples::new(vec![1.0, 2.0, 30.0])).below(Stat::P50, limit);
        assert_eq!(
            row(2.5).markdown(),
            "| x | 3 | 2.00 ms | 30.0 ms | 1.00 – 30.0 ms | p50 < 2.5 ms | met |"
        );
        assert!(row(2.0).markdown().ends_with("| p50 < 2 ms | **missed** |"));
        let nothing = Row::new("x", "ms", Samples::default()).below(Stat::P99, 1.0).markdown();
        assert!(nothing.ends_with("**missed** |"), "{nothing}");
        let free = Row::new("x", "ms", Samples::new(vec![1.0])).markdown();
        assert!(free.ends_with("|  |  |"), "{free}");
    }
}
