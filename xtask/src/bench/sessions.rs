//! What a pool of host sessions could save, in the real host: the boot of a directory, the making of a session, and the
//! part of a prompt that a provider has seen before.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::scratch;
use super::start::resident;
use super::stats::Samples;
use super::table::{Row, Table};
use crate::lab::host::{Client, HostEnv};
use crate::lab::model::{Model, Recorded, Role, Rule, Script};
use crate::lab::sample::git;

const DIRECTORIES: usize = 12;
/// Read by the first task of each directory, so that its conversation has some length.
const FILES: usize = 4;
const LINES: usize = 150;

/// What was measured, in milliseconds, in directories that were opened by the task itself.
#[derive(Default)]
struct Found {
    boot: Vec<f64>,
    first_turn: Vec<f64>,
    create: Vec<f64>,
    /// One turn, in a conversation of its own and in that of the task before.
    fresh: Vec<f64>,
    reused: Vec<f64>,
    /// A task about the files of the one before: read again, or known from its conversation.
    fresh_reading: Vec<f64>,
    reused_reading: Vec<f64>,
    elsewhere_prompt: Vec<Prompt>,
    fresh_prompt: Vec<Prompt>,
    reused_prompt: Vec<Prompt>,
    /// Of all requests of the task together.
    fresh_sent: Vec<f64>,
    reused_sent: Vec<f64>,
    /// In directories that were opened ahead of their task.
    ahead: Vec<f64>,
    ahead_turn: Vec<f64>,
}

/// Bytes of a request, and how many of them begin an earlier one: tools first, then the messages, which is the order in
/// which providers keep prompts.
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
    // The host's own first turn is not what is looked for.
    let client = server.client();
    turn(client, &session(client)?, "opening task")?;
    let mut found = Found::default();
    let mut grown = None;
    for n in 0..DIRECTORIES {
        let directory = self::project(&folder.path().join(format!("directory{n}")))?;
        one_directory(&server.client_in(&directory), &model, &mut found)?;
        let ahead = self::project(&folder.path().join(format!("ahead{n}")))?;
        opened_ahead(&server.client_in(&ahead), &mut found)?;
        let now = resident(server.process.pid())?;
        grown = grown.or(now.map(|now| (now, now))).zip(now).map(|((first, _), now)| (first, now));
    }
    let opened = 2.0 * (DIRECTORIES - 1) as f64;
    Ok(table(found, grown.map(|(first, last)| (last - first) / opened)))
}

fn table(found: Found, grown: Option<f64>) -> Table {
    let of =
        |prompts: &[Prompt], value: fn(&Prompt) -> f64| Samples::new(prompts.iter().map(value).collect());
    let kb = |p: &Prompt| p.all as f64 / 1e3;
    let share = |p: &Prompt| p.known as f64 / p.all as f64 * 100.0;
    let row = |what: &str, unit, samples| Row::new(what, unit, samples);
    let ms = |what: &str, values| row(what, "ms", Samples::new(values));
    let table = Table::default()
        .row(ms("host: first session in a directory it has not opened yet", found.boot))
        .row(ms("… its first turn (model of 0 ms)", found.first_turn))
        .row(ms("another session there", found.create))
        .row(ms("… its first turn", found.fresh))
        .row(ms("a turn in the session of the task before", found.reused))
        .row(ms("opening a directory ahead: its providers and files asked for", found.ahead))
        .row(ms("… first turn of a session there", found.ahead_turn))
        .row(ms("a task that reads the files of the one before, in a new session", found.fresh_reading))
        .row(ms("… in the session of the first, where they are known", found.reused_reading))
        .row(row("prompts of that task together, in a new session", "KB", Samples::new(found.fresh_sent)))
        .row(row("… in the session of the first", "KB", Samples::new(found.reused_sent)))
        .row(row(
            "prompt of a first task, part known from other directories",
            "%",
            of(&found.elsewhere_prompt, share),
        ))
        .row(row("prompt of a second task in a new session", "KB", of(&found.fresh_prompt, kb)))
        .row(row("… part known from the directory's first prompts", "%", of(&found.fresh_prompt, share)))
        .row(row("prompt of a second task in the session of the first", "KB", of(&found.reused_prompt, kb)))
        .row(row("… part known from the conversation", "%", of(&found.reused_prompt, share)));
    match grown {
        Some(each) => table.row(row(
            "resident memory of the host for each directory opened and worked in",
            "MB",
            Samples::new(vec![each]),
        )),
        None => table,
    }
}

fn script() -> Script {
    let reading = |text: &str| {
        let rule = Rule::new(Role::Other).contains(text);
        let read = |rule: Rule, n: usize| rule.call("read", json!({ "filePath": format!("file{n}.txt") }));
        (0..FILES).fold(rule, read).say("Done.")
    };
    let other = |text: &str| Rule::new(Role::Other).contains(text).say("Done.");
    Script::new()
        .rule(reading("first task"))
        .rule(reading("same files anew"))
        .rule(other("opening task"))
        .rule(other("second task"))
        .rule(other("third task"))
        .rule(other("same files, known"))
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
    let here = asked(model).len();
    let (opening, took) = timed(|| session(client))?;
    found.boot.push(took);
    found.first_turn.push(timed(|| turn(client, &opening, "opening task"))?.1);
    let first = session(client)?;
    turn(client, &first, "first task")?;

    let (second, took) = timed(|| session(client))?;
    found.create.push(took);
    found.fresh.push(timed(|| turn(client, &second, "second task"))?.1);
    let (reading, _) = timed(|| session(client))?;
    found.fresh_reading.push(timed(|| turn(client, &reading, "same files anew"))?.1);
    found.reused.push(timed(|| turn(client, &first, "third task"))?.1);
    found.reused_reading.push(timed(|| turn(client, &first, "same files, known"))?.1);

    let requests = asked(model);
    let prompts: Vec<_> = requests.iter().map(|r| in_order(&r.body())).collect();
    let of = |text: &str| -> Result<Prompt> {
        let at = requests.iter().skip(here).position(|r| r.prompt.contains(text));
        let at = here + at.with_context(|| format!("no request of the {text}"))?;
        let prompt = prompts[at].as_bytes();
        let shared = |other: &String| prompt.iter().zip(other.as_bytes()).take_while(|(a, b)| a == b).count();
        let known = prompts[..at].iter().map(shared).max().unwrap_or(0);
        Ok(Prompt { all: prompt.len(), known })
    };
    found.elsewhere_prompt.push(of("opening task")?);
    found.fresh_prompt.push(of("second task")?);
    found.reused_prompt.push(of("third task")?);
    let sent = |text: &str| {
        let of_task = requests.iter().zip(&prompts).skip(here).filter(|(r, _)| r.prompt.contains(text));
        of_task.map(|(_, prompt)| prompt.len() as f64 / 1e3).sum::<f64>()
    };
    found.fresh_sent.push(sent("same files anew"));
    found.reused_sent.push(sent("same files, known"));
    Ok(())
}

/// Requests of tasks, not of titles.
fn asked(model: &Model) -> Vec<Recorded> {
    model.requests().into_iter().filter(|r| r.role == Role::Other).collect()
}

/// What the plugin asks of a directory that is about to be worked in.
fn opened_ahead(client: &Client, found: &mut Found) -> Result<()> {
    let opened = timed(|| {
        client.get("/config/providers")?;
        client.get("/file?path=.")
    });
    found.ahead.push(opened?.1);
    let first = session(client)?;
    found.ahead_turn.push(timed(|| turn(client, &first, "opening task"))?.1);
    Ok(())
}

fn timed<T>(call: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let began = Instant::now();
    let answer = call()?;
    Ok((answer, began.elapsed().as_secs_f64() * 1e3))
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
