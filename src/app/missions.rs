//! What the command line reads out of the store.
use super::{document, store_path};
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::system::{self, dirs};
use crate::domain::ids::{Directory, MissionId};
use crate::domain::mask::masked;
use crate::engine::core::replay;
use crate::engine::export;
use crate::engine::handle::{decode_all, read_journal};
use crate::ports::store::Store;
use crate::protocol::types::{AskDetail, MissionDetail, MissionSummary};
use crate::rpc::service;
use anyhow::{Context, bail};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Missions among which a shortened id is looked for, newest first.
const LOOK_BACK: u32 = 10_000;
/// Length of an id as it is made.
const WHOLE_ID: usize = 36;

fn reading<T>(read: impl AsyncFnOnce(&SqliteStore) -> anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    let home = dirs::data_dir().context("no data directory: set GANTRY_HOME")?;
    let path = store_path(&home)?;
    if !path.exists() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { read(&SqliteStore::open(&path)?).await.map(Some) })
}

/// The folder as the host names it, which is what missions are filed under.
fn filed_under(directory: &Path) -> Directory {
    let real = system::real_path(directory).unwrap_or_else(|_| directory.to_path_buf());
    Directory(real.display().to_string())
}

pub fn missions(
    directory: Option<&Path>,
    open_only: bool,
    limit: u32,
) -> anyhow::Result<Vec<MissionSummary>> {
    let directory = directory.map(filed_under);
    let rows = reading(async |store| Ok(store.missions(directory, open_only, limit).await?))?;
    Ok(rows.unwrap_or_default().iter().map(service::summary).collect())
}

/// The mission somebody means: by its id or the beginning of it; without one the newest of this folder that is open, else
/// the newest of this folder.
pub fn meant(id: Option<&str>) -> anyhow::Result<String> {
    let here = std::env::current_dir()?;
    let Some(id) = id else {
        let open = missions(Some(&here), true, 1)?.into_iter().next();
        let newest = || missions(Some(&here), false, 1).map(|rows| rows.into_iter().next());
        return match open.map_or_else(newest, |row| Ok(Some(row)))? {
            Some(row) => Ok(row.id),
            None => bail!("this folder has had no mission; `gantry missions` lists those of all"),
        };
    };
    if id.len() >= WHOLE_ID {
        return Ok(id.to_owned());
    }
    let mut matching = missions(None, false, LOOK_BACK)?;
    matching.retain(|row| !id.is_empty() && row.id.starts_with(id));
    match matching.as_slice() {
        [] => bail!("there is no mission {id}; `gantry missions` lists them"),
        [row] => Ok(row.id.clone()),
        several => bail!("{} missions begin with {id}: give more of the id", several.len()),
    }
}

pub fn mission(id: &str) -> anyhow::Result<MissionDetail> {
    let id = MissionId(meant(Some(id))?);
    match reading(async |store| Ok(read_journal(store, id.clone()).await?))? {
        Some(view) => Ok(service::detail(&view)),
        None => bail!("there is no mission {id}; `gantry missions` lists them"),
    }
}

/// A permission that an agent waits for.
#[derive(serde::Serialize)]
pub struct WaitingAsk {
    pub mission: String,
    #[serde(flatten)]
    pub ask: AskDetail,
}

/// What the agents of all open missions wait for.
pub fn open_asks() -> anyhow::Result<Vec<WaitingAsk>> {
    let open = reading(async |store| {
        let mut open = Vec::new();
        for row in store.missions(None, true, LOOK_BACK).await? {
            let detail = service::detail(&read_journal(store, row.id).await?);
            let waiting = detail.asks.into_iter().filter(|ask| ask.allowed.is_none());
            open.extend(waiting.map(|ask| WaitingAsk { mission: detail.mission.id.clone(), ask }));
        }
        Ok(open)
    })?;
    Ok(open.unwrap_or_default())
}

/// Mission and id of an open ask, by the id or its beginning.
pub fn open_ask(id: &str) -> anyhow::Result<(String, String)> {
    let mut matching = open_asks()?;
    matching.retain(|waiting| !id.is_empty() && waiting.ask.id.starts_with(id));
    match matching.as_slice() {
        [] => bail!("no permission {id} waits for an answer; `gantry permissions` lists what does"),
        [one] => Ok((one.mission.clone(), one.ask.id.clone())),
        several => bail!("{} permissions begin with {id}: give more of the id", several.len()),
    }
}

/// Looks at a mission again and again, until `seen` is done with it. The store is opened once.
pub fn follow(
    id: &str,
    every: Duration,
    mut seen: impl FnMut(&MissionDetail) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let id = MissionId(meant(Some(id))?);
    let done = reading(async |store| {
        while !seen(&service::detail(&read_journal(store, id.clone()).await?))? {
            tokio::time::sleep(every).await;
        }
        Ok(())
    })?;
    done.with_context(|| format!("there is no mission {id}; `gantry missions` lists them"))
}

/// A mission as a Markdown document, and as JSON with its whole journal; without what looks like a secret.
pub fn export(id: Option<&str>) -> anyhow::Result<(String, Value)> {
    let id = MissionId(meant(id)?);
    let detail = mission(&id.0)?;
    let records = reading(async |store| Ok(store.load(id.clone()).await?))?.unwrap_or_default();
    let facts = decode_all(&records).map_err(anyhow::Error::msg)?;
    let state = replay(&id, &facts).with_context(|| format!("the journal of {id} is damaged"))?;
    let all = document::json(&state, &facts, &detail, &records)?;
    Ok((masked(&export::markdown(&state, &facts)).into_owned(), all))
}
