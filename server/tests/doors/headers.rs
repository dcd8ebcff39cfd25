//! What every answer carries.
use axum::body::Body;
use axum::http::Response;

use crate::world::{World, text};

fn header<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
}

#[tokio::test]
async fn every_kind_of_answer_is_guarded() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    let signed_in = [("cookie", cookie.as_str())];
    let nobody: [(&str, &str); 0] = [];
    for (path, headers) in [
        ("/", &signed_in[..]),
        ("/no/such/page", &signed_in),
        ("/sign-in", &nobody),
        ("/", &nobody),
        ("/auth/github", &nobody),
        ("/api/v1/projects", &signed_in),
        ("/api/v1/projects", &nobody),
        ("/pkg/fairlead.0123abcd.js", &nobody),
        ("/pkg/none.js", &nobody),
        ("/favicon.svg", &nobody),
        ("/healthz", &nobody),
        ("/readyz", &nobody),
        ("/metrics", &nobody),
        ("/live/runs/1", &nobody),
    ] {
        let answer = world.get(path, headers).await;
        let policy = header(&answer, "content-security-policy");
        for part in [
            "default-src 'none'; script-src 'self'",
            "style-src 'self';",
            "object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
            &format!("form-action 'self' {}", world.github_url),
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{path}: {policy}"
        );
        assert_eq!(
            header(&answer, "x-content-type-options"),
            "nosniff",
            "{path}"
        );
        assert_eq!(header(&answer, "referrer-policy"), "same-origin", "{path}");
        assert!(
            header(&answer, "permissions-policy").contains("camera=()"),
            "{path}"
        );
        assert_eq!(header(&answer, "x-request-id").len(), 16, "{path}");
        assert!(
            answer.headers().get("strict-transport-security").is_none(),
            "{path} over http"
        );
    }
}

#[tokio::test]
async fn a_page_runs_its_own_scripts_and_no_others() {
    let world = World::new().await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = world.get("/sign-in", &[]).await;
        let policy = header(&page, "content-security-policy").to_owned();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap()
            .to_owned();
        assert!(policy.contains("'wasm-unsafe-eval'"), "{policy}");
        let html = text(page).await;
        let scripts: Vec<&str> = html
            .split("<script")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap())
            .collect();
        assert!(!scripts.is_empty());
        for script in scripts {
            assert!(script.contains(&format!("nonce=\"{nonce}\"")), "{script}");
        }
        assert!(
            !html.contains(" style=\"") && !html.contains(" onclick="),
            "the policy would stop it"
        );
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn a_file_named_by_its_hash_is_kept_for_ever_and_pages_never() {
    let world = World::new().await;
    let file = world.get("/pkg/fairlead.0123abcd.js", &[]).await;
    assert_eq!(
        header(&file, "cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(text(file).await, "export default 1;\n");
    assert_eq!(
        header(&world.get("/favicon.svg", &[]).await, "cache-control"),
        "no-cache"
    );
    assert_eq!(
        header(
            &world.get("/pkg/none.0123abcd.js", &[]).await,
            "cache-control"
        ),
        "private, no-cache"
    );
    assert_eq!(
        header(&world.get("/sign-in", &[]).await, "cache-control"),
        "private, no-cache"
    );
    assert_eq!(
        header(&world.get("/auth/github", &[]).await, "cache-control"),
        "no-store"
    );
    for outside in [
        "/pkg/../fairlead.toml",
        "/pkg/%2e%2e/%2e%2e/secrets.env",
        "/fairlead.toml",
        "/secrets.env",
    ] {
        let answer = world.get(outside, &[]).await;
        assert!(!text(answer).await.contains("GITHUB"), "{outside}");
    }
}

#[tokio::test]
async fn over_https_browsers_are_told_to_stay_there() {
    let world = World::at("https://deploy.example.com").await;
    let answer = world.get("/sign-in", &[]).await;
    assert_eq!(
        header(&answer, "strict-transport-security"),
        "max-age=31536000"
    );
}
