//! The web UI: its pages and server functions by leptos, and the files that they are made of.
use std::path::Path;

use app::error::UiError;
use app::ssr::AppState;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use leptos::prelude::*;
use leptos_axum::{
    LeptosRoutes, ResponseOptions, generate_route_list, render_app_async_with_context,
};
use tower::Service;
use tower_http::services::{ServeDir, ServeFile};

use super::{Server, headers};

/// Pages and server functions.
pub(super) fn pages(server: &Server) -> Router {
    let state = state(server);
    let options = server.site.clone();
    let routes = generate_route_list(app::App);
    let shell = move || app::shell(options.clone());
    Router::new()
        .leptos_routes_with_context(&state, routes, context(server), shell)
        .with_state(state)
}

/// The page for an address that leads nowhere.
pub(super) fn not_a_page(
    server: &Server,
) -> impl Service<Request, Response = Response, Error = std::convert::Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let (state, provide, options) = (state(server), context(server), server.site.clone());
    let provide = move || {
        provide_context(state.clone());
        provide();
    };
    let render = render_app_async_with_context(provide, move || app::shell(options.clone()));
    tower::service_fn(move |request: Request<Body>| {
        let answer = render(request);
        async move { Ok(answer.await) }
    })
}

/// A page that only says why there is none.
pub(super) async fn trouble(server: &Server, request: Request, error: UiError) -> Response {
    let options = server.site.clone();
    let shell = move || app::trouble(options.clone(), error.clone());
    render_app_async_with_context(context(server), shell)(request).await
}

fn state(server: &Server) -> AppState {
    AppState {
        portal: server.portal.clone(),
        leptos_options: server.site.clone(),
    }
}

/// Gives each answer the policy that lets the nonce's scripts run, and nothing else.
fn context(server: &Server) -> impl Fn() + Clone + Send + Sync + 'static {
    let github = server.github_url.clone();
    // Only cargo-leptos's watch mode sets this; its pages reload themselves through a socket on another port.
    let watched = std::env::var_os("LEPTOS_WATCH").is_some();
    let reload = watched.then(|| {
        format!(
            "ws://{}:{}",
            server.site.site_addr.ip(),
            server.site.reload_port
        )
    });
    move || {
        let nonce = leptos::nonce::use_nonce();
        if let Some(response) = use_context::<ResponseOptions>() {
            let policy = headers::policy(nonce.as_deref(), &github, reload.as_deref());
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

/// The site's program and style sheet.
pub(super) fn package(server: &Server) -> Router {
    let dir = Path::new(&*server.site.site_root).join(&*server.site.site_pkg_dir);
    let files = ServeDir::new(dir)
        .precompressed_br()
        .precompressed_gzip()
        .append_index_html_on_directories(false);
    Router::new().fallback_service(files).layer(from_fn(cache))
}

/// A file whose name holds its hash never changes; the others are asked for again.
async fn cache(request: Request, next: Next) -> Response {
    let hashed = request
        .uri()
        .path()
        .rsplit('/')
        .next()
        .is_some_and(|name| name.split('.').count() >= 3);
    let mut response = next.run(request).await;
    if response.status().is_success() {
        let value = if hashed {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    response
}

/// A route for each file at the site's root, such as its icon. They are looked for once, at the start.
pub(super) fn files(server: &Server) -> Router {
    let mut router = Router::new();
    let Ok(entries) = std::fs::read_dir(&*server.site.site_root) else {
        return router;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        // What compression left beside a file is served in its place, not under its own name.
        let Some(name) = name.to_str().filter(|name| {
            name.bytes().all(plain) && !name.ends_with(".br") && !name.ends_with(".gz")
        }) else {
            continue;
        };
        if path.is_file() && name != "index.html" {
            let file = ServeFile::new(path).precompressed_br().precompressed_gzip();
            router = router.route_service(&format!("/{name}"), file);
        }
    }
    router.layer(from_fn(cache))
}
