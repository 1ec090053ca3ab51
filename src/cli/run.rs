//! `gantry run`
use super::{exit, output, progress};
use crate::app::{self, Event, Ran};
use crate::setup::config::{self, Flag};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// What is to be done
    text: String,
    /// The project; this folder when not given
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Most the mission may spend: tokens, as in 50k or 2m, or dollars, as in '$2'
    #[arg(long, value_name = "BUDGET")]
    budget: Option<String>,
    /// So many tries at each task side by side, of which the best is taken
    #[arg(long, value_name = "N", value_parser = config::tries)]
    race: Option<u32>,
    /// Each task works in a working tree of its own; your files change when all of it is checked
    #[arg(long)]
    worktree: bool,
    /// The model of the conversation, as PROVIDER/MODEL
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An option of this mission, over all others: `gantry config show` lists them
    #[arg(long, value_name = "NAME=VALUE", value_parser = config::flag)]
    set: Vec<Flag>,
    /// The mission as JSON at the end, instead of progress and report
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let tell = |event: Event<'_>| match event {
        Event::Mission(row) if !args.json => output::note(&progress::line(row)),
        Event::Mission(_) => {}
        Event::Doubt(why) => output::error(why),
    };
    let mut text = match &args.budget {
        Some(budget) => format!("--budget={budget} {}", args.text),
        None => args.text.clone(),
    };
    if let Some(tries) = args.race {
        text.insert_str(0, &format!("--race={tries} "));
    }
    if args.worktree {
        text.insert_str(0, "--worktree ");
    }
    match app::run(&args.directory, &text, args.model.as_deref(), &args.set, tell) {
        Ok(Ran::Mission(row)) => ended(args, &row.id),
        Ok(Ran::Interrupted) => {
            output::error("interrupted; `gantry missions` says how the mission stands");
            exit::CANCELLED
        }
        Ok(Ran::None(what)) => {
            output::error(&what);
            exit::FAILED
        }
        Ok(Ran::NotReady(what)) => {
            output::error(&what);
            exit::NOT_READY
        }
        Err(error) => {
            output::error(&format!("{error:#}"));
            exit::FAILED
        }
    }
}

fn ended(args: &Args, id: &str) -> u8 {
    let detail = match app::mission(id) {
        Ok(detail) => detail,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    if args.json {
        output::line(&serde_json::to_string(&detail).unwrap_or_default());
    } else if let Some(report) = &detail.report {
        output::line(report.trim_end());
    }
    if detail.mission.ended_at.is_none() {
        output::error(
            "OpenCode ended before the mission did; it goes on at the next start of opencode in this project",
        );
        return exit::FAILED;
    }
    progress::code(&detail.mission.state)
}
