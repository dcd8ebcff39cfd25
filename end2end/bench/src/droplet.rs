//! The droplet seen from beside the portal: its Docker engine without SSH, the `ssh` command line, and its ports.
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adapters::docker::Engine;
use anyhow::{Context, Result, ensure};
use lab::description::Droplet;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::site::{Project, Site};

/// Milliseconds since 1970; the droplet's clock is this machine's.
pub fn now_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
        * 1000.0
}

/// The droplet.
pub struct Server {
    /// Its Docker engine through its own local socket, which is reached through the container's file system.
    pub engine: Engine,
    address: std::net::Ipv4Addr,
    ssh: Vec<String>,
}

impl Server {
    /// Looks for it.
    pub async fn of(site: &Site) -> Result<Self> {
        let droplet = site.droplet()?;
        let engine = engine(&socket(droplet).await?).await?;
        let key: &PathBuf = droplet
            .key_file
            .as_ref()
            .context("the droplet is signed in to by key")?;
        let known = site.dir.join("known_hosts");
        let ssh = vec![
            "-i".into(),
            key.display().to_string(),
            "-o".into(),
            format!("UserKnownHostsFile={}", known.display()),
            "-o".into(),
            "StrictHostKeyChecking=accept-new".into(),
            "-o".into(),
            "LogLevel=ERROR".into(),
            format!("{}@{}", droplet.user, droplet.address),
        ];
        Ok(Self {
            engine,
            address: droplet.address,
            ssh,
        })
    }

    /// Where a project's app answers.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// Runs a script over the `ssh` command line with `input` behind it, and gives what it printed.
    pub async fn ssh(&self, script: &str, input: &str) -> Result<Vec<u8>> {
        let mut child = Command::new("ssh")
            .args(&self.ssh)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("ssh cannot be started; install it with `apt-get install openssh-client`")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let done = child.wait_with_output().await?;
        ensure!(
            done.status.success(),
            "over ssh: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        );
        Ok(done.stdout)
    }

    /// The same with what it prints in a file.
    pub async fn ssh_to_file(&self, script: &str, path: &std::path::Path) -> Result<()> {
        let file = std::fs::File::create(path)?;
        let status = Command::new("ssh")
            .args(&self.ssh)
            .arg(script)
            .stdin(Stdio::null())
            .stdout(file)
            .status()
            .await?;
        ensure!(status.success(), "over ssh: {status}");
        Ok(())
    }

    /// When the container was started, in milliseconds since 1970.
    pub async fn started_ms(&self, container: &str) -> Result<f64> {
        started_ms(&self.engine, container).await
    }

    /// Removes what a bench has left behind.
    pub async fn clean(&self, project: Project) -> Result<()> {
        for container in self.engine.list(&[]).await? {
            if container.name.starts_with(project.name) {
                self.engine.remove(&container.id).await?;
            }
        }
        Ok(())
    }
}

/// Where a droplet's own engine listens, as seen from this machine.
pub async fn socket(droplet: &Droplet) -> Result<String> {
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &droplet.container]).await?;
    Ok(format!("unix:///proc/{pid}/root/run/docker.sock"))
}

/// The engine that listens there.
pub async fn engine(socket: &str) -> Result<Engine> {
    let engine = Engine::local(socket)?;
    engine
        .ping()
        .await
        .context("the droplet's Docker engine is reached through /proc, which takes root")?;
    Ok(engine)
}

/// Runs the `docker` command line on this machine's engine, and gives what it printed.
pub async fn docker(args: &[&str]) -> Result<String> {
    let done = Command::new("docker")
        .args(args)
        .output()
        .await
        .context("docker cannot be started")?;
    ensure!(
        done.status.success(),
        "docker {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// When a container of that engine was started, in milliseconds since 1970.
pub async fn started_ms(engine: &Engine, container: &str) -> Result<f64> {
    let found = engine
        .inspect(container)
        .await?
        .with_context(|| format!("{container} is gone"))?;
    Ok(found.started_ms.context("it was never started")? as f64)
}

/// Asks an address every few milliseconds and notes when each container there was first healthy.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
}

/// Times in milliseconds since 1970.
#[derive(Default)]
struct Seen {
    /// When each answer was first given; the bench's app answers with its container's id.
    answers: HashMap<String, f64>,
    /// Each time that it was healthy after it had not been.
    ups: Vec<f64>,
}

impl Watcher {
    /// Starts to look.
    pub fn of(address: SocketAddr) -> Self {
        Self::of_path(address, "/")
    }

    /// The same at another path.
    pub fn of_path(address: SocketAddr, path: &'static str) -> Self {
        let (stop, seen) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(Seen::default())),
        );
        let (stopped, noted) = (stop.clone(), seen.clone());
        std::thread::spawn(move || {
            let mut was_up = false;
            while !stopped.load(Ordering::Relaxed) {
                let answer = ask(address, path).filter(|(status, _)| *status == 200);
                let is_up = answer.is_some();
                if let Some((_, answer)) = answer {
                    let at = now_ms();
                    let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                    noted.answers.entry(answer).or_insert(at);
                    if !was_up {
                        noted.ups.push(at);
                    }
                }
                was_up = is_up;
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        Self { stop, seen }
    }

    /// When the container with this id was first healthy, in milliseconds since 1970; waits for it.
    pub async fn healthy_ms(&self, container: &str) -> Result<f64> {
        let short = container.get(..12).unwrap_or(container);
        self.until(|seen| seen.answers.get(short).copied())
            .await
            .with_context(|| format!("container {short}"))
    }

    /// When whatever was started at that time was healthy, where what was there before had been stopped; waits for it.
    pub async fn up_after(&self, started_ms: f64) -> Result<f64> {
        self.until(|seen| seen.ups.iter().copied().find(|up| *up >= started_ms))
            .await
    }

    async fn until(&self, found: impl Fn(&Seen) -> Option<f64>) -> Result<f64> {
        for _ in 0..6_000 {
            if let Some(at) = found(&self.seen.lock().unwrap_or_else(PoisonError::into_inner)) {
                return Ok(at);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::bail!("it was not healthy after 30 s")
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// GET over a connection of its own: status and last line of the body. The sample project answers only who asks for a
/// host that it knows.
pub fn ask(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.lines().last()?.to_owned()))
}
