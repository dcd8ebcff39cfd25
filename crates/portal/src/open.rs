//! Puts the parts together.
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
        make_private(&config.data_dir).await?;
        let store = Store::open(&url(&config)?).await.map_err(unusable)?;
        Self::with(config, store).await
    }

    /// A portal for a command on the machine of another one that may be running. It must not start an engine.
    pub async fn open_beside(config: Config) -> Result<Self, Error> {
        make_private(&config.data_dir).await?;
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

/// The folder of the portal's own, for nobody else to read.
async fn make_private(dir: &std::path::Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::Outside(format!(
            "the data folder {} cannot be made: {error}; correct `data_dir` or its rights",
            dir.display()
        ))
    };
    tokio::fs::create_dir_all(dir).await.map_err(failed)?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tokio::fs::set_permissions(dir, private)
        .await
        .map_err(failed)
}
