//! Hosts that cannot be used, or that fail while they are.
use std::net::SocketAddr;

use domain::StepId;
use faults::road::State;
use faults::world::{ended, kind, step, until_said};
use faults::{App, Droplet, Ended, Mode, Spec, World};
use lab::Lab;
use portal::Portal;

/// v1 serves; then `break_it` happens, v2 is deployed and fails without anything having been touched on the host.
async fn v2_never_reaches_the_host(
    spec: Spec,
    break_it: impl AsyncFnOnce(&World),
    says: &[&str],
) -> (World, Ended) {
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let untouched = async || {
        let name = world.container();
        (
            world.containers().await,
            world.droplet.id(&name).await,
            world.droplet.started(&name).await,
        )
    };
    let before = untouched().await;
    let watch = world.watch();
    break_it(&world).await;
    let run = world.deploy(&portal, &App::fine("v2")).await;
    run.failed(kind::deploy, says);
    assert_told_of_failure(&world, says[0]).await;
    watch.saw_nothing_but("v1").await;
    assert_eq!(untouched().await, before);
    engine.stop().await;
    (world, run)
}

async fn assert_told_of_failure(world: &World, says: &str) {
    let (messages, last) = world.told().await;
    assert_eq!(messages, 2, "one for each run");
    assert!(last.contains("failed") && last.contains(says), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_hangs_up_fails_the_deploy_and_the_old_container_never_stops() {
    let refusing = async |world: &World| {
        world.road.set(State::Refusing);
        world.road.cut();
    };
    let says = [
        "hangs-up/dev/server",
        "cannot be reached",
        "check the address",
    ];
    let (world, _) = v2_never_reaches_the_host(Spec::new("hangs-up", 18101), refusing, &says).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_answers_nothing_fails_the_deploy_and_the_old_container_never_stops() {
    let silent = async |world: &World| {
        world.road.set(State::Silent);
        world.road.cut();
    };
    let says = [
        "silent/dev/server",
        "did not answer within 10 s",
        "firewall",
    ];
    let (world, _) = v2_never_reaches_the_host(Spec::new("silent", 18102), silent, &says).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_fails_the_deploy_and_is_not_shown() {
    let wrong = async |world: &World| {
        world.write_secrets(&[("DEV_SSH_PASSWORD", "hunter2hunter2")]);
    };
    let says = [
        "password/dev/server",
        "refuses django with a password",
        "check the secret",
    ];
    let (world, run) = v2_never_reaches_the_host(Spec::new("password", 18103), wrong, &says).await;
    assert!(!run.story().contains("hunter2"), "{}", run.story());
    assert!(!world.told().await.1.contains("hunter2"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_host_key_stops_the_deploy_before_the_password_is_sent() {
    let other_server = async |world: &World| {
        let other = &world.lab.droplets["uat-backend"];
        world
            .road
            .set(State::To(SocketAddr::from((other.address, other.port))));
        world.road.cut();
    };
    let says = [
        "host-key/dev/server",
        "instead of the pinned",
        "somebody may be in between",
        "host_key",
    ];
    let (world, _) =
        v2_never_reaches_the_host(Spec::new("host-key", 18104), other_server, &says).await;
    world.close().await;
}

/// Puts a droplet's Docker back in its place, whatever of it is away.
const DOCKER_BACK: &str =
    "for it in /var/run/docker.sock /usr/bin/docker; do [ ! -e $it.away ] || mv $it.away $it; done";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_docker_is_stopped_or_missing_fails_the_deploy_and_the_old_container_never_stops()
 {
    let spec = Spec {
        droplet: "uat-backend",
        ..Spec::new("no-docker", 18105)
    };
    let lab = Lab::load().expect("these tests need the lab: start it with `make lab`");
    let described = lab.droplets[spec.droplet].clone();
    // A test that was killed has mended nothing.
    Droplet { described }.shell(DOCKER_BACK).await;
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    // The droplet ends with its dockerd; without its socket it looks from outside as if it did not run.
    let stopped = "mv /var/run/docker.sock /var/run/docker.sock.away";
    let stopped = world.droplet.broken(stopped, DOCKER_BACK).await;
    world.road.cut();
    let run = world.deploy(&portal, &App::fine("v2")).await;
    engine.stop().await;
    drop(portal);
    // A portal that never saw the engine of this host can say more.
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let again = retried(&portal, &run).await;
    world
        .droplet
        .shell("mv /usr/bin/docker /usr/bin/docker.away")
        .await;
    let missing = retried(&portal, &again).await;
    drop(stopped);
    let says = [
        "no-docker/dev/server",
        "/var/run/docker.sock",
        "check that Docker runs there",
    ];
    run.failed(kind::deploy, &says);
    let says = [
        "Docker on host no-docker/dev/server does not run",
        "systemctl start docker",
    ];
    again.failed(kind::deploy, &says);
    let says = [
        "host no-docker/dev/server has no Docker",
        "apt-get install docker.io",
    ];
    missing.failed(kind::deploy, &says);
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);
    // Once it runs again, a retry needs nothing else.
    retried(&portal, &missing).await.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v2"));
    engine.stop().await;
    world.close().await;
}

/// A container beside that of the world, of the same image, which takes a port; its name.
pub async fn squat(world: &World, port: u16) -> String {
    let (container, publish) = (world.container(), format!("--publish={port}:8000"));
    let squatter = format!("{container}.squatter");
    let docker = async |args: &[&str]| world.droplet.run(&[&["docker"][..], args].concat()).await;
    let image = docker(&["inspect", "--format={{.Image}}", &container]).await;
    docker(&["run", "--detach", "--name", &squatter, &publish, &image]).await;
    squatter
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_fails_the_deploy_with_the_ports_number() {
    let world = World::new(Spec::new("port-taken", 18106)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    // Somebody stops the app by hand and takes its port.
    let (container, port) = (world.container(), world.spec.port);
    world.droplet.run(&["docker", "stop", &container]).await;
    let squatter = squat(&world, port).await;
    world.droplet.run(&["docker", "rm", &container]).await;
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let says = ["port is taken", &port.to_string(), "ss -ltnp"];
    let failure = run.failed(kind::deploy, &says);
    assert_eq!(
        failure.undone.as_deref(),
        Some("the new container was removed; none ran before")
    );
    assert_eq!(world.containers().await, [(squatter, "running".to_owned())]);
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_port_that_is_taken_fails_the_deploy_and_the_old_container_is_back_on_its_own() {
    let (port, taken) = (18220, 18221);
    let mut world = World::new(Spec::new("port-moved", port)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    squat(&world, taken).await;
    let before = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    world.rewrite(|spec| spec.port = taken).await;
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let says = ["port is taken", &taken.to_string(), "ss -ltnp"];
    let failure = run.failed(kind::deploy, &says);
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(
        undone.starts_with("the container that ran before is back"),
        "{failure:?}"
    );
    world.spec.port = port;
    world.until_serves("v1").await;
    let after = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    assert_eq!(after, before);
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_the_deploy_before_the_old_container_stops() {
    let spec = Spec {
        greeting: true,
        ..Spec::new("disk-full", 18107)
    };
    let world = World::new(spec).await;
    let place = world.place();
    let mount = format!("mount -t tmpfs -o size=64k,uid=$(id -u django) tmpfs {place}");
    // Lazily: the container that was given the folder may still be there.
    let unmount = format!("umount --lazy {place}");
    let disk = world.droplet.broken(&mount, &unmount).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    world.droplet.shell(&format!("fallocate -l 1M {place}/filler || true; cat /dev/zero > {place}/filler2 2>/dev/null || true")).await;
    world.write("templates/greeting", &"a longer greeting\n".repeat(500));
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let failure = run.failed(
        kind::deploy,
        &[
            "disk-full/dev/server",
            "disk",
            "full",
            &place,
            "free some space",
        ],
    );
    assert!(failure.undone.is_some(), "{failure:?}");
    watch.saw_nothing_but("v1").await;
    let greeting = faults::watch::get(world.address(), "/greeting").await;
    assert_eq!(greeting, Some((200, "hello from dev\n".into())));
    assert_eq!(world.containers().await.len(), 1);
    engine.stop().await;
    drop(disk);
    world.close().await;
}

/// Where a droplet's engine puts what it pulls until a layer is whole.
const DOWNLOADS: &str = "/var/lib/docker/tmp";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_disk_is_full_cannot_pull_and_the_old_container_never_stops() {
    let spec = Spec {
        droplet: "uat-backend",
        ..Spec::new("pull-full", 18346)
    };
    let world = World::new(spec).await;
    // A test that was killed has mended nothing.
    let unmount = format!("umount --lazy {DOWNLOADS}");
    let _ = world.droplet.try_run(&["sh", "-c", &unmount]).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let started = world.droplet.started(&world.container()).await;
    let watch = world.watch();
    let mount = format!("mount -t tmpfs -o size=64k tmpfs {DOWNLOADS}");
    let disk = world.droplet.broken(&mount, &unmount).await;
    let app = App::big();
    let run = world.deploy(&portal, &app).await;
    let says = [
        "host pull-full/dev/server: the disk is full",
        "no space left on device",
        "docker image prune",
    ];
    run.failed(kind::deploy, &says);
    assert!(world.told().await.1.contains("the disk is full"));
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);
    assert_eq!(world.droplet.started(&world.container()).await, started);
    drop(disk);
    retried(&portal, &run).await.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some(app.version));
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_during_the_health_check_is_taken_up_again() {
    let world = World::new(Spec::new("lost", 18108)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let since = world.droplet.now().await;
    let run = world.start(&portal, &App::of("v2", Mode::Asleep)).await;
    let deploy = deploy_step(&portal, run).await;
    until_said(&portal, run, deploy, "version v2 is Asleep").await;
    world.road.cut();
    until_said(&portal, run, deploy, "was lost").await;
    faults::watch::get(world.address(), "/wake").await.unwrap();
    let run = ended(&portal, run).await;
    run.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v2"));
    let done = world.droplet.events("fairlead.project=lost", &since).await;
    assert_eq!(
        done.iter().filter(|action| *action == "create").count(),
        1,
        "{done:?}"
    );
    assert_eq!(
        done.iter().filter(|action| *action == "start").count(),
        1,
        "{done:?}"
    );
    // The program's line is in the log once, although its log was opened twice.
    assert_eq!(
        said(&run, deploy, "version v2 is Asleep"),
        1,
        "{}",
        run.story()
    );
    engine.stop().await;
    world.close().await;
}

async fn deploy_step(portal: &Portal, run: domain::RunId) -> StepId {
    step(
        &portal.run(&faults::world::lead(), run).await.unwrap(),
        kind::deploy,
    )
}

fn said(run: &Ended, step: StepId, text: &str) -> usize {
    run.logs[step.index()]
        .iter()
        .filter(|line| line.text == text)
        .count()
}

async fn retried(portal: &Portal, run: &Ended) -> Ended {
    let (lead, origin) = (faults::world::lead(), faults::world::origin());
    let new = portal.retry(&lead, origin, run.view.row.id).await.unwrap();
    ended(portal, new).await
}
