//! From the click to a healthy container, less what the app itself takes to start, beside the same by hand: over the
//! `ssh` command line as the team did it before, and by the bare calls of the Docker API on the server's own socket.
//!
//! All three are watched by the same tight probe, which tells when the app was up; its own start runs from the
//! engine's note of the container's start to there.
use std::time::Duration;

use adapters::docker::{ContainerSpec, Engine};
use anyhow::{Context, Result};

use crate::droplet::{Server, Watcher, now_ms};
use crate::portal::Portal;
use crate::report::{Bar, Line, Samples};
use crate::site::{Project, SLOW_START, Site};

const SEED: Project = Project {
    name: "bench-byhand",
    port: 18211,
    ..SLOW_START
};
const BARE: Project = Project {
    name: "bench-bare",
    port: 18212,
    ..SLOW_START
};

pub async fn measure(
    site: &Site,
    server: &Server,
    portal: &Portal,
    rounds: usize,
) -> Result<Vec<Line>> {
    for project in [SLOW_START, SEED, BARE] {
        server.clean(project).await?;
    }
    // The first of each builds, pulls and makes the container that the measured ones replace.
    let fairlead = Watcher::of(server.at(SLOW_START.port));
    let by_hand = Watcher::of(server.at(SEED.port));
    let bare = Watcher::of(server.at(BARE.port));
    let (mut a, mut b, mut c, mut own) = Default::default();
    for round in 0..=rounds {
        let mut ignored = (
            Samples::default(),
            Samples::default(),
            Samples::default(),
            Samples::default(),
        );
        let (a, b, c, own) = match round {
            0 => (
                &mut ignored.0,
                &mut ignored.1,
                &mut ignored.2,
                &mut ignored.3,
            ),
            _ => (&mut a, &mut b, &mut c, &mut own),
        };
        let took = with_fairlead(server, portal, &fairlead).await?;
        a.push(took.rest());
        own.push(took.own);
        b.push(with_ssh(site, server, &by_hand).await?.rest());
        c.push(with_the_api(site, server, &bare).await?.rest());
    }
    for project in [SLOW_START, SEED, BARE] {
        server.clean(project).await?;
    }
    let own = format!("without the app's own start, which took {}", own.text("s"));
    Ok(vec![
        Line::ratio("deploy, against the ssh command line", "s", &a, &b, Bar::AtMost(0.35)).note(own),
        Line::ratio("deploy, against the bare Docker API", "s", &a, &c, Bar::AtMost(1.5)).note(
            "the bare calls go to the droplet's local socket without SSH, and a probe each 4 ms sees the end of them",
        ),
    ])
}

/// Seconds.
struct Took {
    all: f64,
    own: f64,
}

impl Took {
    async fn to(
        server: &Server,
        watcher: &Watcher,
        container: &str,
        clicked: f64,
        healthy: f64,
    ) -> Result<Self> {
        let started = server.started_ms(container).await?;
        let up = watcher.healthy_ms(container).await?;
        Ok(Self {
            all: (healthy - clicked) / 1000.0,
            own: (up - started) / 1000.0,
        })
    }

    fn rest(&self) -> f64 {
        self.all - self.own
    }
}

async fn with_fairlead(server: &Server, portal: &Portal, watcher: &Watcher) -> Result<Took> {
    let clicked = now_ms();
    let run = portal.deploy(SLOW_START).await?;
    let done = portal.deployed(run).await?;
    Took::to(server, watcher, &done.container, clicked, done.at_ms).await
}

/// The commands of the team's workflow in one session: sign in to the registry, pull by tag, remove, run, and ask
/// every five seconds.
async fn with_ssh(site: &Site, server: &Server, watcher: &Watcher) -> Result<Took> {
    let registry = &site.lab.registries[0];
    let (image, Project { name, port, args }) = (site.image(SLOW_START), SEED);
    let script = format!(
        "set -e
        docker login {address} -u {user} --password-stdin >/dev/null 2>&1
        docker pull {image} >/dev/null
        docker rm -f {name} >/dev/null 2>&1 || true
        docker run -d --name {name} --restart unless-stopped -p {port}:8000 {image} python -u /app.py {args}
        for attempt in $(seq 20); do
            if curl -fs http://localhost:{port}/ >/dev/null; then exit 0; fi
            sleep 5
        done
        exit 1",
        address = registry.address,
        user = registry.username,
        args = args.join(" "),
    );
    let clicked = now_ms();
    let printed = server.ssh(&script, &registry.password).await?;
    let healthy = now_ms();
    let printed = String::from_utf8_lossy(&printed);
    let container = printed
        .split_whitespace()
        .last()
        .context("docker run printed no id")?;
    Took::to(server, watcher, container, clicked, healthy).await
}

/// What the portal asks of the engine and nothing else: is the image there, create, stop, rename, rename, start.
async fn with_the_api(site: &Site, server: &Server, watcher: &Watcher) -> Result<Took> {
    let (Project { name, port, args }, engine) = (BARE, &server.engine);
    let (next, before) = (format!("{name}.next"), format!("{name}.before"));
    engine.remove(&before).await?;
    let mut spec = ContainerSpec::new(site.image(SLOW_START));
    spec.command = ["python", "-u", "/app.py"]
        .iter()
        .chain(args)
        .map(ToString::to_string)
        .collect();
    spec.ports = vec![format!("{port}:8000").parse().map_err(anyhow::Error::msg)?];
    let clicked = now_ms();
    let container = replace(engine, name, &next, &before, &spec).await?;
    let healthy = watcher.healthy_ms(&container).await?;
    Took::to(server, watcher, &container, clicked, healthy).await
}

async fn replace(
    engine: &Engine,
    name: &str,
    next: &str,
    before: &str,
    spec: &ContainerSpec,
) -> Result<String> {
    engine
        .image(&spec.image)
        .await?
        .context("the image is not on the droplet")?;
    let id = engine.create(next, spec).await?;
    if engine.inspect(name).await?.is_some() {
        engine.stop(name, Duration::from_secs(10)).await?;
        engine.rename(name, before).await?;
    }
    engine.rename(next, name).await?;
    engine.start(name).await?;
    Ok(id)
}
