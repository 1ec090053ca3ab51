//! `gantry doctor`: looks at everything a mission needs, sends nothing to a model, and changes nothing unless asked.
use super::configuration::{config_folder, configuration, global_config, with_installer};
use super::store_path;
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::system::{self, dirs};
use crate::ports::store::Store;
use crate::ports::workspace::Checks;
use crate::setup::edit::HostLine;
use crate::setup::entry::{self, PACKAGE};
use crate::setup::findings::{Finding, Level};
use crate::setup::places;
use crate::telemetry;
use serde_json::Value;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below this a mission may end in the middle.
const LITTLE_SPACE: u64 = 500 << 20;
/// Oldest version of the host that the plugin was written for.
const OLDEST_HOST: (u32, u32) = (1, 18);
const CONNECT: Duration = Duration::from_secs(3);
const OPEN_SHOWN: u32 = 1_000;

/// What was found in the folder of a project; with `fix` what is safe to mend is mended first.
pub fn doctor(project: &Path, fix: bool) -> anyhow::Result<Vec<Finding>> {
    let project = config_folder(Some(project))?;
    let mut found = Vec::new();
    found.push(host());
    found.extend(plugin(&project, fix)?);
    found.push(sidecar());
    found.extend(options(&project));
    found.extend(store());
    found.push(git(&project));
    found.push(checks(&project)?);
    found.extend(providers(&project));
    found.extend(log());
    Ok(found)
}

fn host() -> Finding {
    let Some(said) = system::first_line("opencode", &["--version"], Path::new("/")) else {
        return Finding::new("host", Level::Fault, "no opencode on the PATH")
            .remedy("install it: npm install -g opencode-ai");
    };
    let mut numbers = said.trim_start_matches('v').split('.').map_while(|n| n.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_HOST => {
            Finding::new("host", Level::Good, format!("opencode {said}"))
        }
        _ => Finding::new("host", Level::Warning, format!("opencode {said} is older than 1.18"))
            .remedy("bring it up to date: opencode upgrade"),
    }
}

fn plugin(project: &Path, fix: bool) -> anyhow::Result<Vec<Finding>> {
    let mut folders = vec![project.to_owned()];
    folders.extend(global_config().ok());
    let mut entries: Vec<(PathBuf, Value)> = Vec::new();
    let mut found = Vec::new();
    for folder in &folders {
        match with_installer(true, |installer| Ok(installer.entries(folder)?)) {
            Ok(files) => {
                entries.extend(
                    files.into_iter().flat_map(|(path, all)| all.into_iter().map(move |e| (path.clone(), e))),
                );
            }
            Err(error) => found.push(
                Finding::new("plugin", Level::Fault, error.to_string())
                    .remedy("correct the file; OpenCode does not start with it"),
            ),
        }
    }
    if fix && entries.len() > 1 {
        // The user's own configuration comes last, and serves every project.
        let (path, entry) = entries.pop().unwrap_or_default();
        let keep = path.parent().unwrap_or(project).to_owned();
        for folder in folders.iter().filter(|f| **f != keep) {
            with_installer(false, |installer| Ok(installer.uninstall(folder)?))?;
        }
        with_installer(false, |installer| Ok(installer.install(&keep, &entry, HostLine::Auto)?))?;
        let text = format!("registered once now, in {}", path.display());
        found.push(Finding::new("plugin", Level::Good, text));
        return Ok(found);
    }
    match entries.as_slice() {
        [] if found.is_empty() => found.push(
            Finding::new("plugin", Level::Fault, "Gantry is not in OpenCode's configuration")
                .remedy("run: gantry install"),
        ),
        [] => {}
        [(path, entry)] => found.push(loadable(path, entry)),
        several => {
            let places: Vec<_> = several.iter().map(|(path, _)| path.display().to_string()).collect();
            found.push(
                Finding::new(
                    "plugin",
                    Level::Fault,
                    format!("registered {} times: {}", several.len(), places.join(", ")),
                )
                .remedy("run: gantry doctor --fix, which keeps one"),
            );
        }
    }
    Ok(found)
}

fn loadable(path: &Path, element: &Value) -> Finding {
    let spec = entry::spec(element).unwrap_or_default().to_owned();
    let place = path.display();
    if let Some(file) = entry::local_file(&spec, path.parent().unwrap_or(Path::new("/"))) {
        if !file.exists() {
            return Finding::new(
                "plugin",
                Level::Fault,
                format!("{place} names {}, which is not there", file.display()),
            )
            .remedy("build it, or run: gantry install");
        }
        let bin = element.get(1).and_then(|options| options.get("bin")).and_then(Value::as_str);
        if let Some(bin) = bin.filter(|bin| !Path::new(bin).is_file()) {
            return Finding::new(
                "plugin",
                Level::Fault,
                format!("{place} names the sidecar {bin}, which is not there"),
            )
            .remedy("build it, or run: gantry install");
        }
        return Finding::new(
            "plugin",
            Level::Good,
            format!("registered in {place}, from {}", file.display()),
        );
    }
    let wanted = format!("{PACKAGE}@{}", env!("CARGO_PKG_VERSION"));
    if spec.starts_with(&format!("{PACKAGE}@")) && spec != wanted && !spec.ends_with("@latest") {
        return Finding::new(
            "plugin",
            Level::Warning,
            format!("{place} names {spec}; this is {}", env!("CARGO_PKG_VERSION")),
        )
        .remedy("bring both to one version: gantry install");
    }
    Finding::new("plugin", Level::Good, format!("registered in {place} as {spec}"))
}

fn sidecar() -> Finding {
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else if cfg!(target_env = "gnu") {
        "glibc"
    } else {
        "system"
    };
    let exe = std::env::current_exe().map_or_else(|_| "?".into(), |path| path.display().to_string());
    let text = format!(
        "gantry {} ({} {}, {libc}), {exe}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    match std::env::var("GANTRY_BIN").ok().filter(|bin| !bin.is_empty() && !Path::new(bin).is_file()) {
        Some(bin) => {
            Finding::new("sidecar", Level::Fault, format!("GANTRY_BIN is {bin}, which is not there"))
                .remedy("correct GANTRY_BIN or remove it")
        }
        None => Finding::new("sidecar", Level::Good, text),
    }
}

fn options(project: &Path) -> Vec<Finding> {
    match configuration(project) {
        Ok(resolved) if resolved.faults.is_empty() => {
            vec![Finding::new("options", Level::Good, "the configuration of Gantry is in order")]
        }
        Ok(resolved) => resolved
            .faults
            .iter()
            .map(|fault| {
                Finding::new("options", Level::Fault, fault.to_string())
                    .remedy("correct it; no mission is accepted until then")
            })
            .collect(),
        Err(error) => vec![Finding::new("options", Level::Fault, error.to_string())],
    }
}

fn store() -> Vec<Finding> {
    let path = match dirs::data_dir().map_err(anyhow::Error::from).and_then(|home| store_path(&home)) {
        Ok(path) => path,
        Err(error) => return vec![Finding::new("store", Level::Fault, error.to_string())],
    };
    let mut found = Vec::new();
    let folder = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    if !path.exists() && !system::may_make_files(folder) {
        let text = format!(
            "{} cannot be made: {} is no folder that may be written",
            path.display(),
            folder.display()
        );
        let remedy = "move it away or allow writing, or set GANTRY_HOME to another folder";
        found.push(Finding::new("store", Level::Fault, text).remedy(remedy));
    } else if !path.exists() {
        // Making it belongs to the first mission.
        let text = format!("{} (made by the first mission)", path.display());
        found.push(Finding::new("store", Level::Good, text));
    } else {
        let looked =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from);
        let looked = looked.and_then(|runtime| {
            runtime.block_on(async {
                let store = SqliteStore::open(&path)?;
                store.check().await?;
                Ok(store.missions(None, true, OPEN_SHOWN).await?)
            })
        });
        match looked {
            Ok(open) => {
                found.push(Finding::new("store", Level::Good, path.display().to_string()));
                let mut folders: Vec<_> = open.iter().map(|row| row.directory.to_string()).collect();
                folders.dedup();
                found.push(match open.len() {
                    0 => Finding::new("missions", Level::Good, "none is open"),
                    n => Finding::new(
                        "missions",
                        Level::Good,
                        format!("{n} open, in {}", folders.join(", ")),
                    )
                    .remedy("start opencode there to go on with them, or ask the Commander to cancel them"),
                });
            }
            Err(error) => found.push(Finding::new("store", Level::Fault, error.to_string())),
        }
    }
    if let Some(free) = system::free_space(folder) {
        let text = format!("{} MB free at {}", free >> 20, folder.display());
        found.push(if free < LITTLE_SPACE {
            Finding::new("space", Level::Warning, text)
                .remedy("free some: a full disk stops missions until there is room")
        } else {
            Finding::new("space", Level::Good, text)
        });
    }
    found
}

fn git(project: &Path) -> Finding {
    let Some(said) = system::first_line("git", &["--version"], Path::new("/")) else {
        return Finding::new("git", Level::Fault, "no git on the PATH")
            .remedy("install git: every gate hashes the working tree with it");
    };
    let inside = system::first_line("git", &["rev-parse", "--show-toplevel"], project).is_some();
    if inside {
        Finding::new("git", Level::Good, said)
    } else {
        Finding::new(
            "git",
            Level::Good,
            format!("{said}; {} is not a repository, which is fine", project.display()),
        )
    }
}

fn checks(project: &Path) -> anyhow::Result<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let configured = configuration(project)?.values.into_iter().find(|(name, ..)| *name == "checks");
    let (list, how) = match configured {
        Some((_, value, origin)) => {
            (serde_json::from_value(value).unwrap_or_default(), format!("from {origin}"))
        }
        None => {
            let found: Vec<String> =
                runtime.block_on(system::CommandChecks::default().detect(project.to_owned()));
            (found, "found in the project".to_owned())
        }
    };
    Ok(if list.is_empty() {
        Finding::new("checks", Level::Warning, "the project has no checks: reviews alone decide")
            .remedy("name them: \"checks\": [\"npm test\"] in gantry.jsonc")
    } else {
        Finding::new("checks", Level::Good, format!("{} ({how})", list.join("; ")))
    })
}

/// Those with an address of their own in the host's configuration; a connection is made and closed again.
fn providers(project: &Path) -> Vec<Finding> {
    let mut addresses = Vec::new();
    for folder in [Some(project.to_owned()), global_config().ok()].into_iter().flatten() {
        let texts = places::files(places::Kind::Host, &folder);
        for text in texts.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
            let Ok(config) = crate::setup::edit::value(&text) else { continue };
            let Some(providers) = config["provider"].as_object() else { continue };
            for (name, provider) in providers {
                if let Some(url) = provider["options"]["baseURL"].as_str() {
                    addresses.push((name.clone(), url.to_owned()));
                }
            }
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses.into_iter().map(|(name, url)| reachable(&name, &url)).collect()
}

fn reachable(name: &str, url: &str) -> Finding {
    let Some(address) = entry::address_of(url) else {
        return Finding::new("provider", Level::Warning, format!("{name}: {url} is not an address"))
            .remedy("correct baseURL");
    };
    let connected = address.to_socket_addrs().and_then(|mut found| {
        let first = found.next().ok_or_else(|| std::io::Error::other("the name is not known"))?;
        TcpStream::connect_timeout(&first, CONNECT)
    });
    match connected {
        Ok(_) => Finding::new("provider", Level::Good, format!("{name}: {address} answers")),
        Err(error) => {
            Finding::new("provider", Level::Warning, format!("{name}: {address} cannot be reached: {error}"))
                .remedy("check the network, or baseURL in OpenCode's configuration")
        }
    }
}

fn log() -> Vec<Finding> {
    let path = telemetry::log_path();
    let text = match std::fs::metadata(&path) {
        Ok(meta) => format!("{} ({} KB)", path.display(), meta.len() >> 10),
        Err(_) => format!("{} (not begun)", path.display()),
    };
    let mut found = vec![Finding::new("log", Level::Good, text)];
    let crashes = dirs::data_dir().ok().and_then(|home| std::fs::read_dir(home.join("crashes")).ok());
    let newest = crashes.and_then(|all| all.flatten().map(|entry| entry.path()).max());
    if let Some(newest) = newest {
        let text = format!("a sidecar broke down; the newest report is {}", newest.display());
        found.push(
            Finding::new("crash", Level::Warning, text)
                .remedy("please report it, with that file; then remove it"),
        );
    }
    found
}
