//! The mission state machine: twelve states and every edge between them.
use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MissionState {
    Pending,
    Queued,
    Running,
    Paused,
    Degraded,
    Completed,
    PartiallyCompleted,
    Failed,
    Timeout,
    Stopped,
    Cancelled,
    Orphaned,
}

use MissionState::*;

impl MissionState {
    pub const ALL: [MissionState; 12] = [
        Pending,
        Queued,
        Running,
        Paused,
        Degraded,
        Completed,
        PartiallyCompleted,
        Failed,
        Timeout,
        Stopped,
        Cancelled,
        Orphaned,
    ];

    /// The states this one may change to; a change to itself is never among them.
    pub fn next(self) -> &'static [MissionState] {
        match self {
            Pending => &[Queued, Running, Cancelled, Failed],
            Queued => &[Running, Cancelled, Failed],
            Running => &[Completed, PartiallyCompleted, Failed, Timeout, Paused, Stopped, Degraded, Orphaned],
            Paused => &[Running, Stopped, Cancelled, Orphaned],
            Degraded => &[Running, Failed, Completed, Stopped, Orphaned],
            PartiallyCompleted => &[Running, Completed],
            Failed | Timeout => &[Pending],
            Completed | Stopped | Cancelled | Orphaned => &[],
        }
    }

    pub fn change(self, to: MissionState) -> Result<MissionState, IllegalMissionChange> {
        if self.next().contains(&to) { Ok(to) } else { Err(IllegalMissionChange { from: self, to }) }
    }

    /// Whether work may go on or begin without an operator's decision to reopen it.
    pub fn is_open(self) -> bool {
        matches!(self, Pending | Queued | Running | Paused | Degraded)
    }

    /// Where `cancel` leads from here.
    pub fn cancelled(self) -> Option<MissionState> {
        match self {
            Pending | Queued => Some(Cancelled),
            Running | Paused | Degraded => Some(Stopped),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Pending => "pending",
            Queued => "queued",
            Running => "running",
            Paused => "paused",
            Degraded => "degraded",
            Completed => "completed",
            PartiallyCompleted => "partially_completed",
            Failed => "failed",
            Timeout => "timeout",
            Stopped => "stopped",
            Cancelled => "cancelled",
            Orphaned => "orphaned",
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Where a running mission is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    Briefing,
    Planning,
    Executing,
    Reviewing,
    Integrating,
}

impl Phase {
    pub const ALL: [Phase; 5] =
        [Phase::Briefing, Phase::Planning, Phase::Executing, Phase::Reviewing, Phase::Integrating];

    pub fn name(self) -> &'static str {
        match self {
            Phase::Briefing => "briefing",
            Phase::Planning => "planning",
            Phase::Executing => "executing",
            Phase::Reviewing => "reviewing",
            Phase::Integrating => "integrating",
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IllegalMissionChange {
    pub from: MissionState,
    pub to: MissionState,
}

impl fmt::Display for IllegalMissionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a mission that is {} cannot become {}", self.from.name(), self.to.name())?;
        match self.from.next() {
            [] => write!(f, ": {} is an end state", self.from.name()),
            next => {
                write!(f, "; possible: {}", next.iter().map(|s| s.name()).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl std::error::Error for IllegalMissionChange {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published table, row by row, written out once more by hand: the code must not be its own witness.
    const TABLE: &[(&str, &str)] = &[
        ("pending", "queued running cancelled failed"),
        ("queued", "running cancelled failed"),
        ("running", "completed partially_completed failed timeout paused stopped degraded orphaned"),
        ("paused", "running stopped cancelled orphaned"),
        ("degraded", "running failed completed stopped orphaned"),
        ("partially_completed", "running completed"),
        ("failed", "pending"),
        ("timeout", "pending"),
        ("completed", ""),
        ("stopped", ""),
        ("cancelled", ""),
        ("orphaned", ""),
    ];

    #[test]
    fn all_144_pairs_follow_the_table() {
        let mut seen = 0;
        for from in MissionState::ALL {
            let row = TABLE.iter().find(|(name, _)| *name == from.name()).expect("a row for each state").1;
            for to in MissionState::ALL {
                seen += 1;
                let allowed = row.split_whitespace().any(|n| n == to.name());
                assert_eq!(from.change(to).is_ok(), allowed, "{} -> {}", from.name(), to.name());
            }
        }
        assert_eq!(seen, 144);
    }

    #[test]
    fn a_refusal_names_both_states_and_the_way_out() {
        let text = Queued.change(Completed).unwrap_err().to_string();
        assert_eq!(
            text,
            "a mission that is queued cannot become completed; possible: running, cancelled, failed"
        );
        assert!(Completed.change(Running).unwrap_err().to_string().ends_with("completed is an end state"));
    }

    #[test]
    fn names_round_trip_and_cancel_is_always_a_legal_edge() {
        for state in MissionState::ALL {
            assert_eq!(MissionState::parse(state.name()), Some(state));
            if let Some(to) = state.cancelled() {
                assert_eq!(state.change(to), Ok(to));
                assert!(state.is_open());
            }
        }
        assert_eq!(Running.cancelled(), Some(Stopped), "a running mission that is cancelled ends as stopped");
    }
}
