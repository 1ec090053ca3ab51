//! What the gate says of a task or of the whole mission, and for which tree it says so.
use std::collections::BTreeSet;

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

/// Output that is shorter than this was kept whole, in bytes.
const WHOLE: usize = 7 * 1024;

/// Names of tests that an output says have failed, in the words of the usual test programs: cargo, nextest, pytest, go, the
/// test runner of Node.js and TAP, jest and vitest.
fn failed_tests(output: &str) -> BTreeSet<String> {
    output.lines().filter_map(failed_test).map(str::to_owned).collect()
}

fn failed_test(line: &str) -> Option<&str> {
    let line = line.trim();
    let after = |mark: &str| line.strip_prefix(mark).map(str::trim_start);
    if let Some(name) = after("test ").and_then(|rest| rest.strip_suffix("... FAILED")) {
        return Some(name.trim_end());
    }
    if let Some(rest) = after("FAIL [") {
        // nextest: FAIL [   0.010s] (1/2) crate module::test
        let name = rest.split_once(']')?.1.trim_start();
        return Some(
            name.strip_prefix('(')
                .and_then(|n| n.split_once(')'))
                .map_or(name, |(_, name)| name.trim_start()),
        );
    }
    if let Some(rest) = after("FAILED ").or_else(|| after("ERROR ")).filter(|rest| rest.contains("::")) {
        return rest.split(" - ").next();
    }
    if let Some(rest) =
        after("--- FAIL: ").or_else(|| after("✖ ")).or_else(|| after("✕ ")).or_else(|| after("× "))
    {
        // The time it took stands behind the name.
        let end = rest.rfind(" (").filter(|_| rest.ends_with(')')).unwrap_or(rest.len());
        let name = rest.get(..end)?;
        return (!name.is_empty() && !name.starts_with("failing tests")).then_some(name);
    }
    if let Some(rest) = after("not ok ") {
        return rest.split_once(" - ").map(|(_, name)| name).filter(|name| !name.contains("# TODO"));
    }
    None
}

impl CheckResult {
    pub fn passed(&self) -> bool {
        matches!(self.outcome, CheckOutcome::Passed | CheckOutcome::Flaky)
    }

    /// Tests that this run names as failed and an earlier one does not. None where either names no test, or where the
    /// earlier output is not whole: what it does not name may have failed all the same.
    pub fn fails_besides(&self, earlier: &CheckResult) -> Vec<String> {
        let (before, now) = (failed_tests(&earlier.tail), failed_tests(&self.tail));
        if before.is_empty() || earlier.tail.len() > WHOLE {
            return Vec::new();
        }
        now.difference(&before).cloned().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(tail: &str) -> CheckResult {
        CheckResult { command: "c".into(), outcome: CheckOutcome::Failed(1), millis: 1, tail: tail.into() }
    }

    #[test]
    fn each_test_program_names_its_failures() {
        for (line, name) in [
            ("test calc::divides ... FAILED", Some("calc::divides")),
            ("test calc::divides ... ok", None),
            ("        FAIL [   0.010s] (1/2) crate calc::divides", Some("crate calc::divides")),
            ("        FAIL [   0.010s] crate calc::divides", Some("crate calc::divides")),
            ("FAILED tests/test_a.py::test_x - assert 1 == 2", Some("tests/test_a.py::test_x")),
            ("ERROR tests/test_a.py::test_y", Some("tests/test_a.py::test_y")),
            ("ERROR something else", None),
            ("--- FAIL: TestX (0.00s)", Some("TestX")),
            ("    --- FAIL: TestX/sub_case (0.01s)", Some("TestX/sub_case")),
            ("✖ divides (1.234ms)", Some("divides")),
            ("✖ failing tests:", None),
            ("  ✕ divides by zero (3 ms)", Some("divides by zero")),
            (" × src/a.test.ts > divides", Some("src/a.test.ts > divides")),
            ("not ok 3 - divides", Some("divides")),
            ("not ok 4 - later # TODO", None),
            ("error: 2 tests failed", None),
        ] {
            assert_eq!(failed_test(line), name, "{line}");
        }
    }

    #[test]
    fn only_what_is_known_to_be_new_is_new() {
        let old = "--- FAIL: TestA (0.00s)\nFAIL\n";
        let both = "--- FAIL: TestA (0.02s)\n--- FAIL: TestB (0.00s)\nFAIL\n";
        for (before, now, new) in [
            (old, both, vec!["TestB"]),
            (both, old, vec![]),
            (old, old, vec![]),
            ("it broke\n", both, vec![]),
            (old, "it broke\n", vec![]),
            (&format!("{}{old}", "x\n".repeat(4 * 1024)), both, vec![]),
        ] {
            assert_eq!(failed(now).fails_besides(&failed(before)), new, "{now}");
        }
    }
}
