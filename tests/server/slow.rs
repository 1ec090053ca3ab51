//! A store whose reads take their time: what two readers of one mission make of each other.
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gantry::adapters::memory::MemoryStore;
use gantry::domain::ids::{Directory, Millis, MissionId};
use gantry::ports::Fut;
use gantry::ports::queue::Queue;
use gantry::ports::store::*;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::missions::finished;
use crate::models::Act;
use crate::rig::{Rig, Server};
use crate::until;
use crate::wire::wire;

#[derive(Default)]
struct Slow {
    store: MemoryStore,
    /// How long the next readings of a journal take.
    loads: Mutex<VecDeque<Duration>>,
    refused: Mutex<Vec<StoreError>>,
}

impl Store for Slow {
    fn create(
        &self,
        by: OwnerIdentity,
        ttl: u64,
        now: Millis,
        first: Append,
    ) -> Fut<'_, Result<(), StoreError>> {
        self.store.create(by, ttl, now, first)
    }
    fn append(&self, batch: Vec<Append>) -> Fut<'_, Result<(), StoreError>> {
        Box::pin(async {
            let done = self.store.append(batch).await;
            self.refused.lock().extend(done.clone().err());
            done
        })
    }
    fn load(&self, mission: MissionId) -> Fut<'_, Result<Vec<Record>, StoreError>> {
        let wait = self.loads.lock().pop_front().unwrap_or_default();
        Box::pin(async move {
            let found = self.store.load(mission).await;
            tokio::time::sleep(wait).await;
            found
        })
    }
    fn claim(
        &self,
        mission: MissionId,
        by: OwnerIdentity,
        ttl: u64,
        now: Millis,
        alive: fn(&OwnerIdentity) -> bool,
    ) -> Fut<'_, Result<Claim, StoreError>> {
        self.store.claim(mission, by, ttl, now, alive)
    }
    fn heartbeat(
        &self,
        owner: String,
        missions: Vec<MissionId>,
        ttl: u64,
        now: Millis,
    ) -> Fut<'_, Result<Vec<MissionId>, StoreError>> {
        self.store.heartbeat(owner, missions, ttl, now)
    }
    fn release(&self, owner: String, directory: Option<Directory>) -> Fut<'_, Result<(), StoreError>> {
        self.store.release(owner, directory)
    }
    fn missions(
        &self,
        directory: Option<Directory>,
        open_only: bool,
        limit: u32,
    ) -> Fut<'_, Result<Vec<MissionRow>, StoreError>> {
        self.store.missions(directory, open_only, limit)
    }
    fn mission(&self, id: MissionId) -> Fut<'_, Result<Option<MissionRow>, StoreError>> {
        self.store.mission(id)
    }
    fn prune(&self, keep: u32, most: u32, now: Millis) -> Fut<'_, Result<u64, StoreError>> {
        self.store.prune(keep, most, now)
    }
    fn backlog(&self) -> Queue {
        self.store.backlog()
    }
    fn location(&self) -> String {
        self.store.location()
    }
}

#[tokio::test]
async fn a_mission_that_is_read_twice_at_once_is_taken_over_once() {
    let mut rig = Rig::new().await;
    let (before, after) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    rig.host.script.next("T1", Act::Wait(before.clone()));
    rig.host.script.next("T2", Act::Wait(after.clone()));
    let created = rig.host.task("ses_user", "make it so").await.expect("accepted");
    until("T1 at work", || !rig.host.turns_of("T1").is_empty()).await;
    rig.wire.cut();
    rig.server.kill().await;
    // The second reading begins before the first is done, and is done when the mission has gone on for a while.
    let store = Arc::new(Slow { store: rig.store.clone(), ..Slow::default() });
    store.loads.lock().extend([Duration::from_millis(200), Duration::from_millis(600)]);
    let (wire, near, far) = wire();
    rig.server = Server::start(store.clone(), &rig.project, 2, far);
    rig.wire = wire.clone();
    let host = rig.host.clone();
    let opened = tokio::spawn(async move { host.connect(near, true).await });
    until("the first reading", || store.loads.lock().len() == 1).await;
    let again = json!({ "directory": "/p", "worktree": "/p", "reattach": true });
    let late = tokio::spawn(async move { wire.call("workspace/open", again).await });
    opened.await.expect("opened");
    before.add_permits(1);
    until("T2 at work", || !rig.host.turns_of("T2").is_empty()).await;
    assert!(!late.is_finished(), "the second reading was to be the slower one");
    assert!(late.await.expect("answered")["result"].is_object());
    after.add_permits(1);
    assert_eq!(finished(&rig, &created.mission.id).await.mission.state, "completed");
    assert_eq!(store.refused.lock().clone(), vec![]);
}
