//! Commands of the user without a model, and missions in the background.
use std::sync::Arc;

use gantry::protocol::methods as m;
use gantry::protocol::types::*;
use tokio::sync::Semaphore;

use crate::host::{DIRECTORY, FakeHost};
use crate::models::Act;
use crate::rig::Rig;
use crate::{SOON, until};

async fn run(host: &FakeHost, session: &str, command: Command, text: &str) -> String {
    let params =
        CommandRunParams { directory: DIRECTORY.into(), session: session.into(), command, text: text.into() };
    host.peer().call(m::CommandRun, &params, SOON).await.expect("an answer").text
}

#[tokio::test]
async fn a_command_means_the_mission_of_its_conversation_else_the_one_that_is_named() {
    let rig = Rig::new().await;
    let none = run(&rig.host, "ses_user", Command::Status, "").await;
    assert_eq!(none, "Not done: this project has had no mission yet.");
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let first = rig.host.task("ses_user", "make it so").await.expect("accepted").mission.id;
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;

    // The only open one, from any conversation.
    let status = run(&rig.host, "ses_other", Command::Status, "").await;
    assert!(status.starts_with(&format!("Mission {first}: executing · 0/4 done, 1 running")), "{status}");
    let second = rig.host.task("ses_second", "the next").await.expect("accepted").mission.id;
    let choice = run(&rig.host, "ses_other", Command::Pause, "").await;
    let lines: Vec<_> = choice.lines().collect();
    assert!(lines[0].starts_with("2 missions are open here. Say which one, as in /task-pause "), "{choice}");
    assert!(
        lines[1..].iter().any(|l| l.starts_with(&format!("- {} executing, 0/4 done: make it so", &first))),
        "{choice}"
    );
    let named = run(&rig.host, "ses_other", Command::Status, &second).await;
    assert!(named.starts_with(&format!("Mission {second}: queued")), "{named}");

    // Two of one conversation: which, is asked there too; its panel shows the one at work.
    let third = rig.host.task("ses_user", "one more").await.expect("accepted").mission.id;
    let choice = run(&rig.host, "ses_user", Command::Pause, "").await;
    assert!(choice.starts_with("2 missions are open here. "), "{choice}");
    assert!(choice.contains("one more") && !choice.contains("the next"), "{choice}");
    let shown = MissionStatusParams {
        directory: DIRECTORY.into(),
        mission: None,
        parent_session: Some("ses_user".into()),
    };
    let shown = rig.host.peer().call(m::MissionStatus, &shown, SOON).await.expect("a status");
    assert_eq!(shown.mission.id, first);
    run(&rig.host, "ses_user", Command::Cancel, &third).await;

    // Its own conversation needs no id; words that are none stay words.
    let paused = run(&rig.host, "ses_user", Command::Pause, "").await;
    assert_eq!(paused, format!("The mission is paused: {} paused, 0/4 done: make it so.", &first));
    let again = run(&rig.host, "ses_user", Command::Pause, "").await;
    assert_eq!(again, "Not done: a mission that is paused cannot be paused: only a running one can.");
    assert!(run(&rig.host, "ses_user", Command::Resume, "").await.starts_with("The mission goes on: "));
    let early = run(&rig.host, "ses_user", Command::Report, "").await;
    assert_eq!(early, "Not done: it has not ended yet; /task-status says where it stands.");
    for (command, words, answer) in [
        (
            Command::Rollback,
            "",
            "Not done: the files of a mission that is running cannot be taken back: pause it first.",
        ),
        (
            Command::Rollback,
            "T1",
            "Not done: the files of a mission that is running cannot be taken back: pause it first.",
        ),
        (Command::Allow, "", "Not done: no permission of this mission waits for an answer"),
        (Command::Deny, "no", "Not done: no permission of this mission waits for an answer"),
        (
            Command::Accept,
            "T1",
            "Not done: say which task (or whole), and why it counts as done, as in /task-accept T3 I tried it by hand.",
        ),
    ] {
        let said = run(&rig.host, "ses_user", command, words).await;
        assert!(said.starts_with(answer), "{command:?}: {said}");
    }
    // A word that is no mission was meant to be one, or a task: the mission of this conversation is not hit instead.
    for command in
        [Command::Cancel, Command::Pause, Command::Resume, Command::Retry, Command::Approve, Command::Status]
    {
        for words in ["01a1ff00-dead", "T2", "please", &format!("{first} now")] {
            let said = run(&rig.host, "ses_user", command, words).await;
            assert!(
                said.starts_with("Not done: /task-") && said.contains("takes a mission and nothing else"),
                "{said}"
            );
        }
    }
    for (command, words) in [(Command::Deny, "T1"), (Command::Allow, "third one")] {
        let said = run(&rig.host, "ses_user", command, words).await;
        assert!(said.contains("waits for an answer; name one by its task or id"), "{said}");
    }
    let empty = run(&rig.host, "ses_user", Command::Steer, " ").await;
    assert_eq!(empty, "Not done: say what the workers are to know, as in /task-steer use the date helper.");
    run(&rig.host, "ses_user", Command::Steer, "deadbeef is no id here").await;
    gate.add_permits(1);
    until("a worker that was told", || {
        rig.host.turns_of("T2").iter().any(|t| t.contains("deadbeef is no id here"))
    })
    .await;
    run(&rig.host, "ses_other", Command::Cancel, &first).await;
    let report = run(&rig.host, "ses_user", Command::Report, "").await;
    assert!(report.starts_with(&format!("Mission {first}: stopped")), "{report}");
}

#[tokio::test]
async fn a_mission_in_the_background_hands_its_report_back_later() {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    rig.host.task("ses_user", "--background make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    // The Commander's turn is over while the worker's goes on.
    until("a conversation at rest", || !rig.host.busy().contains(&"Commander".to_owned())).await;
    assert!(rig.host.busy().iter().any(|title| title.starts_with("T1")), "{:?}", rig.host.busy());
    gate.add_permits(1);
    let reported =
        || rig.host.delivered().iter().any(|text| text.contains(": completed\nmake it so\n4 of 4 tasks"));
    until("the report", reported).await;
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}
