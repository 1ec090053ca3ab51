//! What the model says in a mission of one task, part by part, so that a test can put its own part first.

use std::path::Path;

use serde_json::{Value, json};
use xtask::lab::model::{Role, Rule, Script, Turn};

pub const TASK: &str = "Write a greeting into hello.txt";
pub const GREETING: &str = "hello\n";
/// What the user's own agent is asked and answers.
pub const PLAIN: &str = "Say a plain word";
pub const PLAIN_ANSWER: &str = "A plain word.";
/// The answer of a Commander who was told that there is no mission.
pub const REFUSED: &str = "No mission was started.";

/// The whole of it, with the user's own agent beside.
pub fn one_task(project: &Path) -> Script {
    Script::new()
        .rule(commander())
        .rule(no_mission())
        .rule(planner(plan(&[task("T1", &["hello.txt"], &[])])))
        .rule(plan_stays())
        .rule(integration(approve()))
        .rule(worker(project, "T1", "hello.txt"))
        .rule(reviewer("T1", approve()))
        .rule(plain())
}

pub fn commander() -> Rule {
    let brief = json!({"brief": "Put a greeting into the file hello.txt."});
    Rule::new(Role::Commander).contains("Call the tool `mission`").call("mission", brief).turn(Turn::echo())
}

pub fn no_mission() -> Rule {
    Rule::new(Role::Commander).contains("No mission was started").say(REFUSED)
}

pub fn planner(plan: Value) -> Rule {
    Rule::new(Role::Planner).contains("Plan the mission").call("submit_plan", plan)
}

/// What the user says to the whole mission leaves its plan as it is.
pub fn plan_stays() -> Rule {
    anew(json!({"summary": "Nothing changes.", "tasks": []}))
}

/// The rest of the mission planned anew.
pub fn anew(plan: Value) -> Rule {
    Rule::new(Role::Planner).contains("Plan the rest of the mission anew").call("submit_plan", plan)
}

/// Writes one file and reports.
pub fn worker(project: &Path, task: &str, file: &str) -> Rule {
    let write = json!({"filePath": project.join(file), "content": GREETING});
    Rule::new(Role::Worker)
        .contains(&format!("Task {task}: "))
        .call("write", write)
        .call("submit_report", report())
}

pub fn reviewer(task: &str, verdict: Value) -> Rule {
    Rule::new(Role::Reviewer).contains(&format!("Review of task {task}: ")).call("submit_review", verdict)
}

pub fn integration(verdict: Value) -> Rule {
    Rule::new(Role::Reviewer).contains("Integration review").call("submit_review", verdict)
}

pub fn plain() -> Rule {
    Rule::new(Role::Other).contains(PLAIN).say(PLAIN_ANSWER)
}

pub fn plan(tasks: &[Value]) -> Value {
    json!({"summary": "The greeting first.", "tasks": tasks})
}

pub fn task(id: &str, files: &[&str], needs: &[&str]) -> Value {
    json!({
        "id": id,
        "title": format!("Write {}", files.join(" and ")),
        "description": "One line that greets.",
        "files": files,
        "depends_on": needs,
    })
}

pub fn report() -> Value {
    json!({"status": "done", "summary": "The greeting is written."})
}

pub fn approve() -> Value {
    json!({"verdict": "approve", "summary": "The file greets.", "findings": []})
}
