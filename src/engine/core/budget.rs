//! What a mission may spend. A turn is begun only while there is room for what turns have cost so far; what was begun is
//! carried to its end, so a mission goes over its budget by the turns in flight at most.
use super::Core;
use super::event::Spent;
use super::io::*;
use super::state::Mission;
use crate::domain::ids::MissionId;
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::engine::prompts::clip;
use crate::ports::host::ToastKind;

/// The user is warned when this share of the budget is spent.
const WARN_AT: f64 = 0.8;

/// Share of its budget that an amount is: the larger of tokens and money; none without a budget.
pub(crate) fn share(mission: &Mission, spent: Spent) -> Option<f64> {
    let options = &mission.created.options;
    // A retry is given the same again.
    let times = f64::from(mission.reopened) + 1.0;
    let tokens = options.budget_tokens.map(|limit| spent.tokens as f64 / (limit as f64 * times));
    let cost = options.budget_dollars.map(|limit| spent.cost / (limit * times));
    match (tokens, cost) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

impl Core {
    /// Whether one more turn may be begun.
    pub(super) fn may_spend(&self, id: &MissionId) -> bool {
        let Some(mission) = self.missions.get(id) else { return false };
        let closed = mission.attempts.values().filter(|a| !a.open()).count() as f64;
        let Some(known) = share(mission, mission.spent) else { return true };
        let each = if closed > 0.0 { known / closed } else { 0.0 };
        let open: Vec<_> = mission.open_attempts().map(|a| &a.id).collect();
        let used = open.iter().filter_map(|a| {
            let pulse = self.live.get(id)?.pulses.get(*a)?;
            share(mission, pulse.spent)
        });
        // What is under way is taken for an average turn until it has used more.
        let reserved: f64 = used.map(|share| share.max(each)).sum();
        match open.len() {
            0 => known < 1.0,
            _ => known + reserved + each <= 1.0,
        }
    }

    /// Ends a mission that may not begin another turn and has none under way; warns before.
    pub(super) fn budget_limit(&mut self, id: &MissionId) {
        let Some(mission) = self.missions.get(id).filter(|m| m.running()) else { return };
        let Some(share) = share(mission, mission.spent) else { return };
        if share >= WARN_AT && !self.live(id).budget_told {
            self.live(id).budget_told = true;
            let created = &self.missions[id].created;
            let (directory, title) = (created.directory.clone(), clip(&created.title, 60));
            self.act(Action::Toast {
                directory,
                kind: ToastKind::Warning,
                title: "Budget nearly spent".into(),
                message: format!("{title}: {:.0} % of its budget", share * 100.0),
            });
        }
        let mission = &self.missions[id];
        if share < 1.0 || mission.open_attempts().next().is_some() || self.live(id).has_work() {
            return;
        }
        let kept = self.missions[id].tasks.iter().any(|t| t.state == TaskState::Completed);
        let end = if kept { MissionState::PartiallyCompleted } else { MissionState::Failed };
        self.recover(id);
        self.end_work(id, end, "its budget is spent".into());
    }
}
