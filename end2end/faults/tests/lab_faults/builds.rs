//! Builds that fail for what the commit or the builder lacks. That they can be cancelled is in `images`.
use domain::manifest::{Host, HostLogin};
use domain::run::StepState;
use domain::step::Outcome;
use faults::world::{kind, lead, origin};
use faults::{App, Droplet, Spec, World};
use lab::program::docker;
use portal::{Builder, Config, Portal};

/// v1 serves; then v2 is built with this line in its dockerfile, and fails while v1 goes on.
async fn v2_is_not_built(spec: Spec, build: &'static str, says: &[&str]) {
    let world = World::new(spec).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let watch = world.watch();
    let broken = App {
        build,
        ..App::fine("v2")
    };
    let run = world.deploy(&portal, &broken).await;
    run.failed(kind::build, says);
    assert!(world.told().await.1.contains(says[0]));
    watch.saw_nothing_but("v1").await;
    assert_eq!(world.containers().await.len(), 1);
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_its_dockerfile_refuses_the_click_and_says_which_file_it_lacks() {
    let world = World::new(Spec::new("no-dockerfile", 18273)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let started = world.droplet.started(&world.container()).await;
    world.repository.commit_without("dockerfile");
    let commit = world.repository.head();
    let refused = portal.deploy(&lead(), origin(), world.request()).await;
    let sentence = refused.expect_err("nothing can be built").to_string();
    for said in [
        commit.short(),
        "`dockerfile`",
        "`web`",
        "commit it, or correct `build`",
    ] {
        assert!(sentence.contains(said), "{said:?} is not in {sentence:?}");
    }
    assert_eq!(world.told().await.0, 1, "of the first run");
    assert_eq!(world.droplet.started(&world.container()).await, started);
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_is_killed_for_memory_says_so() {
    // As the kernel does it: the command has no say in it.
    let says = ["the build failed at", "kill -9", "137", "ran out of memory"];
    v2_is_not_built(
        Spec::new("build-oom", 18274),
        "RUN sh -c 'kill -9 $$'; exit $?",
        &says,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_fills_the_builders_disk_says_so() {
    // The device that is always full.
    let build = "RUN cat /etc/passwd >/dev/full";
    let says = ["the build failed at", "/dev/full", "disk is full", "prune"];
    v2_is_not_built(Spec::new("build-full", 18275), build, &says).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_image_is_pulled_with_the_account_of_its_registry() {
    let world = World::new(Spec::new("private-base", 18344)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let app = App {
        base: world.private_base("account").await,
        ..App::fine("v1")
    };
    let run = world.deploy(&portal, &app).await;
    run.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    engine.stop().await;
    world.close().await;
    let _ = docker(["rmi", "--no-prune", app.base]).run().await;
}

/// The server that builds, and the project whose images it builds.
const FAR: (&str, &str) = ("prod-backend", "far-builder");

/// What the engine that `run` asks has of the project: images by either name, containers, networks.
async fn traces(run: impl AsyncFn(String) -> String) -> Vec<String> {
    let (label, name) = (format!("label=fairlead.project={}", FAR.1), FAR.1);
    let mut found = String::new();
    for line in [
        format!(
            "image ls --filter=reference=fairlead/{name}-* --format={{{{.Repository}}}}:{{{{.Tag}}}}"
        ),
        format!(
            "image ls --filter=reference=*/faults/{name} --format={{{{.Repository}}}}:{{{{.Tag}}}}"
        ),
        format!("ps --all --filter={label} --format={{{{.Names}}}}"),
        format!("network ls --filter={label} --format={{{{.Name}}}}"),
    ] {
        found += &run(line).await;
        found.push('\n');
    }
    let found = found.lines().filter(|line| !line.is_empty());
    found.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_builds_tests_and_pushes_and_this_machine_takes_no_part() {
    let spec = Spec {
        test: "in = \"built image\"\nrun = [\"python -u /app/checks.py\"]\n",
        ..Spec::new(FAR.1, 18345)
    };
    let world = World::new(spec).await;
    let described = world.lab.droplets[FAR.0].clone();
    let far = Droplet { described };
    far.forget_images(FAR.1).await;
    let address = far.described.address.to_string();
    world.write_secrets(&[
        ("BUILDER_ADDRESS", &address),
        (
            "BUILDER_PASSWORD",
            far.described.password.as_deref().unwrap(),
        ),
    ]);
    let builder = Host {
        address: "secret:BUILDER_ADDRESS".parse().unwrap(),
        port: far.described.port,
        user: far.described.user.parse().unwrap(),
        login: HostLogin::Password("secret:BUILDER_PASSWORD".parse().unwrap()),
        host_key: Some(far.described.host_key.parse().unwrap()),
    };
    let portal = Portal::open(Config {
        builder: Builder::Host(builder),
        ..world.config()
    });
    let portal = portal.await.unwrap();
    let engine = portal.start_engine();
    let app = App {
        base: world.private_base("far").await,
        build: Box::leak(format!("RUN echo the builder is {address}").into_boxed_str()),
        ..App::fine("v1")
    };
    let run = world.deploy(&portal, &app).await;
    run.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v1"));
    let story = run.story();
    assert!(
        story.contains("the builder is [REDACTED]") && !story.contains(&address),
        "{story}"
    );
    let tests = &run.view.steps[run.step(kind::test).index()].state;
    let passed = Outcome::Tested {
        passed: Some(3),
        skipped: Some(1),
    };
    assert_eq!(*tests, StepState::Succeeded { outcome: passed });

    let there = traces(async |line| far.shell(&format!("docker {line}")).await).await;
    let [built, pushed] = &there[..] else {
        panic!("{there:?}");
    };
    assert!(built.starts_with("fairlead/far-builder-web:"), "{there:?}");
    assert!(pushed.contains("/faults/far-builder:dev-"), "{there:?}");
    let here = traces(async |line| docker(line.split(' ')).run().await.unwrap()).await;
    assert_eq!(here, [""; 0]);
    engine.stop().await;
    far.run(&["docker", "rmi", built, pushed, app.base]).await;
    world.close().await;
}
