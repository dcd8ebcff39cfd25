//! Signing in through GitHub.
use axum::http::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::world::{PUBLIC, World, cookies, fixed, location, request, write};

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

#[tokio::test(flavor = "multi_thread")]
async fn when_too_many_sign_ins_wait_for_github_the_next_one_is_told_so_at_once() {
    // A GitHub that takes every call and answers none.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let (called, mut calls) = mpsc::unbounded_channel();
    let github = tokio::spawn(async move {
        while let Ok((call, _)) = silent.accept().await {
            called.send(call).unwrap();
        }
    });
    let world = World::new().await;
    let config = fixed(PUBLIC, &format!("http://{address}"));
    write(&world.dir.path().join("fairlead.toml"), &config);
    let world = world.again().await;
    // What a browser asks for that has been to GitHub.
    let coming_back = async || {
        let begun = world.get("/auth/github", &[]).await;
        let cookie = cookies(&begun)[0].split(';').next().unwrap().to_owned();
        let asked = url::Url::parse(&location(&begun)).unwrap();
        let mut query = asked.query_pairs();
        let state = query.find(|(name, _)| name == "state").unwrap().1;
        let back = format!("/auth/callback?code=x&state={state}");
        request(Method::GET, &back, &[("cookie", &cookie)], "")
    };
    let (mut waiting, mut held) = (Vec::new(), Vec::new());
    for _ in 0..16 {
        let asked = coming_back().await;
        waiting.push(tokio::spawn(world.router.clone().oneshot(asked)));
        held.push(calls.recv().await.unwrap());
    }
    let answer = world.send(coming_back().await).await;
    assert_eq!(location(&answer), "/sign-in?error=busy");
    // It is over for those that wait, and the places are free again.
    drop(held);
    for one in waiting {
        let answer = one.await.unwrap().unwrap();
        assert_eq!(location(&answer), "/sign-in?error=unreachable");
    }
    github.abort();
    drop(calls);
    let _ = github.await;
    let answer = world.send(coming_back().await).await;
    assert_eq!(location(&answer), "/sign-in?error=unreachable");
}
