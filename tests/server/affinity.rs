//! Where the lanes take what a mission asks for.
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Engine, QuickHost, TASKS};
use crate::upkeep::in_memory;

// On a paused clock: nothing here waits for a thread.
#[tokio::test(start_paused = true)]
async fn the_lane_that_made_a_workers_session_prompts_it() {
    let engine = Engine::start(in_memory(), 1, Arc::new(QuickHost::new(Duration::from_secs(1), false)));
    engine.missions(1, 1).await;
    let counters = engine.handle.metrics().await.counters;
    let of = |what: &str| counters[&format!("lanes.worker.{what}")] as usize;
    assert_eq!([of("own"), of("shared"), of("stolen")], [TASKS, TASKS, 0]);
}
