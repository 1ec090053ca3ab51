//! The gate: a look at the tree, the checks, a review; for each task and for the whole.
//!
//! Each stage is a fact in the journal, and what is missing is asked for; so a gate that was cut off goes on where
//! it stood. Its stages all end: jobs have time limits, and a review that cannot be had is a refusal.
use super::event::*;
use super::grants::Want;
use super::live::Job;
use super::state::{Gate, Mission};
use super::{Action, Core, Ground, MAX_REWORK, MAX_WHOLE_ROUNDS};
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::mission::MissionState;
use crate::domain::mission::Phase;
use crate::domain::plan::{Priority, TaskSpec};
use crate::domain::schedule;
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckOutcome, CheckResult, Finding, TreeId, Verdict};
use crate::engine::prompts;
use crate::ports::workspace::NO_PROGRAM;

/// Review attempts of one round before the gate refuses for want of a review.
pub(super) const MAX_LOST_REVIEWS: u32 = 2;

/// Of the first objection, in the summary of all.
const MAX_FIRST: usize = 200;

impl Core {
    pub(super) fn advance_task_gates(&mut self, id: &MissionId) {
        let in_review: Vec<_> = self.missions[id]
            .tasks
            .iter()
            .filter(|t| t.state == TaskState::InReview)
            .map(|t| t.spec.id.clone())
            .collect();
        for task in in_review {
            self.call_back(id, &task);
            if self.missions[id].task(&task).is_some_and(|t| t.state == TaskState::InReview) {
                self.advance_gate(id, Subject::Task(task));
            }
        }
    }

    pub(super) fn advance_whole(&mut self, id: &MissionId) {
        // Integration of what was reviewed waits for nothing but its own gate.
        self.publish_todo(id);
        if self.whole_is_put_together(id) {
            self.advance_gate(id, Subject::Whole);
        }
    }

    fn advance_gate(&mut self, id: &MissionId, subject: Subject) {
        let mission = &self.missions[id];
        let Some(gate) = mission.gate(&subject) else { return };
        if let Some(verdict) = gate.verdict.clone() {
            self.carry_out(id, subject, verdict);
        } else if self.shell_in_doubt(id, &subject) {
            // Looked at first; that look ends in its time.
        } else if gate.inspection.is_none() {
            self.inspect(id, subject);
        } else if gate.checks.is_none() {
            self.check(id, subject);
        } else if let Some(findings) = objections(mission, &subject, gate) {
            let first = findings.first().map(Finding::line_text).unwrap_or_default();
            let first = first.lines().next().unwrap_or_default();
            let summary = format!("the checks object: {}", prompts::clip(first, MAX_FIRST));
            self.judge(id, subject, Verdict { approved: false, tree: None, summary, findings });
        } else if matches!(&subject, Subject::Task(task) if mission.in_race(task)) {
            // Which of the tries is reviewed is for the race to say; one that cannot be read is none.
            if gate.inspection.as_ref().is_none_or(|i| i.tree.is_none()) {
                let summary = "its change could not be read".to_owned();
                self.judge(
                    id,
                    subject,
                    Verdict { approved: false, tree: None, summary, findings: Vec::new() },
                );
            }
        } else if gate.lost_reviews >= MAX_LOST_REVIEWS {
            let findings = vec![Finding::of("high", "no review could be had")];
            let summary = format!("{MAX_LOST_REVIEWS} reviewers ended without a verdict");
            self.judge(id, subject, Verdict { approved: false, tree: None, summary, findings });
        } else if !mission
            .open_attempts()
            .any(|a| matches!(&a.kind, AttemptKind::Review(of) if *of == subject) && a.submission.is_none())
        {
            let ordinal = match &subject {
                Subject::Task(task) => mission.task(task).map_or(1, |t| t.attempts),
                Subject::Whole => mission.whole_rounds,
            };
            let level = schedule::level(Priority::High, 0);
            self.want(
                id,
                Want { kind: AttemptKind::Review(subject), level, ordinal, session: None, node: None },
            );
        }
    }

    fn inspect(&mut self, id: &MissionId, subject: Subject) {
        let Some(round) = self.live(id).begin(Job::Inspect(subject.clone())) else { return };
        let mission = &self.missions[id];
        let mut ground = mission.ground(&subject);
        // The second look at the whole only says whether the tree is still the one that was approved.
        let again = mission.phase == Some(Phase::Integrating);
        if again {
            ground.base = mission.whole.verdict.as_ref().and_then(|v| v.tree.clone());
        }
        let diagnose = mission.created.options.diagnostics != Some(false) && !again;
        self.act(Action::Inspect { mission: id.clone(), subject, round, ground, diagnose });
    }

    pub(super) fn inspected(
        &mut self,
        id: &MissionId,
        subject: Subject,
        round: u64,
        result: Result<Inspection, String>,
    ) {
        if !self.live(id).end(&Job::Inspect(subject.clone()), round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        if self.missions[id].phase == Some(Phase::Integrating) && subject == Subject::Whole {
            return self.integrated(id, result);
        }
        // A tree that cannot be read is reviewed without its diff: the reviewer has the files themselves.
        let mut inspection = result.unwrap_or_else(|fault| Inspection {
            findings: Vec::new(),
            diff: format!("(the change could not be read: {fault})"),
            ..Inspection::default()
        });
        inspection.undeclared = self.missions[id].undeclared(&subject, &inspection);
        self.emit(id, Event::Inspected { subject, inspection });
    }

    fn check(&mut self, id: &MissionId, subject: Subject) {
        let mission = &self.missions[id];
        let commands = match &subject {
            Subject::Whole => mission.survey.as_ref().map(|s| s.checks.clone()).unwrap_or_default(),
            Subject::Task(task) => mission.task(task).map(|t| t.spec.checks.clone()).unwrap_or_default(),
        };
        let conflict = mission
            .gate(&subject)
            .and_then(|g| g.inspection.as_ref())
            .is_some_and(|i| !i.findings.is_empty());
        if commands.is_empty() || conflict {
            return self.emit(id, Event::Checked { subject, results: Vec::new(), wrote: Vec::new() });
        }
        let root = mission.ground(&subject).root;
        let failing = commands.iter().filter(|c| blameless(mission, c)).cloned().collect();
        // While tasks are worked, what changes may be theirs.
        let alone = mission.isolation.is_none() && subject == Subject::Whole;
        let todo = alone.then(|| mission.created.options.todo.clone());
        if let Some(round) = self.live(id).begin(Job::Check(subject.clone())) {
            self.act(Action::Check { mission: id.clone(), subject, round, root, commands, failing, todo });
        }
    }

    pub(super) fn checked(
        &mut self,
        id: &MissionId,
        subject: Subject,
        round: u64,
        results: Vec<CheckResult>,
        wrote: Vec<String>,
    ) {
        if !self.live(id).end(&Job::Check(subject.clone()), round) || !self.missions.contains_key(id) {
            self.late_reports += 1;
            return;
        }
        self.emit(id, Event::Checked { subject, results, wrote });
    }

    /// The decision of the gate; bound to the tree that was looked at.
    pub(super) fn judge(&mut self, id: &MissionId, subject: Subject, mut verdict: Verdict) {
        let Some(gate) = self.missions[id].gate(&subject) else { return };
        if gate.verdict.is_some() {
            return;
        }
        verdict.tree = gate.inspection.as_ref().and_then(|i| i.tree.clone());
        if verdict.tree.is_none() && self.missions[id].isolation.is_some() {
            // Nothing that could be merged.
            verdict.approved = false;
            verdict
                .findings
                .push(Finding::of("high", "the worktree could not be read: see that git works in it"));
        }
        self.emit(id, Event::Judged { subject, verdict });
    }

    /// What follows from a verdict; not while the mission is paused.
    fn carry_out(&mut self, id: &MissionId, subject: Subject, verdict: Verdict) {
        match subject {
            // The merge queue has it now.
            Subject::Task(_) if verdict.approved && self.missions[id].isolation.is_some() => {}
            Subject::Task(task) if verdict.approved => {
                self.task_changed(id, &task, TaskState::Completed, None)
            }
            Subject::Whole if verdict.approved => self.phase(id, Phase::Integrating),
            subject => {
                let mission = &self.missions[id];
                let results = mission.gate(&subject).and_then(|g| g.checks.as_deref()).unwrap_or_default();
                match (cannot_start(mission, &subject, results), subject) {
                    (Some(why), _) => self.end_for(id, why),
                    (None, Subject::Task(task)) => self.send_back(id, &task, &verdict.summary),
                    (None, Subject::Whole) => self.rework(id, verdict.findings, &verdict.summary),
                }
            }
        }
    }

    /// The mission cannot pass, whatever its workers do.
    pub(super) fn end_for(&mut self, id: &MissionId, why: String) {
        let some = self.missions[id].planned().any(|t| t.state == TaskState::Completed);
        let end = if some { MissionState::PartiallyCompleted } else { MissionState::Failed };
        self.recover(id);
        self.end_work(id, end, why);
    }

    /// The whole is not right: one more task with the findings, a bounded number of times.
    fn rework(&mut self, id: &MissionId, findings: Vec<Finding>, why: &str) {
        let mission = &self.missions[id];
        let n = mission.rework + 1;
        if n > MAX_REWORK {
            return self
                .finish(id, format!("the work as a whole was not approved: {}", prompts::clip(why, 300)));
        }
        let mut task = TaskId::new(format!("R{n}"));
        while mission.task(&task).is_some() {
            task = TaskId::new(format!("{task}x"));
        }
        let lines: Vec<_> = findings.iter().map(Finding::line_text).collect();
        let spec = TaskSpec {
            id: task,
            title: "Mend what the review of the whole found".into(),
            description: format!("{why}\n{}", lines.join("\n")),
            files: Vec::new(),
            depends_on: Vec::new(),
            capabilities: vec!["bug_fixing".into()],
            priority: Priority::High,
            checks: Vec::new(),
            estimate_minutes: 15.0,
            mode: None,
            parent: None,
        };
        self.emit(id, Event::TaskAdded { spec });
        self.live(id).todo_published = false;
        self.phase(id, Phase::Executing);
    }

    /// The verdict holds for one tree: it is looked at once more before the mission is called complete.
    pub(super) fn advance_integration(&mut self, id: &MissionId) {
        if self.land(id) {
            return;
        }
        self.inspect(id, Subject::Whole);
    }

    fn integrated(&mut self, id: &MissionId, result: Result<Inspection, String>) {
        // Paused meanwhile: it is looked at again when it goes on.
        if !self.missions[id].running() {
            return;
        }
        let approved = self.missions[id].whole.verdict.as_ref().and_then(|v| v.tree.clone());
        let (now, apart) = match result {
            Ok(inspection) => (inspection.tree, inspection.changed),
            // Where no tree could ever be read, the verdict was given without one.
            Err(_) if approved.is_none() => (None, Vec::new()),
            Err(fault) => {
                return self.not_integrated(id, None, format!("the tree could not be read again: {fault}"));
            }
        };
        let mission = &self.missions[id];
        let by_checks = approved.is_some() && mission.checks_write(&apart);
        if now == approved || by_checks {
            if let Some(verdict) = mission.whole.verdict.clone().filter(|_| by_checks) {
                self.emit(
                    id,
                    Event::Judged { subject: Subject::Whole, verdict: Verdict { tree: now, ..verdict } },
                );
            }
            let reason = self.missions[id].passed();
            self.finish(id, reason);
        } else if self.missions[id].whole_rounds < MAX_WHOLE_ROUNDS {
            self.phase(id, Phase::Reviewing);
        } else {
            let files = prompts::clip(&apart.join(", "), 300);
            let hint = match apart.iter().any(|path| mission.wrote.contains_key(path)) {
                true => "; some change while the checks run: let git ignore what they write",
                false => "",
            };
            let why = format!("the files kept changing while they were being reviewed: {files}{hint}");
            self.not_integrated(id, now, why);
        }
    }

    /// There is no verdict for the tree as it is, so the whole does not pass.
    pub(super) fn not_integrated(&mut self, id: &MissionId, tree: Option<TreeId>, why: String) {
        let verdict = Verdict { approved: false, tree, summary: why.clone(), findings: Vec::new() };
        self.emit(id, Event::Judged { subject: Subject::Whole, verdict });
        self.finish(id, why);
    }
}

impl Mission {
    /// What the change of a task, or of the whole, is seen against.
    pub(super) fn ground(&self, subject: &Subject) -> Ground {
        if let Some(isolation) = &self.isolation {
            return self.ground_in(isolation, subject);
        }
        let (base, scope) = match subject {
            Subject::Whole => (self.survey.as_ref().and_then(|s| s.tree.clone()), None),
            Subject::Task(task) => self.task(task).map_or((None, Some(Vec::new())), |t| {
                (t.base.clone(), Some(t.spec.files.iter().chain(&t.taken).cloned().collect()))
            }),
        };
        Ground { root: self.created.worktree.clone(), base, todo: self.created.options.todo.clone(), scope }
    }
}

/// What the first two stages hold against the change; none when there is nothing.
pub(super) fn objections(mission: &Mission, subject: &Subject, gate: &Gate) -> Option<Vec<Finding>> {
    let mut findings = gate.inspection.as_ref().map(|i| i.findings.clone()).unwrap_or_default();
    if let Subject::Task(task) = subject {
        findings.extend(mission.task(task).into_iter().flat_map(|t| t.trespasses.clone()));
    }
    findings.extend(failures(mission, gate.checks.as_deref().unwrap_or_default()));
    if findings.is_empty() { None } else { Some(findings) }
}

/// Checks that fail by the doing of the mission.
pub(super) fn failures(mission: &Mission, results: &[CheckResult]) -> Vec<Finding> {
    results.iter().filter_map(|result| failure(mission, result)).collect()
}

fn failure(mission: &Mission, result: &CheckResult) -> Option<Finding> {
    let (command, tail) = (&result.command, prompts::clip_end(&result.tail, 2000));
    if result.passed() {
        None
    } else if !blameless(mission, command) {
        let how = match result.outcome {
            CheckOutcome::NotRun if started_before(mission, command) => {
                "could not be started here, though it could before any work"
            }
            CheckOutcome::NotRun => "could not be started",
            _ => "fails",
        };
        Some(Finding::of("high", format!("`{command}` {how}:\n{tail}")))
    } else {
        let before = mission.survey.as_ref()?.before(command)?;
        let new = result.fails_besides(before);
        let names = prompts::clip(&new.join(", "), 500);
        let text = || format!("`{command}` failed before this mission too, but not by {names}:\n{tail}");
        (!new.is_empty()).then(|| Finding::of("high", text()))
    }
}

fn started_before(mission: &Mission, command: &str) -> bool {
    let before = mission.survey.as_ref().and_then(|s| s.before(command));
    before.is_some_and(|r| r.outcome != CheckOutcome::NotRun)
}

/// Why the mission ends over checks whose program was there before any work and is not in the worktree, although the change
/// has not touched it: one that git leaves out, or that was taken off the machine. No worker can put it there for the others
/// and for the whole. In the user's own files it was a worker who took it away, and who can bring it back.
pub(super) fn cannot_start(mission: &Mission, subject: &Subject, results: &[CheckResult]) -> Option<String> {
    mission.isolation.as_ref()?;
    let changed = mission.gate(subject)?.inspection.as_ref().map_or(&[][..], |i| &i.changed);
    let gone = results.iter().find(|r| {
        let program = r.command.split_whitespace().next().unwrap_or_default();
        let program = program.strip_prefix("./").unwrap_or(program);
        r.outcome == CheckOutcome::NotRun
            && r.tail.contains(NO_PROGRAM)
            && started_before(mission, &r.command)
            && !changed.iter().any(|path| path == program)
    })?;
    Some(format!(
        "the check `{}` could be started in the project but not in a worktree, where {NO_PROGRAM}: share what git leaves out \
         with worktreeLinks; where it leads to the project's own files, have it made with worktreeSetup; or work without \
         worktrees",
        prompts::clip(&gone.command, 200)
    ))
}

/// A command that failed before any work was done is not held against the change, and the reviewer is told of it; until it
/// passes on what is accepted: who breaks it after that has broken it.
pub(super) fn blameless(mission: &Mission, command: &str) -> bool {
    let failed = mission.survey.as_ref().is_some_and(|s| s.failed_before(command));
    let passes = |r: &CheckResult| r.command == command && r.passed();
    let mended = mission
        .tasks
        .iter()
        .filter(|t| t.state == TaskState::Completed)
        .any(|t| t.gate.checks.iter().flatten().any(passes));
    failed && !mended
}
