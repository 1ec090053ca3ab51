//! Turns of the simulated host: started by a prompt, ended by themselves, by an abort, or with their process.
use super::Sim;
use super::agents;
use super::mutation::Mutation;
use super::world::{Turn, WaitingAsk};
use crate::domain::ids::{HostSessionId, Role};
use crate::engine::handle::{Answer, HostInput, ToolInput};
use crate::ports::host::{CallState, HostAsk, HostCall, HostFault, TurnState};
use std::sync::Arc;

/// Starts a turn, or leaves the prompt to the one that runs.
pub fn prompt(sim: &Arc<Sim>, process: usize, session: &HostSessionId, text: String) {
    let mut world = sim.world.lock();
    world.push_user(session, &text);
    world.stats.turns += 1;
    if let Some(turn) = world.turns.get_mut(&(process, session.clone())) {
        return turn.queued.push(text);
    }
    let role = world.sessions.get(session).map_or(Role::Worker, |c| c.role);
    let speaker = Speaker { sim: sim.clone(), process, session: session.clone() };
    let task = tokio::spawn(run(speaker, role, text)).abort_handle();
    world.turns.insert((process, session.clone()), Turn { task, retrying: false, queued: Vec::new() });
    drop(world);
    sim.status(process, session, TurnState::Busy);
}

async fn run(speaker: Speaker, role: Role, mut text: String) {
    loop {
        agents::turn(&speaker, role, &text).await;
        let mut world = speaker.sim.world.lock();
        let key = (speaker.process, speaker.session.clone());
        match world.turns.get_mut(&key) {
            Some(turn) if !turn.queued.is_empty() => text = turn.queued.remove(0),
            _ => {
                world.turns.remove(&key);
                break;
            }
        }
    }
    speaker.sim.status(speaker.process, &speaker.session, TurnState::Idle);
}

pub fn abort(sim: &Arc<Sim>, process: usize, session: &HostSessionId) {
    let mut world = sim.world.lock();
    let Some(turn) = world.turns.remove(&(process, session.clone())) else { return };
    turn.task.abort();
    let fault = HostFault { name: "MessageAbortedError".into(), message: "aborted".into(), status: None };
    if world.writing(session).is_none() {
        world.push_assistant(session);
    }
    let told = world.end_message(session, None, Some(fault.clone()));
    drop(world);
    sim.emit(process, HostInput::Error { session: session.clone(), fault });
    if let Some(event) = told {
        sim.emit(process, event);
    }
    sim.status(process, session, TurnState::Idle);
}

/// The turn that runs now goes on for a while before it ends.
pub fn abort_late(sim: &Arc<Sim>, process: usize, session: HostSessionId) {
    let running = move |sim: &Sim, session: &HostSessionId| {
        sim.world.lock().turns.get(&(process, session.clone())).map(|turn| turn.task.id())
    };
    let Some(turn) = running(sim, &session) else { return };
    let sim = sim.clone();
    tokio::spawn(async move {
        sim.pause(100, 20_000).await;
        if running(&sim, &session) == Some(turn) {
            abort(&sim, process, &session);
        }
    });
}

/// The process goes: its turns stop where they are, and nothing is written or told of it.
pub fn kill_all(sim: &Arc<Sim>, process: usize) {
    let mut world = sim.world.lock();
    let mine: Vec<_> = world.turns.keys().filter(|(p, _)| *p == process).cloned().collect();
    for key in mine {
        if let Some(turn) = world.turns.remove(&key) {
            turn.task.abort();
        }
    }
}

pub enum Permitted {
    Yes,
    No,
    TurnEnds,
}

/// An ask goes with the turn that waits for it, however that ends.
struct Asked<'a> {
    sim: &'a Sim,
    id: &'a str,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.sim.world.lock().asks.remove(self.id);
    }
}

pub fn host_ask(id: &str, session: &HostSessionId) -> HostAsk {
    let (permission, patterns) = ("bash".into(), vec!["npm publish".into()]);
    HostAsk { id: id.into(), session: session.clone(), permission, patterns }
}

/// What an agent can do in its turn.
pub struct Speaker {
    pub sim: Arc<Sim>,
    pub process: usize,
    pub session: HostSessionId,
}

impl Speaker {
    pub async fn think(&self, low_ms: u64, high_ms: u64) {
        let writing = self.sim.world.lock().writing(&self.session).is_some();
        if !writing {
            self.sim.world.lock().push_assistant(&self.session);
        }
        self.sim.pause(low_ms, high_ms).await;
    }

    fn call_begins(&self, tool: &str) -> String {
        let mut world = self.sim.world.lock();
        let call = format!("call_{}", world.id());
        if world.writing(&self.session).is_none() {
            world.push_assistant(&self.session);
        }
        if let Some(message) = world.writing(&self.session) {
            let state = CallState::Running;
            message.calls.push(HostCall { call: call.clone(), tool: tool.into(), state });
        }
        drop(world);
        self.tool_moved(&call, CallState::Running);
        call
    }

    fn call_ends(&self, call: &str, state: CallState) {
        let mut world = self.sim.world.lock();
        if let Some(message) = world.writing(&self.session) {
            message.calls.iter_mut().filter(|c| c.call == call).for_each(|c| c.state = state);
        }
        drop(world);
        self.tool_moved(call, state);
        self.end_message("tool-calls", None);
    }

    fn tool_moved(&self, call: &str, state: CallState) {
        let (session, call) = (self.session.clone(), call.to_owned());
        self.sim.emit(self.process, HostInput::ToolMoved { session, call, state });
    }

    /// One of Gantry's tools; answers with its output, or the sentence of its refusal.
    pub async fn tool(&self, name: &str, input: ToolInput) -> Result<String, String> {
        let call = self.call_begins(name);
        let session = agents::credited(&self.sim, &self.session);
        let answer = self.sim.sidecars[self.process].tool(&session, &call, &input).await;
        agents::answered(self, &call);
        // A busy host takes its time to write a result down; the longer it does, the sooner a bug there shows.
        let longest = match name {
            "mission" if self.sim.mutated(Mutation::EarlyHandBack) => 20_000,
            "mission" => 8_000,
            _ => 2_000,
        };
        self.sim.pause(1, longest).await;
        match answer {
            Ok(Answer::Tool { output, .. }) => {
                if name == "mission" {
                    let at = self.sim.elapsed();
                    self.sim.world.lock().delivered(at, &output);
                }
                self.call_ends(&call, CallState::Completed);
                Ok(output)
            }
            Ok(other) => panic!("{name} was answered with {other:?}"),
            Err(refusal) => {
                self.sim.note(format!("{} {name} refused: {refusal}", self.session));
                self.call_ends(&call, CallState::Error);
                Err(refusal.to_string())
            }
        }
    }

    /// A tool of the host's own that takes some time.
    pub async fn own_tool(&self, name: &str, low_ms: u64, high_ms: u64) {
        let call = self.call_begins(name);
        self.sim.pause(low_ms, high_ms).await;
        self.call_ends(&call, CallState::Completed);
    }

    /// Changes a file, when the plugin's hook lets it.
    pub async fn write(&self, place: &str, path: &str, broken: bool) -> bool {
        let call = self.call_begins("write");
        let allowed = self.sim.sidecars[self.process].may_write(&self.session, path).await;
        let ignored = self.sim.mutated(Mutation::LeaseIgnored);
        let may = allowed.is_ok() || ignored;
        if may {
            super::check::written(&self.sim, place, &self.session, path);
            self.sim.pause(1, 50).await;
            let mut world = self.sim.world.lock();
            let content = world.write(place, path, broken);
            world.writers.insert(content, self.session.clone());
            let at = self.sim.elapsed();
            world.note(at, format!("{} wrote {path}{}", self.session, if broken { " (broken)" } else { "" }));
        } else {
            self.sim.world.lock().stats.denied += 1;
            self.sim.note(format!("{} may not write {path}: {allowed:?}", self.session));
        }
        self.call_ends(&call, if may { CallState::Completed } else { CallState::Error });
        may
    }

    pub fn end_message(&self, finish: &str, error: Option<HostFault>) {
        let mut world = self.sim.world.lock();
        let finish = error.is_none().then_some(finish);
        if let Some(fault) = &error {
            let fault = fault.clone();
            self.sim.emit(self.process, HostInput::Error { session: self.session.clone(), fault });
        }
        let event = world.end_message(&self.session, finish, error);
        drop(world);
        if let Some(event) = event {
            self.sim.emit(self.process, event);
        }
    }

    /// The last message of the turn.
    pub async fn say(&self, text: &str) {
        self.think(100, 3_000).await;
        if let Some(message) = self.sim.world.lock().writing(&self.session) {
            message.text = text.to_owned();
        }
        self.end_message("stop", None);
    }

    /// Waits for the word on a permission. A refusal in the host's own dialog ends the turn; one with a sentence does not.
    pub async fn permission(&self) -> Permitted {
        let (id, dialog) = {
            let mut world = self.sim.world.lock();
            let id = format!("per_{}", world.id());
            let ask = WaitingAsk { process: self.process, session: self.session.clone(), allowed: None };
            world.asks.insert(id.clone(), ask);
            (id, [None, None, Some(true), Some(false)][world.rng.range(0, 3) as usize])
        };
        let _asked = Asked { sim: &self.sim, id: &id };
        self.sim.emit(self.process, HostInput::Asked { ask: host_ask(&id, &self.session) });
        let mut patience = self.sim.world.lock().rng.range(1, 90);
        loop {
            self.sim.pause(1_000, 1_000).await;
            if let Some(allowed) = self.sim.world.lock().asks.get(&id).and_then(|ask| ask.allowed) {
                return if allowed { Permitted::Yes } else { Permitted::No };
            }
            patience = patience.saturating_sub(1);
            if let Some(allow) = dialog.filter(|_| patience == 0) {
                let (session, ask) = (self.session.clone(), id.clone());
                self.sim.emit(self.process, HostInput::AskAnswered { session, ask, allow });
                return if allow { Permitted::Yes } else { Permitted::TurnEnds };
            }
        }
    }

    /// The host gets no answer, and tries again by itself: told to wait, or because its provider fails.
    pub async fn wait_for_provider(&self, ms: u64) {
        let words = [None, Some("Too Many Requests"), Some("Service Unavailable"), Some("no")];
        let message = words[self.sim.world.lock().rng.range(0, 3) as usize].map(str::to_owned);
        self.retrying(true);
        let retry_at = Some(self.sim.wall().plus(ms));
        let session = self.session.clone();
        self.sim
            .emit(self.process, HostInput::Status { session, state: TurnState::Retry, retry_at, message });
        self.sim.pause(ms, ms).await;
        self.retrying(false);
        self.sim.status(self.process, &self.session, TurnState::Busy);
    }

    fn retrying(&self, on: bool) {
        let key = (self.process, self.session.clone());
        if let Some(turn) = self.sim.world.lock().turns.get_mut(&key) {
            turn.retrying = on;
        }
    }
}
