//! What tests of other people's programs need beside a container: networks, programs in a container, files in and out.
use std::time::Duration;

use adapters::docker::{ContainerSpec, DockerError, Extracted};
use bytes::Bytes;
use futures::stream;

use super::lab::{Lab, run, script};

#[tokio::test]
async fn containers_on_a_network_of_their_own_know_each_other_by_alias() {
    let engine = Lab::load().local();
    engine
        .tag("debian:bookworm-slim", "fairlead-test")
        .await
        .unwrap();
    let labels = [("fairlead-test".to_owned(), "fl-beside".to_owned())].into();
    for old in engine.list(&["fairlead-test=fl-beside"]).await.unwrap() {
        engine.remove(&old.id).await.unwrap();
    }
    for old in engine.networks(&["fairlead-test=fl-beside"]).await.unwrap() {
        engine.remove_network(&old.id).await.unwrap();
    }
    let network = engine.create_network("fl-beside", &labels).await.unwrap();
    let found = engine.networks(&["fairlead-test=fl-beside"]).await.unwrap();
    assert_eq!(
        (found[0].id.as_str(), found[0].name.as_str(), found.len()),
        (network.as_str(), "fl-beside", 1)
    );

    let mut service = script(&engine, "fl-beside", "exec sleep 600").await;
    service.networks = vec!["fl-beside".into()];
    service.aliases = vec!["db".into()];
    let service = engine.create("fl-beside-db", &service).await.unwrap();
    engine.start(&service).await.unwrap();
    let mut asking = ContainerSpec::new("fairlead-test");
    asking.labels = labels;
    asking.networks = vec!["fl-beside".into()];
    asking.command = ["getent", "hosts", "db"].map(ToOwned::to_owned).to_vec();
    let asking = engine.create("fl-beside-asks", &asking).await.unwrap();
    engine.start(&asking).await.unwrap();
    assert_eq!(engine.wait(&asking).await.unwrap(), 0);

    let error = engine.remove_network(&network).await.unwrap_err();
    assert!(matches!(error, DockerError::Conflict { .. }), "{error:?}");
    for container in [service, asking] {
        engine.remove(&container).await.unwrap();
    }
    engine.remove_network(&network).await.unwrap();
    engine.remove_network(&network).await.unwrap();
    assert_eq!(
        engine.networks(&["fairlead-test=fl-beside"]).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn a_program_in_a_container_gives_its_status_and_its_words() {
    let lab = Lab::load();
    let engine = lab.engine("prod-backend").await;
    let id = run(&engine, "fl-exec", "exec sleep 600").await;
    let limit = Duration::from_secs(20);
    let script = "printf 'one\\nand\\n'; echo two >&2; printf three; exit 7";
    let done = engine
        .exec(&id, &["sh", "-c", script], limit)
        .await
        .unwrap();
    assert_eq!(done.code, 7);
    let mut lines = done.lines;
    lines.sort();
    assert_eq!(lines, ["and", "one", "three", "two"].map(Bytes::from));

    let absent = engine.exec(&id, &["no-such-program"], limit).await.unwrap();
    assert!([126, 127].contains(&absent.code), "{absent:?}");
    let much = ["head", "-c", "5000000", "/dev/zero"];
    assert_eq!(engine.exec(&id, &much, limit).await.unwrap().code, 0);
    let short = Duration::from_millis(500);
    let error = engine.exec(&id, &["sleep", "30"], short).await.unwrap_err();
    assert!(matches!(error, DockerError::Timeout { .. }), "{error:?}");
    engine.kill(&id, "SIGKILL").await.unwrap();
    engine.wait(&id).await.unwrap();
    let error = engine.exec(&id, &["true"], limit).await.unwrap_err();
    assert!(matches!(error, DockerError::Conflict { .. }), "{error:?}");
    engine.remove(&id).await.unwrap();
}

#[tokio::test]
async fn files_go_into_a_container_before_it_runs_and_come_out_after() {
    let lab = Lab::load();
    let engine = lab.engine("prod-backend").await;
    let text = "cat /fairlead/command >out/a; mkdir -p out/deep; echo b >out/deep/b";
    let mut spec = script(&engine, "fl-files", text).await;
    // The engine makes the folder that a container works in.
    spec.workdir = Some("/fairlead/source".into());
    let id = engine.create("fl-files", &spec).await.unwrap();
    engine
        .write_file(&id, "/fairlead/command", "npm ci\n")
        .await
        .unwrap();
    engine
        .write_file(&id, "/fairlead/source/out/given", "")
        .await
        .unwrap();
    engine.start(&id).await.unwrap();
    assert_eq!(engine.wait(&id).await.unwrap(), 0);

    let most = 1 << 20;
    let found = engine.files(&id, "/fairlead/source/out", most).await;
    let mut found = found.unwrap().unwrap();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let file = |path: &str, content: &str| Extracted {
        path: path.into(),
        content: content.into(),
    };
    let want = [
        file("out/a", "npm ci\n"),
        file("out/deep/b", "b\n"),
        file("out/given", ""),
    ];
    assert_eq!(found, want);
    let one = engine.files(&id, "/fairlead/command", most).await.unwrap();
    assert_eq!(one, Some(vec![file("command", "npm ci\n")]));
    assert_eq!(engine.files(&id, "/none", most).await.unwrap(), None);
    let error = engine.files(&id, "/usr/bin", most).await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error:?}");

    let broken = stream::iter([Err(std::io::Error::other("`git archive` failed"))]);
    let error = engine.unpack(&id, "/", broken).await.unwrap_err();
    assert!(
        matches!(&error, DockerError::Context { why } if why.contains("git archive")),
        "{error:?}"
    );
    let nowhere = stream::iter([Ok(Bytes::new())]);
    assert!(engine.unpack(&id, "/none", nowhere).await.is_err());
    engine.remove(&id).await.unwrap();
}
