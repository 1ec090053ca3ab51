//! Missions in the real host: what they take beyond the scripted thinking, beside the very same turns begun by nothing
//! but a loop, so that the host's own cost can be told from what the sidecar adds.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Built;
use super::arms::{Arm, Arms, Run};
use super::cost::Used;
use super::demo::missions;
use super::makespan::{WORKERS, rounds};
use super::scratch;
use super::stats::Samples;
use super::table::{Row, Table};
use crate::lab::host::{Client, HostEnv};
use crate::lab::model::{Model, Recorded, Role, Rule, Script, Turn};

/// Tasks side by side, and how often.
const SIZES: [(usize, usize); 3] = [(1, 3), (10, 3), (50, 1)];
const THINK: Duration = Duration::from_secs(1);
/// After the last answer: what a turn leaves behind has ended.
const SETTLED: Duration = Duration::from_secs(2);
const FILES: usize = 100;
/// Tasks that begin together in worktrees, and how often.
const ABREAST: usize = 4;
const STARTS: usize = 3;
/// Tasks in a row, and the files that each has to know.
const CHAIN: usize = 4;
const READ: usize = 4;
/// Longer than opening the worktrees takes, and shorter than any real planner.
const PLANNING: Duration = Duration::from_secs(8);

/// Tasks side by side, beside the same turns without Gantry: once with workers that change the same files, and once with
/// workers that only read.
pub(super) fn side_by_side(built: &Built) -> Result<Table> {
    let folder = scratch::folder()?;
    let root = folder.path().join("host");
    let project = scratch::project(folder.path(), FILES)?;
    std::fs::create_dir(&root)?;
    let model = Model::start(Script::new())?;
    let env =
        HostEnv::new(&root, &project)?.model(&model).plugin(&built.shim, json!({})).gantry(&built.gantry);
    let server = env.serve()?;
    let client = server.client();
    model.replace(Script::new().rule(Rule::new(Role::Other).contains("opening").say("Done.")));
    // Only the first turn of a directory loads what all need.
    turn(client, "opening")?;
    let mut table = Table::default();
    let mut all = Arms::default();
    let mut round = 0;
    for (tasks, runs) in SIZES {
        let mut arms = Arms::default();
        for _ in 0..runs {
            round += 1;
            let measured = |arm: Arm| -> Result<Run> {
                let files = format!("{}{round}", arm.folder());
                model.replace(match arm {
                    Arm::Mission => script(&project, &files, tasks, Duration::ZERO),
                    Arm::Writing => bare_script(tasks, Some(&project.join(&files))),
                    Arm::Reading => bare_script(tasks, None),
                });
                let (from, before) = (model.requests().len(), Used::read(&env, &server)?);
                let took = match arm {
                    Arm::Mission => mission(built, &env, client)?,
                    Arm::Writing | Arm::Reading => bare(client, tasks)?,
                };
                // What ends by itself after the last word belongs to it.
                std::thread::sleep(SETTLED);
                let used = Used::read(&env, &server)? - before;
                let requests = &model.requests()[from..];
                Ok(Run {
                    took,
                    used,
                    waits: turnarounds(requests, tasks)?,
                    asked: requests.len(),
                    sent: requests.iter().map(|r| r.raw.len()).sum(),
                })
            };
            // Who goes first changes.
            for step in 0..Arm::ALL.len() {
                let arm = Arm::ALL[(round + step) % Arm::ALL.len()];
                arms.of(arm).push(measured(arm)?);
            }
        }
        ensure!(model.misses().is_empty(), "the script missed a turn: {:?}", model.misses());
        table = arms.rows(table, tasks, bound(tasks));
        all.take_in(arms);
    }
    Ok(all.wait_rows(table))
}

/// What is made ready ahead, and what is handed on: each with and without.
pub(super) fn handed_on(built: &Built) -> Result<Table> {
    let mut table = Table::default();
    for ahead in [0, ABREAST] {
        let waits = (0..STARTS).map(|_| in_worktrees(built, ahead)).collect::<Result<Vec<_>>>()?;
        let what = format!(
            "plan handed in → all {ABREAST} workers at work, each in a worktree of its own, {ahead} made ready ahead"
        );
        table = table.row(Row::new(what, "ms", Samples::millis(waits)));
    }
    for reuse in ["off", "follow"] {
        let runs = (0..STARTS).map(|_| in_a_row(built, reuse)).collect::<Result<Vec<_>>>()?;
        let (took, sent): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let what =
            format!("mission of {CHAIN} tasks in a row about the same {READ} files, `sessionReuse` {reuse}");
        table = table
            .row(Row::new(what, "s", Samples::new(took.iter().map(Duration::as_secs_f64).collect())))
            .row(Row::new("… sent to the model by its workers", "KB", Samples::new(sent)));
    }
    Ok(table)
}

/// Turns that wait for each other whatever anybody does: the Commander's, the planner's, two answers of as many workers as
/// it takes, the last review, and that of the whole.
fn bound(tasks: usize) -> Duration {
    THINK * (2 + 2 * rounds(tasks) + 2)
}

/// One mission, from the request to the report.
fn mission(built: &Built, env: &HostEnv, client: &Client) -> Result<Duration> {
    let session = session(client)?;
    client.post(
        &format!("/session/{session}/command"),
        &json!({"command": "task", "arguments": "Do it all"}),
    )?;
    let newest = missions(built, env)?.into_iter().next().context("no mission")?;
    ensure!(newest["state"] == "completed", "the mission ended so: {newest}");
    let at = |name: &str| newest[name].as_u64().with_context(|| format!("no {name} in {newest}"));
    Ok(Duration::from_millis(at("endedAt")? - at("createdAt")?))
}

/// The same turns in the same order, each in a session of its own, and nothing else.
fn bare(client: &Client, tasks: usize) -> Result<Duration> {
    let began = Instant::now();
    turn(client, "Commander's turn")?;
    turn(client, "planner's turn")?;
    let next = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        let worker = || -> Result<()> {
            let mut reviews = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n > tasks {
                    break;
                }
                turn(client, &format!("Task T{n}: go"))?;
                reviews.push(scope.spawn(move || turn(client, &format!("Review of task T{n}: look"))));
            }
            reviews.into_iter().try_for_each(|review| joined(review.join()))
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| joined(worker.join()))
    })?;
    turn(client, "Integration review")?;
    Ok(began.elapsed())
}

fn joined(ended: std::thread::Result<Result<()>>) -> Result<()> {
    ended.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread broke down")))
}

fn session(client: &Client) -> Result<String> {
    let made = client.post("/session", &json!({ "title": "bench" }))?;
    made["id"].as_str().map(str::to_owned).context("a session without an id")
}

fn turn(client: &Client, text: &str) -> Result<()> {
    let body = json!({ "agent": "build", "parts": [{ "type": "text", "text": text }] });
    client.post(&format!("/session/{}/message", session(client)?), &body)?;
    Ok(())
}

/// From the end of the last answer to each worker to the first request of its reviewer.
fn turnarounds(requests: &[Recorded], tasks: usize) -> Result<Vec<Duration>> {
    let of =
        |text: String| requests.iter().filter(move |r| r.role != Role::Title && r.prompt.contains(&text));
    let one = |n: usize| {
        let ended =
            of(format!("Task T{n}: ")).filter(|r| r.role != Role::Reviewer).filter_map(|r| r.ended).max();
        let begun = of(format!("Review of task T{n}: ")).map(|r| r.started).min();
        let (ended, begun) = ended.zip(begun).with_context(|| format!("T{n} was not worked and reviewed"))?;
        Ok(begun.saturating_sub(ended))
    };
    (1..=tasks).map(one).collect()
}

/// From the plan to the first request of the last of its workers, in a host that has just been started.
fn in_worktrees(built: &Built, ahead: usize) -> Result<Duration> {
    let folder = scratch::folder()?;
    let root = folder.path().join("host");
    let project = scratch::project(folder.path(), FILES)?;
    std::fs::create_dir(&root)?;
    let model = Model::start(script(Path::new(""), "work", ABREAST, PLANNING))?;
    let env = HostEnv::new(&root, &project)?
        .model(&model)
        .plugin(&built.shim, json!({"isolation": "worktree", "worktreesAhead": ahead}))
        .gantry(&built.gantry);
    let server = env.serve()?;
    mission(built, &env, server.client())?;
    let requests = model.requests();
    let planned = requests.iter().find(|r| r.role == Role::Planner).and_then(|r| r.ended);
    let begun = (1..=ABREAST).map(|n| {
        let text = format!("Task T{n}: ");
        requests.iter().find(|r| r.role == Role::Worker && r.prompt.contains(&text)).map(|r| r.started)
    });
    let last = begun.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
    let (last, planned) = last.zip(planned).context("not all tasks were worked")?;
    Ok(last - planned)
}

/// The makespan, and what was sent to the model by workers, in kilobytes. A worker reads what it does not know from its
/// conversation, one file at a time.
fn in_a_row(built: &Built, reuse: &str) -> Result<(Duration, f64)> {
    let folder = scratch::folder()?;
    let root = folder.path().join("host");
    let project = scratch::project(folder.path(), FILES)?;
    std::fs::create_dir(&root)?;
    let mut script =
        script(&project, "work", 0, Duration::ZERO).first(planner(super::host::plan(CHAIN, true), THINK));
    for n in (1..=CHAIN).rev() {
        let read = if n == 1 || reuse == "off" { READ } else { 0 };
        let glance = |rule: Rule, file: usize| {
            let file = project.join(format!("src/part0/file{file}.js"));
            rule.turn(Turn::call("read", json!({"filePath": file})).after(THINK))
        };
        let worker = (0..read).fold(Rule::new(Role::Worker).contains(&format!("Task T{n}: ")), glance);
        script = script
            .rule(works(worker, &project.join("work"), n))
            .rule(reviewer(&format!("Review of task T{n}: ")));
    }
    let model = Model::start(script)?;
    let env = HostEnv::new(&root, &project)?
        .model(&model)
        .plugin(&built.shim, json!({"sessionReuse": reuse}))
        .gantry(&built.gantry);
    let server = env.serve()?;
    let took = mission(built, &env, server.client())?;
    let sent = model.requests().iter().filter(|r| r.role == Role::Worker).map(|r| r.raw.len()).sum::<usize>();
    Ok((took, sent as f64 / 1e3))
}

fn script(project: &Path, folder: &str, tasks: usize, planning: Duration) -> Script {
    let brief = json!({"brief": "Write every file that the plan names."});
    let commander = Rule::new(Role::Commander).contains("Call the tool `mission`");
    let mut plan = super::host::plan(tasks, false);
    for n in 1..=tasks {
        plan["tasks"][n - 1]["files"] = json!([format!("{folder}/T{n}.txt")]);
    }
    let mut script = Script::new()
        .rule(commander.turn(Turn::call("mission", brief).after(THINK)).turn(Turn::echo()))
        .rule(planner(plan, THINK.max(planning)))
        .rule(reviewer("Integration review"));
    for n in 1..=tasks {
        let worker = Rule::new(Role::Worker).contains(&format!("Task T{n}: "));
        script = script.rule(reviewer(&format!("Review of task T{n}: "))).rule(works(
            worker,
            &project.join(folder),
            n,
        ));
    }
    script
}

fn planner(plan: Value, thinks: Duration) -> Rule {
    let rule = Rule::new(Role::Planner).contains("Plan the mission");
    rule.turn(Turn::call("submit_plan", plan).after(thinks))
}

/// Writes its file and reports.
fn works(worker: Rule, folder: &Path, n: usize) -> Rule {
    let report = json!({"status": "done", "summary": "The file is written."});
    worker.turn(write(folder, n)).turn(Turn::call("submit_report", report).after(THINK))
}

fn write(folder: &Path, n: usize) -> Turn {
    let file = json!({"filePath": folder.join(format!("T{n}.txt")), "content": "done\n"});
    Turn::call("write", file).after(THINK)
}

fn reviewer(opening: &str) -> Rule {
    let verdict = json!({"verdict": "approve", "summary": "As it should be.", "findings": []});
    Rule::new(Role::Reviewer).contains(opening).turn(Turn::call("submit_review", verdict).after(THINK))
}

/// As many requests for each turn, with tools of the host in the place of Gantry's. Workers write where it is said.
fn bare_script(tasks: usize, folder: Option<&Path>) -> Script {
    let glance = || Turn::call("glob", json!({"pattern": "src/part0/*1.js"})).after(THINK);
    let rule = |text: &str| Rule::new(Role::Other).contains(text);
    let once = ["Commander's turn", "planner's turn", "Integration review"];
    let mut script = once
        .into_iter()
        .fold(Script::new(), |script, text| script.rule(rule(text).turn(glance()).say("Done.")));
    for n in 1..=tasks {
        let first = folder.map_or_else(glance, |folder| write(folder, n));
        let worker = rule(&format!("Task T{n}: ")).turn(first).turn(glance()).say("Done.");
        let reviewer = rule(&format!("Review of task T{n}: ")).turn(glance()).say("Done.");
        script = script.rule(reviewer).rule(worker);
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_counts_the_answers_that_wait_for_each_other() {
        assert_eq!(SIZES.map(|(tasks, _)| bound(tasks).as_secs()), [6, 6, 14]);
    }
}
