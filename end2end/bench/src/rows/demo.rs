//! From `scripts/demo` to the URL that it prints, on a machine that has built everything before and runs nothing.
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::report::{Bar, Line};
use crate::site::root;

/// For a build of everything, should the first one have to do that.
const PATIENCE: Duration = Duration::from_secs(3600);

pub async fn measure() -> Result<Vec<Line>> {
    // The first one builds what is not built, so that the second has nothing left to do but to start.
    demo().await?;
    lab("stop").await?;
    let took = demo().await;
    // Whatever came of it, the lab is left as it was found.
    lab("up").await?;
    let took = took?.as_secs_f64();
    let (text, bar) = (format!("{took:.1} s"), Bar::AtMost(30.0));
    Ok(vec![
        Line::absolute("make demo to its URL, all built", took, "s", text, bar).note(
            "the lab was stopped before; from nothing is measured by hand, in a clean clone: `make clean; time make demo`, to the URL",
        ),
    ])
}

/// Stops the lab, or starts it again.
async fn lab(what: &str) -> Result<()> {
    let done = Command::new("target/debug/lab")
        .current_dir(root())
        .arg(what)
        .output()
        .await
        .context("target/debug/lab cannot be started")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "lab {what}: {}", said.trim());
    Ok(())
}

/// Runs it until it prints its URL, and stops it.
async fn demo() -> Result<Duration> {
    let began = Instant::now();
    let mut demo = Command::new("scripts/demo")
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("scripts/demo cannot be started")?;
    let stdout = demo.stdout.take().context("no stdout")?;
    let stderr = demo.stderr.take().context("no stderr")?;
    // The last words are wanted when it fails; read meanwhile, so that it never waits for us.
    let said = tokio::spawn(async move {
        let (mut lines, mut last) = (BufReader::new(stderr).lines(), String::new());
        while let Ok(Some(line)) = lines.next_line().await {
            last = line;
        }
        last
    });
    let mut lines = BufReader::new(stdout).lines();
    let url = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("Fairlead is at") {
                return Ok::<_, std::io::Error>(Some(began.elapsed()));
            }
        }
        Ok(None)
    };
    let took = tokio::time::timeout(PATIENCE, url)
        .await
        .context("scripts/demo printed no URL in an hour")??;
    let Some(took) = took else {
        bail!("scripts/demo ended without a URL: {}", said.await?);
    };
    let pid = demo.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    kill_process(pid.context("it has ended")?, Signal::TERM)?;
    while lines.next_line().await?.is_some() {}
    demo.wait().await?;
    Ok(took)
}
