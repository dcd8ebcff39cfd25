//! From the click to a healthy container, less what the app itself takes to start, beside the same by hand: over the
//! `ssh` command line as the team did it before, and by the bare calls of the Docker API on the server's own socket.
//!
//! All three are watched by the same tight probe, which tells when the app was up; its own start runs from the
//! engine's note of the container's start to there. The team's commands ask every five seconds, so how long they wait
//! for an app that is up depends on when it is: they are measured with one for which they wait long and with one for
//! which they hardly wait at all.
use std::time::Duration;

use adapters::docker::{ContainerSpec, Engine};
use anyhow::{Context, Result};

use crate::droplet::{Server, Watcher, now_ms};
use crate::portal::Portal;
use crate::report::{Bar, Line, Samples};
use crate::site::{Project, QUICK_START, SLOW_START, Site};

pub async fn measure(
    site: &Site,
    server: &Server,
    portal: &Portal,
    rounds: usize,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for project in [QUICK_START, SLOW_START] {
        lines.extend(compare(site, server, portal, project, rounds).await?);
    }
    Ok(lines)
}

/// The same app by the three ways in turns.
async fn compare(
    site: &Site,
    server: &Server,
    portal: &Portal,
    project: Project,
    rounds: usize,
) -> Result<Vec<Line>> {
    let by_hand = Project {
        name: "bench-byhand",
        port: 18211,
        ..project
    };
    let bare = Project {
        name: "bench-bare",
        port: 18212,
        ..project
    };
    let image = site.image(project);
    for project in [project, by_hand, bare] {
        server.clean(project).await?;
    }
    let watched = [project, by_hand, bare].map(|project| Watcher::of(server.at(project.port)));
    let mut ways: [Vec<Took>; 3] = Default::default();
    // The first of each builds, pulls and makes the container that the measured ones replace.
    for round in 0..=rounds {
        let took = [
            with_fairlead(server, portal, &watched[0], project).await?,
            with_ssh(site, server, &watched[1], by_hand, &image).await?,
            with_the_api(server, &watched[2], bare, &image).await?,
        ];
        for (way, took) in ways.iter_mut().zip(took) {
            if round > 0 {
                way.push(took);
            }
        }
    }
    for project in [project, by_hand, bare] {
        server.clean(project).await?;
    }
    let [a, b, c] = ways.each_ref().map(|way| Samples::of(way, Took::rest));
    let [work, work_by_hand, _] = ways
        .each_ref()
        .map(|way| Samples::of(way, |took| took.work));
    let own = Samples::of(&ways[0], |took| took.own);
    let name =
        |against: &str| format!("deploy, app up in {:.1} s, against {against}", own.median());
    let by_hand = Line::ratio(&name("ssh"), "s", &a, &b, Bar::AtMost(0.35)).note(format!(
        "without the app's own start, which took {}; the commands ask after 0, 5, 10, … s and so wait for an app that \
         is up; without that, from the click to the container's start, it is {} against {}, {:.2} ×",
        own.text("s"),
        work.text("s"),
        work_by_hand.text("s"),
        work.median() / work_by_hand.median(),
    ));
    let bare = Line::ratio(&name("the bare Docker API"), "s", &a, &c, Bar::AtMost(1.5)).note(
        "the bare calls go to the droplet's local socket without SSH, and a probe each 4 ms sees the end of them",
    );
    Ok(vec![by_hand, bare])
}

/// Seconds.
struct Took {
    /// From the click until it was found healthy.
    all: f64,
    /// From the click until the container was started.
    work: f64,
    /// From there until the app was up.
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
            work: (started - clicked) / 1000.0,
            own: (up - started) / 1000.0,
        })
    }

    fn rest(&self) -> f64 {
        self.all - self.own
    }
}

async fn with_fairlead(
    server: &Server,
    portal: &Portal,
    watcher: &Watcher,
    project: Project,
) -> Result<Took> {
    let clicked = now_ms();
    let run = portal.deploy(project).await?;
    let done = portal.deployed(run).await?;
    Took::to(server, watcher, &done.container, clicked, done.at_ms).await
}

/// The commands of the team's workflow in one session: sign in to the registry, pull by tag, remove, run, and ask
/// every five seconds.
async fn with_ssh(
    site: &Site,
    server: &Server,
    watcher: &Watcher,
    Project {
        name, port, args, ..
    }: Project,
    image: &str,
) -> Result<Took> {
    let registry = &site.lab.registries[0];
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
async fn with_the_api(
    server: &Server,
    watcher: &Watcher,
    Project {
        name, port, args, ..
    }: Project,
    image: &str,
) -> Result<Took> {
    let engine = &server.engine;
    let (next, before) = (format!("{name}.next"), format!("{name}.before"));
    engine.remove(&before).await?;
    let mut spec = ContainerSpec::new(image);
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
