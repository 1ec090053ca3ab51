//! The verbs of `cargo xtask`, one file each.

mod bench;
mod codegen;
mod demo;
mod dist;
mod lint;
mod progress;
mod steps;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Develop Gantry. Needs Rust, Node.js with npm, git and a C compiler.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Xtask {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Bench(bench::Bench),
    Demo(demo::Demo),
    Dist(dist::Dist),
    Test(test::Test),
    Lint(lint::Lint),
    Codegen(codegen::Codegen),
}

impl Xtask {
    pub fn run(self) -> Result<ExitCode> {
        match self.verb {
            Verb::Bench(verb) => verb.run(),
            Verb::Demo(verb) => verb.run(),
            Verb::Dist(verb) => verb.run(),
            Verb::Test(verb) => verb.run(),
            Verb::Lint(verb) => verb.run(),
            Verb::Codegen(verb) => verb.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        super::Xtask::command().debug_assert();
    }
}
