//! A program that is told how runs ended, and answers as it is ordered to.
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It answers with this status.
    Status(u16),
    /// It never answers.
    Hang,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Received {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(other, _)| *other == name);
        found.next().map_or("", |(_, value)| value)
    }
}

/// Where it listens, and what it got.
pub struct Receiver {
    /// Its address.
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts one that answers the first requests so, and all others with 204.
    pub async fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (all, mut answers) = (received.clone(), VecDeque::from(answers.to_vec()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers.pop_front().unwrap_or(Answer::Status(204));
                tokio::spawn(take(stream, answer, all.clone()));
            }
        });
        Self { address, received }
    }

    /// Every request, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn take(mut stream: TcpStream, answer: Answer, all: Arc<Mutex<Vec<Received>>>) {
    let mut text = String::new();
    let mut part = vec![0; 65_536];
    let received = loop {
        let read = stream.read(&mut part).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "the request breaks off");
            continue;
        };
        let (head, body) = (head.to_lowercase(), body.to_owned());
        let received = Received { head, body };
        let length: usize = received.header("content-length").parse().unwrap();
        if received.body.len() >= length {
            break received;
        }
        assert!(read > 0, "the request breaks off");
    };
    all.lock().unwrap().push(received);
    match answer {
        Answer::Hang => std::future::pending().await,
        Answer::Status(status) => {
            let answer =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}
