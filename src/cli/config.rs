//! `gantry config`
use super::{exit, output};
use crate::app;
use crate::setup::config::{self, FIELDS, Field, Flag, Resolved};
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
            FIELDS.iter().all(|field| output::line(&shown(field, &resolved, output::width())));
        }
        for name in &resolved.strangers {
            output::note(&format!("{name} means nothing to Gantry; if it is another program's, let it be"));
        }
        resolved.faults.iter().for_each(|fault| output::error(&fault.to_string()));
        if resolved.faults.is_empty() && !show {
            output::line("The configuration is in order.");
        }
    }
    if resolved.faults.is_empty() { exit::DONE } else { exit::FAILED }
}

/// Columns of the longest name.
const NAMES: usize = 24;

/// Where it comes from has a line of its own when the first would be too long for the terminal.
fn shown(field: &Field, resolved: &Resolved, width: Option<usize>) -> String {
    let Some((name, value, origin)) = resolved.values.iter().find(|(name, ..)| *name == field.name) else {
        return format!("{:<NAMES$}  unset", field.name);
    };
    let line = format!("{name:<NAMES$}  {value}   {origin}");
    if width.is_none_or(|width| line.chars().count() <= width) {
        return line;
    }
    format!("{name:<NAMES$}  {value}\n{:NAMES$}  from {origin}", "")
}

fn as_json(resolved: &Resolved, show: bool) -> Value {
    let faults: Vec<_> = resolved
        .faults
        .iter()
        .map(|fault| json!({"origin": fault.origin.to_string(), "fault": fault.what}))
        .collect();
    if !show {
        return json!({ "faults": faults, "strangers": resolved.strangers });
    }
    let value = |(name, value, origin): &(&str, Value, config::Origin)| {
        ((*name).to_owned(), json!({"value": value, "origin": origin.to_string()}))
    };
    let unset = |field: &Field| (field.name.to_owned(), json!({"value": null, "origin": "unset"}));
    let mut options: Map<_, _> = FIELDS.iter().map(unset).collect();
    options.extend(resolved.values.iter().map(value));
    json!({ "options": options, "faults": faults, "strangers": resolved.strangers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::config::Origin;

    #[test]
    fn an_option_fits_the_terminal() {
        let place = "/home/ada/a/project/with/a/long/name/gantry.jsonc";
        let origin = Origin::Entry { place: place.into(), line: 7 };
        let resolved = Resolved { values: vec![("race", json!(3), origin)], ..Resolved::default() };
        let of = |name: &str, width| shown(Field::named(name).expect("an option"), &resolved, width);
        let long = format!("race                      3   {place}:7");
        let wrapped = format!("race                      3\n                          from {place}:7");
        assert_eq!([of("race", None), of("race", Some(81))], [long.clone(), long]);
        assert_eq!(of("race", Some(80)), wrapped);
        assert_eq!(of("todo", Some(80)), "todo                      unset");
        assert!(FIELDS.iter().all(|field| field.name.len() <= NAMES));
    }
}
