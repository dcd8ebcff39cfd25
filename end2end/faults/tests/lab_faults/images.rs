//! Images that cannot be built, and programs that do not come up.
use std::time::{Duration, Instant};

use domain::log::Stream;
use domain::run::RunState;
use faults::watch::get;
use faults::world::{HEALTHY, ended, kind, lead, origin, step, until, until_said};
use faults::{App, Mode, Spec, World};

const BACK: &str = "the container that ran before is back";

/// v1 serves; v2 comes to its place, fails there within `attempts`, and v1 is back as the container that it was.
async fn v1_comes_back(
    spec: Spec,
    attempts: u32,
    mode: Mode,
    says: &[&str],
    last_words: Option<(Stream, &str)>,
) {
    let mut world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let before = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    world.rewrite(|spec| spec.attempts = attempts).await;
    let run = world.deploy(&portal, &App::of("v2", mode)).await;
    let failure = run.failed(kind::deploy, says);
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(undone.starts_with(BACK), "{failure:?}");
    if let Some((stream, words)) = last_words {
        let lines = run.lines(run.step(kind::deploy), stream);
        assert_eq!(
            lines.iter().filter(|line| **line == words).count(),
            1,
            "{}",
            run.story()
        );
    }
    world.until_serves("v1").await;
    let after = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    assert_eq!(after, before);
    let (messages, last) = world.told().await;
    assert!(
        messages == 2 && last.contains(says[0]) && last.contains(BACK),
        "{last}"
    );
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_exits_at_once_is_replaced_by_the_old_container() {
    let spec = Spec {
        container: "restart = \"no\"",
        ..Spec::new("exits", 18110)
    };
    let says = [
        "faults-exits exited at once with status 3",
        "container's own lines",
    ];
    let words = (Stream::Err, "cannot read the configuration");
    v1_comes_back(spec, HEALTHY, Mode::Exits, &says, Some(words)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_the_engine_starts_over_and_over_is_replaced_by_the_old_container() {
    let says = ["faults-restarts keeps exiting", "container's own lines"];
    let spec = Spec::new("restarts", 18111);
    v1_comes_back(spec, HEALTHY, Mode::Exits, &says, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_never_gets_healthy_is_replaced_by_the_old_container() {
    let says = [
        "faults-sick was not healthy within 20",
        "answers 500",
        "health.url",
    ];
    let words = (Stream::Out, "version v2 is Sick");
    // Enough for the program to come up and say that it is sick.
    let spec = Spec::new("sick", 18112);
    v1_comes_back(spec, 20, Mode::Sick, &says, Some(words)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_that_fails_puts_back_the_files_that_it_wrote() {
    let spec = Spec {
        greeting: true,
        ..Spec::new("files", 18113)
    };
    let mut world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let listed = format!("ls {}", world.place());
    assert_eq!(
        get(world.address(), "/greeting").await.unwrap().1,
        "hello from dev\n"
    );
    world.write("templates/greeting", "a new greeting\n");
    world.rewrite(|spec| spec.attempts = 3).await;
    let run = world.deploy(&portal, &App::of("v2", Mode::Sick)).await;
    run.failed(kind::deploy, &["was not healthy"]);
    world.until_serves("v1").await;
    assert_eq!(
        get(world.address(), "/greeting").await.unwrap().1,
        "hello from dev\n"
    );
    assert_eq!(world.droplet.shell(&listed).await, "text");
    // With a program that works, the new file stays and the old one is kept beside it.
    world.rewrite(|spec| spec.attempts = HEALTHY).await;
    world.deploy(&portal, &App::fine("v3")).await.succeeded();
    assert_eq!(
        get(world.address(), "/greeting").await.unwrap().1,
        "a new greeting\n"
    );
    assert_eq!(world.droplet.shell(&listed).await, "text\ntext.previous");
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_fails_names_its_step_and_the_old_container_never_stops() {
    let world = World::new(Spec::new("build-fails", 18114)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    let broken = App {
        build: "RUN echo there is no package left-pad >&2; exit 7",
        ..App::fine("v2")
    };
    let run = world.deploy(&portal, &broken).await;
    run.failed(kind::build, &["the build failed at", "exit 7"]);
    let said = run.logs[run.step(kind::build).index()].iter();
    assert!(
        said.map(|line| &line.text)
            .any(|text| text.contains("there is no package left-pad")),
        "{}",
        run.story()
    );
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);
    engine.stop().await;
    world.close().await;
}

const ENDLESS: &str = "RUN echo it begins && sleep 600";

/// Waits until so many containers of the machine's own engine are at an endless build.
async fn until_builds_at_work(wanted: usize) {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let command = ["ps", "--no-trunc", "--format={{.Command}}"];
        let listed = lab::program::docker(command).run().await.unwrap();
        let at_work = listed.lines().filter(|line| line.contains("it begins"));
        let count = at_work.count();
        if count == wanted {
            return;
        }
        assert!(
            Instant::now() < limit,
            "{count} builds, not {wanted}:\n{listed}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_is_cancelled_stops_and_a_build_that_takes_too_long_is_stopped() {
    let mut world = World::new(Spec::new("endless", 18115)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    let endless = App {
        build: ENDLESS,
        ..App::fine("v2")
    };
    let run = world.start(&portal, &endless).await;
    let building = step(&portal.run(&lead(), run).await.unwrap(), kind::build);
    until_said(&portal, run, building, "it begins").await;
    until_builds_at_work(1).await;
    portal.cancel(&lead(), origin(), run).await.unwrap();
    let cancelled = ended(&portal, run).await;
    assert_eq!(
        cancelled.state(),
        RunState::Cancelled,
        "{}",
        cancelled.story()
    );
    assert!(world.told().await.1.contains("was cancelled"));

    until_builds_at_work(0).await;

    world.rewrite(|spec| spec.build = "timeout = \"4s\"").await;
    let late = world.deploy(&portal, &endless).await;
    late.failed(kind::build, &["took longer than 4", "was stopped"]);
    until_builds_at_work(0).await;
    watch.saw_nothing_but("v1").await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_that_is_cancelled_while_it_waits_for_health_returns_the_old_container() {
    let world = World::new(Spec::new("cancelled", 18116)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let before = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    let run = world.start(&portal, &App::of("v2", Mode::Asleep)).await;
    let deploying = step(&portal.run(&lead(), run).await.unwrap(), kind::deploy);
    until_said(&portal, run, deploying, "version v2 is Asleep").await;
    portal.cancel(&lead(), origin(), run).await.unwrap();
    let run = ended(&portal, run).await;
    assert_eq!(run.state(), RunState::Cancelled, "{}", run.story());
    let told = run.lines(deploying, Stream::Portal);
    assert!(
        told.iter().any(|line| line.starts_with(BACK)),
        "{}",
        run.story()
    );
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
async fn a_run_that_waits_for_another_says_so_and_never_starts_when_it_is_cancelled() {
    let world = World::new(Spec::new("waits", 18117)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.start(&portal, &App::of("v1", Mode::Asleep)).await;
    let deploying = step(&portal.run(&lead(), first).await.unwrap(), kind::deploy);
    until_said(&portal, first, deploying, "version v1 is Asleep").await;
    // Two people press Deploy at once: one run each, and the newer one takes the place of the older in the queue.
    let lead = &lead();
    let (one, two) = tokio::join!(
        portal.deploy(lead, origin(), world.request()),
        portal.deploy(lead, origin(), world.request()),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    let (older, newer) = (one.min(two), one.max(two));
    assert_eq!(ended(&portal, older).await.state(), RunState::Superseded);
    let waiting = portal.run(lead, newer).await.unwrap();
    let why = waiting.waiting_for.unwrap_or_default();
    assert!(
        waiting.row.state == RunState::Queued && why.contains(&format!("#{first}")),
        "{why:?}"
    );
    portal.cancel(lead, origin(), newer).await.unwrap();
    let cancelled = until(&portal, newer, |view| view.row.state.is_final()).await;
    assert_eq!(
        (cancelled.row.state, cancelled.row.started),
        (RunState::Cancelled, None)
    );
    get(world.address(), "/wake").await.unwrap();
    ended(&portal, first).await.succeeded();
    engine.stop().await;
    world.close().await;
}
