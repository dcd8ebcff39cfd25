//! What is not GitHub's, under `/_lab/`: look at deliveries, get a token without the sign-in page.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::{
    hub::Hub,
    token::{self, Scopes},
    webhooks::Delivery,
};

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/_lab/deliveries", get(deliveries))
        .route("/_lab/tokens", post(token))
}

/// Every delivery of a webhook, oldest first.
async fn deliveries(State(hub): State<Arc<Hub>>) -> Json<Vec<Delivery>> {
    Json(hub.deliveries.lock().await.clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    login: String,
}

/// A personal access token with every scope: `POST /_lab/tokens?login=dev`, as somebody would make in GitHub's settings.
async fn token(State(hub): State<Arc<Hub>>, Query(Whose { login }): Query<Whose>) -> Response {
    let Some(person) = hub.config.people.person(&login) else {
        return (
            StatusCode::NOT_FOUND,
            Json(json!({"message": "there is nobody with that login"})),
        )
            .into_response();
    };
    let token = token::issue(&hub.config.client_secret, "ghp_", person, Scopes::ALL);
    Json(json!({"token": token.expose_secret()})).into_response()
}
