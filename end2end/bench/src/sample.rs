//! The sample project under names of its own: a repository, a manifest made from the lab's, and containers and ports
//! beside those of the demo, so that neither is in the other's way.
use std::path::PathBuf;

use adapters::docker::Engine;
use anyhow::{Context, Result, ensure};
use domain::RunId;
use lab::description::Droplet;
use serde_json::{Value, json};

use crate::droplet::{Watcher, docker, engine, now_ms, socket, started_ms};
use crate::portal::{Done, Portal, url};
use crate::site::{Site, git, new_repository, root};

/// Its name in the portal.
pub const NAME: &str = "bench-sample";
/// In the GitHub stand-in.
const REPOSITORY: &str = "meats-central/bench-sample";
/// Whose pushes they are: a lead, because only leads may make a hook.
const LOGIN: &str = "lena";
/// The branch of each environment that is deployed to.
const BRANCHES: [(&str, &str); 2] = [("dev", "development"), ("uat", "uat")];

/// A component: its container, and where it is asked whether it is healthy.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// As the manifest and the droplets call it.
    pub name: &'static str,
    /// Its container and its image.
    pub container: &'static str,
    /// On the droplet.
    pub port: u16,
    /// What is asked.
    pub health: &'static str,
}

/// In the order in which they are deployed.
pub const COMPONENTS: [Component; 2] = [
    Component {
        name: "backend",
        container: "bench-sample-backend",
        port: 18231,
        health: "/api/v1/health/",
    },
    Component {
        name: "frontend",
        container: "bench-sample-frontend",
        port: 18232,
        health: "/",
    },
];

/// The same put there by hand, beside them.
pub const BY_HAND: [Component; 2] = [
    Component {
        container: "bench-byhand-backend",
        port: 18241,
        ..COMPONENTS[0]
    },
    Component {
        container: "bench-byhand-frontend",
        port: 18242,
        ..COMPONENTS[1]
    },
];

/// What is written otherwise than in the lab's manifest and templates.
const MANIFEST: [(&str, &str); 14] = [
    ("name = \"projectmeats\"", "name = \"bench-sample\""),
    ("title = \"ProjectMeats\"", "title = \"bench-sample\""),
    ("meats-central/projectmeats-sample", REPOSITORY),
    ("\"projectmeats-backend\"", "\"bench-sample-backend\""),
    ("\"projectmeats-frontend\"", "\"bench-sample-frontend\""),
    ("\"pm-backend\"", "\"bench-sample-backend\""),
    ("\"pm-frontend\"", "\"bench-sample-frontend\""),
    ("\"8000:8000\"", "\"18231:8000\""),
    ("\"8080:80\"", "\"18232:80\""),
    ("localhost:8000", "localhost:18231"),
    ("localhost:8080", "localhost:18232"),
    ("localhost:80/", "localhost:18233/"),
    ("conf.d/pm-frontend.conf", "conf.d/bench-sample.conf"),
    (
        "git fetch --quiet origin &&",
        "git fetch --quiet file:///srv/git/meats-central/bench-sample.git '+refs/heads/*:refs/remotes/bench/*' &&",
    ),
];
const TEMPLATES: [(&str, &[(&str, &str)]); 2] = [
    ("env-config.js", &[]),
    (
        "pm-frontend.conf",
        &[
            ("listen 80;", "listen 18233;"),
            (":8000;", ":18231;"),
            ("127.0.0.1:8080", "127.0.0.1:18232"),
        ],
    ),
];

/// The project, and a clone as a developer has it.
pub struct Sample<'s> {
    /// Where all of it is.
    pub site: &'s Site,
    /// The clone, with `development` checked out.
    pub clone: PathBuf,
    http: adapters::http::Client,
    token: String,
    hook: Option<String>,
}

/// A server of one component.
pub struct Place {
    /// Where its own engine listens, as seen from this machine.
    pub socket: String,
    engine: Engine,
    watcher: Watcher,
}

/// What became of a run, in seconds.
pub struct Took {
    /// From when it was asked for until the last component was healthy.
    pub all: f64,
    /// What the components themselves took to start.
    pub own: f64,
    /// What each step took.
    pub story: String,
    /// Whether anything was built or pushed, by what the run did.
    pub made: Vec<String>,
}

impl<'s> Sample<'s> {
    /// Writes everything anew, and has pushes told to the portal under measurement.
    pub async fn prepare(site: &'s Site) -> Result<Self> {
        let from = site.lab_dir.join("projects");
        let to = site.dir.join("projects");
        let manifest = std::fs::read_to_string(from.join("projectmeats.toml"))?;
        let manifest = replaced(&manifest, &MANIFEST)?;
        std::fs::write(to.join(format!("{NAME}.toml")), manifest)?;
        let [from, to] = [from.join("projectmeats"), to.join(NAME)].map(|at| at.join("templates"));
        std::fs::create_dir_all(&to)?;
        for (name, otherwise) in TEMPLATES {
            let template = std::fs::read_to_string(from.join(name))?;
            std::fs::write(to.join(name), replaced(&template, otherwise)?)?;
        }

        let bare = site.lab_dir.join(format!("git/{REPOSITORY}.git"));
        let files = root().join("end2end/lab/sample");
        new_repository(&bare, &site.dir, &files, BRANCHES[0].1)?;
        let clone = site.dir.join("sample");
        let _ = std::fs::remove_dir_all(&clone);
        let http = adapters::http::client()?;
        let github = &site.lab.github;
        let made = http
            .post(format!("{}/_lab/tokens?login={LOGIN}", github.url))
            .send()
            .await?;
        let made: Value = made.error_for_status()?.json().await?;
        let token = made["token"].as_str().context("no token")?.to_owned();
        let mut from: url::Url = github.url.parse()?;
        from.set_path(&format!("{REPOSITORY}.git"));
        let named = from.set_username("x").is_ok() && from.set_password(Some(&token)).is_ok();
        ensure!(named, "{from} takes no user");
        let clone_to = clone.to_string_lossy();
        git(&site.dir, &["clone", "--quiet", from.as_str(), &clone_to])?;
        let mut sample = Self {
            site,
            clone,
            http,
            token,
            hook: None,
        };
        sample.hook = sample.make_hook().await?;
        Ok(sample)
    }

    async fn make_hook(&self) -> Result<Option<String>> {
        let github = &self.site.lab.github;
        let hook = json!({
            "config": { "url": url("/hooks/github"), "content_type": "json", "secret": github.webhook_secret },
            "events": ["push"],
        });
        let made = self
            .http
            .post(format!("{}/repos/{REPOSITORY}/hooks", github.api_url))
            .bearer_auth(&self.token)
            .json(&hook)
            .send()
            .await?;
        let (status, text) = (made.status(), made.text().await?);
        // One that was stopped has left its own.
        if text.contains("already exists") {
            return Ok(None);
        }
        ensure!(status.is_success(), "no hook can be made: {status}: {text}");
        let made: Value = serde_json::from_str(&text)?;
        Ok(made["url"].as_str().map(str::to_owned))
    }

    /// Pushes what is in the clone as one commit, and gives its run and when that began.
    pub async fn push(&self, portal: &Portal, title: &str) -> Result<(RunId, f64)> {
        let git = |args: &[&str]| git(&self.clone, args);
        git(&["add", "--all"])?;
        git(&["commit", "--quiet", "--allow-empty", "--message", title])?;
        let commit = git(&["rev-parse", "HEAD"])?;
        let began = now_ms();
        git(&["push", "--quiet", "origin", "HEAD"])?;
        Ok((portal.run_of(NAME, &commit).await?, began))
    }

    /// Moves the branch of `uat` to the newest commit without telling anybody, so that a deploy there is of one tree
    /// with the last one to `dev`.
    pub fn move_uat(&self) -> Result<()> {
        let bare = self.site.lab_dir.join(format!("git/{REPOSITORY}.git"));
        git(&bare, &["branch", "--force", BRANCHES[1].1, BRANCHES[0].1])?;
        Ok(())
    }

    /// The servers of an environment with the containers of these components.
    pub async fn places(
        &self,
        environment: &str,
        components: [Component; 2],
    ) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for component in components {
            let droplet = self.droplet(environment, component)?;
            let socket = socket(droplet).await?;
            let at = (droplet.address, component.port).into();
            places.push(Place {
                engine: engine(&socket).await?,
                socket,
                watcher: Watcher::of_path(at, component.health),
            });
        }
        Ok(places)
    }

    /// The server of a component.
    pub fn droplet(&self, environment: &str, component: Component) -> Result<&Droplet> {
        let name = format!("{environment}-{}", component.name);
        let found = self.site.lab.droplets.get(&name);
        found.with_context(|| format!("the lab has no droplet {name}"))
    }

    /// Removes what it left on the servers, and the hook.
    pub async fn clean(&self) -> Result<()> {
        for (environment, _) in BRANCHES {
            for component in COMPONENTS.into_iter().chain(BY_HAND) {
                let droplet = self.droplet(environment, component)?;
                let engine = engine(&socket(droplet).await?).await?;
                for container in engine.list(&[]).await? {
                    if container.name.starts_with(component.container) {
                        engine.remove(&container.id).await?;
                    }
                }
                // The proxy's file, which only the frontend's server has.
                let conf = "rm -f /etc/nginx/conf.d/bench-sample.conf*; nginx -s reload || true";
                docker(&["exec", &droplet.container, "sh", "-c", conf]).await?;
            }
        }
        if let Some(hook) = &self.hook {
            let gone = self.http.delete(hook).bearer_auth(&self.token).send();
            gone.await?.error_for_status()?;
        }
        Ok(())
    }
}

impl Place {
    /// From the start of a container until it was healthy, in milliseconds since 1970.
    pub async fn start_of(&self, container: &str) -> Result<(f64, f64)> {
        let started = started_ms(&self.engine, container).await?;
        Ok((started, self.watcher.up_after(started).await?))
    }
}

impl Took {
    /// Of a run that has deployed both components to these places.
    pub async fn of(done: &Done, asked_ms: f64, places: &[Place]) -> Result<Self> {
        let deployed = done.deployed()?;
        ensure!(
            deployed.len() == places.len(),
            "{} of {} components were deployed",
            deployed.len(),
            places.len()
        );
        let (mut own, mut last) = (0.0, asked_ms);
        for (deployed, place) in deployed.iter().zip(places) {
            let (started, up) = place.start_of(&deployed.container).await?;
            own += (up - started) / 1000.0;
            last = f64::max(last, deployed.at_ms);
        }
        let making = |title: &&String| title.starts_with("Build ") || title.starts_with("Push ");
        Ok(Self {
            all: (last - asked_ms) / 1000.0,
            own,
            story: done.story(asked_ms)?,
            made: done.steps.iter().filter(making).cloned().collect(),
        })
    }

    /// What the portal itself took.
    pub fn rest(&self) -> f64 {
        self.all - self.own
    }
}

fn replaced(text: &str, otherwise: &[(&str, &str)]) -> Result<String> {
    let mut text = text.to_owned();
    for (old, new) in otherwise {
        ensure!(
            text.contains(old),
            "the lab's files have no `{old}` any more"
        );
        text = text.replace(old, new);
    }
    Ok(text)
}
