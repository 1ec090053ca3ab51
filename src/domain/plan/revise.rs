//! A plan without some of its tasks.
use super::TaskSpec;
use crate::domain::ids::TaskId;
use std::collections::BTreeSet;

/// The rest of the tasks. What depended on one that went depends on what that one depended on, so the order stays.
pub fn without(tasks: &[TaskSpec], gone: &[TaskId]) -> Vec<TaskSpec> {
    let kept = tasks.iter().filter(|t| !gone.contains(&t.id));
    kept.map(|task| {
        let mut task = task.clone();
        if task.depends_on.iter().any(|d| gone.contains(d)) {
            task.depends_on = inherited(&task, tasks, gone);
        }
        task
    })
    .collect()
}

fn inherited(task: &TaskSpec, tasks: &[TaskSpec], gone: &[TaskId]) -> Vec<TaskId> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut open: Vec<&TaskId> = task.depends_on.iter().rev().collect();
    while let Some(on) = open.pop() {
        if !seen.insert(on) {
            continue;
        }
        if gone.contains(on) {
            let above = tasks.iter().find(|t| t.id == *on);
            open.extend(above.into_iter().flat_map(|t| t.depends_on.iter().rev()));
        } else {
            found.push(on.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Priority;

    fn task(id: &str, after: &str) -> TaskSpec {
        TaskSpec {
            id: TaskId::new(id),
            title: id.into(),
            description: String::new(),
            files: Vec::new(),
            depends_on: after.split_whitespace().map(TaskId::new).collect(),
            capabilities: Vec::new(),
            priority: Priority::Normal,
            checks: Vec::new(),
            estimate_minutes: 1.0,
            mode: None,
            parent: None,
        }
    }

    #[test]
    fn who_waited_for_one_that_went_waits_for_what_that_waited_for() {
        let plan = [
            task("A", ""),
            task("B", ""),
            task("C", "A B"),
            task("D", "C"),
            task("E", "B D C"),
            task("F", "C"),
        ];
        let table = [
            ("", "A: | B: | C:A B | D:C | E:B D C | F:C"),
            ("C", "A: | B: | D:A B | E:B D A | F:A B"),
            ("C D", "A: | B: | E:B A | F:A B"),
            ("A B", "C: | D:C | E:D C | F:C"),
            ("F", "A: | B: | C:A B | D:C | E:B D C"),
        ];
        for (gone, expected) in table {
            let gone: Vec<_> = gone.split_whitespace().map(TaskId::new).collect();
            let left = without(&plan, &gone);
            let after = |t: &TaskSpec| {
                t.depends_on.iter().map(|d| d.as_str().to_owned()).collect::<Vec<_>>().join(" ")
            };
            let found: Vec<_> = left.iter().map(|t| format!("{}:{}", t.id, after(t))).collect();
            assert_eq!(found.join(" | "), expected, "{gone:?}");
        }
    }
}
