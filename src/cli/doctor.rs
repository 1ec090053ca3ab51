//! `gantry doctor`
use super::{exit, output};
use crate::app;
use crate::setup::findings::{Finding, Level};
use std::path::PathBuf;

/// Column at which the text begins.
const TEXT: usize = 17;

#[derive(clap::Args)]
pub struct Args {
    /// The project; this folder when not given
    #[arg(default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Mend what is safe to mend: entries loaded side by side become one, a missing panel is added
    #[arg(long)]
    fix: bool,
    /// A JSON array instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let findings = match app::doctor(&args.project, args.fix) {
        Ok(findings) => findings,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    if args.json {
        output::line(&serde_json::to_string(&findings).unwrap_or_else(|_| "[]".into()));
    } else {
        findings.iter().all(|finding| output::line(&text(finding)));
    }
    let sick = findings.iter().any(|finding| finding.level == Level::Fault);
    if sick { exit::FAILED } else { exit::DONE }
}

fn text(finding: &Finding) -> String {
    let mark = match finding.level {
        Level::Good => "ok  ",
        Level::Warning => "warn",
        Level::Fault => "BAD ",
    };
    let width = output::width().unwrap_or(80);
    let remedy = finding.remedy.as_ref().map_or(String::new(), |remedy| {
        format!("\n{:TEXT$}→ {}", "", output::wrapped(remedy, width, TEXT + 2))
    });
    format!("{mark}  {:<9}  {}{remedy}", finding.code, output::wrapped(&finding.what, width, TEXT))
}
