//! One line on a mission, and how a command ends with it.
use super::exit;
use crate::protocol::types::MissionSummary;

/// Length of an id that tells missions apart: its first 48 bits are the millisecond it was made in.
pub const SHORT_ID: usize = 13;

pub fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

pub fn place(row: &MissionSummary) -> &str {
    row.phase.as_deref().unwrap_or(&row.state)
}

/// Cells of the bar.
const BAR: usize = 24;

/// A bar, and numbers.
pub fn line(row: &MissionSummary) -> String {
    let total = (row.total as usize).max(1);
    let full = (row.done as usize).min(total) * BAR / total;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let failed = if row.failed > 0 { format!(", {} failed", row.failed) } else { String::new() };
    format!("{bar} {}/{}  {}, {} running{failed}", row.done, row.total, place(row), row.running)
}

/// Exit code for the state a mission is in.
pub fn code(state: &str) -> u8 {
    match state {
        "completed" => exit::DONE,
        "partially_completed" => exit::PARTIAL,
        "cancelled" | "stopped" => exit::CANCELLED,
        _ => exit::FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_code() {
        let cases = [
            ("completed", 0),
            ("failed", 1),
            ("timeout", 1),
            ("running", 1),
            ("partially_completed", 3),
            ("stopped", 130),
        ];
        for (state, wanted) in cases {
            assert_eq!(code(state), wanted, "{state}");
        }
    }
}
