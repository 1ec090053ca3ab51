//! What missions and tasks may cost: no turn begins on a budget that is spent, and a mission that can do nothing
//! without one ends with what it has.
use super::Core;
use super::event::*;
use super::state::{Attempt, Mission, Task};
use crate::domain::budget::{Mean, Standing, Use};
use crate::domain::fractal::MAX_DEPTH;
use crate::domain::ids::{MissionId, Role, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::ports::host::ToastKind;
use std::collections::BTreeMap;

/// What was used of a budget, and what turns under way are expected to use of it still; none while there are none.
#[derive(Clone, Copy, Default)]
struct Account {
    spent: Spent,
    wall_ms: u64,
    reserved: Option<Spent>,
}

impl Account {
    fn reserve(&mut self, more: Spent) {
        self.reserved = Some(self.reserved.unwrap_or_default().plus(more));
    }
    fn standing(&self, budget: &Budget) -> Standing {
        budget.standing(self.spent, self.wall_ms)
    }
    fn admits(&self, budget: &Budget, next: Spent) -> bool {
        budget.admits(self.spent, self.wall_ms, self.reserved, next)
    }
}

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

    /// What was used of the mission's budget, and what is kept for its turns under way.
    fn account(&self, id: &MissionId) -> Account {
        let mission = &self.missions[id];
        let mut account =
            Account { spent: self.spent(id), wall_ms: self.wall_ms(mission), ..Account::default() };
        for attempt in mission.open_attempts() {
            let so_far = self.spent_so_far(attempt, mission);
            account.reserve(self.mean(mission, attempt.role()).beyond(so_far));
        }
        account
    }

    /// The same for each task with all it is planned into: the planners of its parts count, and what those spend.
    fn task_accounts<'a>(&self, mission: &'a Mission) -> BTreeMap<&'a TaskId, Account> {
        let ended = |(task, (spent, wall_ms))| (task, Account { spent, wall_ms, reserved: None });
        let mut accounts: BTreeMap<_, _> = mission.spent_below().into_iter().map(ended).collect();
        for attempt in mission.open_attempts() {
            let so_far = self.spent_so_far(attempt, mission);
            let Some(task) = attempt.kind.task(attempt.node.as_ref()).and_then(|t| mission.task(t)) else {
                continue;
            };
            for whole in mission.lineage(task) {
                let account = accounts.entry(&whole.spec.id).or_default();
                account.spent = account.spent.plus(so_far);
                account.reserve(self.mean(mission, attempt.role()).beyond(so_far));
            }
        }
        accounts
    }

    fn spent_so_far(&self, attempt: &Attempt, mission: &Mission) -> Spent {
        let live = self.live.get(&mission.id);
        live.and_then(|l| l.pulses.get(&attempt.id)).map_or(Spent::default(), |p| p.spent)
    }

    /// Whether one more turn may begin: on the mission's budget, and on that of its task and all this is a part of.
    pub(super) fn may_spend(&self, id: &MissionId, kind: &AttemptKind, node: Option<&TaskId>) -> bool {
        let mission = &self.missions[id];
        let next = self.mean(mission, kind.role());
        let limit = budget(mission);
        if !limit.limits_nothing() && !self.account(id).admits(&limit, next) {
            return false;
        }
        let limit = mission.created.options.task_budget();
        let task = kind.task(node).filter(|_| !limit.limits_nothing()).and_then(|t| mission.task(t));
        let Some(task) = task else { return true };
        let accounts = self.task_accounts(mission);
        mission.lineage(task).all(|whole| accounts[&whole.spec.id].admits(&limit, next))
    }

    /// How many turns of the role at a task what is left of the budgets covers, by what such turns have cost so far: one at
    /// least.
    pub(super) fn covered(&self, id: &MissionId, task: &TaskId, role: Role, most: u32) -> u32 {
        let mission = &self.missions[id];
        let (each, accounts) = (self.mean(mission, role), self.task_accounts(mission));
        let limit = mission.created.options.task_budget();
        let of_tasks = mission.task(task).into_iter().flat_map(|t| mission.lineage(t));
        let of_tasks = of_tasks.filter_map(|t| Some((limit, *accounts.get(&t.spec.id)?)));
        let limits: Vec<_> = of_tasks.chain([(budget(mission), self.account(id))]).collect();
        let fits = |turns: &u32| {
            limits.iter().all(|(limit, account)| {
                let mut account = *account;
                (1..*turns).for_each(|_| account.reserve(each));
                account.admits(limit, each)
            })
        };
        (2..=most).rev().find(fits).unwrap_or(1)
    }

    /// Whether the turn that is to begin now has to stay undone.
    pub(super) fn spent_out(&self, id: &MissionId, attempt: &Attempt) -> Option<String> {
        if let Standing::Over(most) = self.standing(id) {
            return Some(over(most));
        }
        let mission = &self.missions[id];
        let task = attempt.kind.task(attempt.node.as_ref()).and_then(|t| mission.task(t))?;
        task_over(mission, &self.task_accounts(mission), task)
    }

    /// Tasks that want another turn and have no budget left for it come to their end. What is done by parts ends with
    /// them.
    pub(super) fn end_spent_tasks(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        if mission.created.options.task_budget().limits_nothing() {
            return;
        }
        let approved = |task: &Task| task.gate.verdict.as_ref().is_some_and(|v| v.approved);
        let wants = |task: &Task| match task.state {
            TaskState::Ready | TaskState::InProgress => true,
            // What is approved needs no further turn.
            TaskState::InReview => !approved(task),
            _ => false,
        };
        let idle = |task: &&Task| {
            wants(task)
                && !mission.is_whole_of_parts(&task.spec.id)
                && !mission.open_attempts().any(|a| a.kind.task(a.node.as_ref()) == Some(&task.spec.id))
        };
        let accounts = self.task_accounts(mission);
        let over =
            |task: &Task| Some((task.spec.id.clone(), task.state, task_over(mission, &accounts, task)?));
        let ended: Vec<_> = mission.tasks.iter().filter(idle).filter_map(over).collect();
        for (task, state, why) in ended {
            let end = if state == TaskState::Ready { TaskState::Cancelled } else { TaskState::Failed };
            self.task_changed(id, &task, end, Some(why.clone()));
            self.task_given_up(id, &task, &why);
        }
    }

    /// Once for each task, and for each that has parts.
    fn warn_of_tasks(&mut self, id: &MissionId) {
        let mission = &self.missions[id];
        let limit = mission.created.options.task_budget();
        if limit.limits_nothing() {
            return;
        }
        let accounts = self.task_accounts(mission);
        let near = mission.tasks.iter().filter(|t| !t.state.is_over()).filter_map(|task| {
            match accounts.get(&task.spec.id)?.standing(&limit) {
                Standing::Near(most) => Some((task.spec.id.clone(), most)),
                _ => None,
            }
        });
        for (task, most) in near.collect::<Vec<_>>() {
            if self.live(id).warned_tasks.insert(task.clone()) {
                let message = format!("{most} used. Task {task} ends with what it has when all of it is.");
                let title = format!("Budget of task {task} nearly spent");
                self.notify(id, Toasts::Normal, ToastKind::Warning, title, message);
            }
        }
    }

    /// Missions that want a turn and have no budget left for it. Turns that run may end; what they hand in counts.
    pub(super) fn stop_spenders(&mut self) {
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            let mission = &self.missions[&id];
            if !mission.running() {
                continue;
            }
            let limited = !budget(mission).limits_nothing();
            self.warn_of_tasks(&id);
            if !limited {
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

impl AttemptKind {
    /// The task whose budget it is on; `node` is the one it plans further. None where it is for the mission as a whole.
    pub(super) fn task<'a>(&'a self, node: Option<&'a TaskId>) -> Option<&'a TaskId> {
        match self {
            AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(task),
            AttemptKind::Planning => node,
            AttemptKind::Review(Subject::Whole) => None,
        }
    }
}

impl Mission {
    /// A task and all that it is a part of, the nearest first.
    pub fn lineage<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Task> {
        let above = |t: &&'a Task| t.spec.parent.as_ref().and_then(|parent| self.task(parent));
        // A foreign journal may go in a circle. Below the deepest part there are only tries at it.
        std::iter::successors(Some(task), above).take(MAX_DEPTH + 2)
    }

    /// What turns that are over have used of each task's budget and its workers' time of it, parts and their planners
    /// included.
    pub fn spent_below(&self) -> BTreeMap<&TaskId, (Spent, u64)> {
        let mut sums: BTreeMap<_, (Spent, u64)> = BTreeMap::new();
        for task in &self.tasks {
            for whole in self.lineage(task) {
                let (spent, wall_ms) = sums.entry(&whole.spec.id).or_default();
                *spent = spent.plus(task.spent);
                *wall_ms += task.worked_ms.saturating_sub(task.worked_before);
            }
        }
        sums
    }
}

/// Why the task may have no further turn.
fn task_over(mission: &Mission, accounts: &BTreeMap<&TaskId, Account>, task: &Task) -> Option<String> {
    let limit = mission.created.options.task_budget();
    mission.lineage(task).find_map(|whole| {
        let Standing::Over(most) = accounts.get(&whole.spec.id)?.standing(&limit) else { return None };
        let whose = if whole.spec.id == task.spec.id {
            "the task".to_owned()
        } else {
            format!("task {} and its parts", whole.spec.id)
        };
        Some(format!("of {whose}: {}", over(most)))
    })
}

fn budget(mission: &Mission) -> Budget {
    mission.created.options.budget()
}

fn over(most: Use) -> String {
    format!("the budget is spent: {most} used; retry the mission to spend as much again")
}
