//! What can go wrong with a repository, and how it is told from what the `git` program prints.
//!
//! The program has exit status 128 for almost everything, so its words are read; it runs in the C locale for that,
//! and this is the only place that does so.
use std::path::PathBuf;

use crate::redact::whole_words;

/// A repository that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The address is not one that can be fetched from.
    #[error("the repository's address `{url}` cannot be used: {why}")]
    BadAddress {
        /// The address, without any password.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no repository, or the token may not see it: GitHub does not tell which.
    #[error(
        "there is no repository at {url}, or the token may not see it: check `repository` in the manifest and the token's access to it"
    )]
    NoSuchRepository {
        /// Where it was looked for.
        url: String,
    },
    /// The branch does not exist.
    #[error("{url} has no branch `{branch}`: push it, or correct `branch` in the manifest")]
    NoSuchBranch {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
    },
    /// The commit is not in the mirror.
    #[error("{url} has no commit {commit}: fetch again, or check that it was pushed")]
    NoSuchCommit {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
    },
    /// The path does not exist in the commit.
    #[error(
        "there is no `{path}` in commit {commit} of {url}: correct the path in the manifest, or commit the file"
    )]
    NoSuchPath {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
        /// The path, from the repository's root.
        path: String,
    },
    /// A path that cannot be in a repository.
    #[error(
        "`{path}` is not a path inside of a repository: write it from the repository's root, without `..`"
    )]
    BadPath {
        /// The path as given.
        path: String,
    },
    /// A file is larger than any that is read as a whole.
    #[error(
        "`{path}` has {size} bytes, more than the {limit} that are read from a repository's file"
    )]
    TooLarge {
        /// The path.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The server refuses the token.
    #[error(
        "{url} refuses the token: check that it has not expired and may read the repository's contents"
    )]
    AuthRefused {
        /// The repository.
        url: String,
    },
    /// The server was not reached, or did not answer properly.
    #[error(
        "{url} cannot be fetched ({why}): check the network, or try again when the server is well"
    )]
    Unreachable {
        /// The repository.
        url: String,
        /// What git said.
        why: String,
    },
    /// It took too long; the fetch was stopped and nothing is half done.
    #[error(
        "{url} was not fetched within {seconds} s: check the network, or whether another fetch of it hangs"
    )]
    Timeout {
        /// The repository.
        url: String,
        /// How long it was waited.
        seconds: u64,
    },
    /// There is no room for the mirror.
    #[error("the disk is full at {}: make room, then try again; what was fetched before is intact", path.display())]
    DiskFull {
        /// The mirror's folder.
        path: PathBuf,
    },
    /// The mirror's folder cannot be made or read.
    #[error("the folder {} cannot be used ({source}): check its owner and permissions", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The `git` program is missing.
    #[error(
        "the program `git` cannot be started ({0}): install it (Debian: `apt-get install git`)"
    )]
    NoGit(#[source] std::io::Error),
    /// Anything else that git says.
    #[error("`git {command}` failed in {}: {said}", path.display())]
    Failed {
        /// The subcommand.
        command: String,
        /// The mirror's folder.
        path: PathBuf,
        /// The last lines that it printed.
        said: String,
    },
}

impl GitError {
    /// Whether the same call may work later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. })
    }
}

/// Tells what a failed fetch means.
pub(super) fn of_fetch(url: &str, path: &std::path::Path, stderr: &str) -> GitError {
    let says = |any: &[&str]| any.iter().any(|words| stderr.contains(words));
    let url = url.to_owned();
    if says(&["No space left on device", "Disk quota exceeded"]) {
        return GitError::DiskFull {
            path: path.to_owned(),
        };
    }
    if says(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "returned error: 401",
        "returned error: 403",
    ]) {
        return GitError::AuthRefused { url };
    }
    if says(&[
        "returned error: 404",
        "does not appear to be a git repository",
        "does not exist",
    ]) || (says(&["repository '"]) && says(&["not found"]))
    {
        return GitError::NoSuchRepository { url };
    }
    if says(&[
        "unable to access",
        "unable to update url base from redirection",
        "early EOF",
        "RPC failed",
        "hung up",
        "Connection",
        "protocol error",
    ]) {
        return GitError::Unreachable {
            url,
            why: last_lines(stderr, 1),
        };
    }
    GitError::Failed {
        command: "fetch".into(),
        path: path.to_owned(),
        said: last_lines(stderr, 4),
    }
}

/// The end of what a program printed, on one line.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(count)..].join("; ");
    if last.is_empty() {
        "it gave no reason".into()
    } else {
        whole_words(&last, 600).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_prints_is_understood() {
        // Seen from git 2.47 with a full disk, a refusing server, and GitHub's answer to a repository that is not there.
        let of = |stderr| {
            of_fetch(
                "https://github.com/a/b.git",
                std::path::Path::new("/m"),
                stderr,
            )
        };
        let full = "fatal: unable to write loose object file: No space left on device\nfatal: unpack-objects failed";
        assert!(matches!(of(full), GitError::DiskFull { .. }));
        let refused = "fatal: unable to access 'https://github.com/a/b.git/': The requested URL returned error: 403";
        assert!(matches!(of(refused), GitError::AuthRefused { .. }));
        let missing = "remote: Repository not found.\nfatal: repository 'https://github.com/a/b.git/' not found";
        assert!(matches!(of(missing), GitError::NoSuchRepository { .. }));
        let cut =
            "error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: early EOF";
        assert!(of(cut).is_transient());
        let other = "warning: one\nfatal: bad config variable 'x'\n";
        let text = of(other).to_string();
        assert!(
            text.contains("warning: one; fatal: bad config variable 'x'"),
            "{text}"
        );
    }
}
