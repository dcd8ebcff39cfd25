//! From what an engine or a connection says to what it means.
//!
//! The API gives little more than a status and a sentence, so some cases are recognised by the engine's words. That
//! happens in [`DockerError::of`] and nowhere else; words it does not know end as [`DockerError::Other`], verbatim.

use std::time::Duration;

use super::error::DockerError;

/// What a call was about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    Engine,
    Container(&'a str),
    Network(&'a str),
    /// An image on the engine.
    Image(&'a str),
    /// An image and its registry.
    Registry(&'a str),
}

/// A failure before it is put into words.
#[derive(Debug)]
pub(super) enum Failure {
    /// The engine answered with an error status.
    Status {
        status: u16,
        message: String,
    },
    /// The engine reported an error inside a stream that began well.
    Stream(String),
    /// No connection.
    Connect(String),
    /// The connection ended during the call.
    Broken(String),
    /// Our own request body could not be read.
    Context(String),
    Timeout(Duration),
    /// Answers that make no sense.
    Odd(String),
}

impl DockerError {
    pub(super) fn of(engine: &str, about: About<'_>, failure: Failure) -> Self {
        let engine = engine.to_owned();
        let what = match about {
            About::Engine => "the engine".to_owned(),
            About::Container(name) => format!("container {name}"),
            About::Network(name) => format!("network {name}"),
            About::Image(name) | About::Registry(name) => format!("image {name}"),
        };
        let (status, why) = match failure {
            Failure::Connect(why) => return Self::EngineUnreachable { engine, why },
            Failure::Broken(why) => return Self::Interrupted { engine, why },
            Failure::Context(why) => return Self::Context { why },
            Failure::Timeout(limit) => {
                if let About::Registry(reference) = about {
                    return Self::RegistryUnreachable {
                        engine,
                        registry: super::images::registry_of(reference).to_owned(),
                        why: format!("nothing was heard of it for {} s", limit.as_secs()),
                    };
                }
                return Self::Timeout {
                    engine,
                    what,
                    limit,
                };
            }
            Failure::Odd(why) => return Self::Other { engine, what, why },
            Failure::Status { status, message } => (Some(status), message.trim().to_owned()),
            Failure::Stream(message) => (None, message.trim().to_owned()),
        };
        let says = |words: &[&str]| {
            let lower = why.to_ascii_lowercase();
            words.iter().any(|word| lower.contains(word))
        };
        if says(&["no space left on device", "disk quota exceeded"]) {
            return Self::DiskFull { engine, why };
        }
        if says(&["port is already allocated", "address already in use"]) {
            return Self::PortTaken { engine, what, why };
        }
        match about {
            About::Registry(reference) => {
                let registry = super::images::registry_of(reference).to_owned();
                // Before the refusals: a registry that asks for fewer requests may speak of logging in.
                if says(&["toomanyrequests", "too many requests"]) {
                    Self::RegistryBusy {
                        engine,
                        registry,
                        why,
                    }
                } else if says(&[
                    "unauthorized",
                    "no basic auth credentials",
                    "authentication required",
                    "denied",
                    "forbidden",
                ]) {
                    Self::Unauthorized {
                        engine,
                        registry,
                        why,
                    }
                } else if says(&[
                    "manifest unknown",
                    "not found",
                    "does not exist",
                    "name unknown",
                ]) || status == Some(404)
                {
                    Self::ImageMissing {
                        engine,
                        reference: reference.to_owned(),
                        why,
                    }
                } else if says(&[
                    "connection refused",
                    "no such host",
                    "timeout",
                    "no route to host",
                    "network is unreachable",
                    "tls",
                    "connection reset",
                    // What is left of a connection that ended in the middle of a push.
                    "closed idle connection",
                    "connection lost",
                    "closed network connection",
                    "broken pipe",
                    "eof",
                    "server misbehaving",
                    "temporary failure",
                    "service unavailable",
                    "bad gateway",
                    "internal server error",
                    "received unexpected http status",
                    "server gave http response",
                ]) {
                    Self::RegistryUnreachable {
                        engine,
                        registry,
                        why,
                    }
                } else {
                    Self::Other { engine, what, why }
                }
            }
            _ if status == Some(404) && says(&["no such image"]) => {
                let reference = match about {
                    About::Image(reference) => reference.to_owned(),
                    _ => why.rsplit("image: ").next().unwrap_or_default().to_owned(),
                };
                Self::ImageMissing {
                    engine,
                    reference,
                    why,
                }
            }
            _ if status == Some(404) && says(&["no such container", "no such network"]) => {
                Self::NotFound { engine, what }
            }
            About::Network(_) if status == Some(404) && says(&["not found"]) => {
                Self::NotFound { engine, what }
            }
            About::Network(_) if status == Some(403) && says(&["has active endpoints"]) => {
                Self::Conflict { engine, what, why }
            }
            _ if status == Some(409) => Self::Conflict { engine, what, why },
            _ => Self::Other { engine, what, why },
        }
    }
}

/// The innermost cause says what happened; the layers above only say that something did.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        match error.is_user() {
            true => Self::Context(root(&error)),
            false => Self::Broken(root(&error)),
        }
    }
}

impl From<hyper_util::client::legacy::Error> for Failure {
    fn from(error: hyper_util::client::legacy::Error) -> Self {
        use std::error::Error as _;
        if error.is_connect() {
            return Self::Connect(root(&error));
        }
        let ours = error
            .source()
            .and_then(|e| e.downcast_ref::<hyper::Error>())
            .is_some_and(hyper::Error::is_user);
        if ours {
            Self::Context(root(&error))
        } else {
            Self::Broken(root(&error))
        }
    }
}

impl From<bollard::errors::Error> for Failure {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error;
        match error {
            Error::DockerResponseServerError {
                status_code,
                message,
            } => Self::Status {
                status: status_code,
                message,
            },
            Error::DockerStreamError { error } => Self::Stream(error),
            Error::HyperLegacyError { err } => err.into(),
            Error::HyperResponseError { err } => err.into(),
            Error::IOError { err } => Self::Broken(root(&err)),
            other => Self::Odd(root(&other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::SshError;

    /// The words are those of engines 20.10 and 28, as seen.
    #[test]
    fn the_engines_words_are_sorted_into_what_can_be_done_about_them() {
        let status = |status, message: &str| Failure::Status {
            status,
            message: message.into(),
        };
        let stream = |message: &str| Failure::Stream(message.into());
        let kind = |about, failure| {
            let error = format!("{:?}", DockerError::of("here", about, failure));
            error
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let image = About::Registry("10.77.0.2:5000/app@sha256:00");
        let container = About::Container("pm-backend");
        for (about, failure, want) in [
            (
                container,
                status(404, "No such container: pm-backend"),
                "NotFound",
            ),
            (
                container,
                status(404, "No such image: app:dev-1"),
                "ImageMissing",
            ),
            (
                container,
                status(
                    409,
                    "Conflict. The container name \"/pm-backend\" is already in use by container \"ab\".",
                ),
                "Conflict",
            ),
            (
                container,
                status(
                    500,
                    "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:8000 failed: port is already allocated",
                ),
                "PortTaken",
            ),
            (
                container,
                status(
                    500,
                    "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
                ),
                "PortTaken",
            ),
            (
                container,
                status(
                    500,
                    "mkdir /var/lib/docker/overlay2/x: no space left on device",
                ),
                "DiskFull",
            ),
            (
                container,
                status(
                    500,
                    "OCI runtime create failed: exec: \"nope\": executable file not found in $PATH",
                ),
                "Other",
            ),
            (
                image,
                stream("failed to register layer: write /x: no space left on device"),
                "DiskFull",
            ),
            (
                image,
                status(
                    500,
                    "Get \"http://10.77.0.2:5000/v2/app/manifests/sha256:00\": unauthorized: authentication required",
                ),
                "Unauthorized",
            ),
            (image, stream("no basic auth credentials"), "Unauthorized"),
            (
                image,
                stream("unauthorized: authentication required"),
                "Unauthorized",
            ),
            (
                image,
                status(
                    404,
                    "manifest for 10.77.0.2:5000/app@sha256:00 not found: manifest unknown: manifest unknown",
                ),
                "ImageMissing",
            ),
            (
                image,
                status(
                    500,
                    "Get \"http://10.77.0.2:5000/v2/\": dial tcp 10.77.0.2:5000: connect: connection refused",
                ),
                "RegistryUnreachable",
            ),
            (
                image,
                status(
                    500,
                    "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
                ),
                "RegistryBusy",
            ),
            (
                image,
                stream("received unexpected HTTP status: 429 Too Many Requests"),
                "RegistryBusy",
            ),
            (
                image,
                stream("http: server closed idle connection"),
                "RegistryUnreachable",
            ),
            (
                image,
                stream(
                    "Patch \"http://10.77.0.2:5000/v2/app/blobs/uploads/1\": write tcp 10.77.0.1:40000->10.77.0.2:5000: write: broken pipe",
                ),
                "RegistryUnreachable",
            ),
            (
                image,
                status(
                    500,
                    "Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host",
                ),
                "RegistryUnreachable",
            ),
            (
                image,
                status(
                    500,
                    "Get \"https://10.77.0.2:5000/v2/\": http: server gave HTTP response to HTTPS client",
                ),
                "RegistryUnreachable",
            ),
        ] {
            let words = format!("{failure:?}");
            assert_eq!(kind(about, failure), want, "{words}");
        }
    }

    #[test]
    fn only_failures_that_pass_by_themselves_are_transient() {
        let engine = || "here".to_owned();
        assert!(
            DockerError::Interrupted {
                engine: engine(),
                why: String::new()
            }
            .is_transient()
        );
        assert!(DockerError::Ssh(SshError::Lost { host: engine() }).is_transient());
        assert!(
            DockerError::RegistryBusy {
                engine: engine(),
                registry: "docker.io".into(),
                why: String::new()
            }
            .is_transient()
        );
        assert!(
            !DockerError::DiskFull {
                engine: engine(),
                why: String::new()
            }
            .is_transient()
        );
        assert!(!DockerError::NoDocker { host: engine() }.is_transient());
    }
}
