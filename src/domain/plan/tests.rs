use super::*;
use crate::domain::race::Races;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn rules() -> PlanRules {
    PlanRules {
        max_tasks: MAX_TASKS,
        checks: vec!["npm test".into(), "make check".into(), "pytest -q".into()],
        races: Races::Asked,
    }
}

fn draft(tasks: &[(&str, &[&str])]) -> Draft {
    let task = |(id, depends_on): &(&str, &[&str])| DraftTask {
        id: id.to_string(),
        title: format!("Title of {id}"),
        depends_on: depends_on.iter().map(|d| d.to_string()).collect(),
        ..DraftTask::default()
    };
    Draft { summary: "s".into(), tasks: tasks.iter().map(task).collect(), ..Draft::default() }
}

fn faults(draft: Draft) -> Vec<String> {
    match validate(draft, &rules()) {
        Ok((plan, _)) => panic!("accepted: {plan:?}"),
        Err(faults) => faults.iter().map(Fault::to_string).collect(),
    }
}

fn faults_of(change: impl FnOnce(&mut DraftTask)) -> Vec<String> {
    let mut draft = draft(&[("T1", &[]), ("T2", &[])]);
    change(&mut draft.tasks[0]);
    faults(draft)
}

fn plan(tasks: &[(&str, f64, &[&str])]) -> Plan {
    let edges: Vec<(&str, &[&str])> = tasks.iter().map(|(id, _, on)| (*id, *on)).collect();
    let mut draft = draft(&edges);
    for (task, (_, minutes, _)) in draft.tasks.iter_mut().zip(tasks) {
        task.estimate_minutes = Some(*minutes);
    }
    validate(draft, &PlanRules { max_tasks: 20_000, ..PlanRules::default() }).expect("a sound plan").0
}

fn names(ids: &[TaskId]) -> String {
    ids.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_published_example() {
    let plan = plan(&[("A", 60.0, &[]), ("B", 1200.0, &[]), ("C", 60.0, &["A"]), ("D", 60.0, &["B", "C"])]);
    assert_eq!(plan.levels().iter().map(|l| names(l)).collect::<Vec<_>>(), ["A B", "C", "D"]);
    let (path, minutes) = plan.critical_path();
    assert_eq!((names(&path).as_str(), minutes), ("B D", 21.0 * 60.0));
    assert_eq!(names(&plan.order()), "A B C D");
    assert_eq!(names(&plan.dependents(&"B".into())), "D");
    assert_eq!(plan.remaining_path()[&TaskId::from("A")], 180.0);
    assert_eq!(plan.task(&"C".into()).map(|t| t.title.as_str()), Some("Title of C"));
}

#[test]
fn the_order_keeps_the_plans_own_where_it_can() {
    let plan = plan(&[("Z", 1.0, &["B"]), ("B", 1.0, &[]), ("A", 1.0, &[]), ("Y", 1.0, &["A"])]);
    assert_eq!(names(&plan.order()), "B Z A Y");
}

#[test]
fn nothing_to_say_of_an_empty_plan() {
    let plan = Plan::default();
    assert_eq!((plan.order(), plan.levels(), plan.critical_path()), (vec![], vec![], (vec![], 0.0)));
}

#[test]
fn faults_of_one_task() {
    let long = "x".repeat(201);
    type Change = Box<dyn Fn(&mut DraftTask)>;
    let rows: Vec<(Change, String)> = vec![
        (Box::new(|t| t.id = " ".into()), "task number 1 has no id".into()),
        (Box::new(|t| t.id = "1st".into()), "the id `1st` is not usable".into()),
        (Box::new(|t| t.id = "T 1".into()), "the id `T 1` is not usable".into()),
        (Box::new(|t| t.id = "a".repeat(33)), "is not usable".into()),
        (Box::new(|t| t.id = "T2".into()), "the id `T2` is used more than once".into()),
        (Box::new(|t| t.title = "\n ".into()), "T1 has no title".into()),
        (Box::new(move |t| t.title = long.clone()), "the title of T1 has 201 characters".into()),
        (Box::new(|t| t.depends_on = vec!["T1".into()]), "T1 depends on itself".into()),
        (Box::new(|t| t.depends_on = vec!["T2".into(), "T2".into()]), "T1 names `T2` twice".into()),
        (Box::new(|t| t.depends_on = vec!["t2 ".into()]), "no task of this plan: did you mean T2?".into()),
        (
            Box::new(|t| t.depends_on = vec!["setup".into()]),
            "`setup`, which is no task of this plan: use".into(),
        ),
        (Box::new(|t| t.files = vec!["/etc/passwd".into()]), "`/etc/passwd`: it is absolute".into()),
        (Box::new(|t| t.files = vec!["..\\x".into()]), "`..` leads out of the project".into()),
        (Box::new(|t| t.files = vec!["a/../b".into()]), "`..` leads out of the project".into()),
        (Box::new(|t| t.files = vec!["C:\\x".into()]), "it is absolute".into()),
        (Box::new(|t| t.files = vec!["~/x".into()]), "`~` is outside the project".into()),
        (Box::new(|t| t.files = vec!["a/.git/config".into()]), "`.git` folder is not to be changed".into()),
        (Box::new(|t| t.files = vec!["src/*.{ts,tsx}".into()]), "one pattern for each".into()),
        (Box::new(|t| t.estimate_minutes = Some(f64::NAN)), "the estimate of T1 is NaN".into()),
        (Box::new(|t| t.estimate_minutes = Some(f64::INFINITY)), "the estimate of T1 is inf".into()),
        (Box::new(|t| t.estimate_minutes = Some(0.0)), "the estimate of T1 is 0 minutes".into()),
        (Box::new(|t| t.estimate_minutes = Some(10_000.5)), "up to 10000".into()),
        (Box::new(|t| t.priority = Some("urgent".into())), "the priority of T1 is `urgent`: use high".into()),
    ];
    for (change, expected) in rows {
        let found = faults_of(change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&expected), "{found:?} should say {expected}");
    }
}

#[test]
fn what_models_pad_is_read_leniently() {
    let mut draft = draft(&[(" T1 ", &["", "T2 "]), ("T2", &[])]);
    draft.tasks[0].title = " Two\n lines\u{7} ".into();
    draft.tasks[0].files =
        [".\\src\\a.rs", "./src//a.rs", "", "docs/", "app/[id]/p.tsx"].map(String::from).to_vec();
    draft.tasks[0].priority = Some(" High".into());
    draft.tasks[1].estimate_minutes = Some(10_000.0);
    let (plan, remarks) = validate(draft, &rules()).expect("a sound plan");
    let first = &plan.tasks[0];
    assert_eq!(
        (first.id.as_str(), first.title.as_str(), first.priority),
        ("T1", "Two lines", Priority::High)
    );
    assert_eq!(first.files, ["src/a.rs", "docs", "app/[id]/p.tsx"]);
    assert_eq!(names(&first.depends_on), "T2");
    assert_eq!(
        (first.estimate_minutes, plan.tasks[1].estimate_minutes),
        (DEFAULT_ESTIMATE_MINUTES, 10_000.0)
    );
    assert_eq!(remarks, Vec::<String>::new());
}

#[test]
fn the_number_of_tasks_has_two_ends() {
    assert_eq!(faults(Draft::default()), ["the plan has no tasks: give at least one"]);
    let ids: Vec<String> = (0..501).map(|i| format!("T{i}")).collect();
    let tasks: Vec<(&str, &[&str])> = ids.iter().map(|id| (id.as_str(), &[] as &[&str])).collect();
    let found = faults(draft(&tasks));
    assert_eq!(found, ["the plan has 501 tasks and may have 200: join small tasks into larger ones"]);
}

#[test]
fn cycles_are_listed_in_order_and_all_at_once() {
    let found = faults(draft(&[
        ("In", &["A"]),
        ("A", &["B"]),
        ("B", &["Free", "C"]),
        ("C", &["A"]),
        ("X", &["Y", "A"]),
        ("Y", &["X"]),
        ("Free", &[]),
    ]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("A needs B needs C needs A; remove"), "{found:?}");
    assert!(found[1].contains("X needs Y needs X; remove"), "{found:?}");
}

#[test]
fn all_faults_come_at_once_and_the_list_is_bounded() {
    let mut bad = draft(&[("T1", &["T1", "T9"]), ("T1", &[]), ("", &[]), ("A", &["B"]), ("B", &["A"])]);
    bad.tasks[1].title.clear();
    bad.tasks[4].estimate_minutes = Some(-1.0);
    let text = faults(bad).join("\n");
    for part in
        ["itself", "`T9`", "used more than once", "no title", "no id", "A needs B needs A", "-1 minutes"]
    {
        assert!(text.contains(part), "{text} should say {part}");
    }
    assert!(text.lines().count() == 7, "{text}");

    let mut endless = draft(&[("T1", &[])]);
    endless.tasks[0].files = (0..5000).map(|i| format!("/{i}")).collect();
    let found = faults(endless);
    assert_eq!((found.len(), found[30].as_str()), (31, "and 4970 more faults that are not listed"));
}

#[test]
fn checks_are_the_projects_own_or_narrowed_to_paths() {
    let allowed = [
        "npm test",
        " npm  test ",
        "npm test src/a.test.js",
        "npm test -- src/b.test.js",
        "pytest -q tests/test_a.py::test_b ./x/y",
    ];
    let left_out = [
        "rm -rf .",
        "npm",
        "npm test --runner=./evil",
        "npm test evil",
        "npm test -- --eval=x",
        "npm test ../x.js",
        "npm test /abs.js",
        "npm test src/$(id).js",
        "npm test src/a.js; rm x",
        "npm test ~/x.js",
        "npm test @args.txt",
        "npm test A=./b",
        "npm test .git/hooks/x",
        "pytest -q tests/a.py::",
        "make check ./deploy",
        "make check x.y",
    ];
    let mut draft = draft(&[("T1", &[])]);
    draft.tasks[0].checks =
        allowed.iter().chain(&left_out).chain(&["make check"]).map(|c| c.to_string()).collect();
    let (plan, remarks) = validate(draft, &rules()).expect("checks are never faults");
    assert_eq!(
        plan.tasks[0].checks,
        [
            "npm test",
            "npm test -- src/a.test.js",
            "npm test -- src/b.test.js",
            "pytest -q tests/test_a.py::test_b ./x/y",
            "make check"
        ]
    );
    assert_eq!(remarks.len(), left_out.len());
    for (remark, check) in remarks.iter().zip(left_out) {
        assert!(
            remark.contains(&format!("The check `{check}` of T1 is left out: only `npm test`, ")),
            "{remark}"
        );
    }
}

#[test]
fn a_check_with_shell_syntax_stands_as_it_is() {
    let rules = PlanRules {
        max_tasks: 1,
        checks: vec!["npm test | tee log.txt".into(), " ".into()],
        ..PlanRules::default()
    };
    let mut draft = draft(&[("T1", &[])]);
    draft.tasks[0].checks =
        ["npm test | tee log.txt", "npm test | tee log.txt src/a.js", "id"].map(String::from).to_vec();
    let (plan, remarks) = validate(draft, &rules).expect("a sound plan");
    assert_eq!(plan.tasks[0].checks, ["npm test | tee log.txt"]);
    assert_eq!(remarks.len(), 2);
}

/// Edges (task, dependency) with every dependency before its task in a hidden order, and the tasks shuffled.
fn dag(most: usize) -> impl Strategy<Value = Draft> {
    (1..=most)
        .prop_flat_map(|n| {
            let order = Just((0..n).collect::<Vec<usize>>()).prop_shuffle();
            (
                order,
                prop::collection::vec((any::<u16>(), any::<u16>()), 0..n * 2),
                prop::collection::vec(1u32..500, n),
            )
        })
        .prop_map(|(order, pairs, minutes)| {
            let n = order.len();
            let mut edges = vec![BTreeSet::new(); n];
            for (a, b) in pairs {
                let (a, b) = (a as usize % n, b as usize % n);
                if a != b {
                    edges[order[a.max(b)]].insert(order[a.min(b)]);
                }
            }
            let task = |i: usize| DraftTask {
                id: format!("T{i}"),
                title: "t".into(),
                depends_on: edges[i].iter().map(|on| format!("T{on}")).collect(),
                estimate_minutes: Some(minutes[i].into()),
                ..DraftTask::default()
            };
            Draft { summary: String::new(), tasks: (0..n).map(task).collect(), ..Draft::default() }
        })
}

/// The longest path from `id` on, by trying every one.
fn brute(plan: &Plan, id: &TaskId) -> f64 {
    let own = plan.task(id).map_or(0.0, |t| t.estimate_minutes);
    own + plan.dependents(id).iter().map(|next| brute(plan, next)).fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn a_graph_without_cycles_validates_and_every_answer_respects_its_edges(draft in dag(30)) {
        let (plan, _) = validate(draft, &rules()).expect("a sound plan");
        let order = plan.order();
        let place: BTreeMap<&TaskId, usize> = order.iter().enumerate().map(|(i, id)| (id, i)).collect();
        prop_assert_eq!(place.len(), plan.tasks.len());
        let levels = plan.levels();
        let level: BTreeMap<&TaskId, usize> =
            levels.iter().enumerate().flat_map(|(l, ids)| ids.iter().map(move |id| (id, l))).collect();
        prop_assert_eq!(level.len(), plan.tasks.len());
        for task in &plan.tasks {
            for on in &task.depends_on {
                prop_assert!(place[on] < place[&task.id]);
            }
            let lowest = task.depends_on.iter().map(|on| level[on] + 1).max().unwrap_or(0);
            prop_assert_eq!(level[&task.id], lowest);
        }
    }

    #[test]
    fn paths_are_as_long_as_brute_force_says(draft in dag(9)) {
        let (plan, _) = validate(draft, &rules()).expect("a sound plan");
        let remaining = plan.remaining_path();
        for task in &plan.tasks {
            prop_assert_eq!(remaining[&task.id], brute(&plan, &task.id));
        }
        let (path, minutes) = plan.critical_path();
        prop_assert_eq!(minutes, remaining.values().copied().fold(0.0, f64::max));
        let sum: f64 = path.iter().filter_map(|id| plan.task(id)).map(|t| t.estimate_minutes).sum();
        prop_assert_eq!(sum, minutes);
        for pair in path.windows(2) {
            prop_assert!(plan.dependents(&pair[0]).contains(&pair[1]));
        }
    }

    #[test]
    fn an_edge_back_is_refused_with_a_true_cycle(mut draft in dag(20), pick in any::<prop::sample::Index>()) {
        let (plan, _) = validate(draft.clone(), &rules()).expect("a sound plan");
        let edges: Vec<(TaskId, TaskId)> = plan
            .tasks
            .iter()
            .flat_map(|t| t.depends_on.iter().map(|on| (t.id.clone(), on.clone())))
            .collect();
        prop_assume!(!edges.is_empty());
        let (task, on) = pick.get(&edges);
        let back = draft.tasks.iter_mut().find(|t| t.id == on.0).expect("the dependency is a task");
        back.depends_on.push(task.0.clone());
        let faults = validate(draft.clone(), &rules()).expect_err("there is a cycle now");
        prop_assert!(!faults.is_empty());
        for fault in faults {
            let Fault::Cycle { members } = fault else { panic!("{fault}") };
            for (i, member) in members.iter().enumerate() {
                let next = &members[(i + 1) % members.len()];
                let task = draft.tasks.iter().find(|t| t.id == *member).expect("a member is a task");
                prop_assert!(task.depends_on.contains(next), "{} does not need {}", member, next);
            }
        }
    }
}

/// A chain of 10,000, each also needing three others: deep enough to break recursion, large enough to show
/// anything quadratic.
#[test]
#[allow(clippy::disallowed_methods, reason = "a limit in real time")]
fn ten_thousand_tasks_are_quick() {
    let task = |i: usize| DraftTask {
        id: format!("T{i}"),
        title: "t".into(),
        files: vec![format!("src/m{i}/*.rs")],
        depends_on: [1, 7, 100, 999]
            .iter()
            .filter_map(|back| i.checked_sub(*back))
            .map(|on| format!("T{on}"))
            .collect(),
        ..DraftTask::default()
    };
    let draft = Draft { summary: String::new(), tasks: (0..10_000).map(task).collect(), ..Draft::default() };
    let rules = PlanRules { max_tasks: 10_000, ..PlanRules::default() };
    let mut best = std::time::Duration::MAX;
    for _ in 0..3 {
        let draft = draft.clone();
        let start = std::time::Instant::now();
        let (plan, _) = validate(draft, &rules).expect("a sound plan");
        let (order, levels, critical) = (plan.order(), plan.levels(), plan.critical_path());
        best = best.min(start.elapsed());
        assert_eq!((order.len(), levels.len(), critical.0.len()), (10_000, 10_000, 10_000));
    }
    println!("10,000 tasks: {best:?}");
    let limit = if cfg!(debug_assertions) { 1000 } else { 50 };
    assert!(best.as_millis() < limit, "{best:?}");
}

/// The reverse of a chain is where going back for a cycle is longest.
#[test]
fn a_cycle_of_ten_thousand_is_found_and_shown_short() {
    let task = |i: usize| DraftTask {
        id: format!("T{i}"),
        title: "t".into(),
        depends_on: vec![format!("T{}", (i + 1) % 10_000)],
        ..DraftTask::default()
    };
    let draft = Draft { summary: String::new(), tasks: (0..10_000).map(task).collect(), ..Draft::default() };
    let rules = PlanRules { max_tasks: 10_000, ..PlanRules::default() };
    let faults = validate(draft, &rules).expect_err("one circle");
    let text = faults[0].to_string();
    assert!(faults.len() == 1 && text.len() < 400, "{text}");
    assert!(
        text.contains("T0 needs T1 needs T2") && text.contains("… (10000 tasks in all) needs T0"),
        "{text}"
    );
}
