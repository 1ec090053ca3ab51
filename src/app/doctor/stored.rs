//! The store, the missions in it that have not ended, and what ended ones have left in the host.
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::system::{self, dirs};
use crate::app::store_path;
use crate::domain::ids::HostSessionId;
use crate::engine::core::replay;
use crate::engine::handle::decode_all;
use crate::ports::store::{MissionRow, Store};
use crate::setup::findings::{Finding, Level};
use std::path::Path;

/// Below this a mission may end in the middle.
const LITTLE_SPACE: u64 = 500 << 20;
/// Missions that are not at rest, as far as they are looked at.
const SHOWN: u32 = 1_000;

pub(super) fn store() -> Vec<Finding> {
    let path = match dirs::data_dir().map_err(anyhow::Error::from).and_then(|home| store_path(&home)) {
        Ok(path) => path,
        Err(error) => {
            let remedy = "set GANTRY_HOME to a folder, or correct GANTRY_STORE";
            return vec![Finding::new("store", Level::Fault, error.to_string()).remedy(remedy)];
        }
    };
    let folder = path.ancestors().skip(1).find(|p| p.exists()).unwrap_or(Path::new("/"));
    let mut found = if path.exists() { opened(&path) } else { vec![to_be_made(&path, folder)] };
    if let Some(free) = system::free_space(folder) {
        let text = format!("{} MB free at {}", free >> 20, folder.display());
        found.push(if free < LITTLE_SPACE {
            Finding::new("space", Level::Warning, text)
                .remedy("free some: a full disk stops missions until there is room")
        } else {
            Finding::new("space", Level::Good, text)
        });
    }
    found
}

/// Making it belongs to the first mission.
fn to_be_made(path: &Path, folder: &Path) -> Finding {
    if !system::may_make_files(folder) {
        let (path, folder) = (path.display(), folder.display());
        let text = format!("{path} cannot be made: {folder} is no folder that may be written");
        let remedy = "move it away or allow writing, or set GANTRY_HOME to another folder";
        return Finding::new("store", Level::Fault, text).remedy(remedy);
    }
    match SqliteStore::may_lie_at(path) {
        Ok(()) => {
            let text = format!("{} (made by the first mission)", path.display());
            Finding::new("store", Level::Good, text)
        }
        Err(error) => {
            Finding::new("store", Level::Fault, error.to_string()).remedy("set GANTRY_STORE to a local path")
        }
    }
}

fn opened(path: &Path) -> Vec<Finding> {
    let looked = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let looked = looked.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let store = SqliteStore::open(path)?;
            store.check().await?;
            let rows = store.missions(None, true, SHOWN).await?;
            let (ended, open): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.ended_at.is_some());
            let mut left = Vec::new();
            for row in ended {
                let turns = turns_left(&store, &row).await?;
                left.push((row, turns));
            }
            Ok((open, left))
        })
    });
    match looked {
        Ok((open, left)) => {
            let mut found = vec![Finding::new("store", Level::Good, path.display().to_string())];
            found.push(missions(&open));
            found.push(sessions(&left));
            found
        }
        Err(error) => {
            let remedy = "make it writable, move it away to start anew, or set GANTRY_STORE to another path";
            vec![Finding::new("store", Level::Fault, error.to_string()).remedy(remedy)]
        }
    }
}

fn missions(open: &[MissionRow]) -> Finding {
    if open.is_empty() {
        return Finding::new("missions", Level::Good, "none is open");
    }
    let text = format!("{} open, in {}", open.len(), folders(open.iter()));
    Finding::new("missions", Level::Good, text)
        .remedy("start opencode there to go on with them, or ask the Commander to cancel them")
}

/// Host sessions of a mission that has ended whose turns the host has not been seen to end.
async fn turns_left(store: &SqliteStore, row: &MissionRow) -> anyhow::Result<Vec<HostSessionId>> {
    let facts = decode_all(&store.load(row.id.clone()).await?).map_err(anyhow::Error::msg)?;
    let mission = replay(&row.id, &facts);
    let attempts = mission.iter().flat_map(|mission| mission.attempts.values());
    Ok(attempts.filter(|a| a.open() || a.given_up).filter_map(|a| a.session.clone()).collect())
}

fn sessions(left: &[(MissionRow, Vec<HostSessionId>)]) -> Finding {
    let orphans: Vec<_> = left.iter().filter(|(_, turns)| !turns.is_empty()).collect();
    if orphans.is_empty() {
        return Finding::new("sessions", Level::Good, "no turn of an ended mission is left");
    }
    let ids: Vec<_> = orphans.iter().flat_map(|(_, turns)| turns).map(|id| id.0.as_str()).collect();
    let places = folders(orphans.iter().map(|(row, _)| row));
    let text = format!("ended missions may still have a turn in {}, in {places}", ids.join(", "));
    Finding::new("sessions", Level::Warning, text)
        .remedy("start opencode there once: Gantry looks for them and ends them")
}

fn folders<'a>(rows: impl Iterator<Item = &'a MissionRow>) -> String {
    let mut folders: Vec<_> = rows.map(|row| row.directory.to_string()).collect();
    folders.sort();
    folders.dedup();
    folders.join(", ")
}
