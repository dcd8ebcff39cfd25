//! Reads of a bare repository by the `git` program. Nothing is cached: what it answers is what is there now.
//!
//! `git` is on the machine anyway for its HTTP side, and one process costs a few milliseconds; a library would cost more to build than that.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

/// `git` could not be run or refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    #[error("git {command} could not be started: {source}")]
    Start {
        command: String,
        source: std::io::Error,
    },
    #[error("git {command} failed: {said}")]
    Failed { command: String, said: String },
}

/// A bare repository that exists.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    dir: PathBuf,
    full_name: String,
}

/// A ref and the commit that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ref {
    /// `refs/heads/main`
    pub(super) name: String,
    pub(super) sha: String,
}

#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) email: String,
    /// RFC 3339 in UTC.
    pub(super) date: String,
}

#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) sha: String,
    pub(super) tree: String,
    pub(super) parents: Vec<String>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) message: String,
}

/// One file of a difference.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// git's letter: `A`, `M`, `D`, `R`, `C`, `T`.
    pub(super) status: char,
    pub(super) path: String,
    pub(super) previous: Option<String>,
    /// Blob after the change; before it for a removed file.
    pub(super) blob: String,
    pub(super) additions: u64,
    pub(super) deletions: u64,
}

/// One entry of a tree.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) mode: String,
    pub(super) kind: String,
    pub(super) sha: String,
    pub(super) size: Option<u64>,
    pub(super) path: String,
}

/// Which commits to list.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// Revisions as `git log` takes them, already resolved to hashes.
    pub(super) revisions: Vec<String>,
    pub(super) path: Option<String>,
    pub(super) author: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) oldest_first: bool,
}

impl Repository {
    /// `<root>/<owner>/<name>.git`; `None` when a name is not one that GitHub allows or nothing is there.
    pub(super) fn open(root: &Path, owner: &str, name: &str) -> Option<Self> {
        let full_name = format!("{owner}/{name}").to_ascii_lowercase();
        let dir = root.join(format!("{full_name}.git"));
        ([owner, name].into_iter().all(is_name) && dir.join("HEAD").is_file())
            .then_some(Self { dir, full_name })
    }

    /// `owner/name`, lower case.
    pub(super) fn full_name(&self) -> &str {
        &self.full_name
    }

    pub(super) fn owner(&self) -> &str {
        self.full_name
            .split_once('/')
            .map_or("", |(owner, _)| owner)
    }

    pub(super) fn name(&self) -> &str {
        self.full_name.split_once('/').map_or("", |(_, name)| name)
    }

    /// The branch that HEAD names.
    pub(super) async fn default_branch(&self) -> Result<String, GitError> {
        Ok(self
            .git(&["symbolic-ref", "--short", "HEAD"])
            .await?
            .trim()
            .to_owned())
    }

    /// Branches and tags, by name.
    pub(super) async fn refs(&self) -> Result<Vec<Ref>, GitError> {
        let out = self
            .git(&[
                "for-each-ref",
                "--format=%(objectname) %(refname)",
                "refs/heads",
                "refs/tags",
            ])
            .await?;
        Ok(out
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(sha, name)| Ref {
                name: name.into(),
                sha: sha.into(),
            })
            .collect())
    }

    /// The newest commit's date over all branches; `None` in an empty repository.
    pub(super) async fn pushed_at(&self) -> Result<Option<String>, GitError> {
        let format = "--format=%(committerdate:format-local:%Y-%m-%dT%H:%M:%SZ)";
        let out = self
            .git(&[
                "for-each-ref",
                "--sort=-committerdate",
                "--count=1",
                format,
                "refs/heads",
            ])
            .await?;
        Ok(out.lines().next().map(str::to_owned))
    }

    /// The full hash of a branch, tag or (shortened) hash; `None` when it names nothing of that kind (`commit` or `tree`).
    pub(super) async fn resolve(&self, name: &str, kind: &str) -> Result<Option<String>, GitError> {
        // What git could read as a path, a range or a reflog is no name for GitHub.
        if name.is_empty()
            || name.contains([':', '^', '~', ' ', '\0'])
            || name.contains("@{")
            || name.contains("..")
        {
            return Ok(None);
        }
        let revision = format!("{name}^{{{kind}}}");
        match self
            .git(&[
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &revision,
            ])
            .await
        {
            Ok(out) => Ok(Some(out.trim().to_owned())),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest commit that both have; `None` when their histories never met.
    pub(super) async fn merge_base(
        &self,
        one: &str,
        other: &str,
    ) -> Result<Option<String>, GitError> {
        match self.git(&["merge-base", one, other]).await {
            Ok(out) => Ok(Some(out.trim().to_owned())),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn count(&self, selection: &Selection) -> Result<usize, GitError> {
        let out = self.git(&selection.args(&["rev-list", "--count"])).await?;
        Ok(out.trim().parse().unwrap_or_default())
    }

    pub(super) async fn commits(
        &self,
        selection: &Selection,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Commit>, GitError> {
        let format = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B";
        let (skip_flag, limit_flag) = (format!("--skip={skip}"), format!("--max-count={limit}"));
        let mut fixed = vec![
            "log",
            "-z",
            "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
            format,
        ];
        if selection.oldest_first {
            // git would first cut the newest `limit` commits and turn those around, so the cut is made here.
            fixed.push("--reverse");
        } else {
            fixed.extend([skip_flag.as_str(), limit_flag.as_str()]);
        }
        let out = self.git(&selection.args(&fixed)).await?;
        let fields: Vec<&str> = out.strip_suffix('\0').unwrap_or(&out).split('\0').collect();
        let skip = if selection.oldest_first { skip } else { 0 };
        Ok(fields
            .chunks_exact(10)
            .skip(skip)
            .take(limit)
            .map(commit)
            .collect())
    }

    pub(super) async fn commit(&self, sha: &str) -> Result<Option<Commit>, GitError> {
        let selection = Selection {
            revisions: vec![sha.into()],
            ..Selection::default()
        };
        Ok(self.commits(&selection, 0, 1).await?.pop())
    }

    /// Files that differ between two commits; without `from`, everything in `to` is new.
    pub(super) async fn changes(
        &self,
        from: Option<&str>,
        to: &str,
    ) -> Result<Vec<Change>, GitError> {
        let shape = ["-r", "-z", "-M", "--raw", "--numstat", "--no-abbrev"];
        let ends = from.map_or_else(
            || vec!["--root", "--no-commit-id", to],
            |from| vec![from, to],
        );
        let out = self
            .git(&[&["diff-tree"], &shape[..], &ends].concat())
            .await?;
        Ok(changes(&out))
    }

    /// Entries of a tree in git's order; all levels with `recursive`, folders included.
    pub(super) async fn tree(&self, tree: &str, recursive: bool) -> Result<Vec<Entry>, GitError> {
        let deep: &[&str] = if recursive { &["-r", "-t"] } else { &[] };
        let out = self
            .git(&[&["ls-tree", "-z", "-l"], deep, &[tree]].concat())
            .await?;
        Ok(out.split_terminator('\0').filter_map(entry).collect())
    }

    async fn git(&self, args: &[&str]) -> Result<String, GitError> {
        let command = || args.first().copied().unwrap_or_default().to_owned();
        let done = Command::new("git")
            .arg("--git-dir")
            .arg(&self.dir)
            .args(args)
            .env("TZ", "UTC")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| GitError::Start {
                command: command(),
                source,
            })?;
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).into_owned())
        } else {
            Err(GitError::Failed {
                command: command(),
                said: String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            })
        }
    }
}

impl Selection {
    fn args<'a>(&'a self, fixed: &[&'a str]) -> Vec<&'a str> {
        let mut args = fixed.to_vec();
        for (flag, value) in [
            ("--author", &self.author),
            ("--since", &self.since),
            ("--until", &self.until),
        ] {
            args.extend(value.iter().flat_map(|value| [flag, value.as_str()]));
        }
        args.push("--fixed-strings");
        args.extend(self.revisions.iter().map(String::as_str));
        args.push("--");
        args.extend(self.path.as_deref());
        args
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn commit(fields: &[&str]) -> Commit {
    let signature = |at: usize| Signature {
        name: fields[at].into(),
        email: fields[at + 1].into(),
        date: fields[at + 2].into(),
    };
    Commit {
        sha: fields[0].into(),
        tree: fields[1].into(),
        parents: fields[2].split_whitespace().map(str::to_owned).collect(),
        author: signature(3),
        committer: signature(6),
        message: fields[9].trim_end_matches('\n').into(),
    }
}

/// `--raw -z` gives `:mode mode sha sha S\0path\0` (two paths for a rename), `--numstat -z` then `+\t-\tpath\0` (`+\t-\t\0old\0new\0`).
fn changes(out: &str) -> Vec<Change> {
    let mut parts = out.split_terminator('\0');
    let mut changes: Vec<Change> = Vec::new();
    while let Some(part) = parts.next() {
        if let Some(raw) = part.strip_prefix(':') {
            let words: Vec<&str> = raw.split(' ').collect();
            let (Some(before), Some(after), Some(status)) = (
                words.get(2),
                words.get(3),
                words.get(4).and_then(|word| word.chars().next()),
            ) else {
                continue;
            };
            let first = parts.next().unwrap_or_default().to_owned();
            let moved = matches!(status, 'R' | 'C');
            let (path, previous) = if moved {
                (parts.next().unwrap_or_default().to_owned(), Some(first))
            } else {
                (first, None)
            };
            let blob = (if status == 'D' { before } else { after }).to_string();
            changes.push(Change {
                status,
                path,
                previous,
                blob,
                additions: 0,
                deletions: 0,
            });
        } else {
            let mut words = part.splitn(3, '\t');
            let (additions, deletions) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            let path = match words.next() {
                Some("") => parts.nth(1).unwrap_or_default(),
                Some(path) => path,
                None => continue,
            };
            if let Some(change) = changes.iter_mut().find(|change| change.path == path) {
                // A binary file has `-` for both.
                change.additions = additions.parse().unwrap_or_default();
                change.deletions = deletions.parse().unwrap_or_default();
            }
        }
    }
    changes
}

/// `mode kind sha size\tpath`, the size padded and `-` for what is no blob.
fn entry(line: &str) -> Option<Entry> {
    let (head, path) = line.split_once('\t')?;
    let words: Vec<&str> = head.split_whitespace().collect();
    let [mode, kind, sha, size] = words[..] else {
        return None;
    };
    Some(Entry {
        mode: mode.into(),
        kind: kind.into(),
        sha: sha.into(),
        size: size.parse().ok(),
        path: path.into(),
    })
}
