use adapters::{docker::DockerError, registry::Credentials};

use super::lab::Lab;

#[tokio::test]
async fn what_is_pushed_to_two_registries_has_one_digest_and_is_pulled_by_it() {
    let lab = Lab::load();
    let local = lab.local();
    let mut digests = Vec::new();
    for name in ["docr", "ghcr"] {
        let (registry, account) = lab.registry(name);
        let reference = format!("{registry}/fairlead-test:base");
        local.tag("debian:bookworm-slim", &reference).await.unwrap();
        let mut lines = Vec::new();
        let digest = local
            .push(&reference, Some(&account), |line| {
                lines.push(line.to_owned())
            })
            .await
            .unwrap();
        assert!(
            lines.len() < 50 && lines.last().unwrap().contains(digest.as_str()),
            "{lines:?}"
        );
        digests.push(digest);
    }
    assert_eq!(digests[0], digests[1]);

    let host = lab.host("prod-frontend").await;
    let engine = host.docker().await.unwrap();
    let (registry, account) = lab.registry("ghcr");
    let reference = format!("{registry}/fairlead-test@{}", digests[0]);
    let pulled = engine
        .pull(&reference, Some(&account), |_| {})
        .await
        .unwrap();
    assert_eq!(pulled, digests[0]);
    let image = engine.image(&reference).await.unwrap().unwrap();
    assert!(image.digests.contains(&reference), "{:?}", image.digests);
    engine.remove_image(&reference).await.unwrap();
    engine.remove_image(&reference).await.unwrap();
}

#[tokio::test]
async fn a_pull_or_push_that_fails_says_why() {
    let lab = Lab::load();
    let engine = lab.host("prod-frontend").await.docker().await.unwrap();
    let (registry, account) = lab.registry("docr");
    let wrong = Credentials {
        username: account.username.clone(),
        password: "wrong?>~".into(),
    };
    let reference = format!("{registry}/fairlead-test:base");
    for credentials in [Some(&wrong), None] {
        let error = engine
            .pull(&reference, credentials, |_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(&error, DockerError::Unauthorized { registry: at, .. } if *at == registry),
            "{error:?}"
        );
        let local = lab.local();
        local.tag("debian:bookworm-slim", &reference).await.unwrap();
        let error = local
            .push(&reference, credentials, |_| {})
            .await
            .unwrap_err();
        assert!(
            matches!(&error, DockerError::Unauthorized { .. }),
            "{error:?}"
        );
    }
    let missing = format!("{registry}/fairlead-test:no-such-tag");
    let error = engine
        .pull(&missing, Some(&account), |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DockerError::ImageMissing { reference, .. } if *reference == missing),
        "{error:?}"
    );
    let error = engine
        .pull("10.77.0.2:5999/app:x", Some(&account), |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DockerError::RegistryUnreachable { .. }) && error.is_transient(),
        "{error:?}"
    );
    assert_eq!(engine.image("fairlead-no-such-image").await.unwrap(), None);
}
