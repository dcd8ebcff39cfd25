//! Repositories, as bare mirrors: what a deploy reads comes from here, never from a work tree.
//!
//! The `git` program does the work. It speaks every server's dialect, keeps a mirror small, and makes the same tar
//! as anybody's `git archive`; a library would have to be taught each of these.
//!
//! A mirror is made under another name and renamed when it is whole, so a half-made one is never seen. Its lock file
//! is held by whoever changes it: by this process, and as standard input also by `git` itself, so that a fetch that
//! outlives a killed portal still keeps others out.
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;

mod error;
mod program;
mod read;

pub use error::GitError;
pub use read::{Archive, Commit, Entry};

use program::Git;

/// How long a first fetch may take, and so any other.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is mirrored. Pull requests' own refs are not.
const REFS: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// A local copy of a repository. Cheap to clone; reading and fetching may go on side by side.
#[derive(Debug, Clone)]
pub struct Mirror {
    url: Url,
    token: Option<SecretString>,
    path: PathBuf,
    patience: Duration,
}

impl Mirror {
    /// Opens the mirror of a repository below `dir`, and clones it first if it is not there.
    ///
    /// `url` is `https://`, `http://` or `file://`. The token is sent as GitHub wants it, to the server of `url` alone.
    pub async fn open(
        dir: &Path,
        url: &str,
        token: Option<SecretString>,
    ) -> Result<Self, GitError> {
        Self::open_within(dir, url, token, PATIENCE).await
    }

    /// Like [`Mirror::open`], with another limit on the time that it and each later fetch may take.
    pub async fn open_within(
        dir: &Path,
        url: &str,
        token: Option<SecretString>,
        patience: Duration,
    ) -> Result<Self, GitError> {
        let url = address(url)?;
        let path = dir.join(folder_name(&url));
        let mirror = Self {
            url,
            token,
            path,
            patience,
        };
        if !mirror.path.is_dir() {
            mirror.in_time(mirror.clone_it(dir)).await?;
        }
        Ok(mirror)
    }

    /// Brings the mirror up to date: all branches and tags, as they are on the server now.
    ///
    /// Several at once wait for each other. Dropping it stops git and leaves the mirror as it was or up to date.
    pub async fn fetch(&self) -> Result<(), GitError> {
        self.in_time(async {
            let lock = self.lock().await?;
            remove_stale_locks(&self.path).map_err(|source| self.folder(source))?;
            self.fetch_into(&self.path, &lock).await
        })
        .await
    }

    /// The mirror's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, GitError>>,
    ) -> Result<T, GitError> {
        match tokio::time::timeout(self.patience, work).await {
            Ok(result) => result,
            Err(_) => Err(GitError::Timeout {
                url: self.url.to_string(),
                seconds: self.patience.as_secs(),
            }),
        }
    }

    async fn clone_it(&self, dir: &Path) -> Result<(), GitError> {
        // The source is for the portal's account only, also where others may enter the folder around it.
        let mut make = DirBuilder::new();
        let made = make.recursive(true).mode(0o700).create(dir);
        made.map_err(|source| self.folder(source))?;
        let lock = self.lock().await?;
        if self.path.is_dir() {
            // Somebody else was quicker.
            return Ok(());
        }
        let unfinished = Unfinished(self.path.with_extension("unfinished"));
        // The lock is held, so what lies here was left by a portal that was killed.
        unfinished.remove().map_err(|source| self.folder(source))?;
        Git::new(&unfinished.0, "init")
            .args(["--quiet", "--bare"])
            .output(b"", &self.path)
            .await?;
        write_attributes(&unfinished.0).map_err(|source| self.folder(source))?;
        self.fetch_into(&unfinished.0, &lock).await?;
        std::fs::rename(&unfinished.0, &self.path).map_err(|source| self.folder(source))
    }

    async fn fetch_into(&self, path: &Path, lock: &File) -> Result<(), GitError> {
        let lock = lock.try_clone().map_err(|source| self.folder(source))?;
        let mut git = Git::new(path, "fetch")
            .args([
                "--quiet",
                "--prune",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--end-of-options",
            ])
            .arg(self.url.as_str())
            .args(REFS)
            .stdin(Stdio::from(lock));
        if let Some(token) = &self.token {
            git = git.token(&self.url, token);
        }
        let finished = git.finish(b"").await?;
        if finished.ok {
            Ok(())
        } else {
            Err(error::of_fetch(
                self.url.as_str(),
                &self.path,
                &finished.stderr,
            ))
        }
    }

    /// Waits for the right to change the mirror; it is given back when the file is dropped, also by a crash.
    async fn lock(&self) -> Result<File, GitError> {
        let path = self.path.with_extension("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path);
        let file = file.map_err(|source| self.folder(source))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                Err(TryLockError::Error(source)) => return Err(self.folder(source)),
            }
        }
    }

    fn folder(&self, source: std::io::Error) -> GitError {
        match source.kind() {
            std::io::ErrorKind::StorageFull => GitError::DiskFull {
                path: self.path.clone(),
            },
            _ => GitError::Folder {
                path: self.path.clone(),
                source,
            },
        }
    }
}

/// A mirror in the making; what is left of it when it fails is removed.
struct Unfinished(PathBuf);

impl Unfinished {
    fn remove(&self) -> std::io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Nothing is left after the rename; and the next attempt removes what could not be removed now.
        let _ = self.remove();
    }
}

fn address(text: &str) -> Result<Url, GitError> {
    // The text may hold a password when it is wrong, so only a parsed address is ever repeated.
    let bad = |url: &str, why| GitError::BadAddress {
        url: url.to_owned(),
        why,
    };
    let url = Url::parse(text).map_err(|_| {
        bad(
            "…",
            "it is not a URL such as https://github.com/owner/name.git",
        )
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            url.host_str().unwrap_or("…"),
            "it holds a user or password; give the token as a secret instead",
        ));
    }
    match url.scheme() {
        "https" | "http" | "file" => Ok(url),
        _ => Err(bad(url.as_str(), "only https, http and file are supported")),
    }
}

/// Readable, and different for different addresses: `github.com-owner-name-1a2b3c4d.git`.
fn folder_name(url: &Url) -> String {
    let place = format!("{}{}", url.host_str().unwrap_or("file"), url.path());
    let place = place.trim_end_matches('/').trim_end_matches(".git");
    let readable: String = place
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    // The end says most, and a name in a folder has at most 255 bytes.
    let readable = readable
        .get(readable.len().saturating_sub(100)..)
        .unwrap_or_default()
        .trim_matches(['.', '-']);
    let hash = hex::encode(Sha256::digest(url.as_str()));
    format!("{readable}-{}.git", hash.get(..8).unwrap_or_default())
}

/// A `.gitattributes` in the repository must not make the build context differ from what was committed.
fn write_attributes(mirror: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(mirror.join("info"))?;
    std::fs::write(
        mirror.join("info/attributes"),
        "* -export-ignore -export-subst\n",
    )
}

/// A git that was killed outright leaves its lock files behind, and the next one would refuse to work.
/// Only called with the mirror's own lock held, so nobody is using them.
fn remove_stale_locks(mirror: &Path) -> std::io::Result<()> {
    let mut folders = vec![mirror.to_owned(), mirror.join("refs")];
    while let Some(folder) = folders.pop() {
        let in_refs = folder != mirror;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                if in_refs {
                    folders.push(entry.path());
                }
            } else if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "lock")
            {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
