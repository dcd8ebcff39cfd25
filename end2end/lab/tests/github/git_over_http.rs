//! Clone, fetch and push with the real `git`, which asks for credentials, zips and streams as it does with GitHub.

use std::fs;

use crate::fixture::{GitHub, SERVICE_TOKEN};

#[tokio::test]
async fn a_developer_clones_and_pushes_and_the_branch_moves() {
    let github = GitHub::start().await;
    let dev = github.token("dev").await;
    let work = github.clone("work", &dev).await;
    assert_eq!(
        fs::read_to_string(work.join("README.md")).unwrap(),
        "one\ntwo\nthree\n"
    );

    github
        .git_ok(
            "work",
            &dev,
            &["commit", "-q", "--allow-empty", "-m", "pushed"],
        )
        .await;
    github
        .git_ok("work", &dev, &["push", "-q", "origin", "HEAD:main"])
        .await;
    let head = github.git_ok("work", &dev, &["rev-parse", "HEAD"]).await;
    assert_eq!(
        github.of_repository("/branches/main").await["commit"]["sha"],
        head.as_str()
    );
}

#[tokio::test]
async fn who_may_not_write_or_read_is_told_so_by_git() {
    let github = GitHub::start().await;
    let vera = github.token("vera").await;
    github.clone("work", &vera).await;
    github
        .git_ok(
            "work",
            &vera,
            &["commit", "-q", "--allow-empty", "-m", "mine"],
        )
        .await;
    for (token, words) in [
        (
            vera.as_str(),
            "Permission to meats-central/projectmeats-sample.git denied to vera.",
        ),
        (
            SERVICE_TOKEN,
            "Permission to meats-central/projectmeats-sample.git denied to fairlead-service.",
        ),
        (&github.token("omar").await, "Repository not found."),
        ("nonsense", "Invalid username or token."),
    ] {
        let push = github
            .git("work", token, &["push", "origin", "HEAD:main"])
            .await;
        let said = String::from_utf8_lossy(&push.stderr).into_owned();
        assert!(!push.status.success() && said.contains(words), "{said}");
    }
    assert_eq!(
        github.of_repository("/branches/main").await["commit"]["sha"],
        github.commits["first"].as_str()
    );
}

#[tokio::test]
async fn the_service_token_mirrors_everything_and_no_token_nothing() {
    let github = GitHub::start().await;
    github
        .git_ok(
            ".",
            SERVICE_TOKEN,
            &["clone", "-q", "--mirror", &github.remote(), "mirror.git"],
        )
        .await;
    let heads = github
        .git_ok(
            "mirror.git",
            "",
            &["for-each-ref", "--format=%(refname:short) %(objectname)"],
        )
        .await;
    let expected = [
        ("development", "third"),
        ("main", "first"),
        ("uat", "hotfix"),
    ];
    assert_eq!(
        heads,
        expected
            .map(|(branch, commit)| format!("{branch} {}", github.commits[commit]))
            .join("\n")
    );

    let info = format!("{}/info/refs?service=git-upload-pack", github.remote());
    let asked = github.client.get(info).send().await.unwrap();
    assert_eq!(asked.status(), 401);
    assert_eq!(
        asked.headers()["www-authenticate"],
        "Basic realm=\"GitHub\""
    );
}

#[tokio::test]
async fn a_push_larger_than_gits_buffer_is_streamed_and_comes_back_whole() {
    let github = GitHub::start().await;
    let dev = github.token("dev").await;
    let work = github.clone("work", &dev).await;
    // Beyond http.postBuffer (1 MiB) git sends in chunks, with no length in front; these bytes do not compress.
    let mut bytes = vec![0; 3 << 20];
    rand::fill(&mut bytes[..]);
    fs::write(work.join("large.bin"), &bytes).unwrap();
    github.git_ok("work", &dev, &["add", "-A"]).await;
    github
        .git_ok("work", &dev, &["commit", "-q", "-m", "large"])
        .await;
    github
        .git_ok(
            "work",
            &dev,
            &["push", "-q", "origin", "HEAD:refs/heads/feature/large"],
        )
        .await;

    github
        .git_ok(
            ".",
            &dev,
            &[
                "clone",
                "-q",
                "-b",
                "feature/large",
                &github.remote(),
                "again",
            ],
        )
        .await;
    assert!(fs::read(github.dir.path().join("again/large.bin")).unwrap() == bytes);
}

#[tokio::test]
async fn a_fetch_whose_request_git_zips_is_understood() {
    let github = GitHub::start().await;
    let dev = github.token("dev").await;
    github.clone("work", &dev).await;
    github.clone("other", &dev).await;
    github
        .git_ok(
            "other",
            &dev,
            &["commit", "-q", "--allow-empty", "-m", "news"],
        )
        .await;
    github
        .git_ok("other", &dev, &["push", "-q", "origin", "HEAD:main"])
        .await;

    // Many commits of one's own make a long list of haves, and git zips a request of more than 1,024 bytes.
    for number in 0..60 {
        github
            .git_ok(
                "work",
                &dev,
                &["commit", "-q", "--allow-empty", "-m", &number.to_string()],
            )
            .await;
    }
    let trace = github.dir.path().join("trace");
    let mut fetch = github.git_command("work", &dev, &["fetch", "-q", "origin", "main"]);
    let fetched = fetch
        .env("GIT_TRACE_CURL", &trace)
        .env("GIT_TRACE_CURL_NO_DATA", "1")
        .status()
        .await
        .unwrap();
    assert!(fetched.success());
    assert!(
        fs::read_to_string(trace)
            .unwrap()
            .to_lowercase()
            .contains("content-encoding: gzip")
    );
    let news = github.git_ok("other", &dev, &["rev-parse", "HEAD"]).await;
    assert_eq!(
        github
            .git_ok("work", &dev, &["rev-parse", "FETCH_HEAD"])
            .await,
        news
    );
}
