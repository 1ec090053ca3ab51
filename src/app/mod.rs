//! The composition root: the only place that names adapters and engine together.
mod code;
mod configuration;
mod doctor;
mod document;
mod missions;
mod options;
mod rollback;
mod run;
#[cfg_attr(windows, path = "signals_windows.rs")]
mod signals;
mod steer;

use crate::adapters::opencode::StdioHost;
use crate::adapters::search::TreeSearch;
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::system::watchdog::Watchdog;
use crate::adapters::system::{self, dirs, process};
use crate::adapters::todo::TodoFiles;
use crate::engine::Ports;
use crate::engine::handle::{self, Limits as EngineLimits};
use crate::ports::code::Diagnostics;
use crate::ports::store::{Store, StoreError};
use crate::protocol::errors::STORE;
use crate::protocol::methods::Initialize;
use crate::rpc::service::code::CodeTools;
use crate::rpc::service::{self, About, Served};
use crate::rpc::{self, Limits, Router, RpcError};
use crate::telemetry;
use anyhow::{Context, bail};
pub use code::{Searched, diagnostics, search_code, search_files, search_text};
pub use configuration::{configuration, install, uninstall};
pub use doctor::doctor;
pub use missions::{WaitingAsk, export, follow, meant, mission, missions, open_ask, open_asks};
pub use options::options;
pub use rollback::rollback;
pub use run::{Event, Ran, run};
use signals::Signals;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
pub use steer::{Order, processes, steer};
use tokio_util::sync::CancellationToken;

/// Programs of the user beside the host at one time.
const VISITORS: usize = 16;

/// All that may happen between the end of the host and the end of this process.
const STOP_WITHIN: Duration = Duration::from_millis(1_800);

/// Serves one host over standard input and output until it goes away.
pub fn sidecar() -> anyhow::Result<()> {
    let _log = telemetry::start(dirs::data_dir().ok().as_deref());
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
        layered: Arc::new(configuration::layered),
    };
    let host = Arc::new(StdioHost::default());
    let (engine, router) = match SqliteStore::open(&path) {
        Ok(store) => {
            let watchdog = watched();
            let diagnostics = Arc::new(system::LanguageServers::watched(watchdog.clone()));
            let code = CodeTools {
                search: Arc::new(TreeSearch::with(system::give_back)),
                diagnostics: diagnostics.clone(),
            };
            let (engine, run) = handle::start_with(
                ports(&home, Arc::new(store), host.clone(), watchdog, diagnostics),
                limits(),
            );
            tokio::spawn(run);
            let served = Served::new(engine.clone(), about, code, stop.clone());
            tokio::spawn(doors(home.clone(), served.clone()));
            (Some(engine), served.host())
        }
        // The plugin is told at its first call, so that the user reads why.
        Err(error) => {
            tracing::error!(%error, "no store");
            (None, refusing(error))
        }
    };
    let (peer, connection) = rpc::connect(tokio::io::stdin(), tokio::io::stdout(), router, Limits::default());
    host.connect(peer.clone());
    let mut signals = Signals::listen()?;
    let served = tokio::spawn(connection.run());
    tokio::select! {
        () = peer.closed() => tracing::info!("the host is gone"),
        () = stop.cancelled() => tracing::info!("asked to stop"),
        signal = signals.next() => tracing::info!("{signal}"),
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
        _ = signals.next() => {}
    }
    Ok(())
}

/// Serves the user's own programs until the process ends. Without a socket the host is served all the same.
async fn doors(home: PathBuf, served: Served) {
    let door = match system::Door::open(&home) {
        Ok(door) => door,
        Err(error) => {
            return tracing::warn!(%error, "no socket: the panel in the terminal cannot show missions");
        }
    };
    let mut visitors = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            visitor = door.next() => match visitor {
                Ok((input, output)) if visitors.len() < VISITORS => {
                    let (_, connection) = rpc::connect(input, output, served.viewer(), Limits::default());
                    visitors.spawn(connection.run());
                }
                // One too many is let go; it may try again.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the socket takes no visitors for a while");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            Some(_) = visitors.join_next() => {}
        }
    }
}

/// The last lines of the log, and the place after them.
pub fn log_tail(lines: usize) -> anyhow::Result<(String, telemetry::Tail)> {
    let look = telemetry::look(dirs::data_dir().ok().as_deref());
    let path = look.path.with_context(|| format!("there is no log: {}", look.passed_over.join("; ")))?;
    telemetry::Tail::start(&path, lines).with_context(|| path.display().to_string())
}

fn ports(
    home: &Path,
    store: Arc<dyn Store>,
    host: Arc<StdioHost>,
    watchdog: Option<Arc<Watchdog>>,
    diagnostics: Arc<dyn Diagnostics>,
) -> Ports {
    let tree = Arc::new(system::GitTree::new(home));
    Ports {
        clock: Arc::new(system::SystemClock),
        ids: Arc::new(system::Uuids),
        store,
        host,
        tree: tree.clone(),
        worktrees: tree.clone(),
        history: tree,
        checks: Arc::new(system::CommandChecks::watched(watchdog)),
        todo: Arc::new(TodoFiles::new(home)),
        diagnostics,
        markers: Arc::new(system::OpenMarkers::new(home)),
        memory: Arc::new(system::SystemMemory),
        identity: process::identity(),
        alive: process::alive,
        salvage: service::salvage,
    }
}

/// The other process that ends what this one leaves running when it is killed.
#[cfg(unix)]
fn watched() -> Option<Arc<Watchdog>> {
    std::env::current_exe().ok().map(|program| Arc::new(Watchdog::new(program)))
}

/// Windows does that itself: see `system::watchdog`.
#[cfg(windows)]
fn watched() -> Option<Arc<Watchdog>> {
    None
}

/// The other half of `watched`: see `system::watchdog`.
#[cfg(unix)]
pub fn watchdog() {
    system::watchdog::watch(std::io::stdin().lock());
}

fn refusing(error: StoreError) -> Router {
    let text = error.to_string();
    Router::builder().sync(Initialize, move |_, _| Err(RpcError::new(STORE, text.clone()))).build()
}

/// `GANTRY_POOLS=on`: off as a rule, for they save nothing that anybody could see.
fn limits() -> EngineLimits {
    let pools = std::env::var("GANTRY_POOLS").unwrap_or_default();
    if !matches!(pools.as_str(), "" | "on" | "off") {
        tracing::warn!(pools, "GANTRY_POOLS is neither on nor off; they are off");
    }
    EngineLimits { pools: pools == "on", ..EngineLimits::default() }
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
