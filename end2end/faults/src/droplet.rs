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

    /// The containers of its engine whose names start so, with the state of each: `(name, running)`.
    pub async fn containers(&self, start: &str) -> Vec<(String, String)> {
        let format = "--format={{.Names}} {{.State}}";
        let filter = format!("--filter=name=^/{start}");
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

    /// Removes the containers whose names start so.
    pub async fn clear(&self, start: &str) {
        for (name, _) in self.containers(start).await {
            // One that removes itself meanwhile is gone, which is what is wanted.
            let _ = self
                .try_run(&["docker", "rm", "--force", "--volumes", &name])
                .await;
        }
    }
}
