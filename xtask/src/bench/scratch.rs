//! Folders to measure in, on the disk of the workspace: `/tmp` is memory on many machines, and a flush is free there.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::lab::sample::git;

/// A folder of its own that goes when it is dropped.
pub fn folder() -> Result<TempDir> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let lab = root.join("target/lab");
    fs::create_dir_all(&lab)?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(lab)?)
}

/// A git project with this many committed files and no checks of its own, so that a gate is a look at the tree and a
/// review.
pub fn project(folder: &Path, files: usize) -> Result<PathBuf> {
    let project = folder.join("project");
    // Git reads a file again as long as it is no older than the index, which no project is that people work in.
    let old = SystemTime::now() - Duration::from_secs(3600);
    for number in 0..files {
        let package = project.join(format!("src/part{}", number / 50));
        fs::create_dir_all(&package)?;
        let text = format!("export const value{number} = {number};\n").repeat(40);
        let mut file = File::create(package.join(format!("file{number}.js")))?;
        file.write_all(text.as_bytes())?;
        file.set_modified(old)?;
    }
    git(&project, &["init", "--quiet", "--initial-branch", "main"])?;
    git(&project, &["config", "user.name", "Gantry Lab"])?;
    git(&project, &["config", "user.email", "lab@localhost"])?;
    git(&project, &["add", "--all"])?;
    git(&project, &["commit", "--quiet", "--no-gpg-sign", "--message", "Start"])?;
    Ok(project.canonicalize()?)
}
