use std::time::{Duration, Instant};

use adapters::ssh::{Auth, Command, Fingerprint, Hosts, SshError, Target, host_key};

use super::sshd::{Account, Sshd, keygen};

async fn refusal(target: &Target) -> SshError {
    Hosts::new()
        .connect("test", target)
        .await
        .expect_err("the connection was made")
}

#[tokio::test]
async fn the_key_that_a_server_shows_is_told_for_pinning() {
    let sshd = Sshd::start();
    assert_eq!(
        host_key("127.0.0.1", sshd.port).await.unwrap(),
        sshd.fingerprint()
    );
}

#[tokio::test]
async fn a_server_whose_key_is_not_pinned_is_refused_and_its_key_is_told() {
    let sshd = Sshd::start();
    let error = refusal(&Target {
        host_key: None,
        ..sshd.target()
    })
    .await;
    assert_eq!(
        error,
        SshError::HostKeyUnknown {
            host: "test".into(),
            found: sshd.fingerprint()
        }
    );
}

#[tokio::test]
async fn a_server_with_another_key_than_the_pinned_one_is_refused_before_the_login() {
    let sshd = Sshd::start();
    let pinned: Fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
        .parse()
        .unwrap();
    // A wrong secret would be noticed first if it were sent first.
    let target = Target {
        host_key: Some(pinned.clone()),
        auth: Auth::Password("wrong".into()),
        ..sshd.target()
    };
    let error = refusal(&target).await;
    assert_eq!(
        error,
        SshError::HostKeyChanged {
            host: "test".into(),
            pinned,
            found: sshd.fingerprint()
        }
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_password_logs_in_and_a_wrong_one_is_refused() {
    let sshd = Sshd::start();
    let user = format!("fl{}", sshd.port);
    let _account = Account::new(&user, "right horse");
    let with = |password: &str| Target {
        user: user.clone(),
        auth: Auth::Password(password.into()),
        ..sshd.target()
    };
    let host = Hosts::new()
        .connect("test", &with("right horse"))
        .await
        .unwrap();
    let out = host.exec(&Command::new("whoami"), None).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), user);
    let error = refusal(&with("wrong horse")).await;
    assert_eq!(
        error,
        SshError::AuthRefused {
            host: "test".into(),
            user: user.clone(),
            method: "a password"
        }
    );
    assert!(!error.to_string().contains("wrong horse"));
}

#[tokio::test]
async fn an_account_that_may_not_run_commands_is_told_as_such() {
    let sshd = Sshd::start();
    let user = format!("fl{}", sshd.port);
    let _account = Account::with_shell(&user, "pw", "/usr/sbin/nologin");
    let error = refusal(&Target {
        user,
        auth: Auth::Password("pw".into()),
        ..sshd.target()
    })
    .await;
    assert!(matches!(error, SshError::NoShell { .. }), "{error:?}");
}

#[tokio::test]
async fn keys_log_in_with_their_passphrase_and_every_other_case_is_told_apart() {
    let sshd = Sshd::start();
    let with = |pem: String, passphrase: Option<&str>| Target {
        auth: Auth::Key {
            pem: pem.into(),
            passphrase: passphrase.map(Into::into),
        },
        ..sshd.target()
    };
    let locked = sshd.key("locked_key");
    Hosts::new()
        .connect("test", &with(locked.clone(), Some("open sesame")))
        .await
        .unwrap();
    for (pem, passphrase, words) in [
        (locked.clone(), None, "give its passphrase"),
        (
            locked,
            Some("open barley"),
            "the passphrase does not open it",
        ),
        ("no key at all".into(), None, "give the whole file"),
    ] {
        let error = refusal(&with(pem, passphrase)).await;
        assert!(
            matches!(&error, SshError::BadKey { .. }) && error.to_string().contains(words),
            "{error}"
        );
    }
    keygen(sshd.path("other_key").as_ref(), "");
    let error = refusal(&with(sshd.key("other_key"), None)).await;
    assert!(
        matches!(
            error,
            SshError::AuthRefused {
                method: "a key",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_unreachable_and_the_next_attempt_waits() {
    let mut sshd = Sshd::start();
    let target = sshd.target();
    sshd.kill();
    let hosts = Hosts::new();
    let error = hosts.connect("test", &target).await.unwrap_err();
    assert!(
        matches!(error, SshError::Unreachable { .. }) && error.is_transient(),
        "{error:?}"
    );
    assert!(error.to_string().contains("refused"), "{error}");
    let begin = Instant::now();
    sshd.start_again();
    hosts.connect("test", &target).await.unwrap();
    assert!(
        begin.elapsed() > Duration::from_millis(500),
        "the second attempt came after {:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn something_else_than_sshd_on_the_port_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            drop(socket);
        }
    });
    let error = host_key("127.0.0.1", port).await.unwrap_err();
    assert!(matches!(error, SshError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_is_shared_until_the_target_changes() {
    let sshd = Sshd::start();
    let hosts = Hosts::new();
    let session = Command::script(r#"echo "$SSH_CONNECTION""#);
    let ask = async |target: &Target| {
        let host = hosts.connect("test", target).await.unwrap();
        host.exec(&session, None).await.unwrap().stdout
    };
    let first = ask(&sshd.target()).await;
    assert_eq!(ask(&sshd.target()).await, first);
    let changed = Target {
        auth: Auth::Key {
            pem: sshd.key("locked_key").into(),
            passphrase: Some("open sesame".into()),
        },
        ..sshd.target()
    };
    assert_ne!(ask(&changed).await, first);
}

#[tokio::test]
async fn a_host_that_is_forgotten_is_left_when_its_last_user_is_done() {
    let sshd = Sshd::start();
    let hosts = Hosts::new();
    let host = hosts.connect("test", &sshd.target()).await.unwrap();
    hosts.forget("test").await;
    let said = host.exec(&Command::new("echo").arg("still"), None).await;
    assert_eq!(said.unwrap().stdout, b"still\n");
    assert!(sshd.serving() > 0);
    drop(host);
    let limit = Instant::now() + Duration::from_secs(30);
    while sshd.serving() > 0 {
        assert!(Instant::now() < limit, "the connection stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
