//! The host as one sidecar reaches it: every call takes time, some fail, some are never answered.
//!
//! What the engine may not do to the host is checked here, at the moment of the call.
use super::Sim;
use super::mutation::Mutation;
use super::sidecar::Power;
use super::turns;
use super::world::World;
use crate::domain::ids::{Directory, HostSessionId, Role};
use crate::engine::core::event::AttemptKind;
use crate::engine::handle::HostInput;
use crate::ports::Fut;
use crate::ports::host::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the adapter waits for an answer.
const CALL_MS: u64 = 30_000;
/// What was decided at one moment reaches the host a moment later.
const GRACE_MS: u64 = 100;
/// An owner that was pushed aside learns of it with its next heartbeat; until then its turns go on.
pub const FENCE_GRACE_MS: u64 = 30_000;

pub struct SimHost {
    pub sim: Arc<Sim>,
    pub power: Power,
}

fn refused(name: &str, status: u32) -> HostError {
    HostError::Refused(HostFault { name: name.into(), message: "simulated".into(), status: Some(status) })
}

fn gone(session: &HostSessionId) -> HostError {
    HostError::Refused(HostFault {
        name: "NotFoundError".into(),
        message: format!("no session {session}"),
        status: Some(404),
    })
}

/// The time limit of the caller ends it.
async fn never<T>(answer: oneshot::Sender<T>) {
    tokio::time::sleep(Duration::from_millis(2 * CALL_MS)).await;
    drop(answer);
}

impl SimHost {
    /// `effect` runs in the host, whether or not the caller still waits for it.
    fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&Arc<Sim>) -> Result<T, HostError> + Send + 'static,
    ) -> Fut<'static, Result<T, HostError>> {
        self.call_for(name, None, effect)
    }

    /// Calls for the same key come one after the other.
    fn call_for<T: Send + 'static>(
        &self,
        name: &'static str,
        key: Option<String>,
        effect: impl FnOnce(&Arc<Sim>) -> Result<T, HostError> + Send + 'static,
    ) -> Fut<'static, Result<T, HostError>> {
        let (tx, rx) = oneshot::channel();
        let (sim, power) = (self.sim.clone(), self.power.clone());
        if power.is_cut() {
            return Box::pin(std::future::pending());
        }
        self.sim.call_begins(power.process);
        tokio::spawn(async move {
            let (fails, hangs, lost, slow, all_the_same) = {
                let mut world = sim.world.lock();
                let odds = world.odds.clone();
                let rng = &mut world.rng;
                let (fails, hangs) = (rng.chance(odds.call_fails), rng.chance(odds.call_hangs));
                // An error may also be said of what was done.
                let all_the_same = fails && rng.chance(300);
                (fails, hangs, hangs && rng.chance(500), rng.chance(odds.call_slow), all_the_same)
            };
            if let Some(key) = &key {
                let mut others = sim.creating.wait_for(|keys| !keys.contains(key)).await;
                others.insert(key.clone());
                sim.creating.set(others);
            }
            sim.pause(1, if slow { 5_000 } else { 20 }).await;
            if let Some(key) = &key {
                let mut others = sim.creating.get();
                others.remove(key);
                sim.creating.set(others);
            }
            if lost || !sim.host_up(power.process) {
                sim.call_ends(power.process);
                return never(tx).await;
            }
            let done = if fails && !all_the_same { None } else { Some(effect(&sim)) };
            let answer = done.filter(|_| !fails).unwrap_or_else(|| Err(refused("APIError", 500)));
            sim.call_ends(power.process);
            sim.note(format!(
                "{} host {name} {}",
                power.owner(),
                if answer.is_ok() { "ok" } else { "failed" }
            ));
            sim.pause(1, if slow { 5_000 } else { 10 }).await;
            if hangs {
                return never(tx).await;
            }
            let _ = tx.send(answer);
        });
        Box::pin(async move {
            match tokio::time::timeout(Duration::from_millis(CALL_MS), rx).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(HostError::Closed),
                Err(_) => Err(HostError::TimedOut(CALL_MS)),
            }
        })
    }

    /// Intent before effect, and prompts only for live attempts of the owner, to sessions that rest.
    fn check_prompt(&self, world: &mut World, session: &HostSessionId) -> Result<(), String> {
        let at = self.sim.elapsed();
        let Some((kept, attempt)) = world.mirror.attempt_of(session) else {
            return Err(format!("{session} was prompted, and no journal knows it"));
        };
        let (id, written, moved) = (attempt.id.0.clone(), attempt.prompts.len(), kept.moved);
        if kept.owner != self.power.owner() {
            let late = at - kept.owner_since > FENCE_GRACE_MS;
            let text = format!("{id} was prompted by {}, owner is {}", self.power.owner(), kept.owner);
            return if late { Err(text) } else { Ok(()) };
        }
        if !attempt.open() && kept.closed.get(&id).is_some_and(|t| at - t > GRACE_MS) {
            return Err(format!("{id} was prompted after its end"));
        }
        // Who compares tries sits with one of them.
        if let (AttemptKind::Work(_), Some(conversation)) = (&attempt.kind, world.sessions.get(session)) {
            let mission = &kept.mission;
            let place = mission.worktree_of(&attempt.kind).map(|w| mission.folder_in(w));
            if conversation.folder != place {
                return Err(format!(
                    "{id} is told to work in {place:?} and sits in {:?}",
                    conversation.folder
                ));
            }
        }
        let sent = world.prompts.entry(id.clone()).or_default();
        *sent += 1;
        if *sent > written {
            return Err(format!("{id} was prompted {sent} times, the journal says {written}"));
        }
        // In a conversation that had turns in two host processes, either sees the other's messages as its own.
        let first = *world.told_by.entry(session.clone()).or_insert(self.power.process);
        let one_host = first == self.power.process && !moved;
        let busy = one_host && world.turns.contains_key(&(self.power.process, session.clone()));
        if busy { Err(format!("{id} was prompted while its turn runs")) } else { Ok(()) }
    }
}

impl Host for SimHost {
    fn create(&self, new: NewSession) -> Fut<'_, Result<HostSessionId, HostError>> {
        {
            let at = self.sim.elapsed();
            let mut world = self.sim.world.lock();
            let known = world
                .mirror
                .missions
                .values()
                .any(|k| k.mission.attempts.values().any(|a| a.id.as_str() == new.key));
            if !known {
                let text = format!("a session was made for {}, which the journal does not know", new.key);
                world.breach(at, text);
            }
        }
        let one_at_a_time = Some(new.key.clone());
        self.call_for("create", one_at_a_time, move |sim| {
            let mut world = sim.world.lock();
            let adopt = new.adopt && !world.mutated(Mutation::SessionsNotAdopted);
            let known = world.sessions.iter().find(|(_, c)| c.key.as_deref() == Some(&new.key));
            match known.map(|(id, _)| id.clone()) {
                Some(id) if adopt => Ok(id),
                twin => {
                    let id = world.make_session(new.role, Some(new.key.clone()));
                    if let Some(conversation) = world.sessions.get_mut(&id) {
                        conversation.folder.clone_from(&new.folder);
                    }
                    if let Some(twin) = twin {
                        let text = format!("{twin} and {id} were both made for {}", new.key);
                        world.breach(sim.elapsed(), text);
                    }
                    Ok(id)
                }
            }
        })
    }

    fn open_folder(&self, _directory: Directory, folder: String) -> Fut<'_, Result<(), HostError>> {
        self.call("open_folder", move |sim| {
            let mut world = sim.world.lock();
            if !world.places.contains_key(&folder) {
                world.breach(sim.elapsed(), format!("{folder} was opened before it was there"));
            }
            Ok(())
        })
    }

    fn prompt(
        &self,
        _directory: Directory,
        session: HostSessionId,
        role: Role,
        text: String,
        no_reply: bool,
    ) -> Fut<'_, Result<(), HostError>> {
        if !no_reply {
            let mut world = self.sim.world.lock();
            if let Err(breach) = self.check_prompt(&mut world, &session) {
                world.breach(self.sim.elapsed(), breach);
            }
        }
        let process = self.power.process;
        self.call("prompt", move |sim| {
            if !sim.world.lock().sessions.contains_key(&session) {
                return Err(gone(&session));
            }
            if no_reply {
                // The plugin refuses to talk into a turn of the user's.
                if sim.world.lock().turn_state(process, &session) != TurnState::Absent {
                    return Err(refused("SessionBusy", 409));
                }
                let mut world = sim.world.lock();
                world.push_user(&session, &text);
                if role == Role::Commander {
                    world.delivered(sim.elapsed(), &text);
                }
            } else {
                super::check::first_words(sim, &session, &text);
                turns::prompt(sim, process, &session, text);
            }
            Ok(())
        })
    }

    fn abort(&self, _directory: Directory, session: HostSessionId) -> Fut<'_, Result<(), HostError>> {
        if self.sim.mutated(Mutation::AbortsLost) {
            return Box::pin(std::future::ready(Ok(())));
        }
        let process = self.power.process;
        self.call("abort", move |sim| {
            let mut world = sim.world.lock();
            let odds = world.odds.abort_late;
            let late = world.rng.chance(odds);
            drop(world);
            if late {
                turns::abort_late(sim, process, session)
            } else {
                turns::abort(sim, process, &session)
            }
            Ok(())
        })
    }

    fn status(
        &self,
        _directory: Directory,
        sessions: Vec<HostSessionId>,
    ) -> Fut<'_, Result<Vec<(HostSessionId, TurnState)>, HostError>> {
        let process = self.power.process;
        self.call("status", move |sim| {
            let mut world = sim.world.lock();
            let world = &mut *world;
            let mut states = Vec::new();
            for session in sessions {
                let mut state = world.turn_state(process, &session);
                if let Some(conversation) = world.sessions.get_mut(&session) {
                    let lie =
                        state == TurnState::Busy && !conversation.lied && world.rng.chance(world.odds.lie);
                    conversation.lied = lie;
                    if lie {
                        state = *world.rng.pick(&[TurnState::Idle, TurnState::Absent]);
                    }
                }
                states.push((session, state));
            }
            Ok(states)
        })
    }

    fn messages(
        &self,
        _directory: Directory,
        session: HostSessionId,
        limit: u32,
    ) -> Fut<'_, Result<Vec<HostMessage>, HostError>> {
        self.call("messages", move |sim| {
            let world = sim.world.lock();
            let all = &world.sessions.get(&session).ok_or_else(|| gone(&session))?.messages;
            Ok(all[all.len().saturating_sub(limit as usize)..].to_vec())
        })
    }

    fn asks(
        &self,
        _directory: Directory,
        _session: HostSessionId,
    ) -> Fut<'_, Result<Vec<HostAsk>, HostError>> {
        // Where nobody asks, this call draws no lots either.
        if self.sim.world.lock().odds.permission == 0 {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let process = self.power.process;
        self.call("asks", move |sim| {
            let world = sim.world.lock();
            let here = world.asks.iter().filter(|(_, ask)| ask.process == process && ask.allowed.is_none());
            Ok(here.map(|(id, ask)| turns::host_ask(id, &ask.session)).collect())
        })
    }

    fn answer_ask(
        &self,
        _directory: Directory,
        session: HostSessionId,
        ask: String,
        refusal: Option<String>,
    ) -> Fut<'_, Result<(), HostError>> {
        let process = self.power.process;
        self.call("answer_ask", move |sim| {
            let mut world = sim.world.lock();
            let open = world.asks.get_mut(&ask).filter(|a| a.process == process && a.allowed.is_none());
            let open = open.ok_or_else(|| gone(&session))?;
            open.allowed = Some(refusal.is_none());
            drop(world);
            sim.emit(process, HostInput::AskAnswered { session, ask, allow: refusal.is_none() });
            Ok(())
        })
    }

    fn toast(
        &self,
        _directory: Directory,
        _kind: ToastKind,
        title: String,
        message: String,
    ) -> Fut<'_, Result<(), HostError>> {
        self.sim.note(format!("toast {title}: {message}"));
        self.call("toast", |_| Ok(()))
    }

    fn progress(
        &self,
        _directory: Directory,
        _session: HostSessionId,
        _call: String,
        _title: String,
        _metadata: Vec<(String, String)>,
    ) -> Fut<'_, Result<(), HostError>> {
        self.call("progress", |_| Ok(()))
    }
}
