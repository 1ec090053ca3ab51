//! Gantry's options, and its entry in the host's configuration.
use super::doctor;
use crate::adapters::system::{self, dirs};
use crate::domain::ids::Directory;
use crate::engine::handle::Options;
use crate::rpc::service::Workspace;
use crate::setup::config::{Flag, Given, Layers, Origin, Resolved};
use crate::setup::disk::RealDisk;
use crate::setup::edit::HostLine;
use crate::setup::entry::{self, Entry};
use crate::setup::install::{Installer, Outcome, Part};
use crate::setup::places::{self, Kind};
use anyhow::{Context, bail};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The options of a mission that is asked for in a directory of the host.
pub(super) fn layered(_directory: &Directory, workspace: &Workspace) -> Result<Options, String> {
    let resolved = resolve(Path::new(&workspace.worktree), given(&workspace.options), Vec::new());
    let why = |fault: &dyn std::fmt::Display| format!("Gantry's configuration has a fault. {fault}");
    let values = resolved.options().map_err(|fault| why(&fault))?;
    super::options(values).map_err(|fault| why(&fault))
}

fn given(options: &Map<String, Value>) -> Vec<Given> {
    let origin = Origin::Plugin;
    let one = |(name, value): (&String, &Value)| Given {
        name: name.clone(),
        value: value.clone(),
        origin: origin.clone(),
    };
    options.iter().map(one).collect()
}

fn resolve(project: &Path, plugin: Vec<Given>, flags: Vec<Flag>) -> Resolved {
    let env = |name: &str| std::env::var(name).ok();
    Layers { user: places::own_folder(env), project, plugin, env: &env, flags }.resolve()
}

/// The options of a project, with those in the host's configuration as far as it can be read.
pub fn configuration(project: &Path, flags: &[Flag]) -> anyhow::Result<Resolved> {
    let project = config_folder(Some(project))?;
    let folders = [Some(project.clone()), global_config().ok()];
    let entries = with_installer(true, |installer| {
        Ok(folders
            .iter()
            .flatten()
            .filter_map(|folder| installer.entries(Kind::Host, folder).ok())
            .flatten()
            .collect::<Vec<_>>())
    })?;
    let options =
        entries.iter().flat_map(|(_, found)| found).find_map(|entry| entry::options(entry).cloned());
    Ok(resolve(&project, given(&options.unwrap_or_default()), flags.to_vec()))
}

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
        if project.is_some() {
            let global = installer
                .entries(Kind::Host, &global_config()?)?
                .into_iter()
                .find(|(_, found)| !found.is_empty());
            if let Some((path, _)) = global {
                bail!("Gantry is in {} for all projects already: take it out there first", path.display());
            }
        }
        let folder = config_folder(project)?;
        let second = match line {
            HostLine::Auto => doctor::second_line(),
            line => line == HostLine::V2,
        };
        let mut parts = vec![Part { kind: Kind::Host, entry: entry.value(), line, wanted: true }];
        if let Some(entry) = entry.terminal() {
            let of = |kind, wanted| Part { kind, entry: entry.clone(), line: HostLine::Auto, wanted };
            // 2.x loads this half by itself with the plugin. What it has taken over from 1.x would stay behind.
            let kinds = terminals(project).iter();
            parts.extend(kinds.map(|kind| of(*kind, *kind == Kind::Terminal && !second)));
        }
        Ok(installer.install(&folder, &parts)?)
    })
}

/// The files for the terminal interface that there may be.
fn terminals(project: Option<&Path>) -> &'static [Kind] {
    if project.is_some() { &[Kind::Terminal] } else { &[Kind::Terminal, Kind::Client] }
}

pub fn uninstall(project: Option<&Path>, dry_run: bool) -> anyhow::Result<Vec<Outcome>> {
    let kinds = [&[Kind::Host], terminals(project)].concat();
    with_installer(dry_run, |installer| Ok(installer.uninstall(&config_folder(project)?, &kinds)?))
}

pub(super) fn with_installer<T>(
    dry_run: bool,
    work: impl FnOnce(&Installer<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let home = dirs::data_dir()?;
    let stamp = || jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%6fZ").to_string();
    work(&Installer { disk: &RealDisk, home: &home, stamp: &stamp, dry_run })
}

pub(super) fn config_folder(project: Option<&Path>) -> anyhow::Result<PathBuf> {
    match project {
        None => global_config(),
        Some(dir) => system::real_path(dir).with_context(|| format!("the project folder {}", dir.display())),
    }
}

pub(super) fn global_config() -> anyhow::Result<PathBuf> {
    places::global(|name| std::env::var(name).ok())
        .with_context(|| format!("no home folder: set {} or XDG_CONFIG_HOME", places::HOME))
}
