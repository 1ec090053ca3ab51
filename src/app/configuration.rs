//! Gantry's options, and its entry in the host's configuration.
use super::doctor;
use crate::adapters::system::{self, dirs};
use crate::domain::ids::Directory;
use crate::engine::handle::Options;
use crate::rpc::service::Workspace;
use crate::setup::config::{Flag, Given, Layers, Origin, Resolved};
use crate::setup::disk::RealDisk;
use crate::setup::edit::HostLine;
use crate::setup::entry::Entry;
use crate::setup::hosted::{self, Place};
use crate::setup::install::{Installer, Outcome, Part};
use crate::setup::places::{self, Kind};
use anyhow::{Context, bail};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The options of a mission that is asked for in a directory of the host.
pub(super) fn layered(directory: &Directory, workspace: &Workspace) -> Result<Options, String> {
    let plugin = located(Path::new(&directory.0), &workspace.options);
    let resolved = resolve(Path::new(&workspace.worktree), plugin, Vec::new());
    let why = |fault: &dyn std::fmt::Display| format!("Gantry's configuration has a fault. {fault}");
    let values = resolved.options().map_err(|fault| why(&fault))?;
    super::options(values).map_err(|fault| why(&fault))
}

/// The options that the plugin was given, with the places where they stand as far as those can be found.
fn located(directory: &Path, options: &Map<String, Value>) -> Vec<Given> {
    let mut loaded = hosted::plugins(Kind::Host, directory, &env).loaded;
    if let Some(at) = loaded.iter().position(|entry| entry.as_given() == *options) {
        return loaded.swap_remove(at).options;
    }
    let one = |(name, value): (&String, &Value)| Given {
        name: name.clone(),
        value: value.clone(),
        origin: Origin::Plugin,
    };
    options.iter().map(one).collect()
}

fn resolve(project: &Path, plugin: Vec<Given>, flags: Vec<Flag>) -> Resolved {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let vars = std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("GANTRY_")).collect();
    Layers { user: places::own_folder(env), project, plugin, env: vars, flags }.resolve()
}

pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The options of the project that a folder belongs to, as a mission that is asked for in that folder gets them.
pub fn configuration(folder: &Path, flags: &[Flag]) -> anyhow::Result<Resolved> {
    let folder = config_folder(Some(folder))?;
    let entry = hosted::plugins(Kind::Host, &folder, &env).loaded.pop();
    let options = entry.map_or_else(Vec::new, |entry| entry.options);
    Ok(resolve(&hosted::worktree(&folder), options, flags.to_vec()))
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
        let folder = config_folder(project)?;
        if project.is_some() {
            let is_here =
                |place: &Place| matches!(place, Place::File(path) if path.parent() == Some(&*folder));
            let loaded = hosted::plugins(Kind::Host, &folder, &env).loaded;
            if let Some(entry) = loaded.iter().find(|entry| !is_here(&entry.place)) {
                bail!("OpenCode finds Gantry in {} already: take it out there first", entry.place);
            }
        }
        let second = match line {
            HostLine::Auto => doctor::second_line(),
            line => line == HostLine::V2,
        };
        let mut parts = vec![Part { kind: host_kind(project), entry: entry.value(), line, wanted: true }];
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
    let kinds = [&[host_kind(project)], terminals(project)].concat();
    with_installer(dry_run, |installer| Ok(installer.uninstall(&config_folder(project)?, &kinds)?))
}

fn host_kind(project: Option<&Path>) -> Kind {
    if project.is_some() { Kind::Host } else { Kind::User }
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
    places::global(env).with_context(|| format!("no home folder: set {} or XDG_CONFIG_HOME", places::HOME))
}
