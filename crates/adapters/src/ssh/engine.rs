//! The Docker engine of a host: which way leads to it, and why none does.

use std::{io, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use super::{command::Command, connection::Open, error::SshError, hosts::Host, link::Link};
use crate::docker::{Dial, DockerError, Engine, Io, Lane};

const SOCKET: &str = "/var/run/docker.sock";

/// Says how the account can reach Docker. Being in the group is not enough to ask: the login may be older than that.
const LOOK: &str = r#"
s=/var/run/docker.sock
if [ -S "$s" ] && [ -r "$s" ] && [ -w "$s" ]; then echo socket
elif ! command -v docker >/dev/null 2>&1 && ! [ -S "$s" ]; then echo absent
elif docker version >/dev/null 2>&1; then echo docker
elif sudo -n docker version >/dev/null 2>&1; then echo sudo
elif [ -S "$s" ] && ! [ -w "$s" ]; then echo denied
else echo stopped
fi"#;

impl Host {
    /// The host's Docker engine, through the forwarded socket or, where that is not allowed, through
    /// `docker system dial-stdio`, with `sudo -n` where needed. The way is looked for once.
    ///
    /// Errors: [`DockerError::NoDocker`], [`DockerError::NotRunning`], [`DockerError::NoPermission`], each with advice.
    pub async fn docker(&self) -> Result<Engine, DockerError> {
        self.engine
            .get_or_try_init(|| self.find_engine())
            .await
            .cloned()
    }

    async fn find_engine(&self) -> Result<Engine, DockerError> {
        let answer = self.exec(&Command::script(LOOK), None).await?;
        let host = self.name().to_owned();
        let way = match String::from_utf8_lossy(&answer.stdout).trim() {
            "socket" => Way::Socket,
            "docker" => Way::Command(Command::new("docker")),
            "sudo" => Way::Command(Command::new("docker").sudo()),
            "absent" => return Err(DockerError::NoDocker { host }),
            "denied" => {
                return Err(DockerError::NoPermission {
                    host,
                    user: self.link.target.user.clone(),
                });
            }
            _ => return Err(DockerError::NotRunning { host }),
        };
        let engine = self.engine_by(way)?;
        match engine.ping().await {
            Ok(()) => Ok(engine),
            // sshd may forbid forwarding, or a stale socket may be all that is left of an engine.
            Err(DockerError::EngineUnreachable { .. }) => {
                let engine = self.engine_by(Way::Command(Command::new("docker")))?;
                engine
                    .ping()
                    .await
                    .map_err(|_| DockerError::NotRunning { host })?;
                Ok(engine)
            }
            Err(error) => Err(error),
        }
    }

    fn engine_by(&self, way: Way) -> Result<Engine, DockerError> {
        let place = format!("host {}", self.name());
        Engine::over(Arc::new(Forwarded {
            link: self.link.clone(),
            place,
            way,
        }))
    }
}

struct Forwarded {
    link: Arc<Link>,
    place: String,
    way: Way,
}

enum Way {
    Socket,
    /// `docker`, to which the rest of the line is added.
    Command(Command),
}

impl Dial for Forwarded {
    fn place(&self) -> &str {
        &self.place
    }

    fn dial(&self, lane: Lane) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        async move {
            let tunnel = match &self.way {
                Way::Socket => self.link.tunnel(lane, Open::Socket(SOCKET)).await,
                Way::Command(docker) => {
                    self.link
                        .pipe(lane, &docker.clone().args(["system", "dial-stdio"]))
                        .await
                }
            };
            match tunnel {
                Ok(tunnel) => Ok(Box::new(tunnel) as Box<dyn Io>),
                Err(error @ SshError::Refused { .. }) => {
                    Err(io::Error::new(io::ErrorKind::ConnectionRefused, error))
                }
                Err(error) => Err(io::Error::other(error)),
            }
        }
        .boxed()
    }
}
