//! `cargo xtask test`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::steps::{Steps, build_shim, cargo, check, npm, require_tools};
use crate::lab::host;
use crate::lab::tools::{Tools, corpus};

/// Run every test: the shim's, the sidecar's, and the ones inside the real host.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Passed on to `cargo nextest run`, for example a filter.
    #[arg(last = true)]
    extra: Vec<String>,
}

impl Test {
    pub(super) fn run(self) -> Result<ExitCode> {
        require_tools()?;
        let mut steps = Steps::default();
        // Tests that start side by side would wait for whichever of them fetches.
        steps.step("tools", || Tools::find().and(corpus()).map(|folder| eprintln!("{}", folder.display())));
        let built = steps.step("shim build", || build_shim().map(drop));
        let fetched = steps.step("host", || host::find().map(|binary| eprintln!("{}", binary.display())));
        if built {
            steps.step("shim tests", || check(npm(&["test"])?));
        }
        // Without these two every end-to-end test would fail for the same reason.
        if built && fetched {
            steps.step("workspace tests", || self.workspace());
        }
        Ok(steps.finish())
    }

    fn workspace(&self) -> Result<()> {
        let nextest = cargo(&["nextest", "--version"])?.output().is_ok_and(|output| output.status.success());
        let mut tests = if nextest {
            cargo(&["nextest", "run", "--workspace"])?
        } else {
            eprintln!(
                "cargo-nextest is not installed; using cargo test. Faster: cargo install --locked cargo-nextest"
            );
            cargo(&["test", "--workspace"])?
        };
        tests.args(&self.extra);
        check(tests)
    }
}
