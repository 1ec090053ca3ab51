//! The programs that Gantry's code tools are compared with, and the language servers they use.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::npm;

const PACKAGES: &[&str] = &[
    "@vscode/ripgrep@1.18.0",
    "@ast-grep/cli@0.51.1",
    "typescript-language-server@6.0.2",
    "typescript@5.9.3",
    "typescript7@npm:typescript@7.0.2",
    "pyright@1.1.414",
];

/// Packages with more than twenty thousand files between them.
const CORPUS: &[&str] = &[
    "date-fns@4.1.0",
    "lodash@4.17.21",
    "rxjs@7.8.2",
    "typescript@5.9.3",
    "@babel/core@7.28.0",
    "@angular/core@18.2.13",
    "three@0.170.0",
    "react-dom@18.3.1",
    "webpack@5.97.1",
    "eslint@9.17.0",
    "jest@29.7.0",
    "prettier@3.4.2",
    "aws-sdk@2.1692.0",
    "core-js@3.39.0",
];

pub struct Tools(PathBuf);

impl Tools {
    /// Fetches the packages on first use.
    pub fn find() -> Result<Self> {
        npm::installed("tools", PACKAGES).map(|folder| Self(folder.join("node_modules")))
    }

    /// `node_modules` with all of them.
    pub fn modules(&self) -> &Path {
        &self.0
    }

    pub fn ripgrep(&self) -> Result<PathBuf> {
        self.program("@vscode/ripgrep", "bin/rg", &[""])
    }

    pub fn ast_grep(&self) -> Result<PathBuf> {
        self.program("@ast-grep/cli", "ast-grep", &["-gnu", ""])
    }

    /// A binary of the package for this platform.
    fn program(&self, package: &str, file: &str, variants: &[&str]) -> Result<PathBuf> {
        let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let mut places =
            variants.iter().map(|variant| self.0.join(format!("{package}-{os}-{arch}{variant}")).join(file));
        places
            .find(|place| place.is_file())
            .with_context(|| format!("{package} has no program for {os}-{arch}"))
    }
}

/// A folder with more than 20,000 files of real code.
pub fn corpus() -> Result<PathBuf> {
    let folder = npm::installed("corpus", CORPUS)?;
    let files = count(&folder)?;
    ensure!(files > 20_000, "the corpus has {files} files only");
    Ok(folder.join("node_modules"))
}

fn count(folder: &Path) -> Result<usize> {
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}
