//! The interface for programs.
use std::collections::HashSet;

use axum::http::{Method, StatusCode};
use domain::StepId;
use domain::log::Stream;
use domain::policy::Role;
use domain::run::RunEvent;
use store::NewLine;

use crate::access::operations;
use crate::world::{World, json, now, text};

#[tokio::test]
async fn a_program_deploys_looks_and_cancels() {
    let world = World::new().await;
    let bearer = world.bearer(Role::Developer).await;
    let token = [("authorization", bearer.as_str())];
    assert_eq!(
        text(world.get("/api/v1/projects", &token).await).await,
        r#"[{"name":"shop"}]"#
    );

    let plan = json(
        world
            .get("/api/v1/projects/shop/environments/dev/plan", &token)
            .await,
    )
    .await;
    let steps: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        steps,
        [
            "Check out",
            "Build backend",
            "Push backend to docr",
            "Deploy backend"
        ]
    );
    assert_eq!(plan["commit"]["title"], "Begin");

    let created = world
        .post(
            "/api/v1/runs",
            &token,
            r#"{"project":"shop","environment":"dev","reason":"a test"}"#,
        )
        .await;
    assert_eq!(created.status(), StatusCode::CREATED);
    let address = created.headers()["location"].to_str().unwrap().to_owned();
    let created = json(created).await;
    assert_eq!(address, format!("/api/v1/runs/{}", created["id"]));
    assert_eq!(
        created["page"],
        format!("http://localhost:3000/runs/{}", created["id"])
    );

    let run = json(world.get(&address, &token).await).await;
    assert_eq!(run["state"], "queued");
    assert!(run["by"].as_str().unwrap().starts_with("token t-"), "{run}");
    assert_eq!(run["waiting_for"], "Starts in a moment");
    assert_eq!(run["steps"].as_array().unwrap().len(), 4);
    for step in run["steps"].as_array().unwrap() {
        assert_eq!(
            (&step["always"], &step["optional"]),
            (&false.into(), &false.into())
        );
    }
    let requested = run["requested"].as_str().unwrap();
    assert!(
        requested.len() == 24 && requested.ends_with('Z'),
        "{requested}"
    );

    let board = json(world.get("/api/v1/projects/shop/board", &token).await).await;
    let [dev, prod] = [&board["environments"][0], &board["environments"][1]];
    assert_eq!(dev["queued"][0]["id"], run["id"]);
    assert_eq!(dev["deploy_refused"], serde_json::Value::Null);
    assert!(
        prod["deploy_refused"]
            .as_str()
            .unwrap()
            .contains("needs the role lead"),
        "{prod}"
    );

    let cancelled = world.post(&format!("{address}/cancel"), &token, "").await;
    assert_eq!(cancelled.status(), StatusCode::ACCEPTED);
    let events = json(world.get(&format!("{address}/events"), &token).await).await;
    assert_eq!(events[0]["event"], "cancel-requested");
    assert_eq!(events[0]["seq"], 1);
    assert_eq!(
        json(
            world
                .get(&format!("{address}/events?after=1"), &token)
                .await
        )
        .await,
        serde_json::json!([])
    );
    let page = json(
        world
            .get("/api/v1/runs?state=cancelled&environment=dev", &token)
            .await,
    )
    .await;
    assert_eq!(page["runs"][0]["id"], run["id"]);
    assert_eq!(page["next"], serde_json::Value::Null);

    let retried = world.post(&format!("{address}/retry"), &token, "").await;
    assert_eq!(retried.status(), StatusCode::CREATED);
    let retried = json(
        world
            .get(retried.headers()["location"].to_str().unwrap(), &token)
            .await,
    )
    .await;
    assert_eq!(retried["retry_of"], run["id"]);
}

#[tokio::test]
async fn a_program_has_the_images_built_anew() {
    let world = World::new().await;
    let bearer = world.bearer(Role::Developer).await;
    let token = [("authorization", bearer.as_str())];
    let plan = "/api/v1/projects/shop/environments/dev/plan";
    for (query, rebuild, sentence) in [
        ("", false, "build the image of backend"),
        (
            "?rebuild=true",
            true,
            "build the image of backend anew, without the cache and on base images as they are now",
        ),
    ] {
        let plan = json(world.get(&format!("{plan}{query}"), &token).await).await;
        assert_eq!(plan["rebuild"], rebuild, "{plan}");
        assert_eq!(plan["steps"][1]["sentence"], sentence, "{plan}");
    }
    for (more, rebuild) in [("", false), (r#","rebuild":true"#, true)] {
        let body = format!(r#"{{"project":"shop","environment":"dev"{more}}}"#);
        let created = world.post("/api/v1/runs", &token, &body).await;
        assert_eq!(created.status(), StatusCode::CREATED);
        let address = created.headers()["location"].to_str().unwrap().to_owned();
        let run = json(world.get(&address, &token).await).await;
        assert_eq!(run["rebuild"], rebuild, "{run}");
    }
    let body = r#"{"project":"shop","environment":"dev","rebuild":"yes"}"#;
    let no_sense = world.post("/api/v1/runs", &token, body).await;
    assert_eq!(no_sense.status(), StatusCode::UNPROCESSABLE_ENTITY);

    let document = json(world.get("/api/v1/openapi.json", &token).await).await;
    let asked = &document["components"]["schemas"]["NewRun"];
    assert_eq!(asked["properties"]["rebuild"]["type"], "boolean", "{asked}");
    let required = asked["required"].as_array().unwrap();
    assert!(!required.contains(&"rebuild".into()), "{asked}");
}

#[tokio::test]
async fn a_run_that_a_newer_one_overtakes_is_not_retried() {
    let world = World::new().await;
    let bearer = world.bearer(Role::Developer).await;
    let token = [("authorization", bearer.as_str())];
    let older = world.queued_run().await;
    let address = format!("/api/v1/runs/{older}");
    world.post(&format!("{address}/cancel"), &token, "").await;
    let newer = world.queued_run().await;
    let store = world.store().await;
    let held = HashSet::new();
    let claim = store.claim("test", now(), 60_000, &held).await.unwrap();
    let event = RunEvent::Started;
    let started = store.append(&claim.unwrap(), 0, &event, now()).await;
    started.unwrap();

    let refused = world.post(&format!("{address}/retry"), &token, "").await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let why = format!("is behind run #{newer}");
    let told = json(refused).await;
    assert!(told["detail"].as_str().unwrap().contains(&why), "{told}");
    let run = json(world.get(&address, &token).await).await;
    let told = run["retry_refused"].as_str().unwrap();
    assert!(told.contains(&why), "{told}");
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let world = World::new().await;
    let (viewer, lead) = (
        world.bearer(Role::Viewer).await,
        world.bearer(Role::Lead).await,
    );
    let (viewer, lead) = (
        [("authorization", viewer.as_str())],
        [("authorization", lead.as_str())],
    );
    let deploy =
        |environment: &str| format!(r#"{{"project":"shop","environment":"{environment}"}}"#);
    let run = world.queued_run().await;

    let denied = world.post("/api/v1/runs", &viewer, &deploy("dev")).await;
    let blocked = world.post("/api/v1/runs", &lead, &deploy("prod")).await;
    let unknown = world.get("/api/v1/projects/none/board", &lead).await;
    let no_run = world.get("/api/v1/runs/99999", &lead).await;
    let no_number = world.get("/api/v1/runs/first", &lead).await;
    let no_step = world
        .get(&format!("/api/v1/runs/{run}/steps/77/log"), &lead)
        .await;
    let no_route = world.get("/api/v1/nonsense", &lead).await;
    let too_early = world
        .post(&format!("/api/v1/runs/{run}/retry"), &lead, "")
        .await;
    let no_sense = world
        .post(
            "/api/v1/runs",
            &lead,
            r#"{"project":"shop","environment":"dev","force":true}"#,
        )
        .await;
    let no_json = world.post("/api/v1/runs", &lead, "project=shop").await;
    let no_query = world.get("/api/v1/runs?state=sleeping", &lead).await;
    let too_long = world
        .post(
            "/api/v1/runs",
            &lead,
            &format!(
                r#"{{"project":"shop","environment":"dev","reason":"{}"}}"#,
                "é".repeat(501)
            ),
        )
        .await;
    for (answer, status, kind, words) in [
        (
            denied,
            403,
            "denied",
            "may not deploy to dev: it needs the role developer",
        ),
        (
            blocked,
            409,
            "blocked",
            "secret `NO_SUCH_SECRET` resolves to nothing",
        ),
        (unknown, 404, "not-found", "there is no project `none`"),
        (no_run, 404, "not-found", "there is no run #99999"),
        (no_number, 404, "not-found", "Invalid URL"),
        (no_step, 404, "not-found", "has no step 77"),
        (no_route, 404, "not-found", "there is no such address"),
        (too_early, 409, "conflict", "has not ended yet"),
        (no_sense, 422, "invalid", "unknown field `force`"),
        (
            no_json,
            400,
            "invalid",
            "Failed to parse the request body as JSON",
        ),
        (no_query, 400, "invalid", "sleeping"),
        (
            too_long,
            422,
            "invalid",
            "the reason has 501 characters; say it in 500 at most",
        ),
    ] {
        assert_eq!(answer.status().as_u16(), status, "{words}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/problem+json",
            "{words}"
        );
        let problem = json(answer).await;
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
        if kind == "blocked" {
            assert_eq!(problem["blockers"][0]["blocker"], "missing-secret");
            assert_eq!(problem["blockers"][0]["name"], "NO_SUCH_SECRET");
            assert!(
                problem["blockers"][0]["message"]
                    .as_str()
                    .unwrap()
                    .contains("resolves to nothing")
            );
        }
    }
}

#[tokio::test]
async fn the_document_describes_every_operation() {
    let world = World::new().await;
    let bearer = world.bearer(Role::Lead).await;
    let token = [("authorization", bearer.as_str())];
    let document = json(world.get("/api/v1/openapi.json", &token).await).await;
    assert_eq!(
        document["openapi"].as_str().unwrap().split('.').next(),
        Some("3")
    );
    assert_eq!(
        document["security"],
        serde_json::json!([{ "token": [] }, { "session": [] }])
    );
    let mut found: Vec<String> = operations(&world)
        .await
        .iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "GET /api/v1/projects",
            "GET /api/v1/projects/shop/board",
            "GET /api/v1/projects/shop/deliveries",
            "GET /api/v1/projects/shop/environments/dev/plan",
            "GET /api/v1/projects/shop/releases/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "GET /api/v1/runs",
            "GET /api/v1/runs/1",
            "GET /api/v1/runs/1/artifacts",
            "GET /api/v1/runs/1/events",
            "GET /api/v1/runs/1/messages",
            "GET /api/v1/runs/1/steps/0/log",
            "POST /api/v1/projects/shop/deliveries/1/redeliver",
            "POST /api/v1/runs",
            "POST /api/v1/runs/1/cancel",
            "POST /api/v1/runs/1/messages/slack/redeliver",
            "POST /api/v1/runs/1/retry",
        ]
    );
    // Every schema that is spoken of is there.
    let all = document.to_string();
    for reference in all.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
    // Nothing is there that is not described: another method of a path is refused.
    for (path, other) in [
        ("/api/v1/projects", Method::POST),
        ("/api/v1/runs/1", Method::DELETE),
    ] {
        let answer = world
            .send(crate::world::request(other, path, &token, ""))
            .await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(answer.headers().contains_key("allow"), "{path}");
        let problem = json(answer).await;
        assert_eq!(problem["type"], "/problems/method-not-allowed", "{path}");
    }
    let refusals = &document["paths"]["/api/v1/runs"]["post"]["responses"];
    for status in ["400", "409", "413", "415", "422"] {
        let kind = &refusals[status]["content"]["application/problem+json"];
        assert!(kind.is_object(), "{status}: {refusals}");
    }
}

#[tokio::test]
async fn a_log_is_given_as_text_or_as_json_lines() {
    let world = World::new().await;
    let run = world.queued_run().await;
    let store = world.store().await;
    let claim = store
        .claim("test", now(), 60_000, &HashSet::new())
        .await
        .unwrap()
        .unwrap();
    store
        .append(&claim, 0, &RunEvent::Started, now())
        .await
        .unwrap();
    let line = |n: usize| NewLine {
        at: domain::Ms(1_000),
        stream: Stream::Out,
        text: format!("line {n} ✓"),
    };
    store
        .append_lines(
            &claim,
            StepId(1),
            &(1..=5_000).map(line).collect::<Vec<_>>(),
            None,
            None,
        )
        .await
        .unwrap();

    let bearer = world.bearer(Role::Viewer).await;
    let log = async |query: &str, accept: &str| {
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        let answer = world
            .get(&format!("/api/v1/runs/{run}/steps/1/log{query}"), &headers)
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        let kept = answer.headers()["content-disposition"].to_str().unwrap();
        assert!(kept.starts_with("attachment; "), "{kept}");
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (kind, text(answer).await)
    };
    let (kind, whole) = log("", "*/*").await;
    assert_eq!(kind, "text/plain; charset=utf-8");
    assert_eq!(whole.lines().count(), 5_000);
    assert!(whole.starts_with("line 1 ✓\nline 2 ✓\n") && whole.ends_with("line 5000 ✓\n"));

    let (kind, end) = log("?after=4998", "application/jsonl").await;
    assert_eq!(kind, "application/jsonl");
    let expected =
        r#"{"n":4999,"at":"1970-01-01T00:00:01.000Z","stream":"out","text":"line 4999 ✓"}"#;
    assert_eq!(end.lines().next(), Some(expected));
    assert_eq!(end.lines().count(), 2);

    // What the address says is stronger than what the program accepts.
    assert_eq!(
        log("?format=jsonl&after=5000", "text/plain").await,
        ("application/jsonl".into(), String::new())
    );
    assert_eq!(
        log("?format=text&after=4999", "application/x-ndjson")
            .await
            .1,
        "line 5000 ✓\n"
    );
}
