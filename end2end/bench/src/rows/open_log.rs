//! Opening a log of a million lines in Chromium: how soon the first lines stand there, and what the tab holds.
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::browser::{Browser, chromium};
use crate::portal::url;
use crate::report::{Bar, Line, Samples};
use crate::seed::{LINES, Long};
use crate::site::{Site, root};

/// What `open_log.mjs` prints.
#[derive(Deserialize)]
struct Opened {
    /// From the start of the navigation until the first line is painted.
    first_lines_ms: f64,
    /// Until the page is hydrated and the log can be scrolled.
    alive_ms: f64,
    /// How many lines the page says there are.
    total: i64,
    /// The last line, after it was scrolled to.
    last_line: String,
    /// The heap of the page's scripts at its largest, in megabytes.
    heap_mb: f64,
    /// The memory of its WebAssembly program, in megabytes.
    wasm_mb: f64,
    /// The renderer's resident memory that it shares with nobody, at its largest, in megabytes.
    private_mb: f64,
    /// The same of an empty tab.
    empty_mb: f64,
}

pub async fn measure(site: &Site, long: &Long, rounds: usize) -> Result<Vec<Line>> {
    let browser = Browser::of(&site.lab, "lena").await?;
    let chromium = chromium();
    let page = url(&format!("/runs/{}?step={}", long.run, long.step));
    let (mut first, mut alive, mut tab, mut heap, mut whole, mut empty) = (
        Samples::default(),
        Samples::default(),
        Samples::default(),
        Samples::default(),
        Samples::default(),
        0.0,
    );
    for _ in 0..rounds {
        let done = Command::new("node")
            .arg(root().join("end2end/bench/open_log.mjs"))
            .arg(&page)
            .env("COOKIE", browser.cookie())
            .env("CHROMIUM", &chromium)
            .output()
            .await
            .context("node cannot be started")?;
        ensure!(
            done.status.success(),
            "open_log.mjs: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        );
        let opened: Opened = serde_json::from_slice(&done.stdout)?;
        ensure!(
            opened.total == LINES,
            "the page says {} lines",
            opened.total
        );
        ensure!(
            opened.last_line.contains(&LINES.to_string()),
            "the last line reads {:?}",
            opened.last_line
        );
        first.push(opened.first_lines_ms);
        alive.push(opened.alive_ms);
        heap.push(opened.heap_mb + opened.wasm_mb);
        tab.push(opened.private_mb - opened.empty_mb);
        whole.push(opened.private_mb);
        empty = opened.empty_mb;
    }
    Ok(vec![
        Line::absolute("1,000,000-line log, first lines", first.percentile(1.0), "ms", first.text("ms"), Bar::AtMost(1000.0))
            .note(format!("hydrated and scrollable after {}; the worst of {rounds} counts", alive.text("ms"))),
        Line::absolute(
            "1,000,000-line log, tab's heaps",
            heap.percentile(1.0),
            "MB",
            heap.text("MB"),
            Bar::AtMost(80.0),
        )
        .note("JSHeapUsedSize and the WebAssembly memory, at most while scrolling through the log to its end"),
        Line::absolute(
            "1,000,000-line log, tab's process",
            tab.percentile(1.0),
            "MB",
            tab.text("MB"),
            Bar::AtMost(80.0),
        )
        .note(format!(
            "anonymous resident memory of the renderer over an empty tab's {empty:.0} MB, at most; with the browser's \
             own for layout, fonts and compiled programs, in all {}",
            whole.text("MB"),
        )),
    ])
}
