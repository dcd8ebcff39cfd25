//! A Docker engine that goes away and comes back while a run needs it.
use std::time::Duration;

use faults::watch::get;
use faults::world::{ended, kind, lead, step, until_said};
use faults::{App, Droplet, Mode, Spec, World};
use lab::Lab;

const SOCKET_BACK: &str =
    "[ ! -e /var/run/docker.sock.away ] || mv /var/run/docker.sock.away /var/run/docker.sock";

/// The droplet ends with its dockerd, so what a restart looks like from outside is done by hand: its socket is away for
/// a while, every connection to it ends, and so does the program in the container, which is started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_restarted_during_a_deploy_is_waited_for_also_by_a_portal_that_starts_then()
 {
    let spec = Spec {
        droplet: "uat-backend",
        container: "restart = \"unless-stopped\"",
        attempts: 90,
        ..Spec::new("restarted", 18278)
    };
    let lab = Lab::load().expect("these tests need the lab: start it with `make lab`");
    let described = lab.droplets[spec.droplet].clone();
    // A test that was killed has mended nothing.
    Droplet { described }.shell(SOCKET_BACK).await;
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let since = world.droplet.now().await;
    let run = world.start(&portal, &App::of("v2", Mode::Asleep)).await;
    let deploy = step(&portal.run(&lead(), run).await.unwrap(), kind::deploy);
    until_said(&portal, run, deploy, "version v2 is Asleep").await;

    let format = "--format={{.State.Pid}}";
    let inspect = ["docker", "inspect", format, &world.container()];
    let pid = world.droplet.run(&inspect).await;
    let away = format!("mv /var/run/docker.sock /var/run/docker.sock.away; kill -TERM {pid}");
    let away = world.droplet.broken(&away, SOCKET_BACK).await;
    world.road.cut();
    until_said(&portal, run, deploy, "error: ").await;
    // One that never saw this engine.
    engine.stop().await;
    drop(portal);
    let portal = world.portal().await;
    let engine = portal.start_engine();
    until_said(&portal, run, deploy, "does not run").await;
    drop(away);

    // It sleeps again since it was started again.
    let wake = async {
        loop {
            get(world.address(), "/wake").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let run = tokio::select! {
        run = ended(&portal, run) => run,
        () = wake => unreachable!("it has no end"),
    };
    run.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v2"));
    let done = world.droplet.events("fairlead.project=restarted", &since);
    let done = done.await;
    let created = done.iter().filter(|action| *action == "create").count();
    assert_eq!(created, 1, "{done:?}\n{}", run.story());
    engine.stop().await;
    world.close().await;
}
