//! Getting the host's binary from npm, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::lab::npm;

/// The host version everything here is tested against.
pub const VERSION: &str = "1.18.33";
/// Environment variable that names a binary to use instead of fetching one.
pub const BINARY_VAR: &str = "GANTRY_LAB_HOST";
/// Written last, so that a broken-off installation is not taken for one; holds the binary's path.
const MARK: &str = "binary";

/// Path of the host's binary. Fetches it on first use and works offline from then on.
pub fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(BINARY_VAR) {
        let named = PathBuf::from(named);
        ensure!(
            named.is_file(),
            "{BINARY_VAR} names {}, which is no file: correct or unset it",
            named.display()
        );
        return Ok(named);
    }
    let folder = npm::cache("host")?.join(VERSION);
    npm::locked(&folder, || match installed(&folder) {
        Some(binary) => Ok(binary),
        None => install(&folder),
    })
}

fn installed(folder: &Path) -> Option<PathBuf> {
    let binary = folder.join(fs::read_to_string(folder.join(MARK)).ok()?);
    binary.is_file().then_some(binary)
}

fn install(folder: &Path) -> Result<PathBuf> {
    npm::install(folder, &[&format!("opencode-ai@{VERSION}")])
        .with_context(|| format!("no host: set {BINARY_VAR} to the path of an OpenCode {VERSION} binary"))?;
    let relative = choose(folder)?;
    fs::write(folder.join(MARK), &relative).context("cannot mark the host as installed")?;
    Ok(folder.join(relative))
}

/// npm installs every variant for this system (with and without AVX2, glibc or musl). The right one is the
/// first that runs, which needs no knowledge of processors and C libraries.
fn choose(folder: &Path) -> Result<String> {
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => {
            bail!("OpenCode {VERSION} is not published for {other}: set {BINARY_VAR} to a binary of your own")
        }
    };
    let scratch = tempfile::tempdir()?;
    let mut tried = Vec::new();
    for variant in ["", "-baseline", "-musl", "-baseline-musl"] {
        let relative = format!("node_modules/opencode-{platform}-{arch}{variant}/bin/opencode");
        let binary = folder.join(&relative);
        if !binary.is_file() {
            continue;
        }
        match version(&binary, scratch.path()) {
            Ok(found) if found == VERSION => return Ok(relative),
            Ok(found) => tried.push(format!("{relative} answers {found:?} to --version")),
            Err(error) => tried.push(format!("{relative}: {error:#}")),
        }
    }
    bail!(
        "none of the installed OpenCode binaries for {platform}-{arch} runs here [{}]. Set {BINARY_VAR} to one that \
         does",
        tried.join("; ")
    )
}

fn version(binary: &Path, home: &Path) -> Result<String> {
    let output = Command::new(binary).arg("--version").env("HOME", home).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finished_installation_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(installed(path), None, "nothing there");
        fs::write(path.join("opencode"), "").unwrap();
        assert_eq!(installed(path), None, "no mark yet");
        fs::write(path.join(MARK), "opencode").unwrap();
        assert_eq!(installed(path), Some(path.join("opencode")));
        fs::remove_file(path.join("opencode")).unwrap();
        assert_eq!(installed(path), None, "the binary is gone");
    }
}
