//! The command line: one file for each subcommand.
mod config;
mod doctor;
mod install;
mod missions;
pub mod output;
mod show;
mod sidecar;
mod sim;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Exit codes that scripts may rely on.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const NOT_READY: u8 = 4;
}

#[derive(Parser)]
#[command(name = "gantry", version, about = "Durable coding missions inside OpenCode")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve one OpenCode process over standard input and output (started by the plugin)
    Sidecar,
    /// End the checks of a sidecar that was killed (started by the sidecar)
    #[command(hide = true)]
    Watchdog,
    /// Add Gantry to OpenCode's configuration
    Install(install::Args),
    /// Take Gantry out of OpenCode's configuration
    Uninstall(install::UninstallArgs),
    /// Gantry's own options: check them, show them, print their schema
    Config(config::Args),
    /// Look at everything a mission needs, and say what is wrong
    Doctor(doctor::Args),
    /// List missions, newest first
    Missions(missions::Args),
    /// Show one mission: tasks, attempts, report
    Show(show::Args),
    /// Play the engine against a simulated host, disk and clock, with faults, and check its promises
    Sim(sim::Args),
}

/// Parses the arguments of the process and runs what they ask for.
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            let asked = !error.use_stderr();
            output::help(&error);
            return ExitCode::from(if asked { exit::DONE } else { exit::USAGE });
        }
    };
    let code = match command {
        Command::Sidecar => sidecar::run(),
        Command::Watchdog => {
            crate::app::watchdog();
            exit::DONE
        }
        Command::Install(args) => install::install(&args),
        Command::Uninstall(args) => install::uninstall(&args),
        Command::Config(args) => config::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Missions(args) => missions::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Sim(args) => sim::run(&args),
    };
    ExitCode::from(code)
}
