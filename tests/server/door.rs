//! The user's own programs beside the host: they look at missions and steer them, and do nothing else.
use gantry::protocol::methods as m;
use gantry::protocol::types::*;
use gantry::rpc::{CallError, Limits, PeerHandle, Router, connect};

use crate::SOON;
use crate::host::DIRECTORY;
use crate::missions::finished;
use crate::rig::Rig;

fn visit(rig: &Rig) -> PeerHandle {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (read, write) = tokio::io::split(far);
    let (_, served) = connect(read, write, rig.server.served.viewer(), Limits::default());
    tokio::spawn(served.run());
    let (read, write) = tokio::io::split(near);
    let (peer, own) = connect(read, write, Router::builder().build(), Limits::default());
    tokio::spawn(own.run());
    peer
}

fn hello() -> InitializeParams {
    serde_json::from_value(xtask::bench::hello()).expect("a hello")
}

fn status(parent: Option<&str>) -> MissionStatusParams {
    MissionStatusParams { directory: DIRECTORY.into(), mission: None, parent_session: parent.map(Into::into) }
}

#[tokio::test]
async fn a_visitor_sees_and_steers_and_no_more() {
    let rig = Rig::new().await;
    let visitor = visit(&rig);
    visitor.call(m::Initialize, &hello(), SOON).await.expect("a hello");
    let none = visitor.call(m::MissionStatus, &status(None), SOON).await;
    assert!(matches!(none, Err(CallError::Remote(_))), "{none:?}");

    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    let seen = visitor.call(m::MissionStatus, &status(Some("ses_user")), SOON).await.expect("a status");
    assert_eq!(seen.mission.id, created.mission.id);
    let other = visitor.call(m::MissionStatus, &status(Some("ses_other")), SOON).await;
    assert!(matches!(other, Err(CallError::Remote(error)) if error.message.contains("has had no mission")));
    let control = MissionControlParams {
        now: None,
        directory: DIRECTORY.into(),
        mission: Some(created.mission.id.clone()),
        action: ControlAction::Steer,
        text: Some("in British spelling".into()),
        ask: None,
        checkpoint: None,
        files: None,
        task: None,
    };
    // A process without the project would take the mission over, and have no host to work on it.
    let away = MissionControlParams { directory: "/elsewhere".into(), ..control.clone() };
    let away = visitor.call(m::MissionControl, &away, SOON).await;
    assert!(matches!(away, Err(CallError::Remote(error)) if error.message.contains("has not opened")));
    visitor.call(m::MissionControl, &control, SOON).await.expect("steered");
    let command = |directory: &str, command: Command, text: &str| CommandRunParams {
        directory: directory.into(),
        session: "ses_user".into(),
        command,
        text: text.into(),
    };
    let allowed = visitor.call(m::CommandRun, &command(DIRECTORY, Command::Allow, ""), SOON).await;
    let unknown = |text: &str| text.contains("no permission of this mission waits");
    let Err(CallError::Remote(error)) = allowed else { panic!("others may have it: {allowed:?}") };
    assert!(unknown(&error.message) && error.code == gantry::protocol::errors::NOT_FOUND, "{error:?}");
    let words = command(DIRECTORY, Command::Steer, "with tabs");
    let told = visitor.call(m::CommandRun, &words, SOON).await.expect("an answer").text;
    assert!(told.starts_with("The workers are told: "), "{told}");
    let nothing = command(DIRECTORY, Command::Steer, "");
    let nothing = visitor.call(m::CommandRun, &nothing, SOON).await.expect("an answer").text;
    assert!(nothing.starts_with("Not done: say what the workers are to know"), "{nothing}");
    let away = visitor.call(m::CommandRun, &command("/elsewhere", Command::Status, ""), SOON).await;
    assert!(matches!(away, Err(CallError::Remote(error)) if error.message.contains("has not opened")));
    let detail = finished(&rig, &created.mission.id).await;
    assert_eq!(detail.mission.state, "completed");
    let seen = visitor.call(m::MissionStatus, &status(Some("ses_user")), SOON).await.expect("a status");
    assert_eq!((seen.tokens, seen.report), (detail.tokens, detail.report));

    // A notice comes half a second after what it is about.
    let mut notices = Vec::new();
    while notices.iter().all(|notice: &NoticeDetail| notice.title != "Mission completed") {
        let after = notices.last().map(|notice| notice.number);
        let params = NoticeListParams { directory: DIRECTORY.into(), after };
        notices.extend(visitor.call(m::NoticeList, &params, SOON).await.expect("notices").notices);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let titles: Vec<_> = notices.iter().map(|notice| notice.title.as_str()).collect();
    assert_eq!(titles.iter().filter(|title| **title == "Mission completed").count(), 1, "{titles:?}");
    let elsewhere = NoticeListParams { directory: "/elsewhere".into(), after: None };
    let elsewhere = visitor.call(m::NoticeList, &elsewhere, SOON).await;
    assert!(matches!(elsewhere, Err(CallError::Remote(error)) if error.message.contains("has not opened")));

    for refused in [
        visitor.call(m::Shutdown, &Empty {}, SOON).await.err(),
        visitor.call(m::ToolList, &Empty {}, SOON).await.err(),
        visitor.call(m::WorkspaceClose, &DirectoryParams { directory: DIRECTORY.into() }, SOON).await.err(),
    ] {
        let Some(CallError::Remote(error)) = refused else { panic!("served: {refused:?}") };
        assert_eq!(error.code, gantry::protocol::errors::METHOD_NOT_FOUND);
    }
}
