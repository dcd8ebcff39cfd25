//! The Docker engine of this machine: uses the one that runs, else installs and starts one.
use crate::{
    error::LabError,
    folder::{Folder, make_folder},
    process::Detached,
    program::{Program, docker, installed},
    progress::Progress,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Registries in the lab's network speak plain HTTP; the engine has to be told that this is meant.
const INSECURE: &str = "10.0.0.0/8";

/// Programs that the lab runs, and the Debian package of each.
const NEEDED: [(&str, &str); 5] = [
    ("docker", "docker.io"),
    ("iptables", "iptables"),
    ("mmdebstrap", "mmdebstrap"),
    ("ssh-keygen", "openssh-client"),
    ("git", "git"),
];

/// Installs what is missing and returns when an engine answers that accepts the lab's registries.
pub async fn ensure(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    let running = answers().await?;
    let mut missing: Vec<(&'static str, &str)> = NEEDED
        .into_iter()
        .filter(|(program, _)| !installed(program))
        .collect();
    if !running && !installed("dockerd") {
        missing.push(("dockerd", "docker.io"));
    }
    install(&missing, progress).await?;
    if !running && !answers().await? {
        start(folder, progress).await?;
    }
    accept_insecure_registries(progress).await
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
    let origin = if daemon(folder).pid().is_some() {
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

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

async fn install(missing: &[(&'static str, &str)], progress: Progress) -> Result<(), LabError> {
    let Some((first, _)) = missing.first() else {
        return Ok(());
    };
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    let names = packages.join(" ");
    if !is_root() || !installed("apt-get") {
        return Err(LabError::Missing {
            program: first,
            install: format!("sudo apt-get install {names}"),
        });
    }
    progress.say(format!("installing {names}"));
    let apt =
        |args: &[&str]| Program::new("apt-get", args).env("DEBIAN_FRONTEND", "noninteractive");
    let arguments = [
        &["install", "-y", "-qq", "--no-install-recommends"][..],
        &packages,
    ]
    .concat();
    // The package lists of a fresh machine are empty or old; when they do, a second try with new ones tells.
    if apt(&arguments).run().await.is_err() {
        apt(&["update", "-qq"]).run().await?;
        apt(&arguments).run().await?;
    }
    Ok(())
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
        INSECURE,
        "--pidfile",
        "",
    ];
    // dockerd's own pid file would refuse a start after a crash; ours is checked against the process.
    daemon.start("dockerd", &args.map(str::to_owned)).await?;
    let limit = Duration::from_secs(60);
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

async fn accept_insecure_registries(progress: Progress) -> Result<(), LabError> {
    let accepted = docker([
        "info",
        "--format",
        "{{json .RegistryConfig.InsecureRegistryCIDRs}}",
    ])
    .run()
    .await?;
    if accepted.contains(INSECURE) {
        return Ok(());
    }
    let path = Path::new("/etc/docker/daemon.json");
    let advice = || {
        LabError::Needs(format!(
            "the running Docker engine must accept the lab's plain-HTTP registries: add \"insecure-registries\": [\"{INSECURE}\"] to {} and reload it with: sudo systemctl reload docker",
            path.display()
        ))
    };
    if !is_root() {
        return Err(advice());
    }
    let mut config: Value = match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|_| advice())?,
        Err(_) => json!({}),
    };
    let object = config.as_object_mut().ok_or_else(advice)?;
    let list = object
        .entry("insecure-registries")
        .or_insert_with(|| json!([]));
    list.as_array_mut()
        .ok_or_else(advice)?
        .push(json!(INSECURE));
    crate::folder::write_file(path, 0o644, format!("{config:#}\n").as_bytes())?;
    progress.say(format!(
        "added {INSECURE} to the insecure registries of {}",
        path.display()
    ));
    // By its pid file, never by name: the droplets' own engines are processes of this machine too.
    let pid = std::fs::read_to_string("/run/docker.pid")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let pid = pid.and_then(Pid::from_raw).ok_or_else(advice)?;
    kill_process(pid, Signal::HUP).map_err(|_| advice())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let accepted = docker([
        "info",
        "--format",
        "{{json .RegistryConfig.InsecureRegistryCIDRs}}",
    ])
    .run()
    .await?;
    if accepted.contains(INSECURE) {
        Ok(())
    } else {
        Err(advice())
    }
}
