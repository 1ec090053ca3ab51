//! What `gantry doctor` says.
use serde::Serialize;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Good,
    Warning,
    Fault,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// What was looked at; stable, for scripts.
    pub code: &'static str,
    pub level: Level,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub fn new(code: &'static str, level: Level, what: impl Into<String>) -> Self {
        Self { code, level, what: what.into(), remedy: None }
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
