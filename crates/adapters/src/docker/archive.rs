//! Files into and out of a container, running or not, as tar.

use std::io::{self, Read as _};

use bollard::{
    body_try_stream,
    query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder},
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt, pin_mut, stream};

use super::{
    engine::{Engine, SLOW},
    error::DockerError,
    failure::{About, Failure},
};

/// A file that was read out of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// Its path, from the name of what was asked for on.
    pub path: String,
    /// What it holds.
    pub content: Vec<u8>,
}

impl Engine {
    /// Unpacks a tar into a folder of a container, which must be there. Owners are as in the tar. There is no time limit.
    ///
    /// Errors: [`DockerError::Context`] when the stream fails, [`DockerError::DiskFull`], [`DockerError::NotFound`].
    pub async fn unpack(
        &self,
        container: &str,
        folder: &str,
        tar: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DockerError> {
        let options = UploadToContainerOptionsBuilder::new().path(folder).build();
        self.bulk
            .docker
            .upload_to_container(container, Some(options), body_try_stream(tar))
            .await
            .map_err(|error| self.error(About::Container(container), error.into()))
    }

    /// Writes one small text file that everybody may read, with the folders above it.
    pub async fn write_file(
        &self,
        container: &str,
        path: &str,
        content: &str,
    ) -> Result<(), DockerError> {
        let about = About::Container(container);
        let tar = tar_of(path.trim_start_matches('/'), content)
            .map_err(|error| self.error(about, Failure::Odd(error.to_string())))?;
        let tar = stream::iter([Ok(Bytes::from(tar))]);
        tokio::time::timeout(SLOW, self.unpack(container, "/", tar))
            .await
            .unwrap_or_else(|_| Err(self.error(about, Failure::Timeout(SLOW))))
    }

    /// The files at a path in a container: the file itself, or all those below a folder. `None` when there is no such
    /// path.
    ///
    /// Errors: [`DockerError::Other`] when it is larger than `most` bytes.
    pub async fn files(
        &self,
        container: &str,
        path: &str,
        most: usize,
    ) -> Result<Option<Vec<Extracted>>, DockerError> {
        let about = About::Container(container);
        let read = self.call(SLOW, about, async {
            let options = DownloadFromContainerOptionsBuilder::new()
                .path(path)
                .build();
            let chunks = self
                .bulk
                .docker
                .download_from_container(container, Some(options));
            pin_mut!(chunks);
            let mut tar = Vec::new();
            loop {
                match chunks.try_next().await.map_err(Failure::from) {
                    Ok(Some(chunk)) if tar.len() + chunk.len() > most => {
                        let why = format!("{path} is larger than {most} bytes");
                        return Err(Failure::Odd(why));
                    }
                    Ok(Some(chunk)) => tar.extend_from_slice(&chunk),
                    Ok(None) => break,
                    Err(Failure::Status {
                        status: 404,
                        message,
                    }) if message.contains("Could not find the file") => return Ok(None),
                    Err(failure) => return Err(failure),
                }
            }
            let files = files_in(&tar).map_err(|error| Failure::Odd(error.to_string()))?;
            Ok(Some(files))
        });
        read.await
    }
}

fn tar_of(path: &str, content: &str) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(content.len()).map_err(io::Error::other)?);
    header.set_mode(0o644);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, path, content.as_bytes())?;
    tar.into_inner()
}

fn files_in(tar: &[u8]) -> io::Result<Vec<Extracted>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.push(Extracted { path, content });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let long = format!("fairlead/{}command", "deep/".repeat(40));
        for (path, content) in [("fairlead/command", "npm ci\n"), (long.as_str(), "")] {
            let files = files_in(&tar_of(path, content).unwrap()).unwrap();
            let want = Extracted {
                path: path.into(),
                content: content.into(),
            };
            assert_eq!(files, [want]);
        }
    }
}
