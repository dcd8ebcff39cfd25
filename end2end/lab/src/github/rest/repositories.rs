//! Repositories, their commits, comparisons, trees and branches, all read from the bare repositories.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{OriginalUri, Path, Query, State},
    http::{HeaderMap, Method, StatusCode},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Page, Refused, Whoever, repository_json};
use crate::github::{
    git::{Commit, Repository, Selection},
    hub::Hub,
};

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{name}", get(repository))
        .route("/repos/{owner}/{name}/commits", get(commits))
        .route("/repos/{owner}/{name}/commits/{*reference}", get(commit))
        .route("/repos/{owner}/{name}/compare/{*basehead}", get(compare))
        .route("/repos/{owner}/{name}/git/trees/{*tree}", get(tree))
        .route("/repos/{owner}/{name}/branches", get(branches))
        .route("/repos/{owner}/{name}/branches/{*branch}", get(branch))
}

type Hubs = State<Arc<Hub>>;
type Answer = Result<Json<Value>, Refused>;
type Listing = Result<(HeaderMap, Json<Value>), Refused>;

async fn repository(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name)): Path<(String, String)>,
) -> Answer {
    let (repository, permission) = hub.find(&caller, &owner, &name)?;
    Ok(Json(repository_json(&hub, &repository, permission).await?))
}

#[derive(Deserialize)]
struct CommitsQuery {
    /// Branch, tag or hash to begin at; the default branch without it.
    sha: Option<String>,
    path: Option<String>,
    author: Option<String>,
    since: Option<String>,
    until: Option<String>,
    page: Option<usize>,
    per_page: Option<usize>,
}

async fn commits(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<CommitsQuery>,
) -> Listing {
    let (repository, _) = hub.find(&caller, &owner, &name)?;
    let start = match &query.sha {
        Some(sha) => sha.clone(),
        None => repository.default_branch().await?,
    };
    let Some(start) = repository.resolve(&start, "commit").await? else {
        let empty = repository.refs().await?.is_empty();
        return Err(if empty {
            Refused::new(StatusCode::CONFLICT, "Git Repository is empty.")
        } else {
            Refused::not_found()
        });
    };
    // GitHub takes a login or an address; git knows only addresses.
    let author = query.author.map(|who| {
        hub.config
            .people
            .person(&who)
            .map_or(who, |person| person.email.clone())
    });
    let CommitsQuery {
        path,
        since,
        until,
        page,
        per_page,
        ..
    } = query;
    let selection = Selection {
        revisions: vec![start],
        path,
        author,
        since,
        until,
        oldest_first: false,
    };
    let page = Page { page, per_page };
    let total = repository.count(&selection).await?;
    let commits = repository
        .commits(&selection, page.skip(), page.size())
        .await?;
    Ok((
        page.links(&hub, &uri, total),
        Json(hub.commits(&repository, &commits)),
    ))
}

/// What GitHub has below a commit and this stand-in does not.
const BELOW_A_COMMIT: [&str; 7] = [
    "/status",
    "/statuses",
    "/check-runs",
    "/check-suites",
    "/comments",
    "/pulls",
    "/branches-where-head",
];

async fn commit(
    State(hub): Hubs,
    Extension(caller): Whoever,
    method: Method,
    uri: OriginalUri,
    Path((owner, name, reference)): Path<(String, String, String)>,
) -> Answer {
    if BELOW_A_COMMIT
        .iter()
        .any(|below| reference.ends_with(below))
    {
        return Err(super::unknown(method, uri).await);
    }
    let (repository, _) = hub.find(&caller, &owner, &name)?;
    let message = format!("No commit found for SHA: {reference}");
    let missing = || Refused::new(StatusCode::UNPROCESSABLE_ENTITY, &message);
    let sha = repository
        .resolve(&reference, "commit")
        .await?
        .ok_or_else(missing)?;
    let commit = repository.commit(&sha).await?.ok_or_else(missing)?;
    let changes = repository
        .changes(commit.parents.first().map(String::as_str), &sha)
        .await?;
    let (additions, deletions) = changes.iter().fold((0, 0), |(plus, minus), file| {
        (plus + file.additions, minus + file.deletions)
    });
    let files: Vec<Value> = changes
        .iter()
        .map(|file| hub.shape().file(repository.full_name(), &sha, file))
        .collect();
    let mut shaped = hub.shape().commit(repository.full_name(), &commit);
    shaped["stats"] =
        json!({"total": additions + deletions, "additions": additions, "deletions": deletions});
    shaped["files"] = json!(files);
    Ok(Json(shaped))
}

/// GitHub lists at most 300 files of a comparison, and 250 commits where no page is asked for.
const MOST_FILES: usize = 300;
const MOST_COMPARED: usize = 250;

async fn compare(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name, basehead)): Path<(String, String, String)>,
    OriginalUri(uri): OriginalUri,
    Query(page): Query<Page>,
) -> Listing {
    let (repository, _) = hub.find(&caller, &owner, &name)?;
    let (base_name, head_name) = basehead.split_once("...").ok_or_else(Refused::not_found)?;
    let (base, head) = (
        commit_named(&repository, base_name).await?,
        commit_named(&repository, head_name).await?,
    );
    let Some(merge_base) = repository.merge_base(&base.sha, &head.sha).await? else {
        let message = format!("No common ancestor between {base_name} and {head_name}.");
        return Err(Refused::new(StatusCode::NOT_FOUND, &message));
    };
    let merge_base = commit_named(&repository, &merge_base).await?;

    let between = |from: &str, to: &str| Selection {
        revisions: vec![to.to_owned(), format!("^{from}")],
        oldest_first: true,
        ..Selection::default()
    };
    let new = between(&base.sha, &head.sha);
    let (ahead, behind) = (
        repository.count(&new).await?,
        repository.count(&between(&head.sha, &base.sha)).await?,
    );
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let paged = page.page.is_some() || page.per_page.is_some();
    let (skip, size) = if paged {
        (page.skip(), page.size())
    } else {
        (0, MOST_COMPARED)
    };
    let commits = repository.commits(&new, skip, size).await?;
    let changes = repository.changes(Some(&merge_base.sha), &head.sha).await?;

    let (shape, full_name) = (hub.shape(), repository.full_name());
    let files: Vec<Value> = changes
        .iter()
        .take(MOST_FILES)
        .map(|file| shape.file(full_name, &head.sha, file))
        .collect();
    let html = format!("{}/{full_name}/compare/{basehead}", hub.url);
    let body = json!({
        "url": format!("{}{}", hub.url, uri.path()), "html_url": html, "permalink_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
        "base_commit": shape.commit(full_name, &base), "merge_base_commit": shape.commit(full_name, &merge_base),
        "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead,
        "commits": hub.commits(&repository, &commits), "files": files,
    });
    let links = if paged {
        page.links(&hub, &uri, ahead)
    } else {
        HeaderMap::new()
    };
    Ok((links, Json(body)))
}

async fn commit_named(repository: &Repository, name: &str) -> Result<Commit, Refused> {
    let sha = repository
        .resolve(name, "commit")
        .await?
        .ok_or_else(Refused::not_found)?;
    repository
        .commit(&sha)
        .await?
        .ok_or_else(Refused::not_found)
}

#[derive(Deserialize)]
struct TreeQuery {
    /// Any value asks for all levels, `0` included: that is GitHub's rule.
    recursive: Option<String>,
}

async fn tree(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name, wanted)): Path<(String, String, String)>,
    Query(query): Query<TreeQuery>,
) -> Answer {
    let (repository, _) = hub.find(&caller, &owner, &name)?;
    let tree = repository
        .resolve(&wanted, "tree")
        .await?
        .ok_or_else(Refused::not_found)?;
    let entries = repository.tree(&tree, query.recursive.is_some()).await?;
    // Asked for by a branch or a commit, GitHub names the commit here, not the tree.
    let sha = repository.resolve(&wanted, "commit").await?.unwrap_or(tree);
    let (shape, full_name) = (hub.shape(), repository.full_name());
    let entries: Vec<Value> = entries
        .iter()
        .map(|entry| shape.entry(full_name, entry))
        .collect();
    let url = format!("{}/api/v3/repos/{full_name}/git/trees/{sha}", hub.url);
    Ok(Json(
        json!({"sha": sha, "url": url, "tree": entries, "truncated": false}),
    ))
}

async fn branches(
    State(hub): Hubs,
    Extension(caller): Whoever,
    Path((owner, name)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    Query(page): Query<Page>,
) -> Listing {
    let (repository, _) = hub.find(&caller, &owner, &name)?;
    let (shape, refs) = (hub.shape(), repository.refs().await?);
    let heads = refs
        .iter()
        .filter_map(|head| Some((head.name.strip_prefix("refs/heads/")?, head)));
    let branches: Vec<Value> = heads
        .map(|(name, head)| shape.branch(repository.full_name(), name, head))
        .collect();
    Ok((
        page.links(&hub, &uri, branches.len()),
        Json(json!(page.of(branches))),
    ))
}

async fn branch(
    State(hub): Hubs,
    Extension(caller): Whoever,
    method: Method,
    uri: OriginalUri,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Answer {
    let (repository, _) = hub.find(&caller, &owner, &name)?;
    let heads = repository.refs().await?;
    let full = format!("refs/heads/{branch}");
    let Some(head) = heads.iter().find(|head| head.name == full) else {
        if branch.ends_with("/protection") || branch.contains("/protection/") {
            return Err(super::unknown(method, uri).await);
        }
        return Err(Refused::new(StatusCode::NOT_FOUND, "Branch not found"));
    };
    let commit = repository
        .commit(&head.sha)
        .await?
        .ok_or_else(Refused::not_found)?;
    Ok(Json(hub.shape().branch_alone(
        repository.full_name(),
        &branch,
        &commit,
    )))
}

impl Hub {
    fn commits(&self, repository: &Repository, commits: &[Commit]) -> Value {
        commits
            .iter()
            .map(|commit| self.shape().commit(repository.full_name(), commit))
            .collect()
    }
}
