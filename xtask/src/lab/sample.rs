//! The sample project: a small library in plain JavaScript whose tests fail until it is finished.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../sample/project/", $path)))),*]
    };
}

const FILES: [(&str, &str); 16] = files![
    ".gitignore",
    "README.md",
    "examples/order.txt",
    "package.json",
    "src/cli.js",
    "src/discount.js",
    "src/format.js",
    "src/invoice.js",
    "src/parse.js",
    "src/tax.js",
    "test/cli.test.js",
    "test/discount.test.js",
    "test/format.test.js",
    "test/invoice.test.js",
    "test/parse.test.js",
    "test/tax.test.js",
];

/// Makes the project in this folder, with one commit. The folder is created if need be.
pub fn create(folder: &Path) -> Result<()> {
    for (path, text) in FILES {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().context("a file of the sample has no folder")?)?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    git(folder, &["init", "--quiet", "--initial-branch", "main"])?;
    git(folder, &["config", "user.name", "Gantry Lab"])?;
    git(folder, &["config", "user.email", "lab@localhost"])?;
    git(folder, &["add", "--all"])?;
    git(folder, &["commit", "--quiet", "--no-gpg-sign", "--message", "Outline"])?;
    Ok(())
}

/// Runs git in a folder and returns what it printed.
pub fn git(folder: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("git").args(args).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.context("git cannot be started: install it (Debian: apt-get install git)")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {} failed: {stderr}", args.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_is_committed_and_every_test_fails() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path()).unwrap();
        assert_eq!(git(folder.path(), &["status", "--porcelain"]).unwrap(), "");
        assert_eq!(git(folder.path(), &["rev-list", "--count", "HEAD"]).unwrap(), "1\n");

        let tests =
            Command::new("node").args(["--test", "--test-reporter=tap"]).current_dir(folder.path()).output();
        let tests = tests.unwrap();
        assert!(!tests.status.success());
        assert!(String::from_utf8_lossy(&tests.stdout).contains("\n# pass 0\n"));
    }
}
