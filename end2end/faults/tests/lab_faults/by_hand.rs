//! What people did by hand: containers that Fairlead did not make.
use domain::run::RunState;
use faults::world::{ended, kind, lead, origin};
use faults::{App, Ended, Mode, Spec, World};

use crate::half_way::killed;
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
