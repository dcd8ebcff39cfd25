//! One SSH connection: reach, check the key, log in, open channels.

use std::{sync::Arc, time::Duration};

use russh::{
    Channel, ChannelOpenFailure,
    client::{self, Handle, Msg},
    keys::PublicKeyOrCertificate,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    auth,
    channel::{self, End, Event},
    error::SshError,
    exec::Exit,
    target::{Fingerprint, Target},
};

/// Until the server has shown its key.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Until it has said yes or no: PAM may look things up, and delays its "no".
const LOGIN: Duration = Duration::from_secs(20);
/// OpenSSH allows ten sessions on a connection (`MaxSessions`); two stay free for what we do not count.
const SESSIONS: usize = 8;

/// A logged-in connection.
pub(super) struct Connection {
    handle: Handle<Verify>,
    sessions: Arc<Semaphore>,
}

/// What to open a channel to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Open<'a> {
    /// A command; counted, see [`SESSIONS`].
    Session,
    /// A Unix socket on the server.
    Socket(&'a str),
    /// A TCP port as the server reaches it.
    Port(&'a str, u16),
}

impl Connection {
    /// Connects and logs in. Nothing secret is sent before the server's key was found to be the pinned one.
    pub(super) async fn open(host: &str, target: &Target) -> Result<Self, SshError> {
        let unreachable = |why: String| SshError::Unreachable {
            host: host.to_owned(),
            why,
        };
        let mut handle = match reach(&target.address, target.port, target.host_key.clone()).await {
            Ok(handle) => handle,
            Err(Handshake::Unknown(found)) => {
                return Err(SshError::HostKeyUnknown {
                    host: host.to_owned(),
                    found,
                });
            }
            Err(Handshake::Changed { pinned, found }) => {
                return Err(SshError::HostKeyChanged {
                    host: host.to_owned(),
                    pinned,
                    found,
                });
            }
            Err(Handshake::Failed(why)) => return Err(unreachable(why)),
        };
        timeout(LOGIN, auth::log_in(host, target, &mut handle))
            .await
            .map_err(|_| {
                unreachable(format!(
                    "the login was not answered within {} s",
                    LOGIN.as_secs()
                ))
            })??;
        let connection = Self {
            handle,
            sessions: Arc::new(Semaphore::new(SESSIONS)),
        };
        connection.greet(host, &target.user).await?;
        Ok(connection)
    }

    /// Runs `true`. This finds accounts without a shell, and it makes sshd turn Nagle's algorithm off, which it only
    /// does at the first session of a connection: without it, forwarded streams stall 40 ms at a time.
    async fn greet(&self, host: &str, user: &str) -> Result<(), SshError> {
        let lost = || SshError::Lost {
            host: host.to_owned(),
        };
        let no_shell = |why: String| SshError::NoShell {
            host: host.to_owned(),
            user: user.to_owned(),
            why,
        };
        let (channel, permit) = self
            .channel(Open::Session)
            .await
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(reason) => no_shell(format!("{reason:?}")),
                _ => lost(),
            })?;
        let (mut inbound, write) = channel::drain(channel, permit);
        write.exec(false, "true").await.map_err(|_| lost())?;
        let mut words = Vec::new();
        let mut exit = None;
        loop {
            match inbound.next().await {
                Event::Stdout(data) | Event::Stderr(data) => words.extend_from_slice(&data),
                Event::Exit(status) => exit = Some(status),
                Event::Eof => {}
                Event::End(End::Closed) if exit == Some(Exit::Code(0)) => return Ok(()),
                Event::End(End::Closed) => {
                    return Err(no_shell(String::from_utf8_lossy(&words).trim().to_owned()));
                }
                Event::End(End::Lost | End::Behind) => return Err(lost()),
            }
        }
    }

    /// False as soon as the library knows that the connection ended; a silent peer is noticed after 15 to 20 s.
    pub(super) fn is_alive(&self) -> bool {
        !self.handle.is_closed()
    }

    /// Opens a channel, waiting for a free session where those are counted.
    pub(super) async fn channel(
        &self,
        open: Open<'_>,
    ) -> Result<(Channel<Msg>, Option<OwnedSemaphorePermit>), russh::Error> {
        match open {
            Open::Session => {
                let permit = self
                    .sessions
                    .clone()
                    .acquire_owned()
                    .await
                    .map_err(|_| russh::Error::Disconnect)?;
                Ok((self.handle.channel_open_session().await?, Some(permit)))
            }
            Open::Socket(path) => Ok((
                self.handle.channel_open_direct_streamlocal(path).await?,
                None,
            )),
            Open::Port(host, port) => {
                let channel = self
                    .handle
                    .channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0)
                    .await?;
                Ok((channel, None))
            }
        }
    }
}

/// The server's reason in words that help.
pub(super) fn reason(failure: &ChannelOpenFailure) -> String {
    match failure {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "sshd forbids it (see AllowTcpForwarding and AllowStreamLocalForwarding)".into()
        }
        ChannelOpenFailure::ConnectFailed => "nothing answers there, or sshd forbids it".into(),
        ChannelOpenFailure::ResourceShortage => "it is short of resources".into(),
        other => format!("{other:?}"),
    }
}

/// The fingerprint of the key that a server shows, for pinning it. Nothing is sent to the server but the key exchange.
pub async fn host_key(address: &str, port: u16) -> Result<Fingerprint, SshError> {
    let unreachable = |why: String| SshError::Unreachable {
        host: format!("{address}:{port}"),
        why,
    };
    match reach(address, port, None).await {
        Err(Handshake::Unknown(found)) => Ok(found),
        Err(Handshake::Failed(why)) => Err(unreachable(why)),
        Err(Handshake::Changed { .. }) | Ok(_) => Err(unreachable("it showed no key".into())),
    }
}

async fn reach(
    address: &str,
    port: u16,
    pinned: Option<Fingerprint>,
) -> Result<Handle<Verify>, Handshake> {
    let config = client::Config {
        window_size: 8 << 20,
        maximum_packet_size: 32768,
        nodelay: true,
        keepalive_interval: Some(Duration::from_secs(5)),
        keepalive_max: 3,
        ..client::Config::default()
    };
    timeout(
        HANDSHAKE,
        client::connect(Arc::new(config), (address, port), Verify { pinned }),
    )
    .await
    .unwrap_or_else(|_| {
        Err(Handshake::Failed(format!(
            "{address}:{port} did not answer within {} s",
            HANDSHAKE.as_secs()
        )))
    })
}

/// Compares the server's key with the pinned one.
pub(super) struct Verify {
    pinned: Option<Fingerprint>,
}

/// Why a connection did not get as far as the login.
#[derive(Debug)]
pub(super) enum Handshake {
    Unknown(Fingerprint),
    Changed {
        pinned: Fingerprint,
        found: Fingerprint,
    },
    Failed(String),
}

impl From<russh::Error> for Handshake {
    fn from(error: russh::Error) -> Self {
        Self::Failed(match error {
            russh::Error::HUP | russh::Error::Disconnect => {
                "it closed the connection at once (is this port sshd, and does it let this address in?)".into()
            }
            other => other.to_string(),
        })
    }
}

impl client::Handler for Verify {
    type Error = Handshake;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Handshake> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Err(Handshake::Failed(
                "it shows a host certificate, and only plain host keys can be pinned".into(),
            ));
        };
        let found = Fingerprint::from(key);
        match &self.pinned {
            Some(pinned) if *pinned == found => Ok(true),
            Some(pinned) => Err(Handshake::Changed {
                pinned: pinned.clone(),
                found,
            }),
            None => Err(Handshake::Unknown(found)),
        }
    }
}
