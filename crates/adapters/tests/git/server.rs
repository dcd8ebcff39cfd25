//! Real repositories, and a web server that serves them with git's own `http-backend`, as GitHub does.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use domain::Sha;

use super::support;

/// A repository with a work tree, to be changed by a test.
pub struct Repository {
    pub root: tempfile::TempDir,
}

impl Repository {
    /// `<root>/owner/name.git` with one commit on `development`.
    pub fn new() -> Self {
        let repository = Self {
            root: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir_all(repository.path()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=development"]);
        repository.commit("First", &[("README.md", "one\n")]);
        repository
    }

    pub fn path(&self) -> PathBuf {
        self.root.path().join("owner/name.git")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    pub fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .current_dir(self.path())
            .args(args)
            .stderr(Stdio::piped());
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Lena Læring")
                .env(format!("GIT_{role}_EMAIL"), "lena@example.com");
            command.env(format!("GIT_{role}_DATE"), "1763900000 +0100");
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn commit(&self, title: &str, files: &[(&str, &str)]) -> Sha {
        for (path, text) in files {
            let path = self.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", title]);
        Sha::parse(self.git(&["rev-parse", "HEAD"])).unwrap()
    }
}

/// What was asked of a server.
#[derive(Clone, Default)]
pub struct Asked(Arc<AtomicUsize>);

impl Asked {
    pub fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Serves all below `root` to whoever brings this token; returns the base URL.
pub async fn serve(root: &Path, token: &str) -> (String, Asked) {
    use base64::Engine as _;
    let login = base64::prelude::BASE64_STANDARD.encode(format!("x-access-token:{token}"));
    let (root, wanted, asked) = (root.to_owned(), format!("Basic {login}"), Asked::default());
    let count = asked.clone();
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        if uri.path().ends_with("/info/refs") {
            count.0.fetch_add(1, Ordering::SeqCst);
        }
        if headers
            .get("authorization")
            .is_none_or(|given| given.as_bytes() != wanted.as_bytes())
        {
            return (
                StatusCode::UNAUTHORIZED,
                [("www-authenticate", "Basic realm=\"git\"")],
            )
                .into_response();
        }
        tokio::task::spawn_blocking(move || backend(&root, &method, &uri, &headers, &body))
            .await
            .unwrap()
    };
    (support::serve(Router::new().fallback(answer)).await, asked)
}

/// One CGI call.
fn backend(root: &Path, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", uri.path())
        .env("REQUEST_METHOD", method.as_str())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), body).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut response = Response::new(axum::body::Body::from(out[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&out[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            *response.status_mut() = StatusCode::from_bytes(&value.as_bytes()[..3]).unwrap();
        } else {
            let name: axum::http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    response
}
