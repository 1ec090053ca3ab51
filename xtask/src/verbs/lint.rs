//! `cargo xtask lint`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::steps::{Steps, cargo, check, install_shim, npm, require_tools};

/// Check format, lints and the shim's types.
#[derive(Debug, Args)]
pub(super) struct Lint {}

impl Lint {
    pub(super) fn run(self) -> Result<ExitCode> {
        require_tools()?;
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        let mut steps = Steps::default();
        steps.step("format", || check(cargo(&["fmt", "--all", "--check"])?));
        steps.step("clippy", || check(cargo(&clippy)?));
        steps.step("shim types", || {
            install_shim()?;
            check(npm(&["run", "--silent", "typecheck"])?)
        });
        Ok(steps.finish())
    }
}
