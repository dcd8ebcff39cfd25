use std::time::Duration;

use adapters::docker::{DockerError, Health, RestartPolicy, State};
use domain::manifest::{HealthCheck, Restart, Span};

use super::lab::{Lab, run, script};

#[tokio::test]
async fn a_container_goes_through_its_life_with_everything_that_it_was_given() {
    let lab = Lab::load();
    let host = lab.host("prod-backend").await;
    let engine = lab.engine("prod-backend").await;
    let name = "fl-life";
    // A web server that answers with what it was given.
    let text = r#"
        trap 'exit 4' TERM
        { echo "$TOKEN"; grep 'backend$' /etc/hosts | cut -f1; cat /given/file; id -u; pwd; } >/tmp/answer
        perl -MIO::Socket::INET -e '
            my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die;
            while (my $c = $server->accept) { <$c>; open(my $f, "<", "/tmp/answer"); my @a = <$f>;
                print $c "HTTP/1.0 200 OK\r\n\r\n", @a; close $c }' &
        wait"#;
    let mut spec = script(&engine, name, text).await;
    host.write_file("/home/django/fl-test/file", 0o644, "from the host\n")
        .await
        .unwrap();
    spec.env = vec![("TOKEN".into(), "s3cret \"quoted\"".into())];
    spec.hosts = vec![("backend".into(), "10.9.8.7".into())];
    spec.volumes = vec!["/home/django/fl-test:/given:ro".parse().unwrap()];
    spec.ports = vec!["127.0.0.1:18000:8000".parse().unwrap()];
    spec.user = Some("1234".into());
    spec.workdir = Some("/srv".into());
    spec.restart = Restart::UnlessStopped;
    spec.memory = Some("256m".parse().unwrap());
    spec.cpus = Some(0.5);
    spec.ulimits = vec![("nofile".into(), "256:512".parse().unwrap())];
    spec.tmpfs = vec![("/tmp".into(), "size=1m,mode=1777".into())];
    spec.read_only = true;
    spec.cap_drop = vec!["ALL".into()];
    spec.healthcheck = Some(HealthCheck {
        command: "true".into(),
        every: Span::seconds(1),
        timeout: Span::seconds(5),
        retries: 3,
        start_period: Span::seconds(0),
    });

    let id = engine.create(name, &spec).await.unwrap();
    assert_eq!(
        engine.inspect(name).await.unwrap().unwrap().state,
        State::Created
    );
    engine.start(&id).await.unwrap();
    engine.start(&id).await.unwrap();
    let found = engine.inspect(name).await.unwrap().unwrap();
    assert_eq!(
        (found.id.as_str(), found.name.as_str(), found.state),
        (id.as_str(), name, State::Running)
    );
    assert_eq!(found.labels["fairlead-test"], name);
    assert_eq!(
        found.image_id,
        engine.image("fairlead-test").await.unwrap().unwrap().id
    );
    let used = engine.images_in_use().await.unwrap();
    assert!(used.contains(&found.image_id), "{used:?}");
    assert!(found.started_ms.unwrap() >= found.created_ms && found.created_ms > 1_700_000_000_000);

    let limit = Duration::from_secs(2);
    let mut status = host.probe("http://127.0.0.1:18000/", limit).await;
    for _ in 0..300 {
        if status.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        status = host.probe("http://127.0.0.1:18000/", limit).await;
    }
    assert_eq!(status, Ok(200));
    let answer = host
        .exec(
            &adapters::ssh::Command::new("curl").args(["-s", "http://127.0.0.1:18000/"]),
            None,
        )
        .await
        .unwrap();
    let answer = String::from_utf8(answer.stdout).unwrap();
    assert_eq!(
        answer,
        "s3cret \"quoted\"\n10.9.8.7\nfrom the host\n1234\n/srv\n"
    );
    let mut health = Health::Starting;
    for _ in 0..300 {
        health = engine.inspect(name).await.unwrap().unwrap().health;
        if health == Health::Healthy {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(health, Health::Healthy);

    engine.stop(&id, Duration::from_secs(10)).await.unwrap();
    engine.stop(&id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(
        engine.inspect(name).await.unwrap().unwrap().state,
        State::Exited { code: 4 }
    );
    engine.rename(name, "fl-life-old").await.unwrap();
    assert_eq!(engine.inspect(name).await.unwrap(), None);
    assert_eq!(
        engine.list(&["fairlead-test=fl-life"]).await.unwrap()[0].name,
        "fl-life-old"
    );
    assert_eq!(
        engine
            .list(&["fairlead-test=fl-life", "other"])
            .await
            .unwrap(),
        []
    );
    engine.remove(&id).await.unwrap();
    engine.remove(&id).await.unwrap();
    assert_eq!(engine.inspect(&id).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_done_is_told_apart() {
    let lab = Lab::load();
    let engine = lab.engine("prod-backend").await;
    let mut first = script(&engine, "fl-first", "sleep 600").await;
    first.ports = vec!["18001:80".parse().unwrap()];
    let mut second = script(&engine, "fl-second", "sleep 600").await;
    second.ports = first.ports.clone();
    engine.create("fl-first", &first).await.unwrap();
    engine.start("fl-first").await.unwrap();

    let error = engine.create("fl-first", &first).await.unwrap_err();
    assert!(matches!(error, DockerError::Conflict { .. }), "{error:?}");
    engine.create("fl-second", &second).await.unwrap();
    let error = engine.start("fl-second").await.unwrap_err();
    assert!(
        matches!(&error, DockerError::PortTaken { why, .. } if why.contains("18001")),
        "{error:?}"
    );
    let error = engine.rename("fl-second", "fl-first").await.unwrap_err();
    assert!(matches!(error, DockerError::Conflict { .. }), "{error:?}");
    let error = engine.kill("fl-second", "SIGKILL").await.unwrap_err();
    assert!(matches!(error, DockerError::Conflict { .. }), "{error:?}");
    let error = engine.start("fl-absent").await.unwrap_err();
    assert!(matches!(error, DockerError::NotFound { .. }), "{error:?}");
    second.image = "fairlead-test:no-such-tag".into();
    let error = engine.create("fl-third", &second).await.unwrap_err();
    assert!(
        matches!(&error, DockerError::ImageMissing { reference, .. } if reference == "fairlead-test:no-such-tag"),
        "{error:?}"
    );
    second.image = "fairlead-test".into();
    second.ports.clear();
    second.networks = vec!["bridge".into(), "no-such-network".into()];
    engine.create("fl-third", &second).await.unwrap();
    let error = engine.start("fl-third").await.unwrap_err();
    assert!(error.to_string().contains("no-such-network"), "{error:?}");
    for name in ["fl-first", "fl-second", "fl-third"] {
        engine.remove(name).await.unwrap();
    }
}

#[tokio::test]
async fn waiting_gives_the_status_that_the_program_ended_with() {
    let lab = Lab::load();
    let engine = lab.engine("prod-backend").await;
    for code in [0, 7] {
        let id = run(&engine, "fl-wait", &format!("sleep 0.3; exit {code}")).await;
        assert_eq!(engine.wait(&id).await.unwrap(), code);
        assert_eq!(
            engine.inspect(&id).await.unwrap().unwrap().state,
            State::Exited { code }
        );
        engine.remove(&id).await.unwrap();
    }
}

#[tokio::test]
async fn a_restart_policy_can_be_changed_and_containers_are_found_by_the_start_of_their_names() {
    let lab = Lab::load();
    let engine = lab.engine("prod-backend").await;
    let mut spec = script(&engine, "fl-policy", "sleep 60").await;
    spec.restart = Restart::Always;
    spec.memory = Some("64m".parse().unwrap());
    for name in ["fl-policy", "fl-policy.before-1", "x-fl-policy"] {
        engine.remove(name).await.unwrap();
        engine.create(name, &spec).await.unwrap();
    }
    let policy = async || engine.inspect("fl-policy").await.unwrap().unwrap().restart;
    assert_eq!(policy().await, Restart::Always.into());
    for wanted in ["no", "unless-stopped", "on-failure", "on-failure:5"] {
        let wanted = RestartPolicy::parse(wanted).unwrap();
        engine.set_restart("fl-policy", wanted).await.unwrap();
        assert_eq!(policy().await, wanted);
    }
    let mut found: Vec<_> = engine.named("fl-policy").await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["fl-policy", "fl-policy.before-1"]);
    let before = engine.named("fl-policy.before-").await.unwrap();
    assert_eq!(before.len(), 1, "{before:?}");
    for name in ["fl-policy", "fl-policy.before-1", "x-fl-policy"] {
        engine.remove(name).await.unwrap();
    }
}
