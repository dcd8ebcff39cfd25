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

/// The lab's containers as they are: name → (running, description's hash).
pub type Existing = BTreeMap<String, (bool, String)>;

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
            Some((name.to_owned(), (state == "running", spec.to_owned())))
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
            Some((true, found)) if *found == spec => return Ok(Done::Kept),
            Some((false, found)) if *found == spec => {
                docker(["start", &self.name]).run().await?;
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

/// Removes every container of the lab with its volumes, and the network. Says how many containers there were.
pub async fn remove_all() -> Result<usize, LabError> {
    let names: Vec<String> = existing().await?.into_keys().collect();
    if !names.is_empty() {
        let mut args: Vec<String> = ["rm", "--force", "--volumes"].map(str::to_owned).into();
        args.extend(names.iter().cloned());
        docker(args).run().await?;
    }
    if docker(["network", "inspect", NETWORK]).run().await.is_ok() {
        docker(["network", "rm", NETWORK]).run().await?;
    }
    Ok(names.len())
}
