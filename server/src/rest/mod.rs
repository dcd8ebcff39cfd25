//! The interface for programs, `/api/v1`: the same verbs and reads as the pages, with a bearer token or a session.
//! Its description is made from the handlers; a route that is not described cannot be added.
mod input;
mod logs;
mod problem;
mod projects;
mod runs;
mod shapes;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use problem::{problem_of, refusal};

use crate::http::Server;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fairlead",
        description = "What the pages can do, for programs. Times are RFC 3339 in UTC, durations milliseconds. \
                       Whatever is refused is answered as application/problem+json (RFC 9457)."
    ),
    modifiers(&Doors)
)]
struct Api;

/// How a caller is known.
struct Doors;

impl Modify for Doors {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API token, as `fairlead token create` prints it."))
            .build();
        let cookie = ApiKeyValue::with_description(
            "fairlead",
            "A browser's session; `__Host-fairlead` on https.",
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let none: [&str; 0] = [];
        document.security = Some(vec![
            SecurityRequirement::new("token", none),
            SecurityRequirement::new("session", none),
        ]);
    }
}

fn described() -> OpenApiRouter<Server> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(projects::list))
        .routes(routes!(projects::board))
        .routes(routes!(projects::plan))
        .routes(routes!(runs::list, runs::create))
        .routes(routes!(runs::get))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::events))
        .routes(routes!(logs::log))
}

/// The routes, and the one that describes them.
pub(crate) fn routes(server: Server) -> Router {
    let (routes, document) = described().split_for_parts();
    let unknown = || async {
        refusal(
            axum::http::StatusCode::NOT_FOUND,
            "not-found",
            "there is no such address; /api/v1/openapi.json lists them",
        )
    };
    routes
        .with_state(server)
        .route(
            "/api/v1/openapi.json",
            get(move || async move { Json(document) }),
        )
        .route("/api/{*rest}", axum::routing::any(unknown))
}
