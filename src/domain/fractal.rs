//! A task that is planned further: what its own plan may look like, and how its parts are called.
use super::ids::TaskId;
use super::lease::Pattern;
use super::plan::{Draft, MAX_TASKS, Mode, PlanRules, TaskSpec, is_task_id, validate};
use super::race::Races;
use std::collections::BTreeMap;

/// Levels below a task of the plan.
pub const MAX_DEPTH: usize = 3;
/// Parts of one task.
pub const MAX_WIDTH: usize = 10;
/// Tasks below one task of the plan, over all levels.
pub const MAX_LINEAGE: usize = 50;

/// Levels above a task: 0 for a task of the plan itself.
pub fn depth(task: &TaskSpec, all: &[TaskSpec]) -> usize {
    above(task, all).len()
}

/// The tasks a task is a part of, the nearest first.
pub fn above<'a>(task: &'a TaskSpec, all: &'a [TaskSpec]) -> Vec<&'a TaskSpec> {
    let mut chain = Vec::new();
    let mut at = task;
    // A journal that is not ours might go in a circle.
    while chain.len() <= MAX_DEPTH
        && let Some(parent) = at.parent.as_ref().and_then(|p| all.iter().find(|t| t.id == *p))
    {
        chain.push(parent);
        at = parent;
    }
    chain
}

/// How many parts a task may be cut into now.
pub fn room(task: &TaskSpec, all: &[TaskSpec]) -> usize {
    let root = |t: &TaskSpec| above(t, all).last().map_or_else(|| t.id.clone(), |t| t.id.clone());
    let mine = root(task);
    let planned = || all.iter().filter(|t| !t.is_try());
    let lineage = planned().filter(|t| t.parent.is_some() && root(t) == mine).count();
    MAX_WIDTH.min(MAX_LINEAGE.saturating_sub(lineage)).min(MAX_TASKS.saturating_sub(planned().count()))
}

/// The parts of a task, called after it (`T3.1`), and remarks for their author; or all that is wrong. One part is none: the
/// task is worked as it is.
pub fn expand(
    task: &TaskSpec,
    all: &[TaskSpec],
    draft: Draft,
    checks: Vec<String>,
    races: Races,
) -> Result<(Vec<TaskSpec>, Vec<String>), Vec<String>> {
    let (plan, mut remarks) = validate(draft, &PlanRules { max_tasks: room(task, all), checks, races })
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    if plan.tasks.len() == 1 {
        return Ok((Vec::new(), remarks));
    }
    let names: BTreeMap<TaskId, TaskId> = (1..)
        .zip(&plan.tasks)
        .map(|(n, part)| (part.id.clone(), TaskId::new(format!("{}.{n}", task.id))))
        .collect();
    let own: Vec<_> = task.files.iter().filter_map(|f| Pattern::parse(f).ok()).collect();
    let mut faults = Vec::new();
    let deepest = depth(task, all) + 1 >= MAX_DEPTH;
    let mut parts = Vec::new();
    for mut part in plan.tasks {
        for file in &part.files {
            let inside = |p: Pattern| own.is_empty() || own.iter().any(|o| o.overlaps(&p));
            if !Pattern::parse(file).is_ok_and(inside) {
                faults.push(format!("{}: {file} is not among the files of {}", part.id, task.id));
            }
        }
        let asked = part.id.clone();
        part.id = names[&asked].clone();
        part.depends_on = part.depends_on.iter().filter_map(|on| names.get(on).cloned()).collect();
        part.parent = Some(task.id.clone());
        part.priority = part.priority.max(task.priority);
        if !is_task_id(part.id.as_str()) {
            faults.push(format!("{asked}: no room for the name {}", part.id));
        }
        if deepest && part.mode == Some(Mode::Fractal) {
            part.mode = None;
            remarks.push(format!("{asked} is as deep as plans go, so it is worked as one task."));
        }
        parts.push(part);
    }
    if faults.is_empty() { Ok((parts, remarks)) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::DraftTask;

    fn draft(tasks: &[(&str, &str, &str, bool)]) -> Draft {
        let task = |(id, files, after, fractal): &(&str, &str, &str, bool)| DraftTask {
            id: (*id).into(),
            title: format!("Do {id}"),
            files: files.split_whitespace().map(String::from).collect(),
            depends_on: after.split_whitespace().map(String::from).collect(),
            mode: fractal.then(|| "fractal".into()),
            ..DraftTask::default()
        };
        Draft { summary: String::new(), tasks: tasks.iter().map(task).collect(), ..Draft::default() }
    }

    fn root() -> TaskSpec {
        let one = draft(&[("T1", "src/a lib", "", true)]);
        validate(one, &PlanRules { max_tasks: 9, ..PlanRules::default() }).expect("a plan").0.tasks.remove(0)
    }

    fn parts(
        task: &TaskSpec,
        all: &[TaskSpec],
        tasks: &[(&str, &str, &str, bool)],
    ) -> Result<Vec<TaskSpec>, String> {
        expand(task, all, draft(tasks), Vec::new(), Races::Asked)
            .map(|(parts, _)| parts)
            .map_err(|f| f.join("; "))
    }

    #[test]
    fn parts_are_called_after_their_task_and_stay_within_its_files() {
        let root = root();
        let all = [root.clone()];
        let made =
            parts(&root, &all, &[("A", "src/a/x", "", false), ("B", "lib", "A", true)]).expect("parts");
        let told: Vec<_> = made.iter().map(|p| (p.id.as_str(), p.depends_on.clone(), p.mode)).collect();
        assert_eq!(told[0], ("T1.1", vec![], None));
        assert_eq!(told[1], ("T1.2", vec!["T1.1".into()], Some(Mode::Fractal)));
        assert!(made.iter().all(|p| p.parent == Some("T1".into())));
        let wrong = parts(&root, &all, &[("A", "src/b", "", false), ("B", "", "C", false)]).unwrap_err();
        assert!(wrong.contains("C"), "{wrong}");
        let wrong = parts(&root, &all, &[("A", "src/b", "", false), ("B", "", "", false)]).unwrap_err();
        assert_eq!(wrong, "A: src/b is not among the files of T1");
        assert_eq!(parts(&root, &all, &[("A", "", "", false)]), Ok(vec![]), "one part is the task itself");
    }

    #[test]
    fn lineages_have_a_depth_a_width_and_an_end() {
        let mut all = vec![root()];
        let two = [("A", "", "", true), ("B", "", "", true)];
        for level in 0..MAX_DEPTH {
            let task = all.last().expect("a task").clone();
            assert_eq!(depth(&task, &all), level);
            let (made, remarks) = expand(&task, &all, draft(&two), Vec::new(), Races::Asked).expect("parts");
            let deepest = level + 1 == MAX_DEPTH;
            assert_eq!(remarks.len(), if deepest { 2 } else { 0 });
            assert!(made.iter().all(|p| p.mode.is_none() == deepest));
            all.extend(made);
        }
        assert_eq!(all.last().expect("a task").id.as_str(), "T1.2.2.2");
        assert_eq!(room(&all[0], &all), MAX_WIDTH);
        for n in all.len()..=MAX_LINEAGE {
            all.push(TaskSpec {
                id: TaskId::new(format!("X{n}")),
                parent: Some("T1".into()),
                ..all[0].clone()
            });
        }
        assert_eq!(room(&all[1], &all), 0, "fifty below one task");
        assert!(parts(&all[1].clone(), &all, &two).is_err());
        let other = TaskSpec { id: "T2".into(), ..root() };
        all.push(other.clone());
        assert_eq!(room(&other, &all), MAX_WIDTH, "another task has its own");
    }
}
