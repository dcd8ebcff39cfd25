//! Migrations: started once, never cut off by a lost connection or the end of the portal, and in front of the deploy.
//!
//! What a migration is here appends to a file on the droplet, so that it can be counted how often it ran.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::RunId;
use domain::log::Stream;
use domain::report::Content;
use domain::run::{RunEvent, RunState, StepState};
use domain::step::Outcome;
use faults::process::{Orders, Process};
use faults::road::State;
use faults::world::{ended, kind, lead, origin, step, until, until_said};
use faults::{App, Ended, Spec, World};
use portal::Portal;

const PORTAL: &str = "crash::the_portal_that_the_other_tests_kill";
/// The lines that [`SLOW`] writes, in about three seconds.
const LINES: usize = 30;
pub(super) const SLOW: &str =
    "for n in $(seq 1 30); do echo \"line $n\"; echo \"error line $n\" >&2; sleep 0.1; done";

/// A migration in the world's folder on the host, which is counted.
pub(super) fn on_host(world: &World, run: &str, more: &str) -> String {
    format!(
        "on = \"host\", dir = \"{}\", run = '''\necho x >>count\n{run}\n'''{more}",
        world.place()
    )
}

/// The same in a container that has the folder at `/data`.
pub(super) fn in_container(run: &str, more: &str) -> String {
    format!("on = \"container\", dir = \"/data\", run = '''\necho x >>count\n{run}\n'''{more}")
}

pub(super) async fn set(world: &mut World, migrate: String) {
    world.rewrite(|spec| spec.migrate = migrate).await;
}

/// How often it ran.
pub(super) async fn count(world: &World) -> usize {
    let path = format!("{}/count", world.place());
    let listed = world
        .droplet
        .shell(&format!("cat {path} 2>/dev/null || true"))
        .await;
    listed.lines().count()
}

/// Where it runs, nothing is left of it: no folder, no process, no container.
pub(super) async fn nothing_is_left(world: &World) {
    let name = world.spec.name;
    let folders = format!("ls /home/django/.fairlead 2>/dev/null | grep ^{name}- || true");
    assert_eq!(world.droplet.shell(&folders).await, "");
    let start = format!("{}.migrate-", world.container());
    assert_eq!(world.droplet.containers(&start).await, []);
}

pub(super) fn outcome(run: &Ended) -> &Outcome {
    let id = run.step(kind::migrate);
    match &run.view.steps[id.index()].state {
        StepState::Succeeded { outcome } => outcome,
        _ => panic!("{}", run.story()),
    }
}

/// Every line of [`SLOW`] once and in its order, on both streams.
pub(super) fn nothing_is_lost_or_doubled(run: &Ended) {
    let step = run.step(kind::migrate);
    for (stream, prefix) in [(Stream::Out, "line "), (Stream::Err, "error line ")] {
        let found: Vec<&str> = run
            .lines(step, stream)
            .into_iter()
            .filter_map(|line| line.strip_prefix(prefix))
            .collect();
        let wanted: Vec<String> = (1..=LINES).map(|n| n.to_string()).collect();
        assert_eq!(found, wanted, "{}", run.story());
    }
}

/// v1 serves, then this is migrated in front of v2, whose deploy it blocks.
pub(super) async fn it_blocks_the_deploy(
    world: &mut World,
    portal: &Portal,
    migrate: String,
    says: &[&str],
) -> Ended {
    let before = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    let told = world.told().await.0;
    set(world, migrate).await;
    let watch = world.watch();
    let run = world.deploy(portal, &App::fine("v2")).await;
    run.failed(kind::migrate, says);
    watch.saw_nothing_but("v1").await;
    let after = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    assert_eq!(after.1, before.1, "{}", run.story());
    let deploy = run.step(kind::deploy);
    assert!(
        matches!(
            run.view.steps[deploy.index()].state,
            StepState::Skipped { .. }
        ),
        "{}",
        run.story()
    );
    assert_eq!(world.told().await.0, told + 1);
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_on_the_host_runs_before_the_deploy_and_one_that_fails_blocks_it() {
    let mut world = World::new(Spec::new("migrated", 18250)).await;
    let run = r#"echo "$FAIRLEAD_PROJECT $FAIRLEAD_ENVIRONMENT $FAIRLEAD_RUN $prepared"
echo "$FAIRLEAD_COMMIT" >commit
id -un >&2
echo 0002_more >>heads"#;
    let more = r#", before = "false || prepared=yes", plan = "echo will create a table", head = "tail -n 1 heads""#;
    let migrate = on_host(&world, run, more);
    set(&mut world, migrate).await;
    world
        .droplet
        .shell(&format!(
            "echo 0001_initial >{0}/heads; chown django {0}/heads",
            world.place()
        ))
        .await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    let (before, after) = (Some("0001_initial".into()), Some("0002_more".into()));
    assert_eq!(outcome(&first), &Outcome::Migrated { before, after });
    let step = first.step(kind::migrate);
    let number = first.view.row.id;
    assert_eq!(
        (
            first.lines(step, Stream::Out),
            first.lines(step, Stream::Err)
        ),
        (
            vec![format!("migrated dev {number} yes").as_str()],
            vec!["django"]
        ),
        "{}",
        first.story()
    );
    let commit = world
        .droplet
        .shell(&format!("cat {}/commit", world.place()))
        .await;
    assert_eq!(commit, first.view.plan.commit.sha.to_string());
    let left = world.artifacts(number).await;
    let left = left.iter().find(|left| left.step == step).unwrap();
    assert_eq!(
        (left.name.as_str(), &left.content),
        (
            "migration plan",
            &Content::Text("will create a table".into())
        )
    );
    assert_eq!(count(&world).await, 1);
    nothing_is_left(&world).await;

    let half = "echo adding a column\necho 'column exists' >&2\n(exit 3)\necho not reached";
    let failing = on_host(&world, half, "");
    let says = ["ended with exit status 3", "half migrated"];
    let run = it_blocks_the_deploy(&mut world, &portal, failing, &says).await;
    assert_eq!(
        run.lines(run.step(kind::migrate), Stream::Out),
        ["adding a column"]
    );
    let (_, last) = world.told().await;
    assert!(
        last.contains("Migrate web") && last.contains("column exists"),
        "{last}"
    );
    assert_eq!(count(&world).await, 2);
    nothing_is_left(&world).await;

    let nowhere = "on = \"host\", dir = \"/no/such/folder\", run = \"true\"".to_owned();
    it_blocks_the_deploy(&mut world, &portal, nowhere, &["exit status 1"]).await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_during_a_migration_neither_ends_nor_repeats_it() {
    let mut world = World::new(Spec::new("cut-off", 18251)).await;
    let migrate = on_host(&world, SLOW, "");
    set(&mut world, migrate).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.start(&portal, &App::fine("v1")).await;
    cut_off(&world, &portal, run).await;
    let run = ended(&portal, run).await;
    run.succeeded();
    nothing_is_lost_or_doubled(&run);
    assert_eq!(
        (count(&world).await, world.serves().await.as_deref()),
        (1, Some("v1"))
    );
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;
}

/// Cuts the road while the migration runs, and opens it again two seconds later.
async fn cut_off(world: &World, portal: &Portal, run: RunId) {
    let id = step(&portal.run(&lead(), run).await.unwrap(), kind::migrate);
    until_said(portal, run, id, "line 5").await;
    world.road.set(State::Refusing);
    world.road.cut();
    until_said(
        portal,
        run,
        id,
        "the migration does not need the connection",
    )
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.road.set(State::To(world.droplet.sshd()));
    until_said(portal, run, id, "the host answers again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_during_a_migration_neither_ends_nor_repeats_it() {
    let mut world = World::new(Spec::new("killed-migr", 18252)).await;
    let more = ", head = \"cat count\", plan = \"echo will do it\"";
    let migrate = on_host(&world, SLOW, more);
    set(&mut world, migrate).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    nothing_is_lost_or_doubled(&first);
    engine.stop().await;
    drop(portal);
    let begins = first.view.events.iter().find(|stored| {
        matches!(stored.event, RunEvent::StepStarted { step, .. } if step == first.step(kind::migrate))
    });
    let begins = begins.unwrap().seq;
    // From the first question to the host until after its end.
    for (n, lives_on) in [0, 150, 400, 800, 1500, 2500, 3400, 3600, 3800]
        .into_iter()
        .enumerate()
    {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let version: &'static str = Box::leak(format!("v{}", now.as_nanos()).into_boxed_str());
        world.repository.commit(&App::fine(version));
        let mut orders = Orders {
            folder: world.folder().to_path_buf(),
            deploy: Some(world.request()),
            die_after: Some(begins),
            lives_on,
            ..Orders::default()
        };
        let mut portal = Process::start(PORTAL, &orders);
        let run = portal
            .says("run")
            .await
            .expect("the portal takes the request");
        assert!(portal.wait().await, "it was to be killed");
        (orders.deploy, orders.run, orders.die_after) = (None, Some(run), None);
        let mut portal = Process::start(PORTAL, &orders);
        portal.says("events").await.expect("the run ends");
        portal.wait().await;
        let portal = world.portal().await;
        let run = ended(&portal, RunId(run)).await;
        run.succeeded();
        nothing_is_lost_or_doubled(&run);
        assert_eq!(count(&world).await, n + 2, "{lives_on}: {}", run.story());
        assert!(
            matches!(
                outcome(&run),
                Outcome::Migrated {
                    before: Some(_),
                    after: Some(_)
                }
            ),
            "{lives_on}: {}",
            run.story()
        );
        assert_eq!(world.serves().await.as_deref(), Some(version));
        nothing_is_left(&world).await;
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_lets_its_migration_end_and_only_the_time_limit_terminates_it() {
    let mut world = World::new(Spec::new("limits", 18253)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;

    let waiting = "echo waiting\nwhile ! [ -e go ]; do sleep 0.1; done\necho gone";
    let migrate = on_host(&world, waiting, "");
    set(&mut world, migrate).await;
    let run = world.start(&portal, &App::fine("v2")).await;
    let id = step(&portal.run(&lead(), run).await.unwrap(), kind::migrate);
    until_said(&portal, run, id, "waiting").await;
    portal.cancel(&lead(), origin(), run).await.unwrap();
    until_said(&portal, run, id, "not stopped half-way").await;
    let at_work = until(&portal, run, |view| view.row.state == RunState::Cancelling).await;
    assert_eq!(at_work.steps[id.index()].state, StepState::Running);
    world
        .droplet
        .shell(&format!("touch {}/go", world.place()))
        .await;
    let run = ended(&portal, run).await;
    assert_eq!(run.state(), RunState::Cancelled, "{}", run.story());
    assert_eq!(run.lines(id, Stream::Out), ["waiting", "gone"]);
    outcome(&run);
    assert_eq!(
        (count(&world).await, world.serves().await.as_deref()),
        (1, Some("v1"))
    );

    let endless = on_host(&world, "echo begins\nsleep 61234", ", timeout = \"15s\"");
    let says = ["took longer than 15", "limit"];
    let run = it_blocks_the_deploy(&mut world, &portal, endless, &says).await;
    let failure = run.failed(kind::migrate, &says);
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(undone.contains("was terminated"), "{undone}");
    assert_eq!(run.lines(run.step(kind::migrate), Stream::Out), ["begins"]);
    // Told apart by the number from what other tests run on this droplet.
    let left = world.droplet.shell("pgrep -f '^sleep 61234' || true").await;
    assert_eq!((left.as_str(), count(&world).await), ("", 2));
    nothing_is_left(&world).await;

    // Killed from outside, as when the host restarts: nobody knows how far it came.
    let killed = on_host(&world, "echo begins\nkill -KILL 0", "");
    let says = [
        "did the migration of web come to its end?",
        "not run again by itself",
    ];
    it_blocks_the_deploy(&mut world, &portal, killed, &says).await;
    assert_eq!(count(&world).await, 3);
    world
        .droplet
        .shell("rm -rf /home/django/.fairlead/limits-*")
        .await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_in_a_container_is_of_the_new_image_and_as_safe_as_one_on_the_host() {
    let spec = Spec {
        container: "env = { COLOUR = \"blue\" }, volumes = [\"/home/django/faults-boxed:/data\"]",
        ..Spec::new("boxed", 18254)
    };
    let mut world = World::new(spec).await;
    let run = r#"echo "$FAIRLEAD_PROJECT $COLOUR $(cat /app/version) $prepared"
echo 0002_more >>heads"#;
    let more = r#", before = "false || prepared=yes", plan = "echo will create a table", head = "tail -n 1 heads""#;
    set(&mut world, in_container(run, more)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    let (before, after) = (None, Some("0002_more".into()));
    assert_eq!(outcome(&first), &Outcome::Migrated { before, after });
    let migrate = first.step(kind::migrate);
    // Before it come the lines of the pull.
    assert_eq!(
        first.lines(migrate, Stream::Out).last(),
        Some(&"boxed blue v1 yes")
    );
    let left = world.artifacts(first.view.row.id).await;
    assert_eq!(left[0].content, Content::Text("will create a table".into()));
    nothing_is_left(&world).await;

    let failing = in_container("echo adding a column\n(exit 3)\necho not reached", "");
    let says = ["ended with exit status 3", "half migrated"];
    it_blocks_the_deploy(&mut world, &portal, failing, &says).await;
    assert_eq!(count(&world).await, 2);
    nothing_is_left(&world).await;

    let endless = in_container("echo begins\nexec sleep 61235", ", timeout = \"20s\"");
    let run = it_blocks_the_deploy(&mut world, &portal, endless, &["took longer than 20"]).await;
    assert_eq!(run.lines(run.step(kind::migrate), Stream::Out), ["begins"]);
    nothing_is_left(&world).await;

    set(&mut world, in_container(SLOW, "")).await;
    let run = world.start(&portal, &App::fine("v3")).await;
    cut_off(&world, &portal, run).await;
    let run = ended(&portal, run).await;
    run.succeeded();
    nothing_is_lost_or_doubled(&run);
    assert_eq!(
        (count(&world).await, world.serves().await.as_deref()),
        (4, Some("v3"))
    );
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;
}
