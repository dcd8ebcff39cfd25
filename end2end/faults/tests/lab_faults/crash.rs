//! The portal is killed as by `kill -9` and started again: nothing is lost, nothing happens twice.
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::log::Stream;
use domain::run::{RunEvent, RunState, StepState};
use domain::step::Outcome;
use domain::{RunId, StepId};
use faults::app::CHATTY_LINES;
use faults::process::{self, Orders, Process};
use faults::world::{ended, kind};
use faults::{App, Ended, Mode, Spec, World};

const PORTAL: &str = "crash::the_portal_that_the_other_tests_kill";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the other tests"]
async fn the_portal_that_the_other_tests_kill() {
    process::obey().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_after_any_event_ends_the_run_as_if_nothing_had_been() {
    let spec = Spec {
        two_registries: true,
        ..Spec::new("killed", 18120)
    };
    let world = World::new(spec).await;
    // Undisturbed, to know how many events there are.
    let (run, _) = attempt(&world, Death::None).await;
    let events = i64::try_from(run.view.events.len()).unwrap();
    assert!(events >= 14, "{}", run.story());
    for after in 0..events {
        let (run, since) = attempt(&world, Death::After(after)).await;
        as_if_nothing_had_been(&world, &run, &since).await;
        println!("killed after event {after} of {events}: {:?}", run.state());
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_at_any_moment_ends_the_run_as_if_nothing_had_been() {
    let world = World::new(Spec::new("shot", 18121)).await;
    let mut resumed = 0;
    // Spread over a run, which takes some five seconds, and not at its events.
    for millis in [130, 900, 1700, 2300, 2900, 3500, 4100] {
        let moment = Duration::from_millis(millis);
        let (run, since) = attempt(&world, Death::At(moment)).await;
        as_if_nothing_had_been(&world, &run, &since).await;
        resumed += usize::from(
            run.view
                .events
                .iter()
                .any(|stored| stored.event == RunEvent::Resumed),
        );
    }
    assert!(
        resumed >= 3,
        "only {resumed} runs were shot before their end"
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_again_and_again_still_ends_the_run_as_if_nothing_had_been() {
    let world = World::new(Spec::new("often", 18122)).await;
    let (run, since) = attempt(&world, Death::Often).await;
    as_if_nothing_had_been(&world, &run, &since).await;
    world.close().await;
}

/// The deploy of a program that never gets healthy, shot at moments that lie from its start to the end of its undoing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_while_a_deploy_fails_still_returns_the_old_container_and_its_files() {
    let spec = Spec {
        attempts: 1,
        greeting: true,
        ..Spec::new("failing", 18123)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    engine.stop().await;
    drop(portal);
    let started = first.view.events.iter().find(|stored| {
        matches!(stored.event, RunEvent::StepStarted { step, .. } if step == first.step(kind::deploy))
    });
    let started = started.unwrap().seq;
    let before = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    world.write("templates/greeting", "a new greeting\n");
    for lives_on in [150, 400, 800, 1200, 1500, 1700, 1900] {
        world.repository.commit(&App::of(new_version(), Mode::Sick));
        let mut orders = Orders {
            folder: world.folder().to_path_buf(),
            deploy: Some(world.request()),
            die_after: Some(started),
            lives_on,
            ..Orders::default()
        };
        let mut portal = Process::start(PORTAL, &orders);
        let run = portal
            .says("run")
            .await
            .expect("the portal takes the request");
        portal.wait().await;
        (orders.deploy, orders.run, orders.die_after) = (None, Some(run), None);
        let mut portal = Process::start(PORTAL, &orders);
        portal.says("events").await.expect("the run ends");
        portal.wait().await;
        let portal = world.portal().await;
        let run = ended(&portal, RunId(run)).await;
        let failure = run.failed(kind::deploy, &[]);
        let undone = failure.undone.as_deref().unwrap_or_default();
        assert!(
            undone.starts_with("the container that ran before is back"),
            "{lives_on}: {}",
            run.story()
        );
        let after = (
            world.containers().await,
            world.droplet.id(&world.container()).await,
        );
        assert_eq!(after, before, "{lives_on}: {}", run.story());
        let listed = world
            .droplet
            .shell(&format!("cd {} && ls && cat text", world.place()))
            .await;
        assert_eq!(
            listed,
            "text\nhello from dev",
            "{lives_on}: {}",
            run.story()
        );
        assert_eq!(
            world.told_of(run.view.row.id.0).await,
            1,
            "{lives_on}: {}",
            run.story()
        );
    }
    world.close().await;
}

/// When the portal dies.
#[derive(Clone, Copy)]
enum Death {
    None,
    /// As soon as this many events are stored.
    After(i64),
    /// This long after the run was asked for.
    At(Duration),
    /// At each third event.
    Often,
}

/// One run from the click to its end, however many lives of the portal it takes; and the moment before it.
async fn attempt(world: &World, death: Death) -> (Ended, String) {
    let version = new_version();
    world.repository.commit(&App::of(version, Mode::Chatty));
    let since = world.droplet.now().await;
    let mut orders = Orders {
        folder: world.folder().to_path_buf(),
        deploy: Some(world.request()),
        ..Orders::default()
    };
    orders.die_after = match death {
        Death::After(events) => Some(events),
        Death::Often => Some(3),
        Death::None | Death::At(_) => None,
    };
    let mut portal = Process::start(PORTAL, &orders);
    let run = portal
        .says("run")
        .await
        .expect("the portal takes the request");
    match death {
        Death::At(moment) => {
            tokio::time::sleep(moment).await;
            portal.kill().await;
        }
        Death::None => assert!(!portal.wait().await),
        Death::After(_) | Death::Often => assert!(portal.wait().await, "it was to be killed"),
    }
    let (mut died, mut lives) = (orders.die_after.unwrap_or_default(), 1);
    loop {
        lives += 1;
        died += 3;
        let orders = Orders {
            folder: world.folder().to_path_buf(),
            run: Some(run),
            die_after: matches!(death, Death::Often).then_some(died),
            ..Orders::default()
        };
        let mut portal = Process::start(PORTAL, &orders);
        let ended = portal.says("events").await;
        portal.wait().await;
        if ended.is_some() {
            break;
        }
        assert!(lives < 20, "the run does not end");
    }
    let portal = world.portal().await;
    let run = ended(&portal, RunId(run)).await;
    assert_eq!(
        world.serves().await.as_deref(),
        Some(version),
        "{}",
        run.story()
    );
    (run, since)
}

/// A version that nobody has built: only then does its run build and push, and have as many events as the others.
fn new_version() -> &'static str {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Box::leak(format!("v{}", now.as_nanos()).into_boxed_str())
}

async fn as_if_nothing_had_been(world: &World, run: &Ended, since: &str) {
    run.succeeded();
    each_step_succeeded_once(run);
    nothing_is_lost_or_doubled(run);
    let story = run.story();
    let number = run.view.row.id.0;

    // On the host: made once, started once, and nothing is left but the kept predecessors.
    let label = format!("fairlead.project={}", world.spec.name);
    let done = world.droplet.events(&label, since).await;
    let count = |action: &str| done.iter().filter(|done| *done == action).count();
    assert_eq!(
        (count("create"), count("start")),
        (1, 1),
        "{done:?}\n{story}"
    );
    let containers = world.containers().await;
    let serving = (world.container(), "running".to_owned());
    assert!(containers.contains(&serving), "{containers:?}");
    let before = format!("{}.before-", world.container());
    for (name, state) in containers.iter().filter(|other| **other != serving) {
        assert!(
            name.starts_with(&before) && state == "exited",
            "{containers:?}\n{story}"
        );
    }
    assert!(containers.len() <= 3, "{containers:?}");

    // In Slack: once. Between asking Slack and noting that it was asked nobody can know; then it says so.
    let told = world.told_of(number).await;
    let unknown = run.view.steps.iter().any(|step| match &step.state {
        StepState::Succeeded {
            outcome: Outcome::Nothing { why },
        } => why.contains("not known"),
        _ => false,
    });
    assert!(
        told == 1 || (told == 0 && unknown),
        "told {told} times\n{story}"
    );
}

fn each_step_succeeded_once(run: &Ended) {
    let mut started: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut succeeded: BTreeMap<StepId, usize> = BTreeMap::new();
    for stored in &run.view.events {
        match &stored.event {
            RunEvent::StepStarted { step, .. } => *started.entry(*step).or_default() += 1,
            RunEvent::StepSucceeded { step, .. } => *succeeded.entry(*step).or_default() += 1,
            RunEvent::Started | RunEvent::Resumed | RunEvent::Finished => {}
            other => panic!("{other:?}\n{}", run.story()),
        }
    }
    let once: BTreeMap<StepId, usize> = run
        .view
        .plan
        .steps
        .iter()
        .map(|planned| (planned.id, 1))
        .collect();
    assert_eq!((&started, &succeeded), (&once, &once), "{}", run.story());
    assert_eq!(run.state(), RunState::Succeeded);
}

fn nothing_is_lost_or_doubled(run: &Ended) {
    let deploy = run.step(kind::deploy);
    for (stream, prefix) in [(Stream::Out, "line "), (Stream::Err, "error line ")] {
        let lines = run.lines(deploy, stream);
        let numbered: Vec<&str> = lines
            .into_iter()
            .filter_map(|line| line.strip_prefix(prefix))
            .collect();
        let wanted: Vec<String> = (1..=CHATTY_LINES).map(|n| n.to_string()).collect();
        assert_eq!(numbered, wanted, "{}", run.story());
    }
    for log in &run.logs {
        let numbers: Vec<i64> = log.iter().map(|line| line.n).collect();
        let wanted: Vec<i64> = (1..=i64::try_from(log.len()).unwrap()).collect();
        assert_eq!(numbers, wanted);
    }
}
