//! What the account may do that a host is signed in to with: what is root's it changes through sudo, where that asks
//! nothing; where it has none, it is told, and nothing is touched.
use domain::run::Failure;
use faults::watch::get;
use faults::world::kind;
use faults::{App, Mode, Spec, World};

/// Of root's, in the world's folder.
const ENV_FILE: &str = "env_file = \"/home/django/faults-rights/env\"";
const PROXY: &str = "proxy = { kind = \"nginx\", path = \"/etc/nginx/conf.d/faults-rights.conf\", template = \"front.conf\", health = \"http://localhost:18284/\" }\n";

/// An account that may use Docker and nothing else.
const PLAIN: &str = "faultsplain";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_roots_is_changed_through_sudo_and_an_account_without_it_is_told() {
    let spec = Spec {
        greeting: true,
        container: ENV_FILE,
        droplet: "prod-backend",
        ..Spec::new("rights", 18_283)
    };
    let mut world = World::new(spec).await;
    let place = world.place();
    let of_root = format!(
        "chown root:root {place}; chmod 700 {place}; echo COLOUR=blue >{place}/env; chmod 600 {place}/env"
    );
    world.droplet.shell(&of_root).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let greeting = async |world: &World| get(world.address(), "/greeting").await.unwrap().1;
    assert_eq!(greeting(&world).await, "hello from dev\n");
    world.write("templates/greeting", "a new greeting\n");
    world.deploy(&portal, &App::fine("v2")).await.succeeded();
    assert_eq!(greeting(&world).await, "a new greeting\n");
    let listed = format!("cd {place} && ls && stat -c %U text && cat text.previous");
    assert_eq!(
        world.droplet.shell(&listed).await,
        "env\ntext\ntext.previous\nroot\nhello from dev"
    );

    // What a deploy that fails has written there is put back, and nothing else is left.
    world.write("templates/greeting", "never seen\n");
    let failed = world.deploy(&portal, &App::of("v2x", Mode::Exits)).await;
    failed.failed(kind::deploy, &[]);
    world.until_serves("v2").await;
    assert_eq!(greeting(&world).await, "a new greeting\n");
    let left = world.droplet.shell(&format!("ls -A {place}")).await;
    assert_eq!(left, "env\ntext\ntext.previous");

    let made = format!(
        "userdel -rf {PLAIN} 2>/dev/null; useradd -m -s /bin/bash -G docker {PLAIN} && echo {PLAIN}:plain-pw | chpasswd"
    );
    let account = world
        .droplet
        .broken(&made, &format!("userdel -rf {PLAIN}"))
        .await;
    world.droplet.described.user = PLAIN.into();
    world.droplet.described.password = Some("plain-pw".into());
    world.write_secrets(&[]);
    world.write("templates/greeting", "another one\n");
    let front = "server { listen 18284; location / { proxy_pass http://127.0.0.1:18283; } }\n";
    world.write("templates/front.conf", front);
    let watch = world.watch();
    let denied = format!("{PLAIN} may not touch {place}");
    for (container, greets, component, says) in [
        (ENV_FILE, true, "", [&format!("{denied}/env"), "NOPASSWD"]),
        ("", true, "", [&format!("{denied}/text"), "NOPASSWD"]),
        (
            "",
            false,
            PROXY,
            [
                "cannot be changed: sudo: a password is required",
                "NOPASSWD",
            ],
        ),
    ] {
        let change = |spec: &mut Spec| {
            (spec.container, spec.greeting, spec.component) = (container, greets, component);
        };
        world.rewrite(change).await;
        let run = world.deploy(&portal, &App::fine("v3")).await;
        untouched(run.failed(kind::deploy, &says));
    }
    watch.saw_nothing_but("v2").await;
    assert_eq!(greeting(&world).await, "a new greeting\n");
    let listed = world.droplet.shell("ls -A /etc/nginx/conf.d").await;
    assert!(!listed.contains("faults-rights"), "{listed}");
    engine.stop().await;
    drop(account);
    world.close().await;
}

fn untouched(failure: &Failure) {
    let undone = failure.undone.as_deref().unwrap_or_default();
    assert!(
        undone.starts_with("the container that ran before is as it was (commit ")
            && undone.ends_with(')'),
        "{failure:?}"
    );
}
