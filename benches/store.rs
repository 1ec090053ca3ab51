//! How fast the journal takes events: one that must be on disk before the next (latency), and many writers
//! that share a transaction (events a second). Run with `cargo bench --bench store`.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gantry::adapters::sqlite::SqliteStore;
use gantry::domain::ids::{Millis, MissionId};
use gantry::ports::store::{Append, MissionRow, OwnerIdentity, OwnerToken, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;

/// Writers in the grouped case, and events that each hands over at once.
const WRITERS: u64 = 64;
const EVENTS: u64 = 16;

/// A mission and the number of its records.
struct Journal {
    id: MissionId,
    length: AtomicU64,
}

impl Journal {
    async fn new(store: &SqliteStore, name: String) -> Self {
        let journal = Self { id: name.as_str().into(), length: AtomicU64::new(0) };
        let by = OwnerIdentity { owner: "bench".into(), pid: 1, pid_start: 1, boot: "here".into() };
        let first = journal.next(1);
        store.create(by, 60_000, Millis(0), first).await.expect("a mission");
        journal
    }

    fn next(&self, count: u64) -> Append {
        let after = self.length.fetch_add(count, Ordering::Relaxed);
        let body = r#"{"v":1,"task":"T12","attempt":"0199-a3","state":"running","why":"its dependencies are accepted"}"#;
        Append {
            mission: self.id.clone(),
            owner: OwnerToken { owner: "bench".into(), fence: 1 },
            after,
            records: (0..count).map(|n| (Millis(n), "task.state".into(), body.into())).collect(),
            row: MissionRow {
                id: self.id.clone(),
                directory: "/project".into(),
                title: "Bench".into(),
                state: "running".into(),
                phase: Some("executing".into()),
                parent_session: "ses".into(),
                open: true,
                done: 1,
                running: 2,
                waiting: 3,
                failed: 0,
                total: 6,
                created_at: Millis(1),
                ended_at: None,
                key: self.id.0.clone(),
            },
        }
    }
}

fn journal(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Arc::new(SqliteStore::open(&folder.path().join("bench.db")).expect("a store"));
    let journals: Arc<Vec<Journal>> = Arc::new(runtime.block_on(async {
        let mut all = Vec::new();
        for n in 0..WRITERS {
            all.push(Journal::new(&store, format!("m{n}")).await);
        }
        all
    }));
    let mut group = c.benchmark_group("journal");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one durable event", |b| {
        b.to_async(&runtime).iter(async || store.append(vec![journals[0].next(1)]).await.expect("an append"));
    });
    group.throughput(Throughput::Elements(WRITERS * EVENTS));
    group.bench_function("grouped events", |b| {
        b.to_async(&runtime).iter(async || {
            let mut writers = tokio::task::JoinSet::new();
            for n in 0..WRITERS as usize {
                let (store, journals) = (Arc::clone(&store), Arc::clone(&journals));
                writers.spawn(async move {
                    store.append(vec![journals[n].next(EVENTS)]).await.expect("an append");
                });
            }
            writers.join_all().await
        });
    });
    group.finish();
}

criterion_group!(benches, journal);
criterion_main!(benches);
