//! From a draft to a plan, or to the list of everything that is wrong with it.
use super::graph::Graph;
use super::{
    DEFAULT_ESTIMATE_MINUTES, Draft, DraftTask, Fault, MAX_TITLE_CHARS, Mode, Plan, Priority, TaskSpec,
    checks,
};
use crate::domain::ids::TaskId;
use crate::domain::lease::Pattern;
use crate::domain::race::Races;
use std::collections::HashSet;

pub(super) const MAX_ESTIMATE_MINUTES: f64 = 10_000.0;

/// Faults that are listed; a draft may come with far more, and its author reads every one of them.
const MAX_FAULTS: usize = 30;

/// Unknown dependencies that are compared with every id of the plan to find what was meant.
const MAX_SUGGESTIONS: usize = 20;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct PlanRules {
    pub max_tasks: usize,
    /// The project's own check commands: the only ones a task may name.
    pub checks: Vec<String>,
    pub races: Races,
}

/// Whether a task may be called so: a letter, then at most 31 letters, digits, `_`, `.` or `-`.
pub fn is_task_id(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// A title as it is shown in lists, in terminals and in the plan file: line breaks, control characters and runs
/// of blanks become single blanks.
pub fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks a draft as a whole. Ids, titles and lists are trimmed, paths are normalised and empty entries dropped
/// before anything is judged: models pad. Either a plan with remarks (what was left out of it, in sentences for
/// its author), or every fault at once, so that one round of mending can do.
pub fn validate(draft: Draft, rules: &PlanRules) -> Result<(Plan, Vec<String>), Vec<Fault>> {
    let mut reader = Reader { rules, faults: Vec::new(), remarks: Vec::new() };
    match draft.tasks.len() {
        0 => reader.faults.push(Fault::NoTasks),
        count if count > rules.max_tasks => {
            reader.faults.push(Fault::TooMany { count, cap: rules.max_tasks });
        }
        _ => {}
    }
    let labels: Vec<String> = draft.tasks.iter().enumerate().map(|(i, task)| label(i, task)).collect();
    let tasks: Vec<TaskSpec> =
        draft.tasks.into_iter().zip(&labels).map(|(task, label)| reader.task(task, label)).collect();
    reader.ids(&tasks, &labels);
    reader.dependencies(&tasks, &labels);
    for cycle in Graph::of(&tasks).cycles() {
        reader.faults.push(Fault::Cycle { members: cycle.into_iter().map(|i| labels[i].clone()).collect() });
    }
    if reader.faults.is_empty() {
        return Ok((Plan { summary: draft.summary.trim().to_string(), tasks }, reader.remarks));
    }
    let more = reader.faults.len().saturating_sub(MAX_FAULTS);
    if more > 0 {
        reader.faults.truncate(MAX_FAULTS);
        reader.faults.push(Fault::More { count: more });
    }
    Err(reader.faults)
}

/// How a fault names a task: by its id, or by its place where the id is missing.
fn label(position: usize, task: &DraftTask) -> String {
    match task.id.trim() {
        "" => format!("task number {}", position + 1),
        id => id.chars().take(32).collect(),
    }
}

/// Trimmed, without empty entries and without repetition, in the order given.
fn entries(list: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    list.iter()
        .map(|entry| entry.trim())
        .filter(|e| !e.is_empty() && seen.insert(*e))
        .map(String::from)
        .collect()
}

struct Reader<'a> {
    rules: &'a PlanRules,
    faults: Vec<Fault>,
    remarks: Vec<String>,
}

impl Reader<'_> {
    /// Everything about a task that can be judged without the others.
    fn task(&mut self, draft: DraftTask, label: &str) -> TaskSpec {
        TaskSpec {
            id: TaskId::new(draft.id.trim()),
            title: self.title(&draft.title, label),
            description: draft.description.trim().to_string(),
            files: self.files(draft.files, label),
            depends_on: draft
                .depends_on
                .iter()
                .map(|d| d.trim())
                .filter(|d| !d.is_empty())
                .map(TaskId::new)
                .collect(),
            capabilities: entries(draft.capabilities),
            priority: self.priority(draft.priority, label),
            checks: self.checks(draft.checks, label),
            estimate_minutes: self.estimate(draft.estimate_minutes, label),
            mode: self.mode(draft.mode, label),
            parent: None,
        }
    }

    fn title(&mut self, title: &str, task: &str) -> String {
        let title = one_line(title);
        let chars = title.chars().count();
        if chars == 0 {
            self.faults.push(Fault::EmptyTitle { task: task.into() });
        } else if chars > MAX_TITLE_CHARS {
            self.faults.push(Fault::LongTitle { task: task.into(), chars });
        }
        title
    }

    fn files(&mut self, files: Vec<String>, task: &str) -> Vec<String> {
        let mut kept = Vec::new();
        for path in entries(files) {
            match Pattern::parse(&path) {
                Ok(pattern) => kept.push(pattern.to_string()),
                Err(reason) => self.faults.push(Fault::Path { task: task.into(), path, reason }),
            }
        }
        entries(kept)
    }

    fn priority(&mut self, priority: Option<String>, task: &str) -> Priority {
        let Some(name) = priority else { return Priority::default() };
        Priority::parse(&name.trim().to_lowercase()).unwrap_or_else(|| {
            self.faults.push(Fault::UnknownPriority { task: task.into(), priority: name });
            Priority::default()
        })
    }

    fn checks(&mut self, checks: Vec<String>, task: &str) -> Vec<String> {
        let mut kept = Vec::new();
        for asked in entries(checks) {
            match checks::allow(&asked, &self.rules.checks) {
                Some(check) => kept.push(check),
                None => self.remarks.push(checks::left_out(task, &asked, &self.rules.checks)),
            }
        }
        entries(kept)
    }

    fn estimate(&mut self, minutes: Option<f64>, task: &str) -> f64 {
        let minutes = minutes.unwrap_or(DEFAULT_ESTIMATE_MINUTES);
        if !(minutes > 0.0 && minutes <= MAX_ESTIMATE_MINUTES) {
            self.faults.push(Fault::Estimate { task: task.into(), minutes });
        }
        minutes
    }

    /// A mode that is not known, or not to be had, is no reason to plan anew.
    fn mode(&mut self, mode: Option<String>, task: &str) -> Option<Mode> {
        let name = mode.map(|m| m.trim().to_lowercase()).filter(|m| !m.is_empty());
        let Some(name) = name else { return (self.rules.races == Races::All).then_some(Mode::Race) };
        let (mode, remark) = match (name.as_str(), Mode::parse(&name)) {
            ("normal", _) => (None, None),
            (_, None) => (None, Some(format!("there is no mode {name:?}"))),
            (_, Some(Mode::Race)) => match self.rules.races {
                Races::Asked | Races::All => (Some(Mode::Race), None),
                Races::Off => (None, Some("the user wants no races".into())),
                Races::NoWorktrees => (None, Some("there are races only in missions with worktrees".into())),
            },
            (_, known) => (known, None),
        };
        self.remarks.extend(remark.map(|why| format!("{task}: {why}; it is worked in the usual way.")));
        mode
    }

    fn ids(&mut self, tasks: &[TaskSpec], labels: &[String]) {
        let mut seen = HashSet::new();
        let mut repeated = HashSet::new();
        for (task, label) in tasks.iter().zip(labels) {
            let id = task.id.as_str();
            if id.is_empty() {
                self.faults.push(Fault::EmptyId { task: label.clone() });
            } else if !is_task_id(id) {
                self.faults.push(Fault::IllFormedId { id: id.into() });
            }
            if !id.is_empty() && !seen.insert(id) && repeated.insert(id) {
                self.faults.push(Fault::DuplicateId { id: id.into() });
            }
        }
    }

    fn dependencies(&mut self, tasks: &[TaskSpec], labels: &[String]) {
        let known: HashSet<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        let mut suggestions = 0;
        for (task, label) in tasks.iter().zip(labels) {
            let mut seen = HashSet::new();
            let mut repeated = HashSet::new();
            for on in &task.depends_on {
                if !seen.insert(on) {
                    if repeated.insert(on) {
                        self.faults
                            .push(Fault::DuplicateDependency { task: label.clone(), on: on.0.clone() });
                    }
                } else if *on == task.id {
                    self.faults.push(Fault::SelfDependency { task: label.clone() });
                } else if !known.contains(on.as_str()) {
                    suggestions += 1;
                    let nearest =
                        (suggestions <= MAX_SUGGESTIONS).then(|| nearest(on, &task.id, tasks)).flatten();
                    self.faults.push(Fault::UnknownDependency {
                        task: label.clone(),
                        on: on.0.clone(),
                        nearest,
                    });
                }
            }
        }
    }
}

/// The id of another task that `wanted` was probably meant to be: at most half of it differs, case aside.
fn nearest(wanted: &TaskId, own: &TaskId, tasks: &[TaskSpec]) -> Option<String> {
    let wanted = wanted.as_str().to_lowercase();
    if wanted.len() > 64 {
        return None;
    }
    tasks
        .iter()
        .filter(|task| task.id != *own && is_task_id(task.id.as_str()))
        .map(|task| (distance(&wanted, &task.id.as_str().to_lowercase()), task))
        .filter(|(edits, task)| edits * 2 <= wanted.chars().count().max(task.id.as_str().len()))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, task)| task.id.0.clone())
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
