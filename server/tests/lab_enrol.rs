//! `fairlead host enrol` against a server of the lab.
use std::process::Command;

use lab::Lab;

#[test]
fn enrol_prints_the_key_that_the_server_has_and_the_line_for_the_manifest() {
    let lab = Lab::load().expect("this test needs the lab: start it with `make lab`");
    let droplet = &lab.droplets["dev-backend"];
    let address = droplet.address.to_string();
    let enrolled = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(["host", "enrol", &address])
        .output()
        .unwrap();
    let printed = String::from_utf8(enrolled.stdout).unwrap();
    assert_eq!(enrolled.status.code(), Some(0), "{printed}");
    let key = &droplet.host_key;
    let first = format!("{address}:22 shows the key {key}\n");
    let last = format!("\nhost_key = \"{key}\"\n");
    assert!(
        printed.starts_with(&first) && printed.ends_with(&last),
        "{printed}"
    );
}
