//! The connections of one host: opened when needed, shared, reopened after a loss.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use russh::{Channel, ChannelOpenFailure, client::Msg};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::{
    channel::{self, Tunnel},
    command::Command,
    connection::{self, Connection, Open},
    error::SshError,
    target::Target,
};
use crate::docker::Lane;

/// First pause after a failed attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a refused session is asked for again, and the pause before each. sshd takes what arrives together in one
/// go and counts the sessions that closed only after it, so commands that follow others closely can meet its limit.
const SESSION_TRIES: u32 = 20;
const SESSION_PAUSE: Duration = Duration::from_millis(25);

/// A host's two lanes.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) target: Target,
    control: Mutex<State>,
    bulk: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Arc<Connection>>,
    failures: u32,
    last: Option<Failure>,
}

struct Failure {
    at: Instant,
    pause: Duration,
    error: SshError,
}

impl Link {
    pub(super) fn new(name: String, target: Target) -> Self {
        Self {
            name,
            target,
            control: Mutex::default(),
            bulk: Mutex::default(),
        }
    }

    /// The live connection of a lane, opened if there is none. After a failure the next attempt waits its turn
    /// (1 s doubling to 30 s, with jitter), and everybody who waited meanwhile gets the same answer.
    pub(super) async fn connection(&self, lane: Lane) -> Result<Arc<Connection>, SshError> {
        let asked = Instant::now();
        let mut state = match lane {
            Lane::Control => &self.control,
            Lane::Bulk => &self.bulk,
        }
        .lock()
        .await;
        if let Some(live) = state
            .live
            .as_ref()
            .filter(|connection| connection.is_alive())
        {
            return Ok(live.clone());
        }
        state.live = None;
        if let Some(Failure { at, pause, error }) = &state.last {
            if *at > asked {
                return Err(error.clone());
            }
            tokio::time::sleep_until((*at + *pause).into()).await;
        }
        match Connection::open(&self.name, &self.target).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *state = State {
                    live: Some(connection.clone()),
                    ..State::default()
                };
                tracing::info!(host = self.name, ?lane, "connected");
                Ok(connection)
            }
            Err(error) => {
                let pause = FIRST_PAUSE
                    .saturating_mul(1 << state.failures.min(5))
                    .min(LONGEST_PAUSE);
                let pause = pause.mul_f64(rand::random_range(0.8..1.2));
                state.failures += 1;
                state.last = Some(Failure {
                    at: Instant::now(),
                    pause,
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    /// Opens a channel. A connection that turns out to be dead is replaced once: nothing was sent on it yet.
    pub(super) async fn channel(
        &self,
        lane: Lane,
        open: Open<'_>,
    ) -> Result<(Channel<Msg>, Option<OwnedSemaphorePermit>), SshError> {
        let mut fresh = false;
        let mut tries = 0;
        loop {
            let connection = self.connection(lane).await?;
            match connection.channel(open).await {
                Ok(channel) => return Ok(channel),
                Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed))
                    if matches!(open, Open::Session) && tries < SESSION_TRIES =>
                {
                    tries += 1;
                    tokio::time::sleep(SESSION_PAUSE).await;
                }
                Err(russh::Error::ChannelOpenFailure(failure)) => {
                    return Err(SshError::Refused {
                        host: self.name.clone(),
                        what: match open {
                            Open::Session => "a session".into(),
                            Open::Socket(path) => format!("the socket {path}"),
                            Open::Port(host, port) => format!("{host}:{port}"),
                        },
                        why: connection::reason(&failure),
                    });
                }
                Err(_) if !fresh => fresh = true,
                Err(_) => return Err(self.lost()),
            }
        }
    }

    /// A stream to a socket or a port.
    pub(super) async fn tunnel(&self, lane: Lane, open: Open<'_>) -> Result<Tunnel, SshError> {
        let (channel, permit) = self.channel(lane, open).await?;
        let (inbound, write) = channel::drain(channel, permit);
        Ok(Tunnel::new(inbound, &write))
    }

    /// A stream to a command's standard input and output.
    pub(super) async fn pipe(&self, lane: Lane, command: &Command) -> Result<Tunnel, SshError> {
        let (channel, permit) = self.channel(lane, Open::Session).await?;
        let (inbound, write) = channel::drain(channel, permit);
        write
            .exec(false, command.to_string())
            .await
            .map_err(|_| self.lost())?;
        Ok(Tunnel::new(inbound, &write))
    }

    pub(super) fn lost(&self) -> SshError {
        SshError::Lost {
            host: self.name.clone(),
        }
    }
}
