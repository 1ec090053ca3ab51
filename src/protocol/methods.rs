//! The one method table: every name on the wire with its direction, its access and its types.
//!
//! The router, the JSON Schemas and the shim's TypeScript all read it; a name written anywhere else is a mistake.
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use super::types::*;

/// Which end calls and which end serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    ShimToSidecar,
    SidecarToShim,
}

/// What a call may do at the end that serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// Opens the connection: the only call served before the connection is open, and only once.
    Handshake,
    /// Changes nothing; a repeat is harmless.
    Read,
    /// Changes durable state or the host. A repeat with the same key or id is the same change.
    Write,
}

/// A call that is answered.
pub trait Method: 'static {
    const NAME: &'static str;
    const DIRECTION: Direction;
    const ACCESS: Access;
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    type Result: Serialize + DeserializeOwned + JsonSchema + Clone + Send + 'static;
}

/// A message that is never answered.
pub trait Notification: 'static {
    const NAME: &'static str;
    const DIRECTION: Direction;
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One row of the table, for generators and documentation.
pub struct MethodInfo {
    pub name: &'static str,
    pub about: &'static str,
    pub direction: Direction,
    pub access: Access,
    pub params: SchemaOf,
    pub result: SchemaOf,
}

/// One notification, for generators and documentation.
pub struct NotificationInfo {
    pub name: &'static str,
    pub about: &'static str,
    pub direction: Direction,
    pub params: SchemaOf,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The same rows with their TypeScript types, which exist in tests only.
#[cfg(test)]
pub(super) trait Rows {
    fn method<M: Method<Params: ts_rs::TS, Result: ts_rs::TS>>(&mut self, row: &MethodInfo);
    fn notification<N: Notification<Params: ts_rs::TS>>(&mut self, row: &NotificationInfo);
}

macro_rules! table {
    (
        methods { $($marker:ident $name:literal $direction:ident $access:ident $params:ident => $result:ident, $about:literal;)* }
        notifications { $($note:ident $note_name:literal $note_direction:ident $note_params:ident, $note_about:literal;)* }
    ) => {
        $(
            #[doc = $about]
            #[derive(Clone, Copy)]
            pub struct $marker;
            impl Method for $marker {
                const NAME: &'static str = $name;
                const DIRECTION: Direction = Direction::$direction;
                const ACCESS: Access = Access::$access;
                type Params = $params;
                type Result = $result;
            }
        )*
        $(
            #[doc = $note_about]
            pub struct $note;
            impl Notification for $note {
                const NAME: &'static str = $note_name;
                const DIRECTION: Direction = Direction::$note_direction;
                type Params = $note_params;
            }
        )*

        /// Every method, in the order of the documentation.
        pub const METHODS: &[MethodInfo] = &[$(MethodInfo {
            name: $name,
            about: $about,
            direction: Direction::$direction,
            access: Access::$access,
            params: schema_of::<$params>,
            result: schema_of::<$result>,
        }),*];

        /// Every notification.
        pub const NOTIFICATIONS: &[NotificationInfo] = &[$(NotificationInfo {
            name: $note_name,
            about: $note_about,
            direction: Direction::$note_direction,
            params: schema_of::<$note_params>,
        }),*];

        #[cfg(test)]
        pub(super) fn visit_rows(visitor: &mut impl Rows) {
            let mut methods = METHODS.iter();
            $(if let Some(row) = methods.next() { visitor.method::<$marker>(row) })*
            let mut notifications = NOTIFICATIONS.iter();
            $(if let Some(row) = notifications.next() { visitor.notification::<$note>(row) })*
        }
    };
}

table! {
    methods {
        Initialize "initialize" ShimToSidecar Handshake InitializeParams => InitializeResult,
            "First call on a connection: the two ends agree on the protocol version.";
        WorkspaceOpen "workspace/open" ShimToSidecar Write WorkspaceOpenParams => WorkspaceOpenResult,
            "Announces a directory of the host and takes over its open missions.";
        WorkspaceClose "workspace/close" ShimToSidecar Write DirectoryParams => Empty,
            "The host no longer works in this directory; its missions stay on disk.";
        MissionCreate "mission/create" ShimToSidecar Write MissionCreateParams => MissionCreateResult,
            "Accepts a request. It is on disk when the answer arrives.";
        MissionAttach "mission/attach" ShimToSidecar Write MissionAttachParams => MissionDetail,
            "Makes a conversation the one that gets the mission's report.";
        MissionStatus "mission/status" ShimToSidecar Read MissionStatusParams => MissionDetail,
            "Where a mission and its tasks stand.";
        MissionView "mission/view" ShimToSidecar Read MissionStatusParams => MissionViewResult,
            "The same with attempts, findings and the end of its log.";
        MissionList "mission/list" ShimToSidecar Read MissionListParams => MissionListResult,
            "The missions of a directory.";
        NoticeList "notice/list" ShimToSidecar Read NoticeListParams => NoticeListResult,
            "What the user was to be told, for an interface that has to ask for it.";
        MissionControl "mission/control" ShimToSidecar Write MissionControlParams => MissionDetail,
            "Pauses, suspends, resumes, cancels, retries or steers a mission, answers what its agents ask for, accepts a task, makes a checkpoint or takes its work back to one.";
        MissionRollback "mission/rollback" ShimToSidecar Write MissionRollbackParams => MissionRollbackResult,
            "Takes back the files that a mission, a task or all since a checkpoint has changed, or says what that would do.";
        CommandRun "command/run" ShimToSidecar Write CommandRunParams => CommandRunResult,
            "A command of the user that needs no model, where the host's terminal interface does not serve it itself.";
        ToolList "tool/list" ShimToSidecar Read Empty => ToolListResult,
            "The tools to register with the host, and the agents that may see each.";
        ToolCall "tool/call" ShimToSidecar Write ToolCallParams => ToolCallResult,
            "A model called a tool. The tool `mission` answers when the mission has ended.";
        LeaseCheck "lease/check" ShimToSidecar Read LeaseCheckParams => LeaseCheckResult,
            "Whether a tool call of a mission's session may run now.";
        MetricsRead "metrics/read" ShimToSidecar Read Empty => MetricsResult,
            "What the process counts of itself, and how full its queues are.";
        Shutdown "shutdown" ShimToSidecar Write Empty => Empty,
            "Ends the sidecar in order. Missions stay on disk and can be taken over.";
        HostSessionCreate "host/session.create" SidecarToShim Write SessionCreateParams => SessionCreateResult,
            "Opens a host session, or finds the one opened before with the same key.";
        HostFolderOpen "host/folder.open" SidecarToShim Read FolderParams => Empty,
            "Opens a folder in the host ahead of the first turn there, which would take a second longer.";
        HostSessionPrompt "host/session.prompt" SidecarToShim Write SessionPromptParams => Empty,
            "Starts a turn; answers when the host has admitted it, not when it has ended.";
        HostSessionAbort "host/session.abort" SidecarToShim Write SessionParams => Empty,
            "Ends the running turn of a host session.";
        HostSessionMessages "host/session.messages" SidecarToShim Read SessionMessagesParams => SessionMessagesResult,
            "The newest messages of a host session, oldest first.";
        HostSessionStatus "host/session.status" SidecarToShim Read SessionStatusParams => SessionStatusResult,
            "The turn state of host sessions. Absent does not mean finished.";
        HostSessionDelete "host/session.delete" SidecarToShim Write SessionParams => Empty,
            "Removes a host session and its messages.";
        HostToast "host/toast" SidecarToShim Write ToastParams => Empty,
            "Shows a short notice to the user.";
        HostPermissionAsk "host/permission.ask" SidecarToShim Read PermissionAskParams => PermissionAskResult,
            "Whether a running tool call may do this, by the host's rules or by the user, who may take a while.";
        HostPermissionList "host/permission.list" SidecarToShim Read SessionParams => PermissionListResult,
            "What waits to be allowed where a session works, other sessions there included.";
        HostPermissionReply "host/permission.reply" SidecarToShim Write PermissionReplyParams => Empty,
            "Answers what a session asks for. An answer to what is answered already changes nothing.";
        HostProgress "host/progress" SidecarToShim Write ProgressParams => Empty,
            "Sets the live title of a running tool call.";
    }
    notifications {
        EventBatch "event/batch" ShimToSidecar EventBatchParams,
            "What happened in the host sessions of a directory, in order.";
        Cancel "$/cancel" ShimToSidecar CancelParams,
            "The request with this id is no longer wanted. It is still answered, with an error if the cancellation took.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_tell_the_direction() {
        let mut seen = HashSet::new();
        for (name, direction) in METHODS
            .iter()
            .map(|m| (m.name, m.direction))
            .chain(NOTIFICATIONS.iter().map(|n| (n.name, n.direction)))
        {
            assert!(seen.insert(name), "{name} stands twice in the table");
            assert_eq!(name.starts_with("host/"), direction == Direction::SidecarToShim, "{name}");
        }
    }

    #[test]
    fn exactly_one_method_opens_a_connection() {
        let open: Vec<_> = METHODS.iter().filter(|m| m.access == Access::Handshake).map(|m| m.name).collect();
        assert_eq!(open, ["initialize"]);
    }
}
