//! What goes wrong with a repository: each failure has its own error, leaves nothing behind, and shows no token.
use std::path::Path;
use std::time::Duration;

use adapters::git::{GitError, Mirror};
use axum::Router;
use axum::http::StatusCode;
use domain::Sha;
use futures::StreamExt as _;
use secrecy::SecretString;

use crate::server::{self, Repository};
use crate::{TOKEN, folder, open, support};

/// Everything in a folder but lock files: what somebody could take for a mirror.
fn mirrors(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with(".lock")).collect()
}

/// The command lines of all processes that mention a text.
fn processes(text: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    all.filter(|line| line.contains(text)).collect()
}

#[tokio::test]
async fn an_archive_that_breaks_off_ends_in_an_error() {
    let (repository, dir) = (Repository::new(), folder());
    let sha = repository.commit("a", &[("a", "1")]);
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    let blob = mirror.tree_key(&sha, &["a"]).await.unwrap().remove(0);
    // A disk that forgets: the packs are taken apart and one object is removed.
    let pack = std::fs::read_dir(mirror.path().join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let kept = folder();
    for (index, file) in pack.collect::<Vec<_>>().into_iter().enumerate() {
        std::fs::rename(&file, kept.path().join(index.to_string())).unwrap();
        if file
            .extension()
            .is_some_and(|extension| extension == "pack")
        {
            let pack = std::fs::File::open(kept.path().join(index.to_string())).unwrap();
            let git = std::process::Command::new("git")
                .arg("unpack-objects")
                .arg("-q")
                .env("GIT_DIR", mirror.path())
                .stdin(pack)
                .status();
            assert!(git.unwrap().success());
        }
    }
    std::fs::remove_file(
        mirror
            .path()
            .join(format!("objects/{}/{}", &blob[..2], &blob[2..])),
    )
    .unwrap();
    let items: Vec<_> = mirror.archive(&sha, ".").await.unwrap().collect().await;
    let error = items
        .into_iter()
        .find_map(Result::err)
        .expect("no error")
        .to_string();
    assert!(error.contains("git archive"), "{error}");
}

#[tokio::test]
async fn a_private_repository_is_read_with_its_token_over_http() {
    let (repository, dir) = (Repository::new(), folder());
    let (base, _) = server::serve(repository.root.path(), TOKEN).await;
    let url = format!("{base}/owner/name.git");
    let mirror = open(dir.path(), &url).await.unwrap();
    let second = repository.commit("Second", &[]);
    mirror.fetch().await.unwrap();
    assert_eq!(mirror.head("development").await.unwrap(), second);
    assert_eq!(mirrors(dir.path()).len(), 1);
    // The token must not be left on disk. Another test looks for it in all command lines meanwhile.
    let grep = std::process::Command::new("sh")
        .args(["-c", "printenv token | grep -rFf - \"$1\"", "sh"])
        .arg(dir.path())
        .env("token", TOKEN)
        .output()
        .unwrap();
    assert_eq!(grep.status.code(), Some(1), "{grep:?}");
}

#[tokio::test]
async fn each_failure_has_its_own_error_and_leaves_nothing_behind() {
    let (repository, dir) = (Repository::new(), folder());
    let (base, _) = server::serve(repository.root.path(), TOKEN).await;
    let fails = async |url: &str, token: Option<&str>| {
        let error = Mirror::open(dir.path(), url, token.map(SecretString::from))
            .await
            .unwrap_err();
        assert_eq!(mirrors(dir.path()), Vec::<String>::new(), "after {error}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
        error
    };
    let good = format!("{base}/owner/name.git");
    for token in [None, Some("wrong hunter2")] {
        let error = fails(&good, token).await;
        assert!(matches!(error, GitError::AuthRefused { .. }), "{error:?}");
    }
    for missing in [
        format!("{base}/owner/none.git"),
        format!("file://{}/none", dir.path().display()),
    ] {
        let error = fails(&missing, Some(TOKEN)).await;
        assert!(
            matches!(error, GitError::NoSuchRepository { .. }),
            "{error:?}"
        );
    }
    for unreachable in [
        "http://127.0.0.1:9/a/b.git",
        "http://no-such-host.invalid/a/b.git",
    ] {
        let error = fails(unreachable, None).await;
        assert!(
            matches!(&error, GitError::Unreachable { .. }) && error.is_transient(),
            "{error:?}"
        );
    }
    for bad in [
        "a/b",
        "ssh://git@github.com/a/b.git",
        "https://me:hunter2@github.com/a/b.git",
        "--upload-pack=x",
        "ext::sh -c x",
    ] {
        let error = fails(bad, None).await;
        assert!(matches!(error, GitError::BadAddress { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_sick_server_is_reported_and_a_redirect_does_not_get_the_token() {
    let dir = folder();
    let sick = Router::new().fallback(|| async { StatusCode::SERVICE_UNAVAILABLE });
    let url = format!("{}/a/b.git", support::serve(sick).await);
    let error = open(dir.path(), &url).await.unwrap_err();
    assert!(
        matches!(&error, GitError::Unreachable { why, .. } if why.contains("503")),
        "{error:?}"
    );

    let repository = Repository::new();
    let (base, asked) = server::serve(repository.root.path(), TOKEN).await;
    let moved = Router::new().fallback(move |uri: axum::http::Uri| async move {
        (StatusCode::FOUND, [("location", format!("{base}{uri}"))])
    });
    let url = format!("{}/owner/name.git", support::serve(moved).await);
    let error = open(dir.path(), &url).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error:?}");
    assert_eq!(asked.times(), 0);
}

#[tokio::test]
async fn a_missing_branch_commit_or_odd_name_is_said() {
    let (repository, dir) = (Repository::new(), folder());
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    let error = mirror.head("uat").await.unwrap_err().to_string();
    assert!(
        error.contains("no branch `uat`") && error.contains("push it"),
        "{error}"
    );
    for odd in [
        "",
        "*",
        "development^{tree}",
        "../heads/development",
        "--help",
        "a b",
        "x\ny",
    ] {
        assert_eq!(mirror.resolve(odd).await.unwrap(), None, "{odd:?}");
    }
    let nowhere = Sha::parse("0123456789012345678901234567890123456789").unwrap();
    let tree = Sha::parse(repository.git(&["rev-parse", "HEAD^{tree}"])).unwrap();
    for sha in [nowhere, tree] {
        assert!(matches!(
            mirror.commit(&sha).await,
            Err(GitError::NoSuchCommit { .. })
        ));
        assert!(matches!(
            mirror.file_at(&sha, "README.md").await,
            Err(GitError::NoSuchCommit { .. })
        ));
        assert!(matches!(
            mirror.archive(&sha, ".").await,
            Err(GitError::NoSuchCommit { .. })
        ));
    }
}

#[tokio::test]
async fn several_at_once_clone_only_once() {
    let (repository, dir) = (Repository::new(), folder());
    let (base, asked) = server::serve(repository.root.path(), TOKEN).await;
    let url = format!("{base}/owner/name.git");
    let opened = futures::future::join_all((0..6).map(|_| open(dir.path(), &url))).await;
    assert_eq!(asked.times(), 1);
    assert_eq!(mirrors(dir.path()).len(), 1);
    let second = repository.commit("Second", &[]);
    let opened: Vec<Mirror> = opened.into_iter().map(Result::unwrap).collect();
    for fetched in futures::future::join_all(opened.iter().map(Mirror::fetch)).await {
        fetched.unwrap();
    }
    assert_eq!(opened[0].head("development").await.unwrap(), second);
}

/// A server that takes calls and never answers.
async fn silent_server() -> String {
    let hang = Router::new().fallback(std::future::pending::<StatusCode>);
    format!("{}/a/b.git", support::serve(hang).await)
}

/// Waits for something that other processes do; a test that fails here would otherwise hang.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited 30 s for: {what}");
}

#[tokio::test]
async fn a_fetch_that_is_dropped_ends_with_all_its_processes_and_showed_no_token() {
    let (dir, url) = (folder(), silent_server().await);
    let opening = tokio::spawn({
        let (dir, url) = (dir.path().to_owned(), url.clone());
        async move { open(&dir, &url).await }
    });
    until("git calls the server", || {
        processes(&url)
            .iter()
            .any(|line| line.contains("remote-http"))
    })
    .await;
    assert_eq!(processes(TOKEN), Vec::<String>::new());
    opening.abort();
    until("git is gone", || processes(&url).is_empty()).await;
    assert_eq!(mirrors(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_the_next_attempt_is_not_in_the_way() {
    let (dir, url) = (folder(), silent_server().await);
    for _ in 0..2 {
        let error = Mirror::open_within(dir.path(), &url, None, Duration::from_millis(700))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, GitError::Timeout { .. }) && error.is_transient(),
            "{error:?}"
        );
    }
    until("git is gone", || processes(&url).is_empty()).await;
    assert_eq!(mirrors(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_killed_git_left_behind_does_not_stop_the_next() {
    let (repository, dir) = (Repository::new(), folder());
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    for stale in [
        "packed-refs.lock",
        "HEAD.lock",
        "refs/heads/development.lock",
    ] {
        std::fs::create_dir_all(mirror.path().join(stale).parent().unwrap()).unwrap();
        std::fs::write(mirror.path().join(stale), "").unwrap();
    }
    let second = repository.commit("Second", &[]);
    mirror.fetch().await.unwrap();
    assert_eq!(mirror.head("development").await.unwrap(), second);

    // And a clone that was cut off in the middle.
    let other = folder();
    let name = mirror.path().file_name().unwrap();
    let unfinished = other.path().join(name).with_extension("unfinished");
    std::fs::create_dir_all(unfinished.join("objects")).unwrap();
    std::fs::write(unfinished.join("HEAD"), "rubbish").unwrap();
    let mirror = open(other.path(), &repository.url()).await.unwrap();
    assert_eq!(mirror.head("development").await.unwrap(), second);
    assert_eq!(mirrors(other.path()).len(), 1);
}
