//! What people did by hand, or are to do: containers that Fairlead did not make, and the command that it prints where it
//! could not put a host back.
use domain::run::RunState;
use faults::world::{ended, kind, lead, origin, step, until_said};
use faults::{App, Ended, Mode, Spec, World};

use crate::half_way::killed;
use crate::hosts::squat;
use crate::undo::{BACK, restart_policy, state_of};

async fn docker(world: &World, args: &[&str]) -> String {
    let said = world.droplet.run(&[&["docker"][..], args].concat()).await;
    said.trim().to_owned()
}

async fn image(world: &World) -> String {
    let format = "--format={{.Image}}";
    docker(world, &["inspect", format, &world.container()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_printed_where_the_old_container_could_not_start_brings_it_back_and_never_removes_it()
 {
    let (port, other) = (18_350, 18_351);
    let mut world = World::new(Spec::new("by-hand", port)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let (before, image) = (state_of(&world).await, image(&world).await);
    // v2 has another port: somebody can take v1's while v2 is in its place.
    world.rewrite(|spec| spec.port = other).await;
    let run = world.start(&portal, &App::of("v2", Mode::Asleep)).await;
    let deploying = step(&portal.run(&lead(), run).await.unwrap(), kind::deploy);
    until_said(&portal, run, deploying, "version v2 is Asleep").await;
    let squatter = squat(&world, port).await;
    let container = world.container();
    docker(&world, &["kill", &container]).await;
    let run = ended(&portal, run).await;
    let says = ["the host could not be put back", "port is taken"];
    let failure = run.failed(kind::deploy, &says);
    let left = failure.undone.as_deref().unwrap_or_default();
    assert!(left.contains("under its own name"), "{left}");
    let command = left.split('`').nth(1).expect("a command is printed");
    assert_eq!(world.droplet.id(&container).await, before.1, "{left}");
    assert_eq!(restart_policy(&world, &container).await, "unless-stopped");

    docker(&world, &["rm", "--force", &squatter]).await;
    world.spec.port = port;
    world.droplet.shell(command).await;
    world.until_serves("v1").await;
    assert_eq!(state_of(&world).await, before);

    // As where nothing had been begun: the container that serves goes on.
    let started = world.droplet.started(&container).await;
    world.droplet.shell(command).await;
    assert_eq!(world.droplet.started(&container).await, started);
    assert_eq!(state_of(&world).await, before);

    // As where the new container is still in its place.
    let aside = command.split("docker rename ").nth(1).unwrap();
    let aside = aside.split(' ').next().unwrap();
    let (_, key) = aside.split_once(".before-").unwrap();
    let label = format!("--label=fairlead.run={key}");
    docker(&world, &["stop", &container]).await;
    docker(&world, &["rename", &container, aside]).await;
    docker(&world, &["create", "--name", &container, &label, &image]).await;
    world.droplet.shell(command).await;
    world.until_serves("v1").await;
    assert_eq!(state_of(&world).await, before);

    // Somebody has put one of their own there.
    docker(&world, &["stop", &container]).await;
    docker(&world, &["rename", &container, aside]).await;
    docker(&world, &["create", "--name", &container, &image]).await;
    let theirs = world.droplet.id(&container).await;
    world.droplet.shell(command).await;
    assert_eq!(world.droplet.id(&container).await, theirs);
    assert_eq!(world.droplet.id(aside).await, before.1);
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_made_by_hand_comes_back_with_its_restart_policy_even_if_the_portal_was_killed()
{
    const POLICY: &str = "on-failure:5";
    let world = World::new(Spec::new("hand-made", 18_352)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let (container, image) = (world.container(), image(&world).await);
    world.droplet.clear(&container).await;
    let (restart, publish) = (format!("--restart={POLICY}"), "--publish=18352:8000");
    let run = ["run", "--detach", "--name", &container, &restart, publish];
    docker(&world, &[&run[..], &[&image]].concat()).await;
    world.until_serves("v1").await;
    let before = state_of(&world).await;
    let is_back = async |run: &Ended| {
        world.until_serves("v1").await;
        assert!(run.story().contains(BACK), "{}", run.story());
        assert_eq!(state_of(&world).await, before, "{}", run.story());
        assert_eq!(restart_policy(&world, &container).await, POLICY);
    };

    let run = world.deploy(&portal, &App::of("v2", Mode::Exits)).await;
    run.failed(kind::deploy, &[]);
    is_back(&run).await;
    engine.stop().await;
    drop(portal);

    world.repository.commit(&App::of("v3", Mode::Asleep));
    let run = killed(&world, "version v3 is Asleep", 0).await;
    let aside = world.containers().await;
    let aside = aside.iter().find(|(name, _)| name.contains(".before-"));
    let aside = &aside.expect("v1 was put aside").0;
    assert_eq!(restart_policy(&world, aside).await, "no");
    let portal = world.portal().await;
    portal.cancel(&lead(), origin(), run).await.unwrap();
    let engine = portal.start_engine();
    let run = ended(&portal, run).await;
    assert_eq!(run.state(), RunState::Cancelled, "{}", run.story());
    is_back(&run).await;
    engine.stop().await;
    world.close().await;
}
