//! Numbered points of a mission's work that it can be taken back to: the newest hundred are kept.
use super::ids::Millis;
use super::mission::Phase;
use super::task::TaskState;
use super::verdict::TreeId;
use std::collections::VecDeque;
use std::fmt;

/// Checkpoints kept of a mission.
pub const KEPT: usize = 100;

/// Time between two periodic ones while the mission runs, in milliseconds.
pub const PERIOD_MS: u64 = 5 * 60_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    Periodic,
    /// A task changed its state.
    TaskState,
    /// Asked for.
    Manual,
    /// Ahead of a step that may have to be taken back.
    BeforeRisky,
}

impl Trigger {
    pub fn name(self) -> &'static str {
        match self {
            Trigger::Periodic => "periodic",
            Trigger::TaskState => "task_state",
            Trigger::Manual => "manual",
            Trigger::BeforeRisky => "before_risky",
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint {
    /// From 1, never used again.
    pub sequence: u32,
    pub at: Millis,
    pub trigger: Trigger,
    pub phase: Option<Phase>,
    /// Which plan the tasks are of.
    pub edition: u32,
    /// In the order of the plan; tasks that were added later are not among them.
    pub tasks: Vec<TaskState>,
    /// The files as they were then, where that was recorded.
    pub tree: Option<TreeId>,
}

impl Checkpoint {
    pub fn completed(&self) -> usize {
        self.tasks.iter().filter(|state| **state == TaskState::Completed).count()
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Checkpoints {
    made: u32,
    kept: VecDeque<Checkpoint>,
    /// When the last periodic one was made; it may not be kept any more.
    pub periodic_at: Option<Millis>,
}

/// Why there is no such checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoCheckpoint {
    pub sequence: u32,
    pub kept: Option<(u32, u32)>,
}

impl fmt::Display for NoCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept {
            Some((first, last)) => {
                write!(f, "there is no checkpoint {}: {first} to {last} are kept", self.sequence)
            }
            None => write!(f, "there is no checkpoint {}: none has been made yet", self.sequence),
        }
    }
}

impl Checkpoints {
    /// Numbers the checkpoint, and lets the oldest go where there are too many.
    pub fn push(&mut self, checkpoint: Checkpoint) {
        self.made += 1;
        if checkpoint.trigger == Trigger::Periodic {
            self.periodic_at = Some(checkpoint.at);
        }
        self.kept.push_back(Checkpoint { sequence: self.made, ..checkpoint });
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    pub fn get(&self, sequence: u32) -> Result<&Checkpoint, NoCheckpoint> {
        let kept = self.kept.front().zip(self.kept.back()).map(|(a, b)| (a.sequence, b.sequence));
        self.kept.iter().find(|c| c.sequence == sequence).ok_or(NoCheckpoint { sequence, kept })
    }

    /// The tree of one that was made before; no more of it where it is not kept any longer.
    pub fn record(&mut self, sequence: u32, tree: Option<TreeId>) {
        if let Some(found) = self.kept.iter_mut().find(|c| c.sequence == sequence) {
            found.tree = tree;
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Checkpoint> {
        self.kept.iter()
    }

    pub fn last(&self) -> Option<&Checkpoint> {
        self.kept.back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(at: u64) -> Checkpoint {
        Checkpoint {
            sequence: 0,
            at: Millis(at),
            trigger: Trigger::Periodic,
            phase: None,
            edition: 0,
            tasks: Vec::new(),
            tree: None,
        }
    }

    #[test]
    fn the_newest_hundred_are_kept_under_their_numbers() {
        let mut all = Checkpoints::default();
        assert_eq!(all.get(1).unwrap_err().to_string(), "there is no checkpoint 1: none has been made yet");
        (1..=105).for_each(|at| all.push(checkpoint(at)));
        let numbers: Vec<_> = all.iter().map(|c| c.sequence).collect();
        assert_eq!(numbers, (6..=105).collect::<Vec<_>>());
        assert_eq!(all.get(6).map(|c| c.at), Ok(Millis(6)));
        assert_eq!(all.last().map(|c| c.sequence), Some(105));
        assert_eq!(all.get(5).unwrap_err().to_string(), "there is no checkpoint 5: 6 to 105 are kept");
        assert_eq!(all.get(106).unwrap_err().kept, Some((6, 105)));
    }
}
