//! One server on a store, connected to a host.
use std::sync::Arc;

use gantry::adapters::memory::MemoryStore;
use gantry::adapters::opencode::StdioHost;
use gantry::adapters::search::TreeSearch;
use gantry::adapters::system::{GitTree, SystemClock};
use gantry::engine::Ports;
use gantry::engine::handle::{self, Handle};
use gantry::ports::store::{OwnerIdentity, Store};
use gantry::rpc::service::code::CodeTools;
use gantry::rpc::service::{self, About, Served};
use gantry::rpc::{Limits, PeerHandle, connect};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::host::FakeHost;
use crate::parts::Project;
use crate::wire::{Wire, wire};

pub struct Server {
    pub engine: Handle,
    pub served: Served,
    pub peer: PeerHandle,
    pub stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

impl Server {
    /// A process of its own as far as the store can tell.
    pub fn start(store: Arc<dyn Store>, project: &Arc<Project>, pid: u32, end: DuplexStream) -> Self {
        let host = Arc::new(StdioHost::default());
        let ports = Ports {
            clock: Arc::new(SystemClock),
            ids: project.clone(),
            store,
            host: host.clone(),
            tree: project.clone(),
            worktrees: Arc::new(GitTree::new(std::path::Path::new("/nowhere"))),
            history: project.clone(),
            checks: project.clone(),
            todo: project.clone(),
            diagnostics: project.clone(),
            markers: project.clone(),
            memory: project.clone(),
            identity: OwnerIdentity { owner: format!("process {pid}"), pid, pid_start: 1, boot: "b".into() },
            alive: |by| by.pid >= ALIVE,
            salvage: service::salvage,
        };
        let (engine, run) = handle::start(ports);
        let stop = CancellationToken::new();
        let about = About {
            home: "/home".into(),
            store: "memory".into(),
            log_lines_dropped: || 0,
            layered: Arc::new(|_, workspace| gantry::app::options(workspace.options.clone().into())),
        };
        let code = CodeTools { search: Arc::new(TreeSearch::default()), diagnostics: project.clone() };
        let served = Served::new(engine.clone(), about, code, stop.clone());
        let (read, write) = tokio::io::split(end);
        let router = served.host();
        let (peer, connection) = connect(read, write, router, Limits::default());
        host.connect(peer.clone());
        let connected = tokio::spawn(async move {
            connection.run().await;
        });
        Self { engine, served, peer, stop, tasks: [tokio::spawn(run), connected] }
    }

    /// As `kill -9`: nothing is given up, nothing is said.
    pub async fn kill(self) {
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// Processes from this id on are alive for the others.
pub const ALIVE: u32 = 1_000;

/// A host with a server, which it has opened `/p` on.
pub struct Rig {
    pub store: MemoryStore,
    pub project: Arc<Project>,
    pub host: FakeHost,
    pub wire: Wire,
    pub server: Server,
}

impl Rig {
    pub async fn new() -> Self {
        Self::with(MemoryStore::new(), crate::parts::project(), 1).await
    }

    pub async fn with(store: MemoryStore, project: Arc<Project>, pid: u32) -> Self {
        let host = FakeHost::new(project.clone());
        let (wire, near, far) = wire();
        let server = Server::start(Arc::new(store.clone()), &project, pid, far);
        host.connect(near, false).await;
        Self { store, project, host, wire, server }
    }

    /// The server dies and another takes its place: of the same host process, or of one started anew.
    pub async fn replace_server(mut self, pid: u32, host_restarted: bool) -> Self {
        self.wire.cut();
        self.server.kill().await;
        if host_restarted {
            self.host.restart();
        }
        let (wire, near, far) = wire();
        self.server = Server::start(Arc::new(self.store.clone()), &self.project, pid, far);
        self.wire = wire;
        self.host.connect(near, !host_restarted).await;
        self
    }
}
