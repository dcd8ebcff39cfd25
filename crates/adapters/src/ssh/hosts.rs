//! The hosts in use, each with its connections.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{Mutex, OnceCell};

use super::{channel::Tunnel, connection::Open, error::SshError, link::Link, target::Target};
use crate::docker::{Engine, Lane};

/// All hosts that were connected to, by name. Cheap to clone; clones share the connections.
#[derive(Clone, Default)]
pub struct Hosts(Arc<Mutex<HashMap<String, Host>>>);

impl Hosts {
    /// No connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The host of this name, with a live connection.
    ///
    /// A connection that is there is reused; one to a target that has changed since is replaced. While a host is down
    /// each attempt waits its turn (1 s doubling to 30 s): wrap the call in a timeout where a quick answer matters.
    pub async fn connect(&self, name: &str, target: &Target) -> Result<Host, SshError> {
        let host = {
            let mut hosts = self.0.lock().await;
            match hosts.get(name) {
                Some(host) if host.link.target == *target => host.clone(),
                _ => {
                    let host = Host::new(name, target);
                    hosts.insert(name.to_owned(), host.clone());
                    host
                }
            }
        };
        host.link.connection(Lane::Control).await?;
        Ok(host)
    }

    /// Forgets a host: its connections end when the last user of them is done.
    pub async fn forget(&self, name: &str) {
        self.0.lock().await.remove(name);
    }
}

/// A server. Cheap to clone; clones share the connections, which come back by themselves after a loss.
#[derive(Clone)]
pub struct Host {
    pub(super) link: Arc<Link>,
    pub(super) engine: Arc<OnceCell<Engine>>,
    pub(super) sudo: bool,
}

impl Host {
    fn new(name: &str, target: &Target) -> Self {
        let link = Arc::new(Link::new(name.to_owned(), target.clone()));
        Self {
            link,
            engine: Arc::default(),
            sudo: false,
        }
    }

    /// The name given to [`Hosts::connect`].
    pub fn name(&self) -> &str {
        &self.link.name
    }

    /// The same host, where every command and file operation runs as root through `sudo -n`.
    pub fn sudo(&self) -> Self {
        Self {
            sudo: true,
            ..self.clone()
        }
    }

    /// A TCP connection from the server to `host:port`, as the server reaches it.
    pub async fn tunnel(&self, host: &str, port: u16) -> Result<Tunnel, SshError> {
        self.link
            .tunnel(Lane::Control, Open::Port(host, port))
            .await
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.link.name)
            .field("sudo", &self.sudo)
            .finish_non_exhaustive()
    }
}
