//! The Docker engine of this machine: uses the one that runs, else starts one.
use crate::{
    error::LabError,
    folder::{Folder, make_folder},
    insecure,
    layout::SUBNET,
    process::Detached,
    program::{docker, installed},
    progress::Progress,
};
use std::time::{Duration, Instant};

/// Programs that the lab runs, and the Debian package of each.
const NEEDED: [(&str, &str); 5] = [
    ("docker", "docker.io"),
    ("iptables", "iptables"),
    ("mmdebstrap", "mmdebstrap"),
    ("ssh-keygen", "openssh-client"),
    ("git", "git"),
];

/// Returns when an engine answers that accepts the lab's registries; starts one if need be.
pub async fn ensure(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    for (program, package) in NEEDED {
        needs(program, package)?;
    }
    if !answers().await? {
        needs("dockerd", "docker.io")?;
        start(folder, progress).await?;
    }
    insecure::accept(folder, progress).await
}

/// Whether the engine that runs is the lab's own, whose images lie in the lab's cache and are nobody else's.
pub fn is_own(folder: &Folder) -> bool {
    daemon(folder).pid().is_some()
}

/// Stops the engine if the lab started it. Says whether it did.
pub async fn stop(folder: &Folder) -> Result<bool, LabError> {
    daemon(folder).stop(Duration::from_secs(30)).await
}

/// Whether an engine answers, and if so its version and where it comes from.
pub async fn describe(folder: &Folder) -> Result<Option<String>, LabError> {
    if !answers().await? {
        return Ok(None);
    }
    let version = docker(["version", "--format", "{{.Server.Version}}"])
        .run()
        .await?;
    let origin = if is_own(folder) {
        "started by the lab"
    } else {
        "was running already"
    };
    Ok(Some(format!("{version} ({origin})")))
}

/// Whether an engine answers.
pub async fn answers() -> Result<bool, LabError> {
    if !installed("docker") {
        return Ok(false);
    }
    match docker(["version", "--format", "{{.Server.Version}}"]).within(Duration::from_secs(20)).run().await {
        Ok(_) => Ok(true),
        Err(LabError::Failed { stderr, .. }) if stderr.contains("permission denied") => Err(LabError::Needs(
            "the Docker socket may not be used by this user; add it with: sudo usermod -aG docker $USER (then sign in again)".into(),
        )),
        Err(_) => Ok(false),
    }
}

fn daemon(folder: &Folder) -> Detached {
    Detached {
        program: "dockerd",
        pid_file: folder.file("dockerd.pid"),
        log: folder.file("dockerd.log"),
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn needs(program: &'static str, package: &str) -> Result<(), LabError> {
    if installed(program) {
        return Ok(());
    }
    Err(LabError::Missing {
        program,
        install: format!("scripts/bootstrap lab (it is in Debian's package {package})"),
    })
}

async fn start(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    if !is_root() {
        return Err(LabError::Needs("no Docker engine runs; start it with: sudo systemctl start docker (or run the lab as root)".into()));
    }
    let data = folder.cache.join("docker");
    make_folder(&data, 0o711)?;
    let daemon = daemon(folder);
    progress.say("starting dockerd");
    let args = [
        "--host",
        crate::DOCKER_HOST,
        "--data-root",
        &data.to_string_lossy(),
        "--insecure-registry",
        SUBNET,
        "--pidfile",
        "",
    ];
    // dockerd's own pid file would refuse a start after a crash; ours is checked against the process.
    daemon.start("dockerd", &args.map(str::to_owned)).await?;
    let limit = Duration::from_secs(180);
    let started = Instant::now();
    while !answers().await? {
        if started.elapsed() > limit || daemon.pid().is_none() {
            let log = daemon.log.display().to_string();
            return Err(LabError::Silent {
                what: "dockerd".into(),
                seconds: started.elapsed().as_secs(),
                log,
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
