//! The sidecar that an entry of the plugin starts, found in the plugin's own order (plugin-shim/src/sidecar/locate.ts),
//! and asked for its version.
use super::host::told_version;
use crate::adapters::system::{self, dirs};
use crate::setup::entry::PACKAGE;
use crate::setup::findings::{Finding, Level};
use std::path::{Path, PathBuf};

/// What the plugin goes by.
pub(super) struct Search<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Its option `bin`.
    pub bin: Option<&'a str>,
    /// Relative names are taken from here.
    pub directory: &'a Path,
    /// Its own file; none where the host has yet to fetch it.
    pub plugin: Option<&'a Path>,
}

const NEWER: &str = "bring both to one version: gantry install";
const NAME: &str = if cfg!(windows) { "gantry.exe" } else { "gantry" };

struct Found {
    path: PathBuf,
    /// What has named it, as the beginning of a sentence; none where it was looked for.
    named: Option<&'static str>,
}

impl Search<'_> {
    pub(super) fn finding(&self) -> Finding {
        let named = self.named();
        if named.is_none() && self.plugin.is_none() {
            let text = format!("{} (the plugin's own comes with its package)", this_one());
            return Finding::new("sidecar", Level::Good, text);
        }
        let Some(found) = named.or_else(|| self.looked_for()) else {
            let text = "none for this system: no package of it beside the plugin, none in Gantry's data folder, no \
                        gantry on the PATH";
            let remedy = "run: gantry install, or set GANTRY_BIN to its path";
            return Finding::new("sidecar", Level::Fault, text).remedy(remedy);
        };
        let (named, path) = (found.named.unwrap_or("the plugin starts"), found.path.display());
        let fault = |what: &str| {
            let remedy = match found.named {
                Some(ENV) => "correct GANTRY_BIN or remove it",
                _ => "build it, or run: gantry install",
            };
            Finding::new("sidecar", Level::Fault, format!("{named} {path}, which {what}")).remedy(remedy)
        };
        if !found.path.exists() {
            return fault("is not there");
        }
        if !found.path.is_file() {
            return fault("is no file");
        }
        let own = format!("gantry {}", env!("CARGO_PKG_VERSION"));
        match told_version(&found.path.display().to_string()) {
            None => fault("does not run here"),
            Some(said) if said != own => fault(&format!("is {said:?}; this is {own}")).remedy(NEWER),
            Some(_) if is_this(&found.path) => Finding::new("sidecar", Level::Good, this_one()),
            Some(said) => {
                let from = found.named.map_or(String::new(), |named| format!(" ({named} it)"));
                Finding::new("sidecar", Level::Good, format!("{said}, {path}{from}"))
            }
        }
    }

    /// A name is followed wherever it leads.
    fn named(&self) -> Option<Found> {
        let env = (self.env)("GANTRY_BIN").filter(|bin| !bin.is_empty());
        let (bin, named) = match (env, self.bin) {
            (Some(bin), _) => (bin, ENV),
            (None, Some(bin)) => (bin.to_owned(), OPTION),
            (None, None) => return None,
        };
        Some(Found { path: self.directory.join(bin), named: Some(named) })
    }

    fn looked_for(&self) -> Option<Found> {
        let plugin = self.plugin.and_then(|file| system::real_path(file).ok());
        let in_home = dirs::data_dir().ok().map(|home| home.join("bin").join(NAME));
        let path = (self.env)("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join(NAME));
        let path = plugin.as_deref().and_then(packaged).or_else(|| {
            in_home.into_iter().chain(on_path).filter(|path| system::is_program(path)).find_map(behind)
        })?;
        Some(Found { path, named: None })
    }
}

const ENV: &str = "GANTRY_BIN is";
const OPTION: &str = "the plugin's option bin names";

/// In a `node_modules` around a file of the plugin.
fn packaged(file: &Path) -> Option<PathBuf> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let base = format!("{PACKAGE}-{system}-{arch}");
    let musl = format!("{base}-musl");
    let names = if system == "linux" { vec![base, musl] } else { vec![base] };
    // Of a file in the root itself nothing is asked.
    let folders: Vec<_> = file.ancestors().skip(1).filter(|folder| folder.parent().is_some()).collect();
    let paths = names.iter().flat_map(|name| {
        folders.iter().map(move |folder| folder.join("node_modules").join(name).join("bin").join(NAME))
    });
    paths.filter(|path| system::is_program(path)).find(|path| runs_with_this_libc(path))
}

/// The build for glibc does not run where there is none; the plugin passes it over.
fn runs_with_this_libc(path: &Path) -> bool {
    let is_musl = path.ancestors().any(|folder| folder.to_string_lossy().ends_with("-musl"));
    let arch = std::env::consts::ARCH;
    let glibc = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let without = Path::new(&format!("/lib/ld-musl-{arch}.so.1")).exists()
        && !glibc.iter().any(|loader| Path::new(loader).exists());
    is_musl || !without
}

/// What is run for a program that was found: for the launcher of the package the program beside it.
fn behind(path: PathBuf) -> Option<PathBuf> {
    let real = system::real_path(&path).ok()?;
    if real.ends_with("dist/launcher.js") { packaged(&real) } else { Some(path) }
}

fn is_this(path: &Path) -> bool {
    let real = |path: &Path| system::real_path(path).ok();
    std::env::current_exe().is_ok_and(|exe| real(&exe) == real(path))
}

fn this_one() -> String {
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else if cfg!(all(target_os = "linux", target_env = "gnu")) {
        "glibc"
    } else {
        "system"
    };
    let exe = std::env::current_exe().map_or_else(|_| "?".into(), |path| path.display().to_string());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("gantry {} ({os} {arch}, {libc}), {exe}", env!("CARGO_PKG_VERSION"))
}
