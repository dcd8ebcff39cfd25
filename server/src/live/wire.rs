//! One websocket: writes that do not wait for ever, signs of life, and the question whether its reader may still
//! listen.
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use portal::Error;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::{Periods, Subject};
use crate::http::{Credential, Server, identify_again};

/// A viewer that does not take a frame for this long is let go; it comes again with its cursor.
const WRITE: Duration = Duration::from_secs(10);
/// How many signs of life may stay without an answer.
const UNANSWERED: u8 = 2;
/// How long a viewer has to take its leave.
const LEAVE: Duration = Duration::from_secs(1);

/// Why a viewer is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Everything was sent.
    Done,
    /// It has gone, or takes nothing any more.
    Gone,
    /// The portal stops.
    Stopping,
    /// Its session or token is not good any more.
    SignedOut,
    /// It may not see this any more.
    NotAllowed,
    /// Something is wrong here; later it may not be.
    TryAgain,
}

impl Ending {
    /// The close code (RFC 6455 §7.4; from 4000 on our own) and its reason.
    fn code(self) -> Option<(u16, &'static str)> {
        match self {
            Ending::Gone => None,
            Ending::Done => Some((1000, "the run has ended")),
            Ending::Stopping => Some((1001, "the portal stops")),
            Ending::TryAgain => Some((1013, "try again later")),
            Ending::SignedOut => Some((4401, "signed out")),
            Ending::NotAllowed => Some((4403, "not allowed any more")),
        }
    }
}

/// A websocket and who listens at it.
pub(super) struct Wire {
    sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
    server: Server,
    credential: Credential,
    subject: Subject,
    ping: Interval,
    unanswered: u8,
    recheck: Interval,
}

enum Due {
    News,
    Stop,
    Ping,
    Recheck,
    Heard(Option<Result<Message, axum::Error>>),
}

impl Wire {
    pub(super) fn new(
        socket: WebSocket,
        server: Server,
        credential: Credential,
        subject: Subject,
    ) -> Self {
        let (sink, stream) = socket.split();
        let Periods { ping, recheck } = server.periods;
        let every = |period: Duration| {
            let mut interval = interval_at(tokio::time::Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        Self {
            sink,
            stream,
            server,
            credential,
            subject,
            ping: every(ping),
            unanswered: 0,
            recheck: every(recheck),
        }
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, frame: Utf8Bytes) -> Result<(), Ending> {
        self.write(Message::Text(frame)).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Ending> {
        let stopping = self.server.stopping.clone();
        tokio::select! {
            written = tokio::time::timeout(WRITE, self.sink.send(message)) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(Ending::Gone),
            },
            () = stopping.cancelled() => Err(Ending::Stopping),
        }
    }

    /// Waits for news, and meanwhile does what a connection needs.
    pub(super) async fn until(&mut self, news: impl Future<Output = ()>) -> Result<(), Ending> {
        let mut news = std::pin::pin!(news);
        loop {
            let due = tokio::select! {
                biased;
                () = self.server.stopping.cancelled() => Due::Stop,
                _ = self.recheck.tick() => Due::Recheck,
                _ = self.ping.tick() => Due::Ping,
                heard = self.stream.next() => Due::Heard(heard),
                () = &mut news => Due::News,
            };
            match due {
                Due::News => return Ok(()),
                Due::Stop => return Err(Ending::Stopping),
                Due::Recheck => self.still_may().await?,
                Due::Ping if self.unanswered >= UNANSWERED => return Err(Ending::Gone),
                Due::Ping => {
                    self.unanswered += 1;
                    self.write(Message::Ping(Default::default())).await?;
                }
                Due::Heard(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                    return Err(Ending::Gone);
                }
                Due::Heard(Some(Ok(_))) => self.unanswered = 0,
            }
        }
    }

    async fn still_may(&self) -> Result<(), Ending> {
        let caller = match identify_again(&self.server, &self.credential).await {
            Ok(Some(caller)) => caller,
            Ok(None) => return Err(Ending::SignedOut),
            Err(error) => {
                tracing::warn!(%error, "a viewer's rights cannot be looked at");
                return Err(Ending::TryAgain);
            }
        };
        match self.subject.bell(&self.server.portal, &caller.actor).await {
            Ok(_) => Ok(()),
            Err(Error::Denied(_) | Error::NotFound(_)) => Err(Ending::NotAllowed),
            Err(_) => Err(Ending::TryAgain),
        }
    }

    /// Says why, and waits a moment for the viewer to hear it.
    pub(super) async fn close(mut self, ending: Ending) {
        let Some((code, reason)) = ending.code() else {
            return;
        };
        let leave = async {
            let close = CloseFrame {
                code,
                reason: Utf8Bytes::from_static(reason),
            };
            if self.sink.send(Message::Close(Some(close))).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        // One that does not listen any more loses nothing: it will connect again.
        let _ = tokio::time::timeout(LEAVE, leave).await;
    }
}
