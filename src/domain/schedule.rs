//! Which task goes first: priority raised by waiting, then the longest way to the end of the plan, then age; and how
//! estimates are corrected by what work really took.
use super::ids::{Millis, TaskId};
use super::plan::{Priority, TaskSpec};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Waiting this long raises a task by one level, without end: what comes three levels later can no longer overtake it.
pub const AGE_STEP_MS: u64 = 600_000;
/// An actual is believed within these bounds; a task that slept over night says nothing of the next.
const RATIO: (f64, f64) = (0.1, 10.0);

/// The priority as a number, raised by the time it has waited.
pub fn level(priority: Priority, waited_ms: u64) -> u64 {
    let base = match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
    };
    base + waited_ms / AGE_STEP_MS
}

/// Priorities as they count: what others wait for is as urgent as the most urgent of those. Each task ages by its own
/// waiting all the same; what waits for it has not been kept waiting for a worker yet.
pub struct Priorities<'a>(BTreeMap<&'a TaskId, Priority>);

impl<'a> Priorities<'a> {
    /// Of tasks that are still to be done. A whole waits for its parts as for what it depends on.
    pub fn of(tasks: impl IntoIterator<Item = &'a TaskSpec>) -> Self {
        let tasks: BTreeMap<_, _> = tasks.into_iter().map(|t| (&t.id, t)).collect();
        let mut each = tasks.values().map(|t| t.priority);
        let first = each.next();
        if each.all(|p| Some(p) == first) {
            return Self(BTreeMap::new());
        }
        let mut parts: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
        for task in tasks.values() {
            if let Some(whole) = &task.parent {
                parts.entry(whole).or_default().push(&task.id);
            }
        }
        let mut known: BTreeMap<_, _> = tasks.values().map(|t| (&t.id, t.priority)).collect();
        for urgent in [Priority::High, Priority::Normal] {
            let mut left: Vec<_> = tasks.values().filter(|t| t.priority == urgent).collect();
            while let Some(task) = left.pop() {
                for before in task.depends_on.iter().chain(parts.get(&task.id).into_iter().flatten().copied())
                {
                    if let Some(priority) = known.get_mut(before).filter(|p| **p < urgent) {
                        *priority = urgent;
                        left.extend(tasks.get(before));
                    }
                }
            }
        }
        Self(known)
    }

    pub fn get(&self, task: &TaskSpec) -> Priority {
        self.0.get(&task.id).copied().unwrap_or(task.priority)
    }
}

/// Sorts what should start first to the front.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank {
    level: Reverse<u64>,
    remaining: Reverse<u64>,
    since: Millis,
    place: usize,
}

impl Rank {
    /// `remaining` in minutes; `place` in the plan decides between equals, so that the order is total.
    pub fn new(level: u64, remaining: f64, since: Millis, place: usize) -> Self {
        // A float has no total order; thousandths of a minute are finer than any estimate.
        Self { level: Reverse(level), remaining: Reverse((remaining * 1000.0) as u64), since, place }
    }
}

/// How long work takes compared with its estimate, by kind of work.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pace {
    all: Mean,
    by_kind: BTreeMap<String, Mean>,
}

/// Of logarithms: twice as long and half as long cancel out.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Mean {
    count: u32,
    sum: f64,
}

impl Mean {
    fn add(&mut self, ratio: f64) {
        self.count += 1;
        self.sum += ratio.ln();
    }

    /// As if one more task had gone as `prior` says: a single actual moves the estimate half way.
    fn toward(self, prior: f64) -> f64 {
        ((self.sum + prior.ln()) / f64::from(self.count + 1)).exp()
    }
}

impl Pace {
    pub fn learn(&mut self, task: &TaskSpec, actual_ms: u64) {
        if task.estimate_minutes <= 0.0 {
            return;
        }
        let ratio = (actual_ms as f64 / 60_000.0 / task.estimate_minutes).clamp(RATIO.0, RATIO.1);
        self.all.add(ratio);
        if let Some(kind) = task.capabilities.first() {
            self.by_kind.entry(kind.clone()).or_default().add(ratio);
        }
    }

    /// What its estimate is worth, in minutes.
    pub fn minutes(&self, task: &TaskSpec) -> f64 {
        let all = self.all.toward(1.0);
        let of_kind = task.capabilities.first().and_then(|kind| self.by_kind.get(kind));
        task.estimate_minutes * of_kind.map_or(all, |mean| mean.toward(all))
    }
}

/// Makespan of tasks with `workers` side by side when the free worker takes whatever `rank` puts first; in the unit of
/// `durations`. Cycles are left out.
pub fn makespan<R: Ord>(
    tasks: &[TaskSpec],
    durations: &[f64],
    workers: usize,
    mut rank: impl FnMut(usize) -> R,
) -> f64 {
    let index: BTreeMap<&TaskId, usize> = tasks.iter().enumerate().map(|(i, t)| (&t.id, i)).collect();
    let mut waits_for: Vec<usize> = vec![0; tasks.len()];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    for (i, task) in tasks.iter().enumerate() {
        for dep in task.depends_on.iter().filter_map(|d| index.get(d)) {
            waits_for[i] += 1;
            after[*dep].push(i);
        }
    }
    let mut ready: Vec<usize> = (0..tasks.len()).filter(|i| waits_for[*i] == 0).collect();
    let mut running: Vec<(f64, usize)> = Vec::new();
    let mut now = 0.0_f64;
    loop {
        while running.len() < workers.max(1)
            && let Some(next) = (0..ready.len()).min_by_key(|at| rank(ready[*at]))
        {
            let task = ready.remove(next);
            running.push((now + durations[task], task));
        }
        let Some(first) = (0..running.len()).min_by(|a, b| running[*a].0.total_cmp(&running[*b].0)) else {
            return now;
        };
        let (at, task) = running.swap_remove(first);
        now = at;
        for next in &after[task] {
            waits_for[*next] -= 1;
            if waits_for[*next] == 0 {
                ready.push(*next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(id: usize, minutes: f64, after: &[usize]) -> TaskSpec {
        TaskSpec {
            id: TaskId::new(format!("T{id}")),
            title: String::new(),
            description: String::new(),
            files: Vec::new(),
            depends_on: after.iter().map(|a| TaskId::new(format!("T{a}"))).collect(),
            capabilities: vec!["code_generation".into()],
            priority: Priority::Normal,
            checks: Vec::new(),
            estimate_minutes: minutes,
            mode: None,
            parent: None,
        }
    }

    #[test]
    fn priority_rules_then_the_longer_way_then_age() {
        let rank = |level, remaining, since, place| Rank::new(level, remaining, Millis(since), place);
        let ordered = [
            rank(2, 1.0, 9, 9),
            rank(1, 30.0, 9, 9),
            rank(1, 10.0, 5, 9),
            rank(1, 10.0, 6, 3),
            rank(1, 10.0, 6, 4),
            rank(0, 99.0, 0, 0),
        ];
        assert!(ordered.windows(2).all(|pair| pair[0] < pair[1]), "{ordered:?}");
    }

    #[test]
    fn waiting_lifts_a_task_by_a_level_every_ten_minutes() {
        let table = [
            (Priority::Low, 0, 0),
            (Priority::Low, 599_999, 0),
            (Priority::Low, 600_000, 1),
            (Priority::Normal, 0, 1),
            (Priority::High, 0, 2),
            (Priority::Low, 1_800_000, 3),
        ];
        for (priority, waited, expected) in table {
            assert_eq!(level(priority, waited), expected, "{priority:?} {waited}");
        }
    }

    #[test]
    fn what_others_wait_for_is_as_urgent_as_they_are() {
        let urgent = |id, priority, after: &[usize]| TaskSpec { priority, ..task(id, 1.0, after) };
        // T0 <- T1 <- T2 (high), and T3 (low) before nothing; T4 is a part of T1, T5 (high) waits for the unknown.
        let part = TaskSpec { parent: Some(TaskId::from("T1")), ..urgent(4, Priority::Low, &[]) };
        let tasks = [
            urgent(0, Priority::Low, &[]),
            urgent(1, Priority::Normal, &[0]),
            urgent(2, Priority::High, &[1]),
            urgent(3, Priority::Low, &[2]),
            part,
            urgent(5, Priority::High, &[9]),
        ];
        let of = |tasks: &[TaskSpec]| {
            let priorities = Priorities::of(tasks);
            tasks.iter().map(|t| priorities.get(t)).collect::<Vec<_>>()
        };
        use Priority::{High, Low, Normal};
        assert_eq!(of(&tasks), [High, High, High, Low, High, High]);
        // With the urgent one over, those before it are what they were, or as urgent as the next.
        let left: Vec<_> = tasks.iter().filter(|t| t.id != TaskId::from("T2")).cloned().collect();
        assert_eq!(of(&left), [Normal, Normal, Low, Normal, High]);
    }

    proptest! {
        /// No task is less urgent than one that waits for it, and none more than it is itself or the most urgent of those.
        #[test]
        fn priorities_are_inherited_and_nothing_else(seed in 0_u64..1_000_000, kinds in proptest::collection::vec(0_usize..3, 70)) {
            let (mut tasks, _) = random_plan(seed);
            for (task, kind) in tasks.iter_mut().zip(&kinds) {
                task.priority = [Priority::Low, Priority::Normal, Priority::High][*kind];
            }
            let priorities = Priorities::of(&tasks);
            let mut expected: BTreeMap<_, _> = tasks.iter().map(|t| (t.id.clone(), t.priority)).collect();
            // What a task depends on stands before it in these plans.
            for task in tasks.iter().rev() {
                for before in &task.depends_on {
                    let most = expected[&task.id].max(expected[before]);
                    expected.insert(before.clone(), most);
                }
            }
            for task in &tasks {
                prop_assert_eq!(priorities.get(task), expected[&task.id], "{}", task.id);
            }
        }

        /// One low task against a stream of high ones, one worker: it starts, whatever they look like.
        #[test]
        fn nothing_starves(every in 1_000_u64..120_000, long in 1.0_f64..1e6) {
            let mut now = 0;
            let mut highs: Vec<u64> = vec![0];
            let started = loop {
                let low = Rank::new(level(Priority::Low, now), 1.0, Millis(0), 0);
                let high = highs.iter().map(|at| Rank::new(level(Priority::High, now - at), long, Millis(*at), 1)).min();
                if high.is_none_or(|high| low < high) {
                    break now;
                }
                // The worker takes a high one; two more have come before it is free again.
                highs.remove(0);
                now += every;
                highs.extend([now, now]);
                prop_assert!(now < 200 * AGE_STEP_MS, "never started");
            };
            prop_assert!(started <= 200 * AGE_STEP_MS);
        }

        /// What is learned stays within what was seen.
        #[test]
        fn a_learned_pace_lies_between_the_estimate_and_the_actuals(ratio in 0.1_f64..10.0, n in 1_usize..30) {
            let spec = task(1, 10.0, &[]);
            let mut pace = Pace::default();
            for _ in 0..n {
                pace.learn(&spec, (ratio * 600_000.0) as u64);
            }
            let learned = pace.minutes(&spec) / 10.0;
            let (low, high) = (ratio.min(1.0) - 1e-3, ratio.max(1.0) + 1e-3);
            prop_assert!((low..=high).contains(&learned), "{learned}");
        }

        /// No order can beat the two lower bounds, and no list schedule is worse than twice the better one.
        #[test]
        fn a_makespan_keeps_the_bounds_of_list_scheduling(
            minutes in proptest::collection::vec(1.0_f64..60.0, 1..40), workers in 1_usize..8, seed in 0_usize..1000,
        ) {
            let tasks: Vec<_> = minutes.iter().enumerate().map(|(i, m)| {
                let after: Vec<_> = if i > 0 && (i * 7 + seed) % 3 > 0 { vec![(i * 31 + seed) % i] } else { vec![] };
                task(i, *m, &after)
            }).collect();
            let plan = crate::domain::plan::Plan { summary: String::new(), tasks: tasks.clone() };
            let path = plan.critical_path().1;
            let area = minutes.iter().sum::<f64>() / workers as f64;
            let took = makespan(&tasks, &minutes, workers, |i| i);
            prop_assert!(took >= path.max(area) - 1e-6 && took <= path + area + 1e-6, "{took} {path} {area}");
        }
    }

    /// A plan of layers as planners write them, with estimates that actuals scatter around.
    fn random_plan(seed: u64) -> (Vec<TaskSpec>, Vec<f64>) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let count = 10 + random(60) as usize;
        let (mut tasks, mut actual) = (Vec::new(), Vec::new());
        for i in 0..count {
            let after: Vec<_> = (0..random(3)).filter(|_| i > 0).map(|_| random(i as u64) as usize).collect();
            let minutes = 5.0 + random(55) as f64;
            tasks.push(task(i, minutes, &after));
            actual.push(minutes * (0.7 + random(60) as f64 / 100.0));
        }
        (tasks, actual)
    }

    #[test]
    fn on_200_random_plans_the_longest_way_first_is_no_worse_than_first_come_first_served() {
        let mut ratios: Vec<f64> = (0..200)
            .map(|seed| {
                let (tasks, actual) = random_plan(seed);
                let workers = 2 + seed as usize % 7;
                let plan = crate::domain::plan::Plan { summary: String::new(), tasks: tasks.clone() };
                let remaining = plan.remaining_path();
                let rank = |i: usize| Rank::new(1, remaining[&tasks[i].id], Millis(0), i);
                makespan(&tasks, &actual, workers, rank) / makespan(&tasks, &actual, workers, |_| ())
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        assert!(ratios[100] <= 1.0 && ratios[199] <= 1.1, "median {}, worst {}", ratios[100], ratios[199]);
        assert!(ratios[20] < 0.99, "it is of use: {}", ratios[20]);
    }

    #[test]
    fn kinds_of_work_are_learned_apart() {
        let (code, mut docs) = (task(1, 10.0, &[]), task(2, 10.0, &[]));
        docs.capabilities = vec!["documentation".into()];
        let mut pace = Pace::default();
        (0..7).for_each(|_| pace.learn(&code, 2_400_000));
        assert!((39.0..=40.0).contains(&pace.minutes(&code)), "{}", pace.minutes(&code));
        // Never seen: as all work so far.
        assert!((33.0..=34.0).contains(&pace.minutes(&docs)));
        pace.learn(&docs, 300_000);
        assert!(pace.minutes(&docs) < pace.minutes(&code) / 2.0);
        // Nothing can be learned from no estimate.
        let none = task(3, 0.0, &[]);
        pace.learn(&none, 1);
        assert_eq!(pace.minutes(&none), 0.0);
    }
}
