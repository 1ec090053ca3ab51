//! Files taken back from the command line: by the process that works on the mission, or here where none does.
use super::{ports, steer, store_path};
use crate::adapters::opencode::StdioHost;
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::system::{LanguageServers, dirs};
use crate::engine::handle;
use crate::protocol::methods as m;
use crate::protocol::types::{MissionRollbackParams, MissionRollbackResult};
use crate::rpc::service;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;

/// `what` says all but which mission.
pub fn rollback(id: Option<&str>, what: MissionRollbackParams) -> anyhow::Result<MissionRollbackResult> {
    let mission = super::mission(&super::meant(id)?)?.mission;
    let home = dirs::data_dir().context("no data directory: set GANTRY_HOME")?;
    let params =
        MissionRollbackParams { directory: mission.directory.clone(), mission: Some(mission.id), ..what };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let done = runtime.block_on(async {
        match steer::ask(&home, m::MissionRollback, &params).await? {
            Some(done) => Ok(done),
            None => here(&home, params).await,
        }
    });
    // Who still waits for a host that is not there would hold the process.
    runtime.shutdown_background();
    done
}

/// No process has the mission: this one takes it, without a host, for nothing here needs one.
async fn here(home: &Path, params: MissionRollbackParams) -> anyhow::Result<MissionRollbackResult> {
    let store = SqliteStore::open(&store_path(home)?)?;
    let host = Arc::new(StdioHost::default());
    let servers = Arc::new(LanguageServers::watched(None));
    let (engine, run) = handle::start(ports(home, Arc::new(store), host, None, servers));
    let running = tokio::spawn(run);
    let done = service::rollback(&engine, params).await;
    engine.shutdown().await;
    // It ends with the shutdown, which gives the mission up again.
    let _ = running.await;
    done.map_err(|error| anyhow::anyhow!("{}", error.message))
}
