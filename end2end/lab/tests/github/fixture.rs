//! A stand-in on a free port with one repository whose history every test knows.

use std::{collections::HashMap, path::PathBuf, process::Output};

use lab::{
    github::{self, Config, Directory},
    serving::Serving,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

pub const REPOSITORY: &str = "meats-central/projectmeats-sample";
pub const CLIENT_ID: &str = "Ov23liLab";
pub const CLIENT_SECRET: &str = "client-secret";
pub const SERVICE_TOKEN: &str = "service-token";
pub const WEBHOOK_SECRET: &str = "webhook-secret";

pub struct GitHub {
    pub client: Client,
    pub url: String,
    pub dir: TempDir,
    /// Commits by the word that is their message.
    pub commits: HashMap<&'static str, String>,
    _serving: Serving,
}

impl GitHub {
    pub async fn start() -> Self {
        Self::with_hook(None).await
    }

    pub async fn with_hook(webhook_url: Option<&str>) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(
            dir.path().join("askpass"),
            "#!/bin/sh\necho \"$LAB_TOKEN\"\n",
        )
        .unwrap();
        std::process::Command::new("chmod")
            .arg("+x")
            .arg(dir.path().join("askpass"))
            .status()
            .unwrap();
        let commits = seed(&dir).await;
        let serving = github::serve(Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: None,
            repositories_dir: dir.path().join("git"),
            client_id: CLIENT_ID.into(),
            client_secret: CLIENT_SECRET.into(),
            token: SERVICE_TOKEN.into(),
            webhook_secret: SecretString::from(WEBHOOK_SECRET),
            webhook_url: webhook_url.map(|url| url.parse().unwrap()),
            people: Directory::of_the_lab(),
        })
        .await
        .unwrap();
        let policy = reqwest::redirect::Policy::none();
        let client = Client::builder()
            .redirect(policy)
            .user_agent("lab-tests")
            .build()
            .unwrap();
        Self {
            client,
            url: format!("http://{}", serving.address()),
            dir,
            commits,
            _serving: serving,
        }
    }

    /// A personal token of somebody.
    pub async fn token(&self, login: &str) -> String {
        let answer = self
            .client
            .post(format!("{}/_lab/tokens?login={login}", self.url))
            .send()
            .await
            .unwrap();
        answer.json::<Value>().await.unwrap()["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.client
            .get(format!("{}/api/v3{path}", self.url))
            .bearer_auth(token)
    }

    /// The answer to a read that must succeed.
    pub async fn read(&self, path: &str, token: &str) -> Value {
        let answer = self.get(path, token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    /// A path below the sample repository, read with the service token.
    pub async fn of_repository(&self, path: &str) -> Value {
        self.read(&format!("/repos/{REPOSITORY}{path}"), SERVICE_TOKEN)
            .await
    }

    /// git against the stand-in, with a token as password.
    pub fn git_command(&self, folder: &str, token: &str, args: &[&str]) -> Command {
        let mut command = git(&self.dir, folder, args);
        command.env("LAB_TOKEN", token);
        command
    }

    pub async fn git(&self, folder: &str, token: &str, args: &[&str]) -> Output {
        self.git_command(folder, token, args)
            .output()
            .await
            .unwrap()
    }

    /// The same where it must succeed: what it printed.
    pub async fn git_ok(&self, folder: &str, token: &str, args: &[&str]) -> String {
        let done = self.git(folder, token, args).await;
        assert!(
            done.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// A clone of the sample repository in `folder`.
    pub async fn clone(&self, folder: &str, token: &str) -> PathBuf {
        self.git_ok(".", token, &["clone", "-q", &self.remote(), folder])
            .await;
        self.dir.path().join(folder)
    }

    pub fn remote(&self) -> String {
        format!("{}/{REPOSITORY}.git", self.url)
    }
}

fn git(dir: &TempDir, folder: &str, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(dir.path().join(folder))
        .args(args)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ])
        .envs([
            ("GIT_AUTHOR_NAME", "Devon Castillo"),
            ("GIT_AUTHOR_EMAIL", "dev@meatscentral.example"),
        ])
        .envs([
            ("GIT_COMMITTER_NAME", "GitHub"),
            ("GIT_COMMITTER_EMAIL", "noreply@github.com"),
        ])
        .env("GIT_ASKPASS", dir.path().join("askpass"));
    command
}

/// `main` and `uat` begin at "first"; `development` goes on with "second" and "third", `uat` with "hotfix".
async fn seed(dir: &TempDir) -> HashMap<&'static str, String> {
    let bare = format!("git/{REPOSITORY}.git");
    let run = async |folder: &str, date: &str, args: &[&str]| {
        let done = git(dir, folder, args)
            .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
            .output()
            .await
            .unwrap();
        assert!(
            done.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let write = |path: &str, text: &str| {
        let path = dir.path().join("seed").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let no_date = "2026-01-01T00:00:00Z";
    run(".", no_date, &["init", "-q", "--bare", "-b", "main", &bare]).await;
    run(".", no_date, &["init", "-q", "-b", "main", "seed"]).await;
    let mut commits = HashMap::new();
    let mut commit = async |name: &'static str, date: &str| {
        run("seed", date, &["add", "-A"]).await;
        run("seed", date, &["commit", "-q", "-m", name]).await;
        commits.insert(name, run("seed", date, &["rev-parse", "HEAD"]).await);
    };
    write("README.md", "one\ntwo\nthree\n");
    write(
        "backend/app.py",
        "print('a')\nprint('b')\nprint('c')\nprint('d')\n",
    );
    commit("first", "2026-01-02T10:00:00+02:00").await;
    run("seed", no_date, &["checkout", "-q", "-b", "development"]).await;
    write("README.md", "one\n2\nthree\nfour\n");
    commit("second", "2026-01-03T10:00:00Z").await;
    run(
        "seed",
        no_date,
        &["mv", "backend/app.py", "backend/main app.py"],
    )
    .await;
    write("frontend/index.html", "<p>\n");
    commit("third", "2026-01-04T10:00:00Z").await;
    run("seed", no_date, &["checkout", "-q", "-b", "uat", "main"]).await;
    write("README.md", "one\ntwo\nthree\nhotfix\n");
    commit("hotfix", "2026-01-05T10:00:00Z").await;
    run(
        "seed",
        no_date,
        &[
            "push",
            "-q",
            &dir.path().join(&bare).to_string_lossy(),
            "main",
            "uat",
            "development",
        ],
    )
    .await;
    commits
}

/// The fields of GitHub's error shape.
pub async fn refusal(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status.to_string());
    assert!(
        body["documentation_url"]
            .as_str()
            .unwrap()
            .starts_with("https://docs.github.com/")
    );
    (status, body["message"].as_str().unwrap().to_owned())
}
