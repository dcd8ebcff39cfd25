//! Passwords, tokens and keys of one lab: random, made on the first `up`, kept in `target/lab` so that a portal's history
//! and pinned host keys stay true when the lab is stopped and started again.
use crate::{
    error::LabError,
    folder::{Folder, make_folder, read_file, write_json},
    layout::{Environment, REGISTRIES},
    program::Program,
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};

/// The passwords and tokens. Kept in `target/lab/credentials.json`, mode 0600.
#[derive(Serialize, Deserialize)]
pub struct Credentials {
    /// The portal's OAuth application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Reads and writes the repositories.
    pub github_token: String,
    /// Signs webhooks.
    pub webhook_secret: String,
    /// One for each registry, in the order of [`REGISTRIES`].
    pub registries: [String; REGISTRIES.len()],
    /// The database's superuser.
    pub postgres: String,
    /// The passwords of the databases' owners.
    pub databases: ByEnvironment,
    /// Django's secret keys.
    pub secret_keys: ByEnvironment,
    /// The passwords of `django` on the backends.
    pub droplets: ByEnvironment,
}

/// A secret for each environment.
#[derive(Serialize, Deserialize)]
pub struct ByEnvironment {
    dev: String,
    uat: String,
    prod: String,
}

impl ByEnvironment {
    fn random() -> Self {
        Self {
            dev: token(),
            uat: token(),
            prod: token(),
        }
    }

    /// The one of an environment.
    pub fn of(&self, environment: Environment) -> &str {
        match environment {
            Environment::Dev => &self.dev,
            Environment::Uat => &self.uat,
            Environment::Prod => &self.prod,
        }
    }
}

impl Credentials {
    /// Reads them, or makes them on the first call.
    pub fn load_or_make(folder: &Folder) -> Result<Self, LabError> {
        let path = folder.file("credentials.json");
        if path.exists() {
            let text = read_file(&path)?;
            return serde_json::from_str(&text).map_err(|e| LabError::Invalid {
                reason: format!("{e}; remove the file to get new passwords"),
                path,
            });
        }
        let made = Self::random();
        write_json(&path, &made)?;
        Ok(made)
    }

    fn random() -> Self {
        Self {
            client_id: format!("Iv1.{}", &token()[..16]),
            client_secret: token(),
            github_token: format!("ghp_{}", token()),
            webhook_secret: token(),
            registries: REGISTRIES.map(|_| token()),
            postgres: token(),
            databases: ByEnvironment::random(),
            secret_keys: ByEnvironment::random(),
            droplets: ByEnvironment::random(),
        }
    }
}

/// 160 random bits in hexadecimal: safe in URLs, TOML and shells alike.
fn token() -> String {
    hex::encode(rand::rng().random::<[u8; 20]>())
}

/// An Ed25519 key pair in OpenSSH's format.
pub struct KeyPair {
    /// The private key's file; the public one has `.pub` behind it.
    pub file: PathBuf,
    /// The private key.
    pub private: String,
    /// The public key's line.
    pub public: String,
}

impl KeyPair {
    /// Reads `target/lab/keys/NAME`, or makes it on the first call.
    pub async fn load_or_make(folder: &Folder, name: &str) -> Result<Self, LabError> {
        let file = folder.file("keys").join(name);
        let public_file = file.with_added_extension("pub");
        if !file.exists() {
            make_folder(&folder.file("keys"), 0o700)?;
            // Under another name until both halves are there: one that was interrupted is made again.
            let making = file.with_added_extension("making");
            let making_public = making.with_added_extension("pub");
            for half in [&making, &making_public] {
                let _ = fs::remove_file(half);
            }
            let path = making.to_string_lossy();
            Program::new(
                "ssh-keygen",
                ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path],
            )
            .run()
            .await?;
            for (from, to) in [(&making_public, &public_file), (&making, &file)] {
                fs::rename(from, to).map_err(LabError::io("rename", from))?;
            }
        }
        let private = read_file(&file)?;
        let public = read_file(&public_file)?;
        Ok(Self {
            file,
            private,
            public,
        })
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> Result<String, LabError> {
        let invalid = |reason: &str| LabError::Invalid {
            path: self.file.clone(),
            reason: reason.to_owned(),
        };
        let blob = self
            .public
            .split_whitespace()
            .nth(1)
            .ok_or_else(|| invalid("no public key"))?;
        let blob = BASE64_STANDARD
            .decode(blob)
            .map_err(|_| invalid("the public key is not base64"))?;
        Ok(format!(
            "SHA256:{}",
            BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob))
        ))
    }
}
