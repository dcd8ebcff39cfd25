//! The web server in front of a component: its configuration is rendered, tested, loaded and asked through, and the one
//! before comes back when any of that fails.
//!
//! While run 42 is at work, the old text stands beside the file as `.<name>.before-42-…`; once it has succeeded, as
//! `.<name>.previous`. Hidden, because a web server reads every file of such a folder, or every one with the right end.
use std::time::Duration;

use adapters::nginx;
use adapters::ssh::{Host, HostFile, SshError};
use bytes::Bytes;
use domain::manifest::{Component, Proxy, ProxyKind};
use domain::report::Content;
use domain::when::duration;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::super::{StepError, Work};
use super::{Site, health};

/// Who may read the configuration: everybody, as the distributions have it.
const MODE: u32 = 0o644;
/// How long it may take to answer where the component has no `health` that says it.
const LIMIT: Duration = Duration::from_secs(60);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// What became of the configuration that was there before.
pub(super) enum Restored {
    /// Nothing had been changed.
    Nothing,
    /// It is back and in use.
    Loaded,
    /// It is back on the disk, and the web server did not take it.
    NotLoaded(StepError),
}

pub(super) struct Front<'w> {
    work: &'w Work,
    proxy: &'w Proxy,
}

impl<'w> Front<'w> {
    pub(super) fn of(work: &'w Work, component: &'w Component) -> Option<Self> {
        let proxy = component.proxy.as_ref()?;
        Some(Self { work, proxy })
    }

    fn beside(&self, end: &str) -> String {
        let (folder, name) = self.proxy.path.rsplit_once('/').unwrap_or_default();
        format!("{folder}/.{name}.{end}")
    }

    fn before(&self, key: &str) -> String {
        self.beside(&format!("before-{key}"))
    }

    /// The host as somebody who may change its web server, which is there.
    pub(super) async fn host(&self, site: &Site<'_>) -> Result<Host, StepError> {
        match self.proxy.kind {
            ProxyKind::Nginx => {
                let host = nginx::as_root(&site.host).await?;
                nginx::is_installed(&host).await?;
                Ok(host)
            }
        }
    }

    async fn load(&self, host: &Host) -> Result<(), StepError> {
        match self.proxy.kind {
            ProxyKind::Nginx => Ok(nginx::load(host).await?),
        }
    }

    /// Writes the configuration where it differs, has it loaded, and waits until it lets through what it should. It is
    /// loaded even where it does not differ: what nginx has in use may be another one, where an earlier run broke off.
    pub(super) async fn put_in_place(&self, site: &Site<'_>) -> Result<(), StepError> {
        let path = &self.proxy.path;
        let text = self.work.scene.render(&self.proxy.template).await?;
        let text = text.expose_secret();
        self.work
            .leave(&self.proxy.template, Content::Text(text.to_owned()))
            .await?;
        let host = self.host(site).await?;
        let old = host.file(path).await?;
        let same = (old.as_ref()).is_some_and(|old| old.content == text.as_bytes());
        if !same {
            let before = self.before(&self.work.scene.key);
            if host.read_file(&before).await?.is_none() {
                // An empty file says as much to a web server as none.
                let old = old.unwrap_or(HostFile {
                    mode: MODE,
                    content: Vec::new(),
                });
                host.write_file(&before, old.mode, old.content).await?;
            }
            self.work.still_drives().await?;
            site.say(format!("writing {path}"));
            let text = Bytes::copy_from_slice(text.as_bytes());
            host.write_file(path, MODE, text).await?;
        }
        site.say("testing the web server's configuration and loading it");
        self.load(&host).await?;
        self.answers(site).await
    }

    async fn answers(&self, site: &Site<'_>) -> Result<(), StepError> {
        let url = &self.proxy.health;
        let described = site.component.health.as_ref();
        let limit = described.map_or(LIMIT, |health| health.deadline().duration());
        let one = described.map_or(Duration::from_secs(5), |health| health.timeout.duration());
        let started = Instant::now();
        loop {
            self.work.check()?;
            let answer = match health::ask(site, url, one).await? {
                Ok(status) => {
                    site.say(format!("{url} answers {status} through the web server"));
                    return Ok(());
                }
                Err(answer) => answer,
            };
            if started.elapsed() + PAUSE > limit {
                let limit = duration(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
                return Err(StepError::advised(
                    format!(
                        "the web server did not let {url} through within {limit}; the last: {answer}"
                    ),
                    "the container itself is healthy: look at the rendered configuration among the run's artifacts, and at the web server's error log",
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Puts back the configuration that the run of this key has kept, and has it loaded.
    pub(super) async fn restore(&self, site: &Site<'_>, key: &str) -> Result<Restored, StepError> {
        let before = self.before(key);
        let old = match site.host.file(&before).await {
            Ok(Some(old)) => old,
            // Whoever may not even look there has changed nothing.
            Ok(None) | Err(SshError::NoPermission { .. }) => return Ok(Restored::Nothing),
            Err(error) => return Err(error.into()),
        };
        let host = nginx::as_root(&site.host).await?;
        self.work.still_drives().await?;
        let HostFile { mode, content } = old;
        match host.write_file(&self.proxy.path, mode, content).await {
            // Moving it takes no room.
            Err(SshError::DiskFull { .. }) => {
                host.move_file(&before, &self.proxy.path).await?;
            }
            written => written?,
        }
        site.say(format!("put back {}", self.proxy.path));
        let restored = match self.load(&host).await {
            Ok(()) => Restored::Loaded,
            // Where it is not known whether it was loaded, what was kept stays: the next try finds by it what is left to do.
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => Restored::NotLoaded(error),
        };
        host.remove_file(&before).await?;
        Ok(restored)
    }

    /// Keeps the old configuration for a rollback.
    pub(super) async fn keep(&self, site: &Site<'_>) -> Result<(), StepError> {
        let host = nginx::as_root(&site.host).await?;
        let before = self.before(&self.work.scene.key);
        host.move_file(&before, &self.beside("previous")).await?;
        Ok(())
    }
}
