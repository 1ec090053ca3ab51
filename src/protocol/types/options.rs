//! Options of a directory, as the plugin hands them over; src/setup/config has ranges and meanings.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

wire! {
    /// Options of the plugin entry in the host's configuration.
    #[derive(Default)]
    pub struct WorkspaceOptions {
        /// What to do with missions that a stopped host left open (default `auto`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub resume: Option<ResumePolicy>,
        /// The project's own checks; found from the project's files when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub checks: Option<Vec<String>>,
        /// Path of the plan file, relative to the worktree (default `TODO.md`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub todo: Option<String>,
        /// Most workers at one time, 1 to 50 (default 10).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub workers: Option<u32>,
        /// Most planners at one time, 1 to 50 (default 10).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub planners: Option<u32>,
        /// Most reviewers at one time, 1 to 50 (default 10).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub reviewers: Option<u32>,
        /// Most turns at one time of a provider, or of one of its models as `provider/model`, 1 to 50 each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "Record<string, number>"))]
        pub providers: Option<std::collections::BTreeMap<String, u32>>,
        /// Seconds without progress after which a turn is ended, 10 to 86400 (default 600).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub turn_timeout_seconds: Option<u32>,
        /// Seconds from its start after which a mission is ended, 60 to 86400 (default 86400).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub max_duration_seconds: Option<u32>,
        /// Most tokens of all kinds together, 1000 to 10^12; none when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub budget_tokens: Option<u64>,
        /// Most US dollars, 0.01 to 10^6; none when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub budget_dollars: Option<f64>,
        /// Minutes from its start after which no turn is begun, 1 to 1440; none when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub budget_minutes: Option<u32>,
        /// Most tokens of one task with all its attempts, reviews and parts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub task_budget_tokens: Option<u64>,
        /// Most US dollars of one task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task_budget_dollars: Option<f64>,
        /// Minutes of work on one task after which it gets no further turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task_budget_minutes: Option<u32>,
        /// The mission's own rules for what its agents do, such as `allow bash npm test*`; the last that fits counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub permissions: Option<Vec<String>>,
        /// Seconds after which an unanswered permission is refused, 5 to 86400 (default 600).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub permission_timeout_seconds: Option<u32>,
        /// Whether new errors that language servers find send a change back (default auto).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub diagnostics: Option<DiagnosticsPolicy>,
        /// Whether a plan waits for the user's word before work begins (default auto).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub plan_approval: Option<PlanApproval>,
        /// Whether tasks that a planner calls fractal are planned further (default auto).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub fractal: Option<FractalPolicy>,
        /// Tries at each task side by side, 1 to 5; of tasks that a planner says, in missions with worktrees, when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub race: Option<u32>,
        /// What the tries at one task run on, one after the other, as `provider/model`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub race_models: Option<Vec<String>>,
        /// How much toasts tell (default normal).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub toasts: Option<Toasts>,
        /// Whether tasks share the user's files or each has a working tree of its own (default shared).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub isolation: Option<IsolationPolicy>,
        /// What becomes of the result of worktrees (default apply).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub integrate: Option<IntegratePolicy>,
        /// Paths of the project that worktrees share (default node_modules).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub worktree_links: Option<Vec<String>>,
        /// Commands that make a new worktree ready (default none).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub worktree_setup: Option<Vec<String>>,
        /// Whether a worker goes on in the conversation of a task that its own depends on (default off).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub session_reuse: Option<SessionReuse>,
        /// Worktrees made ready and opened while the plan is being made, 0 to 50 (default 4).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub worktrees_ahead: Option<u32>,
    }

    #[derive(Copy, Eq)]
    pub enum FractalPolicy {
        /// Where a plan, or the user, says so.
        Auto,
        Off,
    }

    #[derive(Copy, Eq)]
    pub enum SessionReuse {
        /// Each attempt has a clean conversation.
        Off,
        /// The first worker of a task goes on where one that it depends on was done.
        Follow,
    }

    #[derive(Copy, Eq)]
    pub enum Toasts {
        /// That you are waited for, and how a mission ended.
        Quiet,
        /// Also what begins, fails or waits.
        Normal,
        /// Also each step of a mission and each task.
        Verbose,
    }

    #[derive(Copy, Eq)]
    pub enum IsolationPolicy {
        /// All work in the user's files; leases keep them apart.
        Shared,
        /// What is approved is merged, checked and brought into the user's files at the end.
        Worktree,
    }

    #[derive(Copy, Eq)]
    pub enum IntegratePolicy {
        /// Into the user's files, where nothing contradicts it.
        Apply,
        /// Onto a branch; the user's files stay as they are.
        Branch,
    }

    #[derive(Copy, Eq)]
    pub enum PlanApproval {
        /// Work begins at once.
        Auto,
        /// The user is asked first.
        Ask,
    }

    #[derive(Copy, Eq)]
    pub enum DiagnosticsPolicy {
        /// Where a server for the language is on this machine.
        Auto,
        Off,
    }

    pub enum ResumePolicy {
        /// Go on by itself.
        Auto,
        /// Pause, and tell the conversation how to go on.
        Report,
    }
}
