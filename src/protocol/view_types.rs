//! Wire types of what the user sees and orders: the list and the full view of missions, and commands without a model.
use super::types::{MissionDetail, MissionSummary, ToastVariant, wire};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

wire! {
    pub struct MissionListParams {
        pub directory: String,
        /// Only missions that have not ended.
        #[serde(default)]
        pub open: bool,
    }

    pub struct MissionListResult {
        /// The newest fifty, newest first.
        pub missions: Vec<MissionSummary>,
    }

    pub struct NoticeListParams {
        pub directory: String,
        /// The number of the newest one that is known; without it, what was told within the last fifteen seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub after: Option<u64>,
    }

    pub struct NoticeListResult {
        /// Oldest first.
        pub notices: Vec<NoticeDetail>,
    }

    pub struct NoticeDetail {
        /// Rises from notice to notice.
        #[cfg_attr(test, ts(type = "number"))]
        pub number: u64,
        pub title: String,
        pub message: String,
        pub variant: ToastVariant,
    }

    /// Everything a person may want to see of a mission.
    pub struct MissionViewResult {
        pub detail: MissionDetail,
        /// What the planner says of the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub summary: Option<String>,
        /// The newest 200, oldest first.
        pub attempts: Vec<AttemptDetail>,
        /// At most a hundred, task by task.
        pub findings: Vec<FindingDetail>,
        /// The newest lines, oldest first.
        pub log: Vec<LogLine>,
    }

    pub struct AttemptDetail {
        /// planner, worker or reviewer.
        pub role: String,
        /// Absent for planning, and for the review of the whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task: Option<String>,
        pub ordinal: u32,
        /// The host session it works in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub session: Option<String>,
        /// open, done, failed or aborted.
        pub state: String,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub reason: Option<String>,
        /// Milliseconds since the Unix epoch.
        #[cfg_attr(test, ts(type = "number"))]
        pub opened_at: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        pub closed_at: Option<u64>,
    }

    pub struct FindingDetail {
        /// Absent for the whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task: Option<String>,
        /// high, medium or low.
        pub severity: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub file: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub line: Option<u32>,
        pub message: String,
    }

    pub struct LogLine {
        /// Milliseconds since the Unix epoch.
        #[cfg_attr(test, ts(type = "number"))]
        pub at: u64,
        pub text: String,
    }

    pub struct CommandRunParams {
        pub directory: String,
        /// The conversation it was typed in; its mission is the one that is meant.
        pub session: String,
        pub command: Command,
        /// What stands after the command; it may begin with the id of a mission.
        pub text: String,
    }

    #[derive(Copy, Eq)]
    pub enum Command {
        Status,
        Report,
        Pause,
        Suspend,
        Resume,
        Cancel,
        Retry,
        Steer,
        Approve,
        Refuse,
        Accept,
        Allow,
        Deny,
        Rollback,
    }

    pub struct CommandRunResult {
        /// For the user.
        pub text: String,
    }
}
