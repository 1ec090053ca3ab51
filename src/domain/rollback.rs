//! Which files are taken back to what, and which are not because somebody else has changed them: a three-way look at
//! what each task found, what it left, and what is there now.
use super::ids::TaskId;
use super::lease::Pattern;
use std::collections::BTreeMap;
use std::fmt;

/// A file as a tree has it: its kind and mode as git writes them (`0o100644`), and the id of its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub mode: u32,
    pub id: String,
}

/// One file that differs between two trees; none where it is not in the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub path: String,
    pub from: Option<Entry>,
    pub to: Option<Entry>,
}

/// What one task did to the files that were its own.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Whose; none for a rollback, which is undone like the work of a task.
    pub task: Option<TaskId>,
    /// Its files among all that changed meanwhile; none for all of them.
    pub files: Option<Vec<Pattern>>,
    pub part: Part,
    pub changes: Vec<Change>,
}

/// What a stretch is to a rollback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// To be taken back.
    Chosen,
    /// An earlier rollback: goes on from what is taken back, and is no reason to take anything back.
    Continues,
    /// Only says who changed a file in between.
    Other,
}

/// One file and what it is to become again; none: it is to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub path: String,
    pub to: Option<Entry>,
    /// It is there now.
    pub exists: bool,
}

/// A file that is not taken back, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    pub path: String,
    pub reason: Reason,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    EditedSince,
    /// Between the work of two tasks that are both taken back.
    EditedBetween,
    ChangedBy(TaskId),
    /// Git's name of it is not UTF-8, or it is a repository of its own.
    Special,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::EditedSince => f.write_str("it was edited since"),
            Reason::EditedBetween => f.write_str("it was edited by somebody else in between"),
            Reason::ChangedBy(task) => write!(f, "{task} changed it since"),
            Reason::Special => f.write_str("it cannot be taken back by Gantry: do it by hand"),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// In the order of their paths.
    pub steps: Vec<Step>,
    pub conflicts: Vec<Conflict>,
}

/// What is known of one file over all stretches.
struct Chain {
    before: Option<Entry>,
    after: Option<Entry>,
    gap: bool,
    since: Option<TaskId>,
}

/// The files that the chosen stretches changed, in the order they were worked on.
pub fn touched(stretches: &[Stretch]) -> Vec<String> {
    chains(stretches).into_keys().collect()
}

/// What is to be done, with the files as they are `now`. With `force` also what was changed since is taken back.
pub fn plan(stretches: &[Stretch], now: &BTreeMap<String, Entry>, force: bool) -> Plan {
    let mut plan = Plan::default();
    for (path, chain) in chains(stretches) {
        let current = now.get(&path);
        if current == chain.before.as_ref() {
            continue;
        }
        let special = path.contains(char::REPLACEMENT_CHARACTER)
            || [current, chain.before.as_ref()].into_iter().flatten().any(|e| e.mode == REPOSITORY);
        let reason = if special {
            Some(Reason::Special)
        } else if force {
            None
        } else if current != chain.after.as_ref() {
            Some(chain.since.map_or(Reason::EditedSince, Reason::ChangedBy))
        } else {
            chain.gap.then_some(Reason::EditedBetween)
        };
        match reason {
            Some(reason) => plan.conflicts.push(Conflict { path, reason }),
            None => plan.steps.push(Step { exists: current.is_some(), path, to: chain.before }),
        }
    }
    plan
}

/// The mode git gives a repository inside another.
const REPOSITORY: u32 = 0o160_000;

fn chains(stretches: &[Stretch]) -> BTreeMap<String, Chain> {
    let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
    for stretch in stretches {
        let own =
            |path: &str| stretch.files.as_ref().is_none_or(|files| files.iter().any(|p| p.covers(path)));
        for change in stretch.changes.iter().filter(|c| own(&c.path)) {
            match (chains.get_mut(&change.path), stretch.part) {
                (Some(chain), Part::Chosen | Part::Continues) => {
                    // Another task's work in between is not taken back, so what came before it is not reached.
                    chain.gap |= chain.after != change.from;
                    chain.after.clone_from(&change.to);
                }
                (Some(chain), Part::Other) => chain.since.clone_from(&stretch.task),
                (None, Part::Chosen) => {
                    let chain = Chain {
                        before: change.from.clone(),
                        after: change.to.clone(),
                        gap: false,
                        since: None,
                    };
                    chains.insert(change.path.clone(), chain);
                }
                (None, Part::Continues | Part::Other) => {}
            }
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: u8) -> Option<Entry> {
        // Zero: not there.
        (id > 0).then(|| Entry { mode: 0o100_644, id: id.to_string() })
    }

    /// `T1 a 1 2` and so on: task, path, content before and after; a task in round brackets is not chosen, what stands in
    /// square ones is an earlier rollback.
    fn stretches(text: &str) -> Vec<Stretch> {
        let stretch = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [task, path, from, to] = words[..] else { panic!("{line}") };
            let number = |text: &str| text.parse().expect("a number");
            Stretch {
                task: Some(task.trim_matches(['(', ')', '[', ']']).into()),
                files: Some(vec![Pattern::parse("src").expect("a pattern")]),
                part: match task.as_bytes()[0] {
                    b'(' => Part::Other,
                    b'[' => Part::Continues,
                    _ => Part::Chosen,
                },
                changes: vec![Change { path: path.into(), from: entry(number(from)), to: entry(number(to)) }],
            }
        };
        text.split(';').map(str::trim).filter(|l| !l.is_empty()).map(stretch).collect()
    }

    fn now(id: u8) -> BTreeMap<String, Entry> {
        entry(id).map(|e| ("src/a".to_owned(), e)).into_iter().collect()
    }

    #[test]
    fn each_file_is_looked_at_from_three_sides() {
        let table = [
            ("T1 src/a 1 2", 2, "to 1"),
            ("T1 src/a 1 2", 1, ""),
            ("T1 src/a 1 2", 3, "src/a: it was edited since"),
            ("T1 src/a 0 2", 2, "to 0"),
            ("T1 src/a 1 0", 0, "to 1"),
            ("T1 src/a 1 0", 2, "src/a: it was edited since"),
            ("T1 src/a 1 2; T2 src/a 2 3", 3, "to 1"),
            ("T1 src/a 1 2; T2 src/a 4 3", 3, "src/a: it was edited by somebody else in between"),
            ("T1 src/a 1 2; (T2) src/a 2 3", 3, "src/a: T2 changed it since"),
            ("(T1) src/a 1 2; T2 src/a 2 3", 3, "to 2"),
            (
                "T1 src/a 1 2; (T2) src/a 2 3; T3 src/a 3 4",
                4,
                "src/a: it was edited by somebody else in between",
            ),
            ("T1 other/a 1 2", 2, ""),
            ("T1 src/a 1 2; (T2) src/a 2 1", 1, ""),
            ("T1 src/a 1 2; [R] src/a 2 1; T1 src/a 1 3", 3, "to 1"),
            ("T1 src/a 1 2; [R] src/a 2 1", 2, "src/a: it was edited since"),
            ("(T1) src/a 1 2; [R] src/a 2 1", 1, ""),
        ];
        for (text, current, wanted) in table {
            let plan = plan(&stretches(text), &now(current), false);
            let steps = plan.steps.iter().map(|s| {
                assert_eq!(s.exists, current > 0);
                format!("to {}", s.to.as_ref().map_or("0", |e| &e.id))
            });
            let conflicts = plan.conflicts.iter().map(|c| format!("{}: {}", c.path, c.reason));
            let found: Vec<_> = steps.chain(conflicts).collect();
            assert_eq!(found.join(", "), wanted, "{text} with {current}");
        }
    }

    #[test]
    fn force_overrules_people_and_no_repository() {
        let forced = |text, current| plan(&stretches(text), &now(current), true);
        assert_eq!(forced("T1 src/a 1 2", 3).steps[0].to, entry(1));
        let mut inner = now(3);
        inner.insert("src/a".into(), Entry { mode: REPOSITORY, id: "3".into() });
        let plan = plan(&stretches("T1 src/a 1 2"), &inner, true);
        assert_eq!((plan.steps.len(), plan.conflicts[0].reason.clone()), (0, Reason::Special));
    }

    proptest! {
        /// Whatever tasks and a user write in turn: without force a step gives back what the first chosen task found, and
        /// only where nobody but the chosen tasks has written since.
        #[test]
        fn nobody_elses_edit_is_ever_lost(writes in proptest::collection::vec((0u8..4, 0u8..5), 1..12)) {
            let mut content = 0;
            let mut found = Vec::new();
            let mut begun = None;
            let mut foreign = false;
            for (who, to) in writes {
                let change = Change { path: "src/a".into(), from: entry(content), to: entry(to) };
                // 0 is the user, who leaves no stretch; T3 is not taken back.
                if who > 0 && content != to {
                    let chosen = who < 3;
                    if chosen {
                        begun = begun.or(Some(content));
                    }
                    foreign |= !chosen && begun.is_some();
                    let part = if chosen { Part::Chosen } else { Part::Other };
                    let task = Some(format!("T{who}").as_str().into());
                    found.push(Stretch { task, files: None, part, changes: vec![change] });
                } else if content != to {
                    foreign |= begun.is_some();
                }
                content = to;
            }
            let plan = plan(&found, &now(content), false);
            match begun {
                Some(before) if before != content && !foreign => prop_assert_eq!(&plan.steps[0].to, &entry(before)),
                Some(before) if before != content => {
                    // An edit that was made back again is none.
                    let same = plan.steps.first().is_none_or(|s| s.to == entry(before));
                    prop_assert!(same && plan.steps.len() + plan.conflicts.len() == 1);
                }
                _ => prop_assert!(plan.steps.is_empty()),
            }
        }
    }
}
