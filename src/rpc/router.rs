//! Which handler serves which method: jsonrpsee's registry behind typed registration.
use std::{collections::HashMap, future::Future, sync::Arc};

use jsonrpsee::{Extensions, Methods, RpcModule, core::server::MethodCallback, types::Params};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::{
    error::{RpcError, clip},
    peer::PeerHandle,
};
use crate::protocol::{
    errors::{INTERNAL_ERROR, INVALID_PARAMS},
    methods::{Access, Cancel, Method, Notification},
};

/// What a handler gets besides its params.
#[derive(Clone)]
pub struct CallContext {
    /// Fires on `$/cancel` for this request, and on nothing else: the end of the connection is not the caller's wish.
    /// The handler decides what cancelling means; it answers in any case.
    pub cancel: CancellationToken,
    /// The caller.
    pub peer: PeerHandle,
}

type Notify = Box<dyn Fn(Option<&str>, &PeerHandle) -> Result<(), RpcError> + Send + Sync>;

/// Handlers of one connection.
pub struct Router {
    methods: Methods,
    notifications: HashMap<&'static str, Notify>,
    /// Served first and once; without one the connection is open from the start.
    pub(super) handshake: Option<&'static str>,
}

impl Router {
    pub fn builder() -> RouterBuilder {
        RouterBuilder { module: RpcModule::new(()), notifications: HashMap::new(), handshake: None }
    }

    pub(super) fn method(&self, name: &str) -> Option<(&'static str, &MethodCallback)> {
        self.methods.method_with_name(name)
    }

    /// `None` when there is no such notification here.
    pub(super) fn notify(
        &self,
        name: &str,
        params: Option<&str>,
        peer: &PeerHandle,
    ) -> Option<Result<(), RpcError>> {
        self.notifications.get(name).map(|handler| handler(params, peer))
    }
}

/// Registering a name twice panics: it is a fault of the program, seen at its first start.
pub struct RouterBuilder {
    module: RpcModule<()>,
    notifications: HashMap<&'static str, Notify>,
    handshake: Option<&'static str>,
}

impl RouterBuilder {
    /// A handler in a task of its own; any number run at one time. It is dropped at its next await when the connection
    /// has ended, so it keeps nothing that must survive: state belongs to the engine.
    pub fn request<M, F, Fut>(mut self, _: M, handler: F) -> Self
    where
        M: Method,
        F: Fn(M::Params, CallContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<M::Result, RpcError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let registered = self.module.register_async_method(M::NAME, move |params, _, extensions| {
            let handler = handler.clone();
            async move {
                let call = context(&extensions)?;
                handler(decode(M::NAME, params.as_str())?, call).await
            }
        });
        assert!(registered.is_ok(), "{} has two handlers", M::NAME);
        self.note_handshake::<M>();
        self
    }

    /// A handler that answers at once, in the reading task. It may not block: everything behind it waits.
    pub fn sync<M, F>(mut self, _: M, handler: F) -> Self
    where
        M: Method,
        F: Fn(M::Params, &CallContext) -> Result<M::Result, RpcError> + Send + Sync + 'static,
    {
        let registered =
            self.module.register_method(M::NAME, move |params: Params<'_>, _, extensions: &Extensions| {
                handler(decode(M::NAME, params.as_str())?, &context(extensions)?)
            });
        assert!(registered.is_ok(), "{} has two handlers", M::NAME);
        self.note_handshake::<M>();
        self
    }

    /// A handler in the reading task, which keeps the order of arrival. It may not block.
    pub fn notification<N, F>(mut self, _: N, handler: F) -> Self
    where
        N: Notification,
        F: Fn(N::Params, &PeerHandle) + Send + Sync + 'static,
    {
        assert_ne!(N::NAME, Cancel::NAME, "the connection handles it");
        let notify: Notify = Box::new(move |params, peer| {
            handler(decode(N::NAME, params)?, peer);
            Ok(())
        });
        assert!(self.notifications.insert(N::NAME, notify).is_none(), "{} has two handlers", N::NAME);
        self
    }

    fn note_handshake<M: Method>(&mut self) {
        if M::ACCESS == Access::Handshake {
            self.handshake = Some(M::NAME);
        }
    }

    pub fn build(self) -> Router {
        Router { methods: self.module.into(), notifications: self.notifications, handshake: self.handshake }
    }
}

fn context(extensions: &Extensions) -> Result<CallContext, RpcError> {
    extensions.get().cloned().ok_or_else(|| RpcError::new(INTERNAL_ERROR, "called outside a connection"))
}

/// Absent params are no params. An array is refused, which serde would take by position.
pub(super) fn decode<P: DeserializeOwned>(method: &str, params: Option<&str>) -> Result<P, RpcError> {
    let params = params.unwrap_or("{}");
    if !params.starts_with('{') {
        return Err(RpcError::new(INVALID_PARAMS, format!("params of {method} must be an object")));
    }
    serde_json::from_str(params).map_err(|e| {
        // serde quotes unknown names, and a name may be as long as a line.
        RpcError::new(INVALID_PARAMS, format!("params of {method}: {}", clip(&e.to_string())))
    })
}
