//! Durable state: an append-only journal per mission, who owns the mission, and a summary row to list it by.
//!
//! The journal is the truth. Records are opaque here (the engine encodes them and gives them a version), so a
//! store never needs to change when the engine learns a new event.
use super::Fut;
use super::queue::Queue;
use crate::domain::ids::{Directory, Millis, MissionId};

/// One fact as it is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Position within the mission, from 1, without gaps.
    pub seq: u64,
    pub at: Millis,
    /// Name of the event, for people who read the journal.
    pub kind: String,
    /// JSON, with its own version inside.
    pub body: String,
}

/// The row that lists a mission without reading its journal; rewritten with every append.
#[derive(Clone, PartialEq, Debug)]
pub struct MissionRow {
    pub id: MissionId,
    pub directory: Directory,
    /// The working tree its tasks change; several directories of the host can lie in one.
    pub place: String,
    pub title: String,
    pub state: String,
    pub phase: Option<String>,
    pub parent_session: String,
    pub open: bool,
    /// At work in its place: it has left the queue and has not ended.
    pub begun: bool,
    pub done: u32,
    pub running: u32,
    pub waiting: u32,
    pub failed: u32,
    pub total: u32,
    pub created_at: Millis,
    pub ended_at: Option<Millis>,
    /// The caller's idempotency key; unique per directory.
    pub key: String,
}

/// New records of one mission.
#[derive(Clone, PartialEq, Debug)]
pub struct Append {
    pub mission: MissionId,
    /// Fence: the append is refused unless this owner holds the mission with this token.
    pub owner: OwnerToken,
    /// Sequence of the last record the writer knows; the first new one is this + 1.
    pub after: u64,
    /// Kind, body and time; the store gives the sequence numbers.
    pub records: Vec<(Millis, String, String)>,
    pub row: MissionRow,
}

/// The right to write a mission's journal.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct OwnerToken {
    /// Unique per process start.
    pub owner: String,
    /// Grows with every change of owner of the mission.
    pub fence: u64,
}

/// Who an owner is, so that another process on the same machine can tell that it is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnerIdentity {
    pub owner: String,
    pub pid: u32,
    /// Start time of the process in the kernel's own unit: a pid alone may have been used again.
    pub pid_start: u64,
    /// Names the machine and its current boot; pids mean nothing elsewhere.
    pub boot: String,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Claim {
    Granted(OwnerToken),
    /// Somebody else holds it and is, as far as can be told, alive.
    Held {
        by: OwnerIdentity,
        until: Millis,
    },
    Unknown,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoreError {
    #[error("another process has taken over mission {0}")]
    Fenced(MissionId),
    #[error("mission {mission} moved on: expected record {expected}, found {found}")]
    Sequence { mission: MissionId, expected: u64, found: u64 },
    #[error("a mission with this key exists already: {0}")]
    Duplicate(MissionId),
    #[error(
        "mission {0} has not ended in this project and runs in another OpenCode: wait for it, or cancel it there"
    )]
    PlaceTaken(MissionId),
    #[error("the store is full: free some space on the disk of {path}")]
    Full { path: String },
    #[error("the store cannot be written: {path} is read-only")]
    ReadOnly { path: String },
    #[error("{path} was written by a newer Gantry (format {found}, this one knows {known}): update Gantry")]
    Newer { path: String, found: u32, known: u32 },
    #[error(
        "{path} is on a network file system ({kind}), where SQLite is not safe: set GANTRY_STORE to a local path"
    )]
    NetworkFileSystem { path: String, kind: String },
    #[error("{path} is damaged ({detail}): move it away to start anew, or restore a copy")]
    Corrupt { path: String, detail: String },
    #[error("store failed: {0}")]
    Other(String),
}

/// All calls may be repeated. A call that returned is durable.
pub trait Store: Send + Sync {
    /// Makes the mission, its first records and its ownership in one transaction.
    /// A mission of the same directory and key → `Duplicate` with its id, nothing written. While another owner holds one
    /// that has not ended in the same place → `PlaceTaken`, for it could not begin.
    fn create(
        &self,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        first: Append,
    ) -> Fut<'_, Result<(), StoreError>>;

    /// Appends to any number of missions in one transaction: all or none.
    /// One mission of a place is `begun` at a time, whatever its writers know of each other: `create` and `append` refuse
    /// a second with `PlaceTaken`, for two would work in one tree.
    fn append(&self, batch: Vec<Append>) -> Fut<'_, Result<(), StoreError>>;

    /// The whole journal of a mission in order.
    fn load(&self, mission: MissionId) -> Fut<'_, Result<Vec<Record>, StoreError>>;

    /// Takes the mission over if it is free, expired at `now`, or `alive` says that its holder is gone.
    /// Claiming what one holds renews it with the same fence.
    fn claim(
        &self,
        mission: MissionId,
        by: OwnerIdentity,
        ttl_ms: u64,
        now: Millis,
        alive: fn(&OwnerIdentity) -> bool,
    ) -> Fut<'_, Result<Claim, StoreError>>;

    /// Renews those of these missions that the owner holds until `now + ttl`; answers with them. One that it does not know
    /// to be its own (the answer to a claim may be lost) runs out.
    fn heartbeat(
        &self,
        owner: String,
        missions: Vec<MissionId>,
        ttl_ms: u64,
        now: Millis,
    ) -> Fut<'_, Result<Vec<MissionId>, StoreError>>;

    /// Gives up missions of this owner: of one directory, or all (an orderly stop).
    fn release(&self, owner: String, directory: Option<Directory>) -> Fut<'_, Result<(), StoreError>>;

    /// Forgets ended missions with their journals, all but the newest `keep`, at most `most` of them; says how many.
    /// Open ones stay, and those that somebody holds: they may be retried.
    fn prune(&self, keep: u32, most: u32, now: Millis) -> Fut<'_, Result<u64, StoreError>>;

    /// Missions, newest first; of one directory, or of all.
    fn missions(
        &self,
        directory: Option<Directory>,
        open_only: bool,
        limit: u32,
    ) -> Fut<'_, Result<Vec<MissionRow>, StoreError>>;

    fn mission(&self, id: MissionId) -> Fut<'_, Result<Option<MissionRow>, StoreError>>;

    /// What waits to be written.
    fn backlog(&self) -> Queue;

    /// Where the data is, for messages to people.
    fn location(&self) -> String;
}
