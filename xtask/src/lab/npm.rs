//! Packages from npm, installed once into a folder of this workspace's build output.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Written last, so that a broken-off installation is not taken for one.
const MARK: &str = "installed";

/// Beside the build output of this workspace, wherever CARGO_TARGET_DIR points: the copies are large.
pub fn cache(name: &str) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    Ok(root.join("target/lab").join(name))
}

/// The folder with `packages` in its `node_modules`. Fetches them on first use and works offline from then on.
pub fn installed(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = cache(name)?;
    let wanted = packages.join("\n");
    locked(&folder, || {
        if fs::read_to_string(folder.join(MARK)).is_ok_and(|text| text == wanted) {
            return Ok(());
        }
        install(&folder, packages)?;
        fs::write(folder.join(MARK), &wanted).context("cannot mark the packages as installed")
    })?;
    Ok(folder)
}

/// Several test processes start at once; the first fetches, the others wait here.
pub fn locked<T>(folder: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let beside = folder.parent().context("a folder at the root")?;
    fs::create_dir_all(beside).with_context(|| format!("cannot create {}", beside.display()))?;
    let lock =
        File::create(folder.with_extension("lock")).context("cannot create the lock of the packages")?;
    lock.lock().context("cannot lock the packages")?;
    work()
}

/// Into an empty folder. Install scripts are left out: they would fetch from elsewhere.
pub fn install(folder: &Path, packages: &[&str]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    // The folder gets a package.json of its own; otherwise npm walks up and installs somewhere else.
    fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
    let list = packages.join(" ");
    eprintln!("fetching from npm, once: {list}");
    let status = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .args(packages)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            bail!("npm could not install {list} ({status}). Check that the npm registry can be reached")
        }
        Err(error) => bail!(
            "npm cannot be started ({error}). Install Node.js 20 or later with npm (Debian: apt-get install nodejs npm)"
        ),
    }
}
