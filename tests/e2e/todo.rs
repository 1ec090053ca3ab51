//! The plan file as a way to steer: what the user writes in it while a mission is at work.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gantry::engine::core::event::Event;
use serde_json::json;
use xtask::lab::model::{Role, Rule, Turn};

use crate::script::{self, GREETING, TASK};
use crate::support::{PATIENCE, Stage, new_session, task, wait};

/// From the save to the fact in the journal. The machine that runs the tests does much else at the time.
const NOTICED: Duration = Duration::from_millis(1_500);

#[test]
fn what_the_user_writes_into_the_plan_file_counts() {
    let stage = Stage::small(|project| {
        let tasks = [
            script::task("T1", &["one.txt"], &[]),
            script::task("T2", &["two.txt"], &[]),
            script::task("T3", &["three.txt"], &["T1"]),
        ];
        let held = |id: &str, file: &str| {
            let write = json!({"filePath": project.join(file), "content": GREETING});
            Rule::new(Role::Worker)
                .contains(&format!("Task {id}: "))
                .turn(Turn::call("write", write).gate("edited"))
                .call("submit_report", script::report())
        };
        let reviewers = ["T1", "U1"].map(|id| script::reviewer(id, script::approve()));
        let mut all = script::one_task(project)
            .first(held("T1", "one.txt"))
            .first(held("T2", "two.txt"))
            .first(script::worker(project, "U1", "four.txt"))
            .first(script::planner(script::plan(&tasks)));
        for rule in reviewers {
            all = all.first(rule);
        }
        all
    });
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let session = new_session(host);
    let file = stage.project.join("TODO.md");
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| task(host, &session, TASK));
        let running = |text: &String| text.contains("- [~] T1: ") && text.contains("- [~] T2: ");
        let text = wait("two at work", PATIENCE, || fs::read_to_string(&file).ok().filter(running));
        // One save: T2 is done by hand, T3 is not wanted, T1 is said in other words, there is more to do, and a note.
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.contains("T3: ")).map(String::from).collect();
        for line in &mut lines {
            *line = line
                .replace("- [~] T2: ", "- [x] T2: ")
                .replace("T1: Write one.txt", "T1: Write one.txt, politely");
        }
        let end = lines.iter().position(|line| line.contains("gantry:end")).unwrap();
        lines.insert(end, "- [ ] Write a fourth file (files: four.txt)\nMind the gap.".into());
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        let saved = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let accepted = |event: &Event| matches!(event, Event::Accepted { .. });
        let told = wait("the tick to count", PATIENCE, || {
            stage.told().pop().filter(|told| told.facts.iter().any(|(_, event)| accepted(event)))
        });
        let took = Duration::from_millis(told.at(accepted).0).saturating_sub(saved);
        eprintln!("from the save of the plan file to the fact: {took:?}");
        assert!(took < NOTICED, "{took:?}");
        stage.model.open("edited");
        turn.join().unwrap();
    });

    let told = stage.only();
    let states: Vec<_> = told.mission.tasks.iter().map(|t| (t.spec.id.as_str(), t.state.name())).collect();
    assert_eq!(states, [("T1", "completed"), ("T2", "completed"), ("T3", "cancelled"), ("U1", "completed")]);
    assert_eq!(told.state(), "partially_completed", "T3 was called off: {}", told.report());
    let report = told.report();
    assert!(report.contains("T2 accepted by the user, in the plan file, not by its gate"), "{report}");
    assert!(report.contains("T3 cancelled: Write three.txt — removed from the plan file"), "{report}");
    assert!(told.mission.steers[0].text.contains("\"Write one.txt, politely\""), "{:?}", told.mission.steers);
    assert!(stage.project.join("four.txt").is_file() && !stage.project.join("two.txt").exists());
    let done = |text: &String| text.contains("- [x] U1: Write a fourth file (files: four.txt)");
    let text = wait("the last tick", PATIENCE, || fs::read_to_string(&file).ok().filter(done));
    assert!(text.contains("- [x] T1: Write one.txt, politely (files: one.txt)\n"), "{text}");
    assert!(text.contains("\nMind the gap.\n") && !text.contains("T3"), "{text}");
    stage.assert_no_misses();
}
