//! Somebody who uses the app all the time.
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The answer's status and body; `None` when there is none within two seconds.
pub async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    tokio::time::timeout(Duration::from_secs(2), asking)
        .await
        .ok()
        .flatten()
}

/// Asks every 20 ms until it is told to stop.
pub struct Watch {
    stop: oneshot::Sender<()>,
    asking: JoinHandle<Vec<Option<(u16, String)>>>,
}

impl Watch {
    /// Starts to ask.
    pub fn start(address: SocketAddr) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let asking = tokio::spawn(async move {
            let mut answers = Vec::new();
            loop {
                answers.push(get(address, "/").await);
                tokio::select! {
                    _ = &mut stopped => return answers,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
        });
        Self { stop, asking }
    }

    /// Stops, and checks that every single answer was this version.
    pub async fn saw_nothing_but(self, version: &str) {
        let _ = self.stop.send(());
        let answers = self.asking.await.unwrap();
        let wanted = Some((200, version.to_owned()));
        let other = answers.iter().find(|answer| **answer != wanted);
        assert_eq!(other, None, "of {} answers", answers.len());
    }
}
