use std::time::{Duration, Instant};

use adapters::ssh::{Command, ProbeError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{host, sshd::Sshd};

/// Serves every connection on a free loopback port with `serve`.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    port
}

async fn answers(text: &'static str) -> u16 {
    server(move |mut socket| async move {
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await;
        let _ = socket.write_all(text.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn a_probe_tells_the_status_or_exactly_why_there_is_none() {
    let (_sshd, host) = host().await;
    let limit = Duration::from_secs(5);
    let probe = async |port: u16, limit| {
        host.probe(&format!("http://127.0.0.1:{port}/health?x=1"), limit)
            .await
    };

    let ok = answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(probe(ok, limit).await, Ok(200));
    let sad = answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(probe(sad, limit).await, Ok(503));

    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert!(matches!(
        probe(closed, limit).await,
        Err(ProbeError::Refused { .. })
    ));
    let hangs_up = server(|socket| async move { drop(socket) }).await;
    assert!(matches!(
        probe(hangs_up, limit).await,
        Err(ProbeError::Closed { .. })
    ));
    let garbage = answers("SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(matches!(
        probe(garbage, limit).await,
        Err(ProbeError::Malformed { .. })
    ));
    let silent = server(|socket| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(socket);
    })
    .await;
    let begin = Instant::now();
    assert!(matches!(
        probe(silent, Duration::from_millis(300)).await,
        Err(ProbeError::Timeout { .. })
    ));
    // The server would be silent for a minute.
    assert!(begin.elapsed() < Duration::from_secs(30));
    for wrong in ["https://localhost/", "localhost:80", "http://"] {
        assert!(
            matches!(
                host.probe(wrong, limit).await,
                Err(ProbeError::BadUrl { .. })
            ),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_tunnel_carries_both_directions_and_the_ends_of_both() {
    let (_sshd, host) = host().await;
    let port = server(|mut socket| async move {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        socket.write_all(&all).await.unwrap();
    })
    .await;
    let mut tunnel = host.tunnel("127.0.0.1", port).await.unwrap();
    let data: Vec<u8> = (0..=255).cycle().take(5_000_000).collect();
    tunnel.write_all(&data).await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut back = Vec::new();
    tunnel.read_to_end(&mut back).await.unwrap();
    assert!(back == data, "{} bytes came back", back.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_freezes_nothing_else_and_loses_only_its_own_stream() {
    let (_sshd, host) = host().await;
    let port = server(|mut socket| async move {
        let block = vec![7; 1 << 20];
        while socket.write_all(&block).await.is_ok() {}
    })
    .await;
    let mut stalled = host.tunnel("127.0.0.1", port).await.unwrap();
    let command = Command::new("true");
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let quick = host.exec(&command, None);
        tokio::time::timeout(Duration::from_secs(5), quick)
            .await
            .expect("the connection is frozen")
            .unwrap();
    }
    let mut sink = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(30), stalled.read_to_end(&mut sink));
    let error = reading.await.expect("the stream ends").unwrap_err();
    assert!(error.to_string().contains("too slowly"), "{error}");
}

#[tokio::test]
async fn a_stream_over_a_lost_connection_ends_with_an_error_and_not_as_if_it_were_whole() {
    let (mut sshd, host) = host().await;
    let port = server(|mut socket| async move {
        let _ = socket.write_all(b"begin").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let mut tunnel = host.tunnel("127.0.0.1", port).await.unwrap();
    let mut begin = [0; 5];
    tunnel.read_exact(&mut begin).await.unwrap();
    sshd.kill();
    let error = tunnel.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_server_that_forbids_forwarding_says_so() {
    let sshd = Sshd::with("AllowTcpForwarding no");
    let host = adapters::ssh::Hosts::new()
        .connect("test", &sshd.target())
        .await
        .unwrap();
    let error = host.tunnel("127.0.0.1", 1).await.unwrap_err();
    assert!(error.to_string().contains("AllowTcpForwarding"), "{error}");
}
