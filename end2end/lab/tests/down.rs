//! `lab stop` keeps everything and `lab down` leaves nothing that runs. Both take the lab from whoever uses it, with what
//! was deployed to it, so this only runs when asked for, and alone: `cargo test -p lab --test down -- --ignored`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

fn lab(action: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg(action)
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "lab {action}: {}{}",
        said(&output.stdout),
        said(&output.stderr)
    );
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        said(&output.stderr)
    );
    said(&output.stdout)
}

/// The ids of the lab's containers.
fn containers() -> String {
    let filter = "label=fairlead.lab.spec";
    docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", filter])
}

/// Runs an app in a droplet as a deploy does, from the lab's nginx image.
fn deploy(droplet: &str) {
    let load = format!("docker save nginx:alpine | docker exec -i {droplet} docker load");
    let loaded = Command::new("sh").args(["-c", &load]).output().unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
    let run = "docker run --detach --name app --restart unless-stopped nginx:alpine";
    docker(&[&["exec", droplet][..], &run.split(' ').collect::<Vec<_>>()].concat());
}

fn app_runs(droplet: &str) -> bool {
    let ask = "docker inspect --format {{.State.Running}} app";
    docker(&[&["exec", droplet][..], &ask.split(' ').collect::<Vec<_>>()].concat()) == "true"
}

/// Names of running processes that belong to the lab, and zombies left out: those wait for their parent, not for us.
fn processes() -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.starts_with("dockerd ")
            || line.contains("containerd")
            || line.contains("serve-standins")
        {
            names.push(line);
        }
    }
    names
}

/// Waits for the last of them: what watches a container ends a moment after it.
fn nothing_runs() {
    let started = Instant::now();
    while !processes().is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{:?}",
            processes()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether the lab started the machine's engine itself.
fn engine_is_ours() -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/lab/dockerd.pid")
        .exists()
}

#[test]
#[ignore = "stops the lab; run it alone"]
fn a_stopped_lab_goes_on_with_the_same_containers_and_their_apps_run_again() {
    lab("up");
    let (before, ours) = (containers(), engine_is_ours());
    let droplet = "fairlead-lab-dev-frontend";
    deploy(droplet);

    lab("stop");
    if ours {
        nothing_runs();
    } else {
        assert!(docker(&["ps", "--quiet", "--filter", "label=fairlead.lab.spec"]).is_empty());
    }
    // A second one has nothing to do.
    lab("stop");

    lab("up");
    assert_eq!(containers(), before);
    let started = Instant::now();
    while !app_runs(droplet) {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(200));
    }
    docker(&["exec", droplet, "docker", "rm", "--force", "app"]);
}

#[test]
#[ignore = "stops the lab; run it alone"]
fn down_leaves_no_container_no_network_and_no_process_and_the_next_up_has_the_same_host_keys() {
    lab("up");
    let before = lab::Lab::load().unwrap();
    let ours = engine_is_ours();
    assert!(!processes().is_empty());

    lab("down");
    if ours {
        nothing_runs();
    } else {
        assert!(containers().is_empty());
        assert!(docker(&["network", "ls", "-q", "--filter", "name=fairlead-lab"]).is_empty());
        let config = std::fs::read_to_string("/etc/docker/daemon.json").unwrap_or_default();
        assert!(!config.contains(lab::layout::SUBNET), "{config}");
    }
    // A second one has nothing to do.
    lab("down");

    lab("up");
    let after = lab::Lab::load().unwrap();
    for (name, droplet) in &before.droplets {
        assert_eq!(after.droplets[name].host_key, droplet.host_key, "{name}");
    }
}
