//! A droplet of the lab, looked at from behind: not over SSH, as the product does, but as the container that it is.
use std::net::SocketAddr;

use lab::description;
use lab::program::docker;

/// A droplet.
#[derive(Debug, Clone)]
pub struct Droplet {
    /// As the lab describes it.
    pub described: description::Droplet,
}

impl Droplet {
    /// Its sshd.
    pub fn sshd(&self) -> SocketAddr {
        (self.described.address, self.described.port).into()
    }

    /// Runs a program on it as root and gives what it printed.
    pub async fn run(&self, args: &[&str]) -> String {
        self.try_run(args).await.unwrap()
    }

    /// The same where it may fail.
    pub async fn try_run(&self, args: &[&str]) -> Result<String, String> {
        let line = [&["exec", &self.described.container][..], args].concat();
        docker(line).run().await.map_err(|error| error.to_string())
    }

    /// A shell line on it.
    pub async fn shell(&self, line: &str) -> String {
        self.run(&["sh", "-c", line]).await
    }

    /// Breaks something by a shell line; `mend` puts it right when what is given back is dropped, so also when the test
    /// fails. The droplet is everybody's.
    pub async fn broken(&self, line: &str, mend: &str) -> Broken {
        let broken = Broken {
            container: self.described.container.clone(),
            mend: mend.to_owned(),
        };
        self.shell(line).await;
        broken
    }

    /// The container of its engine with this name, and those whose names go on with a dot, with the state of each:
    /// `(name, running)`.
    pub async fn containers(&self, name: &str) -> Vec<(String, String)> {
        let format = "--format={{.Names}} {{.State}}";
        let filter = format!(r"--filter=name=^/{name}($|\.)");
        let listed = self.run(&["docker", "ps", "--all", &filter, format]).await;
        let mut found: Vec<_> = listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, state)| (name.to_owned(), state.to_owned()))
            .collect();
        found.sort();
        found
    }

    /// The id of a container.
    pub async fn id(&self, container: &str) -> String {
        self.run(&["docker", "inspect", "--format={{.Id}}", container])
            .await
    }

    /// When a container was started last: the same as before only where it never stopped.
    pub async fn started(&self, container: &str) -> String {
        let format = "--format={{.State.StartedAt}}";
        self.run(&["docker", "inspect", format, container]).await
    }

    /// The moment by the engine's clock, in seconds with nine decimals, as [`Droplet::events`] takes it.
    pub async fn now(&self) -> String {
        self.run(&["date", "+%s.%N"]).await
    }

    /// What the engine did to containers with this label since then: `create`, `start`, `die`, ….
    pub async fn events(&self, label: &str, since: &str) -> Vec<String> {
        let label = format!("--filter=label={label}");
        let (since, until) = (
            format!("--since={since}"),
            format!("--until={}", self.now().await),
        );
        let kind = "--filter=type=container";
        let format = "--format={{.Action}}";
        let listed = self
            .run(&["docker", "events", kind, &label, &since, &until, format])
            .await;
        listed.lines().map(str::to_owned).collect()
    }

    /// Removes the container with this name, and those whose names go on with a dot.
    pub async fn clear(&self, name: &str) {
        for (name, _) in self.containers(name).await {
            // One that removes itself meanwhile is gone, which is what is wanted.
            let _ = self
                .try_run(&["docker", "rm", "--force", "--volumes", &name])
                .await;
        }
    }

    /// Removes the images of a project of these tests, and keeps the layers that all of them stand on.
    pub async fn forget_images(&self, project: &str) {
        let listing = images(&format!("*/faults/{project}"));
        let listing: Vec<&str> = listing.iter().map(String::as_str).collect();
        let listed = self.run(&[&["docker"][..], &listing].concat()).await;
        let names = names(&listed);
        let Some(first) = names.first() else {
            return;
        };
        let kept = ["docker", "image", "inspect", "--format={{.Id}}", KEPT];
        if self.try_run(&kept).await.is_err() {
            self.run(&["docker", "tag", first, KEPT]).await;
        }
        // One that a container still stands on stays.
        let _ = self
            .try_run(&[&["docker", "rmi"][..], &names].concat())
            .await;
    }
}

/// Something on a droplet that does not work. Dropping it mends it.
#[must_use = "it is mended when this is dropped"]
pub struct Broken {
    container: String,
    mend: String,
}

impl Drop for Broken {
    fn drop(&mut self) {
        // Not by tokio: a test that fails drops this while its runtime comes to an end.
        let mended = std::process::Command::new("docker")
            .env("DOCKER_HOST", lab::DOCKER_HOST)
            .args(["exec", &self.container, "sh", "-c", &self.mend])
            .output();
        if !matches!(&mended, Ok(output) if output.status.success()) {
            println!("{} could not be mended: {mended:?}", self.container);
        }
    }
}

/// An image that no test removes: with the last of a base image's children its layers would go, and the next test would
/// have to pull them all.
const KEPT: &str = "faults/kept";

/// Removes what the builder, this machine's own engine, has of a project of these tests: what it was tested in, should a
/// test have been killed on the way, and its images. The layers that other builds take from the cache stay: a build
/// whose next layer goes away fails.
pub async fn clear_builder(project: &str) {
    let Tested {
        containers,
        networks,
    } = tested_in(project).await;
    for name in containers {
        let _ = docker(["rm", "--force", "--volumes", &name]).run().await;
    }
    for name in networks {
        let _ = docker(["network", "rm", &name]).run().await;
    }
    for of in [
        format!("fairlead/{project}-*"),
        format!("*/faults/{project}"),
    ] {
        let listed = docker(images(&of)).run().await.unwrap();
        let names = names(&listed);
        if !names.is_empty() {
            // One that another project was built to as well only loses this name.
            let _ = docker([&["rmi", "--no-prune"][..], &names].concat())
                .run()
                .await;
        }
    }
}

/// What a project was tested in, by name.
pub struct Tested {
    /// Running or not.
    pub containers: Vec<String>,
    /// Theirs.
    pub networks: Vec<String>,
}

/// What the builder has of that.
pub async fn tested_in(project: &str) -> Tested {
    let label = format!("--filter=label=fairlead.project={project}");
    let listed = async |line: &[&str]| {
        let listed = docker(line).run().await.unwrap();
        listed.lines().map(str::to_owned).collect()
    };
    Tested {
        containers: listed(&["ps", "--all", &label, "--format={{.Names}}"]).await,
        networks: listed(&["network", "ls", &label, "--format={{.Name}}"]).await,
    }
}

/// Arguments of `docker` that list images; [`names`] reads the answer.
fn images(of: &str) -> [String; 5] {
    let format = "--format={{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}";
    let of = format!("--filter=reference={of}");
    ["image", "ls", "--digests", &of, format].map(str::to_owned)
}

/// By what each image can be removed: its tag, or its digest where it was pulled by that.
fn names(listed: &str) -> Vec<&str> {
    let mut names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').find(|name| !name.contains("<none>")))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
