//! `gantry permissions`
use super::{exit, output, progress};
use crate::app::{self, WaitingAsk};

#[derive(clap::Args)]
pub struct Args {
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    match app::open_asks() {
        Ok(open) if args.json => output::line(&serde_json::to_string(&open).unwrap_or_default()),
        Ok(open) if open.is_empty() => output::line("No agent waits for a permission."),
        Ok(open) => open.iter().all(|waiting| output::line(&line(waiting))),
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    exit::DONE
}

fn line(WaitingAsk { mission, ask }: &WaitingAsk) -> String {
    let task = ask.task.as_deref().unwrap_or("-");
    format!(
        "{}  {}  {task}  {}: {}",
        ask.id,
        progress::short(mission),
        ask.permission,
        ask.patterns.join(", ")
    )
}
