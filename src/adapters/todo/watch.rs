//! Notices what people change in the plan file, for as long as somebody waits for it.
//!
//! The system tells of changes in the file's folder; a look every two seconds makes up for file systems that tell
//! nothing (shares of a network), and one every fifth of a second stands in where no watcher can be had.
use super::base::Bases;
use super::target::{key, read, resolve};
use crate::domain::todo::{Document, Edit, TodoItem};
use notify::{RecursiveMode, Watcher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// Between looks, with a watcher and without one.
const SELDOM: Duration = Duration::from_secs(2);
const OFTEN: Duration = Duration::from_millis(200);
/// Editors write in several steps: the file is read once nothing has happened for this long, or at the latest after
/// that long.
const QUIET: Duration = Duration::from_millis(40);
const LATEST: Duration = Duration::from_millis(160);

/// Ends when the edits to the section of a mission are not those that are known.
pub(super) async fn edited(home: PathBuf, file: PathBuf, mission: String, known: Vec<Edit>) -> Vec<Edit> {
    let (changed, mut changes) = mpsc::channel(1);
    let watcher = watch(&file, changed);
    let pause = if watcher.is_ok() { SELDOM } else { OFTEN };
    if let Err(error) = &watcher {
        tracing::info!(%error, file = %file.display(), "the plan file is looked at instead of watched");
    }
    let mut looked = None;
    loop {
        let stamp = stamp(&file);
        if looked != Some(stamp) {
            looked = Some(stamp);
            let (home, file, mission) = (home.clone(), file.clone(), mission.clone());
            let look = tokio::task::spawn_blocking(move || look(&home, &file, &mission));
            if let Ok(Some(edits)) = look.await
                && edits != known
            {
                return edits;
            }
        }
        if timeout(pause, changes.recv()).await.is_ok_and(|change| change.is_some()) {
            let latest = Instant::now() + LATEST;
            while Instant::now() < latest && timeout(QUIET, changes.recv()).await.is_ok_and(|c| c.is_some()) {
            }
        } else if watcher.is_err() {
            // The channel is closed then, so the wait above is none.
            sleep(pause).await;
        }
    }
}

/// Tells of changes to the file for as long as the watcher lives.
fn watch(file: &Path, changed: mpsc::Sender<()>) -> Result<notify::RecommendedWatcher, String> {
    let target = resolve(file).map_err(|e| e.to_string())?;
    let (Some(folder), Some(name)) = (target.parent(), target.file_name().map(ToOwned::to_owned)) else {
        return Err("it is in no folder".into());
    };
    let tell = move |event: notify::Result<notify::Event>| {
        let ours = |event: notify::Event| event.paths.iter().any(|path| path.file_name() == Some(&name));
        if event.map_or(true, ours) {
            // Full: a change is told of already.
            let _ = changed.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(tell).map_err(|e| e.to_string())?;
    // The folder, for editors put a new file in the place of the old one.
    watcher.watch(folder, RecursiveMode::NonRecursive).map_err(|e| e.to_string())?;
    Ok(watcher)
}

/// What tells one content from another without reading it.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// None where the file and its base could not be had together: it is being written.
fn look(home: &Path, file: &Path, mission: &str) -> Option<Vec<Edit>> {
    let target = resolve(file).ok()?;
    let folder = home.join(key(&target));
    for _ in 0..5 {
        let (document, version) = section(&target, mission).ok()?;
        let Some(version) = version else { return Some(Vec::new()) };
        let base: Option<Vec<TodoItem>> = Bases::new(&folder).read(mission, version);
        if let Some(base) = base {
            return Some(document.edits(mission, &base));
        }
    }
    None
}

fn section(target: &Path, mission: &str) -> io::Result<(Document, Option<u64>)> {
    let document = Document::parse(&read(target)?.map(|(text, _)| text).unwrap_or_default());
    let version = document.section_version(mission);
    Ok((document, version))
}
