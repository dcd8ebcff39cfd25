//! The web server in front of a component: configurations that are right, that do not parse, that cannot be loaded; a host
//! without a web server, and one without room for a configuration.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use domain::report::Content;
use domain::run::Failure;
use faults::watch::get;
use faults::world::{kind, lead};
use faults::{App, Spec, World};

/// Where the web server listens, and what it is told.
const PORT: u16 = 18_271;
const CONF: &str = "/etc/nginx/conf.d/faults-front.conf";
const PROXY: &str = "proxy = { kind = \"nginx\", path = \"/etc/nginx/conf.d/faults-front.conf\", template = \"front.conf\", health = \"http://localhost:18271/\" }\n";

fn right() -> String {
    format!("server {{ listen {PORT}; location / {{ proxy_pass http://127.0.0.1:18270; }} }}\n")
}

async fn world() -> World {
    let spec = Spec {
        component: PROXY,
        // Nobody else loads its web server: for a while it cannot be.
        droplet: "dev-backend",
        ..Spec::new("front", 18_270)
    };
    let world = World::new(spec).await;
    let leftovers = "rm -f /etc/nginx/conf.d/*faults-front*; nginx -s reload || nginx";
    world.droplet.shell(leftovers).await;
    world.write("templates/front.conf", &right());
    world
}

/// What answers through the web server.
async fn through(world: &World) -> Option<String> {
    let address = SocketAddr::new(world.droplet.described.address.into(), PORT);
    get(address, "/").await.map(|(_, body)| body)
}

/// What was done about a failure; a container's commit is left out.
fn undone(failure: &Failure) -> String {
    let undone = failure.undone.as_deref().unwrap_or_default();
    match (undone.find(" (commit "), undone.find(')')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &undone[..from], &undone[to + 1..]),
        _ => undone.to_owned(),
    }
}

const BOTH_BACK: &str =
    "the container that ran before is back, and so is the web server's configuration";

async fn leave(world: World) {
    let line = format!("rm -f /etc/nginx/conf.d/*faults-front* {CONF}; nginx -s reload");
    world.droplet.shell(&line).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_is_loaded_and_a_wrong_one_gives_way_to_the_one_before() {
    let world = world().await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    let first = world.deploy_first(&portal).await;
    assert_eq!(through(&world).await.as_deref(), Some("v1"));
    let left = portal.artifacts(&lead(), first.view.row.id).await.unwrap();
    let conf = left.iter().find(|artifact| artifact.name == "front.conf");
    assert_eq!(conf.unwrap().content, Content::Text(right()));

    // Another program has the port of web servers: an sshd here.
    let squat = "/usr/sbin/sshd -p 80 -o PidFile=/tmp/faults-front.pid";
    let free = "kill $(cat /tmp/faults-front.pid)";
    let port_80 = world.droplet.broken(squat, free).await;
    for (conf, says) in [
        ("server { listen 80; }\n", "0.0.0.0:80"),
        ("server { listen 18271; nonsense; }\n", "nonsense"),
        // sshd has that port: nginx takes the order to reload, and goes on as before.
        ("server { listen 22; }\n", "0.0.0.0:22"),
    ] {
        world.write("templates/front.conf", conf);
        let run = world.deploy(&portal, &App::fine("v2")).await;
        let failure = run.failed(kind::deploy, &[says, "nginx on host"]);
        assert_eq!(undone(failure), BOTH_BACK);
        world.until_serves("v1").await;
        assert_eq!(
            through(&world).await.as_deref(),
            Some("v1"),
            "{}",
            run.story()
        );
        let there = world.droplet.shell(&format!("cat {CONF}")).await;
        assert_eq!(there.trim(), right().trim());
    }

    drop(port_80);

    // One that is right and leads nowhere.
    let nowhere = right().replace("18270", "9");
    world.write("templates/front.conf", &nowhere);
    world.write_secrets(&[]);
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let failure = run.failed(
        kind::deploy,
        &["did not let http://localhost:18271/ through", "502"],
    );
    assert_eq!(undone(failure), BOTH_BACK);
    assert_eq!(through(&world).await.as_deref(), Some("v1"));

    // Somebody else's file is wrong, so that the old configuration cannot be loaded either.
    let other = "/etc/nginx/conf.d/zz-faults-front.conf";
    let line = format!("echo 'nonsense;' >{other}");
    let mend = format!("rm -f {other}");
    let broken = world.droplet.broken(&line, &mend).await;
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let failure = run.failed(kind::deploy, &["refuses its configuration", "nonsense"]);
    let undone = undone(failure);
    assert!(
        undone.starts_with("the container that ran before is back; the web server's configuration is put back too, but not loaded: nginx on host"),
        "{undone}"
    );
    let there = world.droplet.shell(&format!("cat {CONF}")).await;
    assert_eq!(there.trim(), right().trim());
    drop(broken);

    // The file is right, and nginx has another one in use, as when a portal died before it was loaded.
    world.write("templates/front.conf", &right());
    let other = format!(
        "cp {CONF} /tmp/faults-front && echo 'server {{ listen 18296; }}' >{CONF} && nginx -s reload"
    );
    world.droplet.shell(&other).await;
    let limit = Instant::now() + Duration::from_secs(60);
    while through(&world).await.is_some() {
        assert!(Instant::now() < limit, "nginx does not take the other one");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world
        .droplet
        .shell(&format!("mv /tmp/faults-front {CONF}"))
        .await;
    world.deploy(&portal, &App::fine("v2")).await.succeeded();
    assert_eq!(through(&world).await.as_deref(), Some("v2"));
    engine.stop().await;
    leave(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_a_web_server_fails_the_deploy_and_the_old_container_never_stops() {
    let spec = Spec::new("no-front", 18_272);
    let mut world = World::new(Spec {
        droplet: "uat-backend",
        ..spec
    })
    .await;
    world.write("templates/front.conf", &right());
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let hide = "mv /usr/sbin/nginx /usr/sbin/nginx.hidden";
    let show = "mv /usr/sbin/nginx.hidden /usr/sbin/nginx 2>/dev/null || true";
    world.rewrite(|spec| spec.component = PROXY).await;
    let watch = world.watch();
    let hidden = world.droplet.broken(hide, show).await;
    let run = world.deploy(&portal, &App::fine("v2")).await;
    drop(hidden);
    let failure = run.failed(kind::deploy, &["has no nginx", "apt-get install nginx"]);
    assert_eq!(
        undone(failure),
        "the container that ran before is as it was"
    );
    watch.saw_nothing_but("v1").await;
    // Nothing was written either.
    let listed = world.droplet.shell("ls -A /etc/nginx/conf.d").await;
    assert!(!listed.contains("faults-front"), "{listed}");
    engine.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_disk_is_full_keeps_the_web_servers_configuration_and_the_old_container() {
    let spec = Spec {
        component: PROXY,
        droplet: "uat-backend",
        ..Spec::new("front-full", 18_270)
    };
    let world = World::new(spec).await;
    let unmount = "umount --lazy /etc/nginx/conf.d; nginx -s reload";
    // A test that was killed has mended nothing.
    let _ = world.droplet.try_run(&["sh", "-c", unmount]).await;
    let mount = "mount -t tmpfs -o size=16k tmpfs /etc/nginx/conf.d; nginx -s reload || nginx";
    let disk = world.droplet.broken(mount, unmount).await;
    world.write("templates/front.conf", &right());
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    assert_eq!(through(&world).await.as_deref(), Some("v1"));
    let fill = "cat /dev/zero >/etc/nginx/conf.d/filler 2>/dev/null || true";
    world.droplet.shell(fill).await;
    world.write(
        "templates/front.conf",
        &right().replace("location", "\n location"),
    );
    let run = world.deploy(&portal, &App::fine("v2")).await;
    let says = [
        "the disk of host front-full/dev/server is full: /etc/nginx/conf.d/",
        "free some space",
    ];
    let failure = run.failed(kind::deploy, &says);
    let undone = failure.undone.clone().unwrap_or_default();
    assert!(undone.contains("is back"), "{undone}");
    world.until_serves("v1").await;
    assert_eq!(through(&world).await.as_deref(), Some("v1"));
    let there = world.droplet.shell(&format!("cat {CONF}")).await;
    assert_eq!(there.trim(), right().trim());
    engine.stop().await;
    drop(disk);
    world.close().await;
}
