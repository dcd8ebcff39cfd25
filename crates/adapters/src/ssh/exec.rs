//! Running commands: separate streams, the exit status, input, and a lost connection that is never mistaken for a status.

use bytes::{Bytes, BytesMut};
use tokio_util::task::AbortOnDropHandle;

use super::{
    channel::{self, End, Event, Inbound},
    command::Command,
    connection::Open,
    error::SshError,
    hosts::Host,
};
use crate::docker::Lane;

/// Most that [`Host::exec`] keeps of a command's two streams together.
const MOST_OUTPUT: usize = 256 << 20;
/// A longer line is handed over in pieces of this size.
const LONGEST_LINE: usize = 1 << 20;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By a signal, named without `SIG`.
    Signal(String),
}

impl Exit {
    /// True for status 0.
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(name) => write!(f, "killed by SIG{name}"),
        }
    }
}

/// Which of a command's streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// All that a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: Exit,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Host {
    /// Runs a command and keeps what it writes. `stdin` is sent and then closed; `None` is an empty input.
    ///
    /// Dropping the future ends the command: its process group gets SIGTERM. OpenSSH refuses to pass that on where the
    /// account is root; there a command goes on until it writes to its closed output.
    /// Errors: [`SshError::Lost`] when the connection ends before the status is known, [`SshError::TooMuchOutput`].
    pub async fn exec(&self, command: &Command, stdin: Option<Bytes>) -> Result<Output, SshError> {
        let mut running = self.start(command, stdin).await?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = running
            .finish(|source, data| {
                match source {
                    Source::Stdout => stdout.extend_from_slice(data),
                    Source::Stderr => stderr.extend_from_slice(data),
                }
                stdout.len() + stderr.len() <= MOST_OUTPUT
            })
            .await?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// Runs a command and hands over each line (without its end) as it comes. The callback must not block.
    ///
    /// A line that has no end yet after 1 MiB is handed over in pieces. The rest is as with [`Host::exec`].
    pub async fn exec_lines(
        &self,
        command: &Command,
        stdin: Option<Bytes>,
        mut on_line: impl FnMut(Source, &[u8]),
    ) -> Result<Exit, SshError> {
        let mut running = self.start(command, stdin).await?;
        let (mut out, mut err) = (Lines::default(), Lines::default());
        let status = running
            .finish(|source, data| {
                match source {
                    Source::Stdout => out.feed(data, |line| on_line(source, line)),
                    Source::Stderr => err.feed(data, |line| on_line(source, line)),
                }
                true
            })
            .await;
        out.flush(|line| on_line(Source::Stdout, line));
        err.flush(|line| on_line(Source::Stderr, line));
        status
    }

    async fn start(&self, command: &Command, stdin: Option<Bytes>) -> Result<Running, SshError> {
        let line = if self.sudo {
            command.clone().sudo()
        } else {
            command.clone()
        }
        .to_string();
        let host = &self.link.name;
        if line.contains('\0') {
            return Err(SshError::BadCommand { host: host.clone() });
        }
        let (channel, permit) = self.link.channel(Lane::Control, Open::Session).await?;
        let (inbound, write) = channel::drain(channel, permit);
        write
            .exec(false, line.as_str())
            .await
            .map_err(|_| self.link.lost())?;
        // Besides the reading: a command that never reads its input would block us for ever.
        let feeding = tokio::spawn(async move {
            if let Some(data) = stdin {
                write.data_bytes(data).await?;
            }
            write.eof().await
        });
        Ok(Running {
            inbound,
            host: host.clone(),
            line,
            _feeding: AbortOnDropHandle::new(feeding),
        })
    }
}

/// A command that runs. Dropping it ends the command.
struct Running {
    inbound: Inbound,
    host: String,
    line: String,
    _feeding: AbortOnDropHandle<Result<(), russh::Error>>,
}

impl Running {
    /// Passes the output on until the end, or until `keep` says that it is too much.
    async fn finish(
        &mut self,
        mut keep: impl FnMut(Source, &[u8]) -> bool,
    ) -> Result<Exit, SshError> {
        let mut status = None;
        let host = || self.host.clone();
        loop {
            let (source, data) = match self.inbound.next().await {
                Event::Stdout(data) => (Source::Stdout, data),
                Event::Stderr(data) => (Source::Stderr, data),
                Event::Exit(exit) => {
                    status = Some(exit);
                    continue;
                }
                Event::Eof => continue,
                // Closed without a status: sshd's process for this connection was killed.
                Event::End(End::Closed | End::Lost) => {
                    return status.ok_or_else(|| SshError::Lost { host: host() });
                }
                Event::End(End::Behind) => return Err(SshError::Behind { host: host() }),
            };
            if !keep(source, &data) {
                return Err(SshError::TooMuchOutput {
                    host: host(),
                    command: self.line.clone(),
                    limit: MOST_OUTPUT,
                });
            }
        }
    }
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Lines(BytesMut);

impl Lines {
    fn feed(&mut self, mut data: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            if self.0.is_empty() {
                each(&data[..end]);
            } else {
                self.0.extend_from_slice(&data[..end]);
                each(&self.0);
                self.0.clear();
            }
            data = &data[end + 1..];
        }
        self.0.extend_from_slice(data);
        while self.0.len() > LONGEST_LINE {
            each(&self.0.split_to(LONGEST_LINE));
        }
    }

    fn flush(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            each(&self.0.split());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_the_stream_is_cut() {
        let text = b"one\n\ntwo and a half\nlast";
        for size in 1..text.len() {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.feed(piece, |line| {
                    seen.push(String::from_utf8_lossy(line).into_owned())
                });
            }
            lines.flush(|line| seen.push(String::from_utf8_lossy(line).into_owned()));
            assert_eq!(seen, ["one", "", "two and a half", "last"]);
        }
    }

    #[test]
    fn a_line_without_end_is_handed_over_in_pieces() {
        let (mut lines, mut sizes) = (Lines::default(), Vec::new());
        lines.feed(&vec![b'x'; 2 * LONGEST_LINE + 5], |line| {
            sizes.push(line.len())
        });
        lines.flush(|line| sizes.push(line.len()));
        assert_eq!(sizes, [LONGEST_LINE, LONGEST_LINE, 5]);
    }
}
