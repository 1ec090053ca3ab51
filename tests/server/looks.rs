//! What the safety net costs where events arrive: requests, counted at the host.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gantry::domain::ids::HostSessionId;

use crate::engine::{Engine, QuickHost, TASKS};
use crate::upkeep::in_memory;

/// Nothing is heard of a turn for so long.
const SILENT: Duration = Duration::from_secs(540);

// On a paused clock: nothing here waits for a thread.
#[tokio::test(start_paused = true)]
async fn where_events_arrive_a_conversation_is_asked_about_less_than_once_a_minute() {
    let host = Arc::new(QuickHost::new(SILENT, false));
    let mut engine = Engine::start(in_memory(), 10, host.clone());
    engine.briefing = SILENT;
    engine.missions(1, 1).await;
    let asked: HashMap<HostSessionId, [u32; 2]> = host.asked.lock().clone();
    // The one that asked, the planner, and for each task a worker and a reviewer; then the review of all.
    assert_eq!(asked.len(), 2 * TASKS + 3, "{asked:?}");
    let minutes = SILENT.as_secs() as u32 / 60;
    for (session, [requests, of_messages]) in &asked {
        assert!((1..minutes).contains(requests), "{session}: {requests} in {minutes} minutes");
        assert_eq!(*of_messages, 0, "{session} is at work");
    }
}
