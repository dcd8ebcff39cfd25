//! The board as the server renders it, with a thousand runs in the store, asked for at a fixed rate: a request that
//! waits behind another one counts from the moment when it was due.
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::browser::Browser;
use crate::report::{Bar, Line, Samples};
use crate::seed::RUNS;
use crate::site::Site;

const PER_SECOND: u32 = 50;
const SECONDS: u32 = 20;

pub async fn measure(site: &Site) -> Result<Vec<Line>> {
    let browser = Arc::new(Browser::of(&site.lab, "lena").await?);
    let path = "/?project=projectmeats";
    let mut size = 0;
    for _ in 0..50 {
        size = browser.fetch(path).await?.bytes;
    }
    let mut requests = JoinSet::new();
    let began = Instant::now();
    for number in 0..PER_SECOND * SECONDS {
        let due = began + Duration::from_secs(1) * number / PER_SECOND;
        tokio::time::sleep_until(due.into()).await;
        let browser = browser.clone();
        requests.spawn(async move {
            browser.fetch(path).await?;
            Ok::<_, anyhow::Error>(due.elapsed().as_secs_f64() * 1000.0)
        });
    }
    let mut took = Samples::default();
    while let Some(request) = requests.join_next().await {
        took.push(request??);
    }
    let p99 = took.percentile(0.99);
    let text = format!(
        "p99 {p99:.1} ms (p50 {:.1}, p95 {:.1}, most {:.1})",
        took.median(),
        took.percentile(0.95),
        took.percentile(1.0)
    );
    Ok(vec![
        Line::absolute(
            "board page, 1,000 runs, 50 requests/s",
            p99,
            "ms",
            text,
            Bar::AtMost(15.0),
        )
        .note(format!(
            "{} requests, {RUNS} runs in the store, {size} bytes a page as sent",
            took.count()
        )),
    ])
}
