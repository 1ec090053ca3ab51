//! What the store holds at this moment, replayed record by record: the measure for all that the engine does.
//!
//! Promises that concern the journal alone are checked here, as each record comes in.
use super::place_ports::CHECK;
use crate::domain::ids::{Directory, HostSessionId, Millis, MissionId, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::domain::verdict::TreeId;
use crate::engine::core::event::{AttemptKind, Event, Subject, Submission};
use crate::engine::core::state::{Attempt, Mission, RaceEnd};
use crate::engine::journal;
use crate::ports::store::{Append, MissionRow};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Mirror {
    pub missions: BTreeMap<MissionId, Kept>,
    /// Tokens that were granted, by the mission's title.
    pub budgets: BTreeMap<String, u64>,
    /// The same for each task with all its parts.
    pub task_budgets: BTreeMap<String, u64>,
    /// Breaches found and not yet fetched.
    pub breaches: Vec<String>,
}

pub struct Kept {
    pub mission: Mission,
    pub records: u64,
    /// Texts of the reports written so far.
    pub reports: Vec<String>,
    pub reopened: u32,
    /// Tokens, when it was last begun: each time it is given its budget again.
    pub spent_before: u64,
    pub owner: String,
    /// What the owner was last given, by the wall clock; zero when it has let go.
    pub owner_until: Millis,
    pub owner_since: u64,
    /// Has had owners in two host processes.
    pub moved: bool,
    /// When each attempt was closed, in virtual time.
    pub closed: BTreeMap<String, u64>,
    /// Attempts at tries that were taken, whatever the user has taken back since.
    pub taken: BTreeSet<String>,
    /// The first token of the newest race of each task.
    raced_from: BTreeMap<TaskId, u64>,
}

impl Mirror {
    /// `at` in virtual time; `tree` gives the newest look at a place, and whether its check fails on that.
    pub fn append(&mut self, at: u64, append: &Append, tree: impl Fn(&str) -> Option<(TreeId, bool)>) {
        let id = &append.mission;
        for (millis, kind, body) in &append.records {
            let event = match journal::decode(kind, body) {
                Ok(event) => event,
                Err(error) => {
                    self.breaches.push(format!("{id}: a record that cannot be read: {error}"));
                    continue;
                }
            };
            if let Event::Created(created) = &event {
                let mission = Mission::new(id.clone(), *millis, created.clone());
                self.missions.insert(id.clone(), Kept::new(mission, append.owner.owner.clone(), at));
            }
            let Some(kept) = self.missions.get_mut(id) else { continue };
            kept.records += 1;
            if let Event::AttemptOpened { attempt, kind, node, .. } = &event {
                let title = &kept.mission.created.title;
                let over = |spent: u64, of: Option<&u64>, whose: &str| {
                    let of = of.filter(|of| spent >= **of)?;
                    Some(format!("{attempt} was begun with {spent} of {of} tokens spent by {whose}"))
                };
                let spent = kept.mission.spent.tokens - kept.spent_before;
                self.breaches.extend(over(spent, self.budgets.get(title), "the mission"));
                for (whole, spent) in kept.wholes_of(kind, node.as_ref()) {
                    self.breaches.extend(over(spent, self.task_budgets.get(title), &whole));
                }
            }
            self.breaches.extend(kept.before(&event).map(|fault| format!("{id}: {fault}")));
            if !matches!(event, Event::Created(_))
                && let Err(fault) = kept.mission.apply(*millis, &event)
            {
                self.breaches.push(format!("{id}: the journal holds a fact that does not fit: {fault}"));
            }
            self.breaches.extend(kept.after(at, &event, &tree).map(|fault| format!("{id}: {fault}")));
        }
        if let Some(kept) = self.missions.get(id) {
            let row = journal::row(&kept.mission);
            if row != comparable(&append.row, &row) {
                self.breaches.push(format!("{id}: the row is not what the journal says: {:?}", append.row));
            }
        }
    }

    pub fn owned(&mut self, at: u64, id: &MissionId, owner: &str) {
        if let Some(kept) = self.missions.get_mut(id)
            && kept.owner != owner
        {
            // Owners are named after their host process and its start.
            kept.moved |= kept.owner.split('.').next() != owner.split('.').next();
            kept.owner = owner.to_owned();
            kept.owner_since = at;
        }
    }

    /// The owner has the mission until then; others have let go of those that are in a directory.
    pub fn renewed(&mut self, id: &MissionId, until: Millis) {
        if let Some(kept) = self.missions.get_mut(id) {
            kept.owner_until = until;
        }
    }

    pub fn released(&mut self, owner: &str, directory: Option<&Directory>) {
        let here = |kept: &Kept| directory.is_none_or(|d| kept.mission.created.directory == *d);
        for kept in self.missions.values_mut().filter(|kept| kept.owner == owner && here(kept)) {
            kept.owner_until = Millis(0);
        }
    }

    /// The newest attempt that works in a session.
    pub fn attempt_of(&self, session: &HostSessionId) -> Option<(&Kept, &Attempt)> {
        let of = |kept: &Kept| {
            let mine = kept.mission.attempts.values().filter(|a| a.session.as_ref() == Some(session));
            mine.max_by_key(|a| a.token).map(|a| a.id.clone())
        };
        let (kept, id) = self.missions.values().find_map(|kept| of(kept).map(|id| (kept, id)))?;
        Some((kept, kept.mission.attempts.get(&id)?))
    }

    pub fn settled(&self) -> bool {
        self.missions.values().all(|k| k.mission.at_rest())
    }
}

/// What the store keeps from the first row on is no business of later ones.
fn comparable(row: &MissionRow, wanted: &MissionRow) -> MissionRow {
    MissionRow { created_at: wanted.created_at, ..row.clone() }
}

impl Kept {
    fn new(mission: Mission, owner: String, at: u64) -> Self {
        Self {
            mission,
            records: 0,
            reports: Vec::new(),
            reopened: 0,
            spent_before: 0,
            owner,
            owner_until: Millis(0),
            owner_since: at,
            moved: false,
            closed: BTreeMap::new(),
            taken: BTreeSet::new(),
            raced_from: BTreeMap::new(),
        }
    }

    /// The task of an attempt and all it is a part of, with the tokens of each. Parts are known by their names here
    /// (`T3.1.2`).
    fn wholes_of(&self, kind: &AttemptKind, node: Option<&TaskId>) -> Vec<(String, u64)> {
        let task = match kind {
            AttemptKind::Work(task) | AttemptKind::Review(Subject::Task(task)) => Some(task),
            AttemptKind::Planning => node,
            AttemptKind::Review(Subject::Whole) => None,
        };
        let Some(task) = task.map(TaskId::as_str) else { return Vec::new() };
        let ends = task.match_indices('.').map(|(at, _)| at).chain([task.len()]);
        ends.map(|end| {
            let (whole, parts) = (&task[..end], format!("{}.", &task[..end]));
            let of_it = |id: &str| id == whole || id.starts_with(&parts);
            let tasks = self.mission.tasks.iter().filter(|t| of_it(t.spec.id.as_str()));
            (whole.to_owned(), tasks.map(|t| t.spent.tokens).sum())
        })
        .collect()
    }

    fn before(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::AttemptOpened { attempt, kind: AttemptKind::Work(task), .. } => {
                let state = self.mission.task(task).map(|t| t.state);
                let again = state == Some(TaskState::Completed);
                again.then(|| format!("{attempt} works on {task}, which is completed"))
            }
            Event::StateChanged { to, .. } => {
                if !self.mission.state.is_open() {
                    self.reopened += 1;
                    self.spent_before = self.mission.spent.tokens;
                }
                // A user may accept what is partly done as it is.
                let accepted = self.mission.accepted.is_some() && *to == MissionState::Completed;
                (!to.is_open() && !self.mission.state.is_open() && !accepted)
                    .then(|| format!("ends twice: {} and {}", self.mission.state.name(), to.name()))
            }
            _ => None,
        }
    }

    fn after(
        &mut self,
        at: u64,
        event: &Event,
        tree: &impl Fn(&str) -> Option<(TreeId, bool)>,
    ) -> Option<String> {
        match event {
            Event::AttemptClosed { attempt, .. } => {
                self.closed.insert(attempt.0.clone(), at);
                None
            }
            Event::RaceBegun { task, .. } => {
                self.raced_from.insert(task.clone(), self.mission.next_token);
                None
            }
            Event::RaceWon { task, taken, .. } => {
                let from = self.raced_from.get(task).copied().unwrap_or_default();
                let of = |a: &&Attempt| a.kind == AttemptKind::Work(taken.clone()) && a.token >= from;
                self.taken.extend(self.mission.attempts.values().filter(of).map(|a| a.id.0.clone()));
                None
            }
            Event::AttemptOpened { attempt, kind: AttemptKind::Work(task), .. } => {
                if self.not_taken(task).is_none() {
                    self.taken.insert(attempt.0.clone());
                }
                None
            }
            Event::TaskChanged { task, to: TaskState::Completed, .. } => self.finished_try(task),
            Event::BatchMade { steps, .. } => steps.iter().find_map(|step| self.not_taken(&step.task)),
            Event::Reported { text, .. } => {
                self.reports.push(text.clone());
                None
            }
            Event::Submitted { attempt, submission } => self.foreign_submission(attempt.as_str(), submission),
            Event::StateChanged { to: MissionState::Completed, .. } => self.completed(tree),
            _ => None,
        }
    }

    /// Agents of the simulation sign what they hand in with the name of their session.
    fn foreign_submission(&self, attempt: &str, submission: &Submission) -> Option<String> {
        let signed = match submission {
            Submission::Plan => return None,
            Submission::Report { summary, .. } | Submission::Review { summary, .. } => summary,
        };
        let own = self.mission.attempts.values().find(|a| a.id.as_str() == attempt)?.session.as_ref()?;
        (!signed.contains(own.as_str())).then(|| format!("{attempt} in {own} handed in what says: {signed}"))
    }

    /// Of the tries at a task only the one that was taken is merged, and the others are over by then.
    fn finished_try(&self, task: &TaskId) -> Option<String> {
        let task = self.mission.task(task)?;
        let of = task.spec.parent.as_ref().filter(|_| task.spec.is_try())?;
        let at_work = self.mission.parts_of(of).find(|t| !t.state.is_over());
        let late = at_work.map(|t| format!("{} goes on though {} is done", t.spec.id, task.spec.id));
        self.not_taken(&task.spec.id).or(late)
    }

    fn not_taken(&self, task: &TaskId) -> Option<String> {
        let task = self.mission.task(task)?;
        let of = self.mission.task(task.spec.parent.as_ref().filter(|_| task.spec.is_try())?)?;
        let taken = matches!(&of.race, Some(RaceEnd::Won { taken, .. }) if *taken == task.spec.id);
        (!taken).then(|| format!("{} is merged and was not taken: {:?}", task.spec.id, of.race))
    }

    fn completed(&self, tree: &impl Fn(&str) -> Option<(TreeId, bool)>) -> Option<String> {
        let mission = &self.mission;
        if let Some(task) = mission.planned().find(|t| t.state != TaskState::Completed) {
            return Some(format!("completed while {} is {}", task.spec.id, task.state.name()));
        }
        if let Some(open) = mission.open_attempts().find(|a| matches!(a.kind, AttemptKind::Work(_))) {
            return Some(format!("completed while {} works", open.id));
        }
        // The user's word stands for the gate of the whole, and for nothing else.
        if mission.accepted.is_some() {
            return None;
        }
        if let Some(isolation) = &mission.isolation {
            let approved =
                mission.whole.verdict.as_ref().filter(|v| v.approved).and_then(|v| v.tree.as_ref());
            let landed = approved.is_some() && isolation.landed.as_ref() == approved;
            return (!landed).then(|| "completed, and the approved tree is not in the user's files".into());
        }
        let (seen, broken) = tree(mission.place()).unzip();
        let blamed = mission.survey.as_ref().is_some_and(|s| !s.failed_before(CHECK));
        match mission.whole.verdict.as_ref().filter(|v| v.approved) {
            None => Some("completed without an approved verdict".into()),
            Some(v) if v.tree != seen => {
                Some(format!("completed on the verdict for {:?}, but the last look found {seen:?}", v.tree))
            }
            Some(_) if broken == Some(true) && blamed => Some(format!("completed while {CHECK} fails")),
            Some(_) => None,
        }
    }
}
