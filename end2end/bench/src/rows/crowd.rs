//! Ten projects deployed at once to one server, each with an image of its own to build and to push.
use anyhow::Result;
use futures::future::try_join_all;

use crate::droplet::{Server, now_ms};
use crate::portal::Portal;
use crate::report::{Bar, Line};
use crate::site::CROWD;

pub async fn measure(server: &Server, portal: &Portal) -> Result<Vec<Line>> {
    for project in CROWD {
        server.clean(project).await?;
    }
    let clicked = now_ms();
    let runs = try_join_all(CROWD.map(|project| portal.deploy(project))).await?;
    let done = try_join_all(runs.iter().map(|run| portal.done(*run))).await?;
    let took = (now_ms() - clicked) / 1000.0;
    let most = portal.most_memory_mb()?;
    let mut healthy = Vec::new();
    for run in &done {
        for deployed in run.deployed()? {
            healthy.push((deployed.at_ms - clicked) / 1000.0);
        }
    }
    for project in CROWD {
        server.clean(project).await?;
    }
    healthy.sort_by(f64::total_cmp);
    let (first, last) = (healthy.first(), healthy.last());
    let line = Line::absolute(
        "ten projects at once, portal's memory",
        most,
        "MB",
        format!("{most:.0} MB at most"),
        Bar::AtMost(150.0),
    )
    .only_if(
        healthy.len() == CROWD.len(),
        format!("only {} of {} were deployed", healthy.len(), CROWD.len()),
    )
    .note(format!(
        "all had ended after {took:.1} s, healthy after {:.1} to {:.1} s",
        first.copied().unwrap_or_default(),
        last.copied().unwrap_or_default()
    ));
    Ok(vec![line])
}
