//! Registries that are down or refuse.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adapters::registry::{Credentials, Registry};
use domain::run::StepState;
use domain::view::RunView;
use faults::road::{Road, State};
use faults::world::{ended, kind, lead, origin, step, until};
use faults::{App, Spec, World};
use lab::Lab;

/// A way from this machine's engine to the lab's first registry. The engine takes plain HTTP from the lab's network
/// only, so it listens on the address that the machine has there. The port is one for all tests, which so take turns: to
/// the engine another port is another registry, to which it would push every layer anew.
pub(crate) async fn way_to_registry() -> Road {
    let lab = Lab::load().expect("these tests need the lab: start it with `make lab`");
    let registry: SocketAddr = lab.registries[0].address.parse().unwrap();
    Road::new(([10, 77, 0, 1], 18131).into(), registry).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_down_fails_the_push_and_a_retry_pushes_what_was_built() {
    let way = way_to_registry().await;
    let spec = Spec {
        registry: Some(format!("{}/faults", way.address)),
        ..Spec::new("registry-down", 18130)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    way.set(State::Refusing);
    way.cut();
    let run = world.deploy(&portal, &App::fine("v2")).await;
    run.failed(
        kind::push,
        &["10.77.0.1:18131", "cannot be reached", "check"],
    );
    assert_eq!(
        run.view.steps[run.step(kind::push).index()].attempt,
        4,
        "it may come back by itself"
    );
    assert!(world.told().await.1.contains("cannot be reached"));
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);

    way.set(State::To(world.lab.registries[0].address.parse().unwrap()));
    let retry = portal
        .retry(&lead(), origin(), run.view.row.id)
        .await
        .unwrap();
    let retry = ended(&portal, retry).await;
    retry.succeeded();
    assert!(
        retry.logs[retry.step(kind::build).index()].is_empty(),
        "it is not built again: {}",
        retry.story()
    );
    assert_eq!(world.serves().await.as_deref(), Some("v2"));
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_down_is_told_and_overlooked_where_one_is_enough() {
    let way = way_to_registry().await;
    let spec = Spec {
        registry: Some(format!("{}/faults", way.address)),
        two_registries: true,
        one_is_enough: true,
        ..Spec::new("registry-any", 18342)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    way.set(State::Refusing);
    let run = world.deploy_first(&portal).await;
    let push = run.step(kind::push);
    let StepState::Failed { failure } = &run.view.steps[push.index()].state else {
        panic!("{}", run.story());
    };
    assert!(failure.what.contains("cannot be reached"), "{failure:?}");
    let told = world.told().await.1;
    assert!(
        told.contains("Failed and did not hold it up: Push web to docr"),
        "{told}"
    );
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_comes_back_in_time_does_not_fail_the_run() {
    let way = way_to_registry().await;
    let spec = Spec {
        registry: Some(format!("{}/faults", way.address)),
        ..Spec::new("registry-back", 18132)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    way.set(State::Refusing);
    let run = world.start(&portal, &App::fine("v1")).await;
    let retrying = |view: &RunView| {
        view.steps
            .iter()
            .any(|step| matches!(step.state, StepState::Retrying { .. }))
    };
    until(&portal, run, retrying).await;
    way.set(State::To(world.lab.registries[0].address.parse().unwrap()));
    ended(&portal, run).await.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_refuses_the_credentials_fails_the_push_and_shows_no_password() {
    let world = World::new(Spec::new("registry-refuses", 18134)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    world.write_secrets(&[("DOCR_PASSWORD", "hunter2hunter2")]);
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let address = world.lab.registries[0].address.clone();
    run.failed(kind::push, &[&address, "refuses", "username", "password"]);
    assert!(!run.story().contains("hunter2"), "{}", run.story());
    assert!(!world.told().await.1.contains("hunter2"));
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);
    engine.stop().await;
    world.close().await;
}

/// Everything is pushed, and the host does not answer.
fn waits_for_host(view: &RunView) -> bool {
    let deploy = step(view, kind::deploy);
    matches!(view.steps[deploy.index()].state, StepState::Retrying { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_refuses_the_host_fails_the_deploy_and_the_old_container_never_stops() {
    let world = World::new(Spec::new("pull-refused", 18223)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let container = world.container();
    let before = (
        world.containers().await,
        world.droplet.started(&container).await,
    );
    let watch = world.watch();
    // The host is away until the image is pushed and the password is another one.
    world.road.set(State::Refusing);
    world.road.cut();
    let run = world.start(&portal, &App::fine("v2")).await;
    until(&portal, run, waits_for_host).await;
    // A run keeps the secrets that it began with, so the portal is started again.
    engine.stop().await;
    drop(portal);
    world.write_secrets(&[("DOCR_PASSWORD", "hunter2hunter2")]);
    world.road.set(State::To(world.droplet.sshd()));
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = ended(&portal, run).await;
    let address = world.lab.registries[0].address.clone();
    let says = [
        &address,
        "refuses host pull-refused/dev/server",
        "check the registry's username and password",
    ];
    run.failed(kind::deploy, &says);
    assert!(!run.story().contains("hunter2"), "{}", run.story());
    assert!(!world.told().await.1.contains("hunter2"));
    watch.saw_nothing_but("v1").await;
    let after = (
        world.containers().await,
        world.droplet.started(&container).await,
    );
    assert_eq!(after, before);
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_goes_down_before_the_pull_is_replaced_by_the_second_one() {
    the_second_one_is_pulled_from(Spec::new("registry-second", 18135), State::Refusing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_takes_the_connection_and_says_nothing_is_replaced_by_the_second_one() {
    the_second_one_is_pulled_from(Spec::new("registry-silent", 18341), State::Silent).await;
}

/// The first one is `gone` when the host pulls.
async fn the_second_one_is_pulled_from(spec: Spec, gone: State) {
    let way = way_to_registry().await;
    let spec = Spec {
        registry: Some(format!("{}/faults", way.address)),
        two_registries: true,
        ..spec
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    // The host is away until the images are pushed and the first registry is gone.
    world.road.set(State::Refusing);
    world.road.cut();
    let run = world.start(&portal, &App::fine("v2")).await;
    until(&portal, run, waits_for_host).await;
    way.set(gone);
    way.cut();
    world.road.set(State::To(world.droplet.sshd()));
    let run = ended(&portal, run).await;
    run.succeeded();
    assert!(
        run.story().contains("trying the next registry"),
        "{}",
        run.story()
    );
    assert_eq!(world.serves().await.as_deref(), Some("v2"));
    engine.stop().await;
    world.close().await;
}

async fn until_it_broke(way: &Road, more_than: usize) {
    let limit = Instant::now() + Duration::from_secs(120);
    while way.broke() <= more_than {
        assert!(Instant::now() < limit, "nothing was pushed this way");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_drops_in_the_middle_of_a_push_gets_the_image_once_it_is_back_and_not_before()
 {
    let way = way_to_registry().await;
    let spec = Spec {
        registry: Some(format!("{}/faults", way.address)),
        ..Spec::new("registry-drops", 18276)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    let registry: SocketAddr = world.lab.registries[0].address.parse().unwrap();

    // It stays away.
    way.set(State::Breaking(registry));
    way.cut();
    let run = world.start(&portal, &App::big()).await;
    until_it_broke(&way, 0).await;
    way.set(State::Refusing);
    way.cut();
    let run = ended(&portal, run).await;
    let says = ["10.77.0.1:18131", "cannot be reached", "check"];
    run.failed(kind::push, &says);
    let head = world.repository.head();
    let tag = domain::release::tag(&world.request().environment, &head, None);
    let found = registry_of(&world).digest(world.spec.name, &tag).await;
    assert_eq!(found.unwrap(), None, "{}", run.story());
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);

    // It is back in time: the same image arrives, though a connection broke again in the midst of it.
    let broke = way.broke();
    way.set(State::Breaking(registry));
    let app = App::big();
    let run = world.start(&portal, &app).await;
    until_it_broke(&way, broke).await;
    way.set(State::To(registry));
    let run = ended(&portal, run).await;
    run.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some(app.version));
    engine.stop().await;
    world.close().await;
}

/// A client of the lab's first registry.
pub(crate) fn registry_of(world: &World) -> Registry {
    let lab = &world.lab.registries[0];
    let credentials = Credentials {
        username: lab.username.clone().into(),
        password: lab.password.clone().into(),
    };
    let prefix = format!("{}/faults", lab.address);
    Registry::new(Default::default(), &prefix, Some(credentials)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_names_another_image_already_fails_the_push_and_is_not_moved() {
    a_taken_tag_is_not_moved(Spec::new("tag-taken", 18277)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_names_another_image_is_not_overlooked_where_one_registry_is_enough() {
    let spec = Spec {
        two_registries: true,
        one_is_enough: true,
        ..Spec::new("tag-taken-any", 18343)
    };
    a_taken_tag_is_not_moved(spec).await;
}

async fn a_taken_tag_is_not_moved(spec: Spec) {
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    let (registry, name) = (registry_of(&world), world.spec.name);
    let environment = world.request().environment;
    let tag_of = || domain::release::tag(&environment, &world.repository.head(), None);
    let first = registry.digest(name, &tag_of()).await.unwrap().unwrap();
    // Somebody gives the next commit's tag to the image of the first.
    world.repository.commit(&App::fine("v2"));
    let tag = tag_of();
    registry.tag(name, &first, &tag).await.unwrap();
    let run = portal.deploy(&lead(), origin(), world.request()).await;
    let run = ended(&portal, run.unwrap()).await;
    let says = [
        "docr already has",
        &tag,
        "another image",
        first.as_str(),
        "tags are never moved",
    ];
    run.failed(kind::push, &says);
    assert!(world.told().await.1.contains("another image"));
    let after = registry.digest(name, &tag).await.unwrap();
    assert_eq!(after, Some(first), "{}", run.story());
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);
    engine.stop().await;
    world.close().await;
}
