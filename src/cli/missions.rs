//! `gantry missions`
use super::{exit, output, progress};
use crate::app;
use crate::protocol::types::MissionSummary;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Only missions of this project folder
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Only missions that have not ended
    #[arg(long)]
    open: bool,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// A JSON array instead of a table
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let rows = match app::missions(args.directory.as_deref(), args.open, args.limit) {
        Ok(rows) => rows,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::NOT_READY;
        }
    };
    if args.json {
        output::line(&serde_json::to_string(&rows).unwrap_or_else(|_| "[]".into()));
    } else if rows.is_empty() {
        output::line("No missions yet. In OpenCode, type /task followed by the work.");
    } else {
        let width = output::width();
        // Whole where it is not a person who reads: `grep` finds what it looks for.
        let fit = |line: String| width.map_or_else(|| line.clone(), |width| output::clipped(&line, width));
        rows.iter().all(|row| output::line(&fit(table_line(row))));
    }
    exit::DONE
}

fn table_line(row: &MissionSummary) -> String {
    let (id, place) = (progress::short(&row.id), progress::place(row));
    format!("{id}  {place:<19}  {:>3}/{:<3}  {}", row.done, row.total, row.title)
}
