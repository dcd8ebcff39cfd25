//! Puts the parts together.
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use adapters::github::GitHub;
use adapters::secrets::Sources;
use adapters::ssh::Hosts;
use secrecy::ExposeSecret;
use store::{Store, StoreError, StoreUrl};

use crate::{Config, Error, Parts, Portal};

impl Portal {
    /// The portal itself: one per database. Its manifests are read; its engine is not started.
    pub async fn open(config: Config) -> Result<Self, Error> {
        own_folder(&config.data_dir)?;
        let store = Store::open(&url(&config)?).await.map_err(unusable)?;
        Self::with(config, store).await
    }

    /// A portal for a command on the machine of another one that may be running. It must not start an engine.
    pub async fn open_beside(config: Config) -> Result<Self, Error> {
        own_folder(&config.data_dir)?;
        let store = Store::open_beside(&url(&config)?).await.map_err(unusable)?;
        Self::with(config, store).await
    }

    async fn with(config: Config, store: Store) -> Result<Self, Error> {
        let http = adapters::http::client().map_err(Error::internal)?;
        let owner = match url(&config)? {
            // The lock file sees to it that there is only one: what an earlier life held is taken up at once.
            StoreUrl::Sqlite(_) => "portal".to_owned(),
            // Of several, each has its own name, and a life that ended is waited for.
            StoreUrl::Postgres(_) => format!("portal-{:016x}", rand::random::<u64>()),
        };
        let portal = Self(Arc::new(Parts {
            store,
            owner,
            hosts: Hosts::new(),
            github: GitHub::new(http.clone(), config.github.api_url.clone()),
            http,
            secrets: Sources::new(config.secrets.clone()),
            repositories: Default::default(),
            manifests: Default::default(),
            live: Default::default(),
            rechecks: Default::default(),
            config,
        }));
        portal.reload_manifests().await?;
        Ok(portal)
    }
}

fn url(config: &Config) -> Result<StoreUrl, Error> {
    config.database.expose_secret().parse().map_err(unusable)
}

/// Whoever starts a portal is the one who can mend its database, so they are told all of it.
fn unusable(error: StoreError) -> Error {
    Error::Outside(error.to_string())
}

/// Makes the folder of the portal's own, for nobody else to enter. One that is there may have another purpose besides,
/// so its rights stay as they are; the files that are made in it are for the portal's account in any case.
fn own_folder(dir: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::Outside(format!(
            "the data folder {} cannot be made: {error}; correct `data_dir` or its rights",
            dir.display()
        ))
    };
    if !dir.try_exists().map_err(failed)? {
        let mut make = DirBuilder::new();
        return make.recursive(true).mode(0o700).create(dir).map_err(failed);
    }
    let mode = std::fs::metadata(dir).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let dir = dir.display();
        tracing::warn!(
            "others on this machine may enter the data folder {dir}; if it is the portal's alone, close it with `chmod 700 {dir}`"
        );
    }
    Ok(())
}
