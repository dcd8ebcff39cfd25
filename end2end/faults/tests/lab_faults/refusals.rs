//! What is refused before anything starts: at the click, and when the portal itself starts.
use std::os::unix::fs::PermissionsExt as _;

use domain::plan::Blocker;
use domain::view::Proposal;
use faults::world::{ended, kind, lead, origin};
use faults::{App, Spec, World};
use portal::{Error, Portal};

/// The blockers of a deploy now, and the same as sentences. Nothing is stored, and the page before the click says it too.
async fn refused(world: &World, portal: &Portal) -> (Vec<Blocker>, String) {
    let request = world.request();
    let refusal = portal
        .deploy(&lead(), origin(), request.clone())
        .await
        .unwrap_err();
    let sentence = refusal.to_string();
    let Error::Blocked(blockers) = refusal else {
        panic!("{refusal:?}");
    };
    match portal.propose(&lead(), &request).await.unwrap() {
        Proposal::Blocked {
            blockers: shown, ..
        } => assert_eq!(shown, blockers),
        Proposal::Plan { plan, .. } => panic!("{plan:?}"),
    }
    (blockers, sentence)
}

async fn runs(portal: &Portal) -> usize {
    portal
        .runs(&lead(), &Default::default(), 100)
        .await
        .unwrap()
        .runs
        .len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_resolves_to_nothing_refuses_the_click_with_the_names_that_were_tried() {
    let world = World::new(Spec::new("secret", 18140)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    world.write_secrets(&[("DEV_SSH_PASSWORD", ""), ("DOCR_USER", "")]);
    let (blockers, sentence) = refused(&world, &portal).await;
    assert_eq!(blockers.len(), 2, "{blockers:?}");
    for said in [
        "`SSH_PASSWORD` resolves to nothing",
        "DEV_SSH_PASSWORD, SSH_PASSWORD",
        "DEV_DOCR_USER, DOCR_USER",
        "add it",
    ] {
        assert!(sentence.contains(said), "{sentence}");
    }
    assert_eq!(
        (runs(&portal).await, world.serves().await.as_deref()),
        (1, Some("v1"))
    );
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_goes_missing_after_the_click_fails_the_run_with_its_name() {
    let world = World::new(Spec::new("secret-gone", 18141)).await;
    let portal = world.portal().await;
    let run = world.start(&portal, &App::fine("v1")).await;
    world.write_secrets(&[("DEV_SSH_PASSWORD", "")]);
    let engine = portal.start_engine();
    let run = ended(&portal, run).await;
    let says = [
        "secret `SSH_PASSWORD` resolves to nothing",
        "DEV_SSH_PASSWORD",
        "retry the run",
    ];
    run.failed(kind::deploy, &says);
    assert_eq!(world.containers().await, []);
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_or_a_repository_that_does_not_exist_refuses_the_click() {
    let spec = Spec {
        branch: "releases",
        ..Spec::new("branch", 18142)
    };
    let world = World::new(spec).await;
    world.repository.commit(&App::fine("v1"));
    let portal = world.portal().await;
    let (_, sentence) = refused(&world, &portal).await;
    assert!(
        sentence.contains("no branch `releases`")
            && sentence.contains("push it, or correct `branch`"),
        "{sentence}"
    );

    let git = world.folder().join("git/faults");
    std::fs::rename(git.join("app.git"), git.join("moved.git")).unwrap();
    let (_, sentence) = refused(&world, &portal).await;
    for said in [
        "the repository cannot be read: there is no repository at",
        "faults/app.git",
        "check `repository` in the manifest",
    ] {
        assert!(sentence.contains(said), "{said:?} is not in {sentence:?}");
    }
    assert_eq!(runs(&portal).await, 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_vanishes_after_the_click_matters_only_where_the_mirror_is_gone_too() {
    let world = World::new(Spec::new("vanished", 18222)).await;
    let portal = world.portal().await;
    let git = world.folder().join("git/faults");
    let vanish = || std::fs::rename(git.join("app.git"), git.join("moved.git")).unwrap();
    // The click has fetched the commit, and nothing else is asked for.
    let run = world.start(&portal, &App::fine("v1")).await;
    vanish();
    let engine = portal.start_engine();
    ended(&portal, run).await.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    engine.stop().await;
    drop(portal);

    std::fs::rename(git.join("moved.git"), git.join("app.git")).unwrap();
    let portal = world.portal().await;
    let run = world.start(&portal, &App::fine("v2")).await;
    vanish();
    std::fs::remove_dir_all(world.folder().join("portal/git")).unwrap();
    let watch = world.watch();
    let engine = portal.start_engine();
    let run = ended(&portal, run).await;
    let says = [
        "there is no repository at",
        "faults/app.git",
        "check `repository` in the manifest",
    ];
    run.failed(kind::checkout, &says);
    watch.saw_nothing_but("v1").await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_read_only_or_newer_or_in_use_stops_the_portal_with_advice() {
    let world = World::new(Spec::new("database", 18143)).await;
    let open = async || match Portal::open(world.config()).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    };
    let portal = world.portal().await;
    let said = open().await;
    assert!(
        said.contains("in use by another portal") && said.contains("`data_dir`"),
        "{said}"
    );
    drop(portal);

    let database = world.folder().join("portal/fairlead.db");
    let mode =
        |mode| std::fs::set_permissions(&database, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o400);
    let said = open().await;
    assert!(
        said.contains("fairlead.db is read-only") && said.contains("chown"),
        "{said}"
    );
    mode(0o600);

    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)";
    run_sql(&database, newer).await;
    let said = open().await;
    assert!(
        said.contains("version 9999") && said.contains("start the newer Fairlead"),
        "{said}"
    );
    world.close().await;
}

/// Runs a statement on a database, by the Python of the lab, which has SQLite in its library.
async fn run_sql(database: &std::path::Path, sql: &str) {
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(sys.argv[2]); db.commit()";
    let folder = database.parent().unwrap().display();
    let volume = format!("--volume={folder}:{folder}");
    let database = database.to_str().unwrap();
    let image = "python:3.12-slim";
    let run = ["run", "--rm", "--network=none", &volume, image];
    let python = ["python", "-c", script, database, sql];
    lab::program::docker([&run[..], &python].concat())
        .run()
        .await
        .unwrap();
}
