//! `cargo xtask VERB`: everything a developer does here besides writing code.
#![allow(clippy::print_stderr, reason = "a developer's tool talks to a terminal")]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match xtask::verbs::Xtask::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
