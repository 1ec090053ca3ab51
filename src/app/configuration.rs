//! Gantry's options, and its entry in the host's configuration.
use crate::adapters::system::{self, dirs};
use crate::domain::ids::Directory;
use crate::engine::handle::Options;
use crate::rpc::service::Workspace;
use crate::setup::config::{Flag, Given, Layers, Origin, Resolved};
use crate::setup::disk::RealDisk;
use crate::setup::edit::HostLine;
use crate::setup::entry::Entry;
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
        entries.iter().flat_map(|(_, found)| found).find_map(|entry| entry.get(1)?.as_object().cloned());
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
        let mut parts = vec![Part { kind: Kind::Host, entry: entry.value(), line }];
        // What the terminal interface of the 2.x line reads has not been tried.
        let panel = entry.terminal().filter(|_| line != HostLine::V2);
        parts.extend(panel.map(|entry| Part { kind: Kind::Terminal, entry, line: HostLine::V1 }));
        Ok(installer.install(&folder, &parts)?)
    })
}

pub fn uninstall(project: Option<&Path>, dry_run: bool) -> anyhow::Result<Vec<Outcome>> {
    with_installer(dry_run, |installer| {
        Ok(installer.uninstall(&config_folder(project)?, &[Kind::Host, Kind::Terminal])?)
    })
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
