//! Containers that are kept as they were described: left alone, started again, or made anew when the description changed.
use crate::{
    error::LabError,
    folder::{Folder, write_file},
    layout::{GATEWAY, NETWORK, SUBNET},
    program::docker,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, net::Ipv4Addr};

const SPEC: &str = "fairlead.lab.spec";

/// A file that a container finds in `/seed`.
#[derive(Debug)]
pub struct Seed {
    /// Its name.
    pub name: &'static str,
    /// 0o600, or 0o644 where a user other than root reads it.
    pub mode: u32,
    /// What is in it.
    pub content: String,
}

/// What a container of the lab should be.
#[derive(Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: &'static str,
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// Further arguments of `docker run`; no secrets.
    pub options: Vec<String>,
    /// The image's arguments.
    pub command: Vec<String>,
    /// Files in `/seed`, for what must not be in the arguments.
    pub seeds: Vec<Seed>,
}

/// What `ensure` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It ran already.
    Kept,
    /// It was there and stopped.
    Started,
    /// It is new.
    Made,
}

/// A container of the lab as it is.
#[derive(Debug)]
pub struct Found {
    /// In Docker's word: `running`, `exited`, `paused`, …
    pub state: String,
    /// The hash of the description that it was made from.
    spec: String,
}

/// The lab's containers as they are, by name.
pub type Existing = BTreeMap<String, Found>;

/// Lists the lab's containers.
pub async fn existing() -> Result<Existing, LabError> {
    let format = format!("{{{{.Names}}}}\t{{{{.State}}}}\t{{{{.Label \"{SPEC}\"}}}}");
    let text = docker([
        "ps",
        "--all",
        "--filter",
        &format!("label={SPEC}"),
        "--format",
        &format,
    ])
    .run()
    .await?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            let (name, state, spec) = (parts.next()?, parts.next()?, parts.next()?);
            let (state, spec) = (state.to_owned(), spec.to_owned());
            Some((name.to_owned(), Found { state, spec }))
        })
        .collect())
}

/// Makes the lab's network.
pub async fn ensure_network() -> Result<(), LabError> {
    if docker(["network", "inspect", NETWORK]).run().await.is_ok() {
        return Ok(());
    }
    docker([
        "network",
        "create",
        "--subnet",
        SUBNET,
        "--gateway",
        GATEWAY,
        NETWORK,
    ])
    .run()
    .await
    .map(drop)
}

impl Container {
    /// Makes it so.
    pub async fn ensure(&self, folder: &Folder, existing: &Existing) -> Result<Done, LabError> {
        let image = docker(["image", "inspect", self.image, "--format", "{{.Id}}"])
            .run()
            .await?;
        let spec = hex::encode(Sha256::digest(format!("{image} {self:?}")));
        match existing.get(&self.name) {
            Some(found) if found.spec == spec => {
                let verb = match found.state.as_str() {
                    "running" => return Ok(Done::Kept),
                    "paused" => "unpause",
                    _ => "start",
                };
                docker([verb, &self.name]).run().await?;
                return Ok(Done::Started);
            }
            Some(_) => {
                docker(["rm", "--force", "--volumes", &self.name])
                    .run()
                    .await?;
            }
            None => {}
        }
        let seed = folder.file("seed").join(&self.name);
        for Seed {
            name,
            mode,
            content,
        } in &self.seeds
        {
            write_file(&seed.join(name), *mode, content.as_bytes())?;
        }
        let mut args: Vec<String> = [
            "run",
            "--detach",
            "--name",
            &self.name,
            "--hostname",
            &self.name,
        ]
        .map(str::to_owned)
        .into();
        args.extend(["--label".into(), format!("{SPEC}={spec}")]);
        args.extend([
            "--network".into(),
            NETWORK.into(),
            "--ip".into(),
            self.address.to_string(),
        ]);
        args.extend(["--volume".into(), format!("{}:/seed:ro", seed.display())]);
        args.extend(self.options.iter().cloned());
        args.push(self.image.into());
        args.extend(self.command.iter().cloned());
        docker(args).run().await?;
        Ok(Done::Made)
    }
}

/// Stops every container of the lab; what is in them and their volumes stays. Says how many ran.
pub async fn stop_all() -> Result<usize, LabError> {
    let existing = existing().await?;
    let up = |found: &Found| matches!(found.state.as_str(), "running" | "paused" | "restarting");
    let names: Vec<String> = existing
        .into_iter()
        .filter_map(|(name, found)| up(&found).then_some(name))
        .collect();
    if !names.is_empty() {
        // A droplet's engine ends the app's containers first.
        let mut args: Vec<String> = ["stop", "-t", "20"].map(str::to_owned).into();
        args.extend(names.iter().cloned());
        docker(args).run().await?;
    }
    Ok(names.len())
}

/// Removes every container of the lab with its volumes. Says how many there were.
pub async fn remove_all() -> Result<usize, LabError> {
    let names: Vec<String> = existing().await?.into_keys().collect();
    if !names.is_empty() {
        let mut args: Vec<String> = ["rm", "--force", "--volumes"].map(str::to_owned).into();
        args.extend(names.iter().cloned());
        docker(args).run().await?;
    }
    Ok(names.len())
}

/// Removes the network. It stays, with a message, where somebody put a container of their own into it.
pub async fn remove_network() -> Result<(), LabError> {
    if docker(["network", "inspect", NETWORK]).run().await.is_ok() {
        docker(["network", "rm", NETWORK]).run().await?;
    }
    Ok(())
}
