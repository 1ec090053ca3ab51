//! A whole mission: what the journal, the working tree, the conversation and the wire show of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gantry::domain::ids::{Millis, TaskId};
use gantry::domain::verdict::CheckOutcome;
use gantry::engine::core::event::{AttemptKind, Event, HandBack, Subject};
use serde_json::{Value, json};
use xtask::lab::demo;
use xtask::lab::model::{Role, Rule, Turn};
use xtask::lab::sample::git;

use crate::script::{self, PLAIN};
use crate::support::{BEAT, PATIENCE, Stage, Told, ask, calls, messages, new_session, task, text};

#[test]
fn the_demo_mission_runs_headless_to_its_end() {
    let stage = Stage::sample(|project| demo::script(project, BEAT));
    let mine = Mine::prepare(&stage.project);

    let finished = stage.task(demo::TASK);

    let told = stage.only();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(told.state(), "completed", "{}", told.report());
    assert_eq!(finished.stdout.trim(), told.report().trim(), "the model repeats the report and nothing else");
    assert!(told.report().contains("5 of 5 tasks done"), "{}", told.report());
    stage.assert_no_misses();
    stage.assert_nothing_left();

    diamond_was_worked_side_by_side(&told);
    review_asked_for_changes_and_then_approved(&told);
    checks_went_from_red_to_green(&told);
    plan_file_is_ticked(&stage.project);
    mine.assert_untouched(&stage.project);

    let rows = stage.missions();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["state"], &rows[0]["done"]), (&json!("completed"), &json!(5)));
    let id = rows[0]["id"].as_str().unwrap();
    let detail: Value = serde_json::from_str(&stage.cli(&["show", id, "--json"])).unwrap();
    assert_eq!(detail["report"], told.report());
    assert_eq!(stage.cli(&["show", id]).trim(), told.report().trim());
}

fn diamond_was_worked_side_by_side(told: &Told) {
    let needs = |id: &str| {
        let task = told.mission.task(&TaskId::new(id)).unwrap();
        task.spec.depends_on.iter().map(|d| d.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (needs("T2"), needs("T3"), needs("T4")),
        (vec!["T1".into()], vec!["T1".into()], vec!["T2".into(), "T3".into()])
    );
    let (two, three) = (first_work(told, "T2"), first_work(told, "T3"));
    assert!(two.0 < three.1 && three.0 < two.1, "T2 worked {two:?}, T3 worked {three:?}");
    let last = |task: &str| {
        let completed = |event: &Event| matches!(event, Event::TaskChanged { task: t, to, .. } if t.0 == task && to.name() == "completed");
        told.at(completed)
    };
    let start = |task: &str| first_work(told, task).0;
    assert!(last("T1") <= start("T2") && last("T1") <= start("T3"));
    assert!(last("T2") <= start("T4") && last("T3") <= start("T4") && last("T4") <= start("T5"));
}

/// From the prompt to the end of the first work attempt at a task.
fn first_work(told: &Told, task: &str) -> (Millis, Millis) {
    let kind = AttemptKind::Work(TaskId::new(task));
    let of_task = told.mission.attempts.values().filter(|a| a.kind == kind);
    let attempt = &of_task.min_by_key(|a| a.token).unwrap().id;
    let prompted = told.at(|e| matches!(e, Event::Prompted { attempt: a, .. } if a == attempt));
    let closed = told.at(|e| matches!(e, Event::AttemptClosed { attempt: a, .. } if a == attempt));
    (prompted, closed)
}

fn review_asked_for_changes_and_then_approved(told: &Told) {
    let verdicts = |wanted: Subject| {
        let of = |(_, event): &(Millis, Event)| match event {
            Event::Judged { subject, verdict } if *subject == wanted => Some(verdict.approved),
            _ => None,
        };
        told.facts.iter().filter_map(of).collect::<Vec<_>>()
    };
    for (task, wanted) in
        [("T1", vec![true]), ("T2", vec![true]), ("T3", vec![false, true]), ("T4", vec![true])]
    {
        assert_eq!(verdicts(Subject::Task(TaskId::new(task))), wanted, "{task}");
    }
    assert_eq!(verdicts(Subject::Whole), [true]);
    assert_eq!(told.mission.task(&TaskId::new("T3")).unwrap().attempts, 2);
    let whole = &told.mission.whole;
    let tree = whole.inspection.as_ref().unwrap().tree.clone();
    assert!(tree.is_some(), "the project is a repository");
    assert_eq!(whole.verdict.as_ref().unwrap().tree, tree, "a verdict is good for one tree");
    assert_eq!(told.mission.handed_back, Some(HandBack::ToolResult));
}

fn checks_went_from_red_to_green(told: &Told) {
    let outcomes = |results: &[gantry::domain::verdict::CheckResult]| {
        results.iter().map(|r| (r.command.clone(), r.outcome)).collect::<Vec<_>>()
    };
    let before = told.mission.survey.as_ref().unwrap().baseline.as_ref().unwrap();
    assert_eq!(outcomes(before), [("npm test".to_owned(), CheckOutcome::Failed(1))]);
    let after = told.mission.whole.checks.as_ref().unwrap();
    assert_eq!(outcomes(after), [("npm test".to_owned(), CheckOutcome::Passed)]);
    for task in &told.mission.tasks {
        let results = task.gate.checks.as_ref().unwrap();
        assert!(!results.is_empty() && results.iter().all(|r| r.passed()), "{}: {results:?}", task.spec.id);
    }
}

fn plan_file_is_ticked(project: &Path) {
    let text = fs::read_to_string(project.join("TODO.md")).unwrap();
    let items: Vec<&str> = text.lines().filter(|line| line.starts_with("- [")).collect();
    assert_eq!(items.len(), 5, "{text}");
    for (item, id) in items.iter().zip(["T1", "T2", "T3", "T4", "T5"]) {
        assert!(item.starts_with(&format!("- [x] {id}: ")), "{text}");
    }
}

/// Work of the user's own that lies about when the mission starts.
struct Mine {
    before: [String; 5],
    edited: String,
}

impl Mine {
    fn prepare(project: &Path) -> Self {
        fs::write(project.join("src/tax.js"), "// put aside\n").unwrap();
        git(project, &["stash"]).unwrap();
        fs::write(project.join("staged.txt"), "staged\n").unwrap();
        git(project, &["add", "staged.txt"]).unwrap();
        let edited = fs::read_to_string(project.join("package.json")).unwrap().replace("{\n", "{\n\n");
        fs::write(project.join("package.json"), &edited).unwrap();
        fs::write(project.join("untracked.txt"), "untracked\n").unwrap();
        Self { before: Self::state(project), edited }
    }

    /// Commit, branches and stash, what the stash holds, the index, what is staged, and the settings.
    fn state(project: &Path) -> [String; 5] {
        [
            git(project, &["for-each-ref"]).unwrap() + &git(project, &["symbolic-ref", "HEAD"]).unwrap(),
            git(project, &["stash", "list", "--format=%H"]).unwrap(),
            git(project, &["ls-files", "--stage"]).unwrap(),
            git(project, &["diff", "--cached"]).unwrap(),
            git(project, &["config", "--local", "--list"]).unwrap(),
        ]
    }

    fn assert_untouched(&self, project: &Path) {
        assert_eq!(Self::state(project), self.before);
        let read = |path: &str| fs::read_to_string(project.join(path)).unwrap();
        assert_eq!(read("package.json"), self.edited);
        assert_eq!((read("staged.txt"), read("untracked.txt")), ("staged\n".into(), "untracked\n".into()));
        let status = git(project, &["status", "--porcelain"]).unwrap();
        let changed: BTreeSet<&str> = status.lines().collect();
        let wanted = BTreeSet::from([
            " M README.md",
            " M package.json",
            " M src/cli.js",
            " M src/discount.js",
            " M src/format.js",
            " M src/invoice.js",
            " M src/parse.js",
            " M src/tax.js",
            " M test/discount.test.js",
            "?? TODO.md",
            "?? untracked.txt",
            "A  staged.txt",
        ]);
        assert_eq!(changed, wanted);
    }
}

#[test]
fn what_the_user_typed_arrives_word_for_word() {
    let text = "Say \"hi\" to 'all' & $HOME,\nmind $1, $ARGUMENTS and C:\\\\share\\x, and smile 🎉";
    let stage = Stage::small(script::one_task);
    let finished = stage.task(text);
    let told = stage.only();
    assert_eq!(told.state(), "completed", "{finished:?}");
    assert_eq!(told.mission.created.text, text);
    stage.assert_no_misses();
}

/// Calls per turn of the busy worker, and turns.
const READS: (usize, usize) = (26, 4);

#[test]
fn every_tool_call_of_a_mission_is_checked_and_none_of_anybody_else() {
    let stage = Stage::small(|project| {
        // Each another one: the host asks the user about a call that is made three times.
        let read = |line| json!({"filePath": project.join("notes.txt"), "limit": line});
        let reads =
            |from, to| (from..to).fold(Turn::default(), |turn, line| turn.and_call("read", read(line + 1)));
        let write = json!({"filePath": project.join("hello.txt"), "content": script::GREETING});
        let mut busy = Rule::new(Role::Worker).contains("Task T1: ");
        for turn in 0..READS.1 {
            busy = busy.turn(reads(turn * READS.0, (turn + 1) * READS.0));
        }
        let busy = busy.call("write", write).call("submit_report", script::report());
        let mine = Rule::new(Role::Other).contains(PLAIN).turn(reads(0, 10)).say(script::PLAIN_ANSWER);
        script::one_task(project).first(busy).first(mine)
    });
    let wire = stage.folder().join("wire");
    let stage = stage.stand_in(&format!("tee '{}' | exec \"$GANTRY_REAL\" \"$@\"", wire.display()));
    let server = stage.env.serve().unwrap();
    let host = server.client();
    let (mission, mine) = (new_session(host), new_session(host));
    std::thread::scope(|scope| {
        scope.spawn(|| task(host, &mission, script::TASK));
        // In the middle of the mission, so that the sidecar and the hook are at work.
        let at_work = |records: &[xtask::lab::model::Recorded]| {
            records.iter().any(|r| r.role == Role::Worker).then_some(())
        };
        stage.model.wait_for(PATIENCE, at_work).unwrap();
        ask(host, &mine, "build", PLAIN);
    });

    assert_eq!(stage.only().state(), "completed");
    let children = host.get(&format!("/session/{mission}/children")).unwrap();
    let mut made = BTreeSet::new();
    for child in children.as_array().unwrap() {
        let id = text(&child["id"]);
        made.extend(
            calls(&messages(host, id)).iter().map(|part| (id.to_owned(), text(&part["callID"]).to_owned())),
        );
    }
    let own = calls(&messages(host, &mine));
    drop(server);
    stage.assert_nothing_left();

    let wire = fs::read_to_string(wire).unwrap();
    let sent: Vec<Value> = wire.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let asked = sent.iter().filter(|m| m["method"] == "lease/check").map(|m| &m["params"]);
    let asked: Vec<_> =
        asked.map(|p| (text(&p["session"]).to_owned(), text(&p["call"]).to_owned())).collect();
    // The plan, the reads, the write, the report and two reviews.
    assert_eq!(made.len(), 1 + READS.0 * READS.1 + 2 + 2);
    assert_eq!(asked.len(), made.len(), "each is asked for once");
    assert_eq!(asked.into_iter().collect::<BTreeSet<_>>(), made);
    assert_eq!(own.len(), 10);
    assert!(!wire.contains(&mine), "not even an event of a foreign session goes to the sidecar");
    stage.assert_no_misses();
}
