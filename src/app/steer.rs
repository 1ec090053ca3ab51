//! Orders from the command line to the process that works on a mission, through its socket.
use crate::adapters::system::{Door, dirs};
use crate::protocol::errors::NOT_FOUND;
use crate::protocol::methods::{self as m, Method};
use crate::protocol::types::*;
use crate::rpc::{CallError, Limits, PeerHandle, Router, connect};
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;

/// For an order: the process may have to read the mission from its store.
const ANSWER: Duration = Duration::from_secs(30);

/// For what is only read: a process that does not answer is left out.
const LOOK: Duration = Duration::from_secs(2);

/// What the processes of Gantry that are running are doing, each in numbers.
pub fn processes() -> anyhow::Result<Vec<MetricsResult>> {
    let home = dirs::data_dir().context("no data directory: set GANTRY_HOME")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut all = Vec::new();
        for path in Door::all(&home) {
            let asked = async {
                let peer = visit(&path).await?;
                Ok::<_, anyhow::Error>(peer.call(m::MetricsRead, &Empty {}, LOOK).await?)
            };
            all.extend(tokio::time::timeout(LOOK, asked).await.ok().and_then(Result::ok));
        }
        Ok(all)
    })
}

/// What an order is about, besides its mission.
#[derive(Default)]
pub struct Order {
    pub text: Option<String>,
    pub task: Option<String>,
    pub ask: Option<String>,
    pub now: bool,
}

/// The mission after the order was carried out.
pub fn steer(id: Option<&str>, action: ControlAction, order: Order) -> anyhow::Result<MissionDetail> {
    let mission = super::mission(&super::meant(id)?)?.mission;
    let home = dirs::data_dir().context("no data directory: set GANTRY_HOME")?;
    let params = MissionControlParams {
        directory: mission.directory.clone(),
        mission: Some(mission.id.clone()),
        action,
        text: order.text,
        ask: order.ask,
        checkpoint: None,
        files: None,
        task: order.task,
        now: order.now.then_some(true),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(missing) = Door::MISSING {
        bail!("{missing}");
    }
    let done = runtime.block_on(ask(&home, m::MissionControl, &params))?;
    done.with_context(|| {
        format!(
            "no process of Gantry is at work on mission {}: start opencode in {}, and try again",
            mission.id, mission.directory
        )
    })
}

/// The answer of the process that works on a mission; none where no process does.
pub(super) async fn ask<M: Method + Copy>(
    home: &Path,
    method: M,
    params: &M::Params,
) -> anyhow::Result<Option<M::Result>> {
    let mut refusal = None;
    for path in Door::all(home) {
        // One that has just gone, or speaks another version, is not the one.
        let Ok(peer) = visit(&path).await else { continue };
        match peer.call(method, params, ANSWER).await {
            Ok(answer) => return Ok(Some(answer)),
            Err(CallError::Remote(error)) if error.code == NOT_FOUND => {}
            Err(error) => refusal = Some(error.to_string()),
        }
    }
    match refusal {
        Some(refusal) => bail!("{refusal}"),
        None => Ok(None),
    }
}

async fn visit(path: &std::path::Path) -> anyhow::Result<PeerHandle> {
    let (input, output) = Door::visit(path).await?;
    let (peer, connection) = connect(input, output, Router::builder().build(), Limits::default());
    tokio::spawn(connection.run());
    let hello = InitializeParams {
        protocol_version: PROTOCOL_VERSION,
        client: Peer { name: "gantry".into(), version: env!("CARGO_PKG_VERSION").into() },
        host: HostInfo { line: HostLine::V1, version: None, pid: std::process::id() },
    };
    peer.call(m::Initialize, &hello, ANSWER).await?;
    Ok(peer)
}
