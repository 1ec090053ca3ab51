//! `gantry show ID`
use super::{exit, output};
use crate::app;
use crate::protocol::types::MissionDetail;

#[derive(clap::Args)]
pub struct Args {
    /// Id of the mission, or its beginning, as `gantry missions` lists it
    id: String,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> u8 {
    let view = match app::mission(&args.id) {
        Ok(view) => view,
        Err(error) => {
            output::error(&format!("{error:#}"));
            return exit::FAILED;
        }
    };
    if args.json {
        output::line(&serde_json::to_string(&view).unwrap_or_default());
    } else {
        output::line(&text(&view));
    }
    exit::DONE
}

fn text(view: &MissionDetail) -> String {
    if let Some(report) = &view.report {
        return report.trim_end().to_owned();
    }
    let row = &view.mission;
    let mut lines = vec![
        format!("Mission {}: {}", row.id, row.phase.as_deref().unwrap_or(&row.state)),
        row.title.clone(),
    ];
    lines.extend(view.tasks.iter().map(|t| format!("- {} {}: {}", t.id, t.state, t.title)));
    lines.join("\n")
}
