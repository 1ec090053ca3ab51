//! What the log says of a mission.
use std::io::Write;
use std::sync::Arc;

use gantry::protocol::methods as m;
use gantry::protocol::types::*;
use parking_lot::Mutex;
use serde_json::Value;
use tracing_subscriber::fmt;

use crate::SOON;
use crate::host::DIRECTORY;
use crate::missions::finished;
use crate::models::Act;
use crate::rig::Rig;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// `T1 task_changed running > validating: text`, of one target.
    fn told(&self, target: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().clone()).expect("text");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let part = |fields: &Value, name: &str, after: &str| {
            fields[name].as_str().map_or(String::new(), |part| format!("{part}{after}"))
        };
        let of_target = lines.filter(|line| line["target"].as_str().is_some_and(|at| at.starts_with(target)));
        let told = of_target.map(|line| {
            let fields = &line["fields"];
            let [task, fact] = ["task", "fact"].map(|name| part(fields, name, " "));
            format!(
                "{task}{fact}{}{}{}",
                part(fields, "from", " > "),
                part(fields, "to", ": "),
                part(fields, "message", "")
            )
        });
        told.collect()
    }
}

#[tokio::test]
async fn each_step_of_a_mission_is_one_line_and_so_is_what_was_refused() {
    let lines = Lines::default();
    let writer = lines.clone();
    // All of the server runs on this thread.
    let _log = tracing::subscriber::set_default(fmt().json().with_writer(move || writer.clone()).finish());
    let rig = Rig::new().await;
    rig.host.script.next("Review T2", Act::Object);
    let created =
        rig.host.task("ses_user", "make it so with GITHUB_TOKEN=abcdef123456").await.expect("accepted");
    finished(&rig, &created.mission.id).await;
    let unknown = MissionStatusParams {
        directory: DIRECTORY.into(),
        mission: Some("nope".into()),
        parent_session: None,
    };
    rig.host.peer().call(m::MissionStatus, &unknown, SOON).await.expect_err("no such mission");

    let told = lines.told("gantry::mission");
    // In this order, with lines of other tasks between them.
    let wanted = [
        "created accepted in /p: make it so with GITHUB_TOKEN=[masked]",
        "state_changed pending > queued: accepted",
        "state_changed queued > running: started",
        "phase_changed briefing > planning: phase planning",
        "attempt_opened planner 1 begins",
        "planned planned: 4 tasks",
        "T2 task_changed pending > ready: T2 ready",
        "T2 attempt_opened worker 1 begins",
        "T2 task_changed assigned > in_progress: T2 in progress",
        "T2 task_changed in_progress > in_review: T2 in review",
        "T2 attempt_opened reviewer 1 begins",
        "T2 judged sent back: no [high] not like this",
        "T2 task_changed in_review > in_progress: no",
        "T2 attempt_opened worker 2 begins",
        "T2 judged approved: fine",
        "T2 task_changed in_review > completed: T2 completed",
        "phase_changed executing > reviewing: phase reviewing",
        "whole checked checks: npm test passed",
        "whole judged approved: fine",
        "state_changed running > completed: all gates passed",
        "handed_back report handed back",
    ];
    let mut rest = told.iter();
    for line in wanted {
        assert!(
            rest.any(|told| told == line),
            "{line} is not there, or not at its place:\n{}",
            told.join("\n")
        );
    }
    let refused = lines.told("gantry::rpc");
    let line = "refused: there is no mission nope; `gantry missions` lists them";
    assert!(refused.iter().any(|told| told == line), "{refused:?}");
}
