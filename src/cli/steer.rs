//! `gantry pause`, `resume`, `cancel`, `retry`, `steer`, `approve` and `refuse`
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

pub fn order(args: &Args, action: ControlAction) -> u8 {
    carry_out(args.id.as_deref(), action, None, args.json)
}

pub fn say(args: &TextArgs, action: ControlAction) -> u8 {
    carry_out(Some(&args.id), action, Some(args.text.join(" ")), args.json)
}

fn carry_out(id: Option<&str>, action: ControlAction, text: Option<String>, json: bool) -> u8 {
    match app::steer(id, action, text, None) {
        Ok(detail) if json => output::line(&serde_json::to_string(&detail).unwrap_or_default()),
        Ok(detail) => output::line(&progress::line(&detail.mission)),
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    }
    exit::DONE
}
