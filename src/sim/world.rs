//! Everything that is simulated and shared: conversations, turns, files, markers, and what is known of all that.
use super::mirror::Mirror;
use super::mutation::Mutation;
use super::odds::Odds;
use super::rng::Rng;
use super::trace::Trace;
use crate::domain::ids::{Directory, HostSessionId, MissionId, Role};
use crate::domain::verdict::TreeId;
use crate::engine::handle::HostInput;
use crate::ports::host::{CallState, HostFault, HostMessage, Speaker, TurnState, Usage};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::AbortHandle;

/// What is on disk and in the host's database, over all processes.
pub struct World {
    pub rng: Rng,
    pub odds: Odds,
    pub mutation: Option<Mutation>,
    pub trace: Trace,
    /// What the wall clock is off by.
    pub jump_ms: i64,
    /// Processes whose store does not answer, and until when, in virtual time.
    pub stalled_until: BTreeMap<usize, u64>,
    /// The provider answers nobody until then, in milliseconds since the beginning.
    pub outage_until: u64,
    /// The store has done something and not said so.
    pub answers_were_lost: bool,
    pub mirror: Mirror,
    pub sessions: BTreeMap<HostSessionId, Conversation>,
    /// Running turns, by host process.
    pub turns: BTreeMap<(usize, HostSessionId), Turn>,
    /// Permissions that turns wait for, by their id.
    pub asks: BTreeMap<String, WaitingAsk>,
    pub places: BTreeMap<String, Place>,
    /// Which agent wrote a content.
    pub writers: BTreeMap<u64, HostSessionId>,
    /// Contents that the user wrote, and no agent.
    pub by_user: BTreeSet<u64>,
    pub markers: BTreeSet<Directory>,
    /// Prompts that the engine sent, by attempt.
    pub prompts: BTreeMap<String, usize>,
    /// Attempts whose first prompt has reached the host.
    pub told: BTreeSet<String>,
    /// The first host process that a session was prompted in.
    pub told_by: BTreeMap<HostSessionId, usize>,
    pub deliveries: Vec<Delivery>,
    /// Missions whose acceptance a user was told of.
    pub accepted: BTreeSet<MissionId>,
    pub retries: BTreeMap<MissionId, u32>,
    pub breaches: Vec<String>,
    pub stats: Stats,
    next_id: u64,
}

#[derive(Default, Clone, Debug)]
pub struct Stats {
    pub crashes: u32,
    pub restarts: u32,
    pub writes: u32,
    pub turns: u32,
    pub denied: u32,
}

pub struct Conversation {
    pub key: Option<String>,
    pub role: Role,
    /// Where it works; none for the project itself.
    pub folder: Option<String>,
    pub messages: Vec<HostMessage>,
    /// The last look at it was answered with a lie.
    pub lied: bool,
}

pub struct Turn {
    pub task: AbortHandle,
    pub retrying: bool,
    /// Prompts that came while it ran.
    pub queued: Vec<String>,
}

pub struct WaitingAsk {
    pub process: usize,
    pub session: HostSessionId,
    /// What the engine said of it.
    pub allowed: Option<bool>,
}

pub struct Delivery {
    pub mission: MissionId,
    pub text: String,
    pub at: u64,
}

/// A project.
#[derive(Default)]
pub struct Place {
    pub files: BTreeMap<String, Content>,
    pub snapshots: BTreeMap<String, BTreeMap<String, Content>>,
    /// What the newest look at the tree truly found.
    pub looked: Option<TreeId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    pub id: u64,
    /// The project's check fails while any file is like that.
    pub broken: bool,
}

impl World {
    pub fn new(seed: u64, odds: Odds, rng: Rng, mutation: Option<Mutation>, keep: bool) -> Self {
        let mut trace = Trace::new(keep);
        trace.line(0, &format!("seed {seed} {odds:?}"));
        Self {
            rng,
            odds,
            mutation,
            trace,
            jump_ms: 0,
            answers_were_lost: false,
            stalled_until: BTreeMap::new(),
            outage_until: 0,
            mirror: Mirror::default(),
            sessions: BTreeMap::new(),
            turns: BTreeMap::new(),
            asks: BTreeMap::new(),
            places: BTreeMap::new(),
            writers: BTreeMap::new(),
            by_user: BTreeSet::new(),
            markers: BTreeSet::new(),
            prompts: BTreeMap::new(),
            told: BTreeSet::new(),
            told_by: BTreeMap::new(),
            deliveries: Vec::new(),
            accepted: BTreeSet::new(),
            retries: BTreeMap::new(),
            breaches: Vec::new(),
            stats: Stats::default(),
            next_id: 0,
        }
    }

    pub fn mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn note(&mut self, at: u64, text: impl AsRef<str>) {
        self.trace.line(at, text.as_ref());
    }

    pub fn breach(&mut self, at: u64, text: String) {
        self.note(at, format!("BREACH {text}"));
        // What follows from a breach is endless at times.
        if self.breaches.len() < 20 {
            self.breaches.push(text);
        }
    }

    // ---- conversations

    pub fn make_session(&mut self, role: Role, key: Option<String>) -> HostSessionId {
        let id = HostSessionId(format!("ses_{}", self.id()));
        let conversation = Conversation { key, role, folder: None, messages: Vec::new(), lied: false };
        self.sessions.insert(id.clone(), conversation);
        id
    }

    pub fn push_user(&mut self, session: &HostSessionId, text: &str) {
        let id = format!("msg_{}", self.id());
        let message = HostMessage {
            id,
            speaker: Speaker::User,
            text: text.to_owned(),
            completed: true,
            finish: None,
            error: None,
            model: None,
            usage: Usage::default(),
            calls: Vec::new(),
        };
        if let Some(c) = self.sessions.get_mut(session) {
            c.messages.push(message);
        }
    }

    pub fn push_assistant(&mut self, session: &HostSessionId) {
        let message = HostMessage {
            id: format!("msg_{}", self.id()),
            speaker: Speaker::Assistant,
            text: String::new(),
            completed: false,
            finish: None,
            error: None,
            model: None,
            usage: Usage { input: 100, output: 10, cost: 0.001, ..Usage::default() },
            calls: Vec::new(),
        };
        if let Some(c) = self.sessions.get_mut(session) {
            c.messages.push(message);
        }
    }

    /// The message that is being written, when there is one.
    pub fn writing(&mut self, session: &HostSessionId) -> Option<&mut HostMessage> {
        let last = self.sessions.get_mut(session)?.messages.last_mut()?;
        (last.speaker == Speaker::Assistant && !last.completed).then_some(last)
    }

    /// Ends the message that is being written; answers with the event that tells of it.
    pub fn end_message(
        &mut self,
        session: &HostSessionId,
        finish: Option<&str>,
        error: Option<HostFault>,
    ) -> Option<HostInput> {
        let message = self.writing(session)?;
        message.completed = true;
        message.finish = finish.map(str::to_owned);
        message.error = error;
        for call in message.calls.iter_mut().filter(|c| c.state == CallState::Running) {
            call.state = CallState::Error;
        }
        let message = message.clone();
        Some(HostInput::Message { session: session.clone(), message })
    }

    pub fn turn_state(&self, process: usize, session: &HostSessionId) -> TurnState {
        match self.turns.get(&(process, session.clone())) {
            None => TurnState::Absent,
            Some(turn) if turn.retrying => TurnState::Retry,
            Some(_) => TurnState::Busy,
        }
    }

    /// A report that has reached the conversation.
    pub fn delivered(&mut self, at: u64, text: &str) {
        let missions: Vec<_> = self.mirror.missions.keys().cloned().collect();
        for mission in missions {
            if text.contains(&format!("Mission {mission}: ")) {
                self.note(at, format!("report of {mission} is in the conversation"));
                self.deliveries.push(Delivery { mission, text: text.to_owned(), at });
            }
        }
    }

    // ---- files

    pub fn place(&mut self, place: &str) -> &mut Place {
        self.places.entry(place.to_owned()).or_default()
    }

    pub fn write(&mut self, place: &str, path: &str, broken: bool) -> u64 {
        let id = self.id();
        self.stats.writes += 1;
        self.place(place).files.insert(path.to_owned(), Content { id, broken });
        id
    }
}

impl Place {
    pub fn broken(&self) -> bool {
        self.files.values().any(|c| c.broken)
    }

    /// The newest look, and whether the project's check fails on what it found.
    pub fn last_look(&self) -> Option<(TreeId, bool)> {
        let tree = self.looked.clone()?;
        let broken = self.snapshots.get(&tree.0).is_some_and(|files| files.values().any(|c| c.broken));
        Some((tree, broken))
    }

    pub fn snapshot(&mut self) -> TreeId {
        self.keep(self.files.clone())
    }

    pub fn keep(&mut self, files: BTreeMap<String, Content>) -> TreeId {
        let text = files.iter().map(|(path, c)| format!("{path}={},", c.id)).collect::<String>();
        self.snapshots.insert(text.clone(), files);
        TreeId(text)
    }
}
