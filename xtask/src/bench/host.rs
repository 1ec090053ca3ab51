//! A host whose turns cost nothing but the time they are told to take, and that keeps a record of who said what when.
//!
//! It is strict: a method, a field or a host session it does not know ends the measurement with an error. A turn works
//! as in the real host: busy, the submit call, its answer, the last message and idle; one conversation after the other
//! is not waited for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::wire::{Incoming, Message, Sidecar};

/// The protocol version this host speaks.
const PROTOCOL: u32 = 1;
/// Longest silence of the sidecar while something is awaited of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How every turn of a mission goes.
#[derive(Debug, Clone)]
pub struct Script {
    /// What the planner hands in.
    pub plan: Value,
    /// Time from a prompt to the submit call.
    pub turn: Duration,
    /// Workers end their first turn without a report and have to be reminded.
    pub forgetful: bool,
    /// Workers never come to an end.
    pub endless: bool,
}

/// What happened, for those who measure. Agents are named as on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// The conversation that asked began to talk.
    Asked,
    /// An agent's submit call was sent.
    Submitted {
        agent: String,
    },
    /// The end of an agent's turn was sent; `reported` if it had submitted.
    Idle {
        agent: String,
        reported: bool,
    },
    Created {
        agent: String,
    },
    Prompted {
        agent: String,
    },
    /// The answer to the tool `mission` came.
    Reported,
}

struct Session {
    agent: String,
    title: String,
    /// By which the sidecar finds it again.
    key: String,
    busy: bool,
    turns: u32,
    submitted: bool,
    /// The newest two.
    messages: Vec<Value>,
}

impl Session {
    fn new(agent: &str, title: &str, key: &str) -> Self {
        let (agent, title, key) = (agent.to_owned(), title.to_owned(), key.to_owned());
        Self { agent, title, key, busy: false, turns: 0, submitted: false, messages: Vec::new() }
    }
}

/// Why an answer is awaited.
enum Awaited {
    Submit { session: String, call: String },
    Mission { session: String, call: String },
    Caller,
}

pub struct Host {
    pub sidecar: Sidecar,
    project: PathBuf,
    script: Script,
    sessions: BTreeMap<String, Session>,
    /// Turns under way, by the time they come to their submit call.
    turns: BinaryHeap<Reverse<(Instant, String)>>,
    awaited: BTreeMap<u64, Awaited>,
    answers: BTreeMap<u64, (Instant, Result<Value, String>)>,
    marks: Vec<(Instant, Mark)>,
    names: u32,
}

impl Host {
    /// Starts a sidecar with its data in `home` and opens the project in it.
    pub fn open(gantry: &Path, home: &Path, project: &Path) -> Result<Self> {
        let mut host = Self {
            sidecar: Sidecar::spawn(gantry, home)?,
            project: project.to_path_buf(),
            script: Script { plan: Value::Null, turn: Duration::ZERO, forgetful: false, endless: false },
            sessions: BTreeMap::new(),
            turns: BinaryHeap::new(),
            awaited: BTreeMap::new(),
            answers: BTreeMap::new(),
            marks: Vec::new(),
            names: 0,
        };
        host.call("initialize", hello())?;
        let directory = host.directory();
        host.call("workspace/open", json!({"directory": directory, "worktree": directory}))?;
        Ok(host)
    }

    /// Plays one mission to its end. Answers what happened, in order.
    pub(super) fn mission(&mut self, script: Script) -> Result<Vec<(Instant, Mark)>> {
        let call = self.ask(script)?;
        self.until(|host| host.answers.contains_key(&call))?;
        let (at, answer) = self.answers.remove(&call).context("the answer that was waited for")?;
        let text = answer.map_err(|error| anyhow::anyhow!("the mission was not carried out: {error}"))?;
        self.marks.push((at, Mark::Reported));
        let state = self.status(None)?["mission"]["state"].take();
        ensure!(state == "completed", "the mission ended as {state}: {text}");
        Ok(std::mem::take(&mut self.marks))
    }

    /// Plays a mission up to the first prompt of a worker, whose session is answered.
    pub fn first_worker(&mut self, script: Script) -> Result<String> {
        self.ask(script)?;
        let working = |host: &Self| {
            host.sessions.iter().find(|(_, s)| s.agent == "worker" && s.busy).map(|(id, _)| id.clone())
        };
        self.until(|host| working(host).is_some())?;
        working(self).context("the worker that was waited for")
    }

    /// The newest mission, or the one of this id.
    pub(super) fn status(&mut self, mission: Option<&str>) -> Result<Value> {
        let mut params = json!({"directory": self.directory()});
        if let Some(mission) = mission {
            params["mission"] = mission.into();
        }
        Ok(self.call("mission/status", params)?.0)
    }

    /// A call whose answer is waited for, while the sidecar's own calls are served. Answers the time from before it was
    /// written to when its answer had been read.
    pub fn call(&mut self, method: &str, params: Value) -> Result<(Value, Duration)> {
        let (id, sent) = self.send(method, params)?;
        let (at, answer) = self.answer(id)?;
        let answer = answer.map_err(|error| anyhow::anyhow!("{method} was refused: {error}"))?;
        Ok((answer, at - sent))
    }

    /// A call whose answer is taken later. Answers its id and the moment before it was written.
    pub fn send(&mut self, method: &str, params: Value) -> Result<(u64, Instant)> {
        let (id, sent) = self.sidecar.request(method, params)?;
        self.awaited.insert(id, Awaited::Caller);
        Ok((id, sent))
    }

    /// The answer to a call that was sent, and when it had been read.
    pub fn answer(&mut self, id: u64) -> Result<(Instant, Result<Value, String>)> {
        self.until(|host| host.answers.contains_key(&id))?;
        self.answers.remove(&id).context("the answer that was waited for")
    }

    pub fn directory(&self) -> String {
        self.project.display().to_string()
    }

    /// `/task` and the Commander's one turn. Answers the id of its call.
    fn ask(&mut self, script: Script) -> Result<u64> {
        self.script = script;
        let parent = self.name("ses_user");
        let session = Session { busy: true, ..Session::new("commander", "Chat", "") };
        self.sessions.insert(parent.clone(), session);
        self.marks = vec![(Instant::now(), Mark::Asked)];
        let key = self.name("msg");
        let params =
            json!({"directory": self.directory(), "parentSession": parent, "text": "Do it all", "key": key});
        self.call("mission/create", params)?;
        self.event(json!({"type": "status", "session": parent, "state": "busy"}))?;
        let asked = self.marks[0].0;
        while let Some(left) = (asked + self.script.turn).checked_duration_since(Instant::now()) {
            // The survey of the project goes on meanwhile and may call the host.
            self.step(Instant::now() + left)?;
        }
        let call = self.name("call");
        let args = json!({"brief": "Change every file that the plan names."});
        let params = self.tool_call(&parent, "commander", &call, "mission", args);
        let (id, _) = self.sidecar.request("tool/call", params)?;
        self.awaited.insert(id, Awaited::Mission { session: parent, call });
        Ok(id)
    }

    fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        let mut heard = Instant::now();
        while !done(self) {
            if self.step(heard + PATIENCE)? {
                heard = Instant::now();
            } else if Instant::now() >= heard + PATIENCE {
                bail!("the sidecar has been silent for {PATIENCE:?}; last of all: {:?}", self.marks.last());
            }
        }
        Ok(())
    }

    /// Whatever comes first: a line of the sidecar, or a turn that comes to its end; false when neither came by then.
    pub(super) fn step(&mut self, by: Instant) -> Result<bool> {
        let due = self.turns.peek().map(|Reverse((at, _))| *at);
        if let Some(Incoming { at, message }) = self.sidecar.next(due.map_or(by, |due| due.min(by)))? {
            match message {
                Message::Request { id, method, params } => {
                    let session = params["session"].clone();
                    let answer = self.serve(at, &method, params)?;
                    self.sidecar.answer(id, answer)?;
                    if method == "host/session.prompt" {
                        self.event(json!({"type": "status", "session": session, "state": "busy"}))?;
                    }
                }
                Message::Answer { id, result } => self.answered(at, id, result)?,
            }
            return Ok(true);
        }
        match self.turns.peek() {
            Some(Reverse((at, _))) if *at <= Instant::now() => {
                let Reverse((_, session)) = self.turns.pop().context("a turn that was just seen")?;
                self.speak(&session)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    // ---- turns

    /// The model comes to its submit call, or forgets it.
    fn speak(&mut self, id: &str) -> Result<()> {
        let session = self.sessions.get_mut(id).context("a turn of no session")?;
        let (agent, title) = (session.agent.clone(), session.title.clone());
        session.turns += 1;
        if agent == "worker" {
            self.write(&title)?;
            if self.script.forgetful && self.sessions[id].turns == 1 {
                return self.idle(id);
            }
        }
        let (tool, args) = match agent.as_str() {
            "planner" => ("submit_plan", self.script.plan.clone()),
            "worker" => ("submit_report", json!({"status": "done", "summary": "It is done."})),
            "reviewer" => ("submit_review", json!({"verdict": "approve", "summary": "It is right."})),
            other => bail!("a turn of an agent {other:?}"),
        };
        let call = self.name("call");
        let params = self.tool_call(id, &agent, &call, tool, args);
        let (request, at) = self.sidecar.request("tool/call", params)?;
        self.marks.push((at, Mark::Submitted { agent }));
        self.awaited.insert(request, Awaited::Submit { session: id.to_owned(), call });
        Ok(())
    }

    /// A worker's change: the file that carries the name of its task, which is how its session's title begins.
    fn write(&mut self, title: &str) -> Result<()> {
        let task = title.split(':').next().unwrap_or_default();
        // Something new each time, or the gate would find nothing to show.
        let text = format!("{title}: {}\n", self.name("change"));
        let folder = self.project.join("work");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{task}.txt")), text)?;
        Ok(())
    }

    /// The last message of a turn and its end, in one batch as the shim sends them.
    fn idle(&mut self, id: &str) -> Result<()> {
        let message = self.message("assistant", "Done.");
        let session = self.sessions.get_mut(id).context("the end of a turn of no session")?;
        session.busy = false;
        session.messages.push(message.clone());
        let mark = Mark::Idle { agent: session.agent.clone(), reported: session.submitted };
        let events = json!([
            {"type": "message", "session": id, "message": message},
            {"type": "status", "session": id, "state": "idle"},
        ]);
        let at =
            self.sidecar.notify("event/batch", json!({"directory": self.directory(), "events": events}))?;
        self.marks.push((at, mark));
        Ok(())
    }

    fn answered(&mut self, at: Instant, id: u64, result: Result<Value, String>) -> Result<()> {
        match self
            .awaited
            .remove(&id)
            .with_context(|| format!("an answer to request {id}, which was not made"))?
        {
            Awaited::Caller => {
                self.answers.insert(id, (at, result));
            }
            Awaited::Submit { session, call } => {
                let result = result.map_err(|error| anyhow::anyhow!("a submit call was refused: {error}"))?;
                ensure!(result["title"] != "not taken", "a submission was not taken: {result}");
                self.called(&session, &call, "submit")?;
                self.sessions.get_mut(&session).context("an answer for no session")?.submitted = true;
                self.idle(&session)?;
            }
            Awaited::Mission { session, call } => {
                self.called(&session, &call, "mission")?;
                self.sessions.get_mut(&session).context("an answer for no session")?.busy = false;
                self.event(json!({"type": "status", "session": session, "state": "idle"}))?;
                self.answers.insert(id, (at, result));
            }
        }
        Ok(())
    }

    // ---- what the sidecar asks for

    fn serve(&mut self, at: Instant, method: &str, mut params: Value) -> Result<Value> {
        let directory = params.as_object_mut().and_then(|params| params.remove("directory"));
        ensure!(directory == Some(self.directory().into()), "{method} in {directory:?}");
        match method {
            "host/session.create" => {
                let new: Create = read(method, params)?;
                ensure!(self.sessions.contains_key(&new.parent), "{new:?} has a parent that is not here");
                self.marks.push((at, Mark::Created { agent: new.agent.clone() }));
                let found = self.sessions.iter().find(|(_, known)| new.adopt && known.key == new.key);
                if let Some((id, _)) = found {
                    return Ok(json!({"session": id}));
                }
                let id = self.name("ses");
                self.sessions.insert(id.clone(), Session::new(&new.agent, &new.title, &new.key));
                Ok(json!({"session": id}))
            }
            "host/session.prompt" => {
                self.prompted(at, &read(method, params)?)?;
                Ok(json!({}))
            }
            "host/session.messages" => {
                let asked: Messages = read(method, params)?;
                let session = self.sessions.get(&asked.session).context("messages of no session")?;
                let from = session.messages.len().saturating_sub(asked.limit);
                Ok(json!({"messages": session.messages[from..]}))
            }
            "host/session.status" => {
                let asked: Status = read(method, params)?;
                let state = |id: &String| match self.sessions.get(id) {
                    Some(session) if session.busy => "busy",
                    Some(_) => "idle",
                    None => "absent",
                };
                let states = asked.sessions.iter().map(|id| json!({"session": id, "state": state(id)}));
                Ok(json!({"sessions": states.collect::<Vec<_>>()}))
            }
            "host/toast" | "host/progress" => Ok(json!({})),
            // Nothing here goes wrong, so nothing has to be ended or removed.
            other => bail!("the sidecar asks for {other}: {params}"),
        }
    }

    fn prompted(&mut self, at: Instant, prompt: &Prompt) -> Result<()> {
        let message = self.message("user", &prompt.text);
        let session = self.sessions.get_mut(&prompt.session).context("a prompt of no session")?;
        ensure!(!prompt.no_reply, "{} is told {:?}: nothing here calls for it", session.title, prompt.text);
        ensure!(!session.busy, "{} is prompted in the middle of its turn", session.title);
        ensure!(session.agent == prompt.agent, "{} is prompted as {}", session.title, prompt.agent);
        session.busy = true;
        session.messages = vec![message];
        self.marks.push((at, Mark::Prompted { agent: prompt.agent.clone() }));
        if !(self.script.endless && prompt.agent == "worker") {
            self.turns.push(Reverse((at + self.script.turn, prompt.session.clone())));
        }
        Ok(())
    }

    // ---- pieces of the wire

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}", self.names)
    }

    fn event(&mut self, event: Value) -> Result<()> {
        let params = json!({"directory": self.directory(), "events": [event]});
        self.sidecar.notify("event/batch", params)?;
        Ok(())
    }

    /// A tool call came to its end.
    fn called(&mut self, session: &str, call: &str, tool: &str) -> Result<()> {
        self.event(
            json!({"type": "tool", "session": session, "call": call, "tool": tool, "state": "completed"}),
        )
    }

    fn tool_call(&self, session: &str, agent: &str, call: &str, tool: &str, args: Value) -> Value {
        json!({"directory": self.directory(), "session": session, "call": call, "agent": agent, "tool": tool, "args": args})
    }

    fn message(&mut self, role: &str, text: &str) -> Value {
        let usage = json!({"input": 1000, "output": 100, "reasoning": 0, "cacheRead": 0, "cacheWrite": 0, "cost": 0.0});
        let id = self.name("msg");
        json!({"id": id, "role": role, "text": text, "completed": true, "finish": "stop", "usage": usage, "calls": []})
    }
}

/// Parameters of `initialize`.
pub fn hello() -> Value {
    json!({
        "protocolVersion": PROTOCOL,
        "client": {"name": "bench", "version": env!("CARGO_PKG_VERSION")},
        "host": {"line": "v1", "pid": std::process::id()},
    })
}

/// A plan of this many tasks with one file each, one after the other or side by side.
pub fn plan(tasks: usize, chained: bool) -> Value {
    let task = |n: usize| {
        let needs: Vec<String> = if chained && n > 1 { vec![format!("T{}", n - 1)] } else { Vec::new() };
        json!({
            "id": format!("T{n}"),
            "title": format!("Part {n}"),
            "description": "Write the file.",
            "files": [format!("work/T{n}.txt")],
            "depends_on": needs,
        })
    };
    json!({"summary": "Part by part.", "tasks": (1..=tasks).map(task).collect::<Vec<_>>()})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Create {
    parent: String,
    title: String,
    agent: String,
    key: String,
    adopt: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prompt {
    session: String,
    agent: String,
    text: String,
    no_reply: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Messages {
    session: String,
    limit: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Status {
    sessions: Vec<String>,
}

fn read<T: DeserializeOwned>(method: &str, params: Value) -> Result<T> {
    serde_json::from_value(params.clone()).with_context(|| format!("{method} with {params}"))
}
