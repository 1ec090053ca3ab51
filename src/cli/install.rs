//! `gantry install` and `gantry uninstall`
use super::{exit, output};
use crate::app;
use crate::setup::edit::{Change, HostLine};
use crate::setup::entry::Entry;
use crate::setup::install::Outcome;
use clap::ValueEnum;
use std::path::PathBuf;

/// Where the configuration is.
#[derive(clap::Args)]
pub struct Place {
    /// Your own configuration, for all projects (the default)
    #[arg(long, conflicts_with = "project")]
    global: bool,
    /// The configuration of one project: this folder, or DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    project: Option<PathBuf>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The line of OpenCode that reads the configuration
    #[arg(long, value_enum, default_value_t = Host::Auto)]
    host: Host,
    /// What to register instead of the package: another specifier, or the path of a plugin file
    #[arg(long, value_name = "SPEC")]
    plugin: Option<String>,
    /// Print the configuration as it would be, and change nothing
    #[arg(long, conflicts_with = "dry_run")]
    print: bool,
}

#[derive(clap::Args)]
pub struct UninstallArgs {
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, ValueEnum)]
enum Host {
    Auto,
    V1,
    V2,
}

pub fn install(args: &Args) -> u8 {
    let line = match args.host {
        Host::Auto => HostLine::Auto,
        Host::V1 => HostLine::V1,
        Host::V2 => HostLine::V2,
    };
    let entry = args.plugin.clone().map(Entry::Named);
    let dry_run = args.place.dry_run || args.print;
    let outcomes = match app::install(args.place.project.as_deref(), entry, line, dry_run) {
        Ok(outcomes) => outcomes,
        Err(error) => return refused(&error),
    };
    if args.print {
        let text =
            outcomes.iter().find(|o| !matches!(o.change, Change::Removed(_))).and_then(|o| o.after.as_ref());
        output::text(text.map_or("", String::as_str));
        return exit::DONE;
    }
    for outcome in &outcomes {
        let path = outcome.path.display();
        output::line(&match (&outcome.change, args.place.dry_run) {
            (Change::Nothing, _) => format!("{path}: Gantry is there already, in this version"),
            (Change::Added, false) => format!("{path}: Gantry was added"),
            (Change::Added, true) => format!("{path}: Gantry would be added"),
            (Change::Replaced, false) => format!("{path}: Gantry was brought to this version"),
            (Change::Replaced, true) => format!("{path}: Gantry would be brought to this version"),
            (Change::Removed(_), false) => format!("{path}: a second entry was taken out"),
            (Change::Removed(_), true) => format!("{path}: a second entry would be taken out"),
        });
        details(outcome, args.place.dry_run);
    }
    if !args.place.dry_run {
        output::line("Start opencode in a project, a running one anew, and type: /task what is to be done");
    }
    exit::DONE
}

pub fn uninstall(args: &UninstallArgs) -> u8 {
    let dry_run = args.place.dry_run;
    let outcomes = match app::uninstall(args.place.project.as_deref(), dry_run) {
        Ok(outcomes) => outcomes,
        Err(error) => return refused(&error),
    };
    let changed: Vec<_> = outcomes.iter().filter(|o| o.change != Change::Nothing).collect();
    if changed.is_empty() {
        output::line("Gantry is not installed here: nothing to take out.");
    }
    for outcome in changed {
        let (path, would) = (outcome.path.display(), if dry_run { "would be" } else { "was" });
        output::line(&match outcome.after {
            None => format!("{path}: the file {would} removed, as it was made for Gantry"),
            Some(_) => format!("{path}: Gantry {would} taken out"),
        });
        details(outcome, dry_run);
    }
    exit::DONE
}

fn details(outcome: &Outcome, dry_run: bool) {
    if let Some(backup) = &outcome.backup {
        output::line(&format!("  as it was before: {}", backup.display()));
    }
    if dry_run && outcome.before != outcome.after {
        let (before, after) =
            (outcome.before.as_deref().unwrap_or(""), outcome.after.as_deref().unwrap_or(""));
        let diff = similar::TextDiff::from_lines(before, after);
        output::text(&diff.unified_diff().context_radius(2).to_string());
    }
}

fn refused(error: &anyhow::Error) -> u8 {
    output::error(&format!("{error:#}"));
    exit::FAILED
}
