//! `target/lab/lab.json`: what the lab consists of, for tests and people.
use crate::{error::LabError, folder::Folder};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf};

/// The lab as it was described by the last `up`. Everything in it is for this machine only: the passwords are random.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lab {
    /// The network of all containers, as CIDR.
    pub network: String,
    /// The GitHub stand-in.
    pub github: GitHub,
    /// The Slack sink.
    pub slack: Slack,
    /// `docr` and `ghcr`, plain HTTP with basic authentication.
    pub registries: Vec<Registry>,
    /// The managed database; only droplets may connect.
    pub postgres: Postgres,
    /// By name: `dev-backend`, `dev-frontend`, `uat-backend`, …. All six are described, also when only some were started.
    pub droplets: BTreeMap<String, Droplet>,
    /// The sample project's repository on the GitHub stand-in.
    pub repository: Repository,
    /// Where the machine's Docker engine listens.
    pub docker_socket: String,
}

/// How to reach the GitHub stand-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GitHub {
    /// Pages, OAuth and git over HTTP.
    pub url: String,
    /// REST.
    pub api_url: String,
    /// The portal's OAuth application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// A service token that reads everything.
    pub token: String,
    /// Signs the webhooks.
    pub webhook_secret: String,
}

/// How to reach the Slack sink.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slack {
    /// Takes messages.
    pub webhook_url: String,
    /// Lists what was taken.
    pub messages_url: String,
}

/// An image registry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registry {
    /// Its name in the manifest.
    pub name: String,
    /// `ip:port`.
    pub address: String,
    /// Basic authentication.
    pub username: String,
    /// Basic authentication.
    pub password: String,
}

/// The database server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Postgres {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// The superuser.
    pub user: String,
    /// The superuser's password.
    pub password: String,
    /// Environment to database name. Each is owned by a user of the same name, whose password is in the backend's `.env`.
    pub databases: BTreeMap<String, String>,
}

/// A server of the sample project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Droplet {
    /// Its address.
    pub address: Ipv4Addr,
    /// sshd's port.
    pub port: u16,
    /// Who signs in.
    pub user: String,
    /// For a sign-in by password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// For a sign-in by key: the file of the private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// sshd's fingerprint, `SHA256:…`.
    pub host_key: String,
    /// The container that it is.
    pub container: String,
}

/// The sample project's repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Repository {
    /// `owner/name`.
    pub full_name: String,
    /// Environment to branch.
    pub branches: BTreeMap<String, String>,
}

impl Lab {
    /// The lab of this checkout. Absent before the first `up`; that it is described does not say that it runs.
    pub fn load() -> Result<Self, LabError> {
        let path = Folder::of_this_checkout()?.file("lab.json");
        if !path.exists() {
            return Err(LabError::Absent { path });
        }
        let text = crate::folder::read_file(&path)?;
        serde_json::from_str(&text).map_err(|e| LabError::Invalid {
            path,
            reason: e.to_string(),
        })
    }
}
