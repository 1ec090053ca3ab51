//! The order of work, and the lanes that carry it out. `cargo bench --bench schedule`.
//!
//! Before the timings it prints how long 200 random plans take in the engine's order, measured against first come first
//! served: the ratio of the two makespans in one simulation, with estimates that actuals scatter around by a third.
#![allow(clippy::print_stdout, reason = "a bench is read on the terminal")]
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gantry::domain::ids::{AttemptId, Millis, MissionId, Role, TaskId};
use gantry::domain::permits::{Key as Ceiling, Permits, Seat};
use gantry::domain::plan::{Plan, Priority, TaskSpec};
use gantry::domain::rate::RateGate;
use gantry::domain::schedule::{Rank, makespan};
use gantry::engine::lanes::{Entry, Key, Lanes, What};
use std::collections::BTreeMap;
use std::hint::black_box;
use tokio::task::JoinSet;

fn random(state: &mut u64, n: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % n
}

fn plan(seed: u64, count: usize) -> (Plan, Vec<f64>) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let (mut tasks, mut actual) = (Vec::new(), Vec::new());
    for i in 0..count {
        let before = if i == 0 { 0 } else { random(&mut state, 3) };
        let depends_on =
            (0..before).map(|_| TaskId::new(format!("T{}", random(&mut state, i as u64)))).collect();
        let estimate_minutes = 5.0 + random(&mut state, 55) as f64;
        actual.push(estimate_minutes * (0.7 + random(&mut state, 60) as f64 / 100.0));
        tasks.push(TaskSpec {
            id: TaskId::new(format!("T{i}")),
            title: String::new(),
            description: String::new(),
            files: Vec::new(),
            depends_on,
            capabilities: Vec::new(),
            priority: Priority::Normal,
            checks: Vec::new(),
            estimate_minutes,
            mode: None,
            parent: None,
        });
    }
    (Plan { summary: String::new(), tasks }, actual)
}

fn ratios() {
    let mut ratios: Vec<f64> = (0..200)
        .map(|seed| {
            let mut state = seed;
            let (plan, actual) = plan(seed, 10 + random(&mut state, 60) as usize);
            let workers = 2 + seed as usize % 7;
            let remaining = plan.remaining_path();
            let rank = |i: usize| Rank::new(1, remaining[&plan.tasks[i].id], Millis(0), i);
            let ours = makespan(&plan.tasks, &actual, workers, rank);
            ours / makespan(&plan.tasks, &actual, workers, |_| ())
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[((ratios.len() - 1) as f64 * share) as usize];
    println!(
        "makespan ÷ first come first served, 200 random plans, 2 to 8 workers: min {:.3}, p10 {:.3}, p50 {:.3}, p90 {:.3}, max {:.3}",
        at(0.0),
        at(0.1),
        at(0.5),
        at(0.9),
        at(1.0)
    );
}

fn order(c: &mut Criterion) {
    ratios();
    let (large, _) = plan(1, 10_000);
    c.bench_function("remaining path of 10,000 tasks", |b| b.iter(|| black_box(large.remaining_path())));
}

fn limits(c: &mut Criterion) {
    let permits = Permits::new([
        (Ceiling::Role(Role::Worker), 10),
        (Ceiling::Role(Role::Reviewer), 10),
        (Ceiling::Model("a/x".into()), 8),
        (Ceiling::Provider("a".into()), 12),
    ]);
    let seat = || Seat { role: Role::Worker, model: Some("a/x") };
    let taken: Vec<_> = (0..7).map(|_| seat()).collect();
    c.bench_function("permit: asked for beside 7 others", |b| {
        b.iter(|| black_box(permits.admits(&seat(), &taken)))
    });
    let mut gate = RateGate::new(1);
    let mut now = 0;
    c.bench_function("rate gate: asked", |b| {
        b.iter(|| {
            now += 1;
            let at = gate.ready_at(Millis(now));
            if at <= Millis(now) {
                gate.begun(Millis(now));
            }
            black_box(at)
        })
    });
}

const ENTRIES: u64 = 1_000;

fn lanes(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let mut group = c.benchmark_group("1,000 jobs that do nothing");
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("a task of the runtime each", |b| {
        b.to_async(&runtime).iter(async || {
            let mut jobs = JoinSet::new();
            (0..ENTRIES).for_each(|n| drop(jobs.spawn(async move { black_box(n) })));
            while jobs.join_next().await.is_some() {}
        });
    });
    for affinity in [true, false] {
        let mut lanes =
            runtime.block_on(async { Lanes::start(&BTreeMap::from([(Role::Worker, 8)]), affinity) });
        group.bench_function(format!("8 lanes, affinity {affinity}"), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    for n in 0..ENTRIES {
                        assert!(lanes.push(entry(n)).is_ok());
                    }
                    for _ in 0..ENTRIES {
                        lanes.finished().await;
                    }
                });
            });
        });
        runtime.block_on(lanes.stop());
    }
    group.finish();
}

fn entry(n: u64) -> Entry {
    let attempt = AttemptId::new(format!("m/a{}", n % 100));
    Entry {
        key: Key { mission: MissionId::new("m"), what: What::Attempt(attempt.clone()) },
        role: Role::Worker,
        priority: Priority::Normal,
        near: Some(attempt),
        stoppable: false,
        broken: None,
        job: Box::pin(async move {
            black_box(n);
            None
        }),
    }
}

criterion_group!(benches, order, limits, lanes);
criterion_main!(benches);
