//! A log line's way from the container's stdout to fifty viewers' websockets and to a page in a browser, and what the
//! portal holds in memory before, meanwhile and after.
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::live::Frame;
use domain::log::Stream;
use domain::{RunId, StepId};
use futures::StreamExt;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::browser::{Browser, chromium};
use crate::droplet::{Server, ask, now_ms};
use crate::portal::{Portal, url};
use crate::report::{Bar, Line, Samples};
use crate::site::{LISTEN, STEADY, Site, root};

const VIEWERS: usize = 50;
/// As [`STEADY`] says: 1,000 a second for twenty seconds.
const LINES: usize = 20_000;
/// An app that printed fewer a second was held up itself, and its lines were easier to carry.
const LEAST_RATE: f64 = 950.0;
/// The portal has nothing to do for so long before its memory is looked at.
const IDLE: Duration = Duration::from_secs(5);

pub async fn measure(site: &Site, server: &Server, portal: &Portal) -> Result<Vec<Line>> {
    server.clean(STEADY).await?;
    tokio::time::sleep(IDLE).await;
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
    let (mut delays, mut rates) = (Samples::default(), Samples::default());
    let (mut lost, mut doubled, mut most) = (0, 0, 0.0_f64);
    let mut memory = tokio::time::interval(Duration::from_millis(200));
    while !viewers.is_empty() {
        tokio::select! {
            Some(seen) = viewers.join_next() => {
                let seen = seen??;
                lost += seen.lost;
                doubled += seen.doubled;
                rates.push(seen.rate());
                delays.extend(seen.delays_ms);
            }
            _ = memory.tick() => most = most.max(portal.memory_mb()?),
        }
    }
    tell(server, "/healthy").await?;
    portal.deployed(run).await?;
    tokio::time::sleep(IDLE).await;
    let after = portal.memory_mb()?;
    let shown = in_a_page(site, server, portal).await?;
    server.clean(STEADY).await?;
    let (whole, rate) = (lost == 0 && doubled == 0, rates.percentile(0.0));
    let as_wanted = |line: Line, rate: f64| {
        let slow = format!("the app printed {rate:.0} lines a second, not 1,000");
        line.only_if(rate >= LEAST_RATE, slow)
    };
    let viewers = delay("stdout → 50 viewers, 1,000 lines/s", &delays)
        .only_if(whole, format!("{lost} lines lost, {doubled} doubled or out of order"))
        .note(format!("{LINES} lines × {VIEWERS} viewers at {rate:.0} lines/s; {lost} lost, {doubled} doubled; the viewers are websockets of one program, not browsers"));
    let in_page = Samples::of(&shown.delays_ms, |delay| *delay);
    let page = delay("stdout → a page in Chromium, 1,000 lines/s", &in_page).note(format!(
        "{} lines, each until the frame in which it stood there, at {:.0} lines/s; the page shows the end of the log and so not every line",
        in_page.count(),
        shown.rate
    ));
    let memory =
        |what, mb: f64, text, most| Line::absolute(what, mb, "MB", text, Bar::AtMost(most));
    Ok(vec![
        as_wanted(viewers, rate),
        as_wanted(page, shown.rate),
        memory("portal idle, resident", idle, format!("{idle:.0} MB"), 60.0),
        memory(
            "portal idle after two deploys and 50 viewers, resident",
            after,
            format!("{after:.0} MB"),
            60.0,
        ),
        memory(
            "portal with 50 viewers, resident",
            most,
            format!("{most:.0} MB at most"),
            120.0,
        ),
    ])
}

fn delay(what: &str, delays: &Samples) -> Line {
    let p95 = delays.percentile(0.95);
    let text = format!(
        "p95 {p95:.0} ms (p50 {:.0}, p99 {:.0}, most {:.0})",
        delays.median(),
        delays.percentile(0.99),
        delays.percentile(1.0)
    );
    Line::absolute(what, p95, "ms", text, Bar::AtMost(150.0))
}

/// What `live_page.mjs` prints.
#[derive(Deserialize)]
struct Shown {
    /// From the printing of a line to the frame in which it stood there.
    delays_ms: Vec<f64>,
    /// Lines a second, by the app's own clock.
    rate: f64,
}

/// The same run once more, watched by somebody in a browser.
async fn in_a_page(site: &Site, server: &Server, portal: &Portal) -> Result<Shown> {
    let browser = Browser::of(&site.lab, "lena").await?;
    let run = portal.deploy(STEADY).await?;
    let step = portal.deploying(run).await?;
    let mut script = Command::new("node")
        .current_dir(root().join("end2end"))
        .arg(root().join("end2end/bench/live_page.mjs"))
        .arg(url(&format!("/runs/{run}?step={step}")))
        .arg(LINES.to_string())
        .env("COOKIE", browser.cookie())
        .env("CHROMIUM", chromium())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node cannot be started")?;
    let mut said = BufReader::new(script.stdout.take().context("no stdout")?).lines();
    let ready = said.next_line().await?;
    ensure!(
        ready.as_deref() == Some("ready"),
        "live_page.mjs: {ready:?}"
    );
    tell(server, "/print").await?;
    let shown = said
        .next_line()
        .await?
        .context("live_page.mjs saw nothing")?;
    script.wait().await?;
    tell(server, "/healthy").await?;
    portal.deployed(run).await?;
    Ok(serde_json::from_str(&shown)?)
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
    /// When the first and the last line were printed, in nanoseconds since 1970.
    printed: Option<(f64, f64)>,
}

impl Seen {
    /// Lines that the app printed a second.
    fn rate(&self) -> f64 {
        let (first, last) = self.printed.unwrap_or_default();
        (self.delays_ms.len() as f64 - 1.0) / ((last - first) / 1e9)
    }
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
        printed: None,
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
            seen.printed = Some((seen.printed.map_or(ns, |(first, _)| first), ns));
        }
    }
    seen.lost += LINES - next;
    Ok(seen)
}
