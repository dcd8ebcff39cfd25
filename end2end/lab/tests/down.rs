//! `lab down` leaves nothing that runs. It takes the lab from whoever uses it, so it only runs when asked for, and alone:
//! `cargo test -p lab --test down -- --ignored`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]
use std::{path::Path, process::Command};

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

#[test]
#[ignore = "stops the lab; run it alone"]
fn down_leaves_no_container_no_network_and_no_process_and_the_next_up_has_the_same_host_keys() {
    lab("up");
    let before = lab::Lab::load().unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/lab/dockerd.pid")
        .exists();
    assert!(!processes().is_empty());

    lab("down");
    if ours {
        assert_eq!(processes(), Vec::<String>::new());
    } else {
        let docker = |args: &[&str]| Command::new("docker").args(args).output().unwrap().stdout;
        assert!(docker(&["ps", "-aq", "--filter", "label=fairlead.lab.spec"]).is_empty());
        assert!(docker(&["network", "ls", "-q", "--filter", "name=fairlead-lab"]).is_empty());
    }
    // A second one has nothing to do.
    lab("down");

    lab("up");
    let after = lab::Lab::load().unwrap();
    for (name, droplet) in &before.droplets {
        assert_eq!(after.droplets[name].host_key, droplet.host_key, "{name}");
    }
}
