//! `gantry show ID`
use super::{exit, output};
use crate::app;
use crate::protocol::types::{MissionDetail, TaskDetail};

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
        output::line(&json(&view).to_string());
    } else {
        output::line(&text(&view));
    }
    exit::DONE
}

/// Beside the mission what the running processes do: permits, lanes, budgets, queues belong to them.
fn json(view: &MissionDetail) -> serde_json::Value {
    let mut all = serde_json::to_value(view).unwrap_or_default();
    // A mission can be looked at without them.
    all["processes"] = serde_json::to_value(app::processes().unwrap_or_default()).unwrap_or_default();
    all
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
    lines.extend(
        view.forecast
            .as_ref()
            .map(|f| format!("Still to come: about {:.0} min, {} turns", f.minutes, f.turns)),
    );
    let note = |t: &TaskDetail| t.note.as_ref().map_or(String::new(), |note| format!(" — {note}"));
    for task in &view.tasks {
        lines.push(format!("- {} {}: {}{}", task.id, task.state, task.title, note(task)));
        if view.awaits_approval {
            lines.extend(terms(task));
        }
    }
    if view.awaits_approval {
        lines.push(format!(
            "The plan waits for you: gantry approve {0}, gantry refuse {0} \"what is to be different\", or edit it in the plan file",
            row.id
        ));
    }
    lines.join("\n")
}

/// What a task may change, when its turn comes, and how it is proved.
fn terms(task: &TaskDetail) -> Option<String> {
    let named =
        |name: &str, list: &[String]| (!list.is_empty()).then(|| format!("{name} {}", list.join(", ")));
    let all = [named("files", &task.files), named("after", &task.depends_on), named("checks", &task.checks)];
    let all: Vec<_> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("  {}", all.join("; ")))
}
