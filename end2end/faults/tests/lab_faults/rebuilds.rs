//! Images that are built anew although their source was built before.
use adapters::docker::Engine;
use adapters::registry::Credentials;
use domain::run::StepState;
use domain::step::{Outcome, StepKind};
use domain::{ComponentName, Digest};
use faults::app::PYTHON;
use faults::world::{ended, kind, lead, origin};
use faults::{App, Ended, Spec, World};
use lab::program::docker;
use portal::{DeployRequest, Portal};

use crate::registries::registry_of;

/// Does what the maintainers of a base image do: another image has its name from now on. The builder still knows the old
/// one by it.
async fn mend(world: &World, base: &str) {
    let registry = &world.lab.registries[0];
    let account = Credentials {
        username: registry.username.clone().into(),
        password: registry.password.clone().into(),
    };
    let dockerfile = format!("FROM {PYTHON}\nLABEL mended=yes\n");
    let build = docker(["build", "--quiet", "--tag", base, "-"]);
    build.input(dockerfile).run().await.unwrap();
    let engine = Engine::local(lab::DOCKER_HOST).unwrap();
    engine.push(base, Some(&account), |_| {}).await.unwrap();
    docker(["tag", PYTHON, base]).run().await.unwrap();
}

/// Whether what serves stands on the mended base image.
async fn is_mended(world: &World) -> bool {
    let format = "--format={{index .Config.Labels \"mended\"}}";
    let container = world.container();
    let inspect = ["docker", "inspect", format, &container];
    world.droplet.run(&inspect).await == "yes"
}

async fn deploy(world: &World, portal: &Portal, rebuild: bool) -> Ended {
    let request = DeployRequest {
        rebuild,
        ..world.request()
    };
    let run = portal.deploy(&lead(), origin(), request).await.unwrap();
    let run = ended(portal, run).await;
    run.succeeded();
    run
}

fn deployed(run: &Ended) -> Digest {
    match &run.view.steps[run.step(kind::deploy).index()].state {
        StepState::Succeeded {
            outcome: Outcome::Deployed { digest, .. },
        } => digest.clone(),
        other => panic!("{other:?}"),
    }
}

fn builds(run: &Ended) -> bool {
    let mut steps = run.view.plan.steps.iter();
    steps.any(|planned| matches!(planned.step, StepKind::Build { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_built_anew_stands_on_the_base_image_of_today_and_no_tag_is_moved() {
    let world = World::new(Spec::new("rebuild", 18347)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let base = world.private_base("rebuild").await;
    let app = App {
        base,
        ..App::fine("v1")
    };
    let first = world.deploy(&portal, &app).await;
    first.succeeded();
    mend(&world, base).await;

    let again = deploy(&world, &portal, false).await;
    assert!(!builds(&again) && !is_mended(&world).await);
    assert_eq!(deployed(&again), deployed(&first));

    let anew = deploy(&world, &portal, true).await;
    assert!(builds(&anew) && is_mended(&world).await, "{}", anew.story());
    assert_ne!(deployed(&anew), deployed(&first));
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    let (registry, web) = (registry_of(&world), ComponentName::parse("web").unwrap());
    for run in [&first, &again, &anew] {
        let tag = run.view.plan.tag(&web);
        let found = registry.digest(world.spec.name, &tag).await.unwrap();
        assert_eq!(found, Some(deployed(run)), "{tag}");
    }

    // The same commit again, and then the same source in another one: both take the newest image.
    for _ in 0..2 {
        let later = deploy(&world, &portal, false).await;
        assert!(!builds(&later) && is_mended(&world).await);
        assert_eq!(deployed(&later), deployed(&anew));
        world.repository.commit(&app);
    }
    engine.stop().await;
    world.close().await;
    let _ = docker(["rmi", "--no-prune", base]).run().await;
}
