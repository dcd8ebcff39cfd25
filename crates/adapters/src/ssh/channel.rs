//! Channels that are always drained.
//!
//! The SSH library hands data over in its only session loop and waits there while a channel's reader is busy: one stalled
//! reader would freeze every other channel of the connection. So each channel has a task that takes what comes at once and
//! keeps at most [`BACKLOG`] bytes for its reader; past that the channel, and only it, is closed.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{
        OwnedSemaphorePermit,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::timeout,
};

use super::exec::Exit;

/// Bytes that may wait for a reader of one channel.
pub(super) const BACKLOG: usize = 32 << 20;
/// How long the server may take to end a channel that it was asked to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What arrives on a channel.
#[derive(Debug)]
pub(super) enum Event {
    Stdout(Bytes),
    Stderr(Bytes),
    Exit(Exit),
    Eof,
    End(End),
}

/// Why nothing more arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Behind,
    Lost,
}

/// The reading side. Dropping it closes the channel, and ends the command that runs in it.
#[derive(Debug)]
pub(super) struct Inbound {
    events: UnboundedReceiver<Event>,
    waiting: Arc<AtomicUsize>,
}

impl Inbound {
    /// The next event; the last one is always [`Event::End`].
    pub(super) async fn next(&mut self) -> Event {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let event = ready!(self.events.poll_recv(cx)).unwrap_or(Event::End(End::Lost));
        if let Event::Stdout(data) | Event::Stderr(data) = &event {
            self.waiting.fetch_sub(data.len(), Relaxed);
        }
        Poll::Ready(event)
    }
}

/// Starts draining `channel`. `permit`, if any, is given back when the server has closed it.
pub(super) fn drain(
    channel: Channel<Msg>,
    permit: Option<OwnedSemaphorePermit>,
) -> (Inbound, Arc<ChannelWriteHalf<Msg>>) {
    let (read, write) = channel.split();
    let write = Arc::new(write);
    let (sender, events) = unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    tokio::spawn(pump(read, write.clone(), sender, waiting.clone(), permit));
    (Inbound { events, waiting }, write)
}

async fn pump(
    mut read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    events: UnboundedSender<Event>,
    waiting: Arc<AtomicUsize>,
    permit: Option<OwnedSemaphorePermit>,
) {
    let end = loop {
        let message = tokio::select! {
            biased;
            () = events.closed() => break None,
            message = read.wait() => message,
        };
        let event = match message {
            Some(ChannelMsg::Data { data }) => Event::Stdout(data),
            Some(ChannelMsg::ExtendedData { data, ext: 1 }) => Event::Stderr(data),
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                Event::Exit(Exit::Code(exit_status.cast_signed()))
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                Event::Exit(Exit::Signal(signal(&signal_name)))
            }
            Some(ChannelMsg::Eof) => Event::Eof,
            Some(ChannelMsg::Close) => break Some(End::Closed),
            None => break Some(End::Lost),
            Some(_) => continue,
        };
        if let Event::Stdout(data) | Event::Stderr(data) = &event
            && waiting.fetch_add(data.len(), Relaxed) + data.len() > BACKLOG
        {
            break Some(End::Behind);
        }
        // A failing send means that the reader is gone, which the next turn sees.
        let _ = events.send(event);
    };
    if let Some(end) = end {
        let _ = events.send(Event::End(end));
    }
    if matches!(end, None | Some(End::Behind)) {
        part(read, &write, permit.is_some()).await;
    }
}

/// Ends a channel that nobody reads any more, so that the server is done with it when this returns.
///
/// The library forgets a channel that we close first and never tells when the server has closed it too, so the server
/// is asked to end it: a command by SIGTERM, which sshd passes to its process group (not for root), everything else by
/// the end of its input. Closing is for those that do not listen. Meanwhile the channel is still drained.
async fn part(mut read: ChannelReadHalf, write: &ChannelWriteHalf<Msg>, is_command: bool) {
    let ask = async {
        if is_command {
            let _ = write.signal(Sig::TERM).await;
        }
        let _ = write.eof().await;
    };
    let drain = async { while !matches!(read.wait().await, Some(ChannelMsg::Close) | None) {} };
    if timeout(PATIENCE, async { tokio::join!(ask, drain) })
        .await
        .is_err()
    {
        // Dropped first: the session loop may be waiting for room in it, and could not send the close.
        drop(read);
        let _ = write.close().await;
    }
}

fn signal(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        named => format!("{named:?}"),
    }
}

/// A byte stream through the connection: a forwarded port, a forwarded socket or a command's input and output.
pub struct Tunnel {
    inbound: Inbound,
    ready: Bytes,
    ended: bool,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Tunnel {
    pub(super) fn new(inbound: Inbound, write: &ChannelWriteHalf<Msg>) -> Self {
        Self {
            inbound,
            ready: Bytes::new(),
            ended: false,
            writer: Box::pin(write.make_writer()),
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() && !this.ended {
            match ready!(this.inbound.poll_next(cx)) {
                Event::Stdout(data) => this.ready = data,
                Event::Eof | Event::End(End::Closed) => this.ended = true,
                Event::End(End::Lost) => {
                    let lost = "the SSH connection was lost";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, lost)));
                }
                Event::End(End::Behind) => {
                    let behind = "the stream was read too slowly and was closed";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, behind)));
                }
                Event::Stderr(_) | Event::Exit(_) => {}
            }
        }
        let n = this.ready.len().min(out.remaining());
        out.put_slice(&this.ready[..n]);
        this.ready.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        // The library calls an empty write an error.
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.writer.as_mut().poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}
