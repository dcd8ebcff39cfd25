//! Bytes to and from an engine: where to dial, and the pooled HTTP client on top.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{
    Method, Request, Response, Uri,
    body::{Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    rt,
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::failure::Failure;

/// Which connection a request may use, where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Short calls.
    Control,
    /// Streams that last: logs, waits, builds, pulls, pushes.
    Bulk,
}

/// A byte stream to an engine.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A way to an engine.
pub trait Dial: Send + Sync + 'static {
    /// What people call this engine, for messages: `the local engine`, `host dev-backend`.
    fn place(&self) -> &str;
    /// Opens one stream. Called again after a loss.
    fn dial(&self, lane: Lane) -> BoxFuture<'_, io::Result<Box<dyn Io>>>;
}

/// An engine on this machine, or one that listens on TCP.
pub(super) enum Local {
    Unix(String),
    Tcp(String),
}

impl Dial for Local {
    fn place(&self) -> &str {
        match self {
            Self::Unix(path) => path,
            Self::Tcp(address) => address,
        }
    }

    fn dial(&self, _: Lane) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        async move {
            Ok(match self {
                Self::Unix(path) => {
                    Box::new(tokio::net::UnixStream::connect(path).await?) as Box<dyn Io>
                }
                Self::Tcp(address) => {
                    let stream = tokio::net::TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream)
                }
            })
        }
        .boxed()
    }
}

type StreamedBody =
    StreamBody<Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, io::Error>> + Send>>>;
type Body = Either<Full<Bytes>, StreamedBody>;

/// One lane to an engine: bollard, and the HTTP client that it runs on.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) docker: Docker,
    http: Client<Connector, Body>,
}

impl Wire {
    pub(super) fn new(dial: Arc<dyn Dial>, lane: Lane) -> Result<Self, Failure> {
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            // Where there is no socket each pooled stream is one of the few sessions that sshd allows.
            .pool_max_idle_per_host(2)
            .build(Connector { dial, lane });
        let transport = http.clone();
        let docker = Docker::connect_with_custom_transport(
            move |request: BollardRequest| {
                let client = transport.clone();
                async move {
                    client
                        .request(request)
                        .await
                        .map_err(bollard::errors::Error::from)
                }
            },
            Some("http://docker"),
            // Bollard's one limit covers a short call and the upload of a build alike: limits are set per call instead.
            u64::MAX / 4,
            API_DEFAULT_VERSION,
        )?;
        Ok(Self {
            docker: docker.with_request_modifier(fix_credentials),
            http,
        })
    }

    /// A request that bollard does not see. The body, if any, is JSON.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://docker{path}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Either::Left(Full::new(Bytes::from(
                body.unwrap_or_default(),
            ))))
            .map_err(|error| Failure::Odd(error.to_string()))?;
        let response = self.http.request(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        #[derive(serde::Deserialize)]
        struct Refusal {
            message: String,
        }
        let body = response.into_body().collect().await?.to_bytes();
        let message = serde_json::from_slice(&body)
            .map(|Refusal { message }| message)
            .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
        Err(Failure::Status {
            status: status.as_u16(),
            message,
        })
    }

    /// As [`Wire::request`], with the answer read as JSON.
    pub(super) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, Failure> {
        let body = self
            .request(method, path, body)
            .await?
            .into_body()
            .collect()
            .await?
            .to_bytes();
        serde_json::from_slice(&body).map_err(|error| Failure::Odd(error.to_string()))
    }
}

/// The engine expects the URL-safe alphabet and silently drops credentials that are not in it; bollard uses the other.
fn fix_credentials(mut request: BollardRequest) -> BollardRequest {
    for name in ["x-registry-auth", "x-registry-config"] {
        if let Some(value) = request.headers_mut().get_mut(name)
            && let Ok(text) = value.to_str()
            && let Ok(mut fixed) = HeaderValue::from_str(&text.replace('+', "-").replace('/', "_"))
        {
            fixed.set_sensitive(true);
            *value = fixed;
        }
    }
    request
}

#[derive(Clone)]
struct Connector {
    dial: Arc<dyn Dial>,
    lane: Lane,
}

impl tower_service::Service<Uri> for Connector {
    type Response = Pipe;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Pipe>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { dial, lane } = self.clone();
        async move { Ok(Pipe(TokioIo::new(dial.dial(lane).await?))) }.boxed()
    }
}

/// What hyper wants a stream to look like.
struct Pipe(TokioIo<Box<dyn Io>>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl rt::Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl rt::Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
