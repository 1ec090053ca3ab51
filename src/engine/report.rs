//! What people are told of a mission: its report, its status, its live title. Pure text from the state.
use super::core::isolation::Isolation;
use super::core::state::{Mission, RaceEnd, Task};
use super::core::{Answer, RollbackView};
use super::core::{pace, priorities};
use super::prompts::{clip, duration};
use crate::domain::budget::{Mean, Spent};
use crate::domain::ids::{Millis, Role};
use crate::domain::mission::MissionState;
use crate::domain::schedule::{Rank, level, makespan};
use crate::domain::task::TaskState;
use crate::domain::verdict::{CheckOutcome, CheckResult};
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub done: u32,
    pub running: u32,
    pub waiting: u32,
    pub failed: u32,
    pub total: u32,
}

pub fn counts(mission: &Mission) -> Counts {
    let mut counts = Counts { total: mission.planned().count() as u32, ..Counts::default() };
    for task in mission.planned() {
        match task.state {
            TaskState::Completed => counts.done += 1,
            TaskState::Failed | TaskState::Skipped | TaskState::Cancelled => counts.failed += 1,
            s if s.is_active() => counts.running += 1,
            _ => counts.waiting += 1,
        }
    }
    counts
}

pub fn report(mission: &Mission) -> String {
    let mut out = String::new();
    let c = counts(mission);
    let _ = writeln!(out, "Mission {}: {}", mission.id, mission.state.name().replace('_', " "));
    let _ = writeln!(out, "{}", mission.created.title);
    let took = duration(mission.ended_at.unwrap_or(mission.created_at).since(mission.created_at));
    let _ = writeln!(out, "{} of {} tasks done in {took}. {}.", c.done, c.total, sentence(&mission.reason));
    if mission.spent.tokens > 0 {
        let _ = writeln!(out, "Spent: {}.", amount(mission.spent));
    }
    if !mission.tasks.is_empty() {
        out.push_str("\nTasks:\n");
        for task in mission.in_order() {
            task_line(&mut out, mission, task);
        }
    }
    checks(&mut out, mission);
    if let Some(inspection) = &mission.whole.inspection
        && !inspection.changed.is_empty()
    {
        let _ = writeln!(out, "\nChanged files: {}", clip(&inspection.changed.join(", "), 4_000));
    }
    result(&mut out, mission);
    if let Some(acceptance) = &mission.accepted {
        let _ = writeln!(
            out,
            "\nAccepted by {} without the gate of the whole: {}",
            acceptance.by,
            clip(&acceptance.reason, 300)
        );
    }
    if let Some(verdict) = &mission.whole.verdict {
        let _ = writeln!(out, "\nIntegration review: {}", clip(&verdict.summary, 2_000));
        for finding in &verdict.findings {
            let _ = writeln!(out, "- {}", clip(&finding.line_text(), 1_000));
        }
    }
    out
}

/// Where the work of worktrees is to be found.
fn result(out: &mut String, mission: &Mission) {
    let Some(isolation) = &mission.isolation else { return };
    if let Some(why) = &isolation.half {
        let _ = writeln!(
            out,
            "\nOnly a part of the result is in your files: {why}. `gantry rollback {}` takes that part out again.",
            mission.id
        );
    }
    if !isolation.owes_result() {
        if isolation.landed.is_some() {
            out.push_str("\nThe result was put into your files, as it was checked.\n");
        }
        return;
    }
    let untouched = if isolation.half.is_none() { "Your files were left as they are. " } else { "" };
    let _ = writeln!(out, "\n{untouched}{}", left(isolation));
    if !isolation.clashes.is_empty() {
        let _ = writeln!(out, "Changed by you and by it: {}", clip(&isolation.clashes.join(", "), 1_000));
    }
}

fn left(isolation: &Isolation) -> String {
    let left = isolation.left.clone().unwrap_or_default();
    let fault = left.fault.map(|fault| clip(&fault, 300));
    match (left.branch, left.patch, fault) {
        (Some(branch), None, _) => {
            format!("The accepted work is on the branch {branch}; look at it, then merge it.")
        }
        (Some(branch), Some(patch), _) => {
            let outside = clip(&left.outside.join(", "), 1_000);
            format!(
                "The accepted work is on the branch {branch}, but for files of submodules, which a branch cannot hold: {outside}. They are in the patch {patch}; look at both, then merge the one and apply the other in the project's folder (`patch -p1`)."
            )
        }
        (None, Some(patch), None) => {
            format!(
                "The accepted work is in the patch {patch}; look at it, then apply it in the project's folder (`patch -p1`)."
            )
        }
        (None, Some(patch), Some(fault)) => {
            format!(
                "No branch could be made for the accepted work ({fault}). It is in the patch {patch}; look at it, then apply it in the project's folder (`git apply`)."
            )
        }
        (None, None, fault) => {
            let fault = fault.unwrap_or_else(|| "nobody has tried yet".into());
            format!(
                "The accepted work could be left neither on a branch nor as a patch ({fault}). It is kept in Gantry's data folder, and left as soon as OpenCode is started here again and it can be: mend what is in the way, then start it."
            )
        }
    }
}

/// In words: the host's terminal draws `[x]` and `[ ]` alike.
fn task_line(out: &mut String, mission: &Mission, task: &Task) {
    let state = match (task.state, &task.accepted) {
        (TaskState::Completed, Some(acceptance)) => format!("accepted by {}, not by its gate", acceptance.by),
        (TaskState::Completed, None) => "done".to_owned(),
        (state, _) => state.name().replace('_', " "),
    };
    if task.spec.is_try() {
        let _ = write!(out, "  - {} {state}", task.spec.id);
    } else {
        let _ = write!(out, "- {} {state}: {}", task.spec.id, task.title());
    }
    if task.attempts > 1 {
        let _ = write!(out, " ({} attempts)", task.attempts);
    }
    if let Some(note) = told(mission, task) {
        let _ = write!(out, " — {}", clip(&note, 300));
    }
    out.push('\n');
}

/// Why a task is what it is: the user's reason, which try was taken and why, or what its last attempt came to.
pub fn told(mission: &Mission, task: &Task) -> Option<String> {
    match (task.state, &task.accepted) {
        (TaskState::Completed, Some(acceptance)) => Some(acceptance.reason.clone()),
        (TaskState::Completed, None) => race(mission, task),
        _ => task.note.clone().or_else(|| race(mission, task)),
    }
}

/// How a race stands, or which try was taken.
pub fn race(mission: &Mission, task: &Task) -> Option<String> {
    let tries = mission.parts_of(&task.spec.id).filter(|t| t.spec.is_try()).count();
    match &task.race {
        Some(RaceEnd::Won { taken, why }) => Some(format!("{taken} of {tries} tries is taken: {why}")),
        Some(RaceEnd::Lost) => Some(format!("none of {tries} tries was good enough")),
        None if mission.races(&task.spec.id) => {
            let passed = mission.passed_tries(&task.spec.id).len();
            Some(format!("{tries} tries side by side, {passed} passed their checks"))
        }
        None => None,
    }
}

fn checks(out: &mut String, mission: &Mission) {
    let Some(survey) = &mission.survey else { return };
    let Some(now) = &mission.whole.checks else { return };
    if now.is_empty() {
        out.push_str("\nChecks: the project has none that could be found.\n");
        return;
    }
    out.push_str("\nChecks (before → after):\n");
    for result in now {
        let before = survey
            .baseline
            .iter()
            .flatten()
            .find(|b| b.command == result.command)
            .map_or("not run".into(), outcome);
        let _ = writeln!(out, "- `{}`: {before} → {}", result.command, outcome(result));
    }
}

pub fn outcome(result: &CheckResult) -> String {
    match result.outcome {
        CheckOutcome::Passed => "passed".into(),
        CheckOutcome::Flaky => "flaky (failed, then passed)".into(),
        CheckOutcome::Failed(code) => format!("failed (exit {code})"),
        CheckOutcome::TimedOut => "timed out".into(),
        CheckOutcome::NotRun => "could not be started".into(),
    }
}

/// One line: where the mission is. Without elapsed time, so that equal lines mean nothing new.
pub fn progress(mission: &Mission) -> String {
    let c = counts(mission);
    let place = match (mission.state, mission.phase) {
        _ if mission.awaits_approval() => "the plan waits for you",
        (MissionState::Running, Some(phase)) => phase.name(),
        (state, _) => state.name(),
    };
    let place = place.replace('_', " ");
    if c.total == 0 {
        return place;
    }
    let mut out =
        format!("{place} · {}/{} done, {} running, {} waiting", c.done, c.total, c.running, c.waiting);
    if c.failed > 0 {
        let _ = write!(out, ", {} failed", c.failed);
    }
    out
}

pub fn progress_metadata(mission: &Mission) -> Vec<(String, String)> {
    let c = counts(mission);
    vec![
        ("mission".into(), mission.id.0.clone()),
        ("state".into(), mission.state.name().into()),
        ("phase".into(), mission.phase.map_or("", |p| p.name()).into()),
        ("done".into(), c.done.to_string()),
        ("running".into(), c.running.to_string()),
        ("waiting".into(), c.waiting.to_string()),
        ("failed".into(), c.failed.to_string()),
        ("total".into(), c.total.to_string()),
    ]
}

/// A few lines for who asks how it stands.
pub fn status(mission: &Mission) -> String {
    use MissionState::*;
    let mut out = stand(mission);
    if matches!(mission.state, Paused | PartiallyCompleted | Failed | Timeout) {
        out.push_str(&checkpoints(mission));
    }
    out
}

/// The newest checkpoint of each number of completed tasks: going back to another would undo the same work.
fn checkpoints(mission: &Mission) -> String {
    let of_edition = mission.checkpoints.iter().filter(|c| c.edition == mission.edition);
    let of_edition = of_edition.map(|c| mission.without_tries(c));
    let newest: BTreeMap<_, _> = of_edition.map(|c| (c.completed(), (c.sequence, c.tasks.len()))).collect();
    let before = mission.checkpoints.iter().rfind(|c| c.edition == 0);
    if newest.is_empty() && before.is_none() {
        return String::new();
    }
    let mut out = String::from("\nCheckpoints it can be taken back to:\n");
    if let Some(before) = before {
        let _ = writeln!(out, "- {}: before it was planned", before.sequence);
    }
    for (completed, (sequence, total)) in newest {
        let _ = writeln!(out, "- {sequence}: {completed} of {total} tasks done");
    }
    out
}

/// What is still to come of a mission.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Forecast {
    pub minutes: f64,
    /// Of workers and reviewers, if nothing is sent back.
    pub turns: u32,
    /// None while no turn of a kind that is to come has ended, here or in `means`.
    pub cost: Option<Spent>,
}

/// None without a plan, and once it has ended. `means`: what turns cost, by role.
pub fn forecast(mission: &Mission, means: &BTreeMap<Role, Mean>) -> Option<Forecast> {
    let plan = mission.plan.as_ref().filter(|_| mission.state.is_open())?;
    let to_come = |task: &&Task| mission.turns_to_come(task) > 0;
    let open: Vec<_> = mission.planned().filter(to_come).map(|t| t.spec.clone()).collect();
    let pace = pace(mission);
    let remaining = plan.remaining_by(|t| pace.minutes(t));
    let priorities = priorities(mission);
    let rank = |i: usize| {
        let minutes = remaining.get(&open[i].id).copied().unwrap_or_default();
        Rank::new(level(priorities.get(&open[i]), 0), minutes, Millis::default(), i)
    };
    let minutes: Vec<_> = open.iter().map(|t| pace.minutes(t)).collect();
    let minutes = makespan(&open, &minutes, mission.created.options.workers as usize, rank);
    let reviews = mission.planned().filter(|t| !t.state.is_over()).count() as u32 + 1;
    let work = mission.planned().map(|t| mission.turns_to_come(t)).sum();
    let of = |role: Role, turns: u32| match (turns, means.get(&role).and_then(Mean::value)) {
        (0, _) => Some(Spent::default()),
        (n, mean) => {
            mean.map(|each| Spent { tokens: each.tokens * u64::from(n), cost: each.cost * f64::from(n) })
        }
    };
    let cost = of(Role::Worker, work).zip(of(Role::Reviewer, reviews)).map(|(a, b)| a.plus(b));
    Some(Forecast { minutes, turns: work + reviews, cost })
}

/// What was used, and what is still to come.
fn spending(mission: &Mission) -> String {
    let mut out = String::new();
    let used = mission.spent.beyond(mission.spent_before);
    if used != Spent::default() {
        let _ = write!(out, "Used so far: {}", amount(used));
        let limit = mission.created.options.budget();
        if let Some(tokens) = limit.tokens {
            let _ = write!(out, ", of at most {tokens} tokens");
        }
        if let Some(cost) = limit.cost {
            let _ = write!(out, ", of at most ${cost:.2}");
        }
        out.push_str(".\n");
    }
    let expected = expected(mission, &mission.means);
    if !expected.is_empty() {
        let _ = writeln!(out, "Still to come{expected}.");
    }
    out
}

fn stand(mission: &Mission) -> String {
    if let Some(report) = &mission.report {
        return report.clone();
    }
    let mut out = format!("Mission {}: {}\n{}\n", mission.id, progress(mission), mission.created.title);
    out.push_str(&spending(mission));
    for task in mission.planned() {
        let state = task.state.name().replace('_', " ");
        let _ = write!(out, "- {} {state}: {}", task.spec.id, task.title());
        out.push_str(&race(mission, task).map_or("\n".into(), |race| format!(" — {race}\n")));
    }
    out
}

/// Paths named of each kind when files are taken back.
const MAX_NAMED: usize = 40;

/// What became of a rollback, or would.
pub fn rollback(view: &RollbackView) -> String {
    let mut out = String::new();
    let count = view.steps.len();
    let head = match (&view.fault, view.done) {
        (Some(fault), _) => format!("Nothing was changed: {fault}"),
        (None, _) if count == 0 && view.conflicts.is_empty() => {
            "Nothing is to be taken back: the files are as they were.".into()
        }
        (None, true) => format!("Taken back: {}", files(count)),
        (None, false) if !view.conflicts.is_empty() => {
            format!(
                "Nothing was changed, for {} would be lost. Use force to take them back too (it can be undone), or save them first",
                files(view.conflicts.len())
            )
        }
        (None, false) => format!("Would be taken back: {}", files(count)),
    };
    let _ = writeln!(out, "{head}");
    names(&mut out, "", view.steps.iter().map(|s| format!("{} ({})", s.path, s.what)));
    names(&mut out, "In the way:", view.conflicts.iter().cloned());
    names(&mut out, "Left as they are:", view.left.iter().cloned());
    let others = "Changed during the mission by somebody else, or by a command, and left alone (force takes them back too):";
    names(&mut out, others, view.others.iter().cloned());
    out
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".into() } else { format!("{count} files") }
}

fn names(out: &mut String, head: &str, all: impl ExactSizeIterator<Item = String>) {
    let count = all.len();
    if count > 0 && !head.is_empty() {
        let _ = writeln!(out, "{head}");
    }
    for name in all.take(MAX_NAMED) {
        let _ = writeln!(out, "- {}", clip(&name, 500));
    }
    if count > MAX_NAMED {
        let _ = writeln!(out, "- and {} more", count - MAX_NAMED);
    }
}

/// The result of the `mission` call.
pub fn tool_answer(mission: &Mission) -> Answer {
    Answer::Tool {
        title: format!(
            "{} · {}",
            mission.state.name().replace('_', " "),
            duration(mission.ended_at.unwrap_or_default().since(mission.created_at))
        ),
        output: mission.report.clone().unwrap_or_default(),
        metadata: progress_metadata(mission),
    }
}

/// Title and text of the toast at the end.
pub fn end_notice(mission: &Mission) -> (String, String) {
    let c = counts(mission);
    let title = match mission.state {
        MissionState::Completed => "Mission completed",
        MissionState::PartiallyCompleted => "Mission partly completed",
        MissionState::Stopped | MissionState::Cancelled => "Mission cancelled",
        MissionState::Timeout => "Mission out of time",
        MissionState::Orphaned => "Mission ended with its conversation",
        _ => "Mission failed",
    };
    let took = duration(mission.ended_at.unwrap_or_default().since(mission.created_at));
    let spent = if mission.spent.tokens > 0 { format!(", {}", amount(mission.spent)) } else { String::new() };
    (
        title.into(),
        format!("{}: {}/{} tasks in {took}{spent}", clip(&mission.created.title, 60), c.done, c.total),
    )
}

/// What is still to come, in words that follow others; nothing where there is no plan.
pub fn expected(mission: &Mission, means: &BTreeMap<Role, Mean>) -> String {
    let Some(forecast) = forecast(mission, means) else { return String::new() };
    let cost = forecast.cost.filter(|c| *c != Spent::default());
    let cost = cost.map_or(String::new(), |cost| format!(", about {}", amount(cost)));
    format!(": about {:.0} min, {} turns{cost}", forecast.minutes.ceil(), forecast.turns)
}

/// Without a price where the host knows none.
fn amount(spent: Spent) -> String {
    let cost = if spent.cost > 0.0 { format!(", ${:.2}", spent.cost) } else { String::new() };
    format!("{} tokens{cost}", spent.tokens)
}

fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
