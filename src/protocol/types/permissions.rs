//! What agents ask the host to be allowed.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

wire! {
    /// A permission that an agent of the mission asked the host for.
    pub struct AskDetail {
        /// The host's.
        pub id: String,
        /// The host session that waits, or has waited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub session: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub task: Option<String>,
        pub permission: String,
        /// What it is about: commands, paths, addresses.
        pub patterns: Vec<String>,
        /// Milliseconds since the Unix epoch.
        #[cfg_attr(test, ts(type = "number"))]
        pub at: u64,
        /// Absent while it is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub allowed: Option<bool>,
        /// Whose word that was: host, user, policy, time or nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub by: Option<String>,
    }

    /// Asked in the name of a running tool call, under the rules of its session.
    pub struct PermissionAskParams {
        pub directory: String,
        pub session: String,
        pub call: String,
        /// Name of the host's permission, such as `edit`.
        pub permission: String,
        /// What it is asked for, such as paths relative to the project.
        pub patterns: Vec<String>,
        /// For the person who is asked.
        #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
        pub metadata: serde_json::Map<String, serde_json::Value>,
    }

    pub struct PermissionAskResult {
        pub allow: bool,
        /// Why not, for the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub reason: Option<String>,
    }

    pub struct PermissionListResult {
        pub asks: Vec<OpenAsk>,
    }

    /// An ask that waits for an answer.
    pub struct OpenAsk {
        pub id: String,
        pub session: String,
        pub permission: String,
        pub patterns: Vec<String>,
    }

    pub struct PermissionReplyParams {
        pub directory: String,
        pub session: String,
        pub id: String,
        /// Why not, for the model; allowed once when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        pub refusal: Option<String>,
    }
}
