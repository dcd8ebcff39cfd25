//! The GitHub stand-in and the Slack sink as one detached process.
use crate::{
    description::Lab,
    error::LabError,
    folder::Folder,
    github,
    layout::{GITHUB, SLACK},
    process::Detached,
    servers::listening,
    slack,
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

fn process(folder: &Folder) -> Detached {
    Detached {
        program: "lab",
        pid_file: folder.file("standins.pid"),
        log: folder.file("standins.log"),
    }
}

fn addresses() -> Result<[SocketAddr; 2], LabError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|e| LabError::StandIn(format!("{text}: {e}")))
    };
    Ok([parse(GITHUB)?, parse(SLACK)?])
}

/// Starts them if they do not run, or were built from other sources. Says whether it did.
pub async fn ensure(folder: &Folder) -> Result<bool, LabError> {
    let process = process(folder);
    if let Some(pid) = process.pid() {
        if process.is_current(pid) {
            return Ok(false);
        }
        process.stop(Duration::from_secs(3)).await?;
    }
    let program = std::env::current_exe().map_err(LabError::io("find", "the lab's own program"))?;
    process
        .start(&program.to_string_lossy(), &["serve-standins".into()])
        .await?;
    let limit = Duration::from_secs(10);
    let started = Instant::now();
    let silent = |address| LabError::Silent {
        what: format!("the stand-in on {address}"),
        seconds: started.elapsed().as_secs(),
        log: process.log.display().to_string(),
    };
    for address in addresses()? {
        while !listening(address, Duration::ZERO).await {
            if started.elapsed() > limit || process.pid().is_none() {
                return Err(silent(address));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Somebody else's program would answer too when ours found the port taken and ended.
        if process.pid().is_none() {
            return Err(silent(address));
        }
    }
    Ok(true)
}

/// Stops them. Says whether they ran.
pub async fn stop(folder: &Folder) -> Result<bool, LabError> {
    process(folder).stop(Duration::from_secs(3)).await
}

/// Whether they run.
pub fn running(folder: &Folder) -> bool {
    process(folder).pid().is_some()
}

/// Serves until the process is stopped.
pub async fn serve(folder: &Folder) -> Result<(), LabError> {
    let lab = Lab::load()?;
    let [github, slack] = addresses()?;
    let stopped = |error: &dyn std::fmt::Display| LabError::StandIn(error.to_string());
    let slack = slack::serve(slack::Config { listen: slack })
        .await
        .map_err(|e| stopped(&e))?;
    let github = github::serve(github::Config {
        listen: github,
        public_url: None,
        repositories_dir: folder.file("git"),
        client_id: lab.github.client_id,
        client_secret: lab.github.client_secret.into(),
        token: lab.github.token.into(),
        webhook_secret: lab.github.webhook_secret.into(),
        webhook_url: None,
        people: github::Directory::of_the_lab(),
    })
    .await
    .map_err(|e| stopped(&e))?;
    futures::future::select(Box::pin(github.finished()), Box::pin(slack.finished())).await;
    Err(LabError::StandIn("its listener failed".into()))
}
