//! `gantry rollback ID`
use super::{exit, output};
use crate::app;
use crate::protocol::types::MissionRollbackParams;

#[derive(clap::Args)]
pub struct Args {
    /// Id of the mission, or its beginning; without one the newest of this folder
    id: Option<String>,
    /// Only what this task changed
    #[arg(long, conflicts_with_all = ["checkpoint", "undo"])]
    task: Option<String>,
    /// Only what was changed since this checkpoint
    #[arg(long, value_name = "N", conflicts_with = "undo")]
    checkpoint: Option<u32>,
    /// Take the last rollback back
    #[arg(long)]
    undo: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Take back also what somebody else has changed since
    #[arg(long)]
    force: bool,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let what = MissionRollbackParams {
        directory: String::new(),
        mission: None,
        task: args.task.clone(),
        checkpoint: args.checkpoint,
        undo: args.undo,
        dry_run: args.dry_run,
        force: args.force,
    };
    let found = match app::rollback(args.id.as_deref(), what) {
        Ok(found) => found,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    if args.json {
        output::line(&serde_json::to_string(&found).unwrap_or_default());
    } else {
        output::line(found.text.trim_end());
        if found.done && !args.undo && !found.files.is_empty() {
            output::line(&format!("`gantry rollback {} --undo` brings them back.", found.mission.id));
        }
    }
    let refused = !args.dry_run && !found.done;
    let partly = !found.left.is_empty();
    match (refused, partly) {
        (true, _) => exit::FAILED,
        (false, true) => exit::PARTIAL,
        (false, false) => exit::DONE,
    }
}
