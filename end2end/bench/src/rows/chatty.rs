//! What the portal's process takes of a processor while a build prints 5,000 lines a second.
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use domain::{RunId, StepId};

use crate::droplet::Server;
use crate::portal::Portal;
use crate::report::{Bar, Line};
use crate::site::CHATTY;

/// As the dockerfile says.
const LINES: usize = 100_000;
const RATE: f64 = 5_000.0;
/// A build that printed fewer a second was held up itself, and its lines were easier to carry.
const LEAST_RATE: f64 = 0.95 * RATE;
/// So long it is watched, out of the twenty seconds.
const WATCHED: Duration = Duration::from_secs(17);

pub async fn measure(server: &Server, portal: &Portal) -> Result<Vec<Line>> {
    server.clean(CHATTY).await?;
    let run = portal.deploy(CHATTY).await?;
    let step = portal.at_work(run, "Build").await?;
    let limit = Instant::now() + Duration::from_secs(60);
    while printed(portal, run, step).await?.is_empty() {
        ensure!(
            Instant::now() < limit,
            "the build printed nothing in a minute"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (began, before) = (Instant::now(), portal.cpu_seconds()?);
    tokio::time::sleep(WATCHED).await;
    let cpu = portal.cpu_seconds()? - before;
    let cores = cpu / began.elapsed().as_secs_f64();
    portal.deployed(run).await?;

    let printed = printed(portal, run, step).await?;
    server.clean(CHATTY).await?;
    let (Some((_, first)), Some((_, last))) = (printed.first(), printed.last()) else {
        anyhow::bail!("the build has no log");
    };
    let rate = (printed.len() as f64 - 1.0) / ((last - first) / 1e9);
    let whole = printed
        .iter()
        .enumerate()
        .all(|(at, (number, _))| at == *number);
    let text = format!("{cores:.2} cores");
    let line = Line::absolute(
        "portal while a build prints 5,000 lines/s",
        cores,
        "cores",
        text,
        Bar::AtMost(0.5),
    )
    .only_if(
        whole && printed.len() == LINES,
        format!(
            "of {LINES} lines {} are stored, or not in order",
            printed.len()
        ),
    )
    .only_if(
        rate >= LEAST_RATE,
        format!("the build printed {rate:.0} lines a second"),
    )
    .note(format!(
        "{cpu:.1} s of processors in {} s, at {rate:.0} lines/s; the engine's share is not in it",
        WATCHED.as_secs()
    ));
    Ok(vec![line])
}

/// The build's own lines: number, and when it was printed in nanoseconds since 1970.
async fn printed(portal: &Portal, run: RunId, step: StepId) -> Result<Vec<(usize, f64)>> {
    let lines = portal.lines(run, step, 0).await?;
    let numbers = lines.iter().filter_map(|line| {
        let (number, rest) = line.text.split_once(' ')?;
        let (at, padding) = rest.split_once(' ')?;
        let ours = padding.starts_with("xx");
        Some((number.parse().ok()?, at.parse().ok()?)).filter(|_| ours)
    });
    Ok(numbers.collect())
}
