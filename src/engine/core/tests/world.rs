//! Plays a scripted world against the core in virtual time, and checks after every step what always has to hold.
use super::outside::{Happening, Made, Outside, Session, subject};
use crate::domain::ids::{AttemptId, Directory, HostSessionId, Millis, MissionId, Role, TaskId};
use crate::domain::merge::Step;
use crate::domain::mission::MissionState;
use crate::domain::task::TaskState;
use crate::domain::todo::{Edit, TodoItem};
use crate::domain::verdict::{CheckOutcome, CheckResult, TreeId};
use crate::engine::core::event::*;
use crate::engine::core::state::{Mission, Task};
use crate::engine::core::worktrees::{Candidate, Stacked, TreeDone, TreeNews, TreeWork};
use crate::engine::core::*;
use crate::ports::host::{HostError, TurnState};
use crate::ports::worktrees::{Left, Merged, Move};
use std::collections::{BTreeMap, BTreeSet};

/// Virtual time after which a mission that has not settled never will.
const PATIENCE_MS: u64 = 12 * 3_600_000;
const MAX_STEPS: usize = 100_000;

#[derive(Default)]
pub struct World {
    pub core: Core,
    pub now: Millis,
    pub outside: Outside,
    /// What is on its way back to the core.
    jobs: BTreeMap<(Millis, u64), Input>,
    next: u64,
    pub log: BTreeMap<MissionId, Vec<(Millis, Event)>>,
    pub actions: Vec<(Millis, Action)>,
    pub answers: BTreeMap<ReplyTo, Answer>,
    calls: BTreeMap<ReplyTo, (HostSessionId, String)>,
    writes: BTreeMap<ReplyTo, (HostSessionId, String)>,
    pub denied: Vec<String>,
    /// Who waits for edits of the plan file: the round, and the edits known.
    pub watches: BTreeMap<MissionId, (u64, Vec<Edit>)>,
    /// The world at each commit of the first mission: before its actions were carried out, and after.
    pub moments: Vec<Moment>,
    completed: BTreeSet<(MissionId, TaskId)>,
    pub most_workers: usize,
    /// Most turns of workers that the host ran at one time.
    pub most_turns: usize,
    /// Answers of the host take this long.
    pub host_ms: u64,
    /// Prompts wait so long for their way to the host.
    pub lane_ms: u64,
    steps: usize,
}

/// A point at which the process may die.
#[derive(Clone)]
pub struct Moment {
    pub now: Millis,
    pub events: usize,
    pub before: Outside,
    pub after: Outside,
}

impl World {
    pub fn new() -> Self {
        Self { now: Millis(1_000_000), host_ms: 10, ..Self::default() }
    }

    // ---- the user

    pub fn options(&self) -> Options {
        Options { checks: Some(vec!["npm test".into()]), ..Options::default() }
    }

    /// `/task` in a conversation of its own in `/p`.
    pub fn task(&mut self, text: &str) -> MissionId {
        let parent = format!("u{}", self.log.len());
        self.task_in(&parent, "/p", text, self.options())
    }

    pub fn task_in(&mut self, parent: &str, place: &str, text: &str, options: Options) -> MissionId {
        let id = MissionId::new(format!("m{}", self.log.len() + 1));
        let created = Created {
            directory: Directory::new(place),
            worktree: place.into(),
            parent: parent.into(),
            text: text.into(),
            key: format!("key {id}"),
            title: text.into(),
            options,
        };
        let session = Session { title: "Commander".into(), ..Session::default() };
        self.outside.sessions.entry(parent.into()).or_insert(session);
        self.create(id, created)
    }

    /// The shim's way: the mission first, then the Commander's turn with its id, once the conversation is free.
    fn create(&mut self, id: MissionId, created: Created) -> MissionId {
        let (parent, reply) = (created.parent.clone(), self.reply());
        self.step(Input::Create { reply, mission: id.clone(), created });
        let Answer::Created { mission, .. } = &self.answers[&reply] else {
            panic!("{:?}", self.answers[&reply])
        };
        let mission = mission.clone();
        if !self.outside.session(&parent).busy {
            self.outside.begin(self.now, &parent, &format!("Carry out mission {mission}"));
        }
        mission
    }

    pub fn control(&mut self, mission: &MissionId, control: Control) -> Result<(), Refusal> {
        let reply = self.reply();
        self.step(Input::Control { reply: Some(reply), mission: mission.clone(), control });
        match &self.answers[&reply] {
            Answer::Mission { .. } => Ok(()),
            Answer::Refused(refusal) => Err(refusal.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// A tool call out of turn; its answer in words.
    pub fn call(&mut self, session: &str, tool: ToolInput) -> String {
        let call = format!("extra{}", self.next);
        self.call_as(&session.into(), &call, tool)
    }

    pub fn call_as(&mut self, session: &HostSessionId, call: &str, tool: ToolInput) -> String {
        let reply = self.reply();
        self.step(Input::Tool { reply, session: session.clone(), call: call.into(), tool });
        match self.answers.get(&reply) {
            Some(Answer::Tool { output, .. }) => output.clone(),
            other => format!("{other:?}"),
        }
    }

    /// A write out of turn; the sentence when it is denied.
    pub fn write(&mut self, session: &HostSessionId, path: &str) -> Option<String> {
        let reply = self.reply();
        self.step(Input::Write { reply, session: session.clone(), paths: vec![path.into()] });
        match &self.answers[&reply] {
            Answer::Write { denied } => denied.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The plan file as people have left it: all edits that it has.
    pub fn edit(&mut self, mission: &MissionId, edits: Vec<Edit>) {
        let (round, known) = self.watches.remove(mission).expect("the file is watched");
        assert_ne!(known, edits, "nothing new to tell");
        self.step(Input::TodoEdited { mission: mission.clone(), round, edits });
    }

    /// Esc: the open call of the conversation is cancelled, its turn aborted.
    pub fn escape(&mut self, session: &str) {
        let open =
            self.calls.iter().find(|(r, (s, _))| s.as_str() == session && !self.answers.contains_key(r));
        if let Some(reply) = open.map(|(r, _)| *r) {
            self.step(Input::CallDropped { reply });
        }
        self.outside.abort(self.now, &session.into());
    }

    pub fn reply(&mut self) -> ReplyTo {
        self.next += 1;
        ReplyTo(self.next)
    }

    // ---- time

    /// Until every mission is settled and nothing is left to do.
    pub fn run(&mut self) {
        self.run_until(|w| w.core.missions().all(|m| m.settled() && m.open_attempts().next().is_none()));
    }

    pub fn run_for(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.go(at);
        }
        self.now = end;
    }

    pub fn run_until(&mut self, done: impl Fn(&World) -> bool) {
        let end = self.now.plus(PATIENCE_MS);
        while !done(self) {
            let next = self.next_at().filter(|at| *at <= end);
            let Some(at) = next else { panic!("it never comes to that; so far:\n{}", self.story()) };
            self.go(at);
        }
    }

    fn next_at(&self) -> Option<Millis> {
        let due = [self.jobs.keys().next(), self.outside.due.keys().next()];
        due.into_iter().flatten().map(|(at, _)| *at).chain(self.core.next_wake()).min()
    }

    fn go(&mut self, at: Millis) {
        self.now = self.now.max(at);
        self.steps += 1;
        assert!(self.steps < MAX_STEPS, "no end; so far:\n{}", self.story());
        let job = self.jobs.keys().next().copied().filter(|(t, _)| *t <= at);
        let happening = self.outside.due.keys().next().copied().filter(|(t, _)| *t <= at);
        if let Some(input) = job.and_then(|key| self.jobs.remove(&key)) {
            self.step(input);
        } else if let Some(happening) = happening.and_then(|key| self.outside.due.remove(&key)) {
            self.happen(happening);
        } else {
            self.step(Input::Tick);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Event(event) => self.step(Input::Host { event }),
            Happening::Prompt { mission, attempt, session, role, text } => {
                let result = self.outside.prompt(self.now, &session, role, &text);
                self.later(self.host_ms, Input::PromptTaken { mission, attempt, result });
            }
            Happening::Begin { session, text } => self.outside.begin(self.now, &session, &text),
            Happening::Step { session, turn, step } => {
                match self.outside.play(self.now, &session, turn, step) {
                    Some(Made::Call { call, tool }) => self.tool(session, call, tool),
                    Some(Made::Write(path)) => {
                        let reply = self.reply();
                        self.writes.insert(reply, (session.clone(), path.clone()));
                        self.step(Input::Write { reply, session, paths: vec![path] });
                    }
                    None => {}
                }
            }
        }
    }

    pub fn tool(&mut self, session: HostSessionId, call: String, tool: ToolInput) {
        let reply = self.reply();
        self.calls.insert(reply, (session.clone(), call.clone()));
        self.step(Input::Tool { reply, session, call, tool });
    }

    // ---- one step

    pub fn step(&mut self, input: Input) {
        let tick = input == Input::Tick;
        let turn = self.core.step(self.now, input);
        for (id, event) in &turn.events {
            self.log.entry(id.clone()).or_default().push((self.now, event.clone()));
            self.witness(id, event);
        }
        self.check(&turn.events);
        let spins = tick && self.core.next_wake().is_some_and(|wake| wake <= self.now);
        assert!(!spins, "a tick at {:?} leaves it wanting one at once:\n{}", self.now, self.story());
        let before = (!turn.events.is_empty()).then(|| self.outside.clone());
        for action in turn.actions {
            self.actions.push((self.now, action.clone()));
            self.perform(action);
        }
        if let (Some(before), Some(log)) = (before, self.log.values().next()) {
            let after = self.outside.clone();
            self.moments.push(Moment { now: self.now, events: log.len(), before, after });
        }
    }

    /// Finished work is never taken up again.
    fn witness(&mut self, id: &MissionId, event: &Event) {
        match event {
            Event::TaskChanged { task, to: TaskState::Completed, .. } => {
                self.completed.insert((id.clone(), task.clone()));
            }
            Event::AttemptOpened { kind: AttemptKind::Work(task), .. } => {
                assert!(
                    !self.completed.contains(&(id.clone(), task.clone())),
                    "{task} was done and is worked on again"
                );
            }
            // Opened again by the user.
            Event::Reopened { task } => {
                self.completed.remove(&(id.clone(), task.clone()));
            }
            // Taken back by the user.
            Event::Restored { .. } => {
                self.completed.retain(|(m, _)| m != id);
                let done = |t: &&Task| t.state == TaskState::Completed;
                let tasks = self.core.mission(id).map(|m| m.tasks.as_slice()).unwrap_or_default();
                self.completed.extend(tasks.iter().filter(done).map(|t| (id.clone(), t.spec.id.clone())));
            }
            _ => {}
        }
    }

    fn check(&mut self, events: &[(MissionId, Event)]) {
        let touched: BTreeSet<_> = events.iter().map(|(id, _)| id).collect();
        for id in touched {
            if let Some(live) = self.core.mission(id) {
                assert_eq!(
                    replay(id, &self.log[id]).as_ref(),
                    Some(live),
                    "the journal of {id} tells another story"
                );
            }
        }
        let open = self.core.missions().flat_map(Mission::open_attempts);
        let workers = open.filter(|a| matches!(a.kind, AttemptKind::Work(_))).count();
        self.most_workers = self.most_workers.max(workers);
        let turns = self.outside.sessions.values().filter(|s| s.busy && s.role == Some(Role::Worker)).count();
        self.most_turns = self.most_turns.max(turns);
        self.check_places();
    }

    /// One mission at a time at work in a place, and no declared path in the hands of two tasks.
    fn check_places(&self) {
        let at_work: Vec<_> =
            self.core.missions().filter(|m| m.running() || m.state == MissionState::Paused).collect();
        let places: BTreeSet<_> = at_work.iter().map(|m| m.place()).collect();
        assert_eq!(places.len(), at_work.len(), "two missions at work in one place");
        // In worktrees nobody meets another.
        for mission in at_work.into_iter().filter(|m| m.isolation.is_none()) {
            let active: Vec<_> = mission
                .tasks
                .iter()
                .filter(|t| t.state.is_active() && !mission.is_whole_of_parts(&t.spec.id))
                .map(declared)
                .collect();
            for (i, a) in active.iter().enumerate() {
                let clash = active[i + 1..].iter().flatten().any(|q| a.iter().any(|p| p.overlaps(q)));
                assert!(!clash, "one path in the hands of two tasks:\n{}", self.story());
            }
        }
    }

    fn later(&mut self, ms: u64, input: Input) {
        self.next += 1;
        self.jobs.insert((self.now.plus(ms), self.next), input);
    }

    fn seen(&mut self, session: &HostSessionId, transcript: bool) -> Result<Look, HostError> {
        let mut result = self.outside.look(session);
        if let (Ok(look), false) = (&mut result, transcript)
            && look.state == TurnState::Busy
        {
            look.messages.clear();
        }
        result
    }

    fn perform(&mut self, action: Action) {
        let (now, ms) = (self.now, self.host_ms);
        match action {
            Action::Answer { to, answer } => self.answer(to, answer),
            Action::CreateSession { mission, attempt, title, role, adopt, model, folder, .. } => {
                let result = self.outside.create(attempt.clone(), &title, role, adopt, model);
                if let Ok(id) = &result {
                    self.outside.session(id).folder = folder;
                }
                self.later(ms, Input::SessionCreated { mission, attempt, result });
            }
            Action::Prompt { mission, attempt, session, role, text, .. } => {
                self.check_folder(&mission, &attempt, &session);
                let prompt = Happening::Prompt { mission, attempt, session, role, text };
                match self.lane_ms {
                    0 => self.happen(prompt),
                    ms => self.outside.at(now.plus(ms), prompt),
                }
            }
            Action::Abort { of, session, .. } => {
                self.outside.abort(now, &session);
                let taken = of.map(|(mission, attempt)| Input::AbortTaken { mission, attempt });
                taken.into_iter().for_each(|taken| self.later(ms, taken));
            }
            Action::AnswerAsk { session, ask, refusal, .. } => {
                self.outside.answer_ask(now, &session, &ask, refusal);
            }
            Action::Look { mission, attempt, session, transcript, .. } => {
                let result = self.seen(&session, transcript);
                self.later(ms, Input::Looked { mission, attempt, result });
            }
            Action::CheckSession { mission, session, .. } => {
                let result = self.outside.look(&session);
                self.later(ms, Input::SessionChecked { mission, session, result });
            }
            Action::LookAtParent { mission, session, transcript, .. } => {
                let result = self.seen(&session, transcript);
                self.later(ms, Input::ParentLooked { mission, result });
            }
            Action::HandBack { mission, session, text, .. } => {
                let result = self.outside.store(&session, &text);
                self.later(ms, Input::HandBackTaken { mission, text, result });
            }
            Action::Salvage { mission, attempt, text, .. } => {
                let found = (text == "REPORT").then(|| super::outside::report("salvaged"));
                self.step(Input::Salvaged { mission, attempt, found });
            }
            Action::StopWork { mission } => {
                self.watches.remove(&mission);
                self.jobs.retain(|_, job| !is_work(job, &mission));
            }
            Action::UnwatchTodo { mission } => {
                self.watches.remove(&mission);
            }
            Action::Tell { .. } | Action::Toast { .. } | Action::Progress { .. } => {}
            other => self.perform_work(other),
        }
    }

    /// A worker sits where its task is worked on.
    fn check_folder(&self, mission: &MissionId, attempt: &AttemptId, session: &HostSessionId) {
        let mission = self.mission(mission);
        let kind = &mission.attempts[attempt].kind;
        if matches!(kind, AttemptKind::Work(_)) {
            let place = mission.worktree_of(kind).map(|w| mission.folder_in(w));
            assert_eq!(self.outside.sessions[session].folder, place, "{attempt}:\n{}", self.story());
        }
    }

    fn perform_work(&mut self, action: Action) {
        match action {
            Action::Survey { mission, checks, .. } => {
                let checks = checks.unwrap_or_default();
                let tree = Some(self.tree());
                self.later(300, Input::Surveyed { mission, checks, tree, remark: None });
            }
            Action::Baseline { mission, commands, .. } => {
                let results = self.run_checks(&commands);
                self.later(300, Input::Baselined { mission, results, wrote: Vec::new() });
            }
            Action::Inspect { mission, subject, round, .. } => {
                let result = match self.outside.tree_faults.pop_front() {
                    Some(fault) => Err(fault),
                    None => Ok(Inspection {
                        tree: Some(self.tree()),
                        changed: self.outside.changed.iter().cloned().collect(),
                        ..Inspection::default()
                    }),
                };
                self.later(20, Input::Inspected { mission, subject, round, result });
            }
            Action::LookAtShells { mission, round, .. } => {
                let changed = std::mem::take(&mut self.outside.shell_changes);
                self.later(20, Input::ShellsSeen { mission, round, result: Ok((self.tree(), changed)) });
            }
            Action::Check { mission, subject, round, commands, .. } => {
                let results = self.run_checks(&commands);
                self.later(500, Input::Checked { mission, subject, round, results, wrote: Vec::new() });
            }
            Action::Record { mission, round, .. } => {
                let fault = "it cannot be read".to_owned();
                let result = if self.outside.record_fault { Err(fault) } else { Ok(self.tree()) };
                self.later(15, Input::Recorded { mission, round, result });
            }
            Action::PlanRollback { mission, round, look } => {
                let result = self.outside.rollbacks.pop_front().unwrap_or_else(|| self.rollback(&look));
                self.later(15, Input::RollbackPlanned { mission, round, result });
            }
            Action::RestoreFiles { mission, round, .. } => {
                self.outside.tree += 1;
                let result = self.outside.restores.pop_front().unwrap_or_else(|| Ok(Vec::new()));
                self.later(15, Input::FilesRestored { mission, round, result });
            }
            Action::PublishTodo { mission, items, .. } => {
                self.outside.todo = items.into_iter().map(|i: TodoItem| (i.id, i.state)).collect();
                self.todo_written(mission);
            }
            Action::UpdateTodo { mission, states, .. } => {
                self.outside.todo.extend(states);
                self.todo_written(mission);
            }
            Action::WatchTodo { mission, round, known, .. } => {
                self.watches.insert(mission, (round, known));
            }
            Action::OpenFolder { mission, folder, .. } => {
                self.later(self.host_ms, Input::FolderOpened { mission, folder, result: Ok(()) });
            }
            Action::Trees { mission, round, work, .. } => {
                let done = self.tree_work(work);
                self.later(30, Input::Trees(TreeNews { mission, round, done }));
            }
            other => panic!("{other:?} is carried out elsewhere"),
        }
    }

    /// Worktrees all have the project's one content, and nothing contradicts anything.
    fn tree_work(&mut self, work: TreeWork) -> TreeDone {
        match work {
            TreeWork::Give { task, number, onto, .. } => {
                TreeDone::Given { task, number, base: onto, result: Ok(format!("/w/{number}")) }
            }
            TreeWork::Prepare { number, .. } => {
                TreeDone::Prepared { number, result: Ok(format!("/w/{number}")) }
            }
            TreeWork::Merge { candidates, .. } => {
                let step = |c: Candidate| Step { task: c.task, tree: c.tree };
                let steps = candidates.into_iter().map(step).collect();
                let fault = self.outside.merge_faults.pop_front().map(Err);
                TreeDone::Merged(fault.unwrap_or(Ok(Stacked { steps, refused: Vec::new() })))
            }
            TreeWork::Try { tree, commands, .. } => {
                TreeDone::Tried { tree, result: Ok(self.run_checks(&commands)) }
            }
            TreeWork::TakeIn { user, integration, .. } => {
                TreeDone::TakenIn(Ok((user, Merged { tree: integration, conflicts: Vec::new() })))
            }
            TreeWork::Land { to, .. } => {
                let result = self.outside.landings.pop_front().unwrap_or(Ok(Move::Done));
                TreeDone::Landed { tree: to, result }
            }
            TreeWork::Propose { proposal } => {
                let branch = Left { branch: Some(proposal.name), ..Left::default() };
                TreeDone::Proposed(self.outside.proposals.pop_front().unwrap_or(Ok(branch)))
            }
            TreeWork::Release => TreeDone::Released,
        }
    }

    fn todo_written(&mut self, mission: MissionId) {
        let result = self.outside.todo_faults.pop_front().map_or(Ok(1), Err);
        self.later(5, Input::TodoWritten { mission, result });
    }

    /// One file for each task that is to be taken back.
    fn rollback(&self, look: &RollbackLook) -> Result<RollbackFound, String> {
        let chosen = look.stretches.iter().filter(|s| s.part == Part::Chosen);
        let step = |s: &RollbackStretch| RollbackStep {
            path: s.task.as_ref().map_or("undone".into(), |t| t.0.clone()),
            what: "changed back",
        };
        let steps: Vec<_> = chosen.map(step).collect();
        let to = if steps.is_empty() { self.tree() } else { TreeId(format!("{} taken back", self.tree().0)) };
        Ok(RollbackFound { from: self.tree(), to, steps, conflicts: Vec::new(), others: Vec::new() })
    }

    pub fn tree(&self) -> TreeId {
        TreeId(format!("tree {}", self.outside.tree))
    }

    fn run_checks(&mut self, commands: &[String]) -> Vec<CheckResult> {
        let mut run = |command: &String| {
            let scripted = self.outside.checks.get_mut(command).and_then(|q| q.pop_front());
            let outcome = scripted.unwrap_or(CheckOutcome::Passed);
            CheckResult { command: command.clone(), outcome, millis: 1, tail: "what it said".into() }
        };
        commands.iter().map(&mut run).collect()
    }

    fn answer(&mut self, to: ReplyTo, answer: Answer) {
        if let Some((session, call)) = self.calls.get(&to).cloned() {
            let output = match &answer {
                Answer::Tool { output, .. } => Ok(output.as_str()),
                _ => Err(()),
            };
            self.outside.answered(self.now, &session, &call, output);
        }
        if let Some((session, path)) = self.writes.get(&to).cloned() {
            let Answer::Write { denied } = &answer else { panic!("{answer:?}") };
            self.outside.written(self.now, &session, &path, denied.is_none());
            self.denied.extend(denied.clone());
        }
        // Only a call that its caller took back is answered again.
        let before = self.answers.insert(to, answer.clone());
        let cancelled = matches!(answer, Answer::Refused(Refusal::Cancelled(_)));
        assert!(before.is_none() || cancelled, "{to:?} was answered twice: {before:?}, {answer:?}");
    }

    // ---- crashes

    /// The process dies after the first `events` facts of the first mission, with the world as it was then, and a
    /// new one takes over: of the same host, or of one that was started again.
    pub fn take_over(&self, now: Millis, events: usize, outside: &Outside, host_restarted: bool) -> World {
        let (id, log) = self.log.first_key_value().expect("a mission");
        let mut events = log[..events].to_vec();
        let mut world =
            World { now: now.plus(50), host_ms: self.host_ms, outside: outside.clone(), ..World::new() };
        for (_, event) in &events {
            world.witness(id, event);
        }
        world.log.insert(id.clone(), events.clone());
        if host_restarted {
            world.outside.restart();
        } else {
            world.outside.lose_events();
        }
        events.shrink_to_fit();
        world.step(Input::Adopt { mission: id.clone(), events, host_restarted });
        if !host_restarted {
            world.call_again();
        }
        world
    }

    /// The shim sends what had no answer yet once more, under the same ids.
    fn call_again(&mut self) {
        let open = self
            .outside
            .sessions
            .iter()
            .filter_map(|(id, s)| s.open_call.clone().map(|(c, t)| (id.clone(), c, t)));
        for (session, call, tool) in open.collect::<Vec<_>>() {
            self.tool(session, call, tool);
        }
        let asked: Vec<_> = self.core.missions().map(|m| (m.id.clone(), m.created.clone())).collect();
        for (id, created) in asked {
            if self.outside.session(&created.parent).turn == 0 {
                let twin = MissionId::new(format!("{id}-again"));
                assert_eq!(self.create(twin, created), id, "the same key is the same mission");
            }
        }
    }

    // ---- what happened

    pub fn mission(&self, id: &MissionId) -> &Mission {
        self.core.mission(id).unwrap_or_else(|| panic!("{id} is not in memory"))
    }

    pub fn state(&self, id: &MissionId) -> &'static str {
        self.mission(id).state.name()
    }

    pub fn task_state(&self, id: &MissionId, task: &str) -> &'static str {
        self.mission(id).task(&task.into()).unwrap_or_else(|| panic!("no task {task}")).state.name()
    }

    /// The newest host session whose title begins so.
    pub fn session_of(&self, what: &str) -> HostSessionId {
        let mut found = self.outside.sessions.iter().filter(|(_, s)| subject(&s.title) == what);
        let n = |id: &HostSessionId| id.as_str()[1..].parse::<u32>().unwrap_or_default();
        found
            .by_ref()
            .map(|(id, _)| id.clone())
            .max_by_key(n)
            .unwrap_or_else(|| panic!("no session of {what}"))
    }

    /// What the tool calls of a session's turns were answered, in order.
    pub fn calls_of(&self, session: &HostSessionId) -> Vec<String> {
        let mine = self.calls.iter().filter(|(_, (s, _))| s == session);
        let answered = mine.filter_map(|(reply, _)| match self.answers.get(reply)? {
            Answer::Tool { output, .. } => Some(output.clone()),
            _ => None,
        });
        answered.collect()
    }

    pub fn turns_of(&self, what: &str) -> Vec<&str> {
        self.outside.turns.iter().filter(|(_, s, _)| s == what).map(|(_, _, text)| text.as_str()).collect()
    }

    pub fn toasts(&self) -> Vec<(String, String)> {
        let toast = |a: &Action| match a {
            Action::Toast { title, message, .. } => Some((title.clone(), message.clone())),
            _ => None,
        };
        self.actions.iter().filter_map(|(_, a)| toast(a)).collect()
    }

    /// The facts of a mission as lines, those that begin with one of `kinds` (all when there are none).
    pub fn trace(&self, id: &MissionId, kinds: &[&str]) -> Vec<String> {
        let lines = super::trace::lines(&self.log[id]);
        lines.into_iter().filter(|l| kinds.is_empty() || kinds.iter().any(|k| l.starts_with(k))).collect()
    }

    pub fn story(&self) -> String {
        let line = |(id, log): (&MissionId, &Vec<(Millis, Event)>)| {
            format!("{id}:\n  {}", super::trace::lines(log).join("\n  "))
        };
        self.log.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn is_work(input: &Input, of: &MissionId) -> bool {
    match input {
        Input::Surveyed { mission, .. }
        | Input::Baselined { mission, .. }
        | Input::Inspected { mission, .. }
        | Input::ShellsSeen { mission, .. }
        | Input::Recorded { mission, .. }
        | Input::RollbackPlanned { mission, .. }
        | Input::Checked { mission, .. } => mission == of,
        // What has begun in the user's files, or to leave the worktrees, is carried to its end.
        Input::Trees(TreeNews {
            done: TreeDone::Landed { .. } | TreeDone::Proposed(_) | TreeDone::Released,
            ..
        }) => false,
        Input::Trees(news) => news.mission == *of,
        _ => false,
    }
}
