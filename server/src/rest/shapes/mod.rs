//! What the REST interface shows. Apart from the views of the pages, so that those can change without breaking
//! programs; times are texts that people can read too.
mod board;
mod plan;
mod runs;

use domain::view::Offer;
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use board::{Board, Project};
pub(super) use plan::Plan;
pub(super) use runs::{Event, Line, Run, RunCreated, RunDetail, RunPage, State};

/// A commit as git tells it.
#[derive(Serialize, ToSchema)]
pub(super) struct Commit {
    /// Its full id.
    sha: String,
    /// The first line of its message.
    title: String,
    /// Who wrote it.
    author: String,
    /// When it was committed.
    at: String,
}

impl From<domain::plan::Commit> for Commit {
    fn from(commit: domain::plan::Commit) -> Self {
        let domain::plan::Commit {
            sha,
            title,
            author,
            at,
        } = commit;
        Self {
            sha: sha.into(),
            title,
            author,
            at: at.rfc3339(),
        }
    }
}

fn refused(offer: Offer) -> Option<String> {
    match offer {
        Offer::Ready => None,
        Offer::Refused { why } => Some(why),
    }
}
