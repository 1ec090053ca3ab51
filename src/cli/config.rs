//! `gantry config`
use super::{exit, output};
use crate::app;
use crate::setup::config::{self, Flag, Resolved};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Look for options that do not exist and values that do not fit
    Check(Place),
    /// Every option with its value and where it comes from
    Show(Place),
    /// The JSON Schema of the files
    Schema,
}

#[derive(clap::Args)]
struct Place {
    /// The project; this folder when not given
    #[arg(default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// An option as `gantry run` would be given it, over all others
    #[arg(long, value_name = "NAME=VALUE", value_parser = config::flag)]
    set: Vec<Flag>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let (place, show) = match &args.what {
        What::Schema => {
            output::line(&format!("{:#}", config::schema()));
            return exit::DONE;
        }
        What::Check(place) => (place, false),
        What::Show(place) => (place, true),
    };
    let resolved = match app::configuration(&place.project, &place.set) {
        Ok(resolved) => resolved,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    if place.json {
        output::line(&as_json(&resolved, show).to_string());
    } else {
        if show {
            let mut values = resolved.values.iter();
            values.all(|(name, value, origin)| output::line(&format!("{name:<19} {value}   {origin}")));
        }
        resolved.faults.iter().for_each(|fault| output::error(&fault.to_string()));
        if resolved.faults.is_empty() && !show {
            output::line("The configuration is in order.");
        }
    }
    if resolved.faults.is_empty() { exit::DONE } else { exit::FAILED }
}

fn as_json(resolved: &Resolved, show: bool) -> Value {
    let faults: Vec<_> = resolved
        .faults
        .iter()
        .map(|fault| json!({"origin": fault.origin.to_string(), "fault": fault.what}))
        .collect();
    if !show {
        return json!({ "faults": faults });
    }
    let value = |(name, value, origin): &(&str, Value, config::Origin)| {
        ((*name).to_owned(), json!({"value": value, "origin": origin.to_string()}))
    };
    let options: Map<_, _> = resolved.values.iter().map(value).collect();
    json!({ "options": options, "faults": faults })
}
