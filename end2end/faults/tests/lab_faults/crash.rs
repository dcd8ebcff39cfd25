//! The portal is killed as by `kill -9` and started again: nothing is lost, nothing happens twice.
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::log::Stream;
use domain::run::{RunEvent, RunState, StepState};
use domain::step::Outcome;
use domain::{RunId, StepId};
use faults::app::CHATTY_LINES;
use faults::hold::{hold_after, let_go, stored_events};
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
    // Between each two events that follow one another, and before the first.
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
    attempt(&world, Death::None).await;
    // From a run's begin to its end, in the midst of what a step does and not at its events.
    let moments = [
        "commit ",
        "building web",
        "pulling ",
        "stopping faults-shot",
        "starting faults-shot",
        "line 50",
        "line 150",
        "telling Slack",
    ];
    let mut resumed = Vec::new();
    for moment in moments {
        let (run, since) = attempt(&world, Death::Said(moment)).await;
        as_if_nothing_had_been(&world, &run, &since).await;
        if was_resumed(&run) {
            resumed.push(moment);
        }
    }
    // The last moments lie so near to the end that the run may be over first; the container's own do not.
    assert!(
        resumed.contains(&"line 50") && resumed.len() + 2 >= moments.len(),
        "only these were shot before their end: {resumed:?}"
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_at_the_workflow_files_or_the_web_server_ends_the_run_as_if_nothing_had_been()
 {
    let conf = "/etc/nginx/conf.d/faults-edges.conf";
    let spec = Spec {
        lint: true,
        component: "proxy = { kind = \"nginx\", path = \"/etc/nginx/conf.d/faults-edges.conf\", template = \"front.conf\", health = \"http://localhost:18280/\" }\n",
        droplet: "prod-backend",
        ..Spec::new("edges", 18279)
    };
    let world = World::new(spec).await;
    let clear = "rm -f /etc/nginx/conf.d/*faults-edges* /etc/nginx/conf.d/.faults-edges*; nginx -s reload || nginx";
    world.droplet.shell(clear).await;
    let front = |text: &str| {
        format!(
            "# {text}\nserver {{ listen 18280; location / {{ proxy_pass http://127.0.0.1:18279; }} }}\n"
        )
    };
    let moments = [
        "commit ",
        "workflow files without an error",
        "answers 200 after",
        "writing /etc/nginx",
        "testing the web server's configuration",
        "answers 200 through the web server",
    ];
    let mut resumed = 0;
    for moment in moments {
        // One that is new each time, so that it is written and loaded.
        let text = front(new_version());
        world.write("templates/front.conf", &text);
        let (run, since) = attempt(&world, Death::Said(moment)).await;
        as_if_nothing_had_been(&world, &run, &since).await;
        resumed += usize::from(was_resumed(&run));
        let there = world.droplet.shell(&format!("cat {conf}")).await;
        assert_eq!(there.trim(), text.trim(), "{moment}: {}", run.story());
        let listed = world.droplet.shell("ls -A /etc/nginx/conf.d").await;
        assert!(
            !listed.contains(".faults-edges.conf.before-"),
            "{moment}: {listed}"
        );
        println!("killed at {moment:?}: {:?}", run.state());
    }
    assert!(resumed + 3 >= moments.len(), "only {resumed} were shot");
    world.droplet.shell(clear).await;
    world.close().await;
}

/// The deploy of a program that never gets healthy, shot at moments that lie from its start to the end of its undoing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_while_a_deploy_fails_still_returns_the_old_container_and_its_files() {
    let spec = Spec {
        greeting: true,
        ..Spec::new("failing", 18123)
    };
    let mut world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    engine.stop().await;
    drop(portal);
    let before = (
        world.containers().await,
        world.droplet.id(&world.container()).await,
    );
    world.write("templates/greeting", "a new greeting\n");
    world.rewrite(|spec| spec.attempts = 5).await;
    let (mut resumed, mut aside) = (0, 0);
    let moments = [
        ("pulling ", 0),
        ("writing /home", 0),
        ("stopping faults-failing", 0),
        ("stopping faults-failing", 100),
        ("starting faults-failing", 0),
        ("version v", 0),
        ("version v", 1000),
        ("put back ", 0),
        ("put back ", 50),
    ];
    for (said, lives_on) in moments {
        let moment = format!("{lives_on} ms after {said:?}");
        world.repository.commit(&App::of(new_version(), Mode::Sick));
        let mut orders = Orders {
            folder: world.folder().to_path_buf(),
            deploy: Some(world.request()),
            die_said: Some(said.into()),
            lives_on,
            ..Orders::default()
        };
        let mut portal = Process::start(PORTAL, &orders);
        let run = portal
            .says("run")
            .await
            .expect("the portal takes the request");
        portal.wait().await;
        let names = world.containers().await;
        aside += usize::from(names.iter().any(|(name, _)| name.contains(".before-")));
        (orders.deploy, orders.run, orders.die_said) = (None, Some(run), None);
        let mut portal = Process::start(PORTAL, &orders);
        portal.says("events").await.expect("the run ends");
        portal.wait().await;
        let portal = world.portal().await;
        let run = ended(&portal, RunId(run)).await;
        resumed += usize::from(was_resumed(&run));
        let failure = run.failed(kind::deploy, &[]);
        let undone = failure.undone.as_deref().unwrap_or_default();
        assert!(
            undone.starts_with("the container that ran before is back"),
            "{moment}: {}",
            run.story()
        );
        let after = (
            world.containers().await,
            world.droplet.id(&world.container()).await,
        );
        assert_eq!(after, before, "{moment}: {}", run.story());
        let listed = world
            .droplet
            .shell(&format!("cd {} && ls && cat text", world.place()))
            .await;
        assert_eq!(listed, "text\nhello from dev", "{moment}: {}", run.story());
        is_told_at_most_once(&world, &run).await;
        println!("killed {moment}: {:?}", run.state());
    }
    // From the stop of the old container to its return it stands aside, which is when most can go wrong.
    assert!(
        aside >= 1 && resumed + 2 >= moments.len(),
        "{aside} kills found the old container aside, {resumed} were before the run's end"
    );
    world.close().await;
}

/// Whether a life of the portal took the run up from an earlier one.
fn was_resumed(run: &Ended) -> bool {
    let mut events = run.view.events.iter();
    events.any(|stored| stored.event == RunEvent::Resumed)
}

/// When the portal dies.
#[derive(Clone, Copy)]
enum Death {
    None,
    /// As soon as this many events are stored, and before there is one more.
    After(i64),
    /// As soon as the log of some step holds this.
    Said(&'static str),
    /// At each third event.
    Often,
}

/// Where the workflow files are checked, there is nothing wrong with this one.
const WORKFLOW: &str = "---
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: make
";

/// One run from the click to its end, however many lives of the portal it takes; and the moment before it.
async fn attempt(world: &World, death: Death) -> (Ended, String) {
    let version = new_version();
    world.repository.commit(&App {
        workflow: Some(WORKFLOW),
        ..App::of(version, Mode::Chatty)
    });
    let since = world.droplet.now().await;
    let mut orders = Orders {
        folder: world.folder().to_path_buf(),
        deploy: Some(world.request()),
        ..Orders::default()
    };
    orders.die_after = match death {
        Death::After(events) => Some(events),
        Death::Often => Some(3),
        Death::None | Death::Said(_) => None,
    };
    if let Death::Said(text) = death {
        orders.die_said = Some(text.into());
    }
    // Some events follow one another faster than a process can be killed, so the next one is kept out.
    if let Death::After(events) = death {
        hold_after(world.folder(), events).await;
    }
    let mut portal = Process::start(PORTAL, &orders);
    let run = portal
        .says("run")
        .await
        .expect("the portal takes the request");
    match death {
        Death::None => assert!(!portal.wait().await),
        Death::After(_) | Death::Often | Death::Said(_) => {
            assert!(portal.wait().await, "it was to be killed");
        }
    }
    if let Death::After(events) = death {
        assert_eq!(stored_events(world.folder(), RunId(run)).await, events);
        let_go(world.folder()).await;
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

    is_told_at_most_once(world, run).await;
}

/// In Slack: once. Between asking Slack and noting that it was asked nobody can know; then the run says so.
async fn is_told_at_most_once(world: &World, run: &Ended) {
    let told = world.told_of(run.view.row.id.0).await;
    let unknown = run.view.steps.iter().any(|step| match &step.state {
        StepState::Succeeded {
            outcome: Outcome::Nothing { why },
        } => why.contains("not known"),
        _ => false,
    });
    assert!(
        told == 1 || (told == 0 && unknown),
        "told {told} times\n{}",
        run.story()
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
