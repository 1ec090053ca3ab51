//! Round trips between two connected peers in one process: framing, demultiplexing, routing and both conversions.
//! Target: p50 below 0.1 ms.
use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
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
        id: format!("T{n}"),
        title: "Round the totals".into(),
        state: "running".into(),
        depends_on: vec!["T1".into()],
        files: vec!["src/invoice.js".into()],
        attempts: 1,
        note: None,
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
    MissionDetail { mission, tasks: (1..=5).map(task).collect(), report: None }
}

/// A client of a server whose answers cost nothing to find.
fn client(runtime: &Runtime) -> PeerHandle {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = Router::builder()
        .sync(LeaseCheck, |_, _| Ok(LeaseCheckResult { allow: true, reason: None }))
        .request(MissionStatus, |_, _| async { Ok(detail()) })
        .build();
    let (read, write) = tokio::io::split(far);
    let (_, connection) = connect(read, write, server, Limits::default());
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
    };
    let status = MissionStatusParams { directory: "/home/ann/shop".into(), mission: None };

    let mut group = c.benchmark_group("rpc");
    group.bench_function("lease/check, one at a time", |b| {
        b.to_async(&runtime).iter(|| async { black_box(client.call(LeaseCheck, &lease, TIMEOUT).await) });
    });
    group.bench_function("mission/status, one at a time", |b| {
        b.to_async(&runtime).iter(|| async { black_box(client.call(MissionStatus, &status, TIMEOUT).await) });
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
criterion_main!(benches);
