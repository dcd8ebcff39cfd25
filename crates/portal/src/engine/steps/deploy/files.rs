//! Files that a component needs on its host, such as `env-config.js`: rendered, written in one piece, the ones
//! before kept.
//!
//! While run 42 is at work, the old file stands in `<path>.before-42-…`; once it has succeeded, in `<path>.previous`.
//! It keeps its mode.
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

    fn before(&self, file: &File, key: &str) -> String {
        format!("{}.before-{key}", file.path)
    }

    /// Writes every file whose text or mode differs.
    pub(super) async fn write(&self, host: &Host) -> Result<(), StepError> {
        for file in self.files {
            let text = self.work.scene.render(&file.template).await?;
            let text = Bytes::copy_from_slice(text.expose_secret().as_bytes());
            let old = host.file(&file.path).await?;
            if let Some(old) = &old
                && old.content == *text
                && old.mode == file.mode
            {
                continue;
            }
            let before = self.before(file, &self.work.scene.key);
            if let Some(old) = old
                && host.read_file(&before).await?.is_none()
            {
                host.write_file(&before, old.mode, old.content).await?;
            }
            self.work.log.say(format!("writing {}", file.path));
            host.write_file(&file.path, file.mode, text).await?;
        }
        Ok(())
    }

    /// Puts back the old files that the run of this key has kept, as many as it can. A file that was not there before
    /// stays: nothing of the old container reads it. Nothing is written, so that it works on a full disk.
    pub(super) async fn restore(&self, host: &Host, key: &str) -> Result<(), StepError> {
        let mut failed = None;
        for file in self.files {
            match host.move_file(&self.before(file, key), &file.path).await {
                Ok(true) => self.work.log.say(format!("put back {}", file.path)),
                Ok(false) => {}
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Keeps the old files for a rollback.
    pub(super) async fn keep(&self, host: &Host) -> Result<(), StepError> {
        for file in self.files {
            let previous = format!("{}.previous", file.path);
            host.move_file(&self.before(file, &self.work.scene.key), &previous)
                .await?;
        }
        Ok(())
    }
}
