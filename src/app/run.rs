//! `gantry run`: one mission in a host of its own, without a terminal.
use super::configuration::{config_folder, env};
use super::missions::missions;
use super::signals::Signals;
use crate::adapters::system::{self, Headless};
use crate::protocol::types::MissionSummary;
use crate::setup::config::{Flag, Kind};
use crate::setup::{hosted, places};
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;

/// Between two looks at the store.
const LOOK: Duration = Duration::from_millis(500);

/// Time for the host to end after an interrupt; after that it is killed.
const AFTER_INTERRUPT: Duration = Duration::from_secs(10);

const NOT_FOUND: &str = "Gantry is not in OpenCode's configuration, as far as it can be read: gantry install";

const ENDED: &str = "OpenCode ended without a mission. It said last:\n";

/// What there is to tell on the way.
pub enum Event<'a> {
    /// A new state of the mission.
    Mission(&'a MissionSummary),
    /// Why there may be no mission.
    Doubt(&'a str),
}

/// How it ended.
pub enum Ran {
    /// The mission as it is; it is open where the host went away before.
    Mission(Box<MissionSummary>),
    /// By a signal to this process, which was passed on.
    Interrupted,
    /// The host ended without having begun one, and said this.
    None(String),
    /// Something is missing.
    NotReady(String),
}

/// `model` as `provider/model`; `set` goes over every other layer of options; `tell` is called with what happens on the way.
pub fn run(
    project: &Path,
    text: &str,
    model: Option<&str>,
    set: &[Flag],
    mut tell: impl FnMut(Event<'_>),
) -> anyhow::Result<Ran> {
    let project = config_folder(Some(project))?;
    if text.trim().is_empty() {
        bail!("say what is to be done: gantry run \"…\"");
    }
    if system::first_line("opencode", &["--version"], &project).is_none() {
        return Ok(Ran::NotReady("no opencode on the PATH: npm install -g opencode-ai".into()));
    }
    // It may come from where only the host looks, so the host has the last word.
    let is_found = !hosted::plugins(places::Kind::Host, &project, &env).loaded.is_empty();
    if !is_found {
        tell(Event::Doubt(NOT_FOUND));
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
            tell(Event::Mission(&row));
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
        None if !is_found => Ran::NotReady(format!("{ENDED}{}", host.said())),
        None => Ran::None(format!("{ENDED}{}", host.said())),
    })
}
