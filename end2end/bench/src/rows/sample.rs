//! The sample project from a push to both components healthy: with nothing to rebuild, with one line of the backend
//! changed, and its unchanged tree in another environment.
//!
//! By hand means the commands of `by_hand.sh` on this machine's engine and on the servers' own sockets, without SSH:
//! both images are built and pushed and the changed backend is tested side by side, and then the components are started
//! one after the other. The portal does more: it also checks the workflow files, migrates and sets the proxy.
//! Each way changes the same file to something that the other has never built, and the layers before it are cached for
//! both.
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::droplet::now_ms;
use crate::portal::Portal;
use crate::report::{Bar, Line, Samples};
use crate::sample::{BY_HAND, COMPONENTS, NAME, Place, Sample, Took};
use crate::site::root;

const CHANGED: &str = "backend/apps/core/views.py";

/// A push whose tree was built before.
pub async fn push(sample: &Sample<'_>, portal: &Portal, rounds: usize) -> Result<Vec<Line>> {
    let places = sample.places("dev", COMPONENTS).await?;
    let mut took = Vec::new();
    for round in 0..=rounds {
        let (run, began) = sample.push(portal, &format!("Push {round}")).await?;
        let done = portal.done(run).await?;
        // The first of them builds.
        if round > 0 {
            took.push(Took::of(&done, began, &places).await?);
        }
    }
    Ok(vec![reused(
        "push → healthy, nothing to rebuild",
        &took,
        20.0,
    )])
}

/// The tree that runs in `dev`, in `uat`.
pub async fn promote(sample: &Sample<'_>, portal: &Portal, rounds: usize) -> Result<Vec<Line>> {
    let places = sample.places("uat", COMPONENTS).await?;
    let mut took = Vec::new();
    for round in 0..=rounds {
        let (run, _) = sample.push(portal, &format!("Promote {round}")).await?;
        portal.done(run).await?;
        sample.move_uat()?;
        let asked = now_ms();
        let run = portal.deploy_to(NAME, "uat").await?;
        let done = portal.done(run).await?;
        let one = Took::of(&done, asked, &places).await?;
        // The first of them also pulls the image for the first time.
        if round > 0 {
            took.push(one);
        }
    }
    Ok(vec![reused("promotion of an unchanged tree", &took, 10.0)])
}

/// One that must not have built or pushed anything.
fn reused(what: &str, took: &[Took], most: f64) -> Line {
    let rest = Samples::of(took, Took::rest);
    let own = Samples::of(took, |took| took.own);
    let made: Vec<&str> = took
        .iter()
        .flat_map(|took| took.made.iter().map(String::as_str))
        .collect();
    Line::absolute(what, rest.median(), "s", rest.text("s"), Bar::AtMost(most))
        .only_if(
            made.is_empty(),
            format!("it did what it need not: {}", made.join(", ")),
        )
        .note(format!(
            "without the app's own starts, which took {} together; {}",
            own.text("s"),
            story(took)
        ))
}

/// A push of one changed line, beside the same by hand.
pub async fn change(sample: &Sample<'_>, portal: &Portal, rounds: usize) -> Result<Vec<Line>> {
    let places = sample.places("dev", COMPONENTS).await?;
    let by_hand = ByHand::prepare(sample).await?;
    let (mut took, mut hand) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        change_a_line(&sample.clone, "pushed")?;
        let (run, began) = sample.push(portal, &format!("Change {round}")).await?;
        let done = portal.done(run).await?;
        let one = Took::of(&done, began, &places).await?;

        change_a_line(&sample.clone, "by hand")?;
        let other = by_hand.measure(round).await?;
        crate::site::git(&sample.clone, &["checkout", "--quiet", "--", "."])?;
        // The first of each has less in its caches.
        if round > 0 {
            took.push(one);
            hand.push(other);
        }
    }
    let samples = Samples::of(&took, |took| took.all);
    let [all, images, starts] = [
        Samples::of(&hand, |(images, starts)| images + starts),
        Samples::of(&hand, |(images, _)| *images),
        Samples::of(&hand, |(_, starts)| *starts),
    ];
    let line = Line::ratio(
        "push → healthy, one line of the backend changed",
        "s",
        &samples,
        &all,
        Bar::AtMost(1.15),
    )
    .note(format!(
        "by hand {} until both were built and pushed and the backend was tested, and {} to pull and start them; nothing \
         is migrated and no proxy is set by hand; {}",
        images.text("s"),
        starts.text("s"),
        story(&took)
    ));
    Ok(vec![line])
}

/// Where the time of the last one went.
fn story(took: &[Took]) -> String {
    let last = took.last().map_or("nothing", |took| took.story.as_str());
    format!("the last one, each step from when to when: {last}")
}

fn change_a_line(clone: &Path, who: &str) -> Result<()> {
    let path = clone.join(CHANGED);
    let text = std::fs::read_to_string(&path)?;
    let own: String = text
        .lines()
        .filter(|line| !line.starts_with("# bench"))
        .flat_map(|line| [line, "\n"])
        .collect();
    std::fs::write(&path, format!("{own}# bench, {who}, {}\n", now_ms()))?;
    Ok(())
}

/// The commands that people would type.
struct ByHand<'s> {
    sample: &'s Sample<'s>,
    places: Vec<Place>,
}

impl<'s> ByHand<'s> {
    /// Signs in to the registries, with a configuration of its own.
    async fn prepare(sample: &'s Sample<'s>) -> Result<Self> {
        let places = sample.places("dev", BY_HAND).await?;
        let this = Self { sample, places };
        this.run(&["login"]).await?;
        Ok(this)
    }

    /// Builds and pushes both and tests what was changed; then starts one after the other. Gives the seconds of both halves.
    async fn measure(&self, round: usize) -> Result<(f64, f64)> {
        let tag = format!("byhand-{}-{round}", self.sample.site.commit);
        let began = now_ms();
        self.run(&["images", &tag]).await?;
        let made = now_ms();
        for (component, place) in BY_HAND.iter().zip(&self.places) {
            let start = [
                "start",
                &tag,
                &place.socket,
                component.name,
                component.container,
                &component.port.to_string(),
            ];
            self.run(&start).await?;
            place.start_of(component.container).await?;
        }
        Ok(((made - began) / 1000.0, (now_ms() - made) / 1000.0))
    }

    async fn run(&self, args: &[&str]) -> Result<()> {
        let site = self.sample.site;
        let [docr, ghcr] = &site.lab.registries[..] else {
            anyhow::bail!("the lab should have two registries")
        };
        let backend = self.sample.droplet("dev", BY_HAND[0])?;
        let done = Command::new("bash")
            .arg(root().join("end2end/bench/by_hand.sh"))
            .args(args)
            .current_dir(&self.sample.clone)
            .env("DOCKER_CONFIG", site.dir.join("docker"))
            // The builder and so the cache that the portal uses.
            .env("DOCKER_BUILDKIT", "0")
            .env("BACKEND", backend.address.to_string())
            .envs([("DOCR", &docr.address), ("GHCR", &ghcr.address)])
            .envs([
                ("DOCR_USER", &docr.username),
                ("DOCR_PASSWORD", &docr.password),
            ])
            .envs([
                ("GHCR_USER", &ghcr.username),
                ("GHCR_PASSWORD", &ghcr.password),
            ])
            .kill_on_drop(true)
            .output()
            .await
            .context("bash cannot be started")?;
        let told = String::from_utf8_lossy(&done.stderr);
        let last: Vec<&str> = told.lines().rev().take(5).collect();
        ensure!(
            done.status.success(),
            "by hand, {}: {}",
            args.first().unwrap_or(&""),
            last.into_iter().rev().collect::<Vec<_>>().join(" / ")
        );
        Ok(())
    }
}
