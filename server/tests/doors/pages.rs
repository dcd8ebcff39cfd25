//! Pages as the server writes them: complete before any script runs.
use axum::http::{Method, StatusCode};
use domain::log::Stream;
use domain::message::Channel;
use domain::push::{Came, Push, Told};
use domain::run::{Failure, RunEvent};
use domain::{EnvName, Login, Sha, StepId};
use std::collections::HashSet;
use store::{NewDelivery, NewLine};

use crate::world::{MANIFEST, PUBLIC, World, cookies, location, now, request, shop, text, write};

/// A page as somebody sees it who is signed in, with its status.
async fn page(world: &World, cookie: &str, path: &str) -> (StatusCode, String) {
    let headers = [("cookie", cookie), ("accept", "text/html")];
    let answer = world.get(path, &headers).await;
    (answer.status(), visible(&text(answer).await))
}

/// The text of a page without its markup and scripts, which is what people read.
fn visible(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let tag = &rest[open..];
        let end = match ["<script", "<!--"]
            .iter()
            .position(|one| tag.starts_with(one))
        {
            Some(0) => tag.find("</script>").map(|at| at + "</script>".len()),
            Some(_) => tag.find("-->").map(|at| at + "-->".len()),
            None => tag.find('>').map(|at| at + 1),
        };
        rest = &tag[end.unwrap_or(tag.len())..];
    }
    text.push_str(rest);
    let text = text.replace("&quot;", "\"").replace("&#x27;", "'");
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[tokio::test]
async fn the_board_is_complete_and_says_why_a_viewer_may_not_deploy() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    let (status, board) = page(&world, &cookie, "/").await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "The shop",
        "dev",
        "prod",
        "Nothing deployed yet",
        "vera may not deploy to dev: it needs the role developer, and vera is viewer",
        "vera may not deploy to prod: it needs the role lead, and vera is viewer",
    ] {
        assert!(board.contains(words), "{words}: {board}");
    }
}

#[tokio::test]
async fn a_deploy_says_what_would_happen_or_what_stands_in_the_way() {
    let world = World::new().await;
    let cookie = world.sign_in("lena").await;
    let waiting = world.queued_run().await;
    let (status, dev) = page(&world, &cookie, "/deploy/shop/dev").await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "What will happen",
        "build the image of backend",
        &format!("It takes the place of run #{waiting}, which waits and will never start."),
    ] {
        assert!(dev.contains(words), "{words}: {dev}");
    }
    let (_, prod) = page(&world, &cookie, "/deploy/shop/prod").await;
    for words in [
        "This cannot happen now",
        "secret `NO_SUCH_SECRET` resolves to nothing",
    ] {
        assert!(prod.contains(words), "{words}: {prod}");
    }
    assert!(!prod.contains("What will happen"), "{prod}");
}

#[tokio::test]
async fn settings_show_the_manifest_its_problems_and_the_sessions() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    let broken = MANIFEST.replace("branch = \"main\"", "brunch = \"main\"");
    write(&world.dir.path().join("projects/shop.toml"), &broken);
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let (status, settings) = page(&world, &cookie, "/settings").await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "Settings of The shop",
        "[environments.dev]",
        "The file on disk has problems",
        "environments.prod.brunch",
        "team meats-central/leads",
        "Sessions",
        "This browser",
    ] {
        assert!(settings.contains(words), "{words}: {settings}");
    }
    let (_, board) = page(&world, &cookie, "/").await;
    assert!(
        board.contains("the last good one stays in force"),
        "{board}"
    );
}

#[tokio::test]
async fn settings_say_how_to_connect_github_and_then_what_came_of_each_push() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    let (_, before) = page(&world, &cookie, "/settings").await;
    let address = format!("{PUBLIC}/hooks/github");
    for words in ["GitHub has told nothing of this repository yet", &address] {
        assert!(before.contains(words), "{words}: {before}");
    }
    let store = world.store().await;
    let (project, dev) = (shop(), EnvName::parse("dev").unwrap());
    for n in 1..=21 {
        let push = Push {
            reference: "refs/heads/development".into(),
            before: None,
            after: Some(Sha::parse("b".repeat(40)).unwrap()),
            commits: None,
            title: format!("Push {n}."),
            by: Login::parse("dev").unwrap(),
        };
        let new = NewDelivery {
            guid: format!("guid-{n}"),
            event: "push".into(),
            repository: "meats-central/shop".into(),
            told: Told::Push(push),
        };
        let (id, _) = store.take_in(&new, now()).await.unwrap();
        let came = Came::Ignored {
            why: "only a document was changed".into(),
        };
        let noted = store.note_came(id, &project, Some(&dev), &came, now());
        noted.await.unwrap();
        store.delivery_done(id, now()).await.unwrap();
    }
    let (_, newest) = page(&world, &cookie, "/settings").await;
    for words in [
        "Push 21.",
        "Push 2.",
        "bbbbbbb",
        "Ignored",
        "only a document was changed",
        "Act on it again",
        "vera may not deliver again: it needs the role lead, and vera is viewer",
        "Older",
    ] {
        assert!(newest.contains(words), "{words}: {newest}");
    }
    assert!(!newest.contains("Push 1."), "{newest}");
    let (_, oldest) = page(&world, &cookie, "/settings?project=shop&before=2").await;
    assert!(
        oldest.contains("Push 1.") && oldest.contains("Newest"),
        "{oldest}"
    );
}

#[tokio::test]
async fn a_manifest_that_was_never_without_a_fault_is_shown_to_its_members() {
    let world = World::new().await;
    let path = world.dir.path().join("fairlead.toml");
    let more = "[[members]]\nproject = \"store\"\nrole = \"viewer\"\nlogin = \"vera\"\n";
    let config = std::fs::read_to_string(&path).unwrap() + more;
    write(&path, &config);
    let broken = MANIFEST
        .replace("\"shop\"", "\"store\"")
        .replace("branch", "brunch");
    write(&world.dir.path().join("projects/store.toml"), &broken);
    let world = world.again().await;
    let cookie = world.sign_in("vera").await;
    let (_, home) = page(&world, &cookie, "/").await;
    assert!(home.contains("store"), "{home}");
    let (status, board) = page(&world, &cookie, "/?project=store").await;
    assert_eq!(status, StatusCode::CONFLICT);
    for words in [
        "The manifest has problems",
        "store.toml:",
        "environments.dev.brunch",
        "environments.prod.brunch",
    ] {
        assert!(board.contains(words), "{words}: {board}");
    }
    // Somebody without a role there is told nothing.
    let other = world.sign_in("dev").await;
    let (status, hidden) = page(&world, &other, "/?project=store").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(!hidden.contains("brunch"), "{hidden}");
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_and_a_branch_that_is_missing_are_told() {
    let world = World::new().await;
    let cookie = world.sign_in("vera").await;
    let told = async |manifest: &str, expected: &str| {
        write(&world.dir.path().join("projects/shop.toml"), manifest);
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let (_, board) = page(&world, &cookie, "/").await;
            if board.contains(expected) {
                return;
            }
            assert!(std::time::Instant::now() < limit, "{expected}: {board}");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let renamed = MANIFEST.replace("branch = \"main\"", "branch = \"trunk\"");
    told(&renamed, "the repository has no branch `trunk`").await;
    let moved = MANIFEST.replace("meats-central/shop", "meats-central/gone");
    told(&moved, "meats-central/gone").await;
}

#[tokio::test]
async fn each_step_of_the_graph_says_what_it_waits_for() {
    let world = World::new().await;
    let run = world.queued_run().await;
    let cookie = world.sign_in("dev").await;
    let (_, shown) = page(&world, &cookie, &format!("/runs/{run}")).await;
    for words in [
        "waits for the run to start",
        "waits for “Check out”",
        "waits for “Build backend”",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[tokio::test]
async fn a_failed_step_shows_the_end_of_its_log_and_a_retry_says_what_it_does() {
    let world = World::new().await;
    let run = world.queued_run().await;
    let store = world.store().await;
    let claim = store
        .claim("test", now(), 60_000, &HashSet::new())
        .await
        .unwrap()
        .unwrap();
    let step = StepId(0);
    let failure = Failure {
        what: "the repository is gone".into(),
        advice: "bring it back".into(),
        undone: None,
        counts_always: false,
    };
    let line = |n| NewLine {
        at: now(),
        stream: Stream::Err,
        text: format!("line {n}."),
    };
    let tell = async |seq, event| store.append(&claim, seq, &event, now()).await.unwrap();
    tell(0, RunEvent::Started).await;
    tell(1, RunEvent::StepStarted { step, attempt: 1 }).await;
    let lines: Vec<NewLine> = (1..=1_234).map(line).collect();
    store
        .append_lines(&claim, step, &lines, None, None)
        .await
        .unwrap();
    tell(2, RunEvent::StepFailed { step, failure }).await;
    for (seq, step) in [(3, 1), (4, 2), (5, 3)] {
        let because = "the checkout failed".into();
        tell(
            seq,
            RunEvent::StepSkipped {
                step: StepId(step),
                because,
            },
        )
        .await;
    }
    let key = Channel::Slack.key(run);
    let stored = store.outbox_put(&claim, &key, "hello", now());
    stored.await.unwrap();
    tell(6, RunEvent::Finished).await;

    let cookie = world.sign_in("dev").await;
    let (_, timeline) = page(&world, &cookie, &format!("/runs/{run}?tab=timeline")).await;
    for words in [
        "Messages",
        "Slack",
        "It will be sent at 20",
        "dev may not deliver again: it needs the role lead, and dev is developer",
    ] {
        assert!(timeline.contains(words), "{words}: {timeline}");
    }
    let (_, shown) = page(&world, &cookie, &format!("/runs/{run}")).await;
    for words in [
        "the repository is gone",
        "bring it back",
        "Standard error: line 1234.",
        "line 501.",
        "Without JavaScript this page shows the last 734 lines",
        &format!(
            "A new run takes over what succeeded in run #{run}, its images and tests, and its migration unless another run has migrated since"
        ),
        &format!("Retry run #{run}"),
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("line 500."), "{shown}");
}

#[tokio::test]
async fn while_github_is_down_one_can_still_sign_out_and_is_told_why_nothing_else_works() {
    let mut world = World::new().await;
    let cookie = world.sign_in("lena").await;
    world.make_sessions_old().await;
    world.github = None;
    let headers = [("cookie", cookie.as_str()), ("accept", "text/html")];
    let board = world.get("/", &headers).await;
    assert_eq!(board.status(), StatusCode::SERVICE_UNAVAILABLE);
    let board = text(board).await;
    assert!(
        board.contains("<main") && board.contains("stylesheet"),
        "{board}"
    );
    assert!(
        visible(&board).contains("cannot find out your roles right now"),
        "{board}"
    );
    let function = world.get("/ui/me", &[("cookie", &cookie)]).await;
    assert_eq!(function.status(), StatusCode::SERVICE_UNAVAILABLE);
    let said: serde_json::Value = serde_json::from_str(&text(function).await).unwrap();
    assert_eq!(said["error"], "outside");
    let program = world.get("/api/v1/projects", &[("cookie", &cookie)]).await;
    assert_eq!(
        program.headers()["content-type"],
        "application/problem+json"
    );

    assert_eq!(
        world.get("/sign-in", &headers).await.status(),
        StatusCode::OK
    );
    let ours = [("origin", PUBLIC), ("cookie", cookie.as_str())];
    let left = world
        .send(request(Method::POST, "/auth/sign-out", &ours, ""))
        .await;
    assert_eq!(location(&left), "/sign-in");
    assert!(cookies(&left)[0].starts_with("fairlead=;"));
    assert_eq!(location(&world.get("/", &headers).await), "/sign-in");
}
