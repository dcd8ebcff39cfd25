use std::{io, process::Command, time::Duration};

use adapters::docker::{BuildOptions, DockerError, Ignore};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::lab::{Lab, docker};

/// A context of a Dockerfile and a file of 3 MB, in pieces.
fn context(dockerfile: &str) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile.test"), dockerfile).unwrap();
    std::fs::write(folder.path().join("big"), vec![b'x'; 3_000_000]).unwrap();
    let tar = Command::new("tar")
        .arg("-C")
        .arg(folder.path())
        .args(["-c", "."])
        .output()
        .unwrap()
        .stdout;
    let pieces: Vec<_> = tar
        .chunks(50_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

fn options() -> BuildOptions {
    BuildOptions {
        dockerfile: "Dockerfile.test".into(),
        no_cache: true,
        ..BuildOptions::default()
    }
}

#[tokio::test]
async fn what_dockerignore_names_never_reaches_the_builder() {
    let lab = Lab::load();
    let text = "FROM debian:bookworm-slim\nCOPY . /context\nRUN ls /context\n";
    for (rules, sent) in [("", true), ("big\nDockerfile.test", false)] {
        let options = BuildOptions {
            ignore: Ignore::parse(rules),
            ..options()
        };
        let mut lines = Vec::new();
        let engine = lab.local();
        let built = engine.build(context(text), &options, |line| lines.push(line.to_owned()));
        let id = built.await.unwrap();
        lab.local().remove_image(&id).await.unwrap();
        assert_eq!(lines.iter().any(|line| line == "big"), sent, "{lines:?}");
    }
}

#[tokio::test]
async fn an_image_is_built_from_a_stream_with_arguments_labels_and_tags() {
    let lab = Lab::load();
    let text = "FROM debian:bookworm-slim\nARG COMMIT\nCOPY big /big\nRUN echo \"commit $COMMIT\" && wc -c </big\n";
    let options = BuildOptions {
        args: [("COMMIT".to_owned(), "1a2b".to_owned())].into(),
        labels: [("fairlead.test".to_owned(), "yes".to_owned())].into(),
        tags: vec!["fairlead-built:one".into(), "fairlead-built:two".into()],
        ..options()
    };
    let mut lines = Vec::new();
    let id = lab
        .local()
        .build(context(text), &options, |line| lines.push(line.to_owned()))
        .await
        .unwrap();
    assert!(
        lines.iter().any(|line| line == "commit 1a2b")
            && lines.iter().any(|line| line == "3000000"),
        "{lines:?}"
    );
    let listed = lab.local().images("fairlead.test=yes").await.unwrap();
    let listed = listed.into_iter().find(|image| image.id == id).unwrap();
    let mut tags = listed.tags;
    tags.sort();
    assert_eq!((tags, listed.digests), (options.tags.clone(), vec![]));
    let other = lab.local().images("fairlead.test=no").await.unwrap();
    assert_eq!(other, []);
    for tag in &options.tags {
        assert_eq!(lab.local().image(tag).await.unwrap().unwrap().id, id);
        lab.local().remove_image(tag).await.unwrap();
    }
}

#[tokio::test]
async fn a_build_that_fails_names_the_step_and_what_it_said() {
    let lab = Lab::load();
    let mut lines = Vec::new();
    let text = "FROM debian:bookworm-slim\nRUN echo before\nRUN echo the reason >&2; exit 9\n";
    let error = lab
        .local()
        .build(context(text), &options(), |line| {
            lines.push(line.to_owned())
        })
        .await
        .unwrap_err();
    let DockerError::BuildFailed { step, message } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        step.as_deref(),
        Some("Step 3/3 : RUN echo the reason >&2; exit 9")
    );
    assert!(message.contains("returned a non-zero code: 9"), "{message}");
    assert!(
        lines.iter().any(|line| line.contains("the reason")),
        "{lines:?}"
    );

    for (dockerfile, words) in [
        ("FROM debian:bookworm-slim\nNONSENSE x\n", "NONSENSE"),
        ("", "empty"),
    ] {
        let error = lab
            .local()
            .build(context(dockerfile), &options(), |_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(&error, DockerError::BuildFailed { message, .. } if message.contains(words)),
            "{error:?}"
        );
    }
    let absent = BuildOptions {
        dockerfile: "no/such".into(),
        ..options()
    };
    let error = lab
        .local()
        .build(context(text), &absent, |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DockerError::BuildFailed { message, .. } if message.contains("no/such")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_context_that_breaks_off_is_not_blamed_on_the_builder() {
    let lab = Lab::load();
    let broken = context("FROM debian:bookworm-slim\n")
        .take(3)
        .chain(stream::once(async {
            Err(io::Error::other("git archive ended with status 128"))
        }));
    let error = lab
        .local()
        .build(broken, &options(), |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DockerError::Context { why } if why.contains("git archive")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_build_that_nobody_waits_for_is_cancelled() {
    let lab = Lab::load();
    let local = lab.local();
    let text = "FROM debian:bookworm-slim\nRUN sleep 7351\n";
    let (begun, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let options = options();
    let building = local.build(context(text), &options, |line| {
        let _ = begun.send(line.contains("Running in"));
    });
    tokio::select! {
        end = building => panic!("{end:?}"),
        () = async { while seen.recv().await != Some(true) {} } => {}
    }
    for _ in 0..100 {
        let running =
            String::from_utf8(docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]).stdout)
                .unwrap();
        if !running.contains("sleep 7351") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the build still runs");
}

#[tokio::test]
async fn a_build_goes_to_a_droplet_as_well() {
    let lab = Lab::load();
    let engine = lab.engine("prod-backend").await;
    let id = engine
        .build(
            context("FROM fairlead-test\nCOPY big /big\n"),
            &options(),
            |_| {},
        )
        .await
        .unwrap();
    assert!(engine.image(&id).await.unwrap().is_some());
    engine.remove_image(&id).await.unwrap();
}
