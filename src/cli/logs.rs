//! `gantry logs`
use super::{exit, output};
use crate::app;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(300);

#[derive(clap::Args)]
pub struct Args {
    /// Go on with what is written from now on
    #[arg(long, short)]
    follow: bool,
    /// How many lines of what is there
    #[arg(long, short = 'n', default_value_t = 50)]
    lines: usize,
}

pub fn run(args: &Args) -> u8 {
    let (text, mut log) = match app::log_tail(args.lines) {
        Ok(start) => start,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    let mut read = output::text(&text);
    while args.follow && read && output::still_read(LOOK) {
        match log.more() {
            Ok(text) => read = output::text(&text),
            Err(error) => {
                output::error(&format!("the log cannot be read: {error}"));
                return exit::FAILED;
            }
        }
    }
    exit::DONE
}
