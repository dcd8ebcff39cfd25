//! The GitHub stand-in and the Slack sink as one detached process.
use crate::{
    description::Lab,
    error::LabError,
    folder::Folder,
    github,
    layout::{GITHUB, SLACK},
    portal_files,
    process::Detached,
    servers::listening,
    serving::Holder,
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

/// Who answers on an address, `None` where nobody does.
async fn holder(address: SocketAddr) -> Result<Option<Holder>, LabError> {
    if !listening(address, Duration::ZERO).await {
        return Ok(None);
    }
    let taken = |_| LabError::Taken {
        address,
        holder: "another program".into(),
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("http://{address}/_lab/");
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()
        .map_err(taken)?;
    let answer = client.get(url).send().await.map_err(taken)?;
    answer.json().await.map(Some).map_err(taken)
}

/// Whether the addresses are free, or ours already.
pub async fn may_start(folder: &Folder) -> Result<(), LabError> {
    if process(folder).pid().is_some() {
        return Ok(());
    }
    for address in addresses()? {
        if let Some(Holder { pid, lab }) = holder(address).await? {
            return Err(LabError::Taken {
                address,
                holder: format!("the lab of {} (process {pid})", lab.display()),
            });
        }
    }
    Ok(())
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
    let limit = Duration::from_secs(60);
    let started = Instant::now();
    let silent = |address| LabError::Silent {
        what: format!("the stand-in on {address}"),
        seconds: started.elapsed().as_secs(),
        log: process.log.display().to_string(),
    };
    for address in addresses()? {
        // Somebody else's program would answer too when ours found the port taken and ended.
        loop {
            let ours = process.pid().ok_or_else(|| silent(address))?;
            let holder = holder(address).await;
            let pid = ours.as_raw_nonzero().get().unsigned_abs();
            if matches!(&holder, Ok(Some(holder)) if holder.pid == pid) {
                break;
            }
            if started.elapsed() > limit {
                return Err(holder.err().unwrap_or_else(|| silent(address)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
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
    // While no portal listens there, a push is told in vain, as on GitHub.
    let hook = format!("http://127.0.0.1:{}/hooks/github", portal_files::port()?);
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
        webhook_url: hook.parse().ok(),
        people: github::Directory::of_the_lab(),
    })
    .await
    .map_err(|e| stopped(&e))?;
    futures::future::select(Box::pin(github.finished()), Box::pin(slack.finished())).await;
    Err(LabError::StandIn("its listener failed".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;

    fn any_port() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[tokio::test]
    async fn a_stand_in_says_whose_it_is_and_another_program_is_named_as_such() {
        let ours = slack::serve(slack::Config { listen: any_port() })
            .await
            .unwrap();
        let who = holder(ours.address()).await.unwrap().unwrap();
        assert_eq!(who.pid, std::process::id());
        assert!(who.lab.ends_with("lab"), "{who:?}");

        let other = tokio::net::TcpListener::bind(any_port()).await.unwrap();
        let address = other.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(other, Router::new()).await });
        let error = holder(address).await.unwrap_err().to_string();
        assert!(
            error.ends_with("by another program; stop that first"),
            "{error}"
        );

        task.abort();
        let _ = task.await;
        assert_eq!(holder(address).await.unwrap(), None);
    }
}
