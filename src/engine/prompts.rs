//! What agents are told. Pure text from a mission's state; every part is bounded.
use super::core::MAX_ATTEMPTS;
use super::core::event::{AttemptKind, PromptReason, Subject};
use super::core::state::{Attempt, Mission, RaceEnd, Steer, Task};
use crate::domain::fractal;
use crate::domain::ids::{MissionId, TaskId};
use crate::domain::race::Races;
use crate::domain::verdict::{CheckOutcome, CheckResult, Finding};
use std::fmt::Write;

/// Longest brief, in bytes, that is passed on.
const MAX_BRIEF: usize = 24_000;
/// Longest brief, and longest text of each task above, for the planner of one task.
const MAX_NODE_BRIEF: usize = 6_000;
const MAX_ABOVE: usize = 1_500;
/// Longest text of one note, and of all of them.
const MAX_NOTE: usize = 500;
const MAX_NOTES: usize = 4_000;
/// Longest report of one dependency, and of all of them.
const MAX_DEPENDENCY: usize = 2_000;
const MAX_DEPENDENCIES: usize = 16_000;
/// Longest finding, and all of them.
const MAX_FINDING: usize = 3_000;
const MAX_FINDINGS: usize = 24_000;
/// Longest diffs of all tries that are compared.
const MAX_DIFFS: usize = 60_000;
/// Longest output of one check.
const MAX_OUTPUT: usize = 3_000;

pub fn session_title(mission: &Mission, attempt: &Attempt) -> String {
    let title = &mission.created.title;
    match &attempt.kind {
        AttemptKind::Planning if attempt.node.is_some() => {
            let (task, title) = node(mission, attempt);
            format!("Plan {task}: {title}")
        }
        AttemptKind::Planning if attempt.revises => format!("Plan anew: {title}"),
        AttemptKind::Planning => format!("Plan: {title}"),
        AttemptKind::Work(task) => format!("{task}: {}", task_title(mission, task)),
        AttemptKind::Review(Subject::Task(task)) => {
            let verb = if mission.compares(task) { "Compare" } else { "Review" };
            format!("{verb} {task}: {}", task_title(mission, task))
        }
        AttemptKind::Review(Subject::Whole) => format!("Integration review: {title}"),
    }
}

fn task_title<'a>(mission: &'a Mission, task: &TaskId) -> &'a str {
    mission.task(task).map_or("", |t| &t.spec.title)
}

pub fn prompt(mission: &Mission, attempt: &Attempt, reason: PromptReason) -> String {
    match reason {
        PromptReason::First => first(mission, attempt),
        PromptReason::Nudge => format!(
            "You ended your turn without calling {}. {}\nIf the work is finished, call {} now; if not, finish it first.",
            attempt.submit_tool(),
            subject_line(mission, attempt),
            attempt.submit_tool()
        ),
        PromptReason::Continue => cut_off(mission, attempt) + &told_in_a_call(mission, attempt),
        PromptReason::Cut => format!(
            "Your last answer was cut off: it was longer than the model may give at one time. {}\nLook at what is already there, go on where you stood with shorter answers (write a large file in parts), and end with {}.",
            subject_line(mission, attempt),
            attempt.submit_tool()
        ),
        PromptReason::Retry => format!(
            "The model provider failed in the middle of your turn. {}\nGo on where you stood, and end with {}.",
            subject_line(mission, attempt),
            attempt.submit_tool()
        ),
        PromptReason::Steered => format!(
            "The user has added since:\n{}{}\nThis comes first. Go on with your work accordingly, and end with {}.",
            words(mission, attempt),
            subject_line(mission, attempt),
            attempt.submit_tool()
        ),
        PromptReason::Resumed => resumed(mission, attempt, attempt.prompted(reason) + 1),
        PromptReason::Denied => format!(
            "A permission that your turn asked for was refused. {}\nDo without it, and end with {}; if the work cannot be done without it, say so there.",
            subject_line(mission, attempt),
            attempt.submit_tool()
        ),
    }
}

/// How the newest prompt of this reason begins, once it is a fact; what comes later in it may change with the mission's
/// state. Where a conversation without it may look finished, no other prompt of the conversation begins like it.
pub fn opening(mission: &Mission, attempt: &Attempt, reason: PromptReason) -> String {
    let text = prompt(mission, attempt, reason);
    match reason {
        PromptReason::First => text.split_inclusive('\n').take(2).collect(),
        PromptReason::Continue => cut_off(mission, attempt),
        PromptReason::Resumed => resumed(mission, attempt, attempt.prompted(reason)),
        // What was told last came in its turn, so these are not its words any more.
        PromptReason::Steered if attempt.told_in.is_some() => text.split_inclusive('\n').take(1).collect(),
        _ => text,
    }
}

/// The answer to a submission whose author has not heard all that the user wants.
pub fn not_taken_yet(mission: &Mission, attempt: &Attempt) -> String {
    let tool = attempt.submit_tool();
    format!(
        "Not taken yet. The user has added since:\n{}This comes first. See to it, and then call {tool} again.",
        words(mission, attempt)
    )
}

fn cut_off(mission: &Mission, attempt: &Attempt) -> String {
    format!(
        "The host was restarted in the middle of your turn. {}\nLook at what is already there, go on where you stood, and end with {}.",
        subject_line(mission, attempt),
        attempt.submit_tool()
    )
}

/// They are counted: an interrupted turn ends with an error, which would pass for the end of a turn that never began if
/// this prompt could be taken for the one before.
fn resumed(mission: &Mission, attempt: &Attempt, time: usize) -> String {
    let again = if time > 1 { format!(" (said {time} times by now)") } else { String::new() };
    format!(
        "The user had interrupted your turn, and lets you go on{again}. {}\nLook at what is already there, go on where you stood, and end with {}.",
        subject_line(mission, attempt),
        attempt.submit_tool()
    )
}

/// Words that were put into the answer to a call: a host that dies may not have got it into the conversation.
fn told_in_a_call(mission: &Mission, attempt: &Attempt) -> String {
    match words(mission, attempt) {
        words if attempt.told_in.is_some() && !words.is_empty() => {
            format!("\nThe user has added since you began (this comes first):\n{words}")
        }
        _ => String::new(),
    }
}

/// What the attempt was told last, in the user's words.
fn words(mission: &Mission, attempt: &Attempt) -> String {
    mission.told_last(attempt).iter().map(|steer| format!("- {}\n", steer.text)).collect()
}

/// The answer to the call that waits for the end of a mission which was suspended.
pub fn suspended(mission: &MissionId) -> String {
    format!(
        "The user has suspended mission {mission}: nothing of it is at work now. It goes on when he says so (/task-resume), and the report is then put into this conversation. Say so plainly, and end your turn."
    )
}

fn subject_line(mission: &Mission, attempt: &Attempt) -> String {
    match &attempt.kind {
        AttemptKind::Planning if attempt.node.is_some() => {
            let (task, title) = node(mission, attempt);
            format!("Your work: Plan task {task} further: {title}.")
        }
        AttemptKind::Planning if attempt.revises => "Your work: Plan the rest of the mission anew.".into(),
        AttemptKind::Planning => "Your work: Plan the mission.".into(),
        AttemptKind::Work(task) => {
            format!(
                "Your work: Task {task}: {} (Attempt {} of {MAX_ATTEMPTS}).",
                task_title(mission, task),
                attempt.ordinal
            )
        }
        AttemptKind::Review(Subject::Task(task)) if mission.compares(task) => {
            format!("Your work: Comparison of the tries at task {task}: {}.", task_title(mission, task))
        }
        AttemptKind::Review(Subject::Task(task)) => {
            format!(
                "Your work: Review of task {task}: {} (Attempt {} of {MAX_ATTEMPTS}).",
                task_title(mission, task),
                attempt.ordinal
            )
        }
        AttemptKind::Review(Subject::Whole) => "Your work: Integration review.".into(),
    }
}

fn first(mission: &Mission, attempt: &Attempt) -> String {
    match &attempt.kind {
        AttemptKind::Planning => match attempt.node.as_ref().and_then(|task| mission.task(task)) {
            Some(task) => parts(mission, task),
            None if attempt.revises => revising(mission),
            None => planning(mission),
        },
        AttemptKind::Work(task) => {
            mission.task(task).map(|t| work(mission, t, attempt.ordinal)).unwrap_or_default()
        }
        AttemptKind::Review(Subject::Task(task)) if mission.compares(task) => {
            mission.task(task).map(|t| comparison(mission, t, attempt)).unwrap_or_default()
        }
        AttemptKind::Review(Subject::Task(task)) => {
            mission.task(task).map(|t| task_review(mission, t, attempt)).unwrap_or_default()
        }
        AttemptKind::Review(Subject::Whole) => whole_review(mission),
    }
}

fn node<'a>(mission: &'a Mission, attempt: &'a Attempt) -> (&'a str, &'a str) {
    attempt.node.as_ref().map_or(("", ""), |task| (task.as_str(), task_title(mission, task)))
}

/// What the planner of one task is told: the task, what it is a part of, and what was done before it. It does not grow with
/// the mission.
fn parts(mission: &Mission, task: &Task) -> String {
    let mut out = format!("Plan task {} further: {}\n", task.spec.id, task.spec.title);
    if !task.spec.description.is_empty() {
        let _ = writeln!(out, "\n{}", clip(&task.spec.description, MAX_NODE_BRIEF));
    }
    if !task.spec.files.is_empty() {
        let _ =
            writeln!(out, "\nIts files, which its parts share among them: {}", task.spec.files.join(", "));
    }
    let specs: Vec<_> = mission.tasks.iter().map(|t| t.spec.clone()).collect();
    for above in fractal::above(&task.spec, &specs) {
        let text = clip(&above.description, MAX_ABOVE);
        let _ = writeln!(out, "\nIt is a part of {} ({}). {text}", above.id, above.title);
    }
    out.push_str("\nThe mission it belongs to, for context only:\n");
    if let Some(brief) = &mission.brief {
        let _ = writeln!(out, "{}", clip(&brief.text, MAX_NODE_BRIEF));
    }
    dependencies(&mut out, mission, task);
    notes(&mut out, mission, Some(task));
    steers(&mut out, task.steers(mission));
    let room = fractal::room(&task.spec, &specs);
    let _ = writeln!(
        out,
        "\nLook at the code first. Then cut this one task into 2 to {room} parts that can be done side by side, each with the \
         files it may change and the checks that prove it. Together they must do all of the task and nothing beyond it. \
         Hand them in with submit_plan; hand in the task alone where it is better not cut.",
    );
    out
}

fn planning(mission: &Mission) -> String {
    let mut out = String::from("Plan the mission.\n\n");
    brief(&mut out, mission);
    if let Some(survey) = &mission.survey {
        if survey.checks.is_empty() {
            out.push_str("\nThe project has no checks of its own that could be found.\n");
        } else {
            out.push_str("\nThe project's own checks, as they stand before any work:\n");
            match &survey.baseline {
                Some(baseline) => results(&mut out, baseline, false),
                None => list(&mut out, "(their outcome is not known yet)", &survey.checks),
            }
            out.push_str(
                "A task's `checks` may be these commands, or one of them narrowed to files of the project (`npm test -- test/a.test.js`, `pytest tests/test_a.py`).\n",
            );
        }
        if let Some(remark) = &survey.remark {
            let _ = writeln!(out, "Note: {remark}");
        }
    }
    steers(&mut out, mission.steers.iter().filter(|steer| steer.task.is_none()));
    if !mission.plan_wishes.is_empty() {
        out.push_str("\nThe user has seen a plan and refused it. What is to be different:\n");
        for wish in &mission.plan_wishes {
            let _ = writeln!(out, "- {wish}");
        }
    }
    out.push_str(
        "\nLook at the code first. Then cut the work into tasks that can be done side by side: each with the files it may \
         change, so that no two tasks without an order between them share a file; dependencies only where one truly needs \
         the other's result. Hand the plan in with submit_plan.\n",
    );
    if mission.created.options.fractal != Some(false) {
        out.push_str(
            "A task that is too large for one worker, or that cannot be planned before others are done, may have `mode` \
             fractal: it is planned further when its turn comes.\n",
        );
    }
    out.push_str(match mission.created.options.races() {
        Races::NoWorktrees | Races::Off => "",
        Races::Asked => {
            "A hard task whose best solution is open may have `mode` race: several workers try it side by side and the best \
             try is taken, at several times the cost.\n"
        }
        Races::All => {
            "The user wants each task raced: several workers try it side by side and the best try is taken. `mode` normal is \
             for a task where that would be a waste.\n"
        }
    });
    out
}

/// What the planner is told when the user has said something to a mission at work.
fn revising(mission: &Mission) -> String {
    let mut out = String::from(
        "Plan the rest of the mission anew: the user has said something since it was planned.\n\n",
    );
    brief(&mut out, mission);
    let whole: Vec<_> = mission.steers.iter().filter(|steer| steer.task.is_none()).collect();
    if let Some(newest) = whole.last() {
        let _ = writeln!(out, "\nThe user has just said, and this comes first: {}", newest.text);
    }
    steers(&mut out, whole.iter().rev().skip(1).rev().copied());
    let (open, begun): (Vec<_>, Vec<_>) = mission.tasks.iter().partition(|task| mission.not_begun(task));
    let mut budget = MAX_BRIEF;
    out.push_str("\nTasks that have begun or are over. They stay as they are:\n");
    for task in begun.into_iter().filter(|task| !task.spec.is_try()) {
        let _ =
            writeln!(out, "- {} ({}): {}", task.spec.id, task.state.name().replace('_', " "), task.title());
    }
    out.push_str("\nTasks that have not begun:\n");
    for task in open {
        let spec = &task.spec;
        let about = clip(&spec.description, MAX_NODE_BRIEF.min(budget));
        budget -= about.len().min(budget);
        let after = spec.depends_on.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            out,
            "- {}: {}\n  files: {}\n  after: {after}",
            spec.id,
            task.title(),
            spec.files.join(", ")
        );
        if !about.is_empty() {
            let _ = writeln!(out, "  {}", about.replace('\n', "\n  "));
        }
    }
    if let Some(survey) = mission.survey.as_ref().filter(|s| !s.checks.is_empty()) {
        list(&mut out, "\nThe project's own checks", &survey.checks);
    }
    notes(&mut out, mission, None);
    out.push_str(
        "\nLook at the code first. Then hand in, with submit_plan, what is to be otherwise: in `tasks` those that change, whole and \
         under their ids (an empty description leaves that as it was), and new ones under ids of their own; in `drop` the ids of \
         those that are not wanted any more. What you do not name stays as it is, so where nothing has to change, both lists are \
         empty. Change no more than the user's words ask for.\n",
    );
    out
}

/// Notes of the mission, the newest first, as far as there is room: the rest can be asked for.
fn notes(out: &mut String, mission: &Mission, task: Option<&Task>) {
    let mut all: Vec<_> = mission.context.below(None).map(|(key, note)| (key, note, "")).collect();
    all.extend(
        task.into_iter()
            .flat_map(|t| t.context.below(None))
            .map(|(key, note)| (key, note, " (of this task)")),
    );
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|(key, note, _)| (std::cmp::Reverse(note.at), *key));
    out.push_str("\nNotes of the others (context_get has them whole, context_put adds to them):\n");
    let lines = all.iter().map(|(key, note, scope)| {
        format!("- {key}{scope}: {}\n", clip(&note.value.replace('\n', " "), MAX_NOTE))
    });
    as_far_as_there_is_room(out, lines, MAX_NOTES, "can be asked for");
}

/// Bytes of what a worker of the task is told at its start.
pub fn brief_bytes(mission: &Mission, task: &Task) -> u32 {
    work(mission, task, task.attempts.max(1)).len() as u32
}

fn work(mission: &Mission, task: &Task, ordinal: u32) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Task {}: {}", task.spec.id, task.spec.title);
    let _ = writeln!(out, "Attempt {} of {MAX_ATTEMPTS}", ordinal);
    if !task.findings.is_empty() {
        // The race counts as the first attempt; nothing of it is left in the files.
        out.push_str(match &task.race {
            Some(RaceEnd::Lost) if ordinal == 2 => {
                "\nSeveral workers have tried this before you, each in files of their own that are gone. What was wrong with \
                 their tries:\n"
            }
            _ => "\nThe last attempt was sent back. Mend all of this:\n",
        });
        findings(&mut out, &task.findings);
    } else if ordinal > 1
        && let Some(note) = &task.note
    {
        let _ =
            writeln!(out, "\nThe last attempt failed: {note}. Look at what it left behind before you begin.");
    }
    wording(&mut out, task);
    if !task.spec.files.is_empty() {
        let _ = writeln!(out, "\nFiles of this task: {}", task.spec.files.join(", "));
    }
    if !task.spec.checks.is_empty() {
        let _ = writeln!(out, "These must pass at the end: {}", task.spec.checks.join("; "));
    }
    if let Some(whole) = task.spec.parent.as_ref().and_then(|p| mission.task(p)) {
        if task.spec.is_try() {
            out.push_str(
                "\nOthers try the same at the same time, each in files of their own; the best try is taken.\n",
            );
        } else {
            let _ = writeln!(out, "\nIt is a part of {}: {}", whole.spec.id, whole.spec.title);
        }
    }
    out.push_str("\nThe mission this belongs to, for context only:\n");
    brief(&mut out, mission);
    dependencies(&mut out, mission, task);
    notes(&mut out, mission, Some(task));
    steers(&mut out, task.steers(mission));
    out.push_str(
        "\nDo this task and nothing else; others work on other files at the same time. When it is done, call submit_report \
         and end your turn.\n",
    );
    out
}

fn wording(out: &mut String, task: &Task) {
    if let Some(words) = &task.words {
        let _ = writeln!(out, "\nIn the user's words, which come first: {words}");
    }
    if !task.spec.description.is_empty() {
        let _ = writeln!(out, "\n{}", clip(&task.spec.description, MAX_BRIEF));
    }
}

fn dependencies(out: &mut String, mission: &Mission, task: &Task) {
    // A try waits for nothing itself.
    let of = task.spec.parent.as_ref().filter(|_| task.spec.is_try()).and_then(|of| mission.task(of));
    let done = of.unwrap_or(task).spec.depends_on.iter().filter_map(|d| mission.task(d));
    let lines = done.filter_map(|dep| {
        let summary = clip(mission.summary_of(dep)?, MAX_DEPENDENCY);
        Some(format!("\nDone before, {} ({}): {summary}\n", dep.spec.id, dep.spec.title))
    });
    as_far_as_there_is_room(out, lines, MAX_DEPENDENCIES, "of what was done before is in the files");
}

/// Whole lines, and at the end how many there was no room for.
fn as_far_as_there_is_room(
    out: &mut String,
    lines: impl Iterator<Item = String>,
    max: usize,
    where_the_rest_is: &str,
) {
    let full = out.len() + max;
    let mut left_out = 0;
    for line in lines {
        if left_out > 0 || out.len() + line.len() > full {
            left_out += 1;
        } else {
            out.push_str(&line);
        }
    }
    if left_out > 0 {
        let _ = writeln!(out, "- and {left_out} more: the rest {where_the_rest_is}");
    }
}

fn task_review(mission: &Mission, task: &Task, attempt: &Attempt) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Review of task {}: {}", task.spec.id, task.spec.title);
    let _ = writeln!(out, "Attempt {} of {MAX_ATTEMPTS}", attempt.ordinal);
    wording(&mut out, task);
    steers(&mut out, task.steers(mission));
    if let Some(summary) = &task.summary {
        let _ = writeln!(out, "\nThe worker says: {}", clip(summary, MAX_DEPENDENCY));
    }
    if !task.findings.is_empty() {
        out.push_str("\nFound in the last attempt; each must be mended now:\n");
        findings(&mut out, &task.findings);
    }
    notes(&mut out, mission, Some(task));
    gate_text(&mut out, &task.gate, usize::MAX);
    out.push_str("\nThe mission this belongs to, for context only:\n");
    brief(&mut out, mission);
    out.push_str(
        "\nJudge whether this task is done, correctly and completely; read the files where the diff does not tell. Other \
         tasks are not yours to judge. Hand in submit_review: approve, or changes with findings that can be acted on.\n",
    );
    out
}

/// What the reviewer of several tries is told. The diffs share the room that one has elsewhere.
fn comparison(mission: &Mission, task: &Task, attempt: &Attempt) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Comparison of the tries at task {}: {}", task.spec.id, task.spec.title);
    let _ = writeln!(out, "Round {}", attempt.ordinal);
    wording(&mut out, task);
    steers(&mut out, task.steers(mission));
    notes(&mut out, mission, Some(task));
    let passed = mission.passed_tries(&task.spec.id);
    let tries: Vec<_> = passed.iter().filter_map(|one| mission.task(one)).collect();
    let each = MAX_DIFFS / tries.len().max(1);
    for one in &tries {
        let _ = writeln!(out, "\n## {}", one.spec.id);
        if let Some(summary) = &one.summary {
            let _ = writeln!(out, "\nThe worker says: {}", clip(summary, MAX_DEPENDENCY));
        }
        gate_text(&mut out, &one.gate, each);
    }
    out.push_str("\nThe mission this belongs to, for context only:\n");
    brief(&mut out, mission);
    let names = tries.iter().map(|one| one.spec.id.as_str()).collect::<Vec<_>>().join(", ");
    let first = tries.first().map_or("", |one| one.spec.id.as_str());
    let _ = writeln!(
        out,
        "\nAll of these tries passed their checks; one is taken, the others are thrown away. You are in the files of {first}. \
         Choose the one that does the task best: correct, complete, simple, fitting to the code around it. Hand in \
         submit_review with `choice` one of {names}, and say in the summary why that one; approve it, or ask for changes \
         to it with findings that can be acted on."
    );
    out
}

fn whole_review(mission: &Mission) -> String {
    let mut out = String::from("Integration review\n\n");
    brief(&mut out, mission);
    out.push_str("\nThe tasks:\n");
    for task in mission.planned() {
        let _ = writeln!(out, "- {} {}: {}", task.spec.id, task.state.name(), task.title());
    }
    notes(&mut out, mission, None);
    gate_text(&mut out, &mission.whole, usize::MAX);
    steers(&mut out, mission.steers.iter());
    out.push_str(
        "\nJudge the work as a whole against the brief: do the parts fit together, is anything missing, is anything \
         broken? Hand in submit_review: approve, or changes with findings that can be acted on.\n",
    );
    out
}

fn gate_text(out: &mut String, gate: &super::core::state::Gate, max_diff: usize) {
    if let Some(checks) = &gate.checks
        && !checks.is_empty()
    {
        out.push_str("\nChecks:\n");
        results(out, checks, true);
    }
    if let Some(inspection) = &gate.inspection {
        let _ = writeln!(out, "\nChanged: {}", clip(&inspection.changed.join(", "), 4_000));
        if !inspection.undeclared.is_empty() {
            let _ = writeln!(
                out,
                "Changed too since the task began, though no task declares it (by a shell command, or by the user): {}. See \
                 whether it belongs to the task.",
                clip(&inspection.undeclared.join(", "), 2_000)
            );
        }
        if !inspection.notes.is_empty() {
            out.push('\n');
            list(out, "Not held against the change", &inspection.notes);
        }
        let _ = writeln!(out, "\n```diff\n{}\n```", clip(inspection.diff.trim_end(), max_diff));
    }
}

fn brief(out: &mut String, mission: &Mission) {
    let Some(brief) = &mission.brief else { return };
    let _ = writeln!(out, "{}", clip(&brief.text, MAX_BRIEF));
    list(out, "It is done when", &brief.acceptance);
    list(out, "Constraints", &brief.constraints);
}

fn list(out: &mut String, head: &str, items: &[String]) {
    if !items.is_empty() {
        let _ = writeln!(out, "{head}:");
        for item in items {
            let _ = writeln!(out, "- {}", clip(item, 1_000));
        }
    }
}

fn steers<'a>(out: &mut String, said: impl Iterator<Item = &'a Steer>) {
    let about = |steer: &Steer| steer.task.as_ref().map_or(String::new(), |task| format!("of {task}: "));
    let lines: Vec<_> = said.map(|steer| about(steer) + &steer.text).collect();
    list(out, "\nThe user has added since (this comes first)", &lines);
}

fn findings(out: &mut String, findings: &[Finding]) {
    let lines = findings.iter().map(|finding| format!("- {}\n", clip(&finding.line_text(), MAX_FINDING)));
    as_far_as_there_is_room(out, lines, MAX_FINDINGS, "comes when these are mended");
}

fn results(out: &mut String, results: &[CheckResult], with_output: bool) {
    for result in results {
        let _ = writeln!(out, "- `{}`: {}", result.command, super::report::outcome(result));
        if with_output && result.outcome != CheckOutcome::Passed {
            let _ = writeln!(out, "```\n{}\n```", clip_end(&result.tail, MAX_OUTPUT));
        }
    }
}

/// The first `max` bytes, cut between characters and marked.
pub fn clip(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// The last `max` bytes, cut between characters and marked.
pub fn clip_end(text: &str, max: usize) -> String {
    let text = text.trim_end();
    if text.len() <= max {
        return text.to_owned();
    }
    let start = (text.len() - max..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    format!("…{}", &text[start..])
}

/// `0:07`, `12:40`, `1:02:03`.
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// What the Commander is answered whose user does not want to wait.
pub fn in_background(mission: &MissionId) -> String {
    format!(
        "Mission {mission} is at work in the background. Its report will be put into this conversation when it has ended; \
         /task-status says where it stands. Tell the user so in one sentence and end your turn."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_characters_whole() {
        assert_eq!(clip("añb", 2), "a…");
        assert_eq!(clip("añb", 4), "añb");
        assert_eq!(clip_end("añb", 2), "…b");
        assert_eq!(clip_end("abc\n", 3), "abc");
    }

    #[test]
    fn durations() {
        assert_eq!([0, 7_000, 760_000, 3_723_000].map(duration), ["0:00", "0:07", "12:40", "1:02:03"]);
    }
}
