//! git over HTTP: `git http-backend` as a CGI program, with the request streamed in and the answer streamed out.
//!
//! GitHub hides what a caller may not see: without credentials it asks for them, with credentials that give no access there is no such
//! repository. Texts in `text/plain` are shown by git behind `remote:`.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::TryStreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};
use tokio_util::io::{ReaderStream, StreamReader};

use super::{
    directory::Permission,
    git::Repository,
    hub::{Caller, Credentials, Hub},
    webhooks,
};

/// The service that writes: in the path of the push itself, in the query of what comes before it.
const PUSH: &str = "git-receive-pack";

/// Finds the program that `git` has for this; the error is where it was looked for.
pub(super) async fn backend() -> Result<PathBuf, String> {
    let found = Command::new("git")
        .arg("--exec-path")
        .output()
        .await
        .map_err(|error| error.to_string())?;
    let program =
        PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()).join("git-http-backend");
    if program.is_file() {
        Ok(program)
    } else {
        Err(program.display().to_string())
    }
}

pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/{owner}/{repository}/info/refs", get(serve))
        .route("/{owner}/{repository}/git-upload-pack", post(serve))
        .route("/{owner}/{repository}/git-receive-pack", post(serve))
}

async fn serve(
    State(hub): State<Arc<Hub>>,
    Path((owner, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let caller = match hub.credentials(request.headers()) {
        Credentials::None => return sign_in("Authentication required."),
        Credentials::Bad => {
            return sign_in(
                "Invalid username or token. Password authentication is not supported for Git operations.",
            );
        }
        Credentials::Good(caller) => caller,
    };
    let Some((repository, permission)) = hub.repository(
        Some(&caller),
        &owner,
        name.strip_suffix(".git").unwrap_or(&name),
    ) else {
        return plain(StatusCode::NOT_FOUND, "Repository not found.".into());
    };
    let path = request.uri().path();
    let asks = request.uri().query().unwrap_or_default();
    if (path.ends_with(PUSH) || asks.contains(PUSH)) && permission < Permission::Push {
        let (name, login) = (repository.full_name(), &caller.person.login);
        let why = format!("Permission to {name}.git denied to {login}.");
        return plain(StatusCode::FORBIDDEN, why);
    }
    let pushes = path.ends_with(PUSH);
    run(hub, caller, repository, pushes, request)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "git http-backend did not answer");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The git program of the lab's GitHub failed; see the stand-in's log.".into(),
            )
        })
}

fn sign_in(why: &str) -> Response {
    (
        [(header::WWW_AUTHENTICATE, "Basic realm=\"GitHub\"")],
        plain(StatusCode::UNAUTHORIZED, why.into()),
    )
        .into_response()
}

fn plain(status: StatusCode, text: String) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text + "\n",
    )
        .into_response()
}

async fn run(
    hub: Arc<Hub>,
    caller: Caller,
    repository: Repository,
    pushes: bool,
    request: Request,
) -> std::io::Result<Response> {
    let (mut turn, mut before, mut hooks) = (None, Vec::new(), Vec::new());
    if pushes {
        turn = Some(hub.turn_to_push(repository.full_name()).await);
        before = repository.refs().await.map_err(std::io::Error::other)?;
        // Chosen here: one that is switched on when the pusher is done hears nothing of this push.
        hooks = hub.hooks_for("push", repository.full_name()).await;
    }
    let mut child = command(&hub, &caller, &repository, &request).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        let body = request
            .into_body()
            .into_data_stream()
            .map_err(std::io::Error::other);
        tokio::spawn(async move {
            // An error here means that one side went away; the exit of the program tells the rest.
            let _ = tokio::io::copy(&mut StreamReader::new(body), &mut input).await;
            let _ = input.shutdown().await;
        });
    }
    let output = child
        .stdout
        .take()
        .ok_or_else(|| std::io::Error::other("no standard output"))?;
    let mut output = BufReader::with_capacity(64 * 1024, output);
    tokio::spawn(async move {
        finish(child).await;
        if pushes {
            webhooks::after_push(hub, caller, repository, before, hooks).await;
        }
        drop(turn);
    });

    let (status, headers) = cgi_header(&mut output).await?;
    let body = Body::from_stream(ReaderStream::with_capacity(output, 64 * 1024));
    Ok((status, headers, body).into_response())
}

fn command(hub: &Hub, caller: &Caller, repository: &Repository, request: &Request) -> Command {
    let header = |name: HeaderName| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let action = request
        .uri()
        .path()
        .splitn(4, '/')
        .nth(3)
        .unwrap_or_default();
    let mut command = Command::new(&hub.http_backend);
    command
        .env("GIT_PROJECT_ROOT", &hub.config.repositories_dir)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env(
            "PATH_INFO",
            format!("/{}.git/{action}", repository.full_name()),
        )
        .env("REQUEST_METHOD", request.method().as_str())
        .env("QUERY_STRING", request.uri().query().unwrap_or_default())
        .env("CONTENT_TYPE", header(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", header(header::CONTENT_ENCODING))
        .env(
            "GIT_PROTOCOL",
            header(HeaderName::from_static("git-protocol")),
        )
        // A user name is what makes http-backend offer pushes.
        .env("REMOTE_USER", &caller.person.login)
        .env("REMOTE_ADDR", "127.0.0.1")
        // GitHub serves partial clones and commits that no branch names.
        .envs([
            ("GIT_CONFIG_COUNT", "2"),
            ("GIT_CONFIG_KEY_0", "uploadpack.allowFilter"),
            ("GIT_CONFIG_VALUE_0", "true"),
        ])
        .envs([
            ("GIT_CONFIG_KEY_1", "uploadpack.allowAnySHA1InWant"),
            ("GIT_CONFIG_VALUE_1", "true"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Absent for a chunked body; http-backend then reads to the end.
    if let Some(length) = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
    {
        command.env("CONTENT_LENGTH", length);
    }
    command
}

async fn finish(mut child: Child) {
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut said).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!(%status, said = said.trim(), "git http-backend failed"),
        Err(error) => tracing::warn!(%error, "git http-backend could not be waited for"),
    }
}

/// Reads the lines up to the empty one. `Status:` is CGI's, everything else goes to the client.
async fn cgi_header(
    output: &mut BufReader<impl tokio::io::AsyncRead + Unpin>,
) -> std::io::Result<(StatusCode, HeaderMap)> {
    let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).await? == 0 {
            return Err(std::io::Error::other(
                "git http-backend ended before its header did",
            ));
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok((status, headers));
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            status = value
                .get(..3)
                .and_then(|code| code.parse().ok())
                .unwrap_or(StatusCode::BAD_GATEWAY);
        } else if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
}
