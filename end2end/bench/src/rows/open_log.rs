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
    /// The renderer's resident memory that it shares with nobody, once the page was open, in megabytes.
    opened_mb: f64,
    /// The same at its largest, while the log was scrolled through.
    peak_mb: f64,
    /// And after that, once the browser had collected what the page does not hold any more.
    held_mb: f64,
    /// The same of an empty tab.
    empty_mb: f64,
}

pub async fn measure(site: &Site, long: &Long, rounds: usize) -> Result<Vec<Line>> {
    let browser = Browser::of(&site.lab, "lena").await?;
    let chromium = chromium();
    let page = url(&format!("/runs/{}?step={}", long.run, long.step));
    let [
        mut first,
        mut alive,
        mut heap,
        mut opened_mb,
        mut held,
        mut peak,
        mut empty,
    ] = <[Samples; 7]>::default();
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
        opened_mb.push(opened.opened_mb);
        held.push(opened.held_mb);
        peak.push(opened.peak_mb);
        empty.push(opened.empty_mb);
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
            "1,000,000-line log, tab's process, opened",
            opened_mb.percentile(1.0),
            "MB",
            opened_mb.text("MB"),
            Bar::AtMost(80.0),
        )
        .note(format!(
            "anonymous resident memory of the renderer, of which an empty tab has {}: also what the browser needs for \
             layout, fonts and compiled programs",
            empty.text("MB"),
        )),
        Line::absolute(
            "1,000,000-line log, tab's process, scrolled",
            held.percentile(1.0),
            "MB",
            held.text("MB"),
            Bar::AtMost(80.0),
        )
        .note(format!(
            "the same after 40 jumps through the log to its end, once garbage was collected; until then it was {} at most",
            peak.text("MB"),
        )),
    ])
}
