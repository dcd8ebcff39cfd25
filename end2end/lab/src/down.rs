//! `lab stop` and `lab down`.
use crate::{
    container, engine, error::LabError, folder::Folder, images, insecure, portal_files::HISTORY,
    progress::Progress, standins,
};
use std::{fs, io};

/// Stops what `up` started. Everything stays as it is: the next `up` starts the same containers, and with them the app's.
pub async fn stop(folder: &Folder, progress: Progress) -> Result<(), LabError> {
    let _lock = folder.lock(progress)?;
    let mut steps = Steps {
        progress,
        first: None,
    };
    stop_standins(folder, &mut steps).await;
    if steps.take(engine::answers().await).unwrap_or(false)
        && let Some(count @ 1..) = steps.take(container::stop_all().await)
    {
        progress.say(format!("stopped {count} containers"));
    }
    stop_engine(folder, &mut steps).await;
    steps.end("the lab is stopped")
}

/// Stops and removes what `up` started, and the history of a portal, which would speak of servers that are gone. What
/// stays: images and downloads in the cache, and in `target/lab` what makes the next lab the same one to a portal
/// (credentials, keys, repositories, the registries' images). With `and_images` the images go, too; in the lab's own
/// engine, which nobody else uses, they stay as a cache.
pub async fn down(folder: &Folder, and_images: bool, progress: Progress) -> Result<(), LabError> {
    let _lock = folder.lock(progress)?;
    let mut steps = Steps {
        progress,
        first: None,
    };
    stop_standins(folder, &mut steps).await;
    let answers = steps.take(engine::answers().await).unwrap_or(false);
    if answers {
        if let Some(count @ 1..) = steps.take(container::remove_all().await) {
            progress.say(format!("removed {count} containers with their volumes"));
        }
        steps.take(container::remove_network().await);
        if and_images
            && !engine::is_own(folder)
            && let Some(count @ 1..) = steps.take(images::remove().await)
        {
            progress.say(format!("removed {count} images"));
        }
    }
    if steps.take(insecure::refuse(folder, answers).await) == Some(true) {
        progress.say("took the lab's registries out of the engine's configuration");
    }
    stop_engine(folder, &mut steps).await;
    for history in HISTORY.map(|name| folder.file(name)) {
        let removed = match fs::remove_dir_all(&history) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        steps.take(removed.map_err(LabError::io("remove", history)));
    }
    steps.end("the lab is down")
}

async fn stop_standins(folder: &Folder, steps: &mut Steps) {
    if steps.take(standins::stop(folder).await) == Some(true) {
        steps
            .progress
            .say("stopped the GitHub stand-in and the Slack sink");
    }
}

async fn stop_engine(folder: &Folder, steps: &mut Steps) {
    if steps.take(engine::stop(folder).await) == Some(true) {
        steps.progress.say("stopped dockerd");
    }
}

/// One step that fails keeps no other from being done: each failure is printed, the first one is the result.
struct Steps {
    progress: Progress,
    first: Option<LabError>,
}

impl Steps {
    fn take<T>(&mut self, result: Result<T, LabError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if self.first.is_none() {
                    self.first = Some(error);
                } else {
                    self.progress.say(error.to_string());
                }
                None
            }
        }
    }

    fn end(self, done: &str) -> Result<(), LabError> {
        match self.first {
            None => {
                self.progress.say(done);
                Ok(())
            }
            Some(error) => Err(error),
        }
    }
}
