//! Commits, comparisons and branches of a repository.
use domain::manifest::Repository;
use domain::{Login, Ms, Sha};
use secrecy::SecretString;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{GitHub, GitHubError, has_next, page_query};

/// A commit as GitHub knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message.
    pub title: String,
    /// The author's name as it stands in the commit.
    pub author: String,
    /// The author's account, if GitHub knows whose address it is.
    pub login: Option<Login>,
    /// When it was committed.
    pub at_ms: Ms,
    /// Its parents; two or more for a merge.
    pub parents: Vec<Sha>,
}

/// What lies between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// How many commits the head has that the base has not.
    pub ahead_by: u64,
    /// How many commits the base has that the head has not.
    pub behind_by: u64,
    /// The commits that the head has more, oldest first.
    pub commits: Vec<Commit>,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// The commit that it is at.
    pub sha: Sha,
}

#[derive(Deserialize)]
struct WireBranch {
    name: String,
    commit: WireParent,
}

#[derive(Deserialize)]
struct WireParent {
    sha: Sha,
}

#[derive(Deserialize)]
struct WireAccount {
    login: Option<String>,
}

#[derive(Deserialize)]
struct WireCommit {
    sha: Sha,
    commit: WireText,
    author: Option<WireAccount>,
    parents: Vec<WireParent>,
}

#[derive(Deserialize)]
struct WireText {
    message: String,
    author: Option<WireSignature>,
    committer: Option<WireSignature>,
}

#[derive(Deserialize)]
struct WireSignature {
    name: Option<String>,
    date: Option<String>,
}

#[derive(Deserialize)]
struct WireComparison {
    ahead_by: u64,
    behind_by: u64,
    commits: Vec<WireCommit>,
}

impl From<WireCommit> for Commit {
    fn from(wire: WireCommit) -> Self {
        let WireCommit {
            sha,
            commit,
            author,
            parents,
        } = wire;
        let date = commit.committer.and_then(|committer| committer.date);
        let at = date.and_then(|date| OffsetDateTime::parse(&date, &Rfc3339).ok());
        Self {
            sha,
            title: commit.message.lines().next().unwrap_or_default().to_owned(),
            author: commit
                .author
                .and_then(|author| author.name)
                .unwrap_or_default(),
            login: author.and_then(|author| Login::parse(author.login?).ok()),
            at_ms: Ms(at.map_or(0, |at| at.unix_timestamp().saturating_mul(1000))),
            parents: parents.into_iter().map(|parent| parent.sha).collect(),
        }
    }
}

impl GitHub {
    /// One commit, by its id or by a branch or tag.
    pub async fn commit(
        &self,
        token: &SecretString,
        repository: &Repository,
        reference: &str,
    ) -> Result<Commit, GitHubError> {
        let path = [
            "repos",
            &repository.owner,
            &repository.name,
            "commits",
            reference,
        ];
        match self.get::<WireCommit>(token, &path, &[]).await {
            Ok(wire) => Ok(wire.into()),
            // What GitHub says to an id that looks right and is no commit.
            Err(GitHubError::Unexpected {
                status: 422,
                what,
                host,
                ..
            }) => Err(GitHubError::NotFound { host, what }),
            Err(error) => Err(error),
        }
    }

    /// What `head` has more than `base`: ids, branches or tags.
    pub async fn compare(
        &self,
        token: &SecretString,
        repository: &Repository,
        base: &str,
        head: &str,
    ) -> Result<Comparison, GitHubError> {
        let range = format!("{base}...{head}");
        let path = [
            "repos",
            &repository.owner,
            &repository.name,
            "compare",
            &range,
        ];
        let mut all = Comparison {
            ahead_by: 0,
            behind_by: 0,
            commits: Vec::new(),
        };
        for page in 1..=super::PAGES {
            let response = self.send(token, &path, &page_query(page)).await?;
            let more = has_next(&response);
            let wire: WireComparison = self.read(response, &path.join("/")).await?;
            (all.ahead_by, all.behind_by) = (wire.ahead_by, wire.behind_by);
            all.commits
                .extend(wire.commits.into_iter().map(Commit::from));
            if !more {
                break;
            }
        }
        Ok(all)
    }

    /// All branches.
    pub async fn branches(
        &self,
        token: &SecretString,
        repository: &Repository,
    ) -> Result<Vec<Branch>, GitHubError> {
        let branches: Vec<WireBranch> = self
            .list(
                token,
                &["repos", &repository.owner, &repository.name, "branches"],
            )
            .await?;
        Ok(branches
            .into_iter()
            .map(|wire| Branch {
                name: wire.name,
                sha: wire.commit.sha,
            })
            .collect())
    }
}
