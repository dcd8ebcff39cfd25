//! Tests of the project before it is deployed: they pass, fail, hang, and are cut off; the builder is clean after each.
use std::time::{Duration, Instant};

use domain::log::Stream;
use domain::report::{Content, TestReport};
use domain::run::{RunEvent, RunState, StepState};
use domain::step::Outcome;
use domain::{RunId, StepId};
use faults::droplet::tested_in;
use faults::process::{Orders, Process};
use faults::world::{ended, kind, lead, origin, until_said};
use faults::{App, Ended, Spec, World};
use lab::program::docker;
use store::{Store, StoreUrl};

const PORTAL: &str = "crash::the_portal_that_the_other_tests_kill";

/// In the image that the run built, whose working folder is the root.
const BUILT: &str = r#"in = "built image"
run = ["echo first to the log", "python -u /app/checks.py"]
timeout = "40s"
"#;

/// In another image, with a database.
const BESIDE: &str = r#"in = "python:3.12-slim"
run = ["python -c 'import socket, os; socket.create_connection((os.environ[\"AT\"], 5432)).close(); print(\"connected\")'", "python -u checks.py && echo $SECRET >left", "test -f left && cat left"]
env = { AT = "db", SECRET = "secret:DOCR_PASSWORD" }
[components.web.test.services.db]
image = "postgres:15"
env = { POSTGRES_PASSWORD = "postgres" }
ready = "pg_isready -U postgres"
"#;

/// What a runner does that writes JUnit's XML: it prints little, and its file says all.
const REPORTING: &str = r#"import pathlib, sys
failure = '<failure message="expected 4, got 5">at totals.py:3</failure>' if BAD else ""
pathlib.Path("out").mkdir()
pathlib.Path("out/junit.xml").write_text(f"""<testsuites><testsuite name="orders" tests="3">
<testcase classname="orders.Totals" name="test_sum">{failure}</testcase>
<testcase classname="orders.Totals" name="test_empty"/>
<testcase classname="orders.Totals" name="test_later"><skipped/></testcase>
</testsuite></testsuites>""")
print("done")
sys.exit(1 if BAD else 0)
"#;

/// What the builder has of a world's tests, running or not.
async fn on_the_builder(world: &World) -> Vec<String> {
    let found = tested_in(world.spec.name).await;
    found.containers.into_iter().chain(found.networks).collect()
}

/// Waits until the tests' own container is there.
async fn tests_at_work(world: &World) -> Vec<String> {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let found = on_the_builder(world).await;
        if found.len() >= 2 {
            return found;
        }
        assert!(Instant::now() < limit, "no tests: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What becomes of a run that a killed portal has left, in the portal's next life.
async fn goes_on(world: &World, mut orders: Orders, run: i64) -> Ended {
    (orders.deploy, orders.run) = (None, Some(run));
    (orders.die_said, orders.die_tested) = (None, false);
    let mut process = Process::start(PORTAL, &orders);
    process.says("events").await.expect("the run ends");
    process.wait().await;
    ended(&world.portal().await, RunId(run)).await
}

async fn nothing_is_left(world: &World) {
    assert_eq!(on_the_builder(world).await, [""; 0]);
}

async fn report(world: &World, run: RunId, step: StepId) -> Option<TestReport> {
    let database = world.folder().join("portal/fairlead.db");
    let store = Store::open_beside(&StoreUrl::Sqlite(database))
        .await
        .unwrap();
    let artifacts = store.artifacts(run).await.unwrap();
    let found = artifacts.into_iter().find(|found| found.step == step)?;
    match found.content {
        Content::Tests(report) => Some(report),
        other => panic!("{other:?}"),
    }
}

fn outcome(run: &Ended) -> &StepState {
    &run.view.steps[run.step(kind::test).index()].state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_that_pass_are_counted_and_not_run_again_on_the_same_source() {
    let spec = Spec {
        test: BUILT,
        ..Spec::new("tests-pass", 18245)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    let tested = Outcome::Tested {
        passed: Some(3),
        skipped: Some(1),
    };
    let succeeded = |outcome| StepState::Succeeded { outcome };
    assert_eq!(*outcome(&first), succeeded(tested), "{}", first.story());
    let step = first.step(kind::test);
    let log = &first.logs[step.index()];
    let place = |text: &str| log.iter().position(|line| line.text == text);
    let (command, printed, next) = (
        place("$ echo first to the log").unwrap(),
        place("first to the log").unwrap(),
        place("$ python -u /app/checks.py").unwrap(),
    );
    assert!(command < printed && printed < next, "{}", first.story());
    assert_eq!(first.lines(step, Stream::Out), ["first to the log"]);
    assert!(
        first
            .lines(step, Stream::Err)
            .iter()
            .any(|line| line.starts_with("test_it_is_not_bad") && line.ends_with("ok")),
        "{}",
        first.story()
    );
    nothing_is_left(&world).await;

    // The source is the same, the commit is another one.
    let again = world.deploy(&portal, &App::fine("v1")).await;
    again.succeeded();
    let why = "these tests passed on the same source in run #1".into();
    assert_eq!(*outcome(&again), succeeded(Outcome::Nothing { why }));
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_test_is_named_and_blocks_the_deploy_unless_a_lead_says_why_not() {
    let spec = Spec {
        test: BUILT,
        ..Spec::new("tests-fail", 18246)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    let says = [
        "1 of 3 tests failed: __main__.Checks.test_it_is_not_bad",
        "`python -u /app/checks.py` ended with status 1",
    ];
    let bad = world.deploy(&portal, &App::fine("bad")).await;
    bad.failed(kind::test, &says);
    let deploy = &bad.view.steps[bad.step(kind::deploy).index()].state;
    assert!(matches!(deploy, StepState::Skipped { .. }), "{deploy:?}");
    let (run, step) = (bad.view.row.id, bad.step(kind::test));
    let found = report(&world, run, step).await.unwrap();
    assert_eq!((found.passed, found.failed, found.skipped), (2, 1, 1));
    assert!(
        found.failures[0]
            .message
            .starts_with("AssertionError: 'bad'"),
        "{found:?}"
    );
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    nothing_is_left(&world).await;

    let mut request = world.request();
    request.override_tests = true;
    let run = portal.deploy(&lead(), origin(), request).await.unwrap();
    let all_the_same = ended(&portal, run).await;
    all_the_same.succeeded();
    let StepState::Failed { failure } = outcome(&all_the_same) else {
        panic!("{}", all_the_same.story());
    };
    assert!(failure.what.contains(says[0]), "{failure:?}");
    assert_eq!(world.serves().await.as_deref(), Some("bad"));
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_in_a_file_gives_the_counts_and_the_names_of_what_failed() {
    let spec = Spec {
        test: r#"in = "python:3.12-slim"
run = ["python suite.py"]
report = "out/junit.xml"
"#,
        ..Spec::new("tests-report", 18285)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.repository.commit(&App::fine("v1"));
    let tested = async |bad: &str| {
        let suite = REPORTING.replace("BAD", bad);
        world.repository.commit_file("suite.py", &suite);
        let request = world.request();
        let run = portal.deploy(&lead(), origin(), request).await.unwrap();
        ended(&portal, run).await
    };
    let bad = tested("True").await;
    let says = "1 of 2 tests failed: orders.Totals.test_sum; `python suite.py` ended with status 1";
    bad.failed(kind::test, &[says]);
    let (run, step) = (bad.view.row.id, bad.step(kind::test));
    let found = report(&world, run, step).await.unwrap();
    assert_eq!((found.passed, found.failed, found.skipped), (1, 1, 1));
    assert_eq!(found.failures[0].name, "orders.Totals.test_sum");
    assert_eq!(found.failures[0].message, "expected 4, got 5");
    assert_eq!(world.containers().await, []);
    nothing_is_left(&world).await;

    let good = tested("False").await;
    let counted = Outcome::Tested {
        passed: Some(2),
        skipped: Some(1),
    };
    let succeeded = StepState::Succeeded { outcome: counted };
    assert_eq!(*outcome(&good), succeeded, "{}", good.story());
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_in_another_image_have_the_source_a_database_and_secrets_that_nobody_reads() {
    let spec = Spec {
        test: BESIDE,
        ..Spec::new("tests-beside", 18247)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let run = world.start(&portal, &App::fine("v1 slow")).await;
    tests_at_work(&world).await;
    let volumes = volumes(&world).await;
    let run = ended(&portal, run).await;
    run.succeeded();
    let step = run.step(kind::test);
    let out = run.lines(step, Stream::Out);
    assert_eq!(out, ["connected", "[REDACTED]"], "{}", run.story());
    nothing_is_left(&world).await;
    assert!(!volumes.is_empty(), "the database has a volume");
    let there = docker(["volume", "ls", "--quiet"]).run().await.unwrap();
    for volume in volumes {
        assert!(!there.contains(&volume), "{volume}");
    }
    engine.stop().await;
    world.close().await;
}

/// The volumes of the world's containers on the builder.
async fn volumes(world: &World) -> Vec<String> {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let found = on_the_builder(world).await;
        let format = "--format={{range .Mounts}}{{.Name}} {{end}}";
        if let Some(db) = found.iter().find(|name| name.ends_with("-db"))
            && let Ok(names) = docker(["inspect", format, db]).run().await
            && !names.trim().is_empty()
        {
            return names.split_whitespace().map(str::to_owned).collect();
        }
        assert!(Instant::now() < limit, "no database: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_that_hang_are_stopped_after_their_time_and_the_command_is_named() {
    let spec = Spec {
        test: r#"in = "built image"
run = ["true", "python -u /app/checks.py"]
timeout = "40s"
"#,
        ..Spec::new("tests-hang", 18248)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let hung = world.deploy(&portal, &App::fine("endless")).await;
    let says = [
        "the tests took longer than 40 s and were stopped",
        "`python -u /app/checks.py` was still at work",
        "raise `test.timeout`",
    ];
    hung.failed(kind::test, &says);
    // The line that it was in the middle of.
    let lines = hung.lines(hung.step(kind::test), Stream::Err);
    let last = lines.last().unwrap();
    assert!(last.starts_with("test_it_has_an_end"), "{}", hung.story());
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_never_becomes_ready_fails_the_tests_with_its_last_words() {
    let spec = Spec {
        test: r#"in = "python:3.12-slim"
run = ["true"]
[components.web.test.services.db]
image = "postgres:15"
env = { POSTGRES_PASSWORD = "postgres" }
ready = "echo not in a hundred years; exit 3"
"#,
        ..Spec::new("tests-wait", 18249)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let failed = world.deploy(&portal, &App::fine("v1")).await;
    let says = [
        "service `db` was not ready within 60 s",
        "not in a hundred years",
        "it said last: ",
        "database system is ready to accept connections",
    ];
    failed.failed(kind::test, &says);
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_ends_and_a_command_that_is_killed_are_told_apart_from_failing_tests() {
    let spec = Spec {
        test: r#"in = "python:3.12-slim"
run = ["true"]
[components.web.test.services.db]
image = "postgres:15"
ready = "pg_isready"
"#,
        ..Spec::new("tests-end", 18249)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let failed = world.deploy(&portal, &App::fine("v1")).await;
    let says = [
        "service `db` ended with status 1 before it was ready",
        "POSTGRES_PASSWORD is not set",
    ];
    failed.failed(kind::test, &says);
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;

    let spec = Spec {
        test: r#"in = "built image"
run = ["sh -c 'kill -9 $$'"]
"#,
        ..Spec::new("tests-end", 18249)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let failed = world.deploy(&portal, &App::fine("v1")).await;
    failed.failed(kind::test, &["was killed (status 137)", "memory"]);
    nothing_is_left(&world).await;
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_takes_its_tests_from_the_builder() {
    let spec = Spec {
        test: BESIDE,
        ..Spec::new("tests-cancel", 18292)
    };
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    // While the database starts, and while a test is at work.
    for said in ["starting db from postgres:15", "$ python -u checks.py"] {
        let run = world.start(&portal, &App::fine("v1 endless")).await;
        let view = portal.run(&lead(), run).await.unwrap();
        until_said(&portal, run, faults::world::step(&view, kind::test), said).await;
        portal.cancel(&lead(), origin(), run).await.unwrap();
        let run = ended(&portal, run).await;
        assert_eq!(run.state(), RunState::Cancelled, "{}", run.story());
        nothing_is_left(&world).await;
    }
    engine.stop().await;
    world.close().await;
}

/// A run of which the portal was killed during the tests: the portal's orders, the run, and what was at work.
async fn killed_at_work(world: &World, app: &'static str) -> (Orders, i64, Vec<String>) {
    world.repository.commit(&App::fine(app));
    let orders = Orders {
        folder: world.folder().to_path_buf(),
        deploy: Some(world.request()),
        ..Orders::default()
    };
    let mut process = Process::start(PORTAL, &orders);
    let run = process.says("run").await.expect("the portal takes it");
    let at_work = tests_at_work(world).await;
    process.kill().await;
    (orders, run, at_work)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_during_the_tests_clears_up_and_tests_afresh() {
    let spec = Spec {
        test: BESIDE,
        ..Spec::new("tests-kill", 18293)
    };
    let world = World::new(spec).await;
    let (orders, run, before) = killed_at_work(&world, "v1 slow").await;
    assert!(before.len() >= 2, "{before:?}");
    let run = goes_on(&world, orders, run).await;
    run.succeeded();
    let resumed = run.view.events.iter();
    assert!(
        resumed
            .map(|stored| &stored.event)
            .any(|event| *event == RunEvent::Resumed),
        "{}",
        run.story()
    );
    let cleared = "removed what the interrupted tests had left; they start afresh";
    let lines = run.lines(run.step(kind::test), Stream::Portal);
    assert!(lines.contains(&cleared), "{}", run.story());
    assert_eq!(world.serves().await.as_deref(), Some("v1 slow"));
    nothing_is_left(&world).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_killed_once_the_tests_have_passed_clears_up_before_the_run_ends() {
    let spec = Spec {
        test: BESIDE,
        ..Spec::new("tests-passed", 18265)
    };
    let world = World::new(spec).await;
    world.repository.commit(&App::fine("v1"));
    let orders = Orders {
        folder: world.folder().to_path_buf(),
        deploy: Some(world.request()),
        // The database of the tests takes longer than that to go.
        die_tested: true,
        ..Orders::default()
    };
    let mut process = Process::start(PORTAL, &orders);
    let run = process.says("run").await.expect("the portal takes it");
    assert!(process.wait().await, "it was to be killed");
    assert_ne!(on_the_builder(&world).await, [""; 0], "it was too late");
    goes_on(&world, orders, run).await.succeeded();
    nothing_is_left(&world).await;
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tests_leave_is_removed_later_by_the_portal_whose_they_were() {
    let spec = Spec {
        test: BESIDE,
        ..Spec::new("tests-left", 18_289)
    };
    let world = World::new(spec).await;
    let (orders, run, _) = killed_at_work(&world, "v1 endless").await;
    // The next life cannot know where it is to look.
    std::fs::remove_file(world.folder().join("secrets.env")).unwrap();
    let run = goes_on(&world, orders, run).await;
    let failure = run.failed(kind::test, &["secrets.env cannot be read"]);
    let undone = failure.undone.as_deref().unwrap_or_default();
    let label = format!(
        "label=fairlead.run={}-{:x}",
        run.view.row.id, run.view.row.requested.0
    );
    assert!(undone.contains(&label), "{undone}");
    let listed = ["ps", "--all", "--quiet", "--filter", &label];
    assert_ne!(docker(listed).run().await.unwrap().trim(), "");

    // Another portal's run may have the same number, but not of the same moment.
    let project = format!("--label=fairlead.project={}", world.spec.name);
    let other = "fairlead-test-1-abc-2";
    let (key, step) = ("--label=fairlead.run=1-abc", "--label=fairlead.step=2");
    let image = "python:3.12-slim";
    let line = ["create", "--name", other, &project, key, step, image];
    docker(line).run().await.unwrap();
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let limit = Instant::now() + Duration::from_secs(60);
    while on_the_builder(&world).await != [other] {
        assert!(Instant::now() < limit, "{:?}", on_the_builder(&world).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    engine.stop().await;
    world.close().await;
}
