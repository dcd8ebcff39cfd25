//! Health probes: an HTTP request sent from the server itself, so that a port bound to its localhost works.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, header::HOST};
use hyper_util::rt::TokioIo;
use url::Url;

use super::{error::SshError, hosts::Host};

/// Why a probe got no HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The address cannot be probed.
    #[error("`{url}` cannot be probed: {why}")]
    BadUrl {
        /// The address.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing listens there.
    #[error("{url}: connection refused")]
    Refused {
        /// The address.
        url: String,
    },
    /// The connection was closed before an answer came, as Docker's port proxy does while the program in the
    /// container does not listen yet.
    #[error("{url}: closed without an answer")]
    Closed {
        /// The address.
        url: String,
    },
    /// No answer in time.
    #[error("{url}: no answer within {} ms", limit.as_millis())]
    Timeout {
        /// The address.
        url: String,
        /// The time that was given.
        limit: Duration,
    },
    /// What answers does not speak HTTP.
    #[error("{url}: the answer is not HTTP ({why})")]
    Malformed {
        /// The address.
        url: String,
        /// The first thing that is wrong with it.
        why: String,
    },
    /// The probe did not get as far as the server.
    #[error(transparent)]
    Ssh(SshError),
}

impl Host {
    /// The status of `GET url`, asked from the server; redirects are not followed. Only `http:` is possible.
    pub async fn probe(&self, url: &str, limit: Duration) -> Result<u16, ProbeError> {
        let bad = |why: &str| ProbeError::BadUrl {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        let parsed = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
        if parsed.scheme() != "http" {
            return Err(bad("only http addresses can be probed through SSH"));
        }
        let host = parsed.host_str().ok_or_else(|| bad("it names no host"))?;
        tokio::time::timeout(limit, self.get(url, &parsed, host))
            .await
            .unwrap_or_else(|_| {
                Err(ProbeError::Timeout {
                    url: url.to_owned(),
                    limit,
                })
            })
    }

    async fn get(&self, url: &str, parsed: &Url, host: &str) -> Result<u16, ProbeError> {
        let port = parsed.port_or_known_default().unwrap_or(80);
        // sshd wants an IPv6 address without the brackets that a URL puts around it.
        let tunnel = self
            .tunnel(host.trim_matches(['[', ']']), port)
            .await
            .map_err(|error| match error {
                SshError::Refused { .. } => ProbeError::Refused {
                    url: url.to_owned(),
                },
                other => ProbeError::Ssh(other),
            })?;
        let broken = |error: hyper::Error| match error.is_parse() {
            true => ProbeError::Malformed {
                url: url.to_owned(),
                why: error.to_string(),
            },
            false => ProbeError::Closed {
                url: url.to_owned(),
            },
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tunnel))
            .await
            .map_err(broken)?;
        let connection = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
        let authority = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let request = Request::get(&parsed[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, authority)
            .header("user-agent", "fairlead-probe")
            .body(Empty::<Bytes>::new())
            .map_err(|error| ProbeError::BadUrl {
                url: url.to_owned(),
                why: error.to_string(),
            })?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        drop(connection);
        Ok(answer.status().as_u16())
    }
}
