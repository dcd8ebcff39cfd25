//! Signing in through GitHub.
use axum::http::{Method, StatusCode};

use crate::world::{PUBLIC, World, cookies, location, request};

#[tokio::test]
async fn a_person_signs_in_and_comes_back_to_the_page_they_wanted() {
    let world = World::new().await;
    let (response, _) = world
        .come_back_as("dev", "?next=%2Fruns%2F4%3Fstep%3D1")
        .await;
    assert_eq!(location(&response), "/runs/4?step=1");
    let set = cookies(&response);
    let session = set
        .iter()
        .find(|cookie| cookie.starts_with("fairlead="))
        .unwrap();
    for flag in [
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/",
        "; Max-Age=604800",
    ] {
        assert!(session.contains(flag), "{session}");
    }
    // On http a browser would not send it back.
    assert!(!session.contains("Secure"), "{session}");
    assert!(
        set.iter()
            .any(|cookie| cookie.starts_with("fairlead-sign-in=;") && cookie.contains("Max-Age=0")),
        "{set:?}"
    );
}

#[tokio::test]
async fn over_https_cookies_are_bound_to_the_host() {
    let world = World::at("https://deploy.example.com").await;
    let begun = world.get("/auth/github", &[]).await;
    let set = cookies(&begun);
    assert!(set[0].starts_with("__Host-fairlead-sign-in="), "{set:?}");
    assert!(
        set[0].contains("; Secure") && set[0].contains("; HttpOnly") && set[0].contains("; Path=/"),
        "{set:?}"
    );
    assert!(
        location(&begun)
            .contains("redirect_uri=https%3A%2F%2Fdeploy.example.com%2Fauth%2Fcallback")
    );
}

#[tokio::test]
async fn github_is_asked_with_state_and_pkce_and_the_browser_cannot_read_them() {
    let world = World::new().await;
    let begun = world.get("/auth/github", &[]).await;
    let asked = url::Url::parse(&location(&begun)).unwrap();
    let query: std::collections::HashMap<_, _> = asked.query_pairs().into_owned().collect();
    assert_eq!(query["code_challenge_method"], "S256");
    assert!(query["state"].len() >= 16);
    assert!(!cookies(&begun)[0].contains(&query["state"]));
}

#[tokio::test]
async fn an_answer_that_this_browser_did_not_ask_for_signs_nobody_in() {
    let world = World::new().await;
    let begun = world.get("/auth/github", &[]).await;
    let back = world.choose(&location(&begun), "lena").await;
    // Somebody else's link, opened in a browser that has begun nothing.
    let answer = world.get(&back, &[]).await;
    assert_eq!(location(&answer), "/sign-in?error=expired");
    assert!(
        !cookies(&answer)
            .iter()
            .any(|cookie| cookie.starts_with("fairlead="))
    );
    // In one that has begun another sign-in.
    let other = world.get("/auth/github", &[]).await;
    let cookie = cookies(&other)[0].split(';').next().unwrap().to_owned();
    let answer = world.get(&back, &[("cookie", &cookie)]).await;
    assert_eq!(location(&answer), "/sign-in?error=unreachable");
    assert!(
        !cookies(&answer)
            .iter()
            .any(|cookie| cookie.starts_with("fairlead="))
    );
    // A cookie of somebody's own making.
    let answer = world
        .get(
            &back,
            &[("cookie", "fairlead-sign-in=%7B%22state%22%3A%22x%22%7D")],
        )
        .await;
    assert_eq!(location(&answer), "/sign-in?error=expired");
}

#[tokio::test]
async fn what_went_wrong_is_told_on_the_sign_in_page() {
    let world = World::new().await;
    let (no_role, _) = world.come_back_as("omar", "").await;
    assert_eq!(location(&no_role), "/sign-in?error=no-role");
    let (refused, _) = world.come_back_as("", "").await;
    assert_eq!(location(&refused), "/sign-in?error=refused");
    for other_site in [
        "?next=https%3A%2F%2Fevil.example",
        "?next=%2F%2Fevil.example",
        "?next=%2F%5Cevil.example",
    ] {
        let (response, _) = world.come_back_as("dev", other_site).await;
        assert_eq!(location(&response), "/", "{other_site}");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let world = World::new().await;
    let cookie = world.sign_in("dev").await;
    assert_eq!(
        world.get("/", &[("cookie", &cookie)]).await.status(),
        StatusCode::OK
    );
    let headers = [("origin", PUBLIC), ("cookie", cookie.as_str())];
    let answer = world
        .send(request(Method::POST, "/auth/sign-out", &headers, ""))
        .await;
    assert_eq!(location(&answer), "/sign-in");
    assert!(cookies(&answer)[0].starts_with("fairlead=;"));
    assert_eq!(
        location(&world.get("/", &[("cookie", &cookie)]).await),
        "/sign-in"
    );
}
