//! The composition root: the only place that names adapters and engine together.
use crate::adapters::opencode::StdioHost;
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::system::{self, dirs, process};
use crate::adapters::todo::TodoFiles;
use crate::domain::ids::{Directory, MissionId};
use crate::engine::handle;
use crate::engine::{Ports, handle::read_journal};
use crate::ports::store::{Store, StoreError};
use crate::protocol::errors::STORE;
use crate::protocol::methods::Initialize;
use crate::protocol::types::{MissionDetail, MissionSummary, WorkspaceOptions};
use crate::rpc::service::{self, About};
use crate::rpc::{self, Limits, Router, RpcError};
use crate::setup::config::{Layers, Resolved};
use crate::setup::disk::RealDisk;
use crate::setup::edit::HostLine;
use crate::setup::entry::Entry;
use crate::setup::install::{Installer, Outcome};
use crate::setup::places;
use crate::telemetry;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// All that may happen between the end of the host and the end of this process.
const STOP_WITHIN: Duration = Duration::from_millis(1_800);

/// Serves one host over standard input and output until it goes away.
pub fn sidecar() -> anyhow::Result<()> {
    let _log = telemetry::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(serve());
    // A read of standard input that is still waiting would hold the process.
    runtime.shutdown_background();
    result
}

async fn serve() -> anyhow::Result<()> {
    let home = dirs::data_dir().context("no data directory: set GANTRY_HOME")?;
    let path = store_path(&home)?;
    let stop = CancellationToken::new();
    let about = About {
        home: home.display().to_string(),
        store: path.display().to_string(),
        log_lines_dropped: telemetry::lines_dropped,
        layered: Arc::new(layered),
    };
    let host = Arc::new(StdioHost::default());
    let (engine, router) = match SqliteStore::open(&path) {
        Ok(store) => {
            let (engine, run) = handle::start(ports(&home, Arc::new(store), host.clone()));
            tokio::spawn(run);
            (Some(engine.clone()), service::router(engine, about, stop.clone()))
        }
        // The plugin is told at its first call, so that the user reads why.
        Err(error) => {
            tracing::error!(%error, "no store");
            (None, refusing(error))
        }
    };
    let (peer, connection) = rpc::connect(tokio::io::stdin(), tokio::io::stdout(), router, Limits::default());
    host.connect(peer.clone());
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let served = tokio::spawn(connection.run());
    tokio::select! {
        () = peer.closed() => tracing::info!("the host is gone"),
        () = stop.cancelled() => tracing::info!("asked to stop"),
        _ = term.recv() => tracing::info!("SIGTERM"),
        _ = int.recv() => tracing::info!("SIGINT"),
    }
    let ordered = async {
        if let Some(engine) = engine {
            engine.shutdown().await;
        }
        peer.close();
        served.await
    };
    tokio::select! {
        _ = tokio::time::timeout(STOP_WITHIN, ordered) => {}
        // A second signal means now. The journal holds all that was promised.
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

fn ports(home: &Path, store: Arc<dyn Store>, host: Arc<StdioHost>) -> Ports {
    Ports {
        clock: Arc::new(system::SystemClock),
        ids: Arc::new(system::Uuids),
        store,
        host,
        tree: Arc::new(system::GitTree::new(home)),
        checks: Arc::new(checks()),
        todo: Arc::new(TodoFiles::new(home)),
        markers: Arc::new(system::OpenMarkers::new(home)),
        identity: process::identity(),
        alive: process::alive,
        salvage: service::salvage,
    }
}

fn checks() -> system::CommandChecks {
    std::env::current_exe().map_or_else(|_| system::CommandChecks::default(), system::CommandChecks::watched)
}

/// The other half of `checks`: see `system::watchdog`.
pub fn watchdog() {
    system::watchdog::watch(std::io::stdin().lock());
}

fn refusing(error: StoreError) -> Router {
    let text = error.to_string();
    Router::builder().sync(Initialize, move |_, _| Err(RpcError::new(STORE, text.clone()))).build()
}

/// `GANTRY_STORE`, else `gantry.db` in the data directory.
fn store_path(home: &Path) -> anyhow::Result<PathBuf> {
    match std::env::var("GANTRY_STORE") {
        Ok(text) if text.contains("://") => {
            bail!("GANTRY_STORE is {text}: only a path of a SQLite file is supported")
        }
        Ok(text) if !text.is_empty() => Ok(PathBuf::from(text)),
        _ => Ok(home.join("gantry.db")),
    }
}

// ---- what the command line reads

fn reading<T>(read: impl AsyncFnOnce(&SqliteStore) -> anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    let home = dirs::data_dir().context("no data directory: set GANTRY_HOME")?;
    let path = store_path(&home)?;
    if !path.exists() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { read(&SqliteStore::open(&path)?).await.map(Some) })
}

pub fn missions(
    directory: Option<&Path>,
    open_only: bool,
    limit: u32,
) -> anyhow::Result<Vec<MissionSummary>> {
    // The folder as the host names it, which is what missions are filed under.
    let directory = directory.map(|d| d.canonicalize().unwrap_or_else(|_| d.to_path_buf()));
    let directory = directory.map(|d| Directory(d.display().to_string()));
    let rows = reading(async |store| Ok(store.missions(directory, open_only, limit).await?))?;
    Ok(rows.unwrap_or_default().iter().map(service::summary).collect())
}

pub fn mission(id: &str) -> anyhow::Result<MissionDetail> {
    let id = MissionId::new(id);
    match reading(async |store| Ok(read_journal(store, id.clone()).await?))? {
        Some(view) => Ok(service::detail(&view)),
        None => bail!("there is no mission {id}; `gantry missions` lists them"),
    }
}

// ---- configuration

fn layered(worktree: &str, plugin: &WorkspaceOptions) -> Result<WorkspaceOptions, String> {
    let plugin = serde_json::to_value(plugin).ok().and_then(|v| v.as_object().cloned()).unwrap_or_default();
    let resolved = resolve(Path::new(worktree), plugin);
    let why = |fault: &dyn std::fmt::Display| format!("Gantry's configuration has a fault. {fault}");
    let values = resolved.options().map_err(|fault| why(&fault))?;
    serde_json::from_value(values).map_err(|fault| why(&fault))
}

fn resolve(project: &Path, plugin: serde_json::Map<String, serde_json::Value>) -> Resolved {
    let env = |name: &str| std::env::var(name).ok();
    Layers { user: places::own_folder(env), project, plugin, env: &env }.resolve()
}

/// The options of a project, with those in the host's configuration as far as it can be read.
pub fn configuration(project: &Path) -> anyhow::Result<Resolved> {
    let project = config_folder(Some(project))?;
    let folders = [Some(project.clone()), global_config().ok()];
    let entries = with_installer(true, |installer| {
        Ok(folders
            .iter()
            .flatten()
            .filter_map(|folder| installer.entries(folder).ok())
            .flatten()
            .collect::<Vec<_>>())
    })?;
    let options =
        entries.iter().flat_map(|(_, found)| found).find_map(|entry| entry.get(1)?.as_object().cloned());
    Ok(resolve(&project, options.unwrap_or_default()))
}

// ---- the host's configuration

/// Adds the plugin to the user's configuration, or to that of the project in `project`.
pub fn install(
    project: Option<&Path>,
    entry: Option<Entry>,
    line: HostLine,
    dry_run: bool,
) -> anyhow::Result<Vec<Outcome>> {
    let entry = match entry {
        Some(entry) => entry,
        None => Entry::beside(&std::env::current_exe()?),
    };
    with_installer(dry_run, |installer| {
        if let Some(project) = project {
            let global =
                installer.entries(&global_config()?)?.into_iter().find(|(_, found)| !found.is_empty());
            if let Some((path, _)) = global {
                bail!("Gantry is in {} for all projects already: take it out there first", path.display());
            }
            return Ok(installer.install(&config_folder(Some(project))?, &entry.value(), line)?);
        }
        Ok(installer.install(&global_config()?, &entry.value(), line)?)
    })
}

pub fn uninstall(project: Option<&Path>, dry_run: bool) -> anyhow::Result<Vec<Outcome>> {
    with_installer(dry_run, |installer| Ok(installer.uninstall(&config_folder(project)?)?))
}

fn with_installer<T>(
    dry_run: bool,
    work: impl FnOnce(&Installer<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let home = dirs::data_dir()?;
    let stamp = || jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ").to_string();
    work(&Installer { disk: &RealDisk, home: &home, stamp: &stamp, dry_run })
}

fn config_folder(project: Option<&Path>) -> anyhow::Result<PathBuf> {
    match project {
        None => global_config(),
        Some(dir) => {
            std::fs::canonicalize(dir).with_context(|| format!("the project folder {}", dir.display()))
        }
    }
}

fn global_config() -> anyhow::Result<PathBuf> {
    places::global(|name| std::env::var(name).ok()).context("no home folder: set HOME or XDG_CONFIG_HOME")
}
