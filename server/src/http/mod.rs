//! The router: every route in one list, and what all of them have in common.
//!
//! From the outside in: a request gets its id and its line in the log, every answer its security headers, a panic
//! becomes a 500, a body has a limit (another one for webhooks, which are let in by their signature), a write must come from our own pages, and the caller is found out. What is not
//! in the short list of [`caller::is_public`] refuses callers who are not signed in.
mod caller;
mod cookies;
mod headers;
mod health;
mod hooks;
mod metrics;
mod observer;
mod record;
mod refusal;
mod same_origin;
mod sign_in;
mod site;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use adapters::secrets::Sources;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use domain::Ms;
use domain::manifest::SecretName;
use leptos::config::LeptosOptions;
use portal::{EngineHandle, Portal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use url::Url;

pub(crate) use caller::{Credential, identify_again};
pub(crate) use metrics::Metrics;
pub(crate) use record::log_internal;

pub use crate::live::Periods;

use crate::config::Config;
use crate::live::Feeds;

/// The largest request body that is read, in bytes. Forms and API calls are small.
const LARGEST_BODY: usize = 256 * 1024;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

/// The parts of a [`Server`], for this crate only.
pub struct Inner {
    pub(crate) portal: Portal,
    pub(crate) public_url: Url,
    pub(crate) github_url: Url,
    pub(crate) cookies: cookies::Cookies,
    pub(crate) metrics: Metrics,
    pub(crate) observer: observer::Observer,
    pub(crate) metrics_token: Option<SecretName>,
    /// Which secret GitHub signs its webhooks with.
    pub(crate) webhook_secret: Option<SecretName>,
    /// Places for the bodies of webhooks.
    pub(crate) hooks: Semaphore,
    pub(crate) secrets: Sources,
    /// Places for browsers that come back from GitHub.
    pub(crate) sign_ins: Semaphore,
    pub(crate) feeds: Feeds,
    pub(crate) periods: Periods,
    /// Says to websockets that the server stops.
    pub(crate) stopping: CancellationToken,
    /// The websockets that are open.
    pub(crate) viewers: TaskTracker,
    pub(crate) site: LeptosOptions,
    engine: Mutex<Option<EngineHandle>>,
}

impl Deref for Server {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Server {
    /// The doors of a portal. The engine is started apart, with [`Server::start_engine`].
    pub fn new(config: &Config, portal: Portal, site: LeptosOptions, periods: Periods) -> Self {
        Self(Arc::new(Inner {
            portal,
            public_url: config.public_url().clone(),
            github_url: config.github_url().clone(),
            cookies: cookies::Cookies::new(config.public_url().scheme() == "https"),
            metrics: Metrics::new(),
            observer: observer::Observer::default(),
            metrics_token: config.metrics_token.clone(),
            webhook_secret: config.webhook_secret.clone(),
            hooks: Semaphore::new(hooks::AT_ONCE),
            secrets: config.secrets(),
            sign_ins: Semaphore::new(sign_in::AT_ONCE),
            feeds: Feeds::default(),
            periods,
            stopping: CancellationToken::new(),
            viewers: TaskTracker::new(),
            site,
            engine: Mutex::new(None),
        }))
    }

    /// Starts the engine; once per process.
    pub fn start_engine(&self) {
        let engine = self.portal.start_engine();
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine);
    }

    /// Takes no more runs, leaves those at work where they are, and closes the websockets.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.viewers.close();
        let engine = self
            .engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let engine = async {
            if let Some(engine) = engine {
                engine.stop().await;
            }
        };
        tokio::join!(engine, self.viewers.wait());
    }

    /// Resolves when [`Server::stop`] was called.
    pub async fn stopped(&self) {
        self.stopping.cancelled().await;
    }

    /// When the engine last looked at the facts; `None` while there is none.
    pub(crate) fn engine_ticked(&self) -> Option<Ms> {
        self.engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(EngineHandle::ticked)
    }

    /// Every route.
    pub fn router(&self) -> Router {
        let known = Router::new()
            .route("/auth/github", get(sign_in::begin))
            .route("/auth/callback", get(sign_in::end))
            .route("/auth/sign-out", post(sign_in::sign_out))
            .route("/live/runs/{id}", get(crate::live::run))
            .route("/live/board", get(crate::live::board))
            .with_state(self.clone())
            .merge(crate::rest::routes(self.clone()))
            .merge(site::pages(self))
            .fallback_service(site::not_a_page(self))
            // Files are compressed once, by their build; a development build's would take seconds each time.
            .layer(CompressionLayer::new())
            .layer(from_fn_with_state(self.clone(), caller::identify))
            .layer(from_fn_with_state(self.clone(), same_origin::check));
        Router::new()
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(health::metrics))
            .with_state(self.clone())
            .nest_service("/pkg", site::package(self))
            .merge(site::files(self))
            .merge(known)
            .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
            .merge(hooks::routes(self.clone()))
            .layer(from_fn(refusal::in_form))
            .layer(from_fn_with_state(self.clone(), refusal::panicked))
            .layer(from_fn_with_state(self.clone(), headers::secure))
            .layer(from_fn_with_state(self.clone(), record::record))
            .layer(from_fn(record::name))
    }
}
