//! The command line: one file for each subcommand.
mod config;
mod diagnostics;
mod doctor;
mod export;
mod install;
mod logs;
mod missions;
pub mod output;
mod permissions;
mod progress;
mod rollback;
mod run;
mod search;
mod shell;
mod show;
mod sidecar;
mod sim;
mod steer;
mod watch;

use crate::protocol::types::ControlAction;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Exit codes that scripts may rely on.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const PARTIAL: u8 = 3;
    pub const NOT_READY: u8 = 4;
    pub const CANCELLED: u8 = 130;
}

#[derive(Parser)]
#[command(name = "gantry", version, about = "Durable coding missions inside OpenCode", max_term_width = 80)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add Gantry to OpenCode's configuration
    Install(install::Args),
    /// Take Gantry out of OpenCode's configuration
    Uninstall(install::UninstallArgs),
    /// Look at everything a mission needs, and say what is wrong
    Doctor(doctor::Args),
    /// Run one mission in an OpenCode of its own, without a terminal
    Run(run::Args),
    /// List missions, newest first
    Missions(missions::Args),
    /// Show one mission: tasks, attempts, report
    Show(show::Args),
    /// Follow a mission to its end
    Watch(watch::Args),
    /// Let running turns end and begin no others
    Pause(steer::Args),
    /// Pause a mission and end its turns and checks; resume goes on where they stood
    Suspend(steer::Args),
    /// Go on with a paused mission
    Resume(steer::Args),
    /// End a mission and its turns
    Cancel(steer::Args),
    /// Go on with one that failed or was partly done
    Retry(steer::Args),
    /// Tell the workers of a mission something
    Steer(steer::SteerArgs),
    /// What agents wait to be allowed
    Permissions(permissions::Args),
    /// Allow what an agent asks for, this once
    Allow(steer::AskArgs),
    /// Refuse what an agent asks for
    Deny(steer::AskArgs),
    /// Accept the plan that waits for you
    Approve(steer::Args),
    /// Have the plan that waits made anew, with what you want to be different
    Refuse(steer::TextArgs),
    /// Take back the files a mission changed
    Rollback(rollback::Args),
    /// Have a task that is not begun planned further, into parts
    Expand(steer::ExpandArgs),
    /// Take a task as done although its gate has not passed it, on your word
    Accept(steer::AcceptArgs),
    /// A mission as a document: plan, attempts, verdicts, diffs, cost, timeline
    Export(export::Args),
    /// Search a project by text, name or structure, as the agents of a mission do
    Search(search::Args),
    /// What language servers say of files
    Diagnostics(diagnostics::Args),
    /// Gantry's own options: check them, show them, print their schema
    Config(config::Args),
    /// What the sidecars have logged
    Logs(logs::Args),
    /// A script that completes gantry's arguments in a shell
    Completions(shell::Completions),
    /// The manual page, in roff
    Man,
    /// Play the engine against a simulated host, disk and clock, with faults, and check its promises
    Sim(sim::Args),
    /// Serve one OpenCode process over standard input and output (started by the plugin)
    Sidecar,
    /// End the checks of a sidecar that was killed (started by the sidecar)
    #[cfg(unix)]
    #[command(hide = true)]
    Watchdog,
}

/// All that can be given, by name, as it is shown to people.
pub fn tree() -> clap::Command {
    let mut tree = <Cli as clap::CommandFactory>::command();
    tree.build();
    tree
}

/// The subcommands that are shown, without the one that only prints help.
pub fn shown(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
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
        #[cfg(unix)]
        Command::Watchdog => {
            crate::app::watchdog();
            exit::DONE
        }
        Command::Install(args) => install::install(&args),
        Command::Uninstall(args) => install::uninstall(&args),
        Command::Search(args) => search::run(&args),
        Command::Diagnostics(args) => diagnostics::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Pause(args) => steer::order(&args, ControlAction::Pause),
        Command::Suspend(args) => steer::order(&args, ControlAction::Suspend),
        Command::Resume(args) => steer::order(&args, ControlAction::Resume),
        Command::Cancel(args) => steer::order(&args, ControlAction::Cancel),
        Command::Retry(args) => steer::order(&args, ControlAction::Retry),
        Command::Steer(args) => steer::tell(&args),
        Command::Permissions(args) => permissions::run(&args),
        Command::Allow(args) => steer::answer(&args, ControlAction::Allow),
        Command::Deny(args) => steer::answer(&args, ControlAction::Deny),
        Command::Approve(args) => steer::order(&args, ControlAction::Approve),
        Command::Refuse(args) => steer::say(&args, ControlAction::Refuse),
        Command::Rollback(args) => rollback::run(&args),
        Command::Expand(args) => steer::expand(&args),
        Command::Accept(args) => steer::accept(&args),
        Command::Export(args) => export::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man => shell::man(),
        Command::Doctor(args) => doctor::run(&args),
        Command::Missions(args) => missions::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Sim(args) => sim::run(&args),
    };
    ExitCode::from(code)
}
