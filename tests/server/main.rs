//! The server as a whole, in process: dispatcher, service and connection over a memory pipe, with a strict host at the
//! other end. Real time and a store in memory: a paused clock runs ahead of whoever waits for a thread.
mod affinity;
mod commands;
mod diary;
mod door;
mod engine;
mod faults;
mod gates;
mod git_rig;
mod host;
mod looks;
mod merge_model;
mod merges;
mod missions;
mod models;
mod opening;
mod parts;
mod races;
mod rig;
mod slow;
mod upkeep;
mod wire;

use std::time::Duration;

/// Longer than anything here takes, by far.
const SOON: Duration = Duration::from_secs(30);

/// Waits until it is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("it never came to that: {what}"));
}
