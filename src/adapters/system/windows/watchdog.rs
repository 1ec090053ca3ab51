//! Windows ends what a killed sidecar leaves running by itself: see the group there. None is ever made.
pub enum Watchdog {}
