//! Files that a component needs on its host, such as `env-config.js`: rendered, written in one piece, the ones
//! before kept.
//!
//! While run 42 is at work, the old text stands in `<path>.before-42-…`; once it has succeeded, in `<path>.previous`.
use adapters::ssh::Host;
use bytes::Bytes;
use domain::manifest::{Component, File};
use secrecy::ExposeSecret;

use super::super::{StepError, Work};

pub(super) struct Files<'w> {
    work: &'w Work,
    files: &'w [File],
}

impl<'w> Files<'w> {
    pub(super) fn of(work: &'w Work, component: &'w Component) -> Self {
        Self {
            work,
            files: &component.files,
        }
    }

    fn before(&self, file: &File) -> String {
        format!("{}.before-{}", file.path, self.work.scene.key)
    }

    /// Writes every file whose text differs.
    pub(super) async fn write(&self, host: &Host) -> Result<(), StepError> {
        for file in self.files {
            let text = self.work.scene.render(&file.template).await?;
            let text = Bytes::copy_from_slice(text.expose_secret().as_bytes());
            let old = host.read_file(&file.path).await?;
            if old.as_deref() == Some(&*text) {
                continue;
            }
            if let Some(old) = old
                && host.read_file(&self.before(file)).await?.is_none()
            {
                host.write_file(&self.before(file), file.mode, old).await?;
            }
            self.work.log.say(format!("writing {}", file.path));
            host.write_file(&file.path, file.mode, text).await?;
        }
        Ok(())
    }

    /// Puts the old texts back. A file that was not there before stays: nothing of the old container reads it.
    pub(super) async fn restore(&self, host: &Host) -> Result<(), StepError> {
        for file in self.files {
            if let Some(old) = host.read_file(&self.before(file)).await? {
                host.write_file(&file.path, file.mode, old).await?;
                host.remove_file(&self.before(file)).await?;
                self.work.log.say(format!("put back {}", file.path));
            }
        }
        Ok(())
    }

    /// Keeps the old texts for a rollback.
    pub(super) async fn keep(&self, host: &Host) -> Result<(), StepError> {
        for file in self.files {
            if let Some(old) = host.read_file(&self.before(file)).await? {
                host.write_file(&format!("{}.previous", file.path), file.mode, old)
                    .await?;
                host.remove_file(&self.before(file)).await?;
            }
        }
        Ok(())
    }
}
