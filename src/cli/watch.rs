//! `gantry watch`
use super::{exit, output, progress};
use crate::app;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(500);
/// Looks at a mission that has ended and whose report is still being written: its result is being put on a branch.
const REPORT_LOOKS: u32 = 40;

#[derive(clap::Args)]
pub struct Args {
    /// Id of the mission, or its beginning; without one the newest of this folder
    id: Option<String>,
    /// A line of JSON for each change instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    match watch(args) {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("{error:#}"));
            exit::FAILED
        }
    }
}

fn watch(args: &Args) -> anyhow::Result<u8> {
    let id = app::meant(args.id.as_deref())?;
    let (mut shown, mut code) = (None, exit::FAILED);
    let mut waited = 0;
    let mut read = true;
    app::follow(&id, LOOK, |detail| {
        let row = &detail.mission;
        if shown.as_ref() != Some(row) {
            read = if args.json {
                output::line(&serde_json::to_string(row)?)
            } else {
                output::live(&progress::line(row), row.ended_at.is_some())
            };
            shown = Some(row.clone());
        }
        if row.ended_at.is_none() {
            // Without a reader it is not followed to its end, so the code is not its own.
            return Ok(!(read && output::still_read(Duration::ZERO)));
        }
        if detail.report.is_none() && waited < REPORT_LOOKS {
            waited += 1;
            return Ok(false);
        }
        if let (Some(report), false) = (&detail.report, args.json) {
            output::line(report.trim_end());
        }
        code = progress::code(&row.state);
        Ok(true)
    })?;
    Ok(code)
}
