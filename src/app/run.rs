//! `gantry run`: one mission in a host of its own, without a terminal.
use super::configuration::{config_folder, global_config, with_installer};
use super::missions::missions;
use super::signals::Signals;
use crate::adapters::system::{self, Headless};
use crate::protocol::types::MissionSummary;
use crate::setup::config::{Flag, Kind};
use crate::setup::places;
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;

/// Between two looks at the store.
const LOOK: Duration = Duration::from_millis(500);

/// Time for the host to end after an interrupt; after that it is killed.
const AFTER_INTERRUPT: Duration = Duration::from_secs(10);

/// How it ended.
pub enum Ran {
    /// The mission as it is; it is open where the host went away before.
    Mission(Box<MissionSummary>),
    /// By a signal to this process, which was passed on.
    Interrupted,
    /// The host ended without having begun one: what it said last.
    None { said: String },
    /// Something is missing.
    NotReady(String),
}

/// `model` as `provider/model`; `set` goes over every other layer of options; `tell` is called with every new state of the mission.
pub fn run(
    project: &Path,
    text: &str,
    model: Option<&str>,
    set: &[Flag],
    mut tell: impl FnMut(&MissionSummary),
) -> anyhow::Result<Ran> {
    let project = config_folder(Some(project))?;
    if text.trim().is_empty() {
        bail!("say what is to be done: gantry run \"…\"");
    }
    if system::first_line("opencode", &["--version"], &project).is_none() {
        return Ok(Ran::NotReady("no opencode on the PATH: npm install -g opencode-ai".into()));
    }
    if !registered(&project)? {
        return Ok(Ran::NotReady("Gantry is not in OpenCode's configuration: gantry install".into()));
    }
    let known: Vec<String> = missions(Some(&project), false, 1_000)?.into_iter().map(|row| row.id).collect();
    let mut args = vec!["run", "--command", "task"];
    args.extend(model.iter().flat_map(|model| ["--model", model]));
    args.extend(["--", text]);
    // The sidecar is a child of the host: what the environment says is the layer below.
    let env: Vec<_> = set.iter().map(|(field, value)| (field.env, Kind::written(value))).collect();
    let mut host =
        Headless::start("opencode", &args, &env, &project).context("opencode could not be started")?;
    let mut newest = None;
    let mut look = |newest: &mut Option<MissionSummary>| -> anyhow::Result<()> {
        let mut rows = missions(Some(&project), false, 10)?;
        rows.retain(|row| !known.contains(&row.id));
        if let Some(row) = rows.pop()
            && newest.as_ref() != Some(&row)
        {
            tell(&row);
            *newest = Some(row);
        }
        Ok(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let (mut interrupted, mut patience) = (false, AFTER_INTERRUPT);
    while host.runs()? && patience > Duration::ZERO {
        interrupted |= runtime.block_on(async {
            tokio::select! {
                _ = signals.next() => true,
                () = tokio::time::sleep(LOOK) => false,
            }
        });
        if interrupted {
            host.interrupt();
            patience = patience.saturating_sub(LOOK);
        }
        look(&mut newest)?;
    }
    look(&mut newest)?;
    Ok(match newest {
        _ if interrupted => Ran::Interrupted,
        Some(summary) => Ran::Mission(Box::new(summary)),
        None => Ran::None { said: host.said() },
    })
}

fn registered(project: &Path) -> anyhow::Result<bool> {
    // Laid over the files by whoever starts us.
    if std::env::var_os("OPENCODE_CONFIG_CONTENT").is_some() {
        return Ok(true);
    }
    for folder in [Some(project.to_owned()), global_config().ok()].into_iter().flatten() {
        let entries = with_installer(true, |installer| Ok(installer.entries(places::Kind::Host, &folder)?))?;
        if entries.iter().any(|(_, found)| !found.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}
