//! A server on a free loopback port, on a thread of its own, so that plain tests can use it.

use std::thread::JoinHandle;

use anyhow::{Context, Result};
use axum::Router;
use tokio::sync::oneshot;

/// Dropping it stops the server.
pub(super) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A port that is bound and not served yet: some answers have the address in them.
pub(super) struct Bound(std::net::TcpListener);

impl Bound {
    pub(super) fn free() -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no loopback port is free")?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    pub(super) fn url(&self) -> Result<String> {
        Ok(format!("http://{}", self.0.local_addr()?))
    }

    pub(super) fn serve(self, name: &str, app: Router) -> Result<Server> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(self.0).expect("a bound listener");
                // Not the graceful way: a hanging answer would never let it end.
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Server { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
