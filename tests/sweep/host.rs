//! A host over the wire whose sidecar can be killed at any line: strict, and as forgetful as the real one. What it was
//! asked for stays done, what it has said is not said again unless a call was never answered.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gantry::adapters::sqlite::SqliteStore;
use gantry::ports::store::Store;
use serde_json::{Value, json};
use xtask::bench::wire::{Message, Sidecar};

const PARENT: &str = "ses_user";
/// Time from a prompt to the submit call.
const TURN: Duration = Duration::from_millis(3);
/// Longest time for one mission, with its restart.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the sidecar is killed; lines are counted from 1 over the whole run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kill {
    Never,
    /// When the n-th line of the sidecar has been read, before anything is done about it.
    AfterItsLine(u32),
    /// When what the n-th line asked for is done, and its answer not yet written.
    BeforeTheAnswer(u32),
    /// So long after the n-th line was written to it: into the commit that follows, as often as not.
    AfterOurLine(u32, Duration),
    /// It is told to end with this signal when the n-th line has been read, and does so by itself.
    Signal(u32, rustix::process::Signal),
    /// No file may grow beyond so many blocks of 512 bytes. Once it has said that the disk is full, there is room.
    Full(u32),
}

#[derive(Default)]
struct Session {
    agent: String,
    title: String,
    key: String,
    busy: bool,
    submitted: bool,
    messages: Vec<Value>,
    prompts: Vec<String>,
}

enum Awaited {
    Opened,
    Created,
    Submit { session: String },
    Mission,
    Status,
}

pub struct Host {
    gantry: PathBuf,
    pub home: PathBuf,
    pub project: PathBuf,
    sidecar: Option<Sidecar>,
    kill: Kill,
    host_restarts: bool,
    pub killed: bool,
    full: bool,
    reattach: bool,
    ready: bool,
    read: u32,
    written: u32,
    sessions: BTreeMap<String, Session>,
    turns: BinaryHeap<Reverse<(Instant, String)>>,
    awaited: BTreeMap<u64, (Awaited, &'static str, Value)>,
    /// Calls to be made again once the directory is open.
    again: Vec<(Awaited, &'static str, Value)>,
    pub mission: Option<String>,
    pub report: Option<String>,
    told: Vec<String>,
    status: Option<Value>,
    objections: u32,
    names: u32,
}

impl Host {
    pub fn new(gantry: &Path, home: PathBuf, project: PathBuf, kill: Kill, host_restarts: bool) -> Self {
        let parent = Session { agent: "commander".into(), title: "Chat".into(), ..Session::default() };
        Self {
            gantry: gantry.into(),
            home,
            project,
            sidecar: None,
            kill,
            host_restarts,
            killed: false,
            full: false,
            reattach: false,
            ready: false,
            read: 0,
            written: 0,
            sessions: BTreeMap::from([(PARENT.into(), parent)]),
            turns: BinaryHeap::new(),
            awaited: BTreeMap::new(),
            again: Vec::new(),
            mission: None,
            report: None,
            told: Vec::new(),
            status: None,
            objections: 1,
            names: 0,
        }
    }

    /// Plays one mission to its end, and closes the sidecar's input. Answers how many lines went each way.
    pub fn play(&mut self) -> Result<(u32, u32)> {
        let create = json!({"directory": self.directory(), "parentSession": PARENT, "text": "Do it all", "key": "key"});
        self.again.push((Awaited::Created, "mission/create", create));
        let until = Instant::now() + PATIENCE;
        while !self.over()? {
            ensure!(Instant::now() < until, "no end: {:?}", self.status);
            self.step()?;
        }
        let counts = (self.read, self.written);
        self.sidecar.take().context("a sidecar")?.end()?;
        Ok(counts)
    }

    /// The mission's report has reached the conversation, no turn runs, and the sidecar has been asked once more since.
    fn over(&mut self) -> Result<bool> {
        let told = self.report.is_some() || !self.told.is_empty();
        let quiet =
            self.sessions.values().all(|s| !s.busy) && self.awaited.is_empty() && self.again.is_empty();
        if !told || !quiet || !self.ready {
            self.status = None;
            return Ok(false);
        }
        match self.status.take() {
            Some(status) if status["mission"]["endedAt"].is_u64() => self.at_rest(),
            _ => {
                let params = json!({"directory": self.directory()});
                self.request(Awaited::Status, "mission/status", params)?;
                Ok(false)
            }
        }
    }

    /// Nothing is left to do for it, as the store says.
    fn at_rest(&mut self) -> Result<bool> {
        let store = SqliteStore::open(&self.home.join("gantry.db"))?;
        let rows =
            tokio::runtime::Builder::new_current_thread().build()?.block_on(store.missions(None, true, 1))?;
        Ok(rows.is_empty())
    }

    pub fn deliveries(&self) -> usize {
        usize::from(self.report.is_some()) + self.told.len()
    }

    fn directory(&self) -> String {
        self.project.display().to_string()
    }

    // ---- the sidecar's life

    fn start(&mut self) -> Result<()> {
        self.sidecar = Some(Sidecar::spawn(&self.program()?, &self.home)?);
        let client = json!({"name": "sweep", "version": "0"});
        let hello = json!({"protocolVersion": 1, "client": client, "host": {"line": "v1", "pid": std::process::id()}});
        self.request(Awaited::Status, "initialize", hello)?;
        let directory = self.directory();
        let options = json!({"checks": ["test -e README"]});
        let open = json!({"directory": directory, "worktree": directory, "options": options, "reattach": self.reattach});
        self.request(Awaited::Opened, "workspace/open", open)?;
        self.reattach = true;
        Ok(())
    }

    /// The sidecar itself, or a script that first takes its room away.
    fn program(&self) -> Result<PathBuf> {
        let Kill::Full(blocks) = self.kill else { return Ok(self.gantry.clone()) };
        let script = self.home.join("small");
        let text =
            format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f {blocks}\nexec '{}' \"$@\"\n", self.gantry.display());
        std::fs::write(&script, text)?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
        Ok(script)
    }

    /// The other end of an orderly end: nothing is left of the process but what it wrote down.
    fn ends(&mut self, signal: rustix::process::Signal) -> Result<()> {
        let mut sidecar = self.sidecar.take().context("a sidecar")?;
        let pid = rustix::process::Pid::from_raw(sidecar.pid().cast_signed()).context("a process id")?;
        rustix::process::kill_process(pid, signal)?;
        ensure!(sidecar.exit()? == Some(0), "an orderly end has the exit code 0");
        self.die();
        Ok(())
    }

    fn die(&mut self) {
        // Dropping it is `kill -9`.
        self.sidecar = None;
        (self.kill, self.killed, self.ready) = (Kill::Never, true, false);
        for (_, (awaited, method, params)) in std::mem::take(&mut self.awaited) {
            let lost_with_the_host = self.host_restarts && !matches!(awaited, Awaited::Created);
            if !lost_with_the_host && !matches!(awaited, Awaited::Opened | Awaited::Status) {
                self.again.push((awaited, method, params));
            }
        }
        if self.host_restarts {
            self.reattach = false;
            self.turns.clear();
            self.sessions.values_mut().for_each(|session| session.busy = false);
        }
    }

    fn request(&mut self, awaited: Awaited, method: &'static str, params: Value) -> Result<()> {
        // The plugin opens the directory before anything else.
        let first = matches!(method, "initialize" | "workspace/open");
        let Some(sidecar) = self.sidecar.as_mut().filter(|_| first || self.ready) else {
            self.again.push((awaited, method, params));
            return Ok(());
        };
        // One that has just died is noticed by its closed output.
        if let Ok((id, _)) = sidecar.request(method, params.clone()) {
            self.awaited.insert(id, (awaited, method, params));
        } else {
            self.again.push((awaited, method, params));
        }
        self.wrote();
        Ok(())
    }

    fn notify(&mut self, events: Value) {
        let params = json!({"directory": self.directory(), "events": events});
        if let Some(sidecar) = &mut self.sidecar {
            let _ = sidecar.notify("event/batch", params);
            self.wrote();
        }
    }

    fn wrote(&mut self) {
        self.written += 1;
        if let Kill::AfterOurLine(n, wait) = self.kill
            && n == self.written
        {
            std::thread::sleep(wait);
            self.die();
        }
    }

    fn step(&mut self) -> Result<()> {
        if self.sidecar.is_none() {
            return self.start();
        }
        if self.ready {
            for (awaited, method, params) in std::mem::take(&mut self.again) {
                self.request(awaited, method, params)?;
            }
        }
        if let Some(Reverse((at, _))) = self.turns.peek()
            && *at <= Instant::now()
        {
            let Some(Reverse((_, session))) = self.turns.pop() else { bail!("a turn that was just seen") };
            return self.speak(&session);
        }
        let Some(sidecar) = &mut self.sidecar else { return Ok(()) };
        let Some(incoming) = sidecar.next(Instant::now() + Duration::from_millis(2))? else { return Ok(()) };
        self.read += 1;
        match self.kill {
            Kill::AfterItsLine(n) if n == self.read => {
                self.die();
                return Ok(());
            }
            Kill::Signal(n, signal) if n == self.read => return self.ends(signal),
            _ => {}
        }
        match incoming.message {
            Message::Request { id, method, params } => {
                let answer = self.serve(&method, &params)?;
                let full = matches!(self.kill, Kill::Full(_)) && self.full;
                if full || self.kill == Kill::BeforeTheAnswer(self.read) {
                    self.die();
                    return Ok(());
                }
                if let Some(sidecar) = &mut self.sidecar {
                    let _ = sidecar.answer(id, answer);
                    self.wrote();
                }
                if method == "host/session.prompt" && params["noReply"] == false {
                    self.notify(json!([{"type": "status", "session": params["session"], "state": "busy"}]));
                }
                Ok(())
            }
            Message::Answer { id, result } => self.answered(id, result),
        }
    }

    // ---- turns

    fn speak(&mut self, id: &str) -> Result<()> {
        let (agent, title) = (self.sessions[id].agent.clone(), self.sessions[id].title.clone());
        let task = title.split(':').next().unwrap_or_default().to_owned();
        let (tool, args) = match agent.as_str() {
            "commander" => ("mission", json!({"brief": "Write the files."})),
            "planner" => ("submit_plan", plan()),
            "worker" => {
                let file = self.project.join(format!("{task}.txt"));
                std::fs::write(file, format!("{title} {}\n", self.name("change")))?;
                ("submit_report", json!({"status": "done", "summary": "done"}))
            }
            _ if task == "Review T1" && self.objections > 0 => {
                self.objections -= 1;
                let finding = json!({"severity": "high", "message": "not like this"});
                ("submit_review", json!({"verdict": "changes", "summary": "no", "findings": [finding]}))
            }
            _ => ("submit_review", json!({"verdict": "approve", "summary": "fine"})),
        };
        let call = self.name("call");
        let params = json!({"directory": self.directory(), "session": id, "call": call, "agent": agent, "tool": tool, "args": args});
        let awaited =
            if agent == "commander" { Awaited::Mission } else { Awaited::Submit { session: id.into() } };
        self.request(awaited, "tool/call", params)
    }

    fn idle(&mut self, id: &str, text: &str, calls: Value) -> Result<()> {
        let message = self.message("assistant", text, calls);
        let session = self.sessions.get_mut(id).context("a turn of no session")?;
        session.busy = false;
        session.messages.push(message.clone());
        self.notify(json!([
            {"type": "message", "session": id, "message": message},
            {"type": "status", "session": id, "state": "idle"},
        ]));
        Ok(())
    }

    fn answered(&mut self, id: u64, result: Result<Value, String>) -> Result<()> {
        let (awaited, method, params) =
            self.awaited.remove(&id).context("an answer to nothing that was asked")?;
        if let (Kill::Full(_), Err(error)) = (self.kill, &result) {
            // The code for a store that cannot be written; a file that may not grow is an I/O error to SQLite.
            ensure!(error.contains("-32014") && error.contains("gantry.db"), "{method}: {error}");
            if !matches!(awaited, Awaited::Opened | Awaited::Status) {
                self.again.push((awaited, method, params));
            }
            self.die();
            return Ok(());
        }
        let result = result.map_err(|error| anyhow::anyhow!("{method} {params} was refused: {error}"))?;
        match awaited {
            Awaited::Opened => self.ready = true,
            Awaited::Status if method == "mission/status" => self.status = Some(result),
            Awaited::Status => {}
            Awaited::Created => {
                let id = result["mission"]["id"].as_str().context("an id")?.to_owned();
                ensure!(
                    self.mission.as_ref().is_none_or(|known| *known == id),
                    "a second mission for one key"
                );
                if self.mission.replace(id.clone()).is_none() {
                    let text = self.message("user", &format!("Carry out mission {id}"), json!([]));
                    let parent = self.sessions.get_mut(PARENT).context("the conversation")?;
                    parent.messages.push(text);
                    parent.busy = true;
                    self.turns.push(Reverse((Instant::now() + TURN, PARENT.into())));
                    self.notify(json!([{"type": "status", "session": PARENT, "state": "busy"}]));
                }
            }
            Awaited::Submit { session } => {
                ensure!(result["title"] != "not taken", "a submission was not taken: {result}");
                self.sessions.get_mut(&session).context("a session")?.submitted = true;
                self.idle(&session, "Done.", json!([]))?;
            }
            Awaited::Mission => {
                ensure!(self.report.is_none(), "the call of the mission was answered twice");
                self.report = result["output"].as_str().map(String::from);
                let call = json!([{"call": params["call"], "tool": "mission", "state": "completed"}]);
                self.notify(json!([{"type": "tool", "session": PARENT, "call": params["call"], "tool": "mission", "state": "completed"}]));
                self.idle(PARENT, "Reported.", call)?;
            }
        }
        Ok(())
    }

    // ---- what the sidecar asks for

    fn serve(&mut self, method: &str, params: &Value) -> Result<Value> {
        ensure!(params["directory"] == self.directory().as_str(), "{method} {params}");
        let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
        match method {
            "host/session.create" => {
                let (key, adopt) = (text("key"), params["adopt"] == true);
                if let Some((id, _)) = self.sessions.iter().find(|(_, known)| known.key == key) {
                    ensure!(adopt, "a second session for {key}");
                    return Ok(json!({"session": id}));
                }
                let id = self.name("ses");
                let session =
                    Session { agent: text("agent"), title: text("title"), key, ..Session::default() };
                self.sessions.insert(id.clone(), session);
                Ok(json!({"session": id}))
            }
            "host/session.prompt" => self.prompted(&text("session"), text("text"), params["noReply"] == true),
            "host/session.abort" => {
                let id = text("session");
                self.turns.retain(|Reverse((_, session))| *session != id);
                self.sessions.get_mut(&id).context("an abort of no session")?.busy = false;
                Ok(json!({}))
            }
            "host/session.messages" => {
                let messages =
                    &self.sessions.get(&text("session")).context("messages of no session")?.messages;
                let from = messages.len().saturating_sub(params["limit"].as_u64().unwrap_or(0) as usize);
                Ok(json!({"messages": messages[from..]}))
            }
            "host/session.status" => {
                let asked = params["sessions"].as_array().context("sessions")?;
                let state = |id: &Value| match self.sessions.get(id.as_str().unwrap_or_default()) {
                    Some(session) if session.busy => "busy",
                    // The host lists those at work only.
                    _ => "absent",
                };
                let states: Vec<_> =
                    asked.iter().map(|id| json!({"session": id, "state": state(id)})).collect();
                Ok(json!({"sessions": states}))
            }
            "host/permission.list" => Ok(json!({"asks": []})),
            "host/toast" => {
                self.full |= text("title") == "Mission waits for its store";
                Ok(json!({}))
            }
            "host/progress" => Ok(json!({})),
            other => bail!("the sidecar asks for {other}: {params}"),
        }
    }

    fn prompted(&mut self, id: &str, text: String, no_reply: bool) -> Result<Value> {
        let message = self.message("user", &text, json!([]));
        let session = self.sessions.get_mut(id).context("a prompt of no session")?;
        ensure!(!session.busy, "{} is prompted in the middle of its turn: {text}", session.title);
        session.messages.push(message);
        if no_reply {
            ensure!(id == PARENT, "{} is told: {text}", session.title);
            // That a stopped mission is paused, or resumed, is said in other words.
            if text.contains("tasks done") {
                self.told.push(text);
            }
            return Ok(json!({}));
        }
        ensure!(!session.prompts.contains(&text), "{} is prompted twice with: {text}", session.title);
        session.prompts.push(text);
        session.busy = true;
        session.submitted = false;
        self.turns.push(Reverse((Instant::now() + TURN, id.to_owned())));
        Ok(json!({}))
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}", self.names)
    }

    fn message(&mut self, role: &str, text: &str, calls: Value) -> Value {
        let usage =
            json!({"input": 10, "output": 1, "reasoning": 0, "cacheRead": 0, "cacheWrite": 0, "cost": 0.0});
        let id = self.name("msg");
        json!({"id": id, "role": role, "text": text, "completed": true, "finish": "stop", "usage": usage, "calls": calls})
    }
}

fn plan() -> Value {
    let task = |id: &str, after: &[&str]| json!({"id": id, "title": "Write", "description": "Write the file.", "files": [format!("{id}.txt")], "depends_on": after});
    json!({"summary": "Files.", "tasks": [task("T1", &[]), task("T2", &["T1"])]})
}
