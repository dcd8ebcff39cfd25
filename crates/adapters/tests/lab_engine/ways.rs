//! The ways from an account to the engine, and the reasons why there is none.

use adapters::{
    docker::{ContainerSpec, DockerError, Engine},
    ssh::{Auth, Host, Hosts, Target, host_key},
};

use super::lab::{Lab, docker};

fn inside(container: &str, script: &str) {
    let done = docker(&["exec", container, "sh", "-c", script]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A throw-away account of a droplet.
struct Account {
    lab: Lab,
    user: &'static str,
}

impl Account {
    fn new(user: &'static str, more: &str) -> Self {
        let account = Self {
            lab: Lab::load(),
            user,
        };
        account.remove();
        let script =
            format!("useradd -m -s /bin/sh {user}; echo {user}:pw-for-tests | chpasswd; {more}");
        inside(account.lab.container("prod-backend"), &script);
        account
    }

    async fn log_in(&self) -> Host {
        let target = Target {
            user: self.user.into(),
            auth: Auth::Password("pw-for-tests".into()),
            ..self.lab.target("prod-backend")
        };
        Hosts::new().connect(self.user, &target).await.unwrap()
    }

    fn remove(&self) {
        let user = self.user;
        let script = format!("userdel -rf {user}; rm -f /etc/sudoers.d/{user}");
        docker(&[
            "exec",
            self.lab.container("prod-backend"),
            "sh",
            "-c",
            &script,
        ]);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.remove();
    }
}

async fn works(engine: &Engine) {
    assert!(engine.version().await.unwrap().api.starts_with("1."));
    // More at once than sshd allows sessions.
    for answer in futures::future::join_all((0..20).map(|_| engine.ping())).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn an_account_of_the_docker_group_uses_the_socket() {
    let lab = Lab::load();
    works(&lab.host("prod-backend").await.docker().await.unwrap()).await;
}

#[tokio::test]
async fn an_account_with_sudo_uses_docker_through_it() {
    let account = Account::new(
        "flsudo",
        "echo 'flsudo ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/flsudo",
    );
    let host = account.log_in().await;
    works(&host.docker().await.unwrap()).await;
    // Files too, in a folder of root's.
    host.write_file("/etc/fl-test", 0o600, "root's")
        .await
        .unwrap();
    let read = host.read_file("/etc/fl-test").await.unwrap();
    assert_eq!(read.unwrap(), b"root's");
    assert!(
        host.move_file("/etc/fl-test", "/etc/fl-test-2")
            .await
            .unwrap()
    );
    assert_eq!(host.read_file("/root/no-such-file").await.unwrap(), None);
    assert!(host.remove_file("/etc/fl-test-2").await.unwrap());
    // What it may touch itself stays its own.
    host.write_file("/home/flsudo/own", 0o600, "x")
        .await
        .unwrap();
    let ls = adapters::ssh::Command::new("stat").args(["-c", "%U", "/home/flsudo/own"]);
    assert_eq!(host.exec(&ls, None).await.unwrap().stdout, b"flsudo\n");
}

#[tokio::test]
async fn an_account_without_rights_is_told_what_it_lacks() {
    let account = Account::new("flplain", "true");
    let host = account.log_in().await;
    let error = host.docker().await.unwrap_err();
    assert_eq!(
        error,
        DockerError::NoPermission {
            host: "flplain".into(),
            user: "flplain".into()
        }
    );
    for error in [
        host.write_file("/etc/fl-test", 0o600, "x")
            .await
            .unwrap_err(),
        host.sudo().read_file("/etc/passwd").await.unwrap_err(),
        host.read_file("/root/x").await.unwrap_err(),
    ] {
        assert!(
            matches!(error, adapters::ssh::SshError::NoPermission { .. }),
            "{error:?}"
        );
    }
    let error = adapters::nginx::as_root(&host).await.unwrap_err();
    assert!(
        matches!(&error, adapters::nginx::NginxError::NotAllowed { why, .. } if why.contains("password is required")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_host_whose_engine_is_down_or_absent_is_told_apart() {
    let lab = Lab::load();
    let local = lab.local();
    // A droplet that only starts sshd.
    let name = "fl-bare";
    local.remove(name).await.unwrap();
    let mut spec = ContainerSpec::new("fairlead-lab/droplet");
    let start = "ssh-keygen -A; mkdir -p /run/sshd; echo root:pw-for-tests | chpasswd; \
                 exec /usr/sbin/sshd -D -e -o PermitRootLogin=yes -o PasswordAuthentication=yes";
    spec.entrypoint = ["sh", "-c", start].map(ToOwned::to_owned).to_vec();
    spec.ports = vec!["127.0.0.1:10722:22".parse().unwrap()];
    local.create(name, &spec).await.unwrap();
    local.start(name).await.unwrap();
    let mut key = host_key("127.0.0.1", 10722).await;
    for _ in 0..100 {
        if key.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        key = host_key("127.0.0.1", 10722).await;
    }
    let target = Target {
        address: "127.0.0.1".into(),
        port: 10722,
        user: "root".into(),
        auth: Auth::Password("pw-for-tests".into()),
        host_key: Some(key.unwrap()),
    };
    let host = Hosts::new().connect("bare", &target).await.unwrap();
    assert_eq!(
        host.docker().await.unwrap_err(),
        DockerError::NotRunning {
            host: "bare".into()
        }
    );
    // What a killed engine leaves behind.
    inside(
        name,
        "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"/var/run/docker.sock\", Listen => 1) or die $!'",
    );
    assert_eq!(
        host.docker().await.unwrap_err(),
        DockerError::NotRunning {
            host: "bare".into()
        }
    );
    inside(name, "rm -f /var/run/docker.sock $(command -v docker)");
    assert_eq!(
        host.docker().await.unwrap_err(),
        DockerError::NoDocker {
            host: "bare".into()
        }
    );
    local.remove(name).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unreachable() {
    for address in ["unix:///no/such.sock", "tcp://127.0.0.1:1"] {
        let error = Engine::local(address).unwrap().ping().await.unwrap_err();
        assert!(
            matches!(error, DockerError::EngineUnreachable { .. }) && error.is_transient(),
            "{error:?}"
        );
    }
    assert!(matches!(
        Engine::local("/var/run/docker.sock"),
        Err(DockerError::BadAddress { .. })
    ));
}
