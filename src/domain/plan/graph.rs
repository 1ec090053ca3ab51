//! What the edges of a plan say: order, levels, longest paths, cycles.
//!
//! Everything here is iterative: a chain of 10,000 tasks must not cost 10,000 stack frames. A plan is public
//! data, so an edge to an unknown task is passed over and the members of a cycle are left out of every answer;
//! `validate` lets neither through.
use super::{Plan, TaskSpec};
use crate::domain::ids::TaskId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// The edges by position in the plan. Edges of a task to itself are no part of it.
pub(super) struct Graph {
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl Graph {
    pub(super) fn of(tasks: &[TaskSpec]) -> Self {
        let mut index = HashMap::with_capacity(tasks.len());
        for (i, task) in tasks.iter().enumerate() {
            index.entry(task.id.as_str()).or_insert(i);
        }
        let mut graph = Self { before: vec![Vec::new(); tasks.len()], after: vec![Vec::new(); tasks.len()] };
        for (i, task) in tasks.iter().enumerate() {
            for dep in &task.depends_on {
                if let Some(&on) = index.get(dep.as_str())
                    && on != i
                {
                    graph.before[i].push(on);
                    graph.after[on].push(i);
                }
            }
        }
        graph
    }

    /// Every task after all it depends on; among those that are free to come next, the plan's own order rules.
    fn order(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut free: BinaryHeap<Reverse<usize>> =
            (0..waiting.len()).filter(|&i| waiting[i] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(Reverse(task)) = free.pop() {
            order.push(task);
            for &next in &self.after[task] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    free.push(Reverse(next));
                }
            }
        }
        order
    }

    /// For each task the longest way from its start to the end of the plan; `None` on and behind a cycle.
    fn remaining(&self, tasks: &[TaskSpec], minutes: impl Fn(&TaskSpec) -> f64) -> Vec<Option<f64>> {
        let mut remaining = vec![None; tasks.len()];
        for task in self.order().into_iter().rev() {
            let rest = self.after[task].iter().filter_map(|&next| remaining[next]).fold(0.0, f64::max);
            remaining[task] = Some(minutes(&tasks[task]) + rest);
        }
        remaining
    }

    /// Cycles that share no member, each listed so that every member depends on the next one and the last on
    /// the first, beginning with the member that comes first in the plan.
    pub(super) fn cycles(&self) -> Vec<Vec<usize>> {
        let mut waiting: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut gone = vec![false; waiting.len()];
        let sources: Vec<usize> = (0..waiting.len()).filter(|&i| waiting[i] == 0).collect();
        self.remove(sources, &mut waiting, &mut gone);
        let mut found = Vec::new();
        for start in 0..gone.len() {
            while !gone[start] {
                let cycle = self.walk_back(start, &gone);
                self.remove(cycle.clone(), &mut waiting, &mut gone);
                found.push(cycle);
            }
        }
        found
    }

    /// Takes out `leaving` and everything that then waits for nothing.
    fn remove(&self, mut leaving: Vec<usize>, waiting: &mut [usize], gone: &mut [bool]) {
        for &task in &leaving {
            gone[task] = true;
        }
        while let Some(task) = leaving.pop() {
            for &next in &self.after[task] {
                waiting[next] -= 1;
                if waiting[next] == 0 && !gone[next] {
                    gone[next] = true;
                    leaving.push(next);
                }
            }
        }
    }

    /// Every task that is not gone waits for one that is not gone, so going back always ends in a cycle.
    fn walk_back(&self, start: usize, gone: &[bool]) -> Vec<usize> {
        let mut place = HashMap::new();
        let mut path = Vec::new();
        let mut task = start;
        while !place.contains_key(&task) {
            place.insert(task, path.len());
            path.push(task);
            match self.before[task].iter().find(|&&on| !gone[on]) {
                Some(&on) => task = on,
                None => break,
            }
        }
        let mut cycle = path.split_off(place[&task]);
        let first = cycle.iter().enumerate().min_by_key(|(_, task)| **task).map_or(0, |(i, _)| i);
        cycle.rotate_left(first);
        cycle
    }
}

impl Plan {
    pub fn task(&self, id: &TaskId) -> Option<&TaskSpec> {
        self.tasks.iter().find(|task| task.id == *id)
    }

    /// Every task after all it depends on; the plan's own order where the edges leave a choice.
    pub fn order(&self) -> Vec<TaskId> {
        Graph::of(&self.tasks).order().into_iter().map(|i| self.tasks[i].id.clone()).collect()
    }

    /// The groups that could run side by side: each task in the first group after all it depends on.
    pub fn levels(&self) -> Vec<Vec<TaskId>> {
        let graph = Graph::of(&self.tasks);
        let mut level = vec![0; self.tasks.len()];
        let mut levels: Vec<Vec<usize>> = Vec::new();
        for task in graph.order() {
            level[task] = graph.before[task].iter().map(|&on| level[on] + 1).max().unwrap_or(0);
            if level[task] == levels.len() {
                levels.push(Vec::new());
            }
            levels[level[task]].push(task);
        }
        for group in &mut levels {
            group.sort_unstable();
        }
        levels.iter().map(|group| group.iter().map(|&i| self.tasks[i].id.clone()).collect()).collect()
    }

    /// For each task the minutes of the longest path that begins with it: what still has to happen, one after
    /// another, from its start to the end of the plan. The task with the most is the one to start first.
    pub fn remaining_path(&self) -> BTreeMap<&TaskId, f64> {
        self.remaining_by(|task| task.estimate_minutes)
    }

    /// The same where tasks take what `minutes` says.
    pub fn remaining_by(&self, minutes: impl Fn(&TaskSpec) -> f64) -> BTreeMap<&TaskId, f64> {
        let remaining = Graph::of(&self.tasks).remaining(&self.tasks, minutes);
        self.tasks.iter().zip(remaining).filter_map(|(task, minutes)| Some((&task.id, minutes?))).collect()
    }

    /// The longest path by estimated minutes, and its length; the first in the plan's order among equals.
    pub fn critical_path(&self) -> (Vec<TaskId>, f64) {
        let graph = Graph::of(&self.tasks);
        let remaining = graph.remaining(&self.tasks, |task| task.estimate_minutes);
        let longest = |candidates: &mut dyn Iterator<Item = usize>| {
            candidates
                .filter_map(|i| remaining[i].map(|minutes| (i, minutes)))
                .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        };
        let start = longest(&mut (0..self.tasks.len()));
        let mut path = Vec::new();
        let mut step = start;
        while let Some((task, _)) = step {
            path.push(self.tasks[task].id.clone());
            step = longest(&mut graph.after[task].iter().copied());
        }
        (path, start.map_or(0.0, |(_, minutes)| minutes))
    }

    /// The tasks that name `id` as a dependency, in the plan's order; not those further down.
    pub fn dependents(&self, id: &TaskId) -> Vec<TaskId> {
        self.tasks.iter().filter(|task| task.depends_on.contains(id)).map(|task| task.id.clone()).collect()
    }
}
