//! The board: what runs where, from memory and the store alone.
use std::process::Command;
use std::time::{Duration, Instant};

use domain::audit::Change;
use domain::plan::RunKind;
use domain::policy::{Action, Role, allow};
use domain::run::RunState;
use domain::view::Board;
use domain::{RunId, Sha};
use store::{NewRun, Note};

use crate::support::{MANIFEST, TestPortal, component, env, lead, now, origin, project, to};

async fn board(world: &TestPortal) -> Board {
    let board = world.portal.board(&lead(), &project("shop")).await;
    board.unwrap()
}

/// The board once the repository has been fetched in the background.
async fn fetched(world: &TestPortal) -> Board {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let board = board(world).await;
        if board.lanes.iter().all(|lane| lane.head.is_some()) {
            return board;
        }
        assert!(Instant::now() < limit, "{board:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_board_tells_what_runs_and_how_far_behind_it_is() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
    let first = world.run(run).await.plan.commit;
    world.commit("Second", &[("a", "1")]);
    let third = world.commit("Third", &[("a", "2")]);
    let at_work = world.deploy().await;
    world.start().await;
    let waiting = world.deploy().await;

    let board = fetched(&world).await;
    assert_eq!(board.title, "The shop");
    let names: Vec<&str> = board.lanes.iter().map(|l| l.environment.as_str()).collect();
    assert_eq!(names, ["dev", "prod"]);
    let (dev, prod) = (&board.lanes[0], &board.lanes[1]);
    assert_eq!(dev.head.as_ref().unwrap().sha, third);
    assert_eq!(dev.behind, Some(2));
    assert_eq!(dev.components[0].component, component("web"));
    let running = dev.components[0].running.as_ref().unwrap();
    assert_eq!((&running.commit, running.run), (&first, run));
    assert_eq!(dev.active.as_ref().unwrap().id, at_work);
    let steps = world.run(at_work).await.plan.steps.len();
    assert_eq!(dev.progress.as_ref().unwrap().states.len(), steps);
    assert_eq!(prod.progress, None);
    assert_eq!(
        dev.queued.iter().map(|row| row.id).collect::<Vec<_>>(),
        [waiting]
    );
    assert_eq!(dev.last.as_ref().unwrap().id, run);
    assert_eq!(prod.follows, Some(env("dev")));
    assert!(prod.components[0].running.is_none() && prod.behind.is_none());
}

/// From now on any git that looks into a mirror waits for ever.
fn trap_git(world: &TestPortal) {
    for entry in std::fs::read_dir(world.config.data_dir.join("git")).unwrap() {
        let head = entry.unwrap().path().join("HEAD");
        if head.exists() {
            std::fs::remove_file(&head).unwrap();
            assert!(
                Command::new("mkfifo")
                    .arg(&head)
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }
}

/// Puts a run of a commit that the repository does not have into the store, as a history that was rewritten leaves it.
async fn deploy_unknown_commit(world: &TestPortal) {
    let run = world.deploy().await;
    let mut plan = world.run(run).await.plan;
    plan.commit.sha = Sha::parse("e".repeat(40)).unwrap();
    let action = Action::Deploy {
        environment: env("dev"),
        least: Role::Developer,
    };
    let grant = allow(&lead(), Some(&project("shop")), action).unwrap();
    let note = Note {
        origin: origin(),
        reason: None,
        at: now(),
    };
    let mut tx = world.store.audited(&grant, note).await.unwrap();
    let new = NewRun {
        plan: &plan,
        retry_of: None,
        reused: &[],
    };
    let id = tx.insert_run(new).await.unwrap();
    tx.supersede(run, id).await.unwrap();
    tx.commit(Change::RunRequested {
        run: id,
        kind: RunKind::Deploy,
        environment: env("dev"),
        commit: plan.commit.sha.clone(),
        retry_of: None,
        supersedes: vec![run],
        tests_overridden: false,
        rebuild: false,
    })
    .await
    .unwrap();
    assert_eq!(world.drive(|_| true).await, RunState::Succeeded);
}

#[tokio::test]
async fn a_board_on_which_nothing_changed_starts_no_git() {
    let world = TestPortal::new().await;
    deploy_unknown_commit(&world).await;
    let mut bell = world
        .portal
        .bell_of_board(&lead(), &project("shop"))
        .await
        .unwrap();
    let before = fetched(&world).await;
    // A look may have begun a fetch in the background; it rings when it has come to its end.
    let rings = Duration::from_secs(2);
    while tokio::time::timeout(rings, bell.changed()).await.is_ok() {
        board(&world).await;
    }
    trap_git(&world);
    let again = tokio::time::timeout(Duration::from_secs(30), board(&world));
    let again = again.await.expect("the board waits for git");
    assert_eq!(again.lanes, before.lanes);
    assert_eq!(again.lanes[0].behind, None);
}

#[tokio::test]
async fn a_repository_that_does_not_answer_does_not_hold_up_the_board() {
    // A server that takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut world = TestPortal::new().await;
    let url = format!("http://{}", silent.local_addr().unwrap());
    world.config.github.url = url.parse().unwrap();
    world.portal = portal::Portal::open_beside(world.config.clone())
        .await
        .unwrap();
    for _ in 0..3 {
        let shown = tokio::time::timeout(Duration::from_secs(30), board(&world)).await;
        let shown = shown.expect("the board waits for the repository");
        assert!(shown.lanes.iter().all(|lane| lane.head.is_none()));
    }
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_does_not_hide_what_runs() {
    let world = TestPortal::new().await;
    world.deploy().await;
    world.drive(|_| true).await;
    let moved = MANIFEST.replace("acme/shop", "acme/gone");
    world.rewrite("shop", &moved).await;
    let shown = board(&world).await;
    assert!(shown.lanes[0].components[0].running.is_some());
}

/// Run with `--ignored --nocapture`: the figure depends on the machine, so it is printed and not judged here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn the_time_of_a_board_with_a_thousand_runs() {
    let world = TestPortal::new().await;
    world.deploy().await;
    world.drive(|_| true).await;
    for _ in 0..999 {
        world
            .portal
            .deploy(&lead(), origin(), to("dev"))
            .await
            .unwrap();
        world.drive(|_| true).await;
    }
    assert_eq!(
        world.store.run_row(RunId(1_000)).await.unwrap().id,
        RunId(1_000)
    );
    fetched(&world).await;
    let mut took = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..2_000 {
        tick.tick().await;
        let at = Instant::now();
        board(&world).await;
        took.push(at.elapsed());
    }
    took.sort();
    println!(
        "p50 {:?} p99 {:?} max {:?}",
        took[1_000], took[1_980], took[1_999]
    );
}
