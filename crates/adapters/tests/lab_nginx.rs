//! nginx on a droplet of the lab: right and wrong configurations, a port that is taken, an account that must use sudo.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]
use adapters::nginx::{self, NginxError};
use adapters::ssh::{Auth, Command, Host, Hosts, Target};
use secrecy::SecretString;

use lab::{lab, text};

#[path = "support/lab.rs"]
mod lab;

/// A backend's account has a password and may use sudo.
async fn host() -> Host {
    let lab = lab();
    let of = |name: &str| text(&lab, &format!("/droplets/uat-backend/{name}"));
    let target = Target {
        address: of("address"),
        port: 22,
        user: of("user"),
        auth: Auth::Password(SecretString::from(of("password"))),
        host_key: Some(of("host_key").parse().unwrap()),
    };
    Hosts::new().connect("uat-backend", &target).await.unwrap()
}

async fn served(host: &Host, port: u16) -> String {
    let url = format!("http://127.0.0.1:{port}/");
    let got = host
        .exec(&Command::new("curl").args(["-s", &url]), None)
        .await
        .unwrap();
    String::from_utf8(got.stdout).unwrap()
}

#[tokio::test]
async fn what_is_right_is_loaded_and_what_is_wrong_leaves_the_old_one_at_work() {
    const CONF: &str = "/etc/nginx/conf.d/fairlead-test.conf";
    let root = nginx::as_root(&host().await).await.unwrap();
    let conf = |says: &str| {
        format!("server {{ listen 127.0.0.1:18299; location / {{ return 200 {says}; }} }}\n")
    };
    root.write_file(CONF, 0o644, conf("first")).await.unwrap();
    // Those who load at the same time do so one after the other.
    let loaded = tokio::join!(nginx::load(&root), nginx::load(&root), nginx::load(&root));
    assert_eq!(loaded, (Ok(()), Ok(()), Ok(())));
    assert_eq!(served(&root, 18_299).await, "first");

    root.write_file(
        CONF,
        0o644,
        "server { listen 127.0.0.1:18299; nonsense; }\n",
    )
    .await
    .unwrap();
    let error = nginx::load(&root).await.unwrap_err();
    assert!(
        matches!(&error, NginxError::Refused { why, .. } if why.contains("nonsense") && why.contains("fairlead-test.conf")),
        "{error}"
    );
    assert_eq!(served(&root, 18_299).await, "first");

    // sshd has that port: nginx would take the reload and go on as before.
    root.write_file(CONF, 0o644, "server { listen 22; }\n")
        .await
        .unwrap();
    let error = nginx::load(&root).await.unwrap_err();
    assert!(
        matches!(&error, NginxError::NotLoaded { why, .. } if why.contains("0.0.0.0:22")),
        "{error}"
    );
    assert_eq!(served(&root, 18_299).await, "first");

    root.write_file(CONF, 0o644, conf("second")).await.unwrap();
    nginx::load(&root).await.unwrap();
    assert_eq!(served(&root, 18_299).await, "second");

    // One that does not run is started.
    root.exec(&Command::new("nginx").args(["-s", "quit"]), None)
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    nginx::load(&root).await.unwrap();
    assert_eq!(served(&root, 18_299).await, "second");

    root.remove_file(CONF).await.unwrap();
    nginx::load(&root).await.unwrap();
}
