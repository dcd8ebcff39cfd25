//! Faults on demand: `POST /_lab/fail?next=500&path=/api/v3/user&times=2` makes the next matching requests go wrong.
//!
//! The product's error handling is only worth what was seen to happen, so each stand-in can be told to fail in the ways
//! that the real service does. Under `/_lab/` nothing fails, so that a test can always take a fault back.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Fault {
    /// 500 with the service's own body.
    #[serde(rename = "500")]
    Broken,
    /// 429 with `Retry-After`.
    #[serde(rename = "429")]
    TooMany,
    /// No answer for as long as the client waits.
    #[serde(rename = "hang")]
    Hang,
}

/// One order: the next `times` requests whose path begins with `path` answer with `next`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    next: Fault,
    #[serde(default = "anywhere")]
    path: String,
    #[serde(default = "once")]
    times: u32,
    /// Seconds in `Retry-After` of a 429.
    #[serde(default = "one_second")]
    retry_after: u64,
}

fn anywhere() -> String {
    "/".into()
}
fn once() -> u32 {
    1
}
fn one_second() -> u64 {
    1
}

/// What the service itself says with a 500 or a 429: content type and body.
pub(crate) type Wording = fn(StatusCode) -> (&'static str, String);

#[derive(Clone)]
struct Faults {
    orders: Arc<Mutex<Vec<Order>>>,
    wording: Wording,
}

/// Puts the fault switch in front of every route of `router`.
pub(crate) fn in_front_of(router: Router, wording: Wording) -> Router {
    let faults = Faults {
        orders: Arc::default(),
        wording,
    };
    let switch = Router::new()
        .route("/_lab/fail", post(order).get(list).delete(clear))
        .with_state(faults.clone());
    router
        .layer(middleware::from_fn_with_state(faults, go_wrong))
        .merge(switch)
}

async fn order(State(faults): State<Faults>, Query(order): Query<Order>) -> StatusCode {
    faults.orders.lock().await.push(order);
    StatusCode::NO_CONTENT
}

async fn list(State(faults): State<Faults>) -> Json<Vec<Order>> {
    Json(faults.orders.lock().await.clone())
}

async fn clear(State(faults): State<Faults>) -> StatusCode {
    faults.orders.lock().await.clear();
    StatusCode::NO_CONTENT
}

async fn go_wrong(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let order = if path.starts_with("/_lab/") {
        None
    } else {
        faults.take(path).await
    };
    let Some(order) = order else {
        return next.run(request).await;
    };
    tracing::info!(path, fault = ?order.next, "failing as ordered");
    match order.next {
        Fault::Broken => faults.answer(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::TooMany => {
            let retry = [(header::RETRY_AFTER, order.retry_after.to_string())];
            (retry, faults.answer(StatusCode::TOO_MANY_REQUESTS)).into_response()
        }
        Fault::Hang => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    }
}

impl Faults {
    async fn take(&self, path: &str) -> Option<Order> {
        let mut orders = self.orders.lock().await;
        let at = orders
            .iter()
            .position(|order| order.times > 0 && path.starts_with(&order.path))?;
        let order = orders[at].clone();
        orders[at].times -= 1;
        orders.retain(|order| order.times > 0);
        Some(order)
    }

    fn answer(&self, status: StatusCode) -> Response {
        let (content_type, body) = (self.wording)(status);
        (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}
