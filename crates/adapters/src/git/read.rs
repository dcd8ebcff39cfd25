//! What is read from a mirror. Nothing here touches the network or waits for a fetch.
use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::{Ms, Sha};
use futures::{Stream, StreamExt as _, stream};
use tokio_util::io::ReaderStream;

use super::error::last_lines;
use super::program::{Git, Running};
use super::{GitError, Mirror};

/// The largest file that is read as a whole: manifests and templates are far below.
const LARGEST_FILE: u64 = 4 << 20;

/// Fields of a commit as `git log` prints them, each ended by a NUL.
const FORMAT: &str = "--format=%H%x00%P%x00%an%x00%ct%x00%s%x00";

/// Names of all files that differ, each ended by a NUL.
const NAMES: [&str; 4] = ["-r", "--name-only", "-z", "--no-renames"];

fn names(output: &[u8]) -> BTreeSet<String> {
    let names = output.split(|byte| *byte == 0);
    names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message.
    pub title: String,
    /// Its author's name.
    pub author: String,
    /// When it was committed.
    pub at_ms: Ms,
    /// Its parents; two or more for a merge.
    pub parents: Vec<Sha>,
}

/// Something that stands in a folder of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the folder.
    pub path: String,
    /// Whether it is a file of its own, and not a link or a submodule.
    pub is_file: bool,
}

impl Mirror {
    /// The commit that a branch is at, as of the last fetch.
    pub async fn resolve(&self, branch: &str) -> Result<Option<Sha>, GitError> {
        let name = format!("refs/heads/{branch}");
        let git = Git::new(&self.path, "show-ref")
            .args(["--verify", "--hash", "--"])
            .arg(&name);
        let finished = git.finish(b"").await?;
        if finished.ok {
            let text = String::from_utf8_lossy(&finished.stdout);
            return Sha::parse(text.trim())
                .map(Some)
                .map_err(|error| self.unexpected("show-ref", &error.to_string()));
        }
        if finished.stderr.contains("not a valid ref") {
            return Ok(None);
        }
        Err(self.unexpected("show-ref", &last_lines(&finished.stderr, 4)))
    }

    /// Like [`Mirror::resolve`]; a branch that does not exist is an error that says so.
    pub async fn head(&self, branch: &str) -> Result<Sha, GitError> {
        let found = self.resolve(branch).await?;
        found.ok_or_else(|| GitError::NoSuchBranch {
            url: self.url.to_string(),
            branch: branch.to_owned(),
        })
    }

    /// One commit.
    pub async fn commit(&self, sha: &Sha) -> Result<Commit, GitError> {
        self.must_exist(sha).await?;
        let git = Git::new(&self.path, "log").args([
            "--no-walk",
            FORMAT,
            "--end-of-options",
            sha.as_str(),
        ]);
        let mut commits = self.commits(git).await?;
        commits.pop().ok_or_else(|| self.no_commit(sha))
    }

    /// Commits that lead to `to` and not to `from`, newest first, at most `limit`.
    pub async fn log(
        &self,
        from: Option<&Sha>,
        to: &Sha,
        limit: usize,
    ) -> Result<Vec<Commit>, GitError> {
        self.must_exist(to).await?;
        let mut git = Git::new(&self.path, "log").args([
            FORMAT,
            &format!("--max-count={limit}"),
            "--end-of-options",
        ]);
        if let Some(from) = from {
            self.must_exist(from).await?;
            git = git.arg(format!("^{from}"));
        }
        self.commits(git.arg(to.as_str())).await
    }

    /// The files in which two commits differ; one that was renamed, under both names.
    pub async fn changed_between(
        &self,
        from: &Sha,
        to: &Sha,
    ) -> Result<BTreeSet<String>, GitError> {
        self.must_exist(from).await?;
        self.must_exist(to).await?;
        let git = Git::new(&self.path, "diff-tree")
            .args(NAMES)
            .args([from.as_str(), to.as_str()]);
        Ok(names(&git.output(b"", &self.path).await?))
    }

    /// The files that these commits changed, each against its parents.
    pub async fn changed_by(&self, commits: &[Sha]) -> Result<BTreeSet<String>, GitError> {
        let mut input = String::new();
        for commit in commits {
            self.must_exist(commit).await?;
            input.push_str(commit.as_str());
            input.push('\n');
        }
        let git = Git::new(&self.path, "diff-tree").args(NAMES).args([
            "--stdin",
            "--root",
            "--no-commit-id",
            "-m",
        ]);
        Ok(names(&git.output(input.as_bytes(), &self.path).await?))
    }

    /// The git ids of what stands at these paths in a commit, in their order: trees of folders, blobs of files.
    ///
    /// Equal ids mean equal content, so they say whether a build would see anything new. `.` is the whole tree.
    pub async fn tree_key(&self, sha: &Sha, paths: &[&str]) -> Result<Vec<String>, GitError> {
        self.must_exist(sha).await?;
        let mut ids = Vec::new();
        for (object, path) in self.look_up(sha, paths).await?.into_iter().zip(paths) {
            match object {
                Some(object) => ids.push(object.id),
                None => return Err(self.no_path(sha, path)),
            }
        }
        Ok(ids)
    }

    /// A file's content in a commit; `None` when there is no such file.
    pub async fn file_at(&self, sha: &Sha, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        self.must_exist(sha).await?;
        let mut found = self.look_up(sha, &[path]).await?;
        let Some(Some(object)) = found.pop() else {
            return Ok(None);
        };
        if object.kind != "blob" {
            return Ok(None);
        }
        if object.size > LARGEST_FILE {
            return Err(GitError::TooLarge {
                path: path.to_owned(),
                size: object.size,
                limit: LARGEST_FILE,
            });
        }
        let git = Git::new(&self.path, "cat-file").args(["blob", &object.id]);
        git.output(b"", &self.path).await.map(Some)
    }

    /// What stands in a folder and in the folders below it in a commit, sorted, with paths from that folder. `None` when
    /// there is no such folder.
    pub async fn list(&self, sha: &Sha, folder: &str) -> Result<Option<Vec<Entry>>, GitError> {
        self.must_exist(sha).await?;
        let Some(tree) = self.look_up(sha, &[folder]).await?.pop().flatten() else {
            return Ok(None);
        };
        if tree.kind != "tree" {
            return Ok(None);
        }
        let git = Git::new(&self.path, "ls-tree").args(["-r", "-z", &tree.id]);
        let text = git.output(b"", &self.path).await?;
        // `<mode> <kind> <id>`, a tab and the path. A path that is not UTF-8 could not be asked for again.
        let entries = text.split(|byte| *byte == 0).filter_map(|line| {
            let (about, path) = std::str::from_utf8(line).ok()?.split_once('\t')?;
            Some(Entry {
                path: path.to_owned(),
                is_file: about.starts_with("100"),
            })
        });
        Ok(Some(entries.collect()))
    }

    /// A tar of a folder in a commit, made while it is read; `.` is the whole tree. Dropping it stops git.
    ///
    /// All that is committed is in it, whatever `.gitattributes` says; submodules and LFS content are not.
    pub async fn archive(&self, sha: &Sha, folder: &str) -> Result<Archive, GitError> {
        self.must_exist(sha).await?;
        let tree = match self.look_up(sha, &[folder]).await?.pop() {
            Some(Some(object)) if object.kind == "tree" => object.id,
            _ => return Err(self.no_path(sha, folder)),
        };
        // The commit, not its tree, where that is possible: files then have the commit's time.
        let what = if clean(folder)?.is_empty() {
            sha.as_str()
        } else {
            &tree
        };
        let running = Git::new(&self.path, "archive")
            .args(["--format=tar", what])
            .spawn()?;
        Ok(archive(running))
    }

    async fn commits(&self, git: Git) -> Result<Vec<Commit>, GitError> {
        let text = git.output(b"", &self.path).await?;
        let text = String::from_utf8_lossy(&text);
        let mut fields = text.split('\0');
        let mut commits = Vec::new();
        // After the last field of each commit comes a line break.
        while let (Some(sha), Some(parents), Some(author), Some(at), Some(title)) = (
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
        ) {
            let wrong = |error: &dyn std::fmt::Display| self.unexpected("log", &error.to_string());
            let parents: Result<_, _> = parents.split_whitespace().map(Sha::parse).collect();
            let seconds: i64 = at.parse().map_err(|error| wrong(&error))?;
            commits.push(Commit {
                sha: Sha::parse(sha.trim()).map_err(|error| wrong(&error))?,
                title: title.to_owned(),
                author: author.to_owned(),
                at_ms: Ms(seconds.saturating_mul(1000)),
                parents: parents.map_err(|error| wrong(&error))?,
            });
        }
        Ok(commits)
    }

    async fn must_exist(&self, sha: &Sha) -> Result<(), GitError> {
        match self.objects(&[sha.to_string()]).await?.pop() {
            Some(Some(object)) if object.kind == "commit" => Ok(()),
            _ => Err(self.no_commit(sha)),
        }
    }

    async fn look_up(&self, sha: &Sha, paths: &[&str]) -> Result<Vec<Option<Object>>, GitError> {
        let names: Result<Vec<_>, _> = paths
            .iter()
            .map(|path| Ok(format!("{sha}:{}", clean(path)?)))
            .collect();
        self.objects(&names?).await
    }

    /// Looks objects up by name, all in one process.
    async fn objects(&self, names: &[String]) -> Result<Vec<Option<Object>>, GitError> {
        let git = Git::new(&self.path, "cat-file")
            .arg("--batch-check=%(objectname) %(objecttype) %(objectsize)");
        let mut input = names.join("\n");
        input.push('\n');
        let answer = git.output(input.as_bytes(), &self.path).await?;
        let answer = String::from_utf8_lossy(&answer);
        Ok(answer.lines().map(Object::parse).collect())
    }

    fn no_commit(&self, sha: &Sha) -> GitError {
        GitError::NoSuchCommit {
            url: self.url.to_string(),
            commit: sha.to_string(),
        }
    }

    fn no_path(&self, sha: &Sha, path: &str) -> GitError {
        GitError::NoSuchPath {
            url: self.url.to_string(),
            commit: sha.to_string(),
            path: path.to_owned(),
        }
    }

    fn unexpected(&self, command: &str, said: &str) -> GitError {
        GitError::Failed {
            command: command.to_owned(),
            path: self.path.clone(),
            said: said.to_owned(),
        }
    }
}

struct Object {
    id: String,
    kind: String,
    size: u64,
}

impl Object {
    /// `<id> <kind> <size>`, or `<name> missing`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, kind, size) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || Sha::parse(id).is_err() {
            return None;
        }
        Some(Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            size: size.parse().ok()?,
        })
    }
}

/// A path as git writes it: `./backend/` is `backend`, `.` is nothing.
fn clean(path: &str) -> Result<String, GitError> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if path.starts_with('/') || path.contains(['\n', '\0']) || parts.contains(&"..") {
        return Err(GitError::BadPath {
            path: path.to_owned(),
        });
    }
    Ok(parts.join("/"))
}

/// A tar that is being made.
pub struct Archive(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>);

impl Stream for Archive {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

fn archive(mut running: Running) -> Archive {
    let out = running
        .child
        .stdout
        .take()
        .map(|out| ReaderStream::with_capacity(out, 64 << 10));
    // A tar that was cut off looks like a shorter tar: only git's exit status tells.
    let end = stream::once(async move {
        let finished = running.end().await?;
        if finished.ok {
            return Ok(Bytes::new());
        }
        Err(io::Error::other(format!(
            "`git archive` failed: {}",
            last_lines(&finished.stderr, 4)
        )))
    })
    .filter(|item| std::future::ready(!matches!(item, Ok(bytes) if bytes.is_empty())));
    Archive(Box::pin(stream::iter(out).flatten().chain(end)))
}
