//! A database that does not answer for a while, and one in which another portal has taken the run over.
use std::collections::HashSet;
use std::time::Duration;

use domain::Ms;
use domain::log::Stream;
use domain::policy::{Action, allow};
use domain::run::{RunEvent, RunState};
use faults::watch::get;
use faults::world::{ended, kind, lead, origin, step, until_said};
use faults::{App, Mode, Spec, World};
use store::{Note, Store, StoreUrl};

/// The portal's database, beside the portal.
async fn beside(world: &World) -> Store {
    let path = world.folder().join("portal/fairlead.db");
    Store::open_beside(&StoreUrl::sqlite(path)).await.unwrap()
}

fn hour_from_now() -> Ms {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    Ms(i64::try_from(since.as_millis()).unwrap() + 3_600_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_has_lost_a_run_to_another_one_touches_nothing_any_more() {
    let world = World::new(Spec::new("lost-lease", 18208)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let run = world.start(&portal, &App::of("v2", Mode::Asleep)).await;
    let deploying = step(&portal.run(&lead(), run).await.unwrap(), kind::deploy);
    until_said(&portal, run, deploying, "version v2 is Asleep").await;
    let before = world.containers().await;
    let store = beside(&world).await;
    // By the other one's clock the first was not heard of for an hour.
    let none = HashSet::new();
    let taken = store.claim("another portal", hour_from_now(), 15_000, &none);
    let claim = taken.await.unwrap().expect("the run can be taken over");
    portal.cancel(&lead(), origin(), run).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.containers().await, before);
    store.release(&claim).await.unwrap();
    let run = ended(&portal, run).await;
    assert_eq!(run.state(), RunState::Cancelled, "{}", run.story());
    let told = run.lines(deploying, Stream::Portal);
    let back = |line: &&str| line.starts_with("the container that ran before is back");
    assert_eq!(told.into_iter().filter(back).count(), 1, "{}", run.story());
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_has_lost_a_run_leaves_its_migration_to_the_other_one() {
    let mut world = World::new(Spec::new("lost-migr", 18281)).await;
    let waiting = "echo x >>count\necho waiting\nwhile ! [ -e go ]; do sleep 0.1; done\necho gone";
    world.spec.migrate = format!(
        "on = \"host\", dir = \"{}\", timeout = \"15s\", run = '''\n{waiting}\n'''",
        world.place()
    );
    world.write_manifest();
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.start(&portal, &App::fine("v1")).await;
    let migrating = step(&portal.run(&lead(), run).await.unwrap(), kind::migrate);
    until_said(&portal, run, migrating, "waiting").await;
    let store = beside(&world).await;
    let none = HashSet::new();
    let taken = store.claim("another portal", hour_from_now(), 15_000, &none);
    let claim = taken.await.unwrap().expect("the run can be taken over");
    // Until its time is up: it is for the other one to terminate it.
    tokio::time::sleep(Duration::from_secs(18)).await;
    let place = world.place();
    let shell = async |line: String| world.droplet.shell(&line).await;
    shell(format!("touch {place}/go")).await;
    store.release(&claim).await.unwrap();
    let run = ended(&portal, run).await;
    run.succeeded();
    let out = run.lines(migrating, Stream::Out);
    assert_eq!(out, ["waiting", "gone"], "{}", run.story());
    assert_eq!(shell(format!("cat {place}/count")).await, "x");
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_for_a_moment_does_not_cut_off_what_is_at_work() {
    let world = World::new(Spec {
        attempts: 90,
        ..Spec::new("db-away", 18209)
    })
    .await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.start(&portal, &App::of("v1", Mode::Asleep)).await;
    let deploying = step(&portal.run(&lead(), run).await.unwrap(), kind::deploy);
    until_said(&portal, run, deploying, "version v1 is Asleep").await;
    let store = beside(&world).await;
    let grant = allow(&lead(), Some(&world.project()), Action::View).unwrap();
    let note = Note {
        origin: origin(),
        reason: None,
        at: hour_from_now(),
    };
    let lock = store.audited(&grant, note).await.unwrap();
    // Longer than a sign of life waits for its turn.
    tokio::time::sleep(Duration::from_secs(17)).await;
    drop(lock);
    get(world.address(), "/wake").await.unwrap();
    let run = ended(&portal, run).await;
    run.succeeded();
    let mut events = run.view.events.iter().map(|stored| &stored.event);
    assert!(
        !events.any(|event| *event == RunEvent::Resumed),
        "{}",
        run.story()
    );
    engine.stop().await;
    world.close().await;
}
