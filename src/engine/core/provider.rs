//! Model providers behind the host: which one a turn runs on, whether it answers, and how fast it may be asked.
use super::Core;
use super::event::*;
use super::live::DOUBT_MS;
use crate::domain::breaker::Breaker;
use crate::domain::ids::{AttemptId, Directory, Millis, MissionId, Role};
use crate::domain::mission::MissionState;
use crate::domain::permits::{Seat, provider};
use crate::domain::rate::RateGate;
use crate::ports::host::{HostMessage, ToastKind};
use std::collections::{BTreeMap, BTreeSet};

impl Core {
    /// Named by the host with each answer; until then by what is usual in this directory.
    pub(super) fn provider_of(&self, id: &MissionId, attempt: &AttemptId) -> String {
        let mission = self.missions.get(id);
        let role = mission.and_then(|m| m.attempts.get(attempt)).map(|a| a.role());
        let (Some(mission), Some(role)) = (mission, role) else { return String::new() };
        let pulse = self.live.get(id).and_then(|l| l.pulses.get(attempt));
        let named = pulse.and_then(|p| p.model.as_deref()).map(provider);
        named.unwrap_or_else(|| self.usual_provider(&mission.created.directory, role)).to_owned()
    }

    /// What the role last ran on in the directory, else what any role did: most have one model for all. The empty name
    /// stands for those of which nothing is known yet.
    fn usual_provider(&self, directory: &Directory, role: Role) -> &str {
        let roles = self.models.get(directory);
        let of = |role| roles.and_then(|roles| roles.get(&role));
        let model = of(role).or_else(|| Role::ALL.into_iter().find_map(of));
        model.map_or("", |model| provider(model))
    }

    pub(super) fn learn_model(&mut self, id: &MissionId, attempt: &AttemptId, message: &HostMessage) {
        let Some(model) = &message.model else { return };
        let Some(role) = self.open(id, attempt).map(|a| a.role()) else { return };
        let shared = self.names.share(model);
        let directory = &self.missions[id].created.directory;
        match self.models.get_mut(directory) {
            Some(roles) => roles.insert(role, shared.clone()),
            None => self.models.entry(directory.clone()).or_default().insert(role, shared.clone()),
        };
        // What was refused before the first answer came was refused by the one that answers now, as far as can be told; a
        // gate that began anew with its name would let the whole burst through once more.
        let name = provider(model);
        if let (false, Some(unknown)) = (self.gates.contains_key(name), self.gates.get("")) {
            self.gates.insert(name.to_owned(), unknown.clone());
        }
        self.pulse(id, attempt).model = Some(shared);
    }

    fn breaker(&mut self, name: &str) -> &mut Breaker {
        self.breakers.entry(name.to_owned()).or_default()
    }

    fn gate(&mut self, name: &str) -> &mut RateGate {
        let seed = self.seed;
        self.gates.entry(name.to_owned()).or_insert_with(|| RateGate::new(seed))
    }

    /// Asks for one turn now; else when to ask again.
    pub(super) fn admit_turn(&mut self, id: &MissionId, attempt: &AttemptId) -> Result<(), Millis> {
        let (now, name) = (self.now, self.provider_of(id, attempt));
        // The gate first: the breaker takes who is let through for its probe.
        self.gate(&name).admit(now)?;
        if !self.breaker(&name).admit(now) {
            // While a probe is under way the breaker names no time; its outcome comes with a later step.
            return Err(self.breaker(&name).retry_at(now).max(now.plus(DOUBT_MS)));
        }
        let probe = !self.breaker(&name).is_closed();
        let pulse = self.pulse(id, attempt);
        pulse.probe = probe;
        pulse.provider = name;
        Ok(())
    }

    /// When a turn that failed may be tried again.
    pub(super) fn retry_at(&mut self, id: &MissionId, attempt: &AttemptId) -> Millis {
        let (now, name) = (self.now, self.provider_of(id, attempt));
        let paused = self.gate(&name).pause(now);
        self.breaker(&name).retry_at(now).max(paused.unwrap_or(now))
    }

    /// What the provider told one of them holds for all.
    pub(super) fn rate_limited(&mut self, id: &MissionId, attempt: &AttemptId, until: Millis) {
        let (now, name) = (self.now, self.provider_of(id, attempt));
        self.gate(&name).refused(now, until);
    }

    /// Tells breaker and permits how a turn ended; while the breaker is not closed only its own probes count for it.
    pub(super) fn provider_answered(&mut self, id: &MissionId, attempt: &AttemptId, well: bool) {
        let Some(role) = self.open(id, attempt).map(|a| a.role()) else { return };
        // What it runs on may be known only now, by its answer; a probe belongs to the breaker that sent it.
        let (now, known) = (self.now, self.provider_of(id, attempt));
        let pulse = self.pulse(id, attempt);
        let probe = std::mem::take(&mut pulse.probe);
        let name = if probe { pulse.provider.clone() } else { known };
        let pulse = self.live.get(id).and_then(|l| l.pulses.get(attempt));
        let model = self.seat(&self.missions[id], role, pulse).model.map(str::to_owned);
        self.permits.settled(&Seat { role, model: model.as_deref() }, well);
        let breaker = self.breaker(&name);
        if probe || breaker.is_closed() {
            if well { breaker.succeeded() } else { breaker.failed(now) }
        }
    }

    /// The probe ended without an outcome.
    pub(super) fn probe_lost(&mut self, name: &str) {
        self.breaker(name).forgotten();
    }

    /// Whether every provider that the mission's roles run on answers, as far as is known.
    fn answered(&self, id: &MissionId) -> bool {
        let directory = &self.missions[id].created.directory;
        let of = |role| self.usual_provider(directory, role);
        let names: BTreeSet<_> = [Role::Planner, Role::Worker, Role::Reviewer].into_iter().map(of).collect();
        names.into_iter().all(|name| self.breakers.get(name).is_none_or(Breaker::is_closed))
    }

    /// A mission whose provider fails runs degraded for as long as the breaker is not closed.
    pub(super) fn degrade(&mut self) {
        for id in self.missions.keys().cloned().collect::<Vec<_>>() {
            match self.missions[&id].state {
                MissionState::Degraded if self.answered(&id) => self.recover(&id),
                MissionState::Running if !self.answered(&id) => {
                    self.state(&id, MissionState::Degraded, "the model provider keeps failing");
                    let message = "The mission waits and tries again; nothing is lost.";
                    self.notify(&id, Toasts::Normal, ToastKind::Warning, "Model provider failing", message);
                }
                _ => {}
            }
        }
    }

    pub(super) fn recover(&mut self, id: &MissionId) {
        if self.missions[id].state == MissionState::Degraded {
            self.state(id, MissionState::Running, "the model provider answers again");
        }
    }

    /// Why turns of the mission wait, for its title.
    pub(super) fn provider_wait(&self, id: &MissionId) -> Option<String> {
        let live = self.live.get(id)?;
        let waits = self.missions[id].open_attempts().find(|a| {
            live.pulses.get(&a.id).is_some_and(|p| p.stage == super::live::Stage::Waiting && p.due.is_some())
        })?;
        let until = self.gates.get(&self.provider_of(id, &waits.id))?.pause(self.now)?;
        Some(format!("the model provider asks to wait {} s", until.since(self.now).div_ceil(1_000)))
    }

    pub(super) fn report_providers(&self, gauges: &mut BTreeMap<String, u64>) {
        let named = |name: &str| if name.is_empty() { "unknown".to_owned() } else { name.to_owned() };
        for (name, breaker) in &self.breakers {
            gauges.insert(format!("breaker.{}.open", named(name)), u64::from(!breaker.is_closed()));
        }
        for (name, gate) in &self.gates {
            let wait = gate.pause(self.now).map_or(0, |until| until.since(self.now));
            gauges.insert(format!("gate.{}.paused_ms", named(name)), wait);
            gauges.insert(format!("gate.{}.pauses", named(name)), gate.pauses());
            if let Some(rate) = gate.per_minute() {
                gauges.insert(format!("gate.{}.turns_per_minute", named(name)), rate);
            }
        }
    }
}

impl AttemptKind {
    pub fn role(&self) -> Role {
        match self {
            AttemptKind::Planning => Role::Planner,
            AttemptKind::Work(_) => Role::Worker,
            AttemptKind::Review(_) => Role::Reviewer,
        }
    }
}
