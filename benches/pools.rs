//! Do pools pay? Each against plain allocation, in the same run, with what the engine puts into them: attempts, names of
//! models, buffers for lines of the wire. `cargo bench --bench pools`; docs/benchmarks.md has the figures, and says which
//! are on.
//!
//! `cargo bench --bench pools -- cycles`: ten million uses of each instead, with the resident memory on the way.
#![allow(clippy::print_stdout, reason = "a bench is read on the terminal")]
use criterion::{BenchmarkId, Criterion, Throughput};
use gantry::adapters::system::SystemMemory;
use gantry::domain::ids::{AttemptId, HostSessionId, Millis, TaskId};
use gantry::domain::names::Names;
use gantry::domain::spares::Spares;
use gantry::engine::core::event::AttemptKind;
use gantry::engine::core::state::Attempt;
use gantry::ports::system::MemoryGauge;
use gantry::rpc::buffers::Buffers;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

const MODEL: &str = "anthropic/claude-sonnet-4-5";

fn begun(mut attempt: Attempt) -> Attempt {
    let id = AttemptId::new("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/a12");
    let (kind, session) = (AttemptKind::Work(TaskId::new("T7")), HostSessionId::new("ses_5f4e3d2c1b0a"));
    attempt.begin(Millis(1), &id, &kind, 12, 1, Some(&session));
    attempt
}

fn attempts(c: &mut Criterion) {
    let mut group = c.benchmark_group("attempt");
    group.bench_function("plain", |b| b.iter(|| drop(black_box(begun(Attempt::blank())))));
    let mut spares = Spares::new(200, Attempt::blank);
    group.bench_function("pool of 200", |b| {
        b.iter(|| {
            let attempt = begun(spares.take().unwrap_or_else(Attempt::blank));
            spares.give([black_box(attempt)]);
        });
    });
    group.finish();
}

fn names(c: &mut Criterion) {
    let mut group = c.benchmark_group("name of a model");
    group.bench_function("copied", |b| b.iter(|| black_box(MODEL.to_owned())));
    let mut names = Names::new(true);
    group.bench_function("shared, from a message", |b| b.iter(|| black_box(names.share(MODEL))));
    let shared: Arc<str> = names.share(MODEL);
    group.bench_function("shared, once more", |b| b.iter(|| black_box(shared.clone())));
    group.finish();
}

/// As a prompt of so many bytes goes to the host.
fn line(buffer: &mut Vec<u8>, params: &BTreeMap<&str, String>) {
    serde_json::to_writer(buffer, params).expect("it can be written");
}

fn params(bytes: usize) -> BTreeMap<&'static str, String> {
    let text = "what there is to be done, in a few \"words\"\n".repeat(bytes / 44);
    BTreeMap::from([
        ("directory", "/home/somebody/project".into()),
        ("session", "ses_5f4e3d2c1b0a".into()),
        ("text", text),
    ])
}

fn buffers(c: &mut Criterion) {
    for bytes in [800, 3_000, 12_000, 50_000] {
        let params = params(bytes);
        let mut group = c.benchmark_group(format!("line of {bytes} bytes"));
        group.throughput(Throughput::Bytes(bytes as u64));
        for on in [false, true] {
            let buffers = Buffers::new(on);
            group.bench_function(BenchmarkId::from_parameter(if on { "pool" } else { "plain" }), |b| {
                b.iter(|| {
                    let mut buffer = buffers.take("host/session.prompt");
                    line(&mut buffer, &params);
                    buffers.filled("host/session.prompt", buffer.len());
                    black_box(&buffer);
                    buffers.give(buffer);
                });
            });
        }
        group.finish();
    }
}

fn cycles() {
    let (mut spares, mut names) = (Spares::new(200, Attempt::blank), Names::new(true));
    each("attempts", |n| {
        // Runs empty and full: 300 at one time of 200.
        let taken: Vec<_> =
            (0..300_u64.min(n)).map(|_| begun(spares.take().unwrap_or_else(Attempt::blank))).collect();
        let used = taken.len() as u64;
        spares.give(taken);
        used
    });
    // Three known ones, and now and then one that is made up.
    each("names", |n| {
        let name =
            if n.is_multiple_of(1_000) { format!("made/up-{n}") } else { format!("a/model-{}", n % 3) };
        black_box(names.share(&name));
        1
    });
    let buffers = Buffers::new(true);
    let sizes = [200, 800, 3_000, 12_000].map(params);
    each("buffers", |n| {
        let mut buffer = buffers.take(["a", "b", "c"][n as usize % 3]);
        line(&mut buffer, &sizes[n as usize % 4]);
        buffers.filled(["a", "b", "c"][n as usize % 3], buffer.len());
        buffers.give(buffer);
        1
    });
    let share = |hits: u64, misses: u64| hits as f64 / (hits + misses) as f64 * 100.0;
    let (hits, misses) = buffers.counts();
    println!(
        "found in the pool: attempts {:.1} %, names {:.1} %, buffers {:.1} %",
        share(spares.hits, spares.misses),
        share(names.hits, names.misses),
        share(hits, misses)
    );
}

fn each(what: &str, mut cycle: impl FnMut(u64) -> u64) {
    let mut left: u64 = 10_000_000;
    let mut told = Vec::new();
    for mark in [10_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000_u64] {
        while left > 10_000_000 - mark {
            left -= cycle(left.min(left - (10_000_000 - mark)));
        }
        let rss = SystemMemory.read().map_or(f64::NAN, |m| m.own as f64 / 1e6);
        told.push(format!("{mark}: {rss:.2} MB"));
    }
    println!("{what}: {}", told.join(", "));
}

fn main() {
    if std::env::args().any(|a| a == "cycles") {
        return cycles();
    }
    let mut c = Criterion::default().configure_from_args();
    attempts(&mut c);
    names(&mut c);
    buffers(&mut c);
    c.final_summary();
}
