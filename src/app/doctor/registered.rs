//! Whether OpenCode loads both halves of the plugin, each once, and whether what they name is there.
use super::built;
use crate::app::configuration::{env, global_config, with_installer};
use crate::setup::edit::HostLine;
use crate::setup::entry::{Entry, PACKAGE};
use crate::setup::findings::{Finding, Level};
use crate::setup::hosted::{self, Place, Plugins, Registered};
use crate::setup::install::Part;
use crate::setup::places::{self, Kind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// One half of the plugin: the file it stands in, and what is said of it.
#[derive(Clone, Copy)]
struct Half {
    kind: Kind,
    code: &'static str,
}

const HOST: Half = Half { kind: Kind::Host, code: "plugin" };
const PANEL: Half = Half { kind: Kind::Terminal, code: "panel" };

/// On 2.x.
const CLIENT: Half = Half { kind: Kind::Client, code: "panel" };

/// What one folder is mended by may bring to light what it had covered.
const ROUNDS: usize = 4;

/// What was found, and the entry that OpenCode loads. `second`: the host is of the 2.x line, which loads the other half
/// with the plugin. An entry for it may have been taken over from 1.x.
pub(super) fn registered(
    project: &Path,
    second: bool,
    fix: bool,
) -> anyhow::Result<(Vec<Finding>, Option<Registered>)> {
    let mut found = Vec::new();
    let plugin = HOST.entries(project, fix, &mut found)?;
    if let (Some([]), true) = (plugin.as_deref(), found.is_empty()) {
        found.push(
            Finding::new("plugin", Level::Fault, "Gantry is not in OpenCode's configuration")
                .remedy("run: gantry install"),
        );
    }
    let Some(entry) = plugin.and_then(|mut entries| entries.pop()) else {
        return Ok((found, None));
    };
    if second {
        CLIENT.entries(project, fix, &mut found)?;
        return Ok((found, Some(entry)));
    }
    let wanted = Entry::Named(entry.spec()).terminal();
    let panel = PANEL.entries(project, fix, &mut found)?;
    if let (Some([]), Some(wanted)) = (panel.as_deref(), wanted) {
        found.push(missing_panel(&entry, wanted, fix)?);
    }
    Ok((found, Some(entry)))
}

fn missing_panel(entry: &Registered, wanted: Value, fix: bool) -> anyhow::Result<Finding> {
    let beside = match folder_of(entry, HOST.kind) {
        Some(folder) => folder,
        None => global_config()?,
    };
    if fix {
        let part = Part { kind: Kind::Terminal, entry: wanted, line: HostLine::V1, wanted: true };
        with_installer(false, |installer| Ok(installer.install(&beside, &[part])?))?;
        return Ok(Finding::new("panel", Level::Good, format!("added now, in {}", beside.display())));
    }
    let text = format!("no tui.json names it (one in {} would do), so there is no panel", beside.display());
    let remedy = "run: gantry doctor --fix, or gantry install again";
    Ok(Finding::new("panel", Level::Warning, text).remedy(remedy))
}

/// The folder of an entry that can be edited: one of a file that the host finds by its name.
fn folder_of(entry: &Registered, kind: Kind) -> Option<PathBuf> {
    let Place::File(path) = &entry.place else { return None };
    let folder = path.parent()?;
    places::in_order(in_folder(kind, folder), folder).contains(path).then(|| folder.to_owned())
}

/// The host reads its user's folder in a way of its own.
fn in_folder(kind: Kind, folder: &Path) -> Kind {
    let is_users = global_config().is_ok_and(|global| global == folder);
    if kind == Kind::Host && is_users { Kind::User } else { kind }
}

impl Half {
    /// The entries that are loaded, and what there is to say of them; none where a file cannot be read.
    fn entries(
        self,
        project: &Path,
        fix: bool,
        found: &mut Vec<Finding>,
    ) -> anyhow::Result<Option<Vec<Registered>>> {
        let mut plugins = hosted::plugins(self.kind, project, &env);
        let was = plugins.loaded.len();
        for _ in 0..ROUNDS {
            if fix && plugins.faults.is_empty() && plugins.loaded.len() > 1 && self.mend(&plugins)? {
                plugins = hosted::plugins(self.kind, project, &env);
            }
        }
        if !plugins.faults.is_empty() {
            found.extend(plugins.faults.into_iter().map(|fault| {
                let remedy = "correct the file; OpenCode reads it as it stands";
                Finding::new(self.code, Level::Fault, fault).remedy(remedy)
            }));
            return Ok(None);
        }
        match plugins.loaded.as_slice() {
            [] => {}
            [entry] => {
                if was > 1 {
                    let text = format!("loaded once now, from {}", entry.place);
                    found.push(Finding::new(self.code, Level::Good, text));
                }
                found.push(self.loadable(entry));
            }
            several => found.push(self.several(several)),
        }
        found.extend(self.unheard(&plugins));
        Ok(Some(plugins.loaded))
    }

    fn several(self, entries: &[Registered]) -> Finding {
        let places: Vec<_> =
            entries.iter().map(|entry| format!("{} ({})", entry.place, entry.spec())).collect();
        let text = format!("loaded {} times: {}", entries.len(), places.join(", "));
        let remedy = if self.mendable(entries).is_some() {
            "run: gantry doctor --fix, which makes them one and keeps their options"
        } else {
            "take out all but one: which options are to count is yours to say"
        };
        Finding::new(self.code, Level::Fault, text).remedy(remedy)
    }

    /// An entry that another has taken the place of, with options that its author may believe in.
    fn unheard(self, plugins: &Plugins) -> Option<Finding> {
        let by = plugins.loaded.last()?;
        let covered = plugins.covered.iter().find(|entry| entry.sets_options())?;
        let text = format!("the options in {} do not count: {} takes its place", covered.place, by.place);
        let remedy =
            "OpenCode takes the options of one entry alone: bring them into that one, or into gantry.jsonc";
        Some(Finding::new(self.code, Level::Warning, text).remedy(remedy))
    }

    /// What brings several entries down to one: for each folder what its own is to be, if any is to be left. The first
    /// that can be loaded serves the most projects, so the others come to name what it names, and options stay where
    /// they are. None where that would lose some.
    fn mendable(self, entries: &[Registered]) -> Option<Vec<(PathBuf, Option<Value>)>> {
        let is_sound = |entry: &&Registered| self.loadable(entry).level != Level::Fault;
        let kept = entries.iter().find(is_sound).or(entries.first())?;
        let mut steps = Vec::new();
        for entry in entries {
            let folder = folder_of(entry, self.kind)?;
            let of_folder = |other: &&Registered| folder_of(other, self.kind).as_ref() == Some(&folder);
            let here: Vec<_> = entries.iter().filter(of_folder).collect();
            let with_options: Vec<_> = here.iter().filter(|entry| entry.sets_options()).collect();
            let is_home = here.contains(&kept);
            let done = steps.iter().any(|(known, _)| *known == folder) || (is_home && here.len() == 1);
            match with_options.as_slice() {
                _ if done => {}
                [] if !is_home => steps.push((folder, None)),
                [] => steps.push((folder, Some(named_as(kept, kept)))),
                [one] => steps.push((folder, Some(named_as(kept, one)))),
                _ => return None,
            }
        }
        Some(steps)
    }

    /// Whether anything was changed.
    fn mend(self, plugins: &Plugins) -> anyhow::Result<bool> {
        // What stands in the same folders and is not loaded would be edited with the rest.
        let folders: Vec<_> = plugins.loaded.iter().filter_map(|entry| folder_of(entry, self.kind)).collect();
        let beside = |entry: &&Registered| {
            entry.sets_options()
                && folder_of(entry, self.kind).is_some_and(|folder| folders.contains(&folder))
        };
        if plugins.covered.iter().any(|entry| beside(&entry)) {
            return Ok(false);
        }
        let Some(steps) = self.mendable(&plugins.loaded) else { return Ok(false) };
        for (folder, entry) in &steps {
            let kind = in_folder(self.kind, folder);
            with_installer(false, |installer| {
                Ok(match entry {
                    None => installer.uninstall(folder, &[kind])?,
                    Some(entry) => {
                        let part = Part { kind, entry: entry.clone(), line: HostLine::Auto, wanted: true };
                        installer.install(folder, &[part])?
                    }
                })
            })?;
        }
        Ok(!steps.is_empty())
    }

    fn loadable(self, entry: &Registered) -> Finding {
        let place = &entry.place;
        let spec = entry.spec();
        let file = built::file(self.kind, entry, &env);
        let Some(file) = file else {
            let text = format!("registered in {place} as {spec}, which OpenCode fetches when it starts");
            return of_version(&spec).map_or_else(
                || Finding::new(self.code, Level::Good, text),
                |version| self.other_version(place, &spec, version),
            );
        };
        match built::version(&file) {
            Err(what) => {
                let text = format!("{place} names {}, {what}", file.display());
                let remedy = match entry.file {
                    Some(_) => "build it, or run: gantry install",
                    None => "remove its folder there: OpenCode fetches it again",
                };
                Finding::new(self.code, Level::Fault, text).remedy(remedy)
            }
            Ok(version) if version != OWN => self.other_version(place, &spec, &version),
            Ok(_) => {
                let what = match entry.file {
                    Some(_) => format!("from {}", file.display()),
                    None => format!("as {spec}"),
                };
                Finding::new(self.code, Level::Good, format!("registered in {place} {what}"))
            }
        }
    }

    fn other_version(self, place: &Place, spec: &str, version: &str) -> Finding {
        let text = format!("{place} names {spec}, which is {version}; this is {OWN}");
        Finding::new(self.code, Level::Warning, text).remedy("bring both to one version: gantry install")
    }
}

const OWN: &str = env!("CARGO_PKG_VERSION");

/// The version of a package specifier, where it says another than this one.
fn of_version(spec: &str) -> Option<&str> {
    let spec = spec.strip_prefix("npm:").unwrap_or(spec);
    let version = spec.strip_prefix(PACKAGE)?.strip_prefix('@')?;
    (version != OWN && version != "latest").then_some(version)
}

/// What `kept` names, with the options of `entry`; the sidecar belongs to what is named.
fn named_as(kept: &Registered, entry: &Registered) -> Value {
    let mut options = entry.as_given();
    options.shift_remove("bin");
    options.extend(kept.bin().map(|bin| ("bin".to_owned(), json!(bin))));
    if options.is_empty() { json!(kept.spec()) } else { json!([kept.spec(), options]) }
}
