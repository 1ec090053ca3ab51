//! One host process's sidecar: started when it is needed, started again when it dies, and the calls that are sent once
//! more after that, as the plugin does.
use super::Sim;
use super::agents;
use super::host_port::SimHost;
use super::mutation::Mutation;
use super::place_ports::Machine;
use super::store::SimStore;
use super::watched::Watched;
use crate::domain::ids::{Directory, HostSessionId, MissionId};
use crate::engine::Ports;
use crate::engine::handle::{self, Answer, Control, Created, Handle, HostInput, Refusal, ToolInput};
use crate::ports::store::OwnerIdentity;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

thread_local! {
    /// Owners whose process runs. The store asks through a plain function, and a run never leaves its thread.
    static ALIVE: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

fn alive(owner: &OwnerIdentity) -> bool {
    ALIVE.with_borrow(|alive| alive.contains(&owner.owner))
}

/// Forgets the processes of an earlier run on this thread.
pub fn clear_processes() {
    ALIVE.with_borrow_mut(BTreeSet::clear);
}

/// One life of a sidecar process, as its ports know it.
#[derive(Clone)]
pub struct Power {
    pub process: usize,
    owner: Arc<str>,
    gone: CancellationToken,
}

impl Power {
    pub fn owner(&self) -> &str {
        &self.owner
    }
    pub fn is_cut(&self) -> bool {
        self.gone.is_cancelled()
    }
    /// The process dies here; whoever waits for this waits for ever.
    pub async fn cut<T>(&self) -> T {
        self.gone.cancel();
        std::future::pending().await
    }
}

pub struct Life {
    pub handle: Handle,
    power: Power,
    run: AbortHandle,
}

impl Life {
    fn end(&self) {
        self.run.abort();
        ALIVE.with_borrow_mut(|alive| alive.remove(self.power.owner()));
    }
}

pub struct Sidecar {
    pub process: usize,
    life: Watched<Option<Arc<Life>>>,
    /// Calls that need it to run.
    wanted: Watched<bool>,
    generation: AtomicU32,
}

impl Sidecar {
    pub fn new(process: usize) -> Self {
        Self { process, life: Watched::new(None), wanted: Watched::new(false), generation: AtomicU32::new(0) }
    }

    pub fn now(&self) -> Option<Arc<Life>> {
        self.life.get()
    }

    /// Something needs the process, as a call does or the start of a host that finds a marker.
    pub fn want(&self) {
        self.wanted.set(true);
    }

    pub fn crash(&self) -> bool {
        self.now().map(|life| life.power.gone.cancel()).is_some()
    }

    /// Standard input has ended: an orderly stop, as far as it gets.
    pub async fn stop(&self) {
        if let Some(life) = self.now() {
            // Gone even when the faults end in the middle of this.
            let _gone = life.power.gone.clone().drop_guard();
            let ordered = life.handle.shutdown();
            let _ = tokio::time::timeout(Duration::from_millis(1_800), ordered).await;
        }
    }

    async fn connected(&self) -> Arc<Life> {
        self.want();
        loop {
            if let Some(life) =
                self.life.wait_for(|life| life.as_ref().is_some_and(|life| !life.power.is_cut())).await
            {
                return life;
            }
        }
    }

    /// A call that outlives the process it was sent to.
    async fn call<T, F: Future<Output = T>>(&self, call: impl Fn(Arc<Life>) -> F) -> T {
        loop {
            let life = self.connected().await;
            tokio::select! {
                biased;
                () = life.power.gone.cancelled() => {}
                answer = call(life.clone()) => return answer,
            }
        }
    }

    pub async fn create(&self, created: Created) -> Result<MissionId, Refusal> {
        self.call(|life| {
            let created = created.clone();
            async move {
                life.handle.claim_place(created.directory.clone()).await?;
                life.handle.create(created).await.map(|(mission, _)| mission)
            }
        })
        .await
    }

    pub async fn control(&self, mission: &MissionId, control: &Control) -> Result<(), Refusal> {
        self.call(|life| {
            let (mission, control) = (mission.clone(), control.clone());
            async move { life.handle.control(mission, control).await }
        })
        .await
    }

    pub async fn tool(
        &self,
        session: &HostSessionId,
        call: &str,
        tool: &ToolInput,
    ) -> Result<Answer, Refusal> {
        self.call(|life| {
            let (session, call, tool) = (session.clone(), call.to_owned(), tool.clone());
            async move {
                let reply = life.handle.reply();
                let guard = DropCall { life: life.clone(), reply: Some(reply) };
                let answer = life.handle.tool(reply, session, call, tool).await;
                guard.done();
                answer
            }
        })
        .await
    }

    pub async fn may_write(&self, session: &HostSessionId, path: &str) -> Result<(), String> {
        self.call(|life| {
            let (session, paths) = (session.clone(), [path.to_owned()]);
            async move { life.handle.lease_check(&session, "write", &paths).await }
        })
        .await
    }

    // ---- the keeper

    /// Keeps the process running while its host does.
    pub async fn keep(self: Arc<Self>, sim: Arc<Sim>) {
        let mut opened_in = 0;
        loop {
            self.wanted.wait_for(|wanted| *wanted).await;
            let epoch = sim.hosts[self.process].wait_for(|epoch| epoch.up).await;
            let reattach = opened_in == epoch.number;
            let life = Arc::new(self.start(&sim));
            tokio::select! {
                biased;
                () = life.power.gone.cancelled() => {}
                () = open(&sim, &life, reattach) => {
                    opened_in = epoch.number;
                    self.life.set(Some(life.clone()));
                    life.power.gone.cancelled().await;
                }
            }
            self.life.set(None);
            life.end();
            sim.note(format!("{} is gone", life.power.owner()));
            sim.world.lock().stats.crashes += 1;
            sim.pause(100, 2_000).await;
        }
    }

    /// The user types a command in each directory, which takes over whatever lies there.
    pub async fn look_in(&self, sim: &Sim) {
        let Some(life) = self.now() else { return };
        let all = async {
            for directory in &sim.directories {
                // Refused while another process is at work there, which is as good.
                let _ = life.handle.open(Directory(directory.clone()), false).await;
            }
        };
        tokio::select! {
            biased;
            () = life.power.gone.cancelled() => {}
            () = all => {}
        }
    }

    /// A host that starts anew starts no sidecar before something needs one.
    pub fn unwanted(&self) {
        self.wanted.set(false);
    }

    fn start(&self, sim: &Arc<Sim>) -> Life {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let owner = format!("p{}.{generation}", self.process);
        sim.note(format!("{owner} starts"));
        let power =
            Power { process: self.process, owner: owner.as_str().into(), gone: CancellationToken::new() };
        ALIVE.with_borrow_mut(|alive| alive.insert(owner.clone()));
        let machine = Machine(sim.clone());
        let ports = Ports {
            clock: Arc::new(machine.clone()),
            ids: Arc::new(machine.clone()),
            store: Arc::new(SimStore { sim: sim.clone(), disk: sim.disk.clone(), power: power.clone() }),
            host: Arc::new(SimHost { sim: sim.clone(), power: power.clone() }),
            tree: Arc::new(machine.clone()),
            worktrees: Arc::new(machine.clone()),
            history: Arc::new(machine.clone()),
            checks: Arc::new(machine.clone()),
            todo: Arc::new(machine.clone()),
            diagnostics: Arc::new(machine.clone()),
            markers: Arc::new(machine.clone()),
            memory: Arc::new(machine),
            identity: OwnerIdentity { owner, pid: generation, pid_start: 0, boot: "here".into() },
            alive,
            salvage: agents::salvage,
        };
        let (handle, run) = handle::start(ports);
        let running = tokio::spawn(run);
        let run = running.abort_handle();
        let (sim, watched) = (sim.clone(), power.clone());
        tokio::spawn(async move {
            if running.await.is_err_and(|end| end.is_panic()) {
                sim.breach(format!("the engine of {} broke down", watched.owner()));
                watched.gone.cancel();
            }
        });
        Life { handle, power, run }
    }
}

/// Tells the engine that nobody waits any more, when the turn that made the call is ended.
struct DropCall {
    life: Arc<Life>,
    reply: Option<crate::engine::core::ReplyTo>,
}

impl DropCall {
    fn done(mut self) {
        self.reply = None;
    }
}

impl Drop for DropCall {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            let life = self.life.clone();
            if !life.power.gone.is_cancelled() {
                tokio::spawn(async move { life.handle.drop_call(reply).await });
            }
        }
    }
}

async fn open(sim: &Sim, life: &Life, reattach: bool) {
    sim.calls_settle(life.power.process).await;
    for directory in &sim.directories {
        while let Err(refusal) = life.handle.open(Directory(directory.clone()), !reattach).await {
            sim.note(format!("{} could not open {directory}: {refusal}", life.power.owner()));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

// ---- events

/// Carries the events of one host process to its sidecar: in order and at once, unless the odds say otherwise.
pub async fn carry(sim: Arc<Sim>, sidecar: Arc<Sidecar>, mut events: mpsc::UnboundedReceiver<HostInput>) {
    while let Some(event) = events.recv().await {
        sim.pause(1, 5).await;
        let (lost, doubled, late) = {
            let mut world = sim.world.lock();
            let odds = world.odds.clone();
            let rng = &mut world.rng;
            (rng.chance(odds.event_lost), rng.chance(odds.event_doubled), rng.chance(odds.event_late))
        };
        if lost {
            continue;
        }
        if late || doubled {
            let (sim, sidecar, event) = (sim.clone(), sidecar.clone(), event.clone());
            tokio::spawn(async move {
                sim.pause(10, 60_000).await;
                deliver(&sim, &sidecar, event);
            });
        }
        if !late {
            deliver(&sim, &sidecar, event);
        }
    }
}

fn deliver(sim: &Sim, sidecar: &Sidecar, event: HostInput) {
    let Some(life) = sidecar.now() else { return };
    sim.note(format!("event {}", brief(&event)));
    if sim.mutated(Mutation::StaleIdleBelieved)
        && let HostInput::Status { session, state: crate::ports::host::TurnState::Idle, .. } = &event
    {
        let finished = sim.world.lock().sessions.get(session).and_then(|c| c.messages.last().cloned());
        if let Some(mut message) = finished {
            message.completed = true;
            message.finish = Some("stop".into());
            message.speaker = crate::ports::host::Speaker::Assistant;
            life.handle.events(vec![HostInput::Message { session: session.clone(), message }]);
        }
    }
    life.handle.events(vec![event]);
}

fn brief(event: &HostInput) -> String {
    match event {
        HostInput::Status { session, state, .. } => format!("{session} {state:?}"),
        HostInput::Error { session, fault } => format!("{session} error {}", fault.name),
        HostInput::Message { session, message } => format!("{session} message {}", message.id),
        HostInput::ShellRan { session } => format!("{session} shell"),
        HostInput::ToolMoved { session, call, state } => format!("{session} {call} {state:?}"),
        HostInput::Asked { ask } => format!("{} asks {}", ask.session, ask.id),
        HostInput::AskAnswered { session, ask, allow } => format!("{session} {ask} allowed: {allow}"),
        HostInput::Deleted { session } => format!("{session} deleted"),
    }
}
