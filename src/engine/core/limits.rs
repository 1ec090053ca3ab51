//! What the process may do at one time, over all missions. How many turns of a role or a provider is for the user to
//! say, mission by mission: see `Options::ceilings`.
use crate::domain::ids::Role;
use crate::domain::memory::MemoryLimits;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Lanes that carry out a role's calls to the host. None for the Commander, whose turns the user begins.
    pub lanes: BTreeMap<Role, usize>,
    /// Whether what an attempt leads to is carried out by the lane that carried out the attempt.
    pub affinity: bool,
    pub memory: MemoryLimits,
    /// Open missions, over all projects.
    pub missions: usize,
    /// Missions within each other's conversations.
    pub depth: usize,
    /// Tasks of one plan.
    pub tasks: usize,
    /// Missions at rest that stay in memory, however short their rest has been; their journals stay for much longer.
    pub at_rest: usize,
    /// Whether attempts of missions that have left memory are kept for those to come, and names of models shared: see
    /// [`crate::domain::spares`] and [`crate::domain::names`].
    pub pools: bool,
    /// Ended missions that stay in the store, over all projects.
    pub stored: u32,
}

impl Default for Limits {
    fn default() -> Self {
        use Role::{Planner, Reviewer, Worker};
        Self {
            lanes: BTreeMap::from([(Planner, 2), (Worker, 8), (Reviewer, 4)]),
            affinity: true,
            memory: MemoryLimits::default(),
            missions: 200,
            depth: 3,
            tasks: crate::domain::plan::MAX_TASKS,
            at_rest: 50,
            pools: false,
            stored: 1_000,
        }
    }
}
