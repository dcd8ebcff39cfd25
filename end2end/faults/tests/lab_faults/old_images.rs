//! Images that the builder has lost.
use domain::run::RunState;
use faults::droplet::clear_builder;
use faults::road::State;
use faults::world::{ended, kind, lead, origin};
use faults::{App, Ended, Spec, World};
use portal::Portal;

use crate::registries::way_to_registry;

/// The first registry is down, so that v2 is not deployed; then somebody tidies the builder, and the registry comes back.
async fn retried_without_its_image(world: &World, portal: &Portal, version: &'static str) -> Ended {
    let way = way_to_registry().await;
    way.set(State::Refusing);
    way.cut();
    let run = world.deploy(portal, &App::fine(version)).await;
    run.failed(kind::push, &["cannot be reached"]);
    clear_builder(world.spec.name).await;
    way.set(State::To(world.lab.registries[0].address.parse().unwrap()));
    let retry = portal.retry(&lead(), origin(), run.view.row.id).await;
    let retry = ended(portal, retry.unwrap()).await;
    assert_eq!(retry.state(), RunState::Succeeded, "{}", retry.story());
    assert_eq!(world.serves().await.as_deref(), Some(version));
    let build = retry.step(kind::build);
    assert!(
        retry.logs[build.index()].is_empty(),
        "that the image was built is taken over: {}",
        retry.story()
    );
    retry
}

/// What the retry's push to the first registry says.
fn pushing(retry: &Ended) -> Vec<&str> {
    let log = retry.logs[retry.step(kind::push).index()].iter();
    log.map(|line| line.text.as_str()).collect()
}

fn says(lines: &[&str], text: &str) -> bool {
    lines.iter().any(|line| line.contains(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_the_builder_has_lost_is_built_again_where_no_registry_has_it() {
    let spec = Spec {
        registry: Some("10.77.0.1:18131/faults".into()),
        ..Spec::new("image-lost", 18349)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let retry = retried_without_its_image(&world, &portal, "lost-1").await;
    let said = pushing(&retry);
    assert!(
        says(&said, "bringing it back") && says(&said, "building web from"),
        "{}",
        retry.story()
    );
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_the_builder_has_lost_is_brought_back_from_the_registry_that_has_it() {
    let spec = Spec {
        registry: Some("10.77.0.1:18131/faults".into()),
        two_registries: true,
        ..Spec::new("image-back", 18350)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let retry = retried_without_its_image(&world, &portal, "back-1").await;
    let said = pushing(&retry);
    assert!(
        says(&said, "bringing it back") && says(&said, "pulling"),
        "{}",
        retry.story()
    );
    assert!(!says(&said, "building web"), "{}", retry.story());
    engine.stop().await;
    world.close().await;
}
