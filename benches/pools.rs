//! Would pools pay? Each against plain allocation, in the same run, with what the engine would put into them: attempts,
//! names, and buffers for lines of the wire. `cargo bench --bench pools`. None is in the product; docs/benchmarks.md
//! says why, with the figures.
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use gantry::domain::ids::{AttemptId, HostSessionId, Millis, TaskId};
use gantry::engine::core::event::AttemptKind;
use gantry::engine::core::state::Attempt;
use parking_lot::Mutex;
use std::hint::black_box;
use std::sync::Arc;

/// Objects to be used again.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    fn warmed(n: usize, make: impl Fn() -> T) -> Self {
        Self(Mutex::new((0..n).map(|_| make()).collect()))
    }
    fn with<R>(&self, make: impl Fn() -> T, then: impl FnOnce(&mut T) -> R) -> R {
        // Taken apart from its use: the lock must not be held meanwhile.
        let taken = self.0.lock().pop();
        let mut object = taken.unwrap_or_else(make);
        let result = then(&mut object);
        self.0.lock().push(object);
        result
    }
}

fn attempt() -> Attempt {
    Attempt {
        id: AttemptId::new("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/a12"),
        kind: AttemptKind::Work(TaskId::new("T7")),
        token: 12,
        ordinal: 1,
        opened_at: Millis(1),
        closed_at: None,
        session: Some(HostSessionId::new("ses_5f4e3d2c1b0a")),
        node: None,
        revises: false,
        prompts: Vec::with_capacity(2),
        submission: None,
        outcome: None,
        given_up: false,
        interrupted: false,
        told: 0,
        told_before: 0,
        told_in: None,
    }
}

fn attempts(c: &mut Criterion) {
    let mut group = c.benchmark_group("attempt");
    group.bench_function("plain", |b| b.iter(|| drop(black_box(Box::new(attempt())))));
    let pool = Pool::warmed(50, || Box::new(attempt()));
    group.bench_function("pool of 50", |b| {
        b.iter(|| {
            pool.with(
                || Box::new(attempt()),
                |object| {
                    // What a new attempt differs by has to be written all the same.
                    object.id.0.clear();
                    object.id.0.push_str("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/a12");
                    object.session = Some(HostSessionId::new("ses_5f4e3d2c1b0a"));
                    object.kind = AttemptKind::Work(TaskId::new("T7"));
                    object.prompts.clear();
                    black_box(object.token);
                },
            );
        });
    });
    group.finish();
}

fn names(c: &mut Criterion) {
    let names = ["worker", "reviewer", "planner", "in_progress", "completed", "running", "executing"];
    let mut group = c.benchmark_group("name");
    group.throughput(Throughput::Elements(names.len() as u64));
    group.bench_function("plain String", |b| {
        b.iter(|| names.iter().for_each(|n| drop(black_box((*n).to_owned()))));
    });
    let interned: DashMap<&str, Arc<str>> = names.iter().map(|n| (*n, Arc::from(*n))).collect();
    group.bench_function("interned in a DashMap", |b| {
        b.iter(|| names.iter().for_each(|n| drop(black_box(interned.get(n).map(|found| found.clone())))));
    });
    group.bench_function("static, as states and roles are", |b| {
        b.iter(|| {
            for name in names {
                black_box(name);
            }
        });
    });
    group.finish();
}

fn buffers(c: &mut Criterion) {
    for kb in [1_usize, 4, 16, 64] {
        let size = kb * 1024;
        let line = vec![b'x'; size - 1];
        let mut group = c.benchmark_group(format!("buffer of {kb} KB"));
        group.throughput(Throughput::Bytes(size as u64));
        let fill = |buffer: &mut Vec<u8>| {
            buffer.clear();
            buffer.extend_from_slice(&line);
            buffer.push(b'\n');
            black_box(buffer.len());
        };
        group.bench_function(BenchmarkId::from_parameter("plain"), |b| {
            b.iter(|| fill(&mut Vec::with_capacity(size)));
        });
        let pool = Pool::warmed(4, || Vec::with_capacity(size));
        group.bench_function(BenchmarkId::from_parameter("pool"), |b| {
            b.iter(|| pool.with(|| Vec::with_capacity(size), fill));
        });
        // The one owner of the wire keeps its buffer: no pool, and no allocation.
        group.bench_function(BenchmarkId::from_parameter("kept by its owner"), |b| {
            let mut own = Vec::with_capacity(size);
            b.iter(|| fill(&mut own));
        });
        group.finish();
    }
}

criterion_group!(benches, attempts, names, buffers);
criterion_main!(benches);
