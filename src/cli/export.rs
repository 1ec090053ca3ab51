//! `gantry export`
use super::{exit, output};
use crate::app;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Id of the mission, or its beginning; without one the newest of this folder
    id: Option<String>,
    /// JSON with the whole journal instead of Markdown
    #[arg(long)]
    json: bool,
    /// Into a file that does not exist yet, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args) -> u8 {
    let text = match app::export(args.id.as_deref()) {
        Ok((_, json)) if args.json => format!("{json:#}\n"),
        Ok((markdown, _)) => markdown,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    let Some(path) = &args.output else {
        output::text(&text);
        return exit::DONE;
    };
    if let Err(error) = output::new_file(path, &text) {
        output::error(&format!("{} cannot be written: {error}", path.display()));
        return exit::FAILED;
    }
    exit::DONE
}
