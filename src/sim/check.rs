//! What must hold of the host's side while it runs, and of everything at the end.
use super::Sim;
use super::host_port::FENCE_GRACE_MS;
use super::mirror::Kept;
use super::place_ports::CHECK;
use super::user;
use super::worktrees::known;
use super::world::{Content, World};
use crate::domain::ids::{HostSessionId, Role};
use crate::domain::lease::Pattern;
use crate::domain::verdict::TreeId;
use crate::engine::core::event::{AttemptKind, HandBack};
use crate::engine::core::state::{Attempt, Mission, Task};
use crate::engine::{core, journal};
use crate::ports::store::Store;
use std::sync::Arc;
use std::time::Duration;

/// When faults have stopped, every mission ends and is reported within this time.
pub const LIVENESS_MS: u64 = 2 * 3_600_000;
/// Between the answer to a tool's hook and the moment it counts as written.
const GRACE_MS: u64 = 1_000;
/// A commit whose answer was lost counts once the store has been read again.
const READ_AGAIN_MS: u64 = 10_000;

/// A write was allowed: the task of the writer must hold the path, and nobody else.
pub fn written(sim: &Sim, place: &str, session: &HostSessionId, path: &str) {
    let at = sim.elapsed();
    let mut world = sim.world.lock();
    if let Err(breach) = may_have_written(&world, at, place, session, path) {
        world.breach(at, breach);
    }
}

fn may_have_written(
    world: &World,
    at: u64,
    place: &str,
    session: &HostSessionId,
    path: &str,
) -> Result<(), String> {
    let Some((kept, attempt)) = world.mirror.attempt_of(session) else {
        return Err(format!("{session} wrote {path} and belongs to no attempt"));
    };
    let closed = kept.closed.get(attempt.id.as_str());
    let grace = if world.answers_were_lost { READ_AGAIN_MS } else { GRACE_MS };
    if closed.is_some_and(|t| at - t > grace) && at - kept.owner_since > FENCE_GRACE_MS {
        return Err(format!(
            "{session} wrote {path} {} ms after its attempt was closed",
            at - closed.unwrap_or(&0)
        ));
    }
    if attempt.submission.is_some() && closed.is_none() {
        // The answer to the submission is under way at most this long.
        return Ok(());
    }
    let AttemptKind::Work(task) = &attempt.kind else {
        return Err(format!("{session} wrote {path} and is no worker"));
    };
    let mine = |m: &Mission, t: &Task| m.id == kept.mission.id && t.spec.id == *task;
    for other in world.mirror.missions.values().filter(|k| k.mission.place() == place) {
        let holder = other.mission.tasks.iter().find(|t| {
            !mine(&other.mission, t) && !other.mission.is_whole_of_parts(&t.spec.id) && holds(t, path)
        });
        if let Some(holder) = holder
            && closed.is_none()
        {
            let name = &holder.spec.id;
            return Err(format!("{task} wrote {path}, which {name} of {} holds", other.mission.id));
        }
    }
    Ok(())
}

/// A worktree is brought to another tree: nobody may be at work in it.
pub fn given(sim: &Sim, worktree: &str) {
    let mut world = sim.world.lock();
    let sessions = &world.sessions;
    let there = |kept: &&Kept| {
        let mut at_work = kept.mission.open_attempts().filter(|a| !a.prompts.is_empty());
        let sits =
            |a: &Attempt| a.session.as_ref().and_then(|s| sessions.get(s)).and_then(|c| c.folder.as_deref());
        at_work.any(|a| sits(a) == Some(worktree))
    };
    let taken = world.mirror.missions.values().find(there).map(|kept| kept.mission.id.clone());
    if let Some(mission) = taken {
        world.breach(sim.elapsed(), format!("{worktree} is given away while {mission} works in it"));
    }
}

/// A result goes into the user's files: only what was approved as a whole, on which the check passes.
pub fn applied(sim: &Sim, place: &str, tree: &TreeId) {
    let mut world = sim.world.lock();
    let here = world.mirror.missions.values().filter(|kept| kept.mission.place() == place);
    let approved =
        |m: &Mission| m.whole.verdict.as_ref().is_some_and(|v| v.approved && v.tree.as_ref() == Some(tree));
    let mission = here.map(|kept| &kept.mission).find(|m| approved(m));
    let found = match mission {
        None => Some(format!("{} goes into {place} without a verdict for it", tree.0)),
        Some(m) => {
            let blamed = m.survey.as_ref().is_some_and(|s| !s.failed_before(CHECK));
            let broken = known(&world, tree).is_ok_and(|files| files.values().any(|c| c.broken));
            (broken && blamed).then(|| format!("{} puts into {place} what {CHECK} fails on", m.id))
        }
    };
    if let Some(breach) = found {
        world.breach(sim.elapsed(), breach);
    }
}

/// What a try wrote that was not taken is in no result.
fn losers(world: &World) -> Vec<String> {
    let lost = |session: &HostSessionId| {
        let (kept, attempt) = world.mirror.attempt_of(session)?;
        let AttemptKind::Work(one) = &attempt.kind else { return None };
        kept.mission.task(one).filter(|t| t.spec.is_try())?;
        (!kept.taken.contains(attempt.id.as_str())).then(|| format!("{one} of {}", kept.mission.id))
    };
    let here = |place: &&str| world.mirror.missions.values().any(|k| k.mission.place() == *place);
    let places = world.places.iter().filter(|(name, _)| here(&name.as_str()));
    let files = places.flat_map(|(name, place)| place.files.iter().map(move |(path, c)| (name, path, c)));
    files
        .filter_map(|(name, path, content)| {
            let loser = lost(world.writers.get(&content.id)?)?;
            Some(format!("{path} in {name} is what {loser} wrote, which was not taken"))
        })
        .collect()
}

/// A file of the user's was replaced: what stood there must have been as it was before, or as it is to be.
pub fn moved(world: &mut World, at: u64, path: &str, was: Option<Content>, known: [Option<&Content>; 2]) {
    let edit = was.filter(|content| world.by_user.contains(&content.id));
    if edit.is_some_and(|content| !known.contains(&Some(&content))) {
        world.breach(at, format!("an edit of {path} by the user was overwritten"));
    }
}

/// A conversation that was not told its work cannot go on with it.
pub fn first_words(sim: &Sim, session: &HostSessionId, text: &str) {
    let mut world = sim.world.lock();
    let Some((kept, attempt)) = world.mirror.attempt_of(session) else { return };
    let (own, attempt) = (format!("{}.", kept.mission.id), attempt.id.0.clone());
    if text.split(super::agents::NOTE).skip(1).any(|rest| !rest.starts_with(&own)) {
        world.breach(sim.elapsed(), format!("{attempt} was told a note of another mission: {text}"));
    }
    if ["You ended", "The host was", "The model provider", "The user had", "The user has"]
        .iter()
        .all(|s| !text.starts_with(s))
    {
        world.told.insert(attempt);
    } else if !world.told.contains(&attempt) {
        world.breach(sim.elapsed(), format!("{attempt} was never told its work: {text}"));
    }
}

/// Whether a task has the path on its lease.
fn holds(task: &Task, path: &str) -> bool {
    let declared = task.spec.files.iter().filter_map(|f| Pattern::parse(f).ok()).any(|p| p.covers(path));
    task.state.is_active() && (declared || task.taken.iter().any(|t| t == path))
}

/// Faults have stopped: all missions end and are handed back.
pub async fn liveness(sim: &Arc<Sim>) {
    let until = sim.elapsed() + LIVENESS_MS;
    // Requests may come in until this late.
    let mut quiet = 0;
    while sim.elapsed() < until {
        tokio::time::sleep(Duration::from_secs(30)).await;
        user::resume_all(sim).await;
        for sidecar in &sim.sidecars {
            sidecar.look_in(sim).await;
        }
        if sim.found_bug() {
            return;
        }
        quiet = if sim.world.lock().mirror.settled() { quiet + 1 } else { 0 };
        if quiet >= 20 {
            return;
        }
    }
    let mut world = sim.world.lock();
    let stuck: Vec<_> = world
        .mirror
        .missions
        .values()
        .filter(|k| !k.mission.settled())
        .map(|k| {
            let (m, owes) = (&k.mission, k.mission.owes_report());
            format!(
                "{} is {} in {:?} {} h after the faults, report owed: {owes}",
                m.id,
                m.state.name(),
                m.phase,
                LIVENESS_MS / 3_600_000
            )
        })
        .collect();
    for breach in stuck {
        world.breach(sim.elapsed(), breach);
    }
}

/// Nothing is left behind: in the host at once, in memory after the time that finished missions are kept.
pub async fn rest(sim: &Arc<Sim>) {
    leftovers(sim);
    journals(sim).await;
    tokio::time::sleep(Duration::from_millis(core::RETAIN_MS + 60_000)).await;
    for sidecar in &sim.sidecars {
        if let Some(life) = sidecar.now() {
            let gauges = life.handle.metrics().await.gauges;
            // What was learned of providers stays.
            let tables = gauges
                .into_iter()
                .filter(|(name, n)| name.starts_with("held.") && name != "held.providers" && *n > 0);
            let left: Vec<_> = tables.map(|(name, n)| format!("{n} {name}")).collect();
            if !left.is_empty() && sim.world.lock().mirror.settled() {
                let text = format!("still in memory after the missions have left it: {}", left.join(", "));
                sim.world.lock().breach(sim.elapsed(), text);
            }
        }
    }
}

fn leftovers(sim: &Sim) {
    let at = sim.elapsed();
    let mut world = sim.world.lock();
    let mut found = Vec::new();
    for (process, session) in world.turns.keys() {
        let of_mission = world.sessions.get(session).is_some_and(|c| c.role != Role::Commander);
        // Known gap: a host whose sidecar died while another process took the mission over keeps its turns.
        let moved = world.mirror.attempt_of(session).is_some_and(|(kept, _)| kept.moved);
        if of_mission && !moved {
            found.push(format!("{session} still runs a turn in host {process}"));
        }
    }
    for kept in world.mirror.missions.values() {
        let mission = &kept.mission;
        if !mission.state.is_open() {
            found.extend(mission.open_attempts().map(|a| format!("{} is open after the end", a.id)));
        }
        if kept.reopened > world.retries.get(&mission.id).copied().unwrap_or(0) {
            found.push(format!("{} was reopened more often than anyone asked", mission.id));
        }
        found.extend(hand_backs(&world, &mission.id, &kept.reports, mission.handed_back));
    }
    found.extend(
        world
            .accepted
            .iter()
            .filter(|m| !world.mirror.missions.contains_key(*m))
            .map(|m| format!("{m} was accepted and is lost")),
    );
    found.extend(losers(&world));
    for breach in found {
        world.breach(at, breach);
    }
}

/// The last report is in the conversation, and none is there twice.
fn hand_backs(
    world: &World,
    mission: &crate::domain::ids::MissionId,
    reports: &[String],
    how: Option<HandBack>,
) -> Vec<String> {
    let mine = || world.deliveries.iter().filter(|d| d.mission == *mission);
    let mut found = Vec::new();
    if let (Some(last), Some(HandBack::ToolResult | HandBack::Message)) = (reports.last(), how)
        && !mine().any(|d| d.text == *last)
    {
        found.push(format!("the last report of {mission} counts as handed back and never was"));
    }
    for report in reports {
        let equal = reports.iter().filter(|r| *r == report).count();
        let times = mine().filter(|d| d.text == *report).count();
        if times > equal {
            let at: Vec<_> = mine().filter(|d| d.text == *report).map(|d| d.at).collect();
            found.push(format!("a report of {mission} was handed back {times} times, at {at:?} ms"));
        }
    }
    found
}

/// What is on disk is what the mirror has seen, and replays to the same state.
async fn journals(sim: &Sim) {
    let ids: Vec<_> = sim.world.lock().mirror.missions.keys().cloned().collect();
    for id in ids {
        let records = sim.disk.load(id.clone()).await.unwrap_or_default();
        let row = sim.disk.mission(id.clone()).await.ok().flatten();
        let events: Result<Vec<_>, _> =
            records.iter().map(|r| journal::decode(&r.kind, &r.body).map(|e| (r.at, e))).collect();
        let mut world = sim.world.lock();
        let Some(kept) = world.mirror.missions.get(&id) else { continue };
        let replayed = events.ok().and_then(|events| core::replay(&id, &events));
        let same = replayed.as_ref() == Some(&kept.mission) && records.len() as u64 == kept.records;
        let listed = row.is_some_and(|row| row == journal::row(&kept.mission));
        if !same {
            world.breach(sim.elapsed(), format!("{id}: the journal does not replay to what was seen"));
        } else if !listed {
            world.breach(sim.elapsed(), format!("{id}: the row differs from the journal"));
        }
    }
}
