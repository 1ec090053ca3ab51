//! The merge queue's batch: accepted changes put on top of each other, checked as one, and parted when the checks object.
//!
//! With `n` changes of which one is to blame the checks run once for all, about log2 n times to find it, and once for
//! what stood behind it.
use super::ids::TaskId;
use super::verdict::TreeId;

/// Most changes in one batch.
pub const MAX_BATCH: usize = 32;

/// One change of a batch, and the tree with it and all before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub task: TaskId,
    pub tree: TreeId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// What all of it stands on; its checks are known to pass.
    onto: TreeId,
    steps: Vec<Step>,
    /// So many changes from the first on are known to pass together.
    good: usize,
    /// So many are known to fail; more than `good`.
    bad: Option<usize>,
}

/// What is to be done next with a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// The checks are to run on the tree of so many changes.
    Check(usize),
    /// So many changes are accepted; the one behind them is to blame for what fails, and the rest waits for the next
    /// batch.
    Accept { good: usize, culprit: Option<TaskId> },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a result for {told} changes of a batch in which {good} pass and {open} are open")]
pub struct NotAsked {
    told: usize,
    good: usize,
    open: usize,
}

impl Batch {
    pub fn new(onto: TreeId, steps: Vec<Step>) -> Self {
        Self { onto, steps, good: 0, bad: None }
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The tree of so many changes.
    pub fn tree(&self, changes: usize) -> &TreeId {
        changes.checked_sub(1).and_then(|last| self.steps.get(last)).map_or(&self.onto, |step| &step.tree)
    }

    pub fn next(&self) -> Next {
        match self.bad {
            None if self.good == self.steps.len() => Next::Accept { good: self.good, culprit: None },
            None => Next::Check(self.steps.len()),
            Some(bad) if self.good + 1 == bad => {
                Next::Accept { good: self.good, culprit: Some(self.steps[self.good].task.clone()) }
            }
            Some(bad) => Next::Check((self.good + bad) / 2),
        }
    }

    /// How the checks on the tree of so many changes ended.
    pub fn told(&mut self, changes: usize, passed: bool) -> Result<(), NotAsked> {
        let open = self.bad.map_or(self.steps.len(), |bad| bad - 1);
        if changes <= self.good || changes > open {
            return Err(NotAsked { told: changes, good: self.good, open });
        }
        if passed {
            self.good = changes;
        } else {
            self.bad = Some(changes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(n: usize) -> Batch {
        let step = |i: usize| Step { task: TaskId::new(format!("T{i}")), tree: TreeId(format!("tree {i}")) };
        Batch::new(TreeId("before".into()), (1..=n).map(step).collect())
    }

    /// Plays a batch in which the change `culprit` breaks the checks; answers with its end and the runs it took.
    fn play(n: usize, culprit: Option<usize>) -> (Next, usize) {
        let mut batch = batch(n);
        let mut runs = 0;
        while let Next::Check(changes) = batch.next() {
            runs += 1;
            batch.told(changes, culprit.is_none_or(|c| changes < c)).expect("it was asked for");
        }
        (batch.next(), runs)
    }

    #[test]
    fn the_culprit_is_found_in_the_runs_that_halving_takes() {
        for n in 1..=MAX_BATCH {
            assert_eq!(play(n, None), (Next::Accept { good: n, culprit: None }, 1), "{n}");
            for culprit in 1..=n {
                let (end, runs) = play(n, Some(culprit));
                let blamed = Some(TaskId::new(format!("T{culprit}")));
                assert_eq!(end, Next::Accept { good: culprit - 1, culprit: blamed }, "{n}");
                let halvings = (n as f64).log2().ceil() as usize;
                assert!(runs <= 1 + halvings, "{culprit} of {n}: {runs} runs");
            }
        }
        assert_eq!(play(0, None), (Next::Accept { good: 0, culprit: None }, 0));
    }

    #[test]
    fn only_what_is_open_can_be_told() {
        let mut batch = batch(4);
        assert_eq!(batch.tree(0).0, "before");
        assert_eq!(batch.tree(3).0, "tree 3");
        batch.told(0, true).expect_err("known already");
        batch.told(5, true).expect_err("there is none");
        batch.told(4, false).expect("asked for");
        batch.told(4, true).expect_err("it has failed");
        batch.told(2, true).expect("asked for");
        let again = batch.told(1, false).expect_err("it passed with more").to_string();
        assert_eq!(again, "a result for 1 changes of a batch in which 2 pass and 3 are open");
    }
}
