//! What a pool of host sessions could save, in the real host: the boot of a directory, the making of a session, and the
//! part of a prompt that a provider has seen before.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::scratch;
use super::stats::Samples;
use super::table::{Row, Table};
use crate::lab::host::{Client, HostEnv};
use crate::lab::model::{Model, Role, Rule, Script};
use crate::lab::sample::git;

const DIRECTORIES: usize = 12;
/// Read by the first task of each directory, so that its conversation has some length.
const FILES: usize = 4;
const LINES: usize = 150;

#[derive(Default)]
struct Found {
    boot: Vec<f64>,
    boot_turn: Vec<f64>,
    create: Vec<f64>,
    fresh: Vec<f64>,
    reused: Vec<f64>,
    fresh_prompt: Vec<Prompt>,
    reused_prompt: Vec<Prompt>,
}

/// Bytes of a request, and how many of them begin an earlier one in the same directory: tools first, then the messages,
/// which is the order in which providers keep prompts.
#[derive(Clone, Copy)]
struct Prompt {
    all: usize,
    known: usize,
}

pub(super) fn measure() -> Result<Table> {
    let folder = scratch::folder()?;
    let root = folder.path().join("host");
    let project = project(&folder.path().join("first"))?;
    std::fs::create_dir(&root)?;
    let model = Model::start(script())?;
    let env = HostEnv::new(&root, &project)?.model(&model);
    let server = env.serve()?;
    // The host's own start is not what is looked for.
    server.get("/session")?;
    let mut found = Found::default();
    for n in 0..DIRECTORIES {
        let directory = self::project(&folder.path().join(format!("directory{n}")))?;
        one_directory(&server.client_in(&directory), &model, &mut found)?;
    }
    Ok(table(found))
}

fn table(found: Found) -> Table {
    let of =
        |prompts: &[Prompt], value: fn(&Prompt) -> f64| Samples::new(prompts.iter().map(value).collect());
    let kb = |p: &Prompt| p.all as f64 / 1e3;
    let share = |p: &Prompt| p.known as f64 / p.all as f64 * 100.0;
    let new = |p: &Prompt| (p.all - p.known) as f64 / 1e3;
    let row = |what: &str, unit, samples| Row::new(what, unit, samples);
    Table::default()
        .row(row("host: first session in a directory it has not opened yet", "ms", Samples::new(found.boot)))
        .row(row("… with its first turn (model of 0 ms)", "ms", Samples::new(found.boot_turn)))
        .row(row("another session there", "ms", Samples::new(found.create)))
        .row(row("… with its first turn", "ms", Samples::new(found.fresh)))
        .row(row("a turn in the session of the task before", "ms", Samples::new(found.reused)))
        .row(row("prompt of a second task in a new session", "KB", of(&found.fresh_prompt, kb)))
        .row(row("… of it known from the directory's first prompts", "%", of(&found.fresh_prompt, share)))
        .row(row("… new", "KB", of(&found.fresh_prompt, new)))
        .row(row("prompt of a second task in the session of the first", "KB", of(&found.reused_prompt, kb)))
        .row(row("… of it known from the conversation", "%", of(&found.reused_prompt, share)))
        .row(row("… new", "KB", of(&found.reused_prompt, new)))
}

fn script() -> Script {
    let mut first = Rule::new(Role::Other).contains("first task");
    for n in 0..FILES {
        first = first.call("read", json!({ "filePath": format!("file{n}.txt") }));
    }
    let other = |text: &str| Rule::new(Role::Other).contains(text).say("Done.");
    Script::new()
        .rule(first.say("Done."))
        .rule(other("opening task"))
        .rule(other("second task"))
        .rule(other("third task"))
}

fn project(path: &Path) -> Result<std::path::PathBuf> {
    std::fs::create_dir_all(path)?;
    git(path, &["init", "--quiet"])?;
    for n in 0..FILES {
        let text = "a line of a file that a worker reads to know what it is about\n".repeat(LINES);
        std::fs::write(path.join(format!("file{n}.txt")), text)?;
    }
    Ok(path.canonicalize()?)
}

fn one_directory(client: &Client, model: &Model, found: &mut Found) -> Result<()> {
    let before = model.requests().len();
    let began = Instant::now();
    let opening = session(client)?;
    found.boot.push(millis(began));
    turn(client, &opening, "opening task")?;
    found.boot_turn.push(millis(began));
    let first = session(client)?;
    turn(client, &first, "first task")?;

    let began = Instant::now();
    let second = session(client)?;
    found.create.push(millis(began));
    turn(client, &second, "second task")?;
    found.fresh.push(millis(began));

    let began = Instant::now();
    turn(client, &first, "third task")?;
    found.reused.push(millis(began));

    let requests = model.requests().split_off(before);
    let of = |text: &str| -> Result<Prompt> {
        let at = requests.iter().position(|r| r.prompt.contains(text) && r.role == Role::Other);
        let at = at.with_context(|| format!("no request of the {text}"))?;
        let prompts: Vec<_> = requests[..=at].iter().map(|r| in_order(&r.body())).collect();
        let prompt = prompts[at].as_bytes();
        let shared = |other: &String| prompt.iter().zip(other.as_bytes()).take_while(|(a, b)| a == b).count();
        let known = prompts[..at].iter().map(shared).max().unwrap_or(0);
        Ok(Prompt { all: prompt.len(), known })
    };
    found.fresh_prompt.push(of("second task")?);
    found.reused_prompt.push(of("third task")?);
    Ok(())
}

fn in_order(body: &Value) -> String {
    format!("{}{}", body["tools"], body["messages"])
}

fn session(client: &Client) -> Result<String> {
    let made = client.post("/session", &json!({ "title": "task" }))?;
    made["id"].as_str().map(str::to_owned).context("a session without an id")
}

fn turn(client: &Client, session: &str, text: &str) -> Result<Value> {
    let body = json!({ "agent": "build", "parts": [{ "type": "text", "text": text }] });
    client.post(&format!("/session/{session}/message"), &body)
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
