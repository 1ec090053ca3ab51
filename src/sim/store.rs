//! The memory store behind a disk that is slow, full, or gone in the middle of a write.
use super::Sim;
use super::mutation::Mutation;
use super::sidecar::Power;
use super::world::Place;
use crate::adapters::memory::MemoryStore;
use crate::domain::ids::{Directory, Millis, MissionId};
use crate::ports::Fut;
use crate::ports::queue::Queue;
use crate::ports::store::{Append, Claim, MissionRow, OwnerIdentity, OwnerToken, Record, Store, StoreError};
use std::sync::Arc;

/// One sidecar's way to the store that all share.
pub struct SimStore {
    pub sim: Arc<Sim>,
    pub disk: MemoryStore,
    pub power: Power,
}

/// What happens to one write.
enum Fate {
    Done,
    Refused,
    AnswerLost,
    CrashBefore,
    CrashAfter,
}

impl SimStore {
    fn fate(&self) -> Fate {
        let mut world = self.sim.world.lock();
        let odds = world.odds.clone();
        if world.rng.chance(odds.crash_at_write) {
            return if world.rng.chance(500) { Fate::CrashBefore } else { Fate::CrashAfter };
        }
        if world.rng.chance(odds.store_refuses) {
            return Fate::Refused;
        }
        if world.rng.chance(odds.store_answer_lost) {
            world.answers_were_lost = true;
            return Fate::AnswerLost;
        }
        Fate::Done
    }

    async fn wait(&self) {
        let slow = {
            let mut world = self.sim.world.lock();
            let odds = world.odds.store_slow;
            world.rng.chance(odds)
        };
        self.sim.pause(if slow { 500 } else { 1 }, if slow { 8_000 } else { 5 }).await;
        while self
            .sim
            .world
            .lock()
            .stalled_until
            .get(&self.power.process)
            .is_some_and(|t| *t > self.sim.elapsed())
        {
            self.sim.pause(500, 1_000).await;
        }
    }

    /// A write as the engine sees it: some time, then the effect, then some time, then the answer.
    async fn write<T>(&self, work: impl AsyncFnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.wait().await;
        if self.power.is_cut() {
            return self.power.cut().await;
        }
        let fate = self.fate();
        let answer = match fate {
            Fate::Refused => return Err(StoreError::Full { path: "memory".into() }),
            Fate::CrashBefore => return self.power.cut().await,
            Fate::Done | Fate::AnswerLost | Fate::CrashAfter => work().await,
        };
        match fate {
            Fate::AnswerLost if answer.is_ok() => Err(StoreError::Other("the answer was lost".into())),
            Fate::CrashAfter => self.power.cut().await,
            _ => answer,
        }
    }

    /// The disk has it; so has the mirror, at the same moment.
    fn kept(&self, appends: &[Append]) {
        let at = self.sim.elapsed();
        let mut world = self.sim.world.lock();
        let world = &mut *world;
        for append in appends {
            world.mirror.append(at, append, |place| world.places.get(place).and_then(Place::last_look));
            let owner = &append.owner.owner;
            for (_, kind, body) in &append.records {
                world.trace.line(at, &format!("{owner} wrote {} {kind} {body}", append.mission));
            }
        }
        for breach in std::mem::take(&mut world.mirror.breaches) {
            world.breach(at, breach);
        }
    }

    async fn append_now(&self, mut batch: Vec<Append>) -> Result<(), StoreError> {
        if self.sim.mutated(Mutation::FenceIgnored) {
            for append in &mut batch {
                self.forge(append).await?;
            }
        }
        self.disk.append(batch.clone()).await?;
        self.kept(&batch);
        Ok(())
    }

    /// Rewrites an append as if it came from the present owner.
    async fn forge(&self, append: &mut Append) -> Result<(), StoreError> {
        let by =
            OwnerIdentity { owner: self.power.owner().into(), pid: 0, pid_start: 0, boot: String::new() };
        let claim = self.disk.claim(append.mission.clone(), by, 60_000, self.sim.wall(), |_| false).await?;
        if let Claim::Granted(token) = claim {
            append.owner = token;
            append.after = self.disk.load(append.mission.clone()).await?.len() as u64;
        }
        Ok(())
    }
}

impl Store for SimStore {
    fn create(
        &self,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        first: Append,
    ) -> Fut<'_, Result<(), StoreError>> {
        Box::pin(self.write(async move || {
            self.disk.create(by, ttl_ms, now, first.clone()).await?;
            let mission = first.mission.clone();
            self.kept(&[first]);
            self.sim.world.lock().mirror.renewed(&mission, now.plus(ttl_ms));
            Ok(())
        }))
    }

    fn append(&self, mut batch: Vec<Append>) -> Fut<'_, Result<(), StoreError>> {
        if self.sim.mutated(Mutation::OutboxForgotten) {
            for append in &mut batch {
                append.row.open &= append.row.ended_at.is_none();
            }
        }
        if self.sim.mutated(Mutation::EffectBeforeLog) {
            return Box::pin(async move {
                let (sim, disk, power) = (self.sim.clone(), self.disk.clone(), self.power.clone());
                let late = SimStore { sim, disk, power };
                // One after the other, as the engine gave them.
                let turn = self.sim.late_writes.clone().lock_owned().await;
                tokio::spawn(async move {
                    late.sim.pause(20, 60).await;
                    let _ = late.append_now(batch).await;
                    drop(turn);
                });
                Ok(())
            });
        }
        Box::pin(async move {
            let answer = self.write(async move || self.append_now(batch).await).await;
            let ignored = self.sim.mutated(Mutation::FullDiskIgnored);
            if ignored && matches!(answer, Err(StoreError::Full { .. })) { Ok(()) } else { answer }
        })
    }

    fn load(&self, mission: MissionId) -> Fut<'_, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            self.wait().await;
            let mut records = self.disk.load(mission).await?;
            if self.sim.mutated(Mutation::FinishedRunAgain) {
                let last = records.len().saturating_sub(1);
                let done = |r: &Record| r.kind == "task_changed" && r.body.contains("\"completed\"");
                let gone: Vec<_> = (0..last).filter(|n| done(&records[*n])).collect();
                for n in gone.into_iter().rev() {
                    records.remove(n);
                }
            }
            Ok(records)
        })
    }

    fn claim(
        &self,
        mission: MissionId,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        alive: fn(&OwnerIdentity) -> bool,
    ) -> Fut<'_, Result<Claim, StoreError>> {
        Box::pin(async move {
            let robbed = self.sim.mutated(Mutation::LiveOwnerRobbed);
            let believed = if robbed { |_: &OwnerIdentity| false } else { alive };
            self.write(async move || {
                let claim = self.disk.claim(mission.clone(), by, ttl_ms, now, believed).await?;
                if let Claim::Granted(OwnerToken { owner, fence }) = &claim {
                    let at = self.sim.elapsed();
                    let mut world = self.sim.world.lock();
                    world.note(at, format!("{owner} owns {mission}, fence {fence}"));
                    let before =
                        world.mirror.missions.get(&mission).map(|k| (k.owner.clone(), k.owner_until));
                    if let Some((holder, until)) = before
                        && holder != *owner
                        && until > now
                        && alive(&OwnerIdentity {
                            owner: holder.clone(),
                            pid: 0,
                            pid_start: 0,
                            boot: String::new(),
                        })
                    {
                        world.breach(
                            at,
                            format!("{owner} took {mission} from {holder}, which lives and holds it"),
                        );
                    }
                    world.mirror.renewed(&mission, now.plus(ttl_ms));
                    world.mirror.owned(at, &mission, owner);
                }
                Ok(claim)
            })
            .await
        })
    }

    fn heartbeat(
        &self,
        owner: String,
        missions: Vec<MissionId>,
        ttl_ms: u64,
        now: Millis,
    ) -> Fut<'_, Result<Vec<MissionId>, StoreError>> {
        Box::pin(self.write(async move || {
            let held = self.disk.heartbeat(owner, missions, ttl_ms, now).await?;
            let mut world = self.sim.world.lock();
            held.iter().for_each(|mission| world.mirror.renewed(mission, now.plus(ttl_ms)));
            Ok(held)
        }))
    }

    fn release(&self, owner: String, directory: Option<Directory>) -> Fut<'_, Result<(), StoreError>> {
        Box::pin(self.write(async move || {
            self.disk.release(owner.clone(), directory.clone()).await?;
            self.sim.world.lock().mirror.released(&owner, directory.as_ref());
            Ok(())
        }))
    }

    fn prune(&self, keep: u32, most: u32, now: Millis) -> Fut<'_, Result<u64, StoreError>> {
        Box::pin(self.write(async move || self.disk.prune(keep, most, now).await))
    }

    fn missions(
        &self,
        directory: Option<Directory>,
        open_only: bool,
        limit: u32,
    ) -> Fut<'_, Result<Vec<MissionRow>, StoreError>> {
        Box::pin(async move {
            self.wait().await;
            self.disk.missions(directory, open_only, limit).await
        })
    }

    fn mission(&self, id: MissionId) -> Fut<'_, Result<Option<MissionRow>, StoreError>> {
        Box::pin(async move {
            self.wait().await;
            self.disk.mission(id).await
        })
    }

    fn backlog(&self) -> Queue {
        self.disk.backlog()
    }

    fn location(&self) -> String {
        "memory".into()
    }
}
