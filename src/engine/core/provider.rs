//! Model providers behind the host: which one a turn runs on, whether it answers, and how fast it may be asked.
use super::Core;
use super::event::*;
use super::live::{LOOK_MS, Pulse, Stage};
use super::state::{Attempt, Mission};
use crate::domain::breaker::Breaker;
use crate::domain::ids::{AttemptId, Directory, Millis, MissionId, Role};
use crate::domain::mission::MissionState;
use crate::domain::permits::{Seat, provider};
use crate::domain::rate::RateGate;
use crate::domain::retry::{self, Class};
use crate::ports::host::{HostMessage, ToastKind};
use std::collections::{BTreeMap, BTreeSet};

impl Core {
    /// What a turn of the attempt runs on, as `provider/model`: named by the host with each answer; until then what it was
    /// opened with, else what is usual for its role in this directory.
    pub(super) fn model_of<'a>(&'a self, mission: &'a Mission, attempt: &Attempt) -> Option<&'a str> {
        let pulse = self.live.get(&mission.id).and_then(|l| l.pulses.get(&attempt.id));
        let named = pulse.and_then(|p| p.model.as_deref());
        named.or_else(|| self.expected_model(mission, &attempt.kind))
    }

    /// What an attempt would run on.
    pub(super) fn expected_model<'a>(&'a self, mission: &'a Mission, kind: &AttemptKind) -> Option<&'a str> {
        let usual = || self.models.get(&mission.created.directory)?.get(&kind.role()).map(|m| &**m);
        mission.model_for(kind).or_else(usual)
    }

    fn provider_of(&self, id: &MissionId, attempt: &AttemptId) -> &str {
        let mission = self.missions.get(id);
        let Some((mission, attempt)) = mission.and_then(|m| Some((m, m.attempts.get(attempt)?))) else {
            return "";
        };
        let usual = || self.usual_provider(&mission.created.directory, attempt.role());
        self.model_of(mission, attempt).map_or_else(usual, provider)
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
        let Some(kind) = self.open(id, attempt).map(|a| a.kind.clone()) else { return };
        let shared = self.names.share(model);
        let unknown = self.provider_of(id, attempt).is_empty();
        let mission = &self.missions[id];
        // What one is told to run on says nothing of what its like do.
        if mission.model_for(&kind).is_none() {
            let roles = match self.models.get_mut(&mission.created.directory) {
                Some(roles) => roles,
                None => self.models.entry(mission.created.directory.clone()).or_default(),
            };
            roles.insert(kind.role(), shared.clone());
        }
        self.pulse(id, attempt).model = Some(shared);
        if unknown {
            self.name_unknown(provider(model));
        }
    }

    /// What was refused, and what failed, before the first answer came was the doing of the one that answers now, as far as
    /// can be told; a gate that began anew with its name would let the whole burst through once more.
    fn name_unknown(&mut self, name: &str) {
        if let Some(gate) = self.gates.remove("") {
            self.gates.entry(name.to_owned()).or_insert(gate);
        }
        if let Some(breaker) = self.breakers.remove("") {
            self.breakers.entry(name.to_owned()).or_insert(breaker);
        }
    }

    fn breaker(&mut self, id: &MissionId, attempt: &AttemptId) -> &mut Breaker {
        let name = self.provider_of(id, attempt).to_owned();
        self.breakers.entry(name).or_default()
    }

    fn gate(&mut self, id: &MissionId, attempt: &AttemptId) -> &mut RateGate {
        let (seed, name) = (self.seed, self.provider_of(id, attempt).to_owned());
        self.gates.entry(name).or_insert_with(|| RateGate::new(seed))
    }

    /// When its provider may be asked for one more turn; none while that depends on how the turn of another ends.
    pub(super) fn turn_at(&self, id: &MissionId, attempt: &AttemptId) -> Option<Millis> {
        let (now, name) = (self.now, self.provider_of(id, attempt));
        let probing = |who: &AttemptId| who != attempt && self.in_turn(who);
        let tried = match self.breakers.get(name) {
            Some(breaker) => breaker.ready_at(now, probing)?,
            None => now,
        };
        Some(self.gates.get(name).map_or(now, |gate| gate.ready_at(now)).max(tried))
    }

    /// Whether its turn can still be answered.
    fn in_turn(&self, attempt: &AttemptId) -> bool {
        let pulse = self.live.values().find_map(|live| live.pulses.get(attempt));
        pulse.is_some_and(|p| matches!(p.stage, Stage::Prompting | Stage::Running) && !p.salvaging)
    }

    /// Asks for one turn now. Who is refused waits, and begins in a later step: see `prompts_due`.
    pub(super) fn admit_turn(&mut self, id: &MissionId, attempt: &AttemptId) -> bool {
        let now = self.now;
        let admitted = self.turn_at(id, attempt).is_some_and(|at| at <= now);
        if admitted {
            self.gate(id, attempt).begun(now);
            self.breaker(id, attempt).begun(now, attempt);
        }
        admitted
    }

    /// What the provider told one of them holds for all.
    pub(super) fn rate_limited(&mut self, id: &MissionId, attempt: &AttemptId, until: Millis) {
        let now = self.now;
        self.gate(id, attempt).refused(now, until);
    }

    /// The host has failed to get an answer, and tries again by itself. It says so once for each time, and repeats
    /// itself only before that time has come.
    pub(super) fn host_retries(
        &mut self,
        id: &MissionId,
        attempt: &AttemptId,
        at: Option<Millis>,
        message: Option<&str>,
    ) {
        let now = self.now;
        let at = at.unwrap_or(now.plus(LOOK_MS));
        let pulse = self.pulse(id, attempt);
        let repeated = pulse.retries_at.is_some_and(|told| now < told);
        pulse.waits_until(now, at);
        let class = retry::announced(message);
        if matches!(class, Class::RateLimit | Class::Other) {
            self.rate_limited(id, attempt, at);
        }
        if class != Class::RateLimit && !repeated {
            self.provider_failed(id, attempt);
        }
    }

    /// A request failed on the provider's side, or on its way there. Permits are not lowered by an outage: what the breaker
    /// has closed the door to is few turns already, and would be few for long after.
    pub(super) fn provider_failed(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        if self.breaker(id, attempt).is_closed() {
            self.settled(id, attempt, false);
        }
        self.breaker(id, attempt).failed(now);
    }

    /// The model has given an answer to its end.
    pub(super) fn provider_answered(&mut self, id: &MissionId, attempt: &AttemptId) {
        let now = self.now;
        self.pulse(id, attempt).answered();
        self.breaker(id, attempt).succeeded(now, attempt);
    }

    /// The model calls a tool, which may take long; its answer is complete only after that.
    pub(super) fn provider_heard(&mut self, id: &MissionId, attempt: &AttemptId) {
        self.breaker(id, attempt).heard(attempt);
    }

    /// Whether a turn that failed is held against its attempt: only when the provider answered others meanwhile.
    pub(super) fn fails_alone(&mut self, id: &MissionId, attempt: &AttemptId) -> bool {
        let began = self.pulse(id, attempt).prompted_at;
        self.breaker(id, attempt).answered_since(began)
    }

    /// Tells the permits how a turn fared.
    pub(super) fn settled(&mut self, id: &MissionId, attempt: &AttemptId, well: bool) {
        let Some(a) = self.open(id, attempt) else { return };
        let seat = self.seat(&self.missions[id], a);
        let (role, model) = (seat.role, seat.model.map(str::to_owned));
        self.permits.settled(&Seat { role, model: model.as_deref() }, well);
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
        let pulses = &self.live.get(id)?.pulses;
        let open = || self.missions[id].open_attempts().filter_map(|a| Some((&a.id, pulses.get(&a.id)?)));
        let waiting = |p: &Pulse| p.stage == Stage::Waiting && p.due.is_some();
        let waits = open().find_map(|(a, p)| waiting(p).then(|| self.why_waits(id, a)).flatten());
        waits.or_else(|| {
            let retries = open().filter(|(_, p)| p.stage == Stage::Running).filter_map(|(_, p)| p.retries_at);
            let next = retries.filter(|at| *at > self.now).min()?;
            Some(format!("the host asks the model provider again in {} s", self.seconds_to(next)))
        })
    }

    fn why_waits(&self, id: &MissionId, attempt: &AttemptId) -> Option<String> {
        let (now, name) = (self.now, self.provider_of(id, attempt));
        let gate = self.gates.get(name);
        if let Some(until) = gate.and_then(|gate| gate.pause(now)) {
            return Some(format!("the model provider asks to wait {} s", self.seconds_to(until)));
        }
        let probing = |who: &AttemptId| who != attempt && self.in_turn(who);
        match self.breakers.get(name).map(|breaker| breaker.ready_at(now, probing)) {
            Some(None) => return Some("the model provider keeps failing; one turn tries it".into()),
            Some(Some(at)) if at > now => {
                let seconds = self.seconds_to(at);
                return Some(format!("the model provider keeps failing; tried again in {seconds} s"));
            }
            _ => {}
        }
        let next = gate.map(|gate| gate.ready_at(now)).filter(|at| *at > now)?;
        let seconds = self.seconds_to(next);
        Some(format!(
            "the model provider has refused some turns, so they begin one by one; next in {seconds} s"
        ))
    }

    fn seconds_to(&self, at: Millis) -> u64 {
        at.since(self.now).div_ceil(1_000)
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
            if let Some(rate) = gate.per_minute(self.now) {
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
