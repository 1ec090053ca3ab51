//! What missions and tasks may cost: no turn begins on a budget that is spent, and a mission that can do nothing
//! without one ends with what it has.
use super::Core;
use super::event::*;
use super::state::Mission;
use crate::domain::budget::{Mean, Standing, Use};
use crate::domain::ids::{MissionId, Role, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::ports::host::ToastKind;
use std::collections::BTreeMap;

impl Core {
    /// Since it was last begun: who retries a mission whose budget was spent means to spend it again. What running
    /// turns have cost so far is in it.
    pub(super) fn spent(&self, id: &MissionId) -> Spent {
        let mission = &self.missions[id];
        let live = self.live.get(id);
        let running = live.into_iter().flat_map(|l| l.pulses.values()).map(|p| p.spent);
        running.fold(mission.spent.beyond(mission.spent_before), Spent::plus)
    }

    fn standing(&self, id: &MissionId) -> Standing {
        let mission = &self.missions[id];
        budget(mission).standing(self.spent(id), self.wall_ms(mission))
    }

    fn wall_ms(&self, mission: &Mission) -> u64 {
        mission.started_at.map_or(0, |at| self.now.since(at))
    }

    /// What turns cost: in the mission itself, else in those before it.
    pub fn means_of(&self, mission: &Mission) -> BTreeMap<Role, Mean> {
        let mut means = self.means.clone();
        means.extend(mission.means.iter().map(|(role, mean)| (*role, *mean)));
        means
    }

    /// What a turn of the role costs, by those that have ended; nothing while none has.
    fn mean(&self, mission: &Mission, role: Role) -> Spent {
        let mean = mission.means.get(&role).or(self.means.get(&role));
        mean.and_then(Mean::value).unwrap_or_default()
    }

    /// Whether one more turn of the role may begin.
    pub(super) fn may_spend(&self, id: &MissionId, role: Role) -> bool {
        let mission = &self.missions[id];
        let budget = budget(mission);
        if budget.limits_nothing() {
            return true;
        }
        budget.admits(self.spent(id), self.wall_ms(mission), self.reserved(id), self.mean(mission, role))
    }

    /// What turns under way are likely to cost still; none where there are none.
    fn reserved(&self, id: &MissionId) -> Option<Spent> {
        let (mission, live) = (&self.missions[id], self.live.get(id));
        let still = mission.open_attempts().map(|a| {
            let so_far = live.and_then(|l| l.pulses.get(&a.id)).map_or(Spent::default(), |p| p.spent);
            self.mean(mission, a.role()).beyond(so_far)
        });
        still.reduce(Spent::plus)
    }

    /// How many turns of the role at a task what is left of both budgets covers, by what they have cost so far: one at
    /// least.
    pub(super) fn covered(&self, id: &MissionId, task: &TaskId, role: Role, most: u32) -> u32 {
        let mission = &self.missions[id];
        let each = self.mean(mission, role);
        let spent = mission.task(task).map_or(Spent::default(), |t| t.spent);
        let of_task = mission.created.options.task_budget();
        let fits = |turns: &u32| {
            let beside = (1..*turns).map(|_| each).reduce(Spent::plus);
            let reserved = self.reserved(id).into_iter().chain(beside).reduce(Spent::plus);
            budget(mission).admits(self.spent(id), self.wall_ms(mission), reserved, each)
                && of_task.admits(spent, 0, beside, each)
        };
        (2..=most).rev().find(fits).unwrap_or(1)
    }

    /// Whether the turn that is to begin now has to stay undone.
    pub(super) fn spent_out(&self, id: &MissionId, kind: &AttemptKind) -> Option<String> {
        if let Standing::Over(most) = self.standing(id) {
            return Some(over(most));
        }
        match kind {
            AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => {
                self.task_spent_out(id, task)
            }
            AttemptKind::Planning | AttemptKind::Review(Subject::Whole) => None,
        }
    }

    fn task_spent_out(&self, id: &MissionId, task: &TaskId) -> Option<String> {
        let mission = &self.missions[id];
        let live = self.live.get(id);
        let of_task = |kind: &AttemptKind| match kind {
            AttemptKind::Work(t) | AttemptKind::Review(Subject::Task(t)) => t == task,
            _ => false,
        };
        let open = mission.open_attempts().filter(|a| of_task(&a.kind));
        let running = open.filter_map(|a| live?.pulses.get(&a.id)).map(|p| p.spent);
        let task = mission.task(task)?;
        let spent = running.fold(task.spent, Spent::plus);
        match mission.created.options.task_budget().standing(spent, task.worked_ms) {
            Standing::Over(most) => Some(format!("of the task: {}", over(most))),
            _ => None,
        }
    }

    /// Tasks that want another turn and have no budget left for it come to their end.
    pub(super) fn end_spent_tasks(&mut self, id: &MissionId) {
        if self.missions[id].created.options.task_budget().limits_nothing() {
            return;
        }
        let mission = &self.missions[id];
        let mine = |task: &TaskId, kind: &AttemptKind| match kind {
            AttemptKind::Work(t) | AttemptKind::Review(Subject::Task(t)) => t == task,
            _ => false,
        };
        let idle = |task: &&super::state::Task| {
            matches!(task.state, TaskState::Ready | TaskState::InProgress | TaskState::InReview)
                && task.gate.verdict.is_none()
                && !mission.open_attempts().any(|a| mine(&task.spec.id, &a.kind))
        };
        let ids: Vec<_> = mission.tasks.iter().filter(idle).map(|t| (t.spec.id.clone(), t.state)).collect();
        for (task, state) in ids {
            let Some(why) = self.task_spent_out(id, &task) else { continue };
            let end = if state == TaskState::Ready { TaskState::Cancelled } else { TaskState::Failed };
            self.task_changed(id, &task, end, Some(why.clone()));
            self.task_given_up(id, &task, &why);
        }
    }

    /// Missions that want a turn and have no budget left for it. Turns that run may end; what they hand in counts.
    pub(super) fn stop_spenders(&mut self) {
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            let mission = &self.missions[&id];
            if !mission.running() || budget(mission).limits_nothing() {
                continue;
            }
            match self.standing(&id) {
                Standing::Within => {}
                Standing::Near(most) => self.warn(&id, most),
                Standing::Over(most) => {
                    let wants = self.wants.remove(&id).is_some_and(|wants| !wants.is_empty());
                    if wants && self.missions[&id].open_attempts().next().is_none() {
                        self.end_spent(&id, most);
                    }
                }
            }
        }
    }

    fn warn(&mut self, id: &MissionId, most: Use) {
        if std::mem::replace(&mut self.live(id).warned, true) {
            return;
        }
        let message = format!("{most} used. The mission ends with what it has when all of it is.");
        self.notify(id, Toasts::Normal, ToastKind::Warning, "Budget nearly spent", message);
    }

    fn end_spent(&mut self, id: &MissionId, most: Use) {
        let done = self.missions[id].tasks.iter().any(|t| t.state == TaskState::Completed);
        let end = if done { MissionState::PartiallyCompleted } else { MissionState::Failed };
        self.recover(id);
        self.end_work(id, end, over(most));
    }

    pub(super) fn report_spending(&self, gauges: &mut BTreeMap<String, u64>) {
        let all = self.missions.keys().map(|id| self.spent(id)).fold(Spent::default(), Spent::plus);
        gauges.insert("budget.tokens_spent".into(), all.tokens);
        gauges.insert("budget.microdollars_spent".into(), (all.cost * 1e6) as u64);
        let near = |id: &&MissionId| !matches!(self.standing(id), Standing::Within);
        gauges.insert(
            "budget.missions_near_their_end".into(),
            self.missions.keys().filter(near).count() as u64,
        );
        for (role, mean) in &self.means {
            if let Some(mean) = mean.value() {
                gauges.insert(format!("budget.tokens_a_turn.{}", role.name()), mean.tokens);
            }
        }
    }
}

fn budget(mission: &Mission) -> Budget {
    mission.created.options.budget()
}

fn over(most: Use) -> String {
    format!("the budget is spent: {most} used; retry the mission to spend as much again")
}
