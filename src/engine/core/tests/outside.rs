//! The world the core talks to, as data: a host whose models follow a script, and a project. Cloning it is what the
//! crash tests do at every step.
use crate::domain::ids::{AttemptId, HostSessionId, Millis, MissionId, Role};
use crate::domain::plan::Draft;
use crate::domain::todo::TodoState;
use crate::domain::verdict::CheckOutcome;
use crate::engine::core::event::ReportStatus;
use crate::engine::core::{HostInput, Look, RollbackFound, ToolInput};
use crate::ports::host::*;
use crate::ports::worktrees::{Left, Move};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a model does in a turn: waits so many milliseconds, then does that. A turn whose steps run out goes on for ever.
pub type Steps = Vec<(u64, Step)>;

#[derive(Clone, Debug)]
pub enum Step {
    Call(ToolInput),
    /// A write tool on this path, once the tool hook has let it pass.
    Write(&'static str),
    /// Ends the turn with these words.
    Say(&'static str),
    /// Ends the turn with an error of this name and HTTP status.
    Fail(&'static str, Option<u32>),
    /// As `Say`, but the host's events get lost.
    EndUnseen(&'static str),
    /// The turn is cut off without an event: the message stays unfinished.
    Cut,
    Emit(Sign),
    /// Waits for a permission.
    Ask,
    /// As `Ask`, but the host's event gets lost.
    AskUnseen,
}

#[derive(Clone, Debug)]
pub enum Sign {
    /// Idle is announced although the turn goes on.
    FalseIdle,
    Tool(CallState),
    /// The host tries its provider again after so many milliseconds, for this reason.
    HostRetry(u64, &'static str),
    /// The turn asks its provider, which may refuse; the host then tries again after a second.
    Asks {
        again: bool,
    },
    /// The turn asks a provider that may be down, for so many times by now.
    Tries(usize),
    /// The user removes the conversation.
    Deleted,
}

#[derive(Clone, Debug)]
pub enum Happening {
    Step {
        session: HostSessionId,
        turn: u64,
        step: Step,
    },
    Event(HostInput),
    /// A prompt reaches the host that left some time before.
    Prompt {
        mission: MissionId,
        attempt: AttemptId,
        session: HostSessionId,
        role: Role,
        text: String,
    },
    /// A turn that was admitted before.
    Begin {
        session: HostSessionId,
        text: String,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Session {
    pub title: String,
    pub key: Option<AttemptId>,
    pub role: Option<Role>,
    /// Where it sits; none for the project itself.
    pub folder: Option<String>,
    /// What it was made to run on.
    pub model: Option<String>,
    pub messages: Vec<HostMessage>,
    pub busy: bool,
    pub turn: u64,
    pub rest: VecDeque<(u64, Step)>,
    /// The tool call that waits for its answer.
    pub open_call: Option<(String, ToolInput)>,
    /// The permission its turn waits for.
    pub open_ask: Option<String>,
    pub gone: bool,
}

#[derive(Clone, Default)]
pub struct Outside {
    pub sessions: BTreeMap<HostSessionId, Session>,
    /// What happens by itself, in order.
    pub due: BTreeMap<(Millis, u64), Happening>,
    next: u64,
    /// Turns to come, by the first words of the session's title (`Plan`, `T1`, `Review T1`, `Integration review`,
    /// `Commander`); what is not scripted is done well.
    pub script: BTreeMap<String, VecDeque<Steps>>,
    pub plan: Draft,
    /// What is handed in when the rest is planned anew.
    pub anew: Draft,
    /// Every turn that began: what it was for, and its prompt.
    pub turns: Vec<(Millis, String, String)>,
    /// Turns a second that the provider bears, over all of them.
    pub bears: Option<usize>,
    /// The provider answers nobody until then.
    pub down: Option<Down>,
    /// When the provider was asked, whether by a turn that has just begun, and whether it refused.
    pub asked: Vec<(Millis, bool, bool)>,
    /// What the host's own dialog says to the next asks, at once.
    pub dialog: VecDeque<bool>,
    /// Answers to asks that are lost on their way to the host.
    pub answer_faults: u32,
    /// What the host was told of asks: the sentence of a refusal.
    pub answers: Vec<Option<String>>,
    pub create_faults: VecDeque<HostError>,
    pub prompt_faults: VecDeque<HostError>,
    /// The host admits prompts at once and begins their turns so much later, with a last idle notice in between.
    pub slow_ms: Option<u64>,
    /// The report is stored, but its caller does not learn of it.
    pub hand_back_faults: VecDeque<HostError>,
    /// Content of the project: grows by one with every change.
    pub tree: u64,
    pub changed: BTreeSet<String>,
    pub checks: BTreeMap<String, VecDeque<CheckOutcome>>,
    /// What the next look after a shell command finds changed.
    pub shell_changes: Vec<String>,
    pub tree_faults: VecDeque<String>,
    /// How accepted changes fare that are put together, and results that are put into the user's files: well.
    pub merge_faults: VecDeque<String>,
    pub landings: VecDeque<Result<Move, String>>,
    pub proposals: VecDeque<Result<Left, String>>,
    /// No tree can be recorded.
    pub record_fault: bool,
    /// What looks for a rollback find, and how the files fare; as the world has it where there is nothing.
    pub rollbacks: VecDeque<Result<RollbackFound, String>>,
    pub restores: VecDeque<Result<Vec<String>, String>>,
    pub todo: BTreeMap<String, TodoState>,
    pub todo_faults: VecDeque<String>,
    /// Answers to calls of the tool `mission` that reached the conversation, and messages put into it.
    pub delivered: Vec<String>,
}

impl Session {
    /// The model begins to write.
    fn answer(&mut self, id: &str) {
        let model = self.model.clone().unwrap_or_else(|| "lab/x".into());
        self.messages.push(HostMessage { model: Some(model), ..assistant(id) });
    }
}

/// An outage as the real host shows it: it tries again by itself so many milliseconds later, each time with these
/// words, and then fails the turn.
#[derive(Clone, Debug)]
pub struct Down {
    pub until: Millis,
    pub why: &'static str,
    pub status: u32,
    pub waits: &'static [u64],
}

/// What a session's title begins with: the script's key.
pub fn subject(title: &str) -> String {
    title.split(':').next().unwrap_or_default().to_owned()
}

fn host_ask(session: &HostSessionId, ask: &str) -> HostAsk {
    HostAsk {
        id: ask.into(),
        session: session.clone(),
        permission: "bash".into(),
        patterns: vec!["npm publish".into()],
    }
}

pub fn gone() -> HostError {
    HostError::Refused(HostFault {
        name: "NotFoundError".into(),
        message: "no such session".into(),
        status: Some(404),
    })
}

impl Outside {
    pub fn script(&mut self, subject: &str, turns: Vec<Steps>) {
        self.script.entry(subject.into()).or_default().extend(turns);
    }

    pub fn session(&mut self, id: &HostSessionId) -> &mut Session {
        self.sessions.get_mut(id).unwrap_or_else(|| panic!("the host has no session {id}"))
    }

    pub fn at(&mut self, at: Millis, what: Happening) {
        self.next += 1;
        self.due.insert((at, self.next), what);
    }

    fn event(&mut self, now: Millis, event: HostInput) {
        self.at(now, Happening::Event(event));
    }

    fn at_once(&mut self, now: Millis, event: Option<HostInput>) {
        event.into_iter().for_each(|e| self.event(now, e));
    }

    fn status(&mut self, now: Millis, session: &HostSessionId, state: TurnState) {
        self.event(now, HostInput::Status { session: session.clone(), state, retry_at: None, message: None });
    }

    // ---- calls of the engine

    pub fn create(
        &mut self,
        key: AttemptId,
        title: &str,
        role: Role,
        adopt: bool,
        model: Option<String>,
    ) -> Result<HostSessionId, HostError> {
        if let Some(fault) = self.create_faults.pop_front() {
            return Err(fault);
        }
        let twin = self.sessions.iter().find(|(_, s)| adopt && !s.gone && s.key.as_ref() == Some(&key));
        if let Some((id, _)) = twin {
            return Ok(id.clone());
        }
        let id = HostSessionId::new(format!("s{}", self.sessions.len()));
        let session =
            Session { title: title.into(), key: Some(key), role: Some(role), model, ..Session::default() };
        self.sessions.insert(id.clone(), session);
        Ok(id)
    }

    pub fn prompt(
        &mut self,
        now: Millis,
        id: &HostSessionId,
        role: Role,
        text: &str,
    ) -> Result<(), HostError> {
        if let Some(fault) = self.prompt_faults.pop_front() {
            return Err(fault);
        }
        let session = self.session(id);
        if session.gone {
            return Err(gone());
        }
        assert!(!session.busy, "a prompt into the running turn of {id} ({}): {text}", session.title);
        assert_eq!(session.role, Some(role), "{id} ({}) belongs to another role", session.title);
        match self.slow_ms {
            None => self.begin(now, id, text),
            Some(ms) => {
                let idle = HostInput::Status {
                    session: id.clone(),
                    state: TurnState::Idle,
                    retry_at: None,
                    message: None,
                };
                self.at(now.plus(20), Happening::Event(idle));
                self.at(now.plus(ms), Happening::Begin { session: id.clone(), text: text.into() });
            }
        }
        Ok(())
    }

    /// A turn begins: the text stands in the conversation, and the model sets out.
    pub fn begin(&mut self, now: Millis, id: &HostSessionId, text: &str) {
        let subject = subject(&self.session(id).title);
        self.turns.push((now, subject.clone(), text.to_owned()));
        let steps = self.script.get_mut(&subject).and_then(VecDeque::pop_front);
        let steps = steps.unwrap_or_else(|| self.usual(&subject, &self.sessions[id].messages, text));
        let session = self.session(id);
        let n = session.messages.len();
        session.messages.push(user(&format!("{id}/{n}"), text));
        session.answer(&format!("{id}/{}", n + 1));
        session.busy = true;
        session.turn += 1;
        session.rest = steps.into();
        if self.down.is_some() {
            self.session(id).rest.push_front((0, Step::Emit(Sign::Tries(0))));
        }
        if self.bears.is_some() {
            self.session(id).rest.push_front((0, Step::Emit(Sign::Asks { again: false })));
        }
        self.status(now, id, TurnState::Busy);
        self.go_on(now, id);
    }

    fn usual(&self, subject: &str, said: &[HostMessage], text: &str) -> Steps {
        match subject {
            "Commander" => vec![(200, Step::Call(brief("the brief"))), (100, Step::Say("told the user"))],
            "Plan" => {
                vec![(1_000, Step::Call(ToolInput::Plan(self.plan.clone()))), (100, Step::Say("planned"))]
            }
            "Plan anew" => {
                vec![(1_000, Step::Call(ToolInput::Plan(self.anew.clone()))), (100, Step::Say("x"))]
            }
            s if s.starts_with("Compare ") => {
                let (summary, findings) = ("it is shorter".into(), Vec::new());
                // Taken up again, it remembers what it was told first.
                let said = said.iter().map(|m| m.text.as_str()).chain([text]);
                let choice = said.filter_map(first_choice).next();
                let review = ToolInput::Review { approved: true, summary, findings, choice };
                vec![(2_000, Step::Call(review)), (100, Step::Say("compared"))]
            }
            s if s.contains("eview") => vec![(2_000, Step::Call(approve())), (100, Step::Say("reviewed"))],
            task => vec![(10_000, Step::Call(report(task))), (100, Step::Say("worked"))],
        }
    }

    pub fn abort(&mut self, now: Millis, id: &HostSessionId) {
        if self.session(id).busy {
            self.end(now, id, "", Some(fault("MessageAbortedError", None)), true);
        }
    }

    pub fn look(&mut self, id: &HostSessionId) -> Result<Look, HostError> {
        match self.sessions.get(id) {
            Some(s) if !s.gone => {
                // The host lists busy sessions only.
                let state = if s.busy { TurnState::Busy } else { TurnState::Absent };
                let from = s.messages.len().saturating_sub(8);
                let asks = s.open_ask.iter().map(|ask| host_ask(id, ask)).collect();
                Ok(Look { state, messages: s.messages[from..].to_vec(), asks: Some(asks) })
            }
            _ => Err(gone()),
        }
    }

    /// A text without a turn.
    pub fn store(&mut self, id: &HostSessionId, text: &str) -> Result<(), HostError> {
        let session = self.session(id);
        if session.gone {
            return Err(gone());
        }
        assert!(!session.busy, "a report into the running turn of {id}");
        let n = session.messages.len();
        session.messages.push(user(&format!("{id}/{n}"), text));
        self.delivered.push(text.to_owned());
        self.hand_back_faults.pop_front().map_or(Ok(()), Err)
    }

    // ---- the models

    fn go_on(&mut self, now: Millis, id: &HostSessionId) {
        let session = self.session(id);
        let turn = session.turn;
        if let Some((wait, step)) = session.rest.pop_front() {
            self.at(now.plus(wait), Happening::Step { session: id.clone(), turn, step });
        }
    }

    /// One step of a turn that is still the current one. Answers with the tool call or the write it makes.
    pub fn play(&mut self, now: Millis, id: &HostSessionId, turn: u64, step: Step) -> Option<Made> {
        let session = self.session(id);
        if session.turn != turn || !session.busy || session.gone {
            return None;
        }
        match step {
            Step::Call(tool) => {
                let call = format!("{id}.c{}", session.messages.len());
                session.open_call = Some((call.clone(), tool.clone()));
                let open =
                    HostCall { call: call.clone(), tool: tool_name(&tool).into(), state: CallState::Running };
                if let Some(last) = session.messages.last_mut() {
                    last.calls.push(open);
                }
                self.tool_moved(now, id, &call, CallState::Running);
                return Some(Made::Call { call, tool });
            }
            Step::Write(path) => return Some(Made::Write(path.into())),
            Step::Say(text) => self.end(now, id, text, None, true),
            Step::Fail(name, status) => self.end(now, id, "", Some(fault(name, status)), true),
            Step::EndUnseen(text) => self.end(now, id, text, None, false),
            Step::Cut => session.busy = false,
            Step::Ask | Step::AskUnseen => self.ask(now, id, matches!(step, Step::Ask)),
            Step::Emit(sign) => {
                self.emit(now, id, &sign);
                self.go_on(now, id);
            }
        }
        None
    }

    fn ask(&mut self, now: Millis, id: &HostSessionId, seen: bool) {
        let session = self.session(id);
        let ask = format!("per_{id}.{}", session.rest.len());
        session.open_ask = Some(ask.clone());
        if seen {
            self.event(now, HostInput::Asked { ask: host_ask(id, &ask) });
        }
        if let Some(allow) = self.dialog.pop_front() {
            self.session(id).open_ask = None;
            self.event(now, HostInput::AskAnswered { session: id.clone(), ask, allow });
            if allow {
                self.go_on(now, id);
            } else if let Some(last) = self.session(id).messages.last_mut() {
                // The host ends such a turn without a last word.
                last.completed = true;
                last.finish = Some("tool-calls".into());
                self.session(id).busy = false;
                self.status(now, id, TurnState::Idle);
            }
        }
    }

    pub fn answer_ask(&mut self, now: Millis, id: &HostSessionId, ask: &str, refusal: Option<String>) {
        if self.answer_faults > 0 {
            self.answer_faults -= 1;
        } else if self.session(id).open_ask.as_deref() == Some(ask) {
            self.session(id).open_ask = None;
            let allow = refusal.is_none();
            self.answers.push(refusal);
            self.event(now, HostInput::AskAnswered { session: id.clone(), ask: ask.into(), allow });
            self.go_on(now, id);
        }
    }

    fn emit(&mut self, now: Millis, id: &HostSessionId, sign: &Sign) {
        let session = id.clone();
        match sign {
            Sign::FalseIdle => self.status(now, id, TurnState::Idle),
            Sign::Tool(state) => {
                let call = HostCall { call: "x".into(), tool: "bash".into(), state: *state };
                if let Some(message) = self.session(id).messages.last_mut() {
                    message.calls.retain(|c| c.call != call.call);
                    message.calls.push(call);
                }
                self.tool_moved(now, id, "x", *state);
            }
            Sign::HostRetry(ms, why) => {
                let (retry_at, message) = (Some(now.plus(*ms)), Some((*why).to_owned()));
                self.event(now, HostInput::Status { session, state: TurnState::Retry, retry_at, message });
            }
            Sign::Asks { again } => {
                let lately = |(at, _, refused): &&(Millis, bool, bool)| !refused && now.since(*at) < 1_000;
                let taken = self.asked.iter().rev().take(100).filter(lately).count();
                let refused = self.bears.is_some_and(|most| taken >= most);
                self.asked.push((now, !again, refused));
                if refused {
                    self.emit(now, id, &Sign::HostRetry(1_000, "Too Many Requests"));
                    let again = Step::Emit(Sign::Asks { again: true });
                    self.session(id).rest.push_front((1_000, again));
                }
            }
            Sign::Tries(times) => {
                let Some(down) = self.down.clone().filter(|down| now < down.until) else { return };
                if let Some(ms) = down.waits.get(*times) {
                    self.emit(now, id, &Sign::HostRetry(*ms, down.why));
                    self.session(id).rest.push_front((*ms, Step::Emit(Sign::Tries(times + 1))));
                } else {
                    self.session(id).rest = [(0, Step::Fail("APIError", Some(down.status)))].into();
                }
            }
            Sign::Deleted => self.delete(now, id),
        }
    }

    pub fn delete(&mut self, now: Millis, id: &HostSessionId) {
        let session = self.session(id);
        session.gone = true;
        session.busy = false;
        self.event(now, HostInput::Deleted { session: id.clone() });
    }

    fn tool_moved(&mut self, now: Millis, id: &HostSessionId, call: &str, state: CallState) {
        self.event(now, HostInput::ToolMoved { session: id.clone(), call: call.into(), state });
    }

    fn end(&mut self, now: Millis, id: &HostSessionId, text: &str, error: Option<HostFault>, seen: bool) {
        let session = self.session(id);
        session.busy = false;
        session.open_call = None;
        let Some(last) = session.messages.last_mut() else { return };
        last.text = text.into();
        last.completed = true;
        last.finish = error.is_none().then(|| "stop".into());
        last.error = error;
        last.usage = Usage { input: 100, output: 10, cost: 0.5, ..Usage::default() };
        last.calls
            .iter_mut()
            .filter(|c| c.state == CallState::Running)
            .for_each(|c| c.state = CallState::Error);
        let message = last.clone();
        if seen {
            self.event(now, HostInput::Message { session: id.clone(), message });
            self.status(now, id, TurnState::Idle);
        }
    }

    /// The answer to the open call: the message with the call is finished, and the model goes on in a new one.
    pub fn answered(&mut self, now: Millis, id: &HostSessionId, call: &str, output: Result<&str, ()>) {
        let session = self.session(id);
        if session.open_call.as_ref().is_none_or(|(open, _)| open != call) {
            return;
        }
        let mission = matches!(session.open_call.take(), Some((_, ToolInput::Mission { .. })));
        let state = if output.is_ok() { CallState::Completed } else { CallState::Error };
        let n = session.messages.len();
        if let Some(last) = session.messages.last_mut() {
            last.calls.iter_mut().filter(|c| c.call == call).for_each(|c| c.state = state);
            last.completed = true;
            last.finish = Some("tool-calls".into());
        }
        let finished = session.messages.last().cloned();
        session.answer(&format!("{id}/{n}"));
        if let (true, Ok(text)) = (mission, output) {
            self.delivered.push(text.to_owned());
        }
        self.tool_moved(now, id, call, state);
        self.at_once(now, finished.map(|message| HostInput::Message { session: id.clone(), message }));
        self.go_on(now, id);
    }

    /// The tool hook has decided on a write.
    pub fn written(&mut self, now: Millis, id: &HostSessionId, path: &str, allowed: bool) {
        if allowed {
            self.touch(path);
        }
        self.go_on(now, id);
    }

    pub fn touch(&mut self, path: &str) {
        self.tree += 1;
        self.changed.insert(path.to_owned());
    }

    // ---- crashes

    /// The host stops: no turn is running any more, and no message or call is finished by that.
    pub fn restart(&mut self) {
        self.due.clear();
        for session in self.sessions.values_mut() {
            session.busy = false;
            session.open_call = None;
            session.rest.clear();
            let calls = session.messages.iter_mut().flat_map(|m| &mut m.calls);
            calls.filter(|c| c.state == CallState::Running).for_each(|c| c.state = CallState::Error);
        }
    }

    /// Nobody listens for a moment: what was announced is lost, what was going on goes on.
    pub fn lose_events(&mut self) {
        self.due.retain(|_, h| matches!(h, Happening::Step { .. }));
    }
}

pub enum Made {
    Call { call: String, tool: ToolInput },
    Write(String),
}

pub fn fault(name: &str, status: Option<u32>) -> HostFault {
    HostFault { name: name.into(), message: "scripted".into(), status }
}

fn user(id: &str, text: &str) -> HostMessage {
    HostMessage { speaker: Speaker::User, text: text.into(), completed: true, ..assistant(id) }
}

fn assistant(id: &str) -> HostMessage {
    HostMessage {
        id: id.into(),
        speaker: Speaker::Assistant,
        text: String::new(),
        completed: false,
        finish: None,
        error: None,
        model: Some("lab/x".into()),
        usage: Usage::default(),
        calls: Vec::new(),
    }
}

pub fn tool_name(tool: &ToolInput) -> &'static str {
    match tool {
        ToolInput::Mission { .. } => "mission",
        ToolInput::Status { .. } => "mission_status",
        ToolInput::Control { .. } => "mission_control",
        ToolInput::Plan(_) | ToolInput::Malformed { .. } => "submit_plan",
        ToolInput::Report { .. } => "submit_report",
        ToolInput::Review { .. } => "submit_review",
        ToolInput::ContextPut(_) => "context_put",
        ToolInput::ContextGet { .. } => "context_get",
    }
}

pub fn brief(text: &str) -> ToolInput {
    ToolInput::Mission { brief: text.into(), acceptance: Vec::new(), constraints: Vec::new() }
}

/// Of the tries that a prompt names.
fn first_choice(text: &str) -> Option<String> {
    let (_, names) = text.split_once("`choice` one of ")?;
    names.split([',', ' ']).next().map(str::to_owned)
}

pub fn report(task: &str) -> ToolInput {
    reported(ReportStatus::Done, &format!("{task} is done"))
}

pub fn reported(status: ReportStatus, summary: &str) -> ToolInput {
    ToolInput::Report { status, summary: summary.into(), files: Vec::new(), notes: None }
}

pub fn approve() -> ToolInput {
    ToolInput::Review { approved: true, summary: "fine".into(), findings: Vec::new(), choice: None }
}

pub fn changes(message: &str) -> ToolInput {
    let findings = vec![crate::domain::verdict::Finding::of("high", message)];
    ToolInput::Review { approved: false, summary: "not yet".into(), findings, choice: None }
}
