//! One running stand-in: bound to its address, stopped when dropped.
//!
//! Both stand-ins are plain axum routers; what they share is only how they start and end.

use std::{io, net::SocketAddr, path::PathBuf};

use axum::serve::ListenerExt;
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::folder::Folder;

/// Who answers on a port: both stand-ins say it on `GET /_lab/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The folder of its lab, which is different in each checkout.
    pub lab: PathBuf,
}

impl Holder {
    fn this() -> Self {
        Self {
            pid: std::process::id(),
            lab: Folder::of_this_checkout().map_or_else(|_| PathBuf::new(), |it| it.real()),
        }
    }
}

/// A stand-in could not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "the {name} stand-in cannot listen on {listen}: {source}; free that port or set another one"
)]
pub struct ServeError {
    name: &'static str,
    listen: SocketAddr,
    source: io::Error,
}

/// A listener that has its port but answers nobody yet, so that a router can be told its own address.
pub(crate) struct Bound {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

/// Takes the port; port 0 takes any free one.
pub(crate) async fn bind(name: &'static str, listen: SocketAddr) -> Result<Bound, ServeError> {
    let fail = |source| ServeError {
        name,
        listen,
        source,
    };
    let listener = TcpListener::bind(listen).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok(Bound {
        name,
        listener,
        address,
    })
}

impl Bound {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn run(self, router: Router) -> Serving {
        let Self {
            name,
            listener,
            address,
        } = self;
        let holder = Holder::this();
        let router = router.route("/_lab/", get(move || async move { Json(holder) }));
        // As the servers that it stands in for: a small packet does not wait for the answer to the one before it.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await });
        tracing::info!(%address, "the {name} stand-in listens");
        Serving { address, task }
    }
}

/// A running stand-in. Dropping it stops it at once, requests under way included: some of them hang on purpose.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

impl Serving {
    /// Where it listens; with port 0 in the configuration, the port it was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until the listener fails, which on a healthy machine is never.
    pub async fn finished(mut self) {
        match (&mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a stand-in stopped serving"),
            Err(error) => tracing::error!(%error, "a stand-in stopped"),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}
