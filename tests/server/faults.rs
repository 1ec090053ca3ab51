//! What goes wrong around a mission: full disks, lost connections, dead processes, noise.
use std::sync::Arc;
use std::time::Duration;

use gantry::adapters::memory::MemoryStore;
use gantry::domain::ids::Directory;
use gantry::ports::store::{Store, StoreError};
use gantry::rpc::CallError;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::missions::{finished, status};
use crate::models::Act;
use crate::parts::project;
use crate::rig::{ALIVE, Rig};
use crate::until;

fn full() -> StoreError {
    StoreError::Full { path: "/data/gantry.db".into() }
}

#[tokio::test]
async fn a_full_disk_at_the_request_accepts_nothing() {
    let rig = Rig::new().await;
    rig.store.fail_next(full());
    let Err(CallError::Remote(error)) = rig.host.task("ses_user", "make it so").await else {
        panic!("accepted")
    };
    assert_eq!(error.code, -32014);
    assert_eq!(error.message, "the store is full: free some space on the disk of /data/gantry.db");
    assert_eq!(rig.store.missions(None, false, 10).await, Ok(vec![]));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted once there is space");
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    assert_eq!(rig.store.missions(None, false, 10).await.map(|m| m.len()), Ok(1));
}

#[tokio::test]
async fn a_full_disk_in_the_middle_stops_nothing_for_good() {
    // How many writes in a row fail: the mission goes back to what is on disk, and on when there is space again.
    for failures in [1, 2, 5] {
        let rig = Rig::new().await;
        let gate = Arc::new(Semaphore::new(0));
        rig.host.script.next("T1", Act::Wait(gate.clone()));
        let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
        until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
        (0..failures).for_each(|_| rig.store.fail_next(full()));
        gate.add_permits(1);
        let detail = finished(&rig, &created.mission.id).await;
        assert_eq!(detail.mission.state, "completed", "{failures} failures");
        assert!(detail.tasks.iter().all(|t| t.state == "completed"));
        assert_eq!(rig.host.wrongs(), Vec::<String>::new(), "{failures} failures");
    }
}

#[tokio::test]
async fn a_brief_that_the_disk_refused_is_taken_when_it_is_repeated() {
    for failures in 1..=4 {
        let rig = Rig::new().await;
        let created = rig.host.request("ses_user", "make it so").await.expect("accepted");
        (0..failures).for_each(|_| rig.store.fail_next(full()));
        rig.host.begin("ses_user", &format!("Mission {}: make it so", created.mission.id));
        assert_eq!(
            finished(&rig, &created.mission.id).await.mission.state,
            "completed",
            "{failures} failures"
        );
        assert_eq!(rig.store.missions(None, false, 10).await.map(|m| m.len()), Ok(1), "{failures} failures");
    }
}

#[tokio::test]
async fn a_brief_for_a_mission_that_is_being_read_again_starts_no_other() {
    let rig = Rig::new().await;
    let created = rig.host.request("ses_user", "make it so").await.expect("accepted");
    let id = created.mission.id;
    tokio::time::sleep(Duration::from_millis(50)).await;
    // A commit is refused, and so is the first try to read the mission again.
    (0..2).for_each(|_| rig.store.fail_next(full()));
    let steer = json!({ "directory": "/p", "mission": id, "action": "steer", "text": "left" });
    assert_eq!(rig.wire.call("mission/control", steer).await["error"]["code"], -32014);
    rig.host.begin("ses_user", &format!("Mission {id}: make it so"));
    assert_eq!(finished(&rig, &id).await.mission.state, "completed");
    assert_eq!(rig.store.missions(None, false, 10).await.map(|m| m.len()), Ok(1));
}

/// Turns that end without the tool call are seen, and their authors reminded, over the wire too.
#[tokio::test]
async fn models_that_only_talk_are_reminded() {
    let rig = Rig::new().await;
    for title in ["Commander", "Plan", "T1", "Review T1"] {
        rig.host.script.next(title, Act::Say("it is all clear to me"));
    }
    rig.host.script.next("T2", Act::Say("Report: {\"status\": \"done\", \"summary\": \"in words\"}"));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    for (title, turns) in [("Commander", 1), ("Plan:", 2), ("T1:", 2), ("Review T1:", 2), ("T2:", 1)] {
        assert_eq!(rig.host.turns_of(title).len(), turns, "turns of {title}");
    }
    assert!(rig.host.turns_of("T4")[0].contains("Done before, T2 (task T2): in words"));
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_done_twice() {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    rig.store.lose_next_answer();
    gate.add_permits(1);
    let detail = finished(&rig, &created.mission.id).await;
    assert_eq!(detail.mission.state, "completed");
    assert!(detail.tasks.iter().all(|t| t.attempts == 1), "{:?}", detail.tasks);
}

/// The first process dies in the middle of T2 and T3.
async fn killed_in_the_middle(host_restarted: bool) -> (Rig, String) {
    let rig = Rig::new().await;
    let gate = Arc::new(Semaphore::new(0));
    for task in ["T2", "T3"] {
        rig.host.script.next(task, Act::Wait(gate.clone()));
    }
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("both at work", || rig.host.turns_of("T2").len() + rig.host.turns_of("T3").len() == 2).await;
    let rig = rig.replace_server(2, host_restarted).await;
    gate.add_permits(2);
    (rig, created.mission.id)
}

#[tokio::test]
async fn a_killed_sidecar_is_replaced_and_nothing_is_done_twice() {
    let (rig, mission) = killed_in_the_middle(false).await;
    let detail = finished(&rig, &mission).await;
    assert_eq!(detail.mission.state, "completed");
    for title in ["Plan", "T1", "T2", "T3", "T4", "Review T1", "Integration review"] {
        assert_eq!(rig.host.turns_of(&format!("{title}:")).len(), 1, "turns of {title}");
    }
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}

/// What was shown so far; notices close together stand in one.
fn toasts(rig: &Rig) -> String {
    let shown = rig.host.state.lock().toasts.clone();
    shown.iter().map(|(title, message)| format!("{title}: {message}\n")).collect()
}

#[tokio::test]
async fn a_restarted_host_takes_its_mission_up_again() {
    let (rig, mission) = killed_in_the_middle(true).await;
    let detail = finished(&rig, &mission).await;
    assert_eq!(detail.mission.state, "completed");
    for (title, turns) in [("Plan", 1), ("T1", 1), ("T2", 2), ("T3", 2), ("T4", 1)] {
        assert_eq!(rig.host.turns_of(&format!("{title}:")).len(), turns, "turns of {title}");
    }
    assert!(rig.host.turns_of("T2:")[1].starts_with("The host was restarted in the middle of your turn."));
    until("the toasts", || toasts(&rig).contains("Mission resumed")).await;
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn an_orderly_end_leaves_the_missions_to_the_next() {
    let rig = Rig::with(MemoryStore::new(), project(), ALIVE).await;
    let gate = Arc::new(Semaphore::new(0));
    rig.host.script.next("T1", Act::Wait(gate.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    // The first process still lives: only what it gave up can be taken over.
    rig.server.engine.shutdown().await;
    let rig = rig.replace_server(ALIVE + 1, false).await;
    gate.add_permits(1);
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
}

#[tokio::test]
async fn a_second_host_in_a_project_at_work_is_told_so() {
    let first = Rig::with(MemoryStore::new(), project(), ALIVE).await;
    first.host.script.next("T1", Act::Hang);
    let created = first.host.task("ses_user", "make it so").await.expect("accepted");
    let second = Rig::with(first.store.clone(), first.project.clone(), ALIVE + 1).await;
    let Err(CallError::Remote(error)) = second.host.task("ses_other", "me too").await else {
        panic!("accepted")
    };
    assert_eq!(error.code, -32013);
    assert_eq!(
        error.message,
        format!(
            "another OpenCode (gantry process {ALIVE}) is running mission {} in this project: wait for it, or cancel it \
             there",
            created.mission.id
        )
    );
    // It may look, and may not touch.
    assert_eq!(status(&second.host, &created.mission.id).await.mission.state, "running");
    assert_eq!(first.store.missions(Some(Directory::new("/p")), false, 10).await.map(|m| m.len()), Ok(1));
    assert_eq!(second.host.turns_of("T"), Vec::<String>::new());
}

#[tokio::test]
async fn a_plan_file_that_cannot_be_written_is_a_toast_and_no_more() {
    let rig = Rig::new().await;
    *rig.project.todo_fault.lock() = Some("read-only file system".into());
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    until("the toast of the end", || toasts(&rig).contains("Mission completed")).await;
    let said = "Plan file not written: /p/TODO.md: read-only file system. The mission goes on without it.";
    assert_eq!(toasts(&rig).matches(said).count(), 1, "{}", toasts(&rig));
}

#[tokio::test]
async fn noise_on_the_line_disturbs_nobody() {
    let rig = Rig::new().await;
    rig.wire.make_noise();
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    let stats = rig.server.peer.stats();
    assert!(rig.wire.lines_of_noise() > 50, "{} lines", rig.wire.lines_of_noise());
    assert!(stats.bad_lines > 25 && stats.dropped_notifications > 5 && stats.stray_answers > 5, "{stats:?}");
    assert_eq!(rig.host.wrongs(), Vec::<String>::new());
}
