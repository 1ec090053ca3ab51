//! Getting the host's binary from npm, once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

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
    let cache = cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    // Several test processes start at once; the first fetches, the others wait here.
    let lock = File::create(cache.join("lock")).context("cannot create the lock of the host cache")?;
    lock.lock().context("cannot lock the host cache")?;
    let folder = cache.join(VERSION);
    if let Some(binary) = installed(&folder) {
        return Ok(binary);
    }
    install(&folder)
}

/// Beside the build output of this workspace, wherever CARGO_TARGET_DIR points: one copy is 350 MB.
fn cache() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    Ok(root.join("target/lab/host"))
}

fn installed(folder: &Path) -> Option<PathBuf> {
    let binary = folder.join(fs::read_to_string(folder.join(MARK)).ok()?);
    binary.is_file().then_some(binary)
}

fn install(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    // The folder gets a package.json of its own; otherwise npm walks up and installs somewhere else.
    fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
    eprintln!("fetching the host: opencode-ai@{VERSION} from npm (350 MB on disk, once)");
    let status = Command::new("npm")
        // Install scripts are left out: all they do is to copy the binary that is already there.
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg(format!("opencode-ai@{VERSION}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => bail!(
            "npm could not install opencode-ai@{VERSION} ({status}). Check that the npm registry can be reached, \
             or set {BINARY_VAR} to the path of an OpenCode {VERSION} binary"
        ),
        Err(error) => bail!(
            "npm cannot be started ({error}). Install Node.js 20 or later with npm (Debian: apt-get install nodejs \
             npm), or set {BINARY_VAR} to the path of an OpenCode {VERSION} binary"
        ),
    }
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
