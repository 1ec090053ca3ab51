//! `gantry pause`, `suspend`, `resume`, `cancel`, `retry`, `steer`, `allow`, `deny`, `approve`, `refuse` and `accept`
use super::{exit, output, progress};
use crate::app::{self, Order};
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
pub struct SteerArgs {
    /// Id of the mission, or its beginning
    id: String,
    /// What to say
    #[arg(required = true)]
    text: Vec<String>,
    /// Only to who works on this task, as in T3
    #[arg(long)]
    task: Option<String>,
    /// Interrupt who is at work, and tell them at once
    #[arg(long)]
    now: bool,
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

#[derive(clap::Args)]
pub struct ExpandArgs {
    /// Id of the mission, or its beginning
    id: String,
    /// Id of the task, as in T3
    task: String,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct AskArgs {
    /// Id of the ask, or its beginning, as `gantry permissions` lists it
    ask: String,
    /// Why not, for the agent
    reason: Vec<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn expand(args: &ExpandArgs) -> u8 {
    let order = Order { task: Some(args.task.clone()), ..Order::default() };
    carry_out(Some(&args.id), ControlAction::Expand, order, args.json)
}

pub fn accept(args: &AcceptArgs) -> u8 {
    let task = (args.task != "whole").then(|| args.task.clone());
    let order = Order { text: Some(args.reason.join(" ")), task, ..Order::default() };
    carry_out(Some(&args.id), ControlAction::Accept, order, args.json)
}

pub fn order(args: &Args, action: ControlAction) -> u8 {
    carry_out(args.id.as_deref(), action, Order::default(), args.json)
}

pub fn say(args: &TextArgs, action: ControlAction) -> u8 {
    let order = Order { text: Some(args.text.join(" ")), ..Order::default() };
    carry_out(Some(&args.id), action, order, args.json)
}

pub fn tell(args: &SteerArgs) -> u8 {
    let (text, task) = (Some(args.text.join(" ")), args.task.clone());
    let order = Order { text, task, now: args.now, ..Order::default() };
    carry_out(Some(&args.id), ControlAction::Steer, order, args.json)
}

pub fn answer(args: &AskArgs, action: ControlAction) -> u8 {
    match app::open_ask(&args.ask) {
        Ok((mission, ask)) => {
            let text = Some(args.reason.join(" ")).filter(|text| !text.is_empty());
            let order = Order { text, ask: Some(ask), ..Order::default() };
            carry_out(Some(&mission), action, order, args.json)
        }
        Err(error) => failed(&error),
    }
}

fn carry_out(id: Option<&str>, action: ControlAction, order: Order, json: bool) -> u8 {
    match app::steer(id, action, order) {
        Ok(detail) if json => output::line(&serde_json::to_string(&detail).unwrap_or_default()),
        Ok(detail) => output::line(&progress::line(&detail.mission)),
        Err(error) => return failed(&error),
    };
    exit::DONE
}

fn failed(error: &anyhow::Error) -> u8 {
    output::error(&format!("{error:#}"));
    exit::FAILED
}
