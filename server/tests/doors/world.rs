//! A portal with one project, its repository on a GitHub stand-in, and its router. No engine: runs stay queued, and
//! tests play the engine's part through the store.
use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use domain::audit::{Door, Origin};
use domain::policy::{Actor, ActorName, Membership, Role};
use domain::{Ms, ProjectName, RunId};
use http_body_util::BodyExt;
use lab::github::{self, Directory};
use portal::{DeployRequest, NewToken, Portal};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use server::config::Config;
use server::http::{Periods, Server};
use store::Store;
use tempfile::TempDir;
use tower::ServiceExt;

pub struct World {
    pub router: Router,
    pub server: Server,
    pub portal: Portal,
    pub dir: TempDir,
    pub github_url: String,
    /// Dropping it takes GitHub down.
    pub github: Option<lab::serving::Serving>,
}

pub const PUBLIC: &str = "http://localhost:3000";

pub const MANIFEST: &str = r#"
name = "shop"
title = "The shop"
repository = "meats-central/shop"
[[registries]]
name = "docr"
prefix = "registry.example.com/shop"
[components.backend]
image = "shop-backend"
build = { context = ".", dockerfile = "backend/dockerfile" }
container = { name = "shop-backend" }
[environments.dev]
branch = "development"
hosts.backend = { address = "192.0.2.1", user = "django", password = "secret:SSH_PASSWORD", host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
[environments.prod]
branch = "main"
follows = "dev"
deploy = "lead"
hosts.backend = { address = "192.0.2.2", user = "django", password = "secret:NO_SUCH_SECRET", host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
"#;

pub fn fixed(public_url: &str, github_url: &str) -> String {
    format!(
        r#"
listen = "127.0.0.1:0"
public_url = "{public_url}"
data_dir = "portal"
projects_dir = "projects"
metrics_token = "secret:METRICS_TOKEN"
[github]
url = "{github_url}"
api_url = "{github_url}/api/v3"
client_id = "Iv1.shop"
client_secret = "secret:GITHUB_CLIENT_SECRET"
token = "secret:GITHUB_TOKEN"
webhook_secret = "secret:GITHUB_WEBHOOK_SECRET"
[secrets]
files = ["secrets.env"]
[[members]]
project = "shop"
role = "lead"
team = "meats-central/leads"
[[members]]
project = "shop"
role = "developer"
team = "meats-central/developers"
[[members]]
project = "shop"
role = "viewer"
team = "meats-central/viewers"
"#
    )
}

impl World {
    pub async fn new() -> Self {
        Self::at(PUBLIC).await
    }

    pub async fn at(public_url: &str) -> Self {
        Self::made(public_url, Periods::default()).await
    }

    /// One that looks after its websockets this often.
    pub async fn looking_after(periods: Periods) -> Self {
        Self::made(PUBLIC, periods).await
    }

    async fn made(public_url: &str, periods: Periods) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repositories = dir.path().join("repositories");
        make_repository(&repositories.join("meats-central/shop.git"));
        let github = github::serve(github::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: None,
            repositories_dir: repositories,
            client_id: "Iv1.shop".into(),
            client_secret: SecretString::from("the-apps-secret"),
            token: SecretString::from("ghp_the_portals_token"),
            webhook_secret: SecretString::from("unused"),
            webhook_url: None,
            people: Directory::of_the_lab(),
        })
        .await
        .unwrap();
        let github_url = format!("http://{}", github.address());
        write(&dir.path().join("projects/shop.toml"), MANIFEST);
        let secrets = "GITHUB_CLIENT_SECRET=the-apps-secret\nGITHUB_TOKEN=ghp_the_portals_token\nSSH_PASSWORD=swordfish\nMETRICS_TOKEN=counting\nGITHUB_WEBHOOK_SECRET=hushhush\n";
        write(&dir.path().join("secrets.env"), secrets);
        write(
            &dir.path().join("site/pkg/fairlead.0123abcd.js"),
            "export default 1;\n",
        );
        write(
            &dir.path().join("site/favicon.svg"),
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n",
        );
        let path = dir.path().join("fairlead.toml");
        write(&path, &fixed(public_url, &github_url));
        let config = Config::load(&path).unwrap();
        let portal = Portal::open(config.portal().await.unwrap()).await.unwrap();
        let server = Server::new(&config, portal.clone(), site(&dir), periods);
        Self {
            router: server.router(),
            server,
            portal,
            dir,
            github_url,
            github: Some(github),
        }
    }

    /// The same portal after a restart, with what stands in its configuration by now.
    pub async fn again(self) -> Self {
        let Self {
            dir,
            github_url,
            github,
            ..
        } = self;
        let config = Config::load(&dir.path().join("fairlead.toml")).unwrap();
        let portal = Portal::open_beside(config.portal().await.unwrap())
            .await
            .unwrap();
        let server = Server::new(&config, portal.clone(), site(&dir), Periods::default());
        Self {
            router: server.router(),
            server,
            portal,
            dir,
            github_url,
            github,
        }
    }

    /// Lets every session be one that GitHub was last asked about two hours ago.
    pub async fn make_sessions_old(&self) {
        let store = self.store().await;
        for session in store.sessions(None, now()).await.unwrap() {
            let checked = Ms(now().0 - 2 * 3_600_000);
            let noted = store.recheck_session(session.id, &session.memberships, checked);
            noted.await.unwrap();
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.send(request(Method::GET, path, headers, "")).await
    }

    /// A POST as our own pages send it.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        let mut all = vec![("origin", PUBLIC), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(request(Method::POST, path, &all, body)).await
    }

    /// A new API token of this role, as a header's value.
    pub async fn bearer(&self, role: Role) -> String {
        let name = format!("t-{}", rand::random::<u32>());
        let expires = Ms(now().0 + 3_600_000);
        let new = NewToken {
            name,
            project: Some(shop()),
            role,
            expires,
        };
        let token = self
            .portal
            .create_token(&operator(), origin(), new)
            .await
            .unwrap();
        format!("Bearer {}", token.expose_secret())
    }

    /// Signs in through GitHub as a browser does; the cookie to send from now on.
    pub async fn sign_in(&self, login: &str) -> String {
        let (response, _) = self.come_back_as(login, "").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let session = cookies(&response)
            .into_iter()
            .find(|cookie| cookie.starts_with("fairlead="))
            .unwrap();
        session.split(';').next().unwrap().to_owned()
    }

    /// The whole way to GitHub and back; the last answer, and the address that was called for it.
    pub async fn come_back_as(&self, login: &str, query: &str) -> (Response<Body>, String) {
        let begun = self.get(&format!("/auth/github{query}"), &[]).await;
        assert_eq!(begun.status(), StatusCode::SEE_OTHER);
        let cookie = cookies(&begun)[0].split(';').next().unwrap().to_owned();
        let back = self.choose(&location(&begun), login).await;
        (self.get(&back, &[("cookie", &cookie)]).await, back)
    }

    /// What a person does on GitHub's page: chooses who they are; where GitHub sends them then.
    pub async fn choose(&self, authorize: &str, login: &str) -> String {
        let authorize = url::Url::parse(authorize).unwrap();
        let mut form: Vec<(String, String)> = authorize.query_pairs().into_owned().collect();
        form.push(("login".into(), login.into()));
        let page = format!("{}/login/oauth/authorize", self.github_url);
        let answer = adapters::http::client()
            .unwrap()
            .post(page)
            .form(&form)
            .send()
            .await
            .unwrap();
        let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        back[url::Position::BeforePath..].to_owned()
    }

    /// A run that waits for its environment.
    pub async fn queued_run(&self) -> RunId {
        let request = DeployRequest {
            project: shop(),
            environment: "dev".parse().unwrap(),
            commit: None,
            reason: None,
            override_tests: false,
            rebuild: false,
            manifest: None,
        };
        self.portal
            .deploy(&operator(), origin(), request)
            .await
            .unwrap()
    }

    /// The store beside the portal's, to play the engine's part.
    pub async fn store(&self) -> Store {
        let path = self.dir.path().join("portal/fairlead.db");
        Store::open_beside(&format!("sqlite://{}", path.display()).parse().unwrap())
            .await
            .unwrap()
    }
}

fn site(dir: &TempDir) -> leptos::config::LeptosOptions {
    leptos::config::LeptosOptions::builder()
        .output_name("fairlead")
        .site_root(dir.path().join("site").to_str().unwrap())
        .build()
}

pub fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:3000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

pub async fn text(response: Response<Body>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

pub async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

pub fn location(response: &Response<Body>) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

pub fn cookies(response: &Response<Body>) -> Vec<String> {
    response
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap().to_owned())
        .collect()
}

pub fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

pub fn operator() -> Actor {
    Actor {
        name: ActorName::Operator {
            account: "root".into(),
        },
        memberships: vec![Membership {
            project: None,
            role: Role::Admin,
        }],
    }
}

pub fn origin() -> Origin {
    Origin {
        door: Door::Cli,
        address: None,
        request: None,
    }
}

pub fn now() -> Ms {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Ms(i64::try_from(since.as_millis()).unwrap())
}

pub fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn make_repository(bare: &Path) {
    let work = bare.with_extension("work");
    write(&work.join("backend/dockerfile"), "FROM scratch\n");
    let git = |args: &[&str]| {
        let done = Command::new("git")
            .current_dir(&work)
            .args(args)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    git(&["init", "--quiet", "--initial-branch=development"]);
    git(&["add", "."]);
    git(&[
        "-c",
        "user.name=Dev",
        "-c",
        "user.email=dev@example.com",
        "commit",
        "--quiet",
        "-m",
        "Begin",
    ]);
    git(&["branch", "main"]);
    git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
}
