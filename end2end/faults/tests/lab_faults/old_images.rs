//! What becomes of the images of earlier releases, on servers and on the builder, and what when one is missed there.
use std::collections::BTreeSet;

use domain::run::RunState;
use faults::droplet::clear_builder;
use faults::road::State;
use faults::world::{ended, kind, lead, origin};
use faults::{App, Ended, Spec, World};
use lab::program::docker;
use portal::Portal;

use crate::registries::way_to_registry;

/// Arguments of `docker` that list the ids of a project's images.
fn images(project: &str) -> Vec<String> {
    let of = format!("--filter=reference=*/faults/{project}");
    let line = [
        "image",
        "ls",
        "--digests",
        "--no-trunc",
        "--format={{.ID}}",
        &of,
    ];
    line.map(str::to_owned).into()
}

fn ids(listed: &str) -> BTreeSet<String> {
    listed.lines().map(str::to_owned).collect()
}

async fn on_the_droplet(world: &World) -> BTreeSet<String> {
    let line = images(world.spec.name);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    ids(&world.droplet.run(&[&["docker"][..], &line].concat()).await)
}

async fn on_the_builder(world: &World) -> BTreeSet<String> {
    let of = format!("--filter=reference=fairlead/{}-web", world.spec.name);
    let line = ["image", "ls", "--no-trunc", "--format={{.ID}}", &of];
    let built = ids(&docker(line).run().await.unwrap());
    let pushed = ids(&docker(images(world.spec.name)).run().await.unwrap());
    assert_eq!(built, pushed, "an image has all its names or none");
    built
}

async fn image_of(world: &World, container: &str) -> String {
    let format = "--format={{.Image}}";
    let inspect = ["docker", "inspect", format, container];
    world.droplet.run(&inspect).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_earlier_releases_servers_and_builder_keep_the_images_that_a_way_back_needs() {
    let world = World::new(Spec::new("old-images", 18348)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let by_hand = "by-hand/old-images:1";
    let mut released = Vec::new();
    // No other test has these versions: what goes takes layers with it, which a build elsewhere may be about to use.
    for version in ["old-1", "old-2", "old-3", "old-4", "old-5"] {
        let run = world.deploy(&portal, &App::fine(version)).await;
        run.succeeded();
        released.push(image_of(&world, &world.container()).await);
        if let [first] = &released[..] {
            // Somebody wants to keep it.
            let tag = ["docker", "tag", first.as_str(), by_hand];
            world.droplet.run(&tag).await;
            docker(&tag[1..]).run().await.unwrap();
        }
    }
    let [first, second, kept @ ..] = &released[..] else {
        panic!("{released:?}");
    };
    let mut expected: BTreeSet<String> = kept.iter().cloned().collect();
    expected.insert(first.clone());
    assert_eq!(on_the_droplet(&world).await, expected, "{second} goes");
    assert_eq!(on_the_builder(&world).await, expected, "{second} goes");
    let mut standing = BTreeSet::new();
    for (container, _) in world.containers().await {
        standing.insert(image_of(&world, &container).await);
    }
    assert_eq!(standing, kept.iter().cloned().collect());
    assert_eq!(world.serves().await.as_deref(), Some("old-5"));
    engine.stop().await;
    let _ = world.droplet.try_run(&["docker", "rmi", by_hand]).await;
    let _ = docker(["rmi", "--no-prune", by_hand]).run().await;
    world.close().await;
}

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
