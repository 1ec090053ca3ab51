//! Calls in both directions at one time.
use futures_util::future::join_all;

use super::*;
use crate::{
    protocol::methods::{Cancel, HostSessionStatus, HostToast, MissionStatus, Shutdown},
    rpc::{CallError, Stats},
};

/// Two connected peers: the shim's end and the sidecar's end.
fn pair(shim: Router, sidecar: Router, limits: Limits) -> (PeerHandle, PeerHandle) {
    let (near, far) = tokio::io::duplex(4096);
    let mut ends = Vec::new();
    for (pipe, router) in [(near, shim), (far, sidecar)] {
        let (read, write) = tokio::io::split(pipe);
        let (peer, connection) = connect(read, write, router, limits.clone());
        tokio::spawn(connection.run());
        ends.push(peer);
    }
    let sidecar = ends.pop().expect("two ends");
    (ends.pop().expect("two ends"), sidecar)
}

fn toast(title: &str) -> ToastParams {
    let (directory, message) = ("/p".into(), String::new());
    ToastParams { directory, title: title.into(), message, variant: ToastVariant::Info, duration: 1 }
}

fn call(tool: &str) -> ToolCallParams {
    serde_json::from_value(tool_call(tool)).expect("params")
}

#[tokio::test]
async fn calls_cross_each_other_and_every_answer_finds_its_caller() {
    let sessions = |params: SessionStatusParams| SessionStatusResult {
        sessions: params
            .sessions
            .into_iter()
            .map(|session| SessionStatus { session, state: SessionState::Busy })
            .collect(),
    };
    let shim = Router::builder().request(HostSessionStatus, move |params, _| async move {
        tokio::task::yield_now().await;
        Ok(sessions(params))
    });
    // Each call of the shim makes the sidecar call back before it answers.
    let sidecar = Router::builder().request(ToolCall, |params, call: CallContext| async move {
        let ask = SessionStatusParams { directory: params.directory, sessions: vec![params.tool] };
        match call.peer.call(HostSessionStatus, &ask, SOON).await {
            Ok(answer) => Ok(said(answer.sessions[0].session.clone())),
            Err(e) => Err(RpcError::new(errors::HOST, e.to_string())),
        }
    });
    let (shim, sidecar) = pair(shim.build(), sidecar.build(), Limits::default());
    let names: Vec<String> = (0..300).map(|n| format!("call-{n}")).collect();
    let (caller, server) = (&shim, &sidecar);
    let inward = join_all(names.iter().map(|name| async move {
        let answer = caller.call(ToolCall, &call(name), SOON).await.expect("an answer");
        assert_eq!(&answer.output, name);
    }));
    let outward = join_all(names.iter().map(|name| async move {
        let ask = SessionStatusParams { directory: "/p".into(), sessions: vec![name.clone()] };
        let answer = server.call(HostSessionStatus, &ask, SOON).await.expect("an answer");
        assert_eq!(&answer.sessions[0].session, name);
    }));
    tokio::join!(inward, outward);
    assert_eq!((shim.stats(), sidecar.stats()), (Stats::default(), Stats::default()));
}

#[tokio::test]
async fn notifications_keep_their_order_and_come_before_later_requests() {
    let seen = Arc::default();
    let (shim, _sidecar) = pair(Router::builder().build(), router(&seen).build(), Limits::default());
    for n in 0..1000_usize {
        let events = vec![HostEvent::Deleted { session: n.to_string() }];
        let batch = EventBatchParams { directory: "/p".into(), events };
        shim.notify(EventBatch, &batch).await.expect("queued");
        if n % 100 == 99 {
            let answer = shim.call(ToolList, &Empty {}, SOON).await.expect("an answer");
            assert_eq!(answer.tools[0].name, (n + 1).to_string(), "the request overtook a notification");
        }
    }
    let wanted: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    assert_eq!(*seen.lock().expect("lock"), wanted);
}

#[tokio::test]
async fn the_handler_decides_what_a_cancellation_means() {
    let (shim, _sidecar) = pair(Router::builder().build(), plain(), Limits::default());
    // Ids count from 1 on a fresh connection.
    for (id, tool) in [(1, "wait"), (2, "stubborn")] {
        let (params, cancel) = (call(tool), CancelParams { id });
        let (answer, sent) = tokio::join!(shim.call(ToolCall, &params, SOON), shim.notify(Cancel, &cancel));
        sent.expect("queued");
        match tool {
            "wait" => assert_eq!(answer, Err(CallError::Remote(RpcError::cancelled("tool/call")))),
            _ => assert_eq!(answer.expect("a result").output, "done all the same"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_dropped_and_counted() {
    let slow = Router::builder().request(HostToast, |params, _| async move {
        if params.title == "slow" {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        Ok(Empty {})
    });
    let (_shim, sidecar) = pair(slow.build(), Router::builder().build(), Limits::default());
    let after = Duration::from_secs(2);
    let answer = sidecar.call(HostToast, &toast("slow"), after).await;
    assert_eq!(answer, Err(CallError::Timeout { method: "host/toast", after }));
    assert_eq!(sidecar.stats().stray_answers, 0, "the answer is still on its way");
    tokio::time::sleep(after).await;
    assert_eq!(sidecar.stats().stray_answers, 1);
    assert_eq!(sidecar.call(HostToast, &toast("quick"), after).await, Ok(Empty {}));
}

#[tokio::test]
async fn calls_over_the_limit_are_not_sent() {
    let limits = Limits { pending_calls: 2, ..Limits::default() };
    let (shim, _sidecar) = pair(Router::builder().build(), plain(), limits);
    let forever = call("forever");
    let waiting =
        async { tokio::join!(shim.call(ToolCall, &forever, SOON), shim.call(ToolCall, &forever, SOON)) };
    let third = async {
        tokio::task::yield_now().await;
        shim.call(LeaseCheck, &serde_json::from_value(lease("ok")).expect("params"), SOON).await
    };
    tokio::select! {
        biased;
        _ = waiting => panic!("nobody answers these"),
        third = third => assert_eq!(third, Err(CallError::Full { method: "lease/check" })),
    }
    // Both callers have gone; their places are free.
    let lease = serde_json::from_value(lease("ok")).expect("params");
    assert!(shim.call(LeaseCheck, &lease, SOON).await.expect("an answer").allow);
}

#[tokio::test]
async fn what_goes_wrong_with_a_call_is_told_apart() {
    let limits = Limits { line_bytes: 4096, ..Limits::default() };
    let (shim, _sidecar) = pair(Router::builder().build(), plain(), limits);
    let long = "x".repeat(5000);
    match shim.call(ToolCall, &call(&long), SOON).await {
        Err(CallError::TooLong { method: "tool/call", bytes }) => assert!(bytes > 5000),
        other => panic!("{other:?}"),
    }
    match shim.call(Shutdown, &Empty {}, SOON).await {
        Err(CallError::Remote(e)) => assert_eq!(e.code, errors::METHOD_NOT_FOUND),
        other => panic!("{other:?}"),
    }

    let mut wire = Wire::new(Router::builder().build(), Limits::default());
    let sidecar = wire.server.clone();
    for (answer, part) in [
        (r#""result":{"mission":7}"#, "has not the agreed form"),
        (r#""error":"oops""#, "without a readable form"),
        (
            r#""error":{"code":-32020,"message":"gone","data":{"name":"NotFoundError","message":"x"}}"#,
            "gone (-32020)",
        ),
    ] {
        let status = MissionStatusParams { directory: "/p".into(), mission: None, parent_session: None };
        let (outcome, ()) = tokio::join!(sidecar.call(MissionStatus, &status, SOON), async {
            let id = wire.answer().await["id"].clone();
            wire.send(format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#)).await;
        });
        let text = outcome.expect_err("no result").to_string();
        assert!(text.contains(part), "{answer}: {text}");
    }
}
