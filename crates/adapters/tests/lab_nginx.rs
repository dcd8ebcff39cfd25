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

/// Ends nginx, and waits until it is gone.
const QUIT: &str = "nginx -s quit; while pgrep -x nginx >/dev/null; do sleep 0.1; done";

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
    root.exec(&Command::script(QUIT), None).await.unwrap();
    nginx::load(&root).await.unwrap();
    assert_eq!(served(&root, 18_299).await, "second");

    // As a host with systemd has it, which is asked there and nothing else.
    const SYSTEMD: &str = r#"mkdir -p /run/systemd/system
cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
echo "$@" >>/tmp/fairlead-systemctl
[ ! -e /tmp/fairlead-fails ] || { echo "Job for nginx.service failed."; exit 1; }
nginx -s reload
END
chmod 755 /usr/local/bin/systemctl"#;
    const NO_SYSTEMD: &str = "rm -f /usr/local/bin/systemctl /tmp/fairlead-systemctl /tmp/fairlead-fails; rmdir /run/systemd/system /run/systemd";
    let run = async |script| root.exec(&Command::script(script), None).await.unwrap();
    root.write_file(CONF, 0o644, conf("third")).await.unwrap();
    run(SYSTEMD).await;
    let loaded = nginx::load(&root).await;
    run("touch /tmp/fairlead-fails").await;
    let failed = nginx::load(&root).await;
    let asked = run("cat /tmp/fairlead-systemctl").await.stdout;
    run(NO_SYSTEMD).await;
    assert_eq!(loaded, Ok(()));
    assert_eq!(served(&root, 18_299).await, "third");
    assert_eq!(
        String::from_utf8(asked).unwrap(),
        "reload-or-restart nginx\n".repeat(2)
    );
    assert!(
        matches!(&failed, Err(NginxError::NotLoaded { why, .. }) if why.contains("Job for nginx.service failed")),
        "{failed:?}"
    );

    root.remove_file(CONF).await.unwrap();
    nginx::load(&root).await.unwrap();
}

#[tokio::test]
async fn one_that_does_not_run_is_started_as_its_host_starts_it() {
    let root = nginx::as_root(&host().await).await.unwrap();
    let run = async |script| {
        let done = root.exec(&Command::script(script), None).await.unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    // The service's script of the distribution is used where it is, and done without where it is not.
    let spy = "[ -e /etc/init.d/nginx.away ] || mv /etc/init.d/nginx /etc/init.d/nginx.away; printf '#!/bin/sh\\necho asked to $1 >/tmp/fairlead-service; exec nginx\\n' >/etc/init.d/nginx; chmod 755 /etc/init.d/nginx";
    run(spy).await;
    run(QUIT).await;
    let by_service = nginx::load(&root).await;
    let asked =
        run("cat /tmp/fairlead-service; rm -f /tmp/fairlead-service /etc/init.d/nginx").await;
    run(QUIT).await;
    let alone = nginx::load(&root).await;
    run("mv /etc/init.d/nginx.away /etc/init.d/nginx").await;
    assert_eq!((by_service, alone), (Ok(()), Ok(())));
    assert_eq!(asked, "asked to start\n");
}
