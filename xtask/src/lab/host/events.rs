//! The event stream of a served host, as a web client reads it.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

/// What has come so far, each with the moment it came. The reading ends with the server.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<(Instant, Value)>>>);

impl Events {
    pub(super) fn read(stream: impl std::io::Read + Send + 'static) -> Self {
        let events = Self::default();
        let sink = events.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let Some(data) = line.strip_prefix("data:") else { continue };
                let Ok(event) = serde_json::from_str(data.trim_start()) else { continue };
                sink.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), event));
            }
        });
        events
    }

    /// Those of one type, by their properties.
    pub fn of(&self, kind: &str) -> Vec<(Instant, Value)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = all.iter().filter(|(_, event)| event["type"] == kind);
        wanted.map(|(at, event)| (*at, event["properties"].clone())).collect()
    }
}
