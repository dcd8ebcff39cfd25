//! The interface for programs, `/api/v1`: the same verbs and reads as the pages, with a bearer token or a session.
//! Its description is made from the handlers; a route that is not described cannot be added.
mod deliveries;
mod input;
mod logs;
mod outputs;
mod problem;
mod projects;
mod runs;
mod shapes;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, OpenApi as Document, Ref, ResponseBuilder, SecurityRequirement,
};
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
        .routes(routes!(outputs::release))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::redeliver))
        .routes(routes!(runs::list, runs::create))
        .routes(routes!(runs::get))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::events))
        .routes(routes!(outputs::artifacts))
        .routes(routes!(deliveries::messages))
        .routes(routes!(deliveries::send_again))
        .routes(routes!(logs::log))
}

/// Describes what every operation with a query or a body may answer, whatever it is about.
fn add_refusals(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let mut add = |status: &str, words: &str| {
                let content = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("Problem")))
                    .build();
                let refusal = ResponseBuilder::new()
                    .description(words)
                    .content("application/problem+json", content)
                    .build();
                let known = &mut operation.responses.responses;
                known.entry(status.to_owned()).or_insert(refusal.into());
            };
            add("400", "The query or the body cannot be read");
            add(
                "500",
                "A fault inside Fairlead; `request` says where its log has the cause",
            );
            add("502", "A system outside did not play its part");
            if operation.request_body.is_some() {
                add("413", "The body is too large");
                add("415", "The body is not `application/json`");
            }
        }
    }
}

/// The routes, and the one that describes them.
pub(crate) fn routes(server: Server) -> Router {
    let (routes, mut document) = described().split_for_parts();
    add_refusals(&mut document);
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
