//! The state of a mission, and how each fact changes it.
//!
//! `apply` is the only way state changes, live and on replay. It is total: a fact that does not fit (a foreign
//! or damaged journal) is refused with a sentence and leaves the state as it was.
pub use super::asks::{Ask, AskVerdict};
use super::event::*;
use super::isolation::{Isolation, Worktree};
use super::log::Log;
use super::revision::Revision;
use super::rollback::Rollback;
pub use super::steering::Steer;
use super::trees::{Recorded, Span};
use crate::domain::budget::Mean;
use crate::domain::checkpoint::{Checkpoint, Checkpoints, Trigger};
use crate::domain::context::Context;
use crate::domain::ids::{AttemptId, HostSessionId, Millis, MissionId, Role, TaskId};
use crate::domain::mission::{MissionState, Phase};
use crate::domain::plan::{Plan, TaskSpec};
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckResult, Finding, TreeId, Verdict};
use std::collections::BTreeMap;

mod task;
pub use task::{Acceptance, Change, Gate, RaceEnd, Task};

#[derive(Clone, PartialEq, Debug)]
pub struct Mission {
    pub id: MissionId,
    pub created: Created,
    pub created_at: Millis,
    /// When it first ran; its time limit counts from here.
    pub started_at: Option<Millis>,
    /// When it last began to run, or went on after a rest.
    pub running_since: Millis,
    pub ended_at: Option<Millis>,
    /// Times it was put back to pending by a retry.
    pub retries: u32,
    pub state: MissionState,
    pub reason: String,
    pub phase: Option<Phase>,
    /// The conversation the report is owed to; at first the one that asked.
    pub parent: HostSessionId,
    pub brief: Option<Brief>,
    pub brief_source: Option<BriefSource>,
    pub survey: Option<Survey>,
    /// There when tasks work in worktrees of their own, from the survey on.
    pub isolation: Option<Isolation>,
    pub plan_faults: Vec<String>,
    pub plan_refusals: u32,
    /// The user's word on the plan was yes.
    pub plan_approved: bool,
    /// What the user wanted to be different in plans that were refused.
    pub plan_wishes: Vec<String>,
    /// Planners up to this token have planned what was refused.
    pub planned_up_to: u64,
    /// The user has said something, and what has not begun is planned anew with it.
    pub revision: Revision,
    pub plan: Option<Plan>,
    pub plan_source: Option<PlanSource>,
    /// In the order of the plan.
    pub tasks: Vec<Task>,
    pub attempts: BTreeMap<AttemptId, Attempt>,
    pub next_attempt: u64,
    pub next_token: u64,
    /// What the user has said since it was accepted, in order.
    pub steers: Vec<Steer>,
    /// Permissions asked for, oldest first: all that are open, and the newest of the others.
    pub asks: Vec<Ask>,
    /// The gate of the whole: last look, checks and verdict.
    pub whole: Gate,
    /// Files that changed while checks ran in the user's files and none of its agents wrote, and in how many runs.
    pub wrote: BTreeMap<String, u32>,
    /// Times the gate of the whole sent work back.
    pub rework: u32,
    pub report: Option<String>,
    pub report_calls: Vec<String>,
    pub handed_back: Option<HandBack>,
    pub spent: Spent,
    /// Of that, before it was last begun.
    pub spent_before: Spent,
    /// What turns of each role cost in it.
    pub means: BTreeMap<Role, Mean>,
    /// The newest tree anyone looked at.
    pub last_tree: Option<TreeId>,
    /// Times the whole was put before its gate since the plan was made.
    pub whole_rounds: u32,
    pub checkpoints: Checkpoints,
    /// Plans made so far that differ from the one before.
    pub edition: u32,
    /// Notes for all agents of the mission.
    pub context: Context,
    pub log: Log,
    /// What was done to the files, by whom.
    pub spans: Vec<Span>,
    /// The newest one that was not without effect.
    pub rollback: Option<Rollback>,
    /// The user's word that took the place of the gate of the whole.
    pub accepted: Option<Acceptance>,
    /// One that was used before, for the attempt that is opened next; none but in that moment.
    pub(super) spare: Option<Attempt>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Survey {
    pub checks: Vec<String>,
    pub tree: Option<TreeId>,
    /// Absent while the checks are still running.
    pub baseline: Option<Vec<CheckResult>>,
    pub remark: Option<String>,
}

impl Survey {
    pub fn failed_before(&self, command: &str) -> bool {
        self.before(command).is_some_and(|r| !r.passed())
    }

    /// How this very command ended before any work was done.
    pub fn before(&self, command: &str) -> Option<&CheckResult> {
        self.baseline.iter().flatten().find(|r| r.command == command)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    pub id: AttemptId,
    pub kind: AttemptKind,
    pub token: u64,
    pub ordinal: u32,
    pub opened_at: Millis,
    pub closed_at: Option<Millis>,
    pub session: Option<HostSessionId>,
    /// The number of the worktree it sits in; none for the user's own files.
    pub worktree: Option<u32>,
    /// The task a planner plans further.
    pub node: Option<TaskId>,
    /// A planner of what has not begun, for a mission that has a plan.
    pub revises: bool,
    /// Prompts by reason, in order.
    pub prompts: Vec<PromptReason>,
    pub submission: Option<Submission>,
    pub outcome: Option<Outcome>,
    /// Its turn is still to be ended in the host.
    pub given_up: bool,
    /// It was closed while its turn ran, and nobody looks how that ends: the host may take its time.
    pub cut_off: bool,
    /// No turn of it runs, or soon none will: the user has interrupted it, and it has not been prompted since.
    pub interrupted: bool,
    /// It was told the user's words up to this many; before the last time it was told any, up to that many.
    pub told: u32,
    pub told_before: u32,
    /// The tool call whose answer told it the newest.
    pub told_in: Option<String>,
}

impl Attempt {
    pub fn blank() -> Self {
        Self {
            id: AttemptId(String::new()),
            kind: AttemptKind::Planning,
            token: 0,
            ordinal: 0,
            opened_at: Millis::default(),
            closed_at: None,
            session: None,
            worktree: None,
            node: None,
            revises: false,
            prompts: Vec::new(),
            submission: None,
            outcome: None,
            given_up: false,
            cut_off: false,
            interrupted: false,
            told: 0,
            told_before: 0,
            told_in: None,
        }
    }

    /// A new attempt in the place of an old one, whose memory it uses again.
    pub fn begin(
        &mut self,
        at: Millis,
        id: &AttemptId,
        kind: &AttemptKind,
        token: u64,
        ordinal: u32,
        session: Option<&HostSessionId>,
    ) {
        let Self { id: own, prompts, .. } = self;
        let (mut own, mut prompts) =
            (std::mem::replace(own, AttemptId(String::new())), std::mem::take(prompts));
        own.0.clone_from(&id.0);
        prompts.clear();
        let (kind, session) = (kind.clone(), session.cloned());
        *self = Self { id: own, kind, token, ordinal, opened_at: at, session, prompts, ..Self::blank() };
    }

    pub fn open(&self) -> bool {
        self.outcome.is_none()
    }
    pub fn role(&self) -> Role {
        self.kind.role()
    }
    /// Works on it, or reviews it.
    pub fn works_on(&self, subject: &Subject) -> bool {
        match &self.kind {
            AttemptKind::Planning => false,
            AttemptKind::Work(task) => matches!(subject, Subject::Task(of) if of == task),
            AttemptKind::Review(of) => of == subject,
        }
    }
    pub fn prompted(&self, reason: PromptReason) -> usize {
        self.prompts.iter().filter(|r| **r == reason).count()
    }
    pub fn plans_the_mission(&self) -> bool {
        self.kind == AttemptKind::Planning && self.node.is_none()
    }
    /// The tool that ends this kind of work.
    pub fn submit_tool(&self) -> &'static str {
        match self.kind {
            AttemptKind::Planning => "submit_plan",
            AttemptKind::Work(_) => "submit_report",
            AttemptKind::Review(_) => "submit_review",
        }
    }
}

impl Mission {
    pub fn new(id: MissionId, at: Millis, created: Created) -> Self {
        Self {
            id,
            parent: created.parent.clone(),
            created,
            created_at: at,
            started_at: None,
            running_since: Millis::default(),
            ended_at: None,
            retries: 0,
            state: MissionState::Pending,
            reason: String::new(),
            phase: None,
            brief: None,
            brief_source: None,
            survey: None,
            isolation: None,
            plan_faults: Vec::new(),
            plan_refusals: 0,
            plan_approved: false,
            plan_wishes: Vec::new(),
            planned_up_to: 0,
            revision: Revision::default(),
            plan: None,
            plan_source: None,
            tasks: Vec::new(),
            attempts: BTreeMap::new(),
            next_attempt: 1,
            next_token: 1,
            steers: Vec::new(),
            asks: Vec::new(),
            whole: Gate::default(),
            wrote: BTreeMap::new(),
            rework: 0,
            report: None,
            report_calls: Vec::new(),
            handed_back: None,
            spent: Spent::default(),
            spent_before: Spent::default(),
            means: BTreeMap::new(),
            last_tree: None,
            whole_rounds: 0,
            checkpoints: Checkpoints::default(),
            edition: 0,
            context: Context::default(),
            log: Log::default(),
            spans: Vec::new(),
            rollback: None,
            accepted: None,
            spare: None,
        }
    }

    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|t| t.spec.id == *id)
    }
    pub(super) fn task_mut(&mut self, id: &TaskId) -> Result<&mut Task, String> {
        self.tasks.iter_mut().find(|t| t.spec.id == *id).ok_or_else(|| format!("no task {id}"))
    }
    fn attempt_mut(&mut self, id: &AttemptId) -> Result<&mut Attempt, String> {
        self.attempts.get_mut(id).ok_or_else(|| format!("no attempt {id}"))
    }
    pub fn gate(&self, subject: &Subject) -> Option<&Gate> {
        match subject {
            Subject::Whole => Some(&self.whole),
            Subject::Task(id) => self.task(id).map(|t| &t.gate),
        }
    }
    fn gate_mut(&mut self, subject: &Subject) -> Result<&mut Gate, String> {
        match subject {
            Subject::Whole => Ok(&mut self.whole),
            Subject::Task(id) => Ok(&mut self.task_mut(id)?.gate),
        }
    }
    pub fn open_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.values().filter(|a| a.open())
    }
    /// The report is written and has not reached the conversation.
    pub fn owes_report(&self) -> bool {
        self.report.is_some() && self.handed_back.is_none()
    }
    /// Nothing of it is left to do.
    pub fn settled(&self) -> bool {
        !self.state.is_open() && self.report.is_some() && !self.owes_report()
    }
    /// Settled, and no turn of it runs on.
    pub fn at_rest(&self) -> bool {
        self.settled()
            && !self.rolling_back()
            && self.attempts.values().all(|a| !a.open() && !a.given_up)
            && self.isolation.as_ref().is_none_or(|i| i.released && i.landing.is_none() && !i.lost())
    }
    /// At work in its place, if only to wait there.
    pub fn begun(&self) -> bool {
        let moves = self.rolling_back() || self.isolation.as_ref().is_some_and(|i| i.landing.is_some());
        self.running() || self.state == MissionState::Paused || moves
    }
    /// Work on it goes on; at half pace while the provider is being waited for.
    pub fn running(&self) -> bool {
        matches!(self.state, MissionState::Running | MissionState::Degraded)
    }
    /// The identity of its place in the file system: one mission at a time works there.
    pub fn place(&self) -> &str {
        &self.created.worktree
    }

    pub fn apply(&mut self, at: Millis, event: &Event) -> Result<(), String> {
        self.apply_fact(at, event)?;
        self.log.take(at, event);
        Ok(())
    }

    fn apply_fact(&mut self, at: Millis, event: &Event) -> Result<(), String> {
        match event {
            Event::Created(_) => return Err("a mission is created once".into()),
            Event::StateChanged { to, reason } => {
                let ended = !self.state.is_open();
                self.state = self.state.change(*to).map_err(|e| e.to_string())?;
                if ended && self.state.is_open() {
                    // Who retries a mission means it to have its time and its budget again.
                    self.started_at = None;
                    self.spent_before = self.spent;
                    for task in &mut self.tasks {
                        task.spent = Spent::default();
                        task.worked_before = task.worked_ms;
                    }
                }
                self.reason.clone_from(reason);
                match to {
                    MissionState::Running => {
                        self.started_at = self.started_at.or(Some(at));
                        self.running_since = at;
                    }
                    MissionState::Pending => self.retries += 1,
                    _ => {}
                }
                self.ended_at = if self.state.is_open() { None } else { Some(at) };
                if let Some(isolation) = self.isolation.as_mut().filter(|_| ended == self.state.is_open()) {
                    isolation.begin_or_end(ended);
                }
                if !self.state.is_open() {
                    self.revision.wanted = false;
                }
                if self.state.is_open() {
                    self.report = None;
                    self.handed_back = None;
                    self.accepted = None;
                }
            }
            Event::PhaseChanged { to } => {
                self.phase = Some(*to);
                if matches!(to, Phase::Reviewing) {
                    self.whole = Gate::default();
                    self.whole_rounds += 1;
                    if let Some(isolation) = &mut self.isolation {
                        isolation.taken_in = false;
                    }
                }
            }
            Event::Briefed { brief, source } => {
                self.brief = Some(brief.clone());
                self.brief_source = Some(*source);
            }
            Event::Surveyed { checks, tree, remark } => {
                self.last_tree.clone_from(tree);
                self.isolate(tree.as_ref());
                self.survey = Some(Survey {
                    checks: checks.clone(),
                    tree: tree.clone(),
                    baseline: None,
                    remark: remark.clone(),
                });
            }
            Event::Baselined { results, wrote } => {
                self.written_by_checks(wrote);
                self.survey.as_mut().ok_or("a baseline without a survey")?.baseline = Some(results.clone());
            }
            Event::PlanRefused { task: Some(task), .. } => self.task_mut(task)?.refusals += 1,
            Event::Expanded { task, parts, .. } => self.apply_expanded(task, parts)?,
            Event::ModeChosen { task, fractal } => {
                let mode = fractal.then_some(crate::domain::plan::Mode::Fractal);
                let found = self.task_mut(task)?;
                found.spec.mode = mode;
                found.as_one = false;
                let plan = self.plan.iter_mut().flat_map(|p| &mut p.tasks);
                plan.filter(|t| t.id == *task).for_each(|t| t.mode = mode);
            }
            Event::PlanRefused { task: None, .. } if self.revision.wanted => self.revision.refusals += 1,
            Event::RaceBegun { task, tries } => self.apply_race_begun(task, tries)?,
            Event::RaceWon { task, taken, why } => {
                let end = RaceEnd::Won { taken: taken.clone(), why: why.clone() };
                self.task_mut(task)?.race = Some(end);
            }
            Event::RaceLost { task } => self.apply_race_lost(task)?,
            Event::PlanRefused { faults, task: None } => {
                self.plan_refusals += 1;
                self.plan_faults.clone_from(faults);
            }
            Event::PlanJudged { approved, reason } => self.apply_judged_plan(*approved, reason.as_deref())?,
            Event::Planned { plan, source, .. } => {
                let old = std::mem::take(&mut self.tasks);
                let made = |spec: &TaskSpec| match old.iter().find(|t| t.spec.id == spec.id) {
                    Some(task) if task.state == TaskState::Completed => task.clone(),
                    Some(task) if task.spec == *spec => task.again(),
                    _ => Task::new(spec.clone()),
                };
                self.tasks = plan.tasks.iter().map(made).collect();
                self.rework = 0;
                self.whole_rounds = 0;
                if self.plan.as_ref() != Some(plan) {
                    self.edition += 1;
                }
                self.plan = Some(plan.clone());
                self.plan_source = Some(*source);
            }
            Event::PlanRevised { tasks, dropped, .. } => self.apply_revised(tasks, dropped)?,
            Event::TaskAdded { spec } => {
                self.rework += 1;
                self.tasks.push(Task::new(spec.clone()));
                if let Some(plan) = &mut self.plan {
                    plan.tasks.push(spec.clone());
                }
            }
            Event::TaskRequested { spec } => self.apply_requested(spec)?,
            Event::TaskReworded { task, title } => self.apply_reworded(task, title)?,
            Event::TaskChanged { task, to, note } => self.apply_task(at, task, *to, note)?,
            Event::Accepted { task, by, reason, tree } => {
                let (by, reason, tree) = (by.clone(), reason.clone(), tree.clone());
                self.apply_accepted(at, task.as_ref(), Acceptance { by, reason, tree })?;
            }
            Event::Reopened { task } => self.apply_reopened(task)?,
            Event::AttemptOpened { attempt, kind, token, ordinal, session, node } => {
                self.apply_opened(at, attempt, kind, *token, *ordinal, session)?;
                let planned = self.plan.is_some();
                let opened = self.attempt_mut(attempt)?;
                opened.node.clone_from(node);
                opened.revises = planned && opened.plans_the_mission();
            }
            Event::AttemptSession { attempt, session } => {
                self.attempt_mut(attempt)?.session = Some(session.clone());
            }
            Event::Prompted { attempt, reason } => {
                let words = self.steers.len() as u32;
                let prompted = self.attempt_mut(attempt)?;
                prompted.prompts.push(*reason);
                prompted.interrupted = false;
                if *reason == PromptReason::First {
                    prompted.told = words;
                }
                self.open_span(attempt);
            }
            Event::Submitted { attempt, submission } => self.apply_submitted(attempt, submission)?,
            Event::AttemptClosed { attempt, outcome, usage } => {
                self.apply_closed(at, attempt, outcome, *usage)?
            }
            Event::TurnGivenUp { attempt } => {
                let attempt = self.attempt_mut(attempt)?;
                attempt.given_up = true;
                attempt.interrupted |= attempt.open();
                attempt.cut_off |= !attempt.open();
            }
            Event::TurnEnded { attempt } => self.attempt_mut(attempt)?.given_up = false,
            Event::PathTaken { task, path } => {
                self.task_mut(task)?.taken.push(path.clone());
                self.extend_span(task, path);
            }
            Event::Trespassed { task, finding } => {
                let task = self.task_mut(task)?;
                if !task.trespasses.contains(finding) {
                    task.trespasses.push(finding.clone());
                }
            }
            Event::Inspected { subject, inspection } => {
                if inspection.tree.is_some() {
                    self.last_tree.clone_from(&inspection.tree);
                }
                self.gate_mut(subject)?.inspection = Some(inspection.clone());
                if let Subject::Task(task) = subject {
                    let tree = inspection.tree.clone();
                    self.change_seen(task, tree.as_ref())?;
                    self.end_span(task, tree.map(|tree| Recorded { at, tree }));
                }
            }
            Event::Checked { subject, results, wrote } => {
                self.written_by_checks(wrote);
                self.gate_mut(subject)?.checks = Some(results.clone());
            }
            Event::Judged { subject, verdict } => {
                if let Subject::Task(id) = subject {
                    self.judge_isolated(id, verdict.approved)?;
                    let task = self.task_mut(id)?;
                    task.trespasses.clear();
                    task.findings = if verdict.approved { Vec::new() } else { verdict.findings.clone() };
                }
                let gate = self.gate_mut(subject)?;
                gate.verdict = Some(verdict.clone());
                // Up to 60 KB that nobody is going to read again.
                gate.inspection.iter_mut().for_each(|i| i.diff = String::new());
            }
            Event::ContextPut { task, key, value, by } => {
                self.apply_note(at, task.as_ref(), key, value.as_ref(), by.as_str())?;
            }
            Event::Steered { text, task, replan } => {
                self.steers.push(Steer { text: text.clone(), task: task.clone() });
                if *replan == Some(true) {
                    self.revision.want(self.next_token);
                }
            }
            Event::Told { attempt, steers, call } => self.apply_told(attempt, *steers, call.as_deref())?,
            Event::Asked { ask, attempt, permission, patterns } => {
                if self.ask(ask).is_some() {
                    return Err(format!("{ask} was asked before"));
                }
                self.attempt_mut(attempt)?;
                let (id, attempt) = (ask.clone(), attempt.clone());
                let (permission, patterns) = (permission.clone(), patterns.clone());
                self.asks.push(Ask { id, attempt, permission, patterns, at, verdict: None });
                self.drop_old_asks();
            }
            Event::AskJudged { ask, allow, by, reason } => {
                let found = self.asks.iter_mut().find(|a| a.id == *ask && a.open());
                let found = found.ok_or_else(|| format!("{ask} is not open"))?;
                found.verdict = Some(AskVerdict { allow: *allow, by: *by, reason: reason.clone() });
            }
            Event::Reported { text, calls } => {
                self.report = Some(text.clone());
                self.report_calls.clone_from(calls);
                self.handed_back = None;
            }
            Event::HandedBack { how } => self.handed_back = Some(*how),
            Event::Attached { parent } => self.parent = parent.clone(),
            Event::Checkpointed { trigger } => self.checkpoint(at, *trigger, None),
            Event::TreeRecorded { moments, tree } => self.apply_recorded(at, moments, tree.as_ref()),
            Event::RollbackBegun { scope, from, to, files, with_state } => {
                let (scope, from, to) = (scope.clone(), from.clone(), to.clone());
                let (files, with_state, left) = (*files, *with_state, Vec::new());
                let rollback = Rollback { scope, from, to, files, with_state, done: false, left };
                self.apply_rollback_begun(at, rollback)?;
            }
            Event::RolledBack { left, fault } => self.apply_rolled_back(at, left, fault.is_some())?,
            Event::Restored { checkpoint } => self.apply_restored(*checkpoint)?,
            Event::WorktreeGiven { .. }
            | Event::BatchMade { .. }
            | Event::BatchChecked { .. }
            | Event::BatchMerged { .. }
            | Event::UserTreeTaken { .. }
            | Event::LandingBegun { .. }
            | Event::Landed { .. }
            | Event::LandingEnded { .. }
            | Event::ResultLeft { .. }
            | Event::WorktreesReleased { .. } => self.apply_isolation(at, event)?,
        }
        Ok(())
    }

    fn apply_task(
        &mut self,
        at: Millis,
        id: &TaskId,
        to: TaskState,
        note: &Option<String>,
    ) -> Result<(), String> {
        let task = self.task_mut(id)?;
        task.state = task.state.change(to).map_err(|e| format!("{id}: {e}"))?;
        task.note.clone_from(note);
        if matches!(to, TaskState::Completed | TaskState::Cancelled | TaskState::Skipped) {
            task.context = Context::default();
        }
        task.ended_at = to.is_over().then_some(at);
        if to.is_over() {
            // Of a try that was not taken nobody has judged it, and nobody is going to read it again.
            task.gate.inspection.iter_mut().for_each(|i| i.diff = String::new());
        }
        if to == TaskState::InProgress {
            task.began_at = task.began_at.or(Some(at));
        }
        task.since = at;
        match to {
            TaskState::InReview => task.gate = Gate::default(),
            TaskState::Completed if !task.accepted_as_merged() => task.accepted = None,
            _ => {}
        }
        let verified = task.gate.verdict.as_ref().filter(|_| to == TaskState::Completed);
        let tree = verified.and_then(|v| v.tree.clone());
        if let Some(isolation) = &mut self.isolation {
            isolation.withdraw(id);
        }
        // A change of its own is not yet what the mission has.
        let together = self.isolation.as_ref().map(|i| i.integration.clone()).filter(|_| tree.is_some());
        let tree = together.or(tree);
        self.checkpoint(at, Trigger::TaskState, tree);
        Ok(())
    }

    pub(super) fn checkpoint(&mut self, at: Millis, trigger: Trigger, tree: Option<TreeId>) {
        let tasks = self.tasks.iter().map(|t| t.state).collect();
        // The number is given when it is put with the others.
        let (sequence, phase, edition) = (0, self.phase, self.edition);
        self.checkpoints.push(Checkpoint { sequence, at, trigger, phase, edition, tasks, tree });
    }

    /// The checkpoint, if the mission's work can be taken back to it.
    pub fn restorable(&self, checkpoint: u32) -> Result<&Checkpoint, String> {
        let found = self.checkpoints.get(checkpoint).map_err(|e| e.to_string())?;
        // Before any plan is a place that every plan can be taken back to.
        if found.edition != self.edition && found.edition > 0 {
            return Err(format!("checkpoint {checkpoint} is of an earlier plan: choose a later one"));
        }
        Ok(found)
    }

    /// Whether the plan waits for the user's word.
    pub fn awaits_approval(&self) -> bool {
        self.state == MissionState::Paused && self.wants_approval()
    }

    /// A plan that the user wants to see before any work, and has not accepted.
    pub(super) fn wants_approval(&self) -> bool {
        self.created.options.approval == Some(true)
            && !self.plan_approved
            && self.plan.is_some()
            && self.phase == Some(Phase::Planning)
    }

    fn apply_judged_plan(&mut self, approved: bool, reason: Option<&str>) -> Result<(), String> {
        if self.plan.is_none() {
            return Err("a word on a plan that is not there".into());
        }
        if approved {
            self.plan_approved = true;
            return Ok(());
        }
        self.plan_wishes.extend(reason.map(str::to_owned));
        self.planned_up_to = self.attempts.values().map(|a| a.token).max().unwrap_or_default();
        self.drop_plan();
        self.tasks.clear();
        Ok(())
    }

    fn drop_plan(&mut self) {
        self.revision.wanted = false;
        self.plan = None;
        self.plan_source = None;
        self.plan_refusals = 0;
        self.plan_faults.clear();
        // The plan that is given up cannot be gone back to.
        self.edition += 1;
    }

    fn apply_restored(&mut self, checkpoint: u32) -> Result<(), String> {
        if let Some(open) = self.open_attempts().next() {
            return Err(format!("attempt {} is still open", open.id));
        }
        let found = self.restorable(checkpoint)?;
        let (states, planned) = (found.tasks.clone(), found.edition > 0);
        if !planned {
            self.drop_plan();
        }
        if let Some(isolation) = &mut self.isolation {
            isolation.drop_queue();
        }
        self.tasks.truncate(states.len());
        if let Some(plan) = &mut self.plan {
            plan.tasks.truncate(states.len());
        }
        for (task, state) in self.tasks.iter_mut().zip(states) {
            match (task.state, state) {
                (TaskState::Completed, TaskState::Completed) => {}
                // Taken back once before, and now forward again.
                (_, TaskState::Completed) => task.state = state,
                // Whose word or try completed it is to be known when it is taken forward again.
                _ => {
                    let (accepted, race) = (task.accepted.take(), task.race.take());
                    *task = Task { accepted, race, ..task.again() };
                }
            }
        }
        self.whole = Gate::default();
        self.rework = 0;
        self.whole_rounds = 0;
        Ok(())
    }

    fn apply_opened(
        &mut self,
        at: Millis,
        id: &AttemptId,
        kind: &AttemptKind,
        token: u64,
        ordinal: u32,
        session: &Option<HostSessionId>,
    ) -> Result<(), String> {
        if token < self.next_token {
            return Err(format!("attempt {id} has the used token {token}"));
        }
        if let AttemptKind::Work(task) = kind {
            let base = self.last_tree.clone();
            let task = self.task_mut(task)?;
            if task.attempts == 0 {
                task.base = base;
            }
            task.attempts += 1;
        }
        self.next_token = token.saturating_add(1);
        self.next_attempt = self.next_attempt.saturating_add(1);
        let mut attempt = self.spare.take().unwrap_or_else(Attempt::blank);
        attempt.begin(at, id, kind, token, ordinal, session.as_ref());
        attempt.worktree = self.worktree_of(kind).map(|w| w.number);
        self.attempts.insert(id.clone(), attempt);
        Ok(())
    }

    fn apply_submitted(&mut self, id: &AttemptId, submission: &Submission) -> Result<(), String> {
        let attempt = self.attempt_mut(id)?;
        attempt.submission = Some(submission.clone());
        let kind = attempt.kind.clone();
        if let (AttemptKind::Work(task), Submission::Report { summary, .. }) = (kind, submission) {
            self.task_mut(&task)?.summary = Some(summary.clone());
        }
        Ok(())
    }

    fn apply_closed(
        &mut self,
        at: Millis,
        id: &AttemptId,
        outcome: &Outcome,
        usage: Spent,
    ) -> Result<(), String> {
        let attempt = self.attempt_mut(id)?;
        if !attempt.open() {
            return Err(format!("attempt {id} is closed already"));
        }
        attempt.outcome = Some(outcome.clone());
        attempt.closed_at = Some(at);
        // It has been handed on; of attempts that are over only the bones are kept.
        attempt.submission = None;
        let (kind, node, took) = (attempt.kind.clone(), attempt.node.clone(), at.since(attempt.opened_at));
        self.spent = self.spent.plus(usage);
        if usage != Spent::default() {
            self.means.entry(kind.role()).or_default().learn(usage);
        }
        if let Some(task) = kind.task(node.as_ref()).and_then(|id| self.task_mut(id).ok()) {
            task.spent = task.spent.plus(usage);
            if matches!(kind, AttemptKind::Work(_)) {
                task.worked_ms = task.worked_ms.saturating_add(took);
            }
        }
        if matches!(outcome, Outcome::Failed { .. }) {
            match kind {
                AttemptKind::Planning => {}
                AttemptKind::Work(task) => self.task_mut(&task)?.failures += 1,
                AttemptKind::Review(subject) => self.gate_mut(&subject)?.lost_reviews += 1,
            }
        }
        Ok(())
    }
}
