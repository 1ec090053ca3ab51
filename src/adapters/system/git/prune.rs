//! Keeps the private repositories small.
use super::super::files;
use super::command::{Call, Git};
use super::place::Place;
use super::restore::KEPT;
use std::fs;
use std::path::Path;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Objects that no index names are kept this long, so trees of a mission can be compared for as long.
const OBJECTS: &str = "--expire=14.days.ago";
/// A project that no mission looked at for so long loses its private repository; a tree is kept as long.
const PROJECTS: Duration = Duration::from_secs(30 * 24 * 3600);

/// Clears up at most once a day and project. A failure costs disk space only, so it is left to the next day.
pub(super) async fn daily(git: &Git, place: &Place) {
    let stamp = place.private.join("pruned");
    if older(&stamp, DAY) == Some(false) || files::write_atomic(&stamp, b"").is_err() {
        return;
    }
    remove_old(&place.private.join(KEPT), |_| true, PROJECTS);
    let call = Call::at(&place.private).env("GIT_DIR", &place.private);
    let _ = git.output(call, ["prune", OBJECTS]).await;
    let left_over = |name: &str| name.starts_with("index-") || name.starts_with("stage-");
    remove_old(&place.private, left_over, DAY);
    if let Some(project) = place.private.parent() {
        remove_old(project, |name| name.starts_with(".new-"), DAY);
        project.parent().into_iter().for_each(remove_projects);
    }
}

/// Whether a file is older than that; `None` where it cannot be told.
fn older(path: &Path, than: Duration) -> Option<bool> {
    let age = fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()?;
    Some(age > than)
}

fn remove_old(folder: &Path, named: impl Fn(&str) -> bool, age: Duration) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if named(&entry.file_name().to_string_lossy()) && older(&entry.path(), age) == Some(true) {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
    }
}

/// A project's stamp is renewed on each day with a mission.
fn remove_projects(trees: &Path) {
    for entry in fs::read_dir(trees).into_iter().flatten().flatten() {
        let stamps =
            ["sha1.git/pruned", "sha256.git/pruned"].map(|stamp| older(&entry.path().join(stamp), PROJECTS));
        if stamps.contains(&Some(true)) && !stamps.contains(&Some(false)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
