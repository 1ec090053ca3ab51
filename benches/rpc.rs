//! Round trips between two peers, in one process and over the pipes of a child process: framing, demultiplexing, routing
//! and both conversions. Target: p50 below 0.1 ms.
use std::{hint::black_box, process::Stdio, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use futures_util::future::join_all;
use gantry::{
    protocol::{
        methods::{LeaseCheck, MissionStatus},
        types::{
            LeaseCheckParams, LeaseCheckResult, MissionDetail, MissionStatusParams, MissionSummary,
            TaskDetail,
        },
    },
    rpc::{Limits, PeerHandle, Router, connect},
};
use tokio::runtime::Runtime;

const TIMEOUT: Duration = Duration::from_secs(5);

fn detail() -> MissionDetail {
    let task = |n: u32| TaskDetail {
        checks: Vec::new(),
        id: format!("T{n}"),
        title: "Round the totals".into(),
        state: "running".into(),
        part_of: None,
        depends_on: vec!["T1".into()],
        files: vec!["src/invoice.js".into()],
        attempts: 1,
        brief_bytes: None,
        note: None,
        budget: None,
        began_at: Some(1_767_225_600_000),
        ended_at: None,
    };
    let mission = MissionSummary {
        id: "m1".into(),
        title: "Round invoice totals to cents".into(),
        state: "running".into(),
        phase: Some("executing".into()),
        parent_session: "ses_1".into(),
        directory: "/home/ann/shop".into(),
        done: 2,
        running: 2,
        waiting: 1,
        failed: 0,
        total: 5,
        created_at: 1_767_225_600_000,
        ended_at: None,
    };
    MissionDetail {
        last_event: None,
        mission,
        tasks: (1..=5).map(task).collect(),
        tokens: 0,
        cost: 0.0,
        budget: None,
        forecast: None,
        awaits_approval: false,
        report: None,
        asks: Vec::new(),
        checkpoints: Vec::new(),
    }
}

/// Set in the child process, which is this program too.
const SERVE: &str = "GANTRY_BENCH_SERVE";

/// Answers that cost nothing to find.
fn server() -> Router {
    Router::builder()
        .sync(LeaseCheck, |_, _| Ok(LeaseCheckResult { allow: true, reason: None }))
        .request(MissionStatus, |_, _| async { Ok(detail()) })
        .build()
}

fn serve_on_stdio() {
    let runtime = Runtime::new().expect("runtime");
    let (_, connection) = connect(tokio::io::stdin(), tokio::io::stdout(), server(), Limits::default());
    runtime.block_on(connection.run());
    runtime.shutdown_background();
}

/// A server in a process of its own, which ends when its input does.
#[allow(clippy::disallowed_methods, reason = "the bench is its own composition root")]
fn child_client(runtime: &Runtime) -> PeerHandle {
    let _guard = runtime.enter();
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this program"))
        .env(SERVE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("child");
    let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (client, connection) = connect(output, input, Router::builder().build(), Limits::default());
    runtime.spawn(connection.run());
    runtime.spawn(async move { child.wait().await });
    client
}

fn client(runtime: &Runtime) -> PeerHandle {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (read, write) = tokio::io::split(far);
    let (_, connection) = connect(read, write, server(), Limits::default());
    runtime.spawn(connection.run());
    let (read, write) = tokio::io::split(near);
    let (client, connection) = connect(read, write, Router::builder().build(), Limits::default());
    runtime.spawn(connection.run());
    client
}

fn round_trip(c: &mut Criterion) {
    let runtime = Runtime::new().expect("runtime");
    let client = client(&runtime);
    let lease = LeaseCheckParams {
        directory: "/home/ann/shop".into(),
        session: "ses_7".into(),
        call: "call_1".into(),
        tool: "write".into(),
        paths: vec!["src/tax.js".into()],
        command: None,
        subject: None,
    };
    let status =
        MissionStatusParams { directory: "/home/ann/shop".into(), mission: None, parent_session: None };

    let mut group = c.benchmark_group("rpc");
    group.bench_function("lease/check, one at a time", |b| {
        b.to_async(&runtime).iter(|| async { black_box(client.call(LeaseCheck, &lease, TIMEOUT).await) });
    });
    group.bench_function("mission/status, one at a time", |b| {
        b.to_async(&runtime).iter(|| async { black_box(client.call(MissionStatus, &status, TIMEOUT).await) });
    });
    let child = child_client(&runtime);
    group.bench_function("lease/check over pipes, one at a time", |b| {
        b.to_async(&runtime).iter(|| async { black_box(child.call(LeaseCheck, &lease, TIMEOUT).await) });
    });
    for width in [32_u64, 512] {
        group.throughput(Throughput::Elements(width));
        group.bench_with_input(BenchmarkId::new("lease/check, in flight", width), &width, |b, width| {
            b.to_async(&runtime).iter(|| async {
                let calls = (0..*width).map(|_| client.call(LeaseCheck, &lease, TIMEOUT));
                for answer in join_all(calls).await {
                    assert!(answer.expect("an answer").allow);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, round_trip);

fn main() {
    if std::env::var_os(SERVE).is_some() {
        return serve_on_stdio();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
