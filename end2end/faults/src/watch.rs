//! Somebody who uses the app all the time.
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A busy machine may take seconds to answer. That is slow and not wrong, so what waits is not given up early.
const PATIENCE: Duration = Duration::from_secs(30);
/// An answer that took longer is counted as slow.
const SLOW: Duration = Duration::from_secs(2);

/// The answer's status and body; `None` when there is none.
pub async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    ask("GET", address, path).await.ok()
}

/// The same with a POST that has no body.
pub async fn post(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    ask("POST", address, path).await.ok()
}

/// An answer, and why there is none: refused, cut off, or nothing within the [`PATIENCE`].
async fn ask(method: &str, address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let read = || {
            let (head, body) = answer.split_once("\r\n\r\n")?;
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some((status, body.to_owned()))
        };
        read().ok_or_else(|| io::Error::other(format!("cut off after {answer:?}")))
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Asks every 20 ms until it is told to stop.
pub struct Watch {
    stop: oneshot::Sender<()>,
    asking: JoinHandle<Vec<Answer>>,
}

struct Answer {
    said: io::Result<(u16, String)>,
    took: Duration,
}

impl Watch {
    /// Starts to ask.
    pub fn start(address: SocketAddr) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let asking = tokio::spawn(async move {
            let mut answers = Vec::new();
            loop {
                let began = Instant::now();
                let said = ask("GET", address, "/").await;
                let took = began.elapsed();
                answers.push(Answer { said, took });
                tokio::select! {
                    _ = &mut stopped => return answers,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
        });
        Self { stop, asking }
    }

    /// Stops, and checks that every single answer was this version, be it a slow one.
    pub async fn saw_nothing_but(self, version: &str) {
        let _ = self.stop.send(());
        let answers = self.asking.await.unwrap();
        let other = answers
            .iter()
            .position(|answer| !matches!(&answer.said, Ok((200, said)) if said == version));
        if let Some(place) = other {
            let Answer { said, took } = &answers[place];
            let count = answers.len();
            panic!("answer {place} of {count} was not {version}: {said:?} after {took:?}");
        }
        let slow = answers.iter().filter(|answer| answer.took > SLOW).count();
        if slow > 0 {
            println!(
                "{slow} of {} answers took more than {SLOW:?}",
                answers.len()
            );
        }
    }
}
