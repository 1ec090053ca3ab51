//! The host port over the connection to the shim.
use crate::domain::ids::{Directory, HostSessionId, Role};
use crate::ports::Fut;
use crate::ports::host::*;
use crate::protocol::errors;
use crate::protocol::methods as m;
use crate::protocol::methods::Method;
use crate::protocol::types as wire;
use crate::rpc::{CallError, PeerHandle, host_types as convert};
use std::sync::OnceLock;
use std::time::Duration;

/// A host call takes milliseconds; the first one in a new directory boots it, which takes seconds.
const CALL: Duration = Duration::from_secs(30);
/// How long a toast stays, in milliseconds.
const TOAST_MS: u32 = 5_000;

/// The peer is known only once the connection stands, and the connection serves an engine that has this host: so the
/// peer is put in afterwards.
#[derive(Default)]
pub struct StdioHost {
    peer: OnceLock<PeerHandle>,
}

impl StdioHost {
    /// Once; a second connection is a second host.
    pub fn connect(&self, peer: PeerHandle) {
        let first = self.peer.set(peer).is_ok();
        debug_assert!(first, "connected twice");
    }

    async fn call<M: Method>(&self, method: M, params: M::Params) -> Result<M::Result, HostError> {
        let peer = self.peer.get().ok_or(HostError::Closed)?;
        peer.call(method, &params, CALL).await.map_err(|error| match error {
            CallError::Timeout { after, .. } => HostError::TimedOut(after.as_millis() as u64),
            CallError::Closed { .. } => HostError::Closed,
            CallError::Remote(error) => HostError::Refused(remote_fault(error)),
            other => HostError::Refused(HostFault {
                name: "WireError".into(),
                message: other.to_string(),
                status: None,
            }),
        })
    }
}

/// The host's own words for its error where the shim passed them on.
fn remote_fault(error: crate::rpc::RpcError) -> HostFault {
    let named = error.data.filter(|_| error.code == errors::HOST);
    let named = named.and_then(|data| serde_json::from_value::<wire::HostFault>(data).ok());
    named.map(convert::fault).unwrap_or(HostFault {
        name: "ShimError".into(),
        message: error.message,
        status: None,
    })
}

impl Host for StdioHost {
    fn create(&self, new: NewSession) -> Fut<'_, Result<HostSessionId, HostError>> {
        Box::pin(async move {
            let params = wire::SessionCreateParams {
                directory: new.directory.0,
                folder: new.folder,
                parent: new.parent.map(|p| p.0),
                title: new.title,
                agent: new.role.name().into(),
                model: new.model,
                key: new.key,
                adopt: new.adopt,
            };
            Ok(HostSessionId(self.call(m::HostSessionCreate, params).await?.session))
        })
    }

    fn open_folder(&self, directory: Directory, folder: String) -> Fut<'_, Result<(), HostError>> {
        Box::pin(async move {
            let params = wire::FolderParams { directory: directory.0, folder };
            self.call(m::HostFolderOpen, params).await.map(|_| ())
        })
    }

    fn prompt(
        &self,
        directory: Directory,
        session: HostSessionId,
        role: Role,
        text: String,
        no_reply: bool,
    ) -> Fut<'_, Result<(), HostError>> {
        Box::pin(async move {
            let params = wire::SessionPromptParams {
                directory: directory.0,
                session: session.0,
                agent: role.name().into(),
                text,
                no_reply,
            };
            self.call(m::HostSessionPrompt, params).await.map(|_| ())
        })
    }

    fn abort(&self, directory: Directory, session: HostSessionId) -> Fut<'_, Result<(), HostError>> {
        Box::pin(async move {
            let params = wire::SessionParams { directory: directory.0, session: session.0 };
            self.call(m::HostSessionAbort, params).await.map(|_| ())
        })
    }

    fn status(
        &self,
        directory: Directory,
        sessions: Vec<HostSessionId>,
    ) -> Fut<'_, Result<Vec<(HostSessionId, TurnState)>, HostError>> {
        Box::pin(async move {
            let params = wire::SessionStatusParams {
                directory: directory.0,
                sessions: sessions.into_iter().map(|s| s.0).collect(),
            };
            let found = self.call(m::HostSessionStatus, params).await?.sessions;
            Ok(found.into_iter().map(|s| (HostSessionId(s.session), convert::turn_state(s.state))).collect())
        })
    }

    fn messages(
        &self,
        directory: Directory,
        session: HostSessionId,
        limit: u32,
    ) -> Fut<'_, Result<Vec<HostMessage>, HostError>> {
        Box::pin(async move {
            let params = wire::SessionMessagesParams { directory: directory.0, session: session.0, limit };
            let found = self.call(m::HostSessionMessages, params).await?.messages;
            Ok(found.into_iter().map(convert::message).collect())
        })
    }

    fn asks(&self, directory: Directory, session: HostSessionId) -> Fut<'_, Result<Vec<HostAsk>, HostError>> {
        Box::pin(async move {
            let params = wire::SessionParams { directory: directory.0, session: session.0 };
            let asks = self.call(m::HostPermissionList, params).await?.asks;
            Ok(asks.into_iter().map(convert::ask).collect())
        })
    }

    fn answer_ask(
        &self,
        directory: Directory,
        session: HostSessionId,
        ask: String,
        refusal: Option<String>,
    ) -> Fut<'_, Result<(), HostError>> {
        Box::pin(async move {
            let params =
                wire::PermissionReplyParams { directory: directory.0, session: session.0, id: ask, refusal };
            self.call(m::HostPermissionReply, params).await.map(|_| ())
        })
    }

    fn toast(
        &self,
        directory: Directory,
        kind: ToastKind,
        title: String,
        message: String,
    ) -> Fut<'_, Result<(), HostError>> {
        Box::pin(async move {
            let variant = convert::variant(kind);
            let params =
                wire::ToastParams { directory: directory.0, title, message, variant, duration: TOAST_MS };
            self.call(m::HostToast, params).await.map(|_| ())
        })
    }

    fn progress(
        &self,
        directory: Directory,
        session: HostSessionId,
        call: String,
        title: String,
        metadata: Vec<(String, String)>,
    ) -> Fut<'_, Result<(), HostError>> {
        Box::pin(async move {
            let metadata = metadata.into_iter().map(|(k, v)| (k, v.into())).collect();
            let params =
                wire::ProgressParams { directory: directory.0, session: session.0, call, title, metadata };
            self.call(m::HostProgress, params).await.map(|_| ())
        })
    }
}
