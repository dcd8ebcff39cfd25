//! The REST side, under `/api/v3` as on GitHub Enterprise Server: who may come in, headers, errors and pages.

mod hooks;
mod repositories;
mod users;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    directory::Permission,
    git::{GitError, Repository},
    hub::{Caller, Credentials, Hub},
    shape::{self, Shape},
};

const DOCUMENTATION: &str = "https://docs.github.com/rest";

pub(super) fn routes(hub: Arc<Hub>) -> Router<Arc<Hub>> {
    Router::new()
        .merge(users::routes())
        .merge(repositories::routes())
        .merge(hooks::routes())
        .fallback(unknown)
        // GitHub answers a wrong method like a wrong path.
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn_with_state(hub, door))
}

/// A path that the stand-in does not know. It is logged, so that what the product asks in vain is seen.
pub(super) async fn unknown(method: Method, OriginalUri(uri): OriginalUri) -> Refused {
    tracing::warn!(%method, path = uri.path(), "the GitHub stand-in knows no such path");
    Refused::not_found()
}

/// Takes the credentials, and puts on every answer the headers that GitHub puts there.
async fn door(State(hub): State<Arc<Hub>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers
        .get(header::USER_AGENT)
        .is_none_or(HeaderValue::is_empty)
    {
        let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let caller = match hub.credentials(headers) {
        Credentials::Bad => {
            return Refused::new(StatusCode::UNAUTHORIZED, "Bad credentials").into_response();
        }
        Credentials::None => None,
        Credentials::Good(caller) => Some(caller),
    };
    let (limit, login) = caller
        .as_ref()
        .map_or((60, ""), |caller| (5000, caller.person.login.as_str()));
    let (used, reset) = hub.count_request(login).await;
    let mut named = vec![
        ("x-ratelimit-limit", limit.to_string()),
        (
            "x-ratelimit-remaining",
            u32::saturating_sub(limit, used).to_string(),
        ),
        ("x-ratelimit-used", used.to_string()),
        ("x-ratelimit-reset", reset.to_string()),
        ("x-ratelimit-resource", "core".into()),
        ("x-github-media-type", "github.v3; format=json".into()),
        (
            "x-github-request-id",
            hex::encode_upper(rand::random::<[u8; 8]>()),
        ),
    ];
    if let Some(caller) = &caller {
        named.push(("x-oauth-scopes", caller.scopes.list().replace(',', ", ")));
    }
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    for (name, value) in named {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The caller as the door found them; `None` came without credentials.
type Whoever = Extension<Option<Caller>>;

/// An answer that is an error, in GitHub's shape.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    body: Value,
}

impl Refused {
    fn new(status: StatusCode, message: &str) -> Self {
        Self {
            status,
            body: error_body(status, message),
        }
    }

    fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    fn invalid(resource: &str, message: &str) -> Self {
        let mut refused = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
        refused.body["errors"] =
            json!([{"resource": resource, "code": "custom", "message": message}]);
        refused
    }
}

pub(super) fn error_body(status: StatusCode, message: &str) -> Value {
    json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.as_str()})
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<GitError> for Refused {
    fn from(error: GitError) -> Self {
        tracing::error!(%error, "a repository could not be read");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
    }
}

/// Which page of a list; GitHub's defaults and limits.
#[derive(Debug, Default, Deserialize)]
struct Page {
    page: Option<usize>,
    per_page: Option<usize>,
}

impl Page {
    fn number(&self) -> usize {
        self.page.unwrap_or(1).max(1)
    }

    fn size(&self) -> usize {
        self.per_page
            .filter(|size| *size > 0)
            .unwrap_or(30)
            .min(100)
    }

    fn skip(&self) -> usize {
        (self.number() - 1).saturating_mul(self.size())
    }

    /// The `Link` header, when there is more than this page.
    fn links(&self, hub: &Hub, uri: &Uri, total: usize) -> HeaderMap {
        let (page, last) = (self.number(), total.div_ceil(self.size()).max(1));
        let mut to = Vec::new();
        if page > 1 {
            to.extend([(page.min(last + 1) - 1, "prev"), (1, "first")]);
        }
        if page < last {
            to.extend([(page + 1, "next"), (last, "last")]);
        }
        let pairs: Vec<_> = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .filter(|(key, _)| key != "page")
            .collect();
        let link = |(page, name): (usize, &str)| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&pairs)
                .append_pair("page", &page.to_string())
                .finish();
            format!("<{}{}?{query}>; rel=\"{name}\"", hub.url, uri.path())
        };
        let value = to.into_iter().map(link).collect::<Vec<_>>().join(", ");
        let value = HeaderValue::from_str(&value)
            .ok()
            .filter(|value| !value.is_empty());
        value
            .into_iter()
            .map(|value| (header::LINK, value))
            .collect()
    }

    /// The part of a whole list that is this page.
    fn of<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter()
            .skip(self.skip())
            .take(self.size())
            .collect()
    }
}

impl Hub {
    pub(super) fn shape(&self) -> Shape<'_> {
        Shape {
            url: &self.url,
            directory: &self.config.people,
        }
    }

    /// The repository, or 404 whether it is not there or only not for this caller.
    fn find(
        &self,
        caller: &Option<Caller>,
        owner: &str,
        name: &str,
    ) -> Result<(Repository, Permission), Refused> {
        self.repository(caller.as_ref(), owner, name)
            .ok_or_else(Refused::not_found)
    }
}

/// `full-repository`, which the push event carries as well.
pub(super) async fn repository_json(
    hub: &Hub,
    repository: &Repository,
    permission: Permission,
) -> Result<Value, GitError> {
    let default_branch = repository.default_branch().await?;
    let pushed_at = repository
        .pushed_at()
        .await?
        .unwrap_or_else(|| shape::BEGINNING.into());
    Ok(hub.shape().repository(
        repository,
        &shape::RepositoryFacts {
            default_branch,
            pushed_at,
            permission,
        },
    ))
}
