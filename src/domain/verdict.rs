//! What the gate says of a task or of the whole mission, and for which tree it says so.

/// Content hash of a working tree (a git tree id).
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct TreeId(pub String);

/// One objection of a stage of the gate.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    pub file: Option<String>,
    pub line: Option<u32>,
    /// high, medium or low.
    pub severity: String,
    pub message: String,
}

impl Finding {
    pub fn of(severity: &str, message: impl Into<String>) -> Self {
        Self { file: None, line: None, severity: severity.into(), message: message.into() }
    }

    /// One line for a prompt or a report.
    pub fn line_text(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("[{}] {file}:{line}: {}", self.severity, self.message),
            (Some(file), None) => format!("[{}] {file}: {}", self.severity, self.message),
            _ => format!("[{}] {}", self.severity, self.message),
        }
    }
}

/// How one command of the project's checks ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckResult {
    pub command: String,
    pub outcome: CheckOutcome,
    pub millis: u64,
    /// The end of what it printed, bounded.
    pub tail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckOutcome {
    Passed,
    /// Failed, and passed when it was run once more on the same tree.
    Flaky,
    /// Exit code, or 128 + signal.
    Failed(i32),
    TimedOut,
    /// The program could not be started at all.
    NotRun,
}

impl CheckResult {
    pub fn passed(&self) -> bool {
        matches!(self.outcome, CheckOutcome::Passed | CheckOutcome::Flaky)
    }

    /// What two runs on one tree say together. Of a flaky check the output of the failure is kept.
    pub fn and_again(self, second: CheckResult) -> CheckResult {
        let millis = self.millis.saturating_add(second.millis);
        match second.passed() {
            true => CheckResult { outcome: CheckOutcome::Flaky, millis, ..self },
            false => CheckResult { millis, ..second },
        }
    }
}

/// A decision of the gate, good for this tree only: any later edit voids it.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    pub approved: bool,
    /// Absent where the project's tree could not be hashed.
    pub tree: Option<TreeId>,
    pub summary: String,
    pub findings: Vec<Finding>,
}
