//! What the process may do at one time, over all missions; the user's to set, these are the defaults.
use crate::domain::ids::Role;
use crate::domain::memory::MemoryLimits;
use crate::domain::permits::Key;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Lanes that carry out a role's calls to the host. None for the Commander, whose turns the user begins.
    pub lanes: BTreeMap<Role, usize>,
    /// Whether what an attempt leads to is carried out by the lane that carried out the attempt.
    pub affinity: bool,
    /// Most attempts at one time.
    pub roles: BTreeMap<Role, u32>,
    /// The same for one model, as `provider/model`.
    pub models: BTreeMap<String, u32>,
    pub providers: BTreeMap<String, u32>,
    pub memory: MemoryLimits,
    /// Open missions, over all projects.
    pub missions: usize,
    /// Missions within each other's conversations.
    pub depth: usize,
    /// Tasks of one plan.
    pub tasks: usize,
    /// Missions at rest that stay in memory, however short their rest has been; their journals stay for much longer.
    pub at_rest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        use Role::{Planner, Reviewer, Worker};
        Self {
            lanes: BTreeMap::from([(Planner, 2), (Worker, 8), (Reviewer, 4)]),
            affinity: true,
            roles: BTreeMap::from([(Planner, 10), (Worker, 10), (Reviewer, 10)]),
            models: BTreeMap::new(),
            providers: BTreeMap::new(),
            memory: MemoryLimits::default(),
            missions: 200,
            depth: 3,
            tasks: crate::domain::plan::MAX_TASKS,
            at_rest: 50,
        }
    }
}

impl Limits {
    pub(super) fn ceilings(&self) -> impl Iterator<Item = (Key, u32)> {
        let roles = self.roles.iter().map(|(role, n)| (Key::Role(*role), *n));
        let models = self.models.iter().map(|(model, n)| (Key::Model(model.clone()), *n));
        let providers = self.providers.iter().map(|(name, n)| (Key::Provider(name.clone()), *n));
        roles.chain(models).chain(providers)
    }
}
