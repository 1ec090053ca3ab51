//! The store without a disk. Clones share their contents, so a clone handed to a second engine is what a file
//! is to a second process. Faults are scripted: a test says which write fails, and how.
//!
//! Every future is ready at once, which keeps a paused clock from running ahead.
use crate::domain::ids::{Directory, Millis, MissionId};
use crate::ports::Fut;
use crate::ports::queue::Queue;
use crate::ports::store::{Append, Claim, MissionRow, OwnerIdentity, OwnerToken, Record, Store, StoreError};
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::future::ready;
use std::sync::Arc;

#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    missions: BTreeMap<MissionId, Kept>,
    faults: VecDeque<Fault>,
}

#[derive(Clone)]
struct Kept {
    row: MissionRow,
    fence: u64,
    holder: Option<(OwnerIdentity, Millis)>,
    journal: Vec<Record>,
}

enum Fault {
    Refused(StoreError),
    AnswerLost,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// The next write (after those already scripted) fails with `error` and writes nothing.
    pub fn fail_next(&self, error: StoreError) {
        self.state.lock().faults.push_back(Fault::Refused(error));
    }

    /// The next write (after those already scripted) is done, and its caller is told that it failed.
    pub fn lose_next_answer(&self) {
        self.state.lock().faults.push_back(Fault::AnswerLost);
    }

    fn write<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut BTreeMap<MissionId, Kept>) -> Result<T, StoreError>,
    ) -> Fut<'a, Result<T, StoreError>> {
        let mut state = self.state.lock();
        let answer = match state.faults.pop_front() {
            Some(Fault::Refused(error)) => Err(error),
            Some(Fault::AnswerLost) => work(&mut state.missions)
                .and_then(|_| Err(StoreError::Other("the answer was lost (scripted fault)".into()))),
            None => work(&mut state.missions),
        };
        Box::pin(ready(answer))
    }

    fn read<'a, T: Send + 'a>(
        &self,
        query: impl FnOnce(&BTreeMap<MissionId, Kept>) -> T,
    ) -> Fut<'a, Result<T, StoreError>> {
        Box::pin(ready(Ok(query(&self.state.lock().missions))))
    }
}

impl Kept {
    fn append(&mut self, append: &Append) -> Result<(), StoreError> {
        let held = self.holder.as_ref().is_some_and(|(by, _)| by.owner == append.owner.owner);
        if !held || self.fence != append.owner.fence {
            return Err(StoreError::Fenced(append.mission.clone()));
        }
        let found = self.journal.len() as u64;
        if found != append.after {
            let (mission, expected) = (append.mission.clone(), append.after);
            return Err(StoreError::Sequence { mission, expected, found });
        }
        self.journal.extend(records(append));
        // What a mission is found by stays as it was created.
        let fixed = &self.row;
        self.row = MissionRow {
            id: fixed.id.clone(),
            directory: fixed.directory.clone(),
            place: fixed.place.clone(),
            key: fixed.key.clone(),
            created_at: fixed.created_at,
            ..append.row.clone()
        };
        Ok(())
    }
}

fn records(append: &Append) -> impl Iterator<Item = Record> {
    (append.after + 1..).zip(&append.records).map(|(seq, (at, kind, body))| Record {
        seq,
        at: *at,
        kind: kind.clone(),
        body: body.clone(),
    })
}

fn alone_in_place<'a>(
    id: &MissionId,
    row: &MissionRow,
    mut all: impl Iterator<Item = (&'a MissionId, &'a Kept)>,
) -> Result<(), StoreError> {
    let beside = |other: &MissionRow| row.begun && other.begun && other.open && other.place == row.place;
    let other = all.find(|(other, kept)| *other != id && beside(&kept.row));
    other.map_or(Ok(()), |(other, _)| Err(StoreError::PlaceTaken(other.clone())))
}

impl Store for MemoryStore {
    fn create(
        &self,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        first: Append,
    ) -> Fut<'_, Result<(), StoreError>> {
        self.write(|missions| {
            let same = |row: &MissionRow| row.directory == first.row.directory && row.key == first.row.key;
            if let Some((id, _)) = missions.iter().find(|(id, kept)| **id == first.mission || same(&kept.row))
            {
                return Err(StoreError::Duplicate(id.clone()));
            }
            if first.after != 0 {
                let (mission, expected) = (first.mission, first.after);
                return Err(StoreError::Sequence { mission, expected, found: 0 });
            }
            let at_work = |kept: &Kept| {
                kept.row.place == first.row.place && kept.row.open && kept.row.ended_at.is_none()
            };
            let held = |kept: &Kept| {
                kept.holder.as_ref().is_some_and(|(h, until)| h.owner != by.owner && *until > now)
            };
            if let Some((id, _)) = missions.iter().find(|(_, kept)| at_work(kept) && held(kept)) {
                return Err(StoreError::PlaceTaken(id.clone()));
            }
            alone_in_place(&first.mission, &first.row, missions.iter())?;
            let kept = Kept {
                journal: records(&first).collect(),
                row: first.row,
                fence: first.owner.fence,
                holder: Some((by, now.plus(ttl_ms))),
            };
            missions.insert(first.mission, kept);
            Ok(())
        })
    }

    fn append(&self, batch: Vec<Append>) -> Fut<'_, Result<(), StoreError>> {
        self.write(|missions| {
            let mut changed: BTreeMap<MissionId, Kept> = BTreeMap::new();
            for append in &batch {
                let id = &append.mission;
                let kept = match changed.remove(id).or_else(|| missions.get(id).cloned()) {
                    Some(mut kept) => kept.append(append).map(|()| kept)?,
                    None => return Err(unknown(id)),
                };
                changed.insert(id.clone(), kept);
            }
            // With all of the changes: one may end in the transaction in which the next begins.
            let after = |id: &MissionId| changed.get(id);
            for (id, kept) in &changed {
                let all = missions.iter().map(|(id, kept)| (id, after(id).unwrap_or(kept)));
                alone_in_place(id, &kept.row, all)?;
            }
            missions.extend(changed);
            Ok(())
        })
    }

    fn load(&self, mission: MissionId) -> Fut<'_, Result<Vec<Record>, StoreError>> {
        self.read(|missions| missions.get(&mission).map(|kept| kept.journal.clone()).unwrap_or_default())
    }

    fn claim(
        &self,
        mission: MissionId,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        alive: fn(&OwnerIdentity) -> bool,
    ) -> Fut<'_, Result<Claim, StoreError>> {
        self.write(|missions| {
            let Some(kept) = missions.get_mut(&mission) else { return Ok(Claim::Unknown) };
            match &kept.holder {
                Some((holder, _)) if holder.owner == by.owner => {}
                Some((holder, until)) if *until > now && alive(holder) => {
                    return Ok(Claim::Held { by: holder.clone(), until: *until });
                }
                _ => kept.fence += 1,
            }
            let token = OwnerToken { owner: by.owner.clone(), fence: kept.fence };
            kept.holder = Some((by, now.plus(ttl_ms)));
            Ok(Claim::Granted(token))
        })
    }

    fn heartbeat(
        &self,
        owner: String,
        asked: Vec<MissionId>,
        ttl_ms: u64,
        now: Millis,
    ) -> Fut<'_, Result<Vec<MissionId>, StoreError>> {
        self.write(|missions| {
            let mut held = Vec::new();
            for (id, kept) in missions {
                if let Some((by, until)) = &mut kept.holder
                    && by.owner == owner
                    && asked.contains(id)
                {
                    *until = now.plus(ttl_ms);
                    held.push(id.clone());
                }
            }
            Ok(held)
        })
    }

    fn release(&self, owner: String, directory: Option<Directory>) -> Fut<'_, Result<(), StoreError>> {
        self.write(|missions| {
            let here = |row: &MissionRow| directory.as_ref().is_none_or(|d| row.directory == *d);
            for kept in missions.values_mut().filter(|kept| here(&kept.row)) {
                kept.holder.take_if(|(by, _)| by.owner == owner);
            }
            Ok(())
        })
    }

    fn prune(&self, keep: u32, most: u32, now: Millis) -> Fut<'_, Result<u64, StoreError>> {
        self.write(|missions| {
            let mut ended: Vec<_> = missions.values().filter(|kept| !kept.row.open).collect();
            ended.sort_by_key(|kept| Reverse((kept.row.created_at, kept.row.id.clone())));
            let free = |kept: &&&Kept| kept.holder.as_ref().is_none_or(|(_, until)| *until <= now);
            let old = ended.iter().skip(keep as usize).filter(free).take(most as usize);
            let gone: Vec<_> = old.map(|kept| kept.row.id.clone()).collect();
            gone.iter().for_each(|id| {
                missions.remove(id);
            });
            Ok(gone.len() as u64)
        })
    }

    fn missions(
        &self,
        directory: Option<Directory>,
        open_only: bool,
        limit: u32,
    ) -> Fut<'_, Result<Vec<MissionRow>, StoreError>> {
        self.read(|missions| {
            let mut rows: Vec<_> = missions
                .values()
                .map(|kept| &kept.row)
                .filter(|row| directory.as_ref().is_none_or(|d| row.directory == *d))
                .filter(|row| row.open || !open_only)
                .cloned()
                .collect();
            rows.sort_by_key(|row| Reverse((row.created_at, row.id.clone())));
            rows.truncate(limit as usize);
            rows
        })
    }

    fn mission(&self, id: MissionId) -> Fut<'_, Result<Option<MissionRow>, StoreError>> {
        self.read(|missions| missions.get(&id).map(|kept| kept.row.clone()))
    }

    /// Every write is done at once.
    fn backlog(&self) -> Queue {
        Queue { name: "store writes", waiting: 0, limit: 1, when_full: "callers wait", turned_away: 0 }
    }

    fn location(&self) -> String {
        "memory".into()
    }
}

fn unknown(mission: &MissionId) -> StoreError {
    StoreError::Other(format!("no mission {mission} in this store: list the known ones"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::store_contract as contract;

    contract::store_contract!(|| (MemoryStore::new(), ()));

    #[tokio::test]
    async fn a_scripted_failure_writes_nothing_and_passes() {
        let store = MemoryStore::new();
        contract::create(&store, "m1", 0).await.expect("a mission");
        let full = StoreError::Full { path: "memory".into() };
        store.fail_next(full.clone());
        let one = || vec![contract::append("m1", 1, 1)];
        assert_eq!(store.append(one()).await, Err(full));
        assert_eq!(contract::length(&store, "m1").await, 1);
        assert_eq!(store.append(one()).await, Ok(()));
        assert_eq!(contract::length(&store, "m1").await, 2);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_write_in_place() {
        let store = MemoryStore::new();
        contract::create(&store, "m1", 0).await.expect("a mission");
        store.lose_next_answer();
        let answer = store.append(vec![contract::append("m1", 1, 1)]).await;
        assert!(matches!(answer, Err(StoreError::Other(_))), "{answer:?}");
        assert_eq!(contract::length(&store, "m1").await, 2);
    }
}
