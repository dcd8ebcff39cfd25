//! The signed-in person, their organisations and their teams.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{OriginalUri, Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::Value;

use super::{Page, Refused, Whoever};
use crate::github::hub::{Caller, Hub};

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/user", get(myself))
        .route("/user/orgs", get(orgs))
        .route("/user/teams", get(teams))
        .route(
            "/orgs/{org}/teams/{slug}/memberships/{login}",
            get(membership),
        )
        .route("/orgs/{org}/memberships/{login}", get(org_membership))
}

type List = Result<(HeaderMap, Json<Vec<Value>>), Refused>;

fn signed_in(caller: Option<Caller>) -> Result<Caller, Refused> {
    caller.ok_or_else(|| Refused::new(StatusCode::UNAUTHORIZED, "Requires authentication"))
}

/// Signed in with one of these scopes.
fn with_scope(caller: Option<Caller>, scopes: &[&str]) -> Result<Caller, Refused> {
    let caller = signed_in(caller)?;
    let message = format!(
        "You need one of these scopes to do that: {}.",
        scopes.join(", ")
    );
    if scopes.iter().any(|scope| caller.scopes.has(scope)) {
        Ok(caller)
    } else {
        Err(Refused::new(StatusCode::FORBIDDEN, &message))
    }
}

async fn myself(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Whoever,
) -> Result<Json<Value>, Refused> {
    Ok(Json(hub.shape().myself(&signed_in(caller)?.person)))
}

async fn orgs(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Whoever,
    OriginalUri(uri): OriginalUri,
    Query(page): Query<Page>,
) -> List {
    let caller = with_scope(caller, &["read:org", "user"])?;
    let orgs: Vec<Value> = hub
        .config
        .people
        .orgs_of(&caller.person)
        .into_iter()
        .map(|org| hub.shape().org(org))
        .collect();
    Ok((page.links(&hub, &uri, orgs.len()), Json(page.of(orgs))))
}

async fn teams(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Whoever,
    OriginalUri(uri): OriginalUri,
    Query(page): Query<Page>,
) -> List {
    let caller = with_scope(caller, &["read:org", "user", "repo"])?;
    let teams: Vec<Value> = hub
        .config
        .people
        .teams_of(&caller.person)
        .map(|team| hub.shape().team(team, hub.count_repositories(&team.org)))
        .collect();
    Ok((page.links(&hub, &uri, teams.len()), Json(page.of(teams))))
}

/// 404 both for somebody who is not in the team and for a team that the caller may not see.
async fn membership(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Whoever,
    Path((org, slug, login)): Path<(String, String, String)>,
) -> Result<Json<Value>, Refused> {
    let caller = with_scope(caller, &["read:org"])?;
    let people = &hub.config.people;
    let sees = caller.is_service()
        || people
            .orgs_of(&caller.person)
            .iter()
            .any(|mine| mine.eq_ignore_ascii_case(&org));
    let team = people
        .team(&org, &slug)
        .filter(|_| sees)
        .ok_or_else(Refused::not_found)?;
    let person = people
        .person(&login)
        .filter(|person| person.is_in(team))
        .ok_or_else(Refused::not_found)?;
    Ok(Json(hub.shape().membership(team, &person.login)))
}

/// 404 for somebody who is not in the organisation, 403 for a caller who is not in it either.
async fn org_membership(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Whoever,
    Path((org, login)): Path<(String, String)>,
) -> Result<Json<Value>, Refused> {
    let caller = with_scope(caller, &["read:org"])?;
    let people = &hub.config.people;
    let belongs = |person| {
        let mut orgs = people.orgs_of(person).into_iter();
        orgs.any(|mine| mine.eq_ignore_ascii_case(&org))
    };
    if !caller.is_service() && !belongs(&caller.person) {
        let message = "You must be a member to see membership information.";
        return Err(Refused::new(StatusCode::FORBIDDEN, message));
    }
    let person = people.person(&login).filter(|person| belongs(person));
    let person = person.ok_or_else(Refused::not_found)?;
    Ok(Json(hub.shape().org_membership(&org, &person.login)))
}
