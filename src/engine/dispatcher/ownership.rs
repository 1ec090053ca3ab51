//! Which missions are this process's to work on: taken over when a directory is opened or an order comes for one, kept
//! by a heartbeat, read again after the store has failed.
use super::*;
use crate::domain::mission::MissionState;
use futures_util::{StreamExt, stream};

/// Most open missions taken over in one directory.
const MAX_OPEN: u32 = 1_000;
const CLAIMS_AT_ONCE: usize = 32;
/// After this many a call that waits for the mission is told why; a headless host would never end else.
const RELOADS_BEFORE_ANSWER: u32 = 30;
/// Longest time from the first claim to the last record that is read. After more the first may be another's again, and
/// what was read be of different times.
const READ_WITHIN: Duration = Duration::from_millis(OWNER_TTL_MS * 2 / 3);
/// Wait for calls of the host that are still on their way.
const SETTLE_AFTER: Duration = Duration::from_millis(100);
/// Wait before a mission whose commit failed is read again.
const RELOAD_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Found {
    ours: Vec<Loaded>,
    held: Vec<(MissionRow, OwnerIdentity)>,
}

enum Claimed {
    Ours(Loaded),
    Held(MissionRow, OwnerIdentity),
}

pub(super) enum Wanted {
    Mission(MissionId),
    /// All that is open in it.
    Directory(Directory),
}

pub(super) struct Loaded {
    /// Just before it was claimed.
    at: Instant,
    mission: MissionId,
    token: OwnerToken,
    seq: u64,
    events: Vec<(Millis, Event)>,
}

/// A directory that was opened; answered once what was found in it has been taken in.
pub(super) struct Open {
    directory: Directory,
    held: Vec<(MissionRow, OwnerIdentity)>,
    pub(super) tx: OpenReply,
}

impl Dispatcher {
    pub(super) fn look_at_memory(&mut self) {
        self.inbox.extend(self.ports.memory.read().map(|now| Input::Memory { now }));
    }

    pub(super) fn heartbeat(&mut self) {
        self.clean_up();
        if self.owned.is_empty() {
            return;
        }
        self.look_at_memory();
        self.gather();
        let settled: Vec<_> = self.owned.keys().filter(|m| self.core.mission(m).is_none()).cloned().collect();
        for mission in settled {
            self.owned.remove(&mission);
        }
        if std::mem::replace(&mut self.beating, true) {
            return;
        }
        let (ports, at) = (self.ports.clone(), Instant::now());
        // One that is being written for the first time may not be in the store yet.
        let asked: BTreeSet<_> =
            self.owned.iter().filter(|(_, (_, seq))| *seq > 0).map(|(m, _)| m.clone()).collect();
        self.jobs.spawn(async move {
            let (owner, missions) = (ports.identity.owner.clone(), asked.iter().cloned().collect());
            let held = ports.store.heartbeat(owner, missions, OWNER_TTL_MS, ports.clock.now()).await;
            Done::Heard { asked, at, held }
        });
    }

    /// Missions that another process left in a directory where this one is at work: nobody else may begin them.
    pub(super) fn gather(&mut self) {
        if self.gathering > 0 {
            return;
        }
        let at_work = self.core.missions().filter(|m| m.state.is_open()).map(|m| m.created.directory.clone());
        for directory in at_work.collect::<BTreeSet<_>>() {
            let ports = self.ports.clone();
            let ours: BTreeSet<_> = self.owned.keys().cloned().collect();
            self.gathering += 1;
            self.jobs.spawn(async move {
                Done::Gathered(find(&ports, &directory, &ours).await.map(|found| found.ours))
            });
        }
    }

    /// A mission nobody here knew of is at work where one of ours was to begin: ours waits for it, in this process if
    /// nobody holds it.
    pub(super) fn gather_beside(&mut self, mission: MissionId) {
        let ports = self.ports.clone();
        let ours: BTreeSet<_> = self.owned.keys().cloned().collect();
        self.gathering += 1;
        self.jobs.spawn(async move { Done::Gathered(with_its_place(&ports, &mission, &ours).await) });
    }

    pub(super) fn open(&mut self, directory: Directory, host_restarted: bool, tx: OpenReply) {
        let ports = self.ports.clone();
        let ours: BTreeSet<_> = self.owned.keys().cloned().collect();
        self.jobs.spawn(async move {
            let found = find(&ports, &directory, &ours).await;
            Done::Opened { directory, host_restarted, found, tx }
        });
    }

    pub(super) fn opened(
        &mut self,
        directory: Directory,
        host_restarted: bool,
        found: Result<Found, StoreError>,
        tx: OpenReply,
    ) {
        match found {
            Ok(found) => {
                for loaded in found.ours {
                    self.adopt(loaded, host_restarted);
                }
                self.opens.push(Open { directory, held: found.held, tx });
            }
            Err(error) => {
                let _ = tx.send(Err(error));
            }
        }
    }

    pub(super) fn answer_opens(&mut self, opens: Vec<Open>) {
        for Open { directory, held, tx } in opens {
            let mine: Vec<_> =
                self.core.missions().filter(|m| m.created.directory == directory && !m.settled()).collect();
            let missions = mine.iter().map(|m| journal::row(m)).collect();
            let sessions =
                mine.iter().flat_map(|m| m.attempts.values().filter_map(|a| a.session.clone())).collect();
            let _ = tx.send(Ok(Opened { missions, sessions, held }));
        }
    }

    pub(super) fn adopt(&mut self, loaded: Loaded, host_restarted: bool) {
        let Loaded { at, mission, token, seq, events } = loaded;
        self.stalled.remove(&mission);
        // Read by two at once: what was taken in first has gone on since.
        if self.owned.contains_key(&mission) {
            return;
        }
        tracing::info!(%mission, seq, "mission taken over");
        self.index.own_until(at + OWNER_TTL);
        self.owned.insert(mission.clone(), (token, seq));
        self.inbox.push_back(Input::Adopt { mission, events, host_restarted });
    }

    pub(super) fn reload(&mut self, mission: MissionId, after: Duration) {
        let ports = self.ports.clone();
        self.jobs.spawn(async move {
            tokio::time::sleep(after).await;
            let found = load(&ports, &mission).await;
            Done::Reloaded { mission, found }
        });
    }

    /// What has to be read before an order can be carried out: a mission that has left memory may be retried or taken
    /// back, and a new one waits for those that another process left in its place.
    pub(super) fn not_in_memory(&self, input: &Input) -> Option<Wanted> {
        let mission = match input {
            Input::Create { created, .. } => {
                let known = self.core.missions().any(|m| m.place() == created.worktree && m.begun());
                return (!known).then(|| Wanted::Directory(created.directory.clone()));
            }
            Input::Control { mission, .. } | Input::Attach { mission, .. } => mission,
            Input::Tool {
                tool:
                    ToolInput::Control { mission: Some(mission), .. }
                    | ToolInput::Status { mission: Some(mission) },
                ..
            } => mission,
            _ => return None,
        };
        let away = self.core.mission(mission).is_none() && !self.stalled.contains_key(mission);
        away.then(|| Wanted::Mission(mission.clone()))
    }

    pub(super) fn fetch(&mut self, reply: ReplyTo, wanted: Wanted, input: Box<Input>) {
        let ports = self.ports.clone();
        let ours: BTreeSet<_> = self.owned.keys().cloned().collect();
        self.jobs.spawn(async move {
            let found = match wanted {
                Wanted::Mission(mission) => with_its_place(&ports, &mission, &ours).await,
                Wanted::Directory(directory) => find(&ports, &directory, &ours).await.map(|found| found.ours),
            };
            Done::Fetched { reply, input, found }
        });
    }

    pub(super) fn fetched(&mut self, reply: ReplyTo, input: Input, found: Result<Vec<Loaded>, StoreError>) {
        match found {
            Ok(loaded) => {
                loaded.into_iter().for_each(|loaded| self.adopt(loaded, false));
                self.inbox.push_back(input);
            }
            Err(error) => self.send(reply, Answer::Refused(Refusal::Store(error.to_string()))),
        }
    }

    pub(super) fn reloaded(&mut self, mission: MissionId, found: Result<Option<Loaded>, StoreError>) {
        match found {
            // What it asked of the host before is still on its way: a look would miss it, and it would be asked again.
            Ok(Some(_)) if self.acts_for(&mission) => self.reload(mission, SETTLE_AFTER),
            Ok(Some(loaded)) => self.adopt(loaded, false),
            Ok(None) => {
                tracing::warn!(%mission, "another process has the mission now");
                self.stalled.remove(&mission);
                self.taken_over(&mission);
            }
            Err(error) => {
                tracing::error!(%error, %mission, "the mission cannot be read back; trying again");
                let stall = self.stalled.entry(mission.clone()).or_default();
                *stall = Stall { error: error.to_string(), tries: stall.tries + 1 };
                if stall.tries == RELOADS_BEFORE_ANSWER {
                    let why =
                        format!("{error}. The mission is kept as it is, and goes on when that is mended");
                    self.inbox.push_back(Input::Forget { mission: mission.clone(), gone: Some(why) });
                }
                self.reload(mission, RELOAD_AFTER);
            }
        }
    }
}

/// Open missions of a directory: those that are free are claimed and read. Who holds the first of them that is at work holds the
/// place: of two processes that come at once only one gets any, for two would work in one tree beside each other.
async fn find(ports: &Ports, directory: &Directory, ours: &BTreeSet<MissionId>) -> Result<Found, StoreError> {
    let began = Instant::now();
    let rows = ports.store.missions(Some(directory.clone()), true, MAX_OPEN).await?;
    let mut found = Found { ours: Vec::new(), held: Vec::new() };
    let mut free: Vec<_> = rows.into_iter().rev().filter(|row| !ours.contains(&row.id)).collect();
    // What has begun before what waits for it, whatever a clock that was set back says of their ages.
    free.sort_by_key(|row| row.state == MissionState::Queued.name());
    let at_work = |row: &MissionRow| MissionState::parse(&row.state).is_none_or(MissionState::is_open);
    if let Some(oldest) = free.iter().find(|row| at_work(row))
        && let Claim::Held { by, .. } = claim(ports, &oldest.id).await?
    {
        let (held, rest) = free.into_iter().partition(at_work);
        free = rest;
        found.held = Vec::from_iter(held).into_iter().map(|row: MissionRow| (row, by.clone())).collect();
    }
    // Several at once, for each claim waits for the disk; in the order of the list, for what is older starts first.
    let claims = free.into_iter().map(async |row| {
        let at = Instant::now();
        let claimed = match claim(ports, &row.id).await? {
            Claim::Held { by, .. } => Some(Claimed::Held(row, by)),
            Claim::Granted(token) => Some(Claimed::Ours(read(ports, &row.id, token, at).await?)),
            Claim::Unknown => None,
        };
        Ok::<_, StoreError>(claimed)
    });
    let mut claims = stream::iter(claims).buffered(CLAIMS_AT_ONCE);
    while let Some(claimed) = claims.next().await {
        match claimed? {
            Some(Claimed::Ours(loaded)) => found.ours.push(loaded),
            Some(Claimed::Held(row, by)) => found.held.push((row, by)),
            None => {}
        }
    }
    in_time(began)?;
    Ok(found)
}

fn in_time(began: Instant) -> Result<(), StoreError> {
    if began.elapsed() > READ_WITHIN {
        return Err(StoreError::Other("it answers too slowly; try again".into()));
    }
    Ok(())
}

/// A mission and all that is at work in its directory: alone it would begin beside that.
async fn with_its_place(
    ports: &Ports,
    mission: &MissionId,
    ours: &BTreeSet<MissionId>,
) -> Result<Vec<Loaded>, StoreError> {
    let Some(row) = ports.store.mission(mission.clone()).await? else { return Ok(Vec::new()) };
    let mut found = find(ports, &row.directory, ours).await?.ours;
    if !row.open {
        found.extend(load(ports, mission).await?);
    }
    Ok(found)
}

async fn load(ports: &Ports, mission: &MissionId) -> Result<Option<Loaded>, StoreError> {
    let at = Instant::now();
    let loaded = match claim(ports, mission).await? {
        Claim::Granted(token) => Some(read(ports, mission, token, at).await?),
        Claim::Held { .. } | Claim::Unknown => None,
    };
    in_time(at)?;
    Ok(loaded)
}

async fn claim(ports: &Ports, mission: &MissionId) -> Result<Claim, StoreError> {
    let now = ports.clock.now();
    ports.store.claim(mission.clone(), ports.identity.clone(), OWNER_TTL_MS, now, ports.alive).await
}

async fn read(
    ports: &Ports,
    mission: &MissionId,
    token: OwnerToken,
    at: Instant,
) -> Result<Loaded, StoreError> {
    let records = ports.store.load(mission.clone()).await?;
    let seq = records.last().map_or(0, |r| r.seq);
    let events = decode_all(&records).map_err(|e| StoreError::Corrupt {
        path: ports.store.location(),
        detail: format!("mission {mission}: {e}"),
    })?;
    Ok(Loaded { at, mission: mission.clone(), token, seq, events })
}

/// A journal as facts; an error names the record.
pub fn decode_all(records: &[Record]) -> Result<Vec<(Millis, Event)>, String> {
    let decode = |r: &Record| journal::decode(&r.kind, &r.body).map_err(|e| format!("record {}: {e}", r.seq));
    records.iter().map(|r| Ok((r.at, decode(r)?))).collect()
}
