//! Deploys that stop half-way: whatever stops them, the old container serves again, or people are told how it stands.
use domain::log::Stream;
use domain::run::{RunState, StepState};
use domain::{RunId, StepId};
use faults::road::State;
use faults::watch::get;
use faults::world::{ended, kind, lead, origin, step, until, until_said};
use faults::{App, Ended, Mode, Spec, World};
use portal::{EngineHandle, Portal};

/// What is said once the old container serves again.
pub const BACK: &str = "the container that ran before is back";

/// v1 has served, and v2 stands in its place and waits for its health.
struct HalfWay {
    world: World,
    portal: Portal,
    engine: EngineHandle,
    run: RunId,
    deploying: StepId,
    /// The containers and the id of the one that serves, when v1 served.
    before: (Vec<(String, String)>, String),
}

async fn half_way(spec: Spec) -> HalfWay {
    half_way_in(World::new(spec).await).await
}

async fn half_way_in(world: World) -> HalfWay {
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let before = state_of(&world).await;
    world.write("templates/greeting", "a new greeting\n");
    let run = world.start(&portal, &App::of("v2", Mode::Asleep)).await;
    let deploying = step(&portal.run(&lead(), run).await.unwrap(), kind::deploy);
    until_said(&portal, run, deploying, "version v2 is Asleep").await;
    HalfWay {
        world,
        portal,
        engine,
        run,
        deploying,
        before,
    }
}

/// The containers of a world, and the id of the one that has its name.
pub async fn state_of(world: &World) -> (Vec<(String, String)>, String) {
    let id = world.droplet.id(&world.container()).await;
    (world.containers().await, id)
}

impl HalfWay {
    /// Waits for the end of a run that was cancelled, after which everything is as before.
    async fn is_undone(&self) {
        let run = ended(&self.portal, self.run).await;
        assert_eq!(run.state(), RunState::Cancelled, "{}", run.story());
        let told = run.lines(self.deploying, Stream::Portal);
        assert!(
            told.iter().any(|line| line.starts_with(BACK)),
            "{}",
            run.story()
        );
        self.world.until_serves("v1").await;
        assert_eq!(state_of(&self.world).await, self.before, "{}", run.story());
    }

    async fn close(self) {
        self.engine.stop().await;
        self.world.close().await;
    }
}

/// The restart policy of a container, as `docker run` takes it.
pub async fn restart_policy(world: &World, container: &str) -> String {
    let format = "--format={{with .HostConfig.RestartPolicy}}{{.Name}}{{if .MaximumRetryCount}}:{{.MaximumRetryCount}}{{end}}{{end}}";
    let inspect = ["docker", "inspect", format, container];
    world.droplet.run(&inspect).await.trim().to_owned()
}

async fn retried(portal: &Portal, run: &Ended) -> Ended {
    let new = portal
        .retry(&lead(), origin(), run.view.row.id)
        .await
        .unwrap();
    ended(portal, new).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_while_the_portal_is_down_returns_the_old_container() {
    let HalfWay {
        world,
        portal,
        engine,
        run,
        deploying,
        before,
    } = half_way(Spec::new("down", 18200)).await;
    engine.stop().await;
    portal.cancel(&lead(), origin(), run).await.unwrap();
    let engine = portal.start_engine();
    let half_way = HalfWay {
        world,
        portal,
        engine,
        run,
        deploying,
        before,
    };
    half_way.is_undone().await;
    half_way.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_between_two_tries_returns_the_old_container() {
    let half_way = half_way(Spec::new("between", 18201)).await;
    let HalfWay {
        world,
        portal,
        run,
        deploying,
        ..
    } = &half_way;
    world.road.set(State::Refusing);
    world.road.cut();
    until(portal, *run, |view| {
        matches!(
            view.steps[deploying.index()].state,
            StepState::Retrying { .. }
        )
    })
    .await;
    world.road.set(State::To(world.droplet.sshd()));
    portal.cancel(&lead(), origin(), *run).await.unwrap();
    half_way.is_undone().await;
    half_way.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stays_away_is_told_of_and_the_next_run_returns_the_container_that_it_left() {
    let spec = Spec {
        attempts: 20,
        ..Spec::new("away", 18202)
    };
    let half_way = half_way(spec).await;
    let HalfWay {
        world,
        portal,
        run,
        before,
        ..
    } = &half_way;
    world.road.set(State::Refusing);
    world.road.cut();
    let run = ended(portal, *run).await;
    let failure = run.failed(kind::deploy, &["away/dev/server", "cannot be reached"]);
    let left = failure.undone.as_deref().unwrap_or_default();
    assert!(
        left.contains(".before-") && left.contains("a new run starts with returning it"),
        "{failure:?}"
    );
    world.road.set(State::To(world.droplet.sshd()));
    // It never gets healthy, and what comes back is not what the first run left in its place.
    let again = retried(portal, &run).await;
    let failure = again.failed(kind::deploy, &["was not healthy"]);
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(undone.starts_with(BACK), "{}", again.story());
    world.until_serves("v1").await;
    assert_eq!(state_of(world).await, *before, "{}", again.story());
    half_way.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_broke_off_before_the_old_container_started_starts_it() {
    let HalfWay {
        world,
        portal,
        engine,
        run,
        deploying,
        before,
    } = half_way(Spec::new("broke-off", 18203)).await;
    engine.stop().await;
    // What a portal leaves that dies right there.
    let container = world.container();
    let aside = world.containers().await;
    let aside = aside.iter().find(|(name, _)| name.contains(".before-"));
    let aside = aside.expect("v1 was put aside").0.as_str();
    world
        .droplet
        .run(&["docker", "rm", "--force", &container])
        .await;
    world
        .droplet
        .run(&["docker", "rename", aside, &container])
        .await;
    let since = world.droplet.now().await;
    let engine = portal.start_engine();
    let run = ended(&portal, run).await;
    let failure = run.failed(kind::deploy, &["broke off while it returned"]);
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(undone.starts_with(BACK), "{}", run.story());
    world.until_serves("v1").await;
    assert_eq!(state_of(&world).await, before);
    let done = world
        .droplet
        .events("fairlead.project=broke-off", &since)
        .await;
    assert!(
        !done.contains(&"create".to_owned()),
        "{deploying}: {done:?}"
    );
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_the_old_container_comes_back_with_its_files() {
    let spec = Spec {
        greeting: true,
        ..Spec::new("filled", 18204)
    };
    let world = World::new(spec).await;
    let place = world.place();
    let mount = format!("mount -t tmpfs -o size=64k,uid=$(id -u django) tmpfs {place}");
    world.droplet.shell(&mount).await;
    let half_way = half_way_in(world).await;
    let world = &half_way.world;
    let greeting = async || {
        get(world.address(), "/greeting")
            .await
            .map(|(_, text)| text)
    };
    assert_eq!(greeting().await.as_deref(), Some("a new greeting\n"));
    let fill = format!("cat /dev/zero > {place}/filler 2>/dev/null || true");
    world.droplet.shell(&fill).await;
    let HalfWay { portal, run, .. } = &half_way;
    portal.cancel(&lead(), origin(), *run).await.unwrap();
    half_way.is_undone().await;
    assert_eq!(greeting().await.as_deref(), Some("hello from dev\n"));
    world.droplet.clear(&world.container()).await;
    world.droplet.shell(&format!("umount {place}")).await;
    half_way.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_is_put_aside_does_not_start_by_itself_and_one_that_returns_does() {
    let spec = Spec {
        container: "restart = \"always\"",
        ..Spec::new("policy", 18205)
    };
    let mut world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    world.deploy(&portal, &App::fine("v2")).await.succeeded();
    for (name, _) in world.containers().await {
        let wanted = if name.contains(".before-") {
            "no"
        } else {
            "always"
        };
        assert_eq!(restart_policy(&world, &name).await, wanted, "{name}");
    }
    world.rewrite(|spec| spec.attempts = 2).await;
    let run = world.deploy(&portal, &App::of("v3", Mode::Sick)).await;
    run.failed(kind::deploy, &["was not healthy"]);
    world.until_serves("v2").await;
    let container = world.container();
    assert_eq!(restart_policy(&world, &container).await, "always");
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_of_another_project_is_never_touched() {
    let world = World::new(Spec::new("foreign", 18206)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let container = world.container();
    let format = "--format={{.Image}}";
    let inspect = ["docker", "inspect", format, &container];
    let image = world.droplet.run(&inspect).await;
    world.droplet.clear(&container).await;
    let other = "--label=fairlead.project=other";
    let start = [
        "docker",
        "run",
        "--detach",
        "--name",
        &container,
        other,
        image.trim(),
    ];
    world.droplet.run(&start).await;
    let before = state_of(&world).await;
    let run = world.deploy(&portal, &App::fine("v2")).await;
    run.failed(
        kind::deploy,
        &["belongs to project `other`", "another `container.name`"],
    );
    assert_eq!(state_of(&world).await, before, "{}", run.story());
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_made_and_never_used_is_removed() {
    let world = World::new(Spec::new("orphan", 18207)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let container = world.container();
    let format = "--format={{.Image}}";
    let inspect = ["docker", "inspect", format, &container];
    let image = world.droplet.run(&inspect).await;
    let name = format!("{container}.run-7-abc");
    let mut create = vec!["docker", "create", "--name", &name];
    for label in [
        "--label=fairlead.project=orphan",
        "--label=fairlead.environment=dev",
        "--label=fairlead.component=web",
    ] {
        create.push(label);
    }
    create.push(image.trim());
    world.droplet.run(&create).await;
    world.deploy(&portal, &App::fine("v2")).await.succeeded();
    let left = world.containers().await;
    assert!(left.iter().all(|(other, _)| *other != name), "{left:?}");
    engine.stop().await;
    world.close().await;
}
