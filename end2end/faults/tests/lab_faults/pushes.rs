//! A push starts a run, whenever the portal dies.
use std::time::{Duration, Instant};

use domain::RunId;
use domain::policy::ActorName;
use domain::push::Came;
use faults::process::{self, Orders, Process};
use faults::pushed::Pushed;
use faults::world::{ended, lead};
use faults::{App, Spec, World};
use portal::Portal;

const PORTAL: &str = "pushes::the_portal_that_is_killed_with_a_push_in_its_hands";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other tests"]
async fn the_portal_that_is_killed_with_a_push_in_its_hands() {
    process::obey().await;
}

/// What came of a delivery for `dev`, once everything was done about it.
async fn came(world: &World, portal: &Portal, guid: &str) -> Came {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let page = portal
            .deliveries(&lead(), &world.project(), None, 100)
            .await;
        let mut rows = page.unwrap().deliveries.into_iter();
        let row = rows.find(|row| row.guid == guid).expect("it is stored");
        if row.done.is_some() {
            let [(_, came)] = &row.came[..] else {
                panic!("{row:?}");
            };
            return came.clone();
        }
        assert!(Instant::now() < limit, "{row:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn run_of(world: &World, portal: &Portal, guid: &str) -> RunId {
    match came(world, portal, guid).await {
        Came::Run { run } => run,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_is_deployed_and_one_of_documents_is_not() {
    let spec = Spec {
        more: "[on_push]\nignore = [\"**.md\"]",
        ..Spec::new("pushed", 18255)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.repository.commit(&App::fine("v1"));
    let first = world.repository.head();
    let pushed = Pushed {
        guid: "one".into(),
        before: None,
        after: first.clone(),
    };
    portal.take_in_delivery(pushed.delivery()).await.unwrap();
    let run = run_of(&world, &portal, "one").await;
    let run = ended(&portal, run).await;
    run.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    assert!(matches!(&run.view.row.by, ActorName::Push { login } if login.as_str() == "dev"));
    assert!(world.told().await.1.contains("dev (push)"));

    world.repository.commit_file("README.md", "read me\n");
    let after = world.repository.head();
    let pushed = Pushed {
        guid: "two".into(),
        before: Some(first),
        after,
    };
    portal.take_in_delivery(pushed.delivery()).await.unwrap();
    let Came::Ignored { why } = came(&world, &portal, "two").await else {
        panic!("it started a run");
    };
    assert!(why.contains("only `README.md` was changed"), "{why}");
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_with_a_push_in_its_hands_starts_one_run_in_its_next_life() {
    let world = World::new(Spec::new("push-killed", 18256)).await;
    let mut before = None;
    // The first is killed between storing and acting, the others while or after they act.
    let lives = [0, 5, 20, 45, 80, 130, 250, 500];
    for lives_on in lives {
        let guid = format!("lived-{lives_on}");
        world.repository.commit(&App::fine("v1"));
        let after = world.repository.head();
        let push = Pushed {
            guid: guid.clone(),
            before,
            after: after.clone(),
        };
        let orders = Orders {
            folder: world.folder().to_path_buf(),
            push: Some(push.clone()),
            lives_on,
            ..Orders::default()
        };
        let mut child = Process::start(PORTAL, &orders);
        assert!(child.says("delivery").await.is_some());
        assert!(child.wait().await, "it kills itself");
        before = Some(after);

        let portal = world.portal().await;
        let engine = portal.start_engine();
        // GitHub was not answered, so somebody has it tell that again.
        portal.take_in_delivery(push.delivery()).await.unwrap();
        let run = run_of(&world, &portal, &guid).await;
        ended(&portal, run).await.succeeded();
        engine.stop().await;
        let all = portal
            .runs(&lead(), &Default::default(), 100)
            .await
            .unwrap()
            .runs;
        let of_this = all
            .iter()
            .filter(|row| Some(&row.commit.sha) == before.as_ref());
        assert_eq!(of_this.count(), 1, "{lives_on} ms: {all:#?}");
    }
    world.close().await;
}
