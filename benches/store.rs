//! How fast the journal takes events: one that must be on disk before the next (latency), and many writers
//! that share a transaction (events a second). Run with `cargo bench --bench store`.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gantry::adapters::sqlite::SqliteStore;
use gantry::domain::ids::{AttemptId, HostSessionId, Millis, MissionId, TaskId};
use gantry::domain::plan::{MAX_TASKS, Plan, Priority, TaskSpec};
use gantry::domain::task::TaskState;
use gantry::domain::verdict::Verdict;
use gantry::engine::core::event::*;
use gantry::engine::handle::read_journal;
use gantry::engine::journal;
use gantry::ports::store::{Append, MissionRow, OwnerIdentity, OwnerToken, Store};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use xtask::bench::hello;
use xtask::bench::wire::{Message, Sidecar};

/// Writers in the grouped case, and events that each hands over at once.
const WRITERS: u64 = 64;
const EVENTS: u64 = 16;
const PLACE: &str = "/project";

/// A mission and the number of its records.
struct Journal {
    id: MissionId,
    length: AtomicU64,
}

impl Journal {
    async fn new(store: &SqliteStore, name: String) -> Self {
        let journal = Self { id: name.as_str().into(), length: AtomicU64::new(0) };
        let first = journal.next(1);
        store.create(Self::owner(), 60_000, Millis(0), first).await.expect("a mission");
        journal
    }

    fn owner() -> OwnerIdentity {
        OwnerIdentity { owner: "bench".into(), pid: 1, pid_start: 1, boot: "here".into() }
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
                place: "/project".into(),
                title: "Bench".into(),
                state: "running".into(),
                phase: Some("executing".into()),
                parent_session: "ses".into(),
                open: true,
                begun: false,
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

/// A mission of this many tasks whose work is done over and over, as after retries, until its journal is that long.
fn history(place: &str, tasks: usize, events: usize) -> Vec<Event> {
    let specs = (0..tasks).map(|n| TaskSpec {
        id: TaskId::new(format!("T{n}")),
        title: "Change one part".into(),
        description: "What has to be done, in a few lines of text. ".repeat(5),
        files: vec![format!("src/part{n}/**")],
        depends_on: Vec::new(),
        capabilities: Vec::new(),
        priority: Priority::Normal,
        checks: Vec::new(),
        estimate_minutes: 30.0,
        mode: None,
        parent: None,
    });
    let plan = Plan { summary: "In parts".into(), tasks: specs.collect() };
    let planned = || Event::Planned { plan: plan.clone(), source: PlanSource::Planner, remarks: Vec::new() };
    let created = Created {
        directory: place.into(),
        worktree: place.into(),
        parent: HostSessionId::new("ses"),
        text: "Change all parts".into(),
        key: "key".into(),
        title: "Change all parts".into(),
        options: Options::default(),
    };
    let mut all = vec![Event::Created(created), planned()];
    let mut token = 0;
    while all.len() < events {
        for spec in &plan.tasks {
            work(&mut all, &spec.id, &mut token);
        }
        all.push(planned());
    }
    all.truncate(events);
    all
}

/// One task from ready to sent back by its reviewer for good.
fn work(all: &mut Vec<Event>, task: &TaskId, token: &mut u64) {
    let to = |to| Event::TaskChanged { task: task.clone(), to, note: None };
    let mut attempt = |all: &mut Vec<Event>, kind, submission| {
        *token += 1;
        let attempt = AttemptId::new(format!("a{token}"));
        let session = HostSessionId::new(format!("ses_{token}"));
        let usage = Spent { tokens: 12_000, cost: 0.04 };
        all.extend([
            Event::AttemptOpened {
                attempt: attempt.clone(),
                kind,
                token: *token,
                ordinal: 1,
                session: None,
                node: None,
            },
            Event::AttemptSession { attempt: attempt.clone(), session },
            Event::Prompted { attempt: attempt.clone(), reason: PromptReason::First },
            Event::Submitted { attempt: attempt.clone(), submission },
            Event::AttemptClosed { attempt, outcome: Outcome::Done, usage },
        ]);
    };
    let text = || "What was done, and why it was done so. ".repeat(8);
    let subject = || Subject::Task(task.clone());
    all.extend([to(TaskState::Ready), to(TaskState::Assigned), to(TaskState::InProgress)]);
    let report =
        Submission::Report { status: ReportStatus::Done, summary: text(), files: Vec::new(), notes: None };
    attempt(all, AttemptKind::Work(task.clone()), report);
    all.push(to(TaskState::InReview));
    let inspection = Inspection { diff: "+one more line of code\n".repeat(100), ..Inspection::default() };
    all.push(Event::Inspected { subject: subject(), inspection });
    all.push(Event::Checked { subject: subject(), results: Vec::new(), wrote: Vec::new() });
    let review = Submission::Review { approved: false, summary: text(), findings: Vec::new() };
    attempt(all, AttemptKind::Review(subject()), review);
    let verdict = Verdict { approved: false, tree: None, summary: text(), findings: Vec::new() };
    all.extend([Event::Judged { subject: subject(), verdict }, to(TaskState::Failed)]);
}

/// From the open store to the states in memory: what a start after a crash has to do.
fn recovery(c: &mut Criterion) {
    const EVENTS: usize = 100_000;
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("recovery");
    group.sample_size(10);
    // All events in one mission, or in a hundred; and a thousand tasks that are open and have had an attempt or two.
    for (missions, tasks, events) in [(1, MAX_TASKS, EVENTS), (100, MAX_TASKS, EVENTS / 100), (100, 10, 200)]
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(&folder.path().join("bench.db")).expect("a store");
        let ids: Vec<_> = (0..missions).map(|n| MissionId::new(format!("m{n}"))).collect();
        for id in &ids {
            runtime.block_on(fill(&store, id, PLACE, &history(PLACE, tasks, events)));
        }
        group.bench_function(format!("{missions} missions of {tasks} tasks, {events} events each"), |b| {
            b.to_async(&runtime).iter(async || {
                for id in &ids {
                    read_journal(&store, id.clone()).await.expect("a sound journal");
                }
            });
        });
    }
    group.bench_function("a process: 100 missions of 10 tasks in 100 places, until all are at work", |b| {
        b.iter_custom(|times| (0..times).map(|_| process(&runtime)).sum());
    });
    group.finish();
}

#[allow(clippy::disallowed_methods, reason = "it measures a whole process")]
/// From the start of the sidecar to its answers for all places of a store with missions that an earlier one left.
fn process(runtime: &Runtime) -> Duration {
    const PLACES: u64 = 100;
    let home = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(&home.path().join("gantry.db")).expect("a store");
    let places: Vec<_> = (0..PLACES).map(|n| format!("{}/p{n}", home.path().display())).collect();
    for (n, place) in places.iter().enumerate() {
        runtime.block_on(fill(&store, &MissionId::new(format!("m{n}")), place, &history(place, 10, 200)));
    }
    drop(store);
    let began = Instant::now();
    let mut sidecar =
        Sidecar::spawn(Path::new(env!("CARGO_BIN_EXE_gantry")), home.path()).expect("a sidecar");
    sidecar.request("initialize", hello()).expect("sent");
    for place in &places {
        sidecar.request("workspace/open", json!({"directory": place, "worktree": place})).expect("sent");
    }
    let mut opened = 0;
    while opened <= PLACES {
        let came =
            sidecar.next(began + Duration::from_secs(60)).expect("a sidecar that lives").expect("in time");
        if let Message::Answer { result, .. } = came.message {
            result.expect("opened");
            opened += 1;
        }
    }
    let took = began.elapsed();
    sidecar.end().expect("an orderly end");
    took
}

async fn fill(store: &SqliteStore, id: &MissionId, place: &str, events: &[Event]) {
    let journal = Journal { id: id.clone(), length: AtomicU64::new(0) };
    let records = events.iter().map(|event| {
        let (kind, body) = journal::encode(event);
        (Millis(1), kind, body)
    });
    let mut first = Append { records: records.collect(), ..journal.next(0) };
    (first.row.directory, first.row.place) = (place.into(), place.into());
    store.create(Journal::owner(), 60_000, Millis(0), first).await.expect("a mission");
}

criterion_group!(benches, journal, recovery);
criterion_main!(benches);
