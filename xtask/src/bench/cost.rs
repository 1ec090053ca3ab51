//! Processor time of a host with all it starts, by the kernel's own count.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::lab::host::{HostEnv, Server};

/// What was used so far. Processes that have ended count for the one that waited for them, so what the host and the
/// sidecar start (git, nearly all of it) is told from themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) host: Duration,
    pub(super) of_host: Duration,
    pub(super) sidecar: Duration,
    pub(super) of_sidecar: Duration,
}

impl Used {
    pub(super) fn read(env: &HostEnv, server: &Server) -> Result<Self> {
        let (host, of_host) = times(server.process.pid())?;
        let name = " sidecar";
        let sidecar = env.leftovers()?.into_iter().find(|process| process.command.ends_with(name));
        // There is none before the first mission.
        let (sidecar, of_sidecar) =
            sidecar.map(|process| times(process.pid)).transpose()?.unwrap_or_default();
        Ok(Self { host, of_host, sidecar, of_sidecar })
    }
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            host: self.host.saturating_sub(before.host),
            of_host: self.of_host.saturating_sub(before.of_host),
            sidecar: self.sidecar.saturating_sub(before.sidecar),
            of_sidecar: self.of_sidecar.saturating_sub(before.of_sidecar),
        }
    }
}

/// Of a process, and of its children that have ended.
fn times(pid: u32) -> Result<(Duration, Duration)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in brackets and may hold anything; user, system, and the same of children come eleven fields later.
    let fields = text.rsplit_once(") ").context("a stat without a name")?.1;
    let ticks: Vec<u64> = fields.split(' ').skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    let &[user, system, children_user, children_system] = ticks.as_slice() else {
        anyhow::bail!("a short stat of process {pid}: {text}");
    };
    let time = |ticks| Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
    Ok((time(user + system), time(children_user + children_system)))
}
