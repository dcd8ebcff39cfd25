//! What machines ask.
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::{Method, StatusCode};

use crate::world::{World, request, text};

#[tokio::test]
async fn the_portal_is_ready_when_its_engine_is_at_work() {
    let world = World::new().await;
    assert_eq!(world.get("/healthz", &[]).await.status(), StatusCode::OK);
    let early = world.get("/readyz", &[]).await;
    assert_eq!(early.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(early).await, "the engine is not started\n");
    world.server.start_engine();
    assert_eq!(world.get("/readyz", &[]).await.status(), StatusCode::OK);
    world.server.stop().await;
    assert_eq!(
        text(world.get("/readyz", &[]).await).await,
        "the portal is stopping\n"
    );
    assert_eq!(world.get("/healthz", &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_who_has_the_token() {
    let world = World::new().await;
    let from = async |peer: &str, headers: &[(&str, &str)]| {
        let mut request = request(Method::GET, "/metrics", headers, "");
        request
            .extensions_mut()
            .insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        world.send(request).await
    };
    assert_eq!(from("127.0.0.1:5", &[]).await.status(), StatusCode::OK);
    assert_eq!(
        from("192.0.2.9:5", &[]).await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        from("127.0.0.1:5", &[("x-forwarded-for", "192.0.2.9")])
            .await
            .status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        from("192.0.2.9:5", &[("authorization", "Bearer counting")])
            .await
            .status(),
        StatusCode::OK
    );
    assert_eq!(
        from("127.0.0.1:5", &[("authorization", "Bearer guessing")])
            .await
            .status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn metrics_count_requests_and_runs() {
    let world = World::new().await;
    let metrics = async || {
        text(
            world
                .get("/metrics", &[("authorization", "Bearer counting")])
                .await,
        )
        .await
    };
    metrics().await;
    world.queued_run().await;
    world.get("/sign-in", &[]).await;
    let found = metrics().await;
    for line in [
        "fairlead_http_requests_total{area=\"pages\",method=\"GET\",status=\"200\"} 1",
        "fairlead_runs_unfinished{state=\"queued\"} 1",
        "fairlead_runs_unfinished{state=\"running\"} 0",
        "fairlead_live_viewers 0",
        "fairlead_log_lines_stored_total 0",
    ] {
        assert!(found.contains(line), "no `{line}` in\n{found}");
    }
    let memory = found
        .lines()
        .find_map(|line| line.strip_prefix("fairlead_process_resident_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 1_000_000);
    let run = world.queued_run().await;
    world
        .portal
        .cancel(&crate::world::operator(), crate::world::origin(), run)
        .await
        .unwrap();
    let found = metrics().await;
    // The first gave way to the second, which was cancelled.
    assert!(
        found.contains("fairlead_runs_finished_total{state=\"superseded\"} 1"),
        "{found}"
    );
    assert!(
        found.contains("fairlead_runs_finished_total{state=\"cancelled\"} 1"),
        "{found}"
    );
    assert!(
        found.contains("fairlead_runs_unfinished{state=\"queued\"} 0"),
        "{found}"
    );
}
