//! `gantry diagnostics`
use super::{exit, output};
use crate::app;
use crate::protocol::code_tools::SeverityArg;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Exit code: 0 without errors, 1 with some, 2 when a file is missing, 4 when one could not be checked."
)]
pub struct Args {
    /// Files of the project; those that differ from the last commit when none is given
    paths: Vec<String>,
    /// The project; this folder when not given
    #[arg(long, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// error, warning (and errors), or all
    #[arg(long, default_value = "warning", value_parser = ["error", "warning", "all"])]
    severity: String,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let severity = match args.severity.as_str() {
        "error" => SeverityArg::Error,
        "all" => SeverityArg::All,
        _ => SeverityArg::Warning,
    };
    match app::diagnostics(&args.project, &args.paths, severity) {
        Ok(answer) => {
            output::text(&if args.json { format!("{}\n", answer.json) } else { answer.text });
            match (answer.errors, answer.unchecked) {
                (true, _) => exit::FAILED,
                (false, true) => exit::NOT_READY,
                (false, false) => exit::DONE,
            }
        }
        Err(error) => {
            output::error(&format!("{error:#}"));
            exit::USAGE
        }
    }
}
