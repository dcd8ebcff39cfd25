//! How a component's container is started: what `docker run` takes that people use, typed.
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Span, Value};

/// The arguments of `docker run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// `--name`; the same for every release, so that people and proxies find it.
    pub name: String,
    /// `-p`.
    pub ports: Vec<Port>,
    /// `-e`; values may be secret references.
    pub env: IndexMap<String, Value>,
    /// `--env-file`: a file on the host.
    pub env_file: Option<String>,
    /// `-v`.
    pub volumes: Vec<Mount>,
    /// `--network`; the first at start, the others joined before it.
    pub networks: Vec<String>,
    /// `--add-host`.
    pub hosts: IndexMap<String, Value>,
    /// `--restart`.
    pub restart: Restart,
    /// The command in place of the image's; words, no shell.
    pub command: Vec<String>,
    /// `--entrypoint`; words, no shell.
    pub entrypoint: Vec<String>,
    /// `--user`.
    pub user: Option<String>,
    /// `--memory`, in bytes.
    pub memory: Option<Bytes>,
    /// `--cpus`.
    pub cpus: Option<f64>,
    /// `--label`; names that start with `fairlead.` are ours.
    pub labels: IndexMap<String, String>,
    /// `--log-driver` and `--log-opt`.
    pub log: Option<LogDriver>,
    /// `--health-cmd` and its options.
    pub healthcheck: Option<HealthCheck>,
    /// `--cap-add`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--ulimit`: name to (soft, hard).
    pub ulimits: IndexMap<String, Ulimit>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--tmpfs`: path to options.
    pub tmpfs: IndexMap<String, String>,
    /// `--stop-timeout`: how long the program may take to stop before it is killed.
    pub stop_timeout: Span,
}

/// `--restart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// Whenever it exits, and at boot.
    Always,
    /// As `always`, but not after it was stopped by hand.
    UnlessStopped,
    /// When it exits with an error.
    OnFailure,
}

/// `--log-driver NAME --log-opt k=v …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDriver {
    /// Driver name; `json-file` and `local` can be read back.
    pub driver: String,
    /// Its options.
    pub options: IndexMap<String, String>,
}

/// `--health-cmd` and its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Run in the container by its shell.
    pub command: String,
    /// Between two checks.
    pub every: Span,
    /// For one check.
    pub timeout: Span,
    /// Failures in a row until it counts as unhealthy.
    pub retries: u32,
    /// Failures are not counted before this has passed.
    pub start_period: Span,
}

/// A published port: `[ADDRESS:]HOST:CONTAINER[/PROTOCOL]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// The host's address to listen on; every one where absent.
    pub address: Option<IpAddr>,
    /// The host's port.
    pub host: u16,
    /// The container's port.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: Protocol,
}

/// The transport of a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, the default.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// As Docker writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

impl FromStr for Port {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "a port is `[ADDRESS:]HOST:CONTAINER[/tcp|udp|sctp]`, as in `8000:8000`".to_owned();
        let (numbers, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((numbers, "tcp")) => (numbers, Protocol::Tcp),
            Some((numbers, "udp")) => (numbers, Protocol::Udp),
            Some((numbers, "sctp")) => (numbers, Protocol::Sctp),
            Some(_) => return Err(wrong()),
        };
        let (rest, container) = numbers.rsplit_once(':').ok_or_else(wrong)?;
        let (address, host) = match rest.rsplit_once(':') {
            None => (None, rest),
            Some((address, host)) => {
                let address = address.trim_start_matches('[').trim_end_matches(']');
                (Some(address.parse::<IpAddr>().map_err(|_| wrong())?), host)
            }
        };
        let number = |text: &str| {
            text.parse::<u16>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(wrong)
        };
        Ok(Self {
            address,
            host: number(host)?,
            container: number(container)?,
            protocol,
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            None => {}
        }
        write!(f, "{}:{}", self.host, self.container)?;
        if self.protocol == Protocol::Tcp {
            Ok(())
        } else {
            write!(f, "/{}", self.protocol.as_str())
        }
    }
}

impl TryFrom<String> for Port {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}

/// A mounted folder, file or volume: `SOURCE:TARGET[:ro|rw]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mount {
    /// An absolute path on the host, or a volume's name.
    pub source: String,
    /// An absolute path in the container.
    pub target: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
}

impl FromStr for Mount {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "a volume is `SOURCE:TARGET[:ro]`, as in `/srv/media:/app/media`; the target is an absolute path".to_owned()
        };
        let mut parts = text.split(':');
        let (Some(source), Some(target), options, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let read_only = match options {
            None | Some("rw") => false,
            Some("ro") => true,
            Some(_) => return Err(wrong()),
        };
        let source_ok = source.starts_with('/') || is_docker_name(source);
        if source_ok && target.starts_with('/') {
            Ok(Self {
                source: source.into(),
                target: target.into(),
                read_only,
            })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}{}",
            self.source,
            self.target,
            if self.read_only { ":ro" } else { "" }
        )
    }
}

impl TryFrom<String> for Mount {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mount> for String {
    fn from(mount: Mount) -> String {
        mount.to_string()
    }
}

/// A soft and a hard limit: `1024` or `1024:4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Raised by the program itself up to the hard one.
    pub soft: i64,
    /// The most.
    pub hard: i64,
}

impl FromStr for Ulimit {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a limit is `SOFT[:HARD]` in whole numbers, as in `1024:4096`".to_owned();
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        let number = |text: &str| {
            text.parse::<i64>()
                .ok()
                .filter(|n| *n >= -1)
                .ok_or_else(wrong)
        };
        Ok(Self {
            soft: number(soft)?,
            hard: number(hard)?,
        })
    }
}

/// An amount of memory: `512m`, `2g`, `1048576`; held in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub i64);

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "an amount of memory is a whole number and `k`, `m` or `g`, as in `512m`".to_owned();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match text[digits..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1 << 10,
            "m" | "mb" => 1 << 20,
            "g" | "gb" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Bytes).ok_or_else(wrong)
    }
}

/// Docker's own rule for names of containers, volumes and networks.
pub(super) fn is_docker_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.len() <= 120
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_read_and_print_as_docker_writes_them() {
        for text in [
            "8000:8000",
            "127.0.0.1:8080:80",
            "53:53/udp",
            "[::1]:80:8080",
        ] {
            assert_eq!(text.parse::<Port>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "80",
            "0:80",
            "80:70000",
            "80:80/http",
            "a:80:80",
            "80;80",
        ] {
            assert!(bad.parse::<Port>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn volumes_read_and_print_as_docker_writes_them() {
        for text in ["/a/b:/c", "/a:/b:ro", "media:/app/media"] {
            assert_eq!(text.parse::<Mount>().unwrap().to_string(), text);
        }
        for bad in ["", "/a", "/a:b", "../a:/b", "/a:/b:zz", "/a:/b:ro:x"] {
            assert!(bad.parse::<Mount>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn amounts_of_memory_do_not_overflow() {
        assert_eq!("512m".parse::<Bytes>().unwrap().0, 512 << 20);
        assert!("99999999999999g".parse::<Bytes>().is_err());
        assert!("-1".parse::<Bytes>().is_err());
    }
}
