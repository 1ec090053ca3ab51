//! The demo mission: the plan, the work and the reviews that the scripted model plays on the sample project.
//!
//! ```text
//!            ┌─ T2 tax ──────┐
//! T1 parse ──┤               ├─ T4 invoice ── T5 output
//!            └─ T3 discount ─┘
//! ```
//! The first version of T3 passes its check and is still wrong: a fixed discount can exceed the amount. The
//! review finds it, and the second attempt mends it and adds the missing test.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::model::{Role, Rule, Script, Turn};

/// What the user asks for.
pub const TASK: &str = "Finish the tally library: every function in src that is not written yet, so that the \
                        whole test suite passes, and describe the command line in README.md";
/// How long the demo's model thinks per beat: long enough to watch.
pub const BEAT: Duration = Duration::from_millis(400);

macro_rules! work {
    ($target:literal) => {
        work!($target, $target)
    };
    ($target:literal, $source:literal) => {
        ($target, include_str!(concat!("../../sample/work/", $source)))
    };
}

type Files = &'static [(&'static str, &'static str)];

struct Task {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    files: &'static [&'static str],
    needs: &'static [&'static str],
    check: &'static str,
    /// Beats that writing takes, per attempt, and what is written then.
    attempts: &'static [(u32, Files)],
    done: &'static str,
}

const TASKS: [Task; 5] = [
    Task {
        id: "T1",
        title: "Parse amounts and lines",
        description: "Write parseAmount and parseLine in src/parse.js as their comments say.",
        files: &["src/parse.js"],
        needs: &[],
        check: "npm test -- test/parse.test.js",
        attempts: &[(2, &[work!("src/parse.js")])],
        done: "parseAmount gives whole cents and parseLine checks all four fields; both throw RangeError.",
    },
    Task {
        id: "T2",
        title: "Compute the tax",
        description: "Write taxOf in src/tax.js: rounded half up, a RangeError for an unknown rate.",
        files: &["src/tax.js"],
        needs: &["T1"],
        check: "npm test -- test/tax.test.js",
        attempts: &[(4, &[work!("src/tax.js")])],
        done: "taxOf looks the rate up with Object.hasOwn, so that inherited names are refused as well.",
    },
    Task {
        id: "T3",
        title: "Apply discounts",
        description: "Write discountOf in src/discount.js: a share, a fixed amount, or none.",
        files: &["src/discount.js", "test/discount.test.js"],
        needs: &["T1"],
        check: "npm test -- test/discount.test.js",
        attempts: &[
            (4, &[work!("src/discount.js", "src/discount.first.js")]),
            (2, &[work!("src/discount.js"), work!("test/discount.test.js")]),
        ],
        done: "discountOf knows percentages, fixed amounts and the empty code.",
    },
    Task {
        id: "T4",
        title: "Build the invoice",
        description: "Write invoice in src/invoice.js on top of parse, discount and tax.",
        files: &["src/invoice.js"],
        needs: &["T2", "T3"],
        check: "npm test -- test/invoice.test.js",
        attempts: &[(3, &[work!("src/invoice.js")])],
        done: "invoice skips empty lines, takes the discount off each item and taxes what is left.",
    },
    Task {
        id: "T5",
        title: "Print and describe it",
        description: "Write src/format.js and src/cli.js, and describe the command line in README.md.",
        files: &["src/format.js", "src/cli.js", "README.md"],
        needs: &["T4"],
        check: "npm test -- test/format.test.js test/cli.test.js",
        attempts: &[(3, &[work!("src/format.js"), work!("src/cli.js"), work!("README.md")])],
        done: "The command line prints an aligned invoice; README.md shows how to call it.",
    },
];

/// The whole script for the project in this (absolute) folder, with this long a beat.
pub fn script(project: &Path, beat: Duration) -> Script {
    let demo = Demo { project, beat };
    let mut script = Script::new().rule(demo.commander()).rule(demo.planner()).rule(demo.integration());
    // Later tasks first: a prompt may name the tasks its own depends on, never one that depends on it.
    for task in TASKS.iter().rev() {
        for number in 1..=task.attempts.len() {
            script = script.rule(demo.worker(task, number)).rule(demo.reviewer(task, number));
        }
    }
    script
}

/// Sum of the scripted thinking on the longest chain of the mission: what no engine can go below.
pub fn critical_path(beat: Duration) -> Duration {
    let chain = ["T1", "T3", "T4", "T5"];
    let attempts = TASKS.iter().filter(|task| chain.contains(&task.id)).flat_map(|task| task.attempts);
    // Read, write, report; read, verdict.
    let tasks: u32 = attempts.map(|(writing, _)| 1 + writing + 1 + 1 + 1).sum();
    let (commander, planner, integration) = (1, 2, 2);
    beat * (commander + planner + tasks + integration)
}

/// The plan as the planner hands it in.
pub fn plan() -> Value {
    let tasks = TASKS.iter().map(|task| {
        json!({
            "id": task.id,
            "title": task.title,
            "description": task.description,
            "files": task.files,
            "depends_on": task.needs,
            "checks": [task.check],
        })
    });
    json!({
        "summary": "Parsing first; tax and discounts side by side; then the invoice and its output.",
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

struct Demo<'a> {
    project: &'a Path,
    beat: Duration,
}

impl Demo<'_> {
    fn commander(&self) -> Rule {
        let brief = "Finish the tally library in src. Every exported function has a comment that says what it \
                     must do and throws until it is written; the tests in test describe the details. README.md \
                     must say how the command line is used.";
        let args = json!({
            "brief": brief,
            "acceptance": ["npm test passes", "README.md shows a call of src/cli.js"],
            "constraints": ["no dependencies"],
        });
        let start = Turn::call("mission", args).after(self.beat);
        Rule::new(Role::Commander).contains("Call the tool `mission`").turn(start).turn(Turn::echo())
    }

    fn planner(&self) -> Rule {
        let look = self.read("package.json").and_call("read", json!({"filePath": self.path("src")}));
        let submit = Turn::call("submit_plan", plan()).after(self.beat);
        Rule::new(Role::Planner).contains("Plan the mission").turn(look).turn(submit)
    }

    fn worker(&self, task: &Task, number: usize) -> Rule {
        let (beats, files) = task.attempts[number - 1];
        let mut write = Turn::default().after(self.beat * beats);
        for (path, content) in files {
            write = write.and_call("write", json!({"filePath": self.path(path), "content": content}));
        }
        let changed: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let summary = match number {
            1 => task.done,
            _ => "A discount is now capped at the amount, and a test shows it.",
        };
        let report = json!({"status": "done", "summary": summary, "files_changed": changed});
        on(Role::Worker, &format!("Task {}: ", task.id), task, number)
            .turn(self.read(files[0].0))
            .turn(write)
            .turn(Turn::call("submit_report", report).after(self.beat))
    }

    fn reviewer(&self, task: &Task, number: usize) -> Rule {
        let file = task.files[0];
        let verdict = if number == task.attempts.len() {
            json!({"verdict": "approve", "summary": format!("{file} does what the task asks for."), "findings": []})
        } else {
            let message = "A fixed amount is returned as it is, even when it is more than the item costs: \
                           discountOf(300, \"5.00\") is 500 and makes the price negative. Cap the discount at the \
                           amount and add a test.";
            let finding = json!({"file": file, "line": 10, "severity": "high", "message": message});
            json!({"verdict": "changes", "summary": "A discount can exceed the price.", "findings": [finding]})
        };
        on(Role::Reviewer, &format!("Review of task {}: ", task.id), task, number)
            .turn(self.read(file))
            .turn(Turn::call("submit_review", verdict).after(self.beat))
    }

    fn integration(&self) -> Rule {
        let verdict = json!({
            "verdict": "approve",
            "summary": "The parts fit together, the suite passes and README.md shows the command line.",
            "findings": [],
        });
        Rule::new(Role::Reviewer)
            .contains("Integration review")
            .turn(self.read("README.md"))
            .turn(Turn::call("submit_review", verdict).after(self.beat))
    }

    fn read(&self, path: &str) -> Turn {
        Turn::call("read", json!({"filePath": self.path(path)})).after(self.beat)
    }

    fn path(&self, relative: &str) -> String {
        self.project.join(relative).display().to_string()
    }
}

/// The last scripted attempt also answers any later one, which there is when something else went wrong.
fn on(role: Role, heading: &str, task: &Task, number: usize) -> Rule {
    let rule = Rule::new(role).contains(heading);
    if number == task.attempts.len() { rule } else { rule.contains(&format!("Attempt {number} of ")) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::lab::sample;

    fn write(folder: &Path, files: Files) {
        for (path, text) in files {
            fs::write(folder.join(path), text).unwrap();
        }
    }

    /// Runs a check as the gate does and says whether it passed.
    fn passes(folder: &Path, check: &str) -> bool {
        let words: Vec<&str> = check.split(' ').collect();
        let output = Command::new(words[0]).args(&words[1..]).current_dir(folder).output().unwrap();
        output.status.success()
    }

    #[test]
    fn each_check_is_red_before_its_task_and_green_after_every_attempt() {
        let folder = tempfile::tempdir().unwrap();
        sample::create(folder.path()).unwrap();
        for task in &TASKS {
            assert!(!passes(folder.path(), task.check), "{} before", task.id);
            for (number, (_, files)) in task.attempts.iter().enumerate() {
                write(folder.path(), files);
                assert!(passes(folder.path(), task.check), "{} attempt {}", task.id, number + 1);
            }
        }
        assert!(passes(folder.path(), "npm test"));
    }

    #[test]
    fn first_discount_really_has_the_fault_that_the_review_names() {
        let folder = tempfile::tempdir().unwrap();
        sample::create(folder.path()).unwrap();
        write(folder.path(), TASKS[0].attempts[0].1);
        let [(_, first), (_, second)] = TASKS[2].attempts else { panic!("two attempts") };
        write(folder.path(), second);
        assert!(passes(folder.path(), TASKS[2].check));
        write(folder.path(), first);
        assert!(!passes(folder.path(), TASKS[2].check), "the added test must catch the first version");
        let line = first[0].1.lines().nth(9).unwrap();
        assert_eq!(line.trim(), "return parseAmount(code);", "the finding names line 10");
    }

    #[test]
    fn no_attempt_writes_a_file_that_its_task_does_not_declare() {
        for task in &TASKS {
            let written = task.attempts.iter().flat_map(|(_, files)| files.iter().map(|(path, _)| path));
            assert!(written.clone().all(|path| task.files.contains(path)), "{}", task.id);
            assert!(task.files.iter().all(|path| written.clone().any(|other| other == path)), "{}", task.id);
        }
    }

    #[test]
    fn critical_path_is_the_longest_chain_of_the_plan() {
        fn beats(task: &Task) -> u32 {
            let before =
                task.needs.iter().map(|id| beats(TASKS.iter().find(|other| other.id == *id).unwrap()));
            let own: u32 = task.attempts.iter().map(|(writing, _)| writing + 4).sum();
            before.max().unwrap_or(0) + own
        }
        let longest = TASKS.iter().map(beats).max().unwrap();
        assert_eq!(critical_path(Duration::from_secs(1)), Duration::from_secs(u64::from(5 + longest)));
    }
}
