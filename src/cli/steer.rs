//! `gantry pause`, `resume`, `cancel`, `retry`, `steer`, `approve`, `refuse` and `accept`
use super::{exit, output, progress};
use crate::app;
use crate::protocol::types::ControlAction;

#[derive(clap::Args)]
pub struct Args {
    /// Id of the mission, or its beginning; without one the newest of this folder
    id: Option<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct TextArgs {
    /// Id of the mission, or its beginning
    id: String,
    /// What to say
    #[arg(required = true)]
    text: Vec<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct AcceptArgs {
    /// Id of the mission, or its beginning
    id: String,
    /// Id of the task, as in T3; `whole` for the mission itself, once all its tasks are done
    task: String,
    /// Why, for the report
    #[arg(required = true)]
    reason: Vec<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn accept(args: &AcceptArgs) -> u8 {
    let task = (args.task != "whole").then(|| args.task.clone());
    carry_out(Some(&args.id), ControlAction::Accept, Some(args.reason.join(" ")), task, args.json)
}

pub fn order(args: &Args, action: ControlAction) -> u8 {
    carry_out(args.id.as_deref(), action, None, None, args.json)
}

pub fn say(args: &TextArgs, action: ControlAction) -> u8 {
    carry_out(Some(&args.id), action, Some(args.text.join(" ")), None, args.json)
}

fn carry_out(
    id: Option<&str>,
    action: ControlAction,
    text: Option<String>,
    task: Option<String>,
    json: bool,
) -> u8 {
    match app::steer(id, action, text, task) {
        Ok(detail) if json => output::line(&serde_json::to_string(&detail).unwrap_or_default()),
        Ok(detail) => output::line(&progress::line(&detail.mission)),
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    }
    exit::DONE
}
