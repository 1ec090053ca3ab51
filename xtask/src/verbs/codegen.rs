//! `cargo xtask codegen`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::steps::{cargo, check};

/// Rewrite the generated files: JSON Schemas, the shim's TypeScript types and the reference of the options.
#[derive(Debug, Args)]
pub(super) struct Codegen {}

impl Codegen {
    pub(super) fn run(self) -> Result<ExitCode> {
        // The test that compares the files with the method table also writes them, so they cannot drift.
        let mut test =
            cargo(&["test", "--quiet", "--package", "opencode-gantry", "--lib", "generated_files"])?;
        test.env("GANTRY_BLESS", "1");
        check(test)?;
        Ok(ExitCode::SUCCESS)
    }
}
