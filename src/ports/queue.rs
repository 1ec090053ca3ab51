//! What every bounded queue says of itself.

/// A place where something waits, and what happens to whoever finds it full.
#[derive(Clone, PartialEq, Debug)]
pub struct Queue {
    pub name: &'static str,
    pub waiting: u64,
    pub limit: u64,
    pub when_full: &'static str,
    /// Times something was refused or dropped for want of room; zero for ever where callers wait instead.
    pub turned_away: u64,
}
