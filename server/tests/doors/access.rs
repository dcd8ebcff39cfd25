//! Who gets in where.
use axum::body::Body;
use axum::http::{Method, StatusCode};
use domain::policy::Role;

use crate::world::{PUBLIC, World, json, location, request, text};

/// Every operation of the REST interface: method and a path that could be.
pub async fn operations(world: &World) -> Vec<(Method, String)> {
    let bearer = world.bearer(Role::Viewer).await;
    let document = json(
        world
            .get("/api/v1/openapi.json", &[("authorization", &bearer)])
            .await,
    )
    .await;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{project}", "shop")
            .replace("{environment}", "dev")
            .replace("{id}", "1")
            .replace("{channel}", "slack")
            .replace("{commit}", &"a".repeat(40))
            .replace("{step}", "0");
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn nobody_gets_past_the_sign_in_without_signing_in() {
    let world = World::new().await;
    let ours = [("origin", PUBLIC), ("content-type", "application/json")];
    for (method, path) in operations(&world).await {
        let answer = world
            .send(request(method.clone(), &path, &ours, "{}"))
            .await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/problem+json",
            "{method} {path}"
        );
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
    for path in [
        "/api/v1/openapi.json",
        "/api/v1/nonsense",
        "/live/runs/1",
        "/live/board?project=shop",
    ] {
        assert_eq!(
            world.get(path, &[]).await.status(),
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
    let mut functions = 0;
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        functions += 1;
        let answer = world.send(request(method.clone(), path, &ours, "")).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(text(answer).await, r#"{"error":"signed-out"}"#);
    }
    assert!(functions >= 8, "the server functions were not found");
    let mut pages = 0;
    for page in leptos_axum::generate_route_list(app::App) {
        let path = page
            .path()
            .replace("{id}", "1")
            .replace("{project}", "shop")
            .replace("{env}", "dev");
        if path != "/sign-in" {
            pages += 1;
            let answer = world.get(&path, &[("accept", "text/html")]).await;
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
            assert!(location(&answer).starts_with("/sign-in"), "{path}");
        }
    }
    assert!(pages >= 5, "the pages were not found");
    assert_eq!(
        location(&world.get("/no/such/page", &[]).await),
        "/sign-in?next=%2Fno%2Fsuch%2Fpage"
    );
    assert_eq!(
        location(&world.get("/runs/7?step=2", &[]).await),
        "/sign-in?next=%2Fruns%2F7%3Fstep%3D2"
    );
    assert_eq!(
        location(&world.post("/auth/sign-out", &[], "").await),
        "/sign-in"
    );
    assert_eq!(world.get("/sign-in", &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_token_or_session_is_nobody() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    for wrong in ["Bearer fl_0000", "Bearer ", "Basic dmVyYTp4", "nonsense"] {
        // Even beside a good session: a program that shows a token means it.
        let answer = world
            .get(
                "/api/v1/projects",
                &[("authorization", wrong), ("cookie", &cookie)],
            )
            .await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let answer = world.get("/", &[("cookie", "fairlead=0000")]).await;
    assert_eq!(location(&answer), "/sign-in");
    // Tokens are for programs.
    let bearer = world.bearer(Role::Lead).await;
    assert_eq!(
        location(&world.get("/", &[("authorization", &bearer)]).await),
        "/sign-in"
    );
}

#[tokio::test]
async fn pages_are_served_to_who_is_signed_in() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    let board = world.get("/", &[("cookie", &cookie)]).await;
    assert_eq!(board.status(), StatusCode::OK);
    let page = text(board).await;
    assert!(page.contains("The shop") && page.contains("vera"), "{page}");
    assert_eq!(
        world
            .get("/no/such/page", &[("cookie", &cookie)])
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_write_from_another_site_is_refused() {
    let world = World::new().await;
    let cookie = world.sign_in("lena").await;
    let run = r#"{"project":"shop","environment":"dev"}"#;
    let others: [&[(&str, &str)]; 4] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", PUBLIC), ("sec-fetch-site", "cross-site")],
    ];
    for other in others {
        for path in ["/api/v1/runs", "/ui/deploy", "/auth/sign-out"] {
            let mut headers = vec![
                ("cookie", cookie.as_str()),
                ("content-type", "application/json"),
            ];
            headers.extend_from_slice(other);
            let answer = world.send(request(Method::POST, path, &headers, run)).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {other:?}");
            let kind = answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            let said = text(answer).await;
            assert!(said.contains("own pages"), "{path}: {said}");
            match path {
                "/ui/deploy" => assert!(said.starts_with(r#"{"error":"denied""#), "{said}"),
                "/auth/sign-out" => {
                    assert!(kind.starts_with("text/html") && said.contains("Back to the board"))
                }
                _ => assert_eq!(kind, "application/problem+json"),
            }
        }
    }
    // Nothing was done, and the session still lives.
    let runs = json(world.get("/api/v1/runs", &[("cookie", &cookie)]).await).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 0);
    // A websocket is refused too: it would tell what the reader may see.
    let upgrade = [
        ("cookie", cookie.as_str()),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(
        world
            .get("/live/board?project=shop", &upgrade)
            .await
            .status(),
        StatusCode::FORBIDDEN
    );
    // A program with a token has no browser that could be tricked.
    let bearer = world.bearer(Role::Lead).await;
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = world
        .send(request(Method::POST, "/api/v1/runs", &headers, run))
        .await;
    assert_eq!(answer.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let world = World::new().await;
    let bearer = world.bearer(Role::Lead).await;
    let large = format!(
        r#"{{"project":"shop","environment":"dev","reason":"{}"}}"#,
        "x".repeat(300_000)
    );
    let answer = world
        .post("/api/v1/runs", &[("authorization", &bearer)], &large)
        .await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json(answer).await["type"], "/problems/too-large");
    let none = request(
        Method::POST,
        "/api/v1/runs",
        &[("authorization", &bearer)],
        "",
    );
    let (parts, _) = none.into_parts();
    let endless = Body::from_stream(futures::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(vec![b' '; 65_536])
    }));
    let mut endless = axum::http::Request::from_parts(parts, endless);
    endless
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    assert_eq!(
        world.send(endless).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}
