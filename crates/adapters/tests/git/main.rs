//! Mirrors of real repositories, over `file://` and over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use std::path::Path;
use std::time::Duration;

use adapters::git::{GitError, Mirror};
use domain::{Ms, Sha};
use futures::StreamExt as _;
use secrecy::SecretString;

use server::Repository;

mod server;
#[path = "../support/mod.rs"]
mod support;
mod trouble;

const TOKEN: &str = "ghp_hunter2hunter2";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn open(dir: &Path, url: &str) -> Result<Mirror, GitError> {
    Mirror::open_within(
        dir,
        url,
        Some(SecretString::from(TOKEN)),
        Duration::from_secs(60),
    )
    .await
}

#[tokio::test]
async fn a_fetch_follows_the_branches_and_old_commits_stay_readable() {
    let (repository, dir) = (Repository::new(), folder());
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    let first = mirror.head("development").await.unwrap();

    let second = repository.commit("Second", &[("README.md", "two\n")]);
    repository.git(&["branch", "uat"]);
    assert_eq!(
        mirror.resolve("development").await.unwrap(),
        Some(first.clone()),
        "a mirror moves only by a fetch"
    );
    mirror.fetch().await.unwrap();
    assert_eq!(
        mirror.resolve("development").await.unwrap(),
        Some(second.clone())
    );
    assert_eq!(mirror.resolve("uat").await.unwrap(), Some(second.clone()));

    repository.git(&["branch", "--delete", "--force", "uat"]);
    repository.git(&["reset", "--quiet", "--hard", first.as_str()]);
    mirror.fetch().await.unwrap();
    assert_eq!(mirror.resolve("development").await.unwrap(), Some(first));
    assert_eq!(mirror.resolve("uat").await.unwrap(), None);
    assert_eq!(mirror.commit(&second).await.unwrap().title, "Second");
}

#[tokio::test]
async fn commits_are_told_as_they_were_made() {
    let (repository, dir) = (Repository::new(), folder());
    let first = Sha::parse(repository.git(&["rev-parse", "HEAD"])).unwrap();
    let second = repository.commit("Zwei: größer\n\nThe body.", &[]);
    repository.git(&["checkout", "--quiet", "-b", "side", first.as_str()]);
    let side = repository.commit("Side", &[("side.txt", "x")]);
    repository.git(&["checkout", "--quiet", "development"]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "Merge side", "side"]);
    let merge = Sha::parse(repository.git(&["rev-parse", "HEAD"])).unwrap();
    let mirror = open(dir.path(), &repository.url()).await.unwrap();

    let commit = mirror.commit(&second).await.unwrap();
    assert_eq!(
        (commit.title.as_str(), commit.author.as_str()),
        ("Zwei: größer", "Lena Læring")
    );
    assert_eq!(
        (commit.at_ms, commit.parents),
        (Ms(1_763_900_000_000), vec![first.clone()])
    );
    assert_eq!(
        mirror.commit(&merge).await.unwrap().parents,
        [second.clone(), side.clone()]
    );
    assert_eq!(mirror.commit(&first).await.unwrap().parents, []);

    let titles = |commits: Vec<adapters::git::Commit>| {
        commits.into_iter().map(|c| c.sha).collect::<Vec<_>>()
    };
    let mut since = titles(mirror.log(Some(&first), &merge, 10).await.unwrap());
    assert_eq!(since.remove(0), merge);
    since.sort();
    let mut expected = vec![second.clone(), side];
    expected.sort();
    assert_eq!(since, expected);
    assert_eq!(mirror.log(None, &merge, 2).await.unwrap().len(), 2);
    assert_eq!(mirror.log(None, &merge, 10).await.unwrap().len(), 4);
    assert_eq!(mirror.log(Some(&merge), &second, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_tree_key_changes_with_the_content_and_not_with_the_commit() {
    let (repository, dir) = (Repository::new(), folder());
    let a = repository.commit(
        "a",
        &[
            ("backend/dockerfile", "FROM x"),
            ("backend/my app.py", "1"),
            ("web/x", "1"),
        ],
    );
    let b = repository.commit("b: nothing", &[]);
    let c = repository.commit("c: the frontend", &[("web/x", "2")]);
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    let key = async |sha: &Sha, paths: &[&str]| mirror.tree_key(sha, paths).await.unwrap();

    let paths = [".", "./backend/", "backend/dockerfile", "backend/my app.py"];
    let of_a = key(&a, &paths).await;
    assert_eq!(
        of_a[0],
        repository.git(&["rev-parse", &format!("{a}^{{tree}}")])
    );
    assert_eq!(
        of_a[2],
        repository.git(&["rev-parse", &format!("{a}:backend/dockerfile")])
    );
    assert_eq!(of_a, key(&b, &paths).await);
    let of_c = key(&c, &paths).await;
    assert_ne!(of_a[0], of_c[0]);
    assert_eq!(of_a[1..], of_c[1..]);

    let missing = mirror
        .tree_key(&a, &["backend", "no such/dockerfile"])
        .await
        .unwrap_err();
    assert!(
        matches!(&missing, GitError::NoSuchPath { path, .. } if path == "no such/dockerfile"),
        "{missing}"
    );
    for bad in ["../x", "/etc", "a\nb", "a/../../b"] {
        assert!(
            matches!(
                mirror.tree_key(&a, &[bad]).await,
                Err(GitError::BadPath { .. })
            ),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_file_is_read_at_a_commit() {
    let (repository, dir) = (Repository::new(), folder());
    let old = repository.commit(
        "a",
        &[
            ("deploy/fairlead.toml", "name = \"a\"\n"),
            ("big", &"x".repeat(5 << 20)),
        ],
    );
    let new = repository.commit("b", &[("deploy/fairlead.toml", "")]);
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    assert_eq!(
        mirror
            .file_at(&old, "deploy/fairlead.toml")
            .await
            .unwrap()
            .unwrap(),
        b"name = \"a\"\n"
    );
    assert_eq!(
        mirror
            .file_at(&new, "./deploy/fairlead.toml")
            .await
            .unwrap()
            .unwrap(),
        b""
    );
    assert_eq!(mirror.file_at(&new, "fairlead.toml").await.unwrap(), None);
    assert_eq!(mirror.file_at(&new, "deploy").await.unwrap(), None);
    assert!(matches!(
        mirror.file_at(&new, "big").await,
        Err(GitError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn a_folder_is_listed_with_all_that_is_below_it_and_links_are_told_from_files() {
    let (repository, dir) = (Repository::new(), folder());
    let files = [
        (".github/workflows/b.yml", "b"),
        (".github/workflows/a größer.yml", "a"),
        (".github/workflows/below/deep/c.yml", "c"),
        (".github/CODEOWNERS", "*"),
    ];
    let workflows = repository.path().join(".github/workflows");
    std::fs::create_dir_all(&workflows).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", workflows.join("link.yml")).unwrap();
    let sha = repository.commit("Workflows", &files);
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    for folder in [".github/workflows", "./.github/workflows/"] {
        let entries = mirror.list(&sha, folder).await.unwrap().unwrap();
        let told: Vec<(&str, bool)> = entries
            .iter()
            .map(|entry| (entry.path.as_str(), entry.is_file))
            .collect();
        let expected = [
            ("a größer.yml", true),
            ("b.yml", true),
            ("below/deep/c.yml", true),
            ("link.yml", false),
        ];
        assert_eq!(told, expected, "{folder}");
    }
    let root = mirror.list(&sha, ".").await.unwrap().unwrap();
    assert!(root.iter().any(|entry| entry.path == ".github/CODEOWNERS"));
    for none in ["workflows", ".github/CODEOWNERS"] {
        assert_eq!(mirror.list(&sha, none).await.unwrap(), None, "{none}");
    }
    assert!(matches!(
        mirror.list(&sha, "../..").await,
        Err(GitError::BadPath { .. })
    ));
}

#[tokio::test]
async fn an_archive_holds_all_that_is_committed_and_nothing_else() {
    let (repository, dir) = (Repository::new(), folder());
    let files = [
        ("backend/dockerfile", "FROM x"),
        ("backend/tests/a.py", "1"),
        ("backend/version.txt", "$Format:%H$"),
        (
            ".gitattributes",
            "tests export-ignore\nversion.txt export-subst\n",
        ),
        ("big.bin", &"0123456789abcdef".repeat(100_000)),
    ];
    let sha = repository.commit("a", &files);
    std::fs::write(repository.path().join("not committed"), "x").unwrap();
    let mirror = open(dir.path(), &repository.url()).await.unwrap();

    let out = folder();
    unpack(mirror.archive(&sha, ".").await.unwrap(), out.path()).await;
    for (path, text) in files {
        assert_eq!(
            std::fs::read_to_string(out.path().join(path)).unwrap(),
            text,
            "{path}"
        );
    }
    assert!(!out.path().join("not committed").exists());

    let out = folder();
    unpack(mirror.archive(&sha, "./backend").await.unwrap(), out.path()).await;
    assert!(out.path().join("dockerfile").exists() && !out.path().join("backend").exists());

    assert!(matches!(
        mirror.archive(&sha, "big.bin").await,
        Err(GitError::NoSuchPath { .. })
    ));
}

async fn unpack(mut archive: adapters::git::Archive, into: &Path) {
    let mut tar = Vec::new();
    while let Some(bytes) = archive.next().await {
        tar.extend(bytes.unwrap());
    }
    std::fs::write(into.join("a.tar"), tar).unwrap();
    let status = std::process::Command::new("tar")
        .arg("-xf")
        .arg("a.tar")
        .current_dir(into)
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn changed_files_are_told_between_two_commits_and_of_each_commit() {
    let (repository, dir) = (Repository::new(), folder());
    let first = Sha::parse(repository.git(&["rev-parse", "HEAD"])).unwrap();
    let docs = repository.commit(
        "Docs",
        &[("docs/a.md", "a\n"), ("weight in \u{fc}.txt", "1\n")],
    );
    repository.git(&["mv", "docs/a.md", "docs/b.md"]);
    let moved = repository.commit("Move", &[]);
    let back = repository.commit("Back and forth", &[("README.md", "two\n")]);
    let forth = repository.commit("Forth", &[("README.md", "one\n")]);
    let mirror = open(dir.path(), &repository.url()).await.unwrap();
    let between = async |from: &Sha, to: &Sha| {
        let changed = mirror.changed_between(from, to).await.unwrap();
        changed.into_iter().collect::<Vec<_>>()
    };
    let umlaut = "weight in \u{fc}.txt".to_owned();
    assert_eq!(between(&docs, &moved).await, ["docs/a.md", "docs/b.md"]);
    assert_eq!(between(&first, &moved).await, ["docs/b.md", &umlaut]);
    assert!(
        between(&moved, &forth).await.is_empty(),
        "what was undone did not change"
    );
    let by = mirror.changed_by(&[back, forth]).await.unwrap();
    assert_eq!(by.into_iter().collect::<Vec<_>>(), ["README.md"]);
    let by = mirror
        .changed_by(std::slice::from_ref(&first))
        .await
        .unwrap();
    assert_eq!(
        by.into_iter().collect::<Vec<_>>(),
        ["README.md"],
        "the first commit has no parent"
    );
    assert!(mirror.changed_by(&[]).await.unwrap().is_empty());
    let unknown = Sha::parse("b".repeat(40)).unwrap();
    assert!(matches!(
        mirror.changed_between(&unknown, &first).await,
        Err(GitError::NoSuchCommit { .. })
    ));
}
