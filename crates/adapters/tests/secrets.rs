//! Secrets from real files and the real environment of the test's process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use adapters::secrets::{SecretError, Source, Sources};
use secrecy::ExposeSecret;

fn file(dir: &tempfile::TempDir, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

async fn get(sources: &Sources, name: &str) -> Option<String> {
    sources
        .get(name)
        .await
        .unwrap()
        .map(|value| value.expose_secret().to_owned())
}

#[tokio::test]
async fn sources_are_asked_in_order_and_empty_values_count_as_missing() {
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources::new(vec![
        // Cargo sets CARGO_PKG_NAME for the tests that it runs.
        Source::Env {
            prefix: "CARGO_PKG_".into(),
        },
        Source::File(file(&dir, "a.env", "NAME=no\nONE=1\nTWO=\n", 0o600)),
        Source::File(file(&dir, "b.env", "ONE=no\nTWO=2\n", 0o400)),
    ]);
    assert_eq!(get(&sources, "NAME").await.as_deref(), Some("adapters"));
    assert_eq!(get(&sources, "ONE").await.as_deref(), Some("1"));
    assert_eq!(get(&sources, "TWO").await.as_deref(), Some("2"));
    assert_eq!(get(&sources, "THREE").await, None);
}

#[tokio::test]
async fn an_environment_s_own_value_comes_before_the_common_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(
        &dir,
        "a.env",
        "HOST=common\nDEV_HOST=dev\nUSER=common\n",
        0o600,
    );
    let sources = Sources::new(vec![Source::File(path)]);
    for (prefix, name, expected) in [
        ("DEV_", "HOST", Some("dev")),
        ("UAT_", "HOST", Some("common")),
        ("DEV_", "USER", Some("common")),
        ("", "HOST", Some("common")),
        ("DEV_", "KEY", None),
    ] {
        let found = sources.resolve(prefix, name).await.unwrap();
        assert_eq!(
            found.as_ref().map(|value| value.expose_secret()),
            expected,
            "{prefix}{name}"
        );
    }
}

#[tokio::test]
async fn a_changed_value_is_seen_at_the_next_question() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "a.env", "KEY=old", 0o600);
    let sources = Sources::new(vec![Source::File(path.clone())]);
    assert_eq!(get(&sources, "KEY").await.as_deref(), Some("old"));
    std::fs::write(&path, "KEY=new").unwrap();
    assert_eq!(get(&sources, "KEY").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_file_that_others_can_open_is_refused_with_the_command_that_closes_it() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o620] {
        let path = file(&dir, "a.env", "KEY=hunter2", mode);
        let error = Sources::new(vec![Source::File(path.clone())])
            .get("KEY")
            .await
            .unwrap_err();
        assert!(
            matches!(error, SecretError::OpenToOthers { .. }),
            "{mode:o}"
        );
        assert!(
            error
                .to_string()
                .contains(&format!("chmod 600 {}", path.display())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn errors_say_where_and_show_no_value() {
    let dir = tempfile::tempdir().unwrap();
    let broken = file(&dir, "broken.env", "A=1\nhunter2 hunter2\n", 0o600);
    let error = Sources::new(vec![Source::File(broken)])
        .get("A")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("line 2") && !format!("{error} {error:?}").contains("hunter2"),
        "{error}"
    );

    let missing = Sources::new(vec![Source::File(dir.path().join("none.env"))]);
    let error = missing.get("A").await.unwrap_err();
    assert!(
        error.to_string().contains("none.env") && matches!(error, SecretError::Unreadable { .. })
    );

    let error = missing.get("A B").await.unwrap_err();
    assert!(matches!(error, SecretError::BadName));
}
