//! 200,000 lines of a container into the stored log of its step, beside `docker logs` into a file over `ssh`.
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::{RunId, StepId};

use crate::droplet::{Server, ask, now_ms};
use crate::portal::{LogLine, Portal};
use crate::report::{Bar, Line, Samples};
use crate::site::{FLOOD, Site};

const LINES: i64 = 200_000;

pub async fn measure(
    site: &Site,
    server: &Server,
    portal: &Portal,
    rounds: usize,
) -> Result<Vec<Line>> {
    server.clean(FLOOD).await?;
    let (mut stored, mut copied) = (Samples::default(), Samples::default());
    let (mut lost, mut doubled) = (0, 0);
    for round in 0..=rounds {
        let run = portal.deploy(FLOOD).await?;
        let step = portal.deploying(run).await?;
        let end = all_stored(portal, run, step).await?;
        let took = (end - server.started_ms(FLOOD.name).await?) / 1000.0;
        let numbers = numbers(portal, run, step).await?;
        lost += missing(&numbers);
        doubled += numbers.len() as i64 + missing(&numbers) - LINES;

        let file = site.dir.join("docker-logs.txt");
        let began = now_ms();
        server
            .ssh_to_file(&format!("docker logs {}", FLOOD.name), &file)
            .await?;
        let copy = (now_ms() - began) / 1000.0;
        ensure!(
            std::fs::read_to_string(&file)?.lines().count() as i64 == LINES,
            "docker logs told other lines"
        );
        ask(server.at(FLOOD.port), "/healthy").context("the app does not answer")?;
        portal.deployed(run).await?;
        if round > 0 {
            stored.push(LINES as f64 / took);
            copied.push(LINES as f64 / copy);
        }
    }
    server.clean(FLOOD).await?;
    let line = Line::ratio("200,000 lines, container → stored", "lines/s", &stored, &copied, Bar::AtLeast(0.5))
        .only_if(lost == 0 && doubled == 0, format!("{lost} lines lost, {doubled} doubled"))
        .note("from the container's start, so it includes the app's printing; `docker logs` reads what is printed already");
    Ok(vec![line])
}

/// When the last line was stored.
async fn all_stored(portal: &Portal, run: RunId, step: StepId) -> Result<f64> {
    for _ in 0..3_000 {
        // The portal's own lines come on top, so the last one's number is a little larger.
        let lines = portal.lines(run, step, LINES - 1).await?;
        if lines.iter().any(|line| number(line) == Some(LINES - 1)) {
            return Ok(now_ms());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the last line was not stored after 60 s")
}

/// The numbers of the app's lines in the order in which they are stored.
async fn numbers(portal: &Portal, run: RunId, step: StepId) -> Result<Vec<i64>> {
    Ok(portal
        .lines(run, step, 0)
        .await?
        .iter()
        .filter_map(number)
        .collect())
}

/// The number that the app gave the line; the portal's own lines have none.
fn number(line: &LogLine) -> Option<i64> {
    let ours = line.stream == "portal";
    line.text.split(' ').next().filter(|_| !ours)?.parse().ok()
}

/// How many of the app's lines are not there.
fn missing(numbers: &[i64]) -> i64 {
    let mut seen = numbers.to_vec();
    seen.sort_unstable();
    seen.dedup();
    LINES - seen.len() as i64
}
