//! The one HTTP client: registries, GitHub and Slack are all reached through it, so that TLS, timeouts, proxies
//! and the rule about redirects are decided once.
//!
//! It follows no redirect. Most requests carry a token, and a redirect would carry it to a place nobody chose;
//! the APIs that are spoken here need none.
use std::error::Error as _;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Response, redirect};
use url::{Host, Url};

pub use reqwest::Client;

/// Time to reach a server.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a request and its whole answer. Every answer here is small; images never pass through this client.
const TOTAL: Duration = Duration::from_secs(30);
/// The largest answer that is read. GitHub's largest comparison is a few MB; more is a mistake or an attack.
const LARGEST: usize = 16 << 20;

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "no HTTP client can be made: {0}; install the system's CA certificates (Debian: `apt-get install ca-certificates`)"
)]
pub struct HttpError(#[source] reqwest::Error);

/// Makes the client, and installs ring as the process's TLS provider if none is installed yet.
///
/// Cloning a client shares its connections: make one and hand out clones.
pub fn client() -> Result<Client, HttpError> {
    // It fails only when a provider is there already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("fairlead/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .redirect(redirect::Policy::none())
        .build()
        .map_err(HttpError)
}

/// Why a request failed, without its address: an address may be a secret (Slack) and is named by the caller anyway.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".into();
    }
    // The innermost cause is the one that a person can act on: "Connection refused", "certificate has expired".
    let Some(mut cause) = error.source() else {
        return if error.is_decode() {
            "its answer is not what was asked for"
        } else {
            "the request failed"
        }
        .into();
    };
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Why an answer's body could not be used.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The connection broke while it was read.
    Lost(String),
    /// It is larger than anything that is expected.
    TooLarge,
}

/// Reads a whole answer, up to a cap.
pub(crate) async fn body(mut response: Response) -> Result<Bytes, BodyError> {
    let mut all = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| BodyError::Lost(reason(&error)))?
    {
        if all.len() + chunk.len() > LARGEST {
            return Err(BodyError::TooLarge);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// Seconds of a `Retry-After` header; its other form, a date, is not used by the servers that are spoken to here.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = header(response, "retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A header as text, if it is there and is text.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Whether a host is this machine or on a private network, where plain HTTP is common and accepted.
pub(crate) fn is_private(url: &Url) -> bool {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain(name)) => return name == "localhost" || name.ends_with(".localhost"),
        None => return false,
    };
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "http://10.77.0.2:5000",
            "http://127.0.0.1",
            "http://192.168.1.1",
            "http://localhost:1",
            "http://[::1]",
            "http://[fd00::1]",
        ] {
            assert!(is_private(&Url::parse(private).unwrap()), "{private}");
        }
        for public in [
            "http://8.8.8.8",
            "http://ghcr.io",
            "http://localhost.example.com",
            "http://172.32.0.1",
            "http://[2001:db8::1]",
        ] {
            assert!(!is_private(&Url::parse(public).unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_explained_without_the_address() {
        // Port 9 (discard) is closed on any machine that runs tests.
        let error = client()
            .unwrap()
            .get("http://127.0.0.1:9/secret-path")
            .send()
            .await
            .unwrap_err();
        let why = reason(&error);
        assert!(
            why.contains("refused") && !why.contains("secret-path"),
            "{why}"
        );
    }
}
