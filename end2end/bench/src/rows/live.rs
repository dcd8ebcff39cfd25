//! A log line's way from the container's stdout to fifty viewers' websockets, and what the portal holds in memory
//! before and meanwhile.
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::live::Frame;
use domain::log::Stream;
use domain::{RunId, StepId};
use futures::StreamExt;
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::droplet::{Server, ask, now_ms};
use crate::portal::Portal;
use crate::report::{Bar, Line, Samples};
use crate::site::{LISTEN, STEADY};

const VIEWERS: usize = 50;
/// As [`STEADY`] says: 1,000 a second for twenty seconds.
const LINES: usize = 20_000;

pub async fn measure(server: &Server, portal: &Portal) -> Result<Vec<Line>> {
    server.clean(STEADY).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = portal.memory_mb()?;
    // The image is built and pulled by a run of its own, which the measured one then does again.
    let first = portal.deploy(STEADY).await?;
    portal.deploying(first).await?;
    tell(server, "/healthy").await?;
    portal.deployed(first).await?;

    let run = portal.deploy(STEADY).await?;
    let step = portal.deploying(run).await?;
    let mut viewers = JoinSet::new();
    for _ in 0..VIEWERS {
        viewers.spawn(view(portal.token.expose_secret().to_owned(), run, step));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    tell(server, "/print").await?;
    let (mut delays, mut lost, mut doubled, mut most) = (Samples::default(), 0, 0, 0.0_f64);
    let mut memory = tokio::time::interval(Duration::from_millis(200));
    while !viewers.is_empty() {
        tokio::select! {
            Some(seen) = viewers.join_next() => {
                let seen = seen??;
                lost += seen.lost;
                doubled += seen.doubled;
                delays.extend(seen.delays_ms);
            }
            _ = memory.tick() => most = most.max(portal.memory_mb()?),
        }
    }
    tell(server, "/healthy").await?;
    portal.deployed(run).await?;
    server.clean(STEADY).await?;
    let p95 = delays.percentile(0.95);
    let text = format!(
        "p95 {p95:.0} ms (p50 {:.0}, p99 {:.0}, most {:.0})",
        delays.median(),
        delays.percentile(0.99),
        delays.percentile(1.0)
    );
    let whole = lost == 0 && doubled == 0;
    Ok(vec![
        Line::absolute("stdout → 50 viewers, 1,000 lines/s", p95, "ms", text, Bar::AtMost(150.0))
            .only_if(whole, format!("{lost} lines lost, {doubled} doubled or out of order"))
            .note(format!("{} lines × {VIEWERS} viewers; {lost} lost, {doubled} doubled; the viewers are websockets of one program, not browsers", LINES)),
        Line::absolute("portal idle, resident", idle, "MB", format!("{idle:.0} MB"), Bar::AtMost(60.0)),
        Line::absolute("portal with 50 viewers, resident", most, "MB", format!("{most:.0} MB at most"), Bar::AtMost(120.0)),
    ])
}

async fn tell(server: &Server, path: &'static str) -> Result<()> {
    let address = server.at(STEADY.port);
    for _ in 0..300 {
        if tokio::task::spawn_blocking(move || ask(address, path))
            .await?
            .is_some()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the app does not answer at {address}")
}

struct Seen {
    delays_ms: Vec<f64>,
    lost: usize,
    doubled: usize,
}

/// One viewer: takes every line until the last one was there.
async fn view(token: String, run: RunId, step: StepId) -> Result<Seen> {
    let mut request = format!("ws://{LISTEN}/live/runs/{run}?event=0&step={step}&line=0")
        .into_client_request()?;
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {token}").parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .context("a viewer is not let in")?;
    let mut seen = Seen {
        delays_ms: Vec::with_capacity(LINES),
        lost: 0,
        doubled: 0,
    };
    let (mut next, mut next_line) = (0, 1);
    while next < LINES {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
        let Ok(Some(message)) = message else { break };
        let Message::Text(text) = message? else {
            continue;
        };
        let at = now_ms();
        let Frame::Lines { lines, .. } = serde_json::from_str(&text)? else {
            continue;
        };
        for line in lines {
            ensure!(
                line.n <= next_line,
                "line {next_line} of the log is missing"
            );
            next_line = line.n + 1;
            let mut words = line.text.split(' ').map(str::parse::<f64>);
            let (Stream::Out, Some(Ok(number)), Some(Ok(ns))) =
                (line.stream, words.next(), words.next())
            else {
                continue;
            };
            let number = number as usize;
            if number < next {
                seen.doubled += 1;
                continue;
            }
            seen.lost += number - next;
            next = number + 1;
            seen.delays_ms.push(at - ns / 1e6);
        }
    }
    seen.lost += LINES - next;
    Ok(seen)
}
