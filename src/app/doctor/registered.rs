//! Whether OpenCode loads both halves of the plugin, each once, and whether what they name is there.
use super::host::told_version;
use crate::app::configuration::{global_config, with_installer};
use crate::setup::edit::HostLine;
use crate::setup::entry::{self, Entry, PACKAGE};
use crate::setup::findings::{Finding, Level};
use crate::setup::install::Part;
use crate::setup::places::Kind;
use serde_json::Value;
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

type Entries = Vec<(PathBuf, Value)>;

/// `second`: the host is of the 2.x line, which loads the other half with the plugin. An entry for it may have been taken
/// over from 1.x.
pub(super) fn registered(project: &Path, second: bool, fix: bool) -> anyhow::Result<Vec<Finding>> {
    let mut folders = vec![project.to_owned()];
    folders.extend(global_config().ok());
    let mut found = Vec::new();
    let plugin = HOST.entries(&folders, fix, &mut found)?;
    if let (Some([]), true) = (plugin.as_deref(), found.is_empty()) {
        found.push(
            Finding::new("plugin", Level::Fault, "Gantry is not in OpenCode's configuration")
                .remedy("run: gantry install"),
        );
    }
    let Some((path, entry)) = plugin.and_then(|entries| entries.into_iter().next()) else {
        return Ok(found);
    };
    let folder = path.parent().unwrap_or(project).to_owned();
    if second {
        let own: Vec<_> = global_config().into_iter().collect();
        CLIENT.entries(&own, fix, &mut found)?;
        return Ok(found);
    }
    let wanted = panel_of(&entry, &folder);
    let panel = PANEL.entries(&folders, fix, &mut found)?;
    match (panel.as_deref(), wanted) {
        (Some([]), Some(wanted)) if fix => {
            let part = Part { kind: Kind::Terminal, entry: wanted, line: HostLine::V1, wanted: true };
            with_installer(false, |installer| Ok(installer.install(&folder, &[part])?))?;
            let text = format!("added now, beside {}", path.display());
            found.push(Finding::new("panel", Level::Good, text));
        }
        (Some([]), Some(_)) => {
            let text = format!("no tui.json beside {} names it, so there is no panel", path.display());
            let remedy = "run: gantry doctor --fix, or gantry install again";
            found.push(Finding::new("panel", Level::Warning, text).remedy(remedy));
        }
        _ => {}
    }
    Ok(found)
}

/// The entry for the terminal interface that goes with one of the host's.
fn panel_of(entry: &Value, folder: &Path) -> Option<Value> {
    let spec = entry::spec(entry)?;
    let absolute = entry::local_file(spec, folder).map(|file| file.display().to_string());
    Entry::Named(absolute.unwrap_or_else(|| spec.to_owned())).terminal()
}

impl Half {
    /// The entries, and what there is to say of them; none where a file cannot be read.
    fn entries(
        self,
        folders: &[PathBuf],
        fix: bool,
        found: &mut Vec<Finding>,
    ) -> anyhow::Result<Option<Entries>> {
        let mut entries = match self.read(folders) {
            Ok(entries) => entries,
            Err(error) => {
                let remedy = "correct the file; OpenCode reads it as it stands";
                found.push(Finding::new(self.code, Level::Fault, error.to_string()).remedy(remedy));
                return Ok(None);
            }
        };
        if fix && entries.len() > 1 {
            let kept = self.keep_one(folders, entries)?;
            let text = format!("registered once now, in {}", kept.0.display());
            found.push(Finding::new(self.code, Level::Good, text));
            entries = vec![kept];
        }
        match entries.as_slice() {
            [] => {}
            [(path, entry)] => found.push(self.loadable(path, entry)),
            several => {
                let places: Vec<_> = several.iter().map(|(path, _)| path.display().to_string()).collect();
                let text = format!("registered {} times: {}", several.len(), places.join(", "));
                let remedy = "run: gantry doctor --fix, which keeps one";
                found.push(Finding::new(self.code, Level::Fault, text).remedy(remedy));
            }
        }
        Ok(Some(entries))
    }

    fn read(self, folders: &[PathBuf]) -> anyhow::Result<Entries> {
        let mut entries = Entries::new();
        for folder in folders {
            let files = with_installer(true, |installer| Ok(installer.entries(self.kind, folder)?))?;
            let named =
                |(path, all): (PathBuf, Vec<Value>)| all.into_iter().map(move |entry| (path.clone(), entry));
            entries.extend(files.into_iter().flat_map(named));
        }
        Ok(entries)
    }

    /// The user's own configuration comes last, and serves every project.
    fn keep_one(self, folders: &[PathBuf], mut entries: Entries) -> anyhow::Result<(PathBuf, Value)> {
        let (path, entry) = entries.pop().unwrap_or_default();
        let keep = path.parent().unwrap_or(Path::new("/")).to_owned();
        for folder in folders.iter().filter(|folder| **folder != keep) {
            with_installer(false, |installer| Ok(installer.uninstall(folder, &[self.kind])?))?;
        }
        let part = Part { kind: self.kind, entry: entry.clone(), line: HostLine::Auto, wanted: true };
        with_installer(false, |installer| Ok(installer.install(&keep, &[part])?))?;
        Ok((path, entry))
    }

    fn loadable(self, path: &Path, element: &Value) -> Finding {
        let spec = entry::spec(element).unwrap_or_default().to_owned();
        let place = path.display();
        let fault = |what: String| {
            Finding::new(self.code, Level::Fault, what).remedy("build it, or run: gantry install")
        };
        if let Some(file) = entry::local_file(&spec, path.parent().unwrap_or(Path::new("/"))) {
            if !file.exists() {
                return fault(format!("{place} names {}, which is not there", file.display()));
            }
            let bin = entry::options(element).and_then(|options| options.get("bin")).and_then(Value::as_str);
            return match bin.and_then(|bin| wrong_sidecar(&format!("{place} names the sidecar"), bin)) {
                Some(what) => fault(what),
                None => {
                    let text = format!("registered in {place}, from {}", file.display());
                    Finding::new(self.code, Level::Good, text)
                }
            };
        }
        let own = env!("CARGO_PKG_VERSION");
        let wanted = format!("{PACKAGE}@{own}");
        if spec.starts_with(&format!("{PACKAGE}@")) && spec != wanted && !spec.ends_with("@latest") {
            let text = format!("{place} names {spec}; this is {own}");
            return Finding::new(self.code, Level::Warning, text)
                .remedy("bring both to one version: gantry install");
        }
        Finding::new(self.code, Level::Good, format!("registered in {place} as {spec}"))
    }
}

/// What is wrong with a sidecar that somebody has named: it is asked for its version, as a foreign one cannot answer.
pub(super) fn wrong_sidecar(named: &str, bin: &str) -> Option<String> {
    if !Path::new(bin).is_file() {
        return Some(format!("{named} {bin}, which is not there"));
    }
    let own = env!("CARGO_PKG_VERSION");
    match told_version(bin) {
        None => Some(format!("{named} {bin}, which does not run here")),
        Some(said) if said != format!("gantry {own}") => {
            Some(format!("{named} {bin}, which is {said:?}; this is gantry {own}"))
        }
        Some(_) => None,
    }
}
