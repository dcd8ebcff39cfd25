//! The running lab is what `lab.json` says, and a second `up` leaves it alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]
use lab::{Lab, description::Droplet};
use std::{
    collections::BTreeSet,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn lab() -> Lab {
    Lab::load().unwrap_or_else(|error| panic!("{error}"))
}

fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Each container with the moment it was started, and the pids of what runs beside them.
fn what_runs() -> BTreeSet<String> {
    let names = text(&run(
        "docker",
        &[
            "ps",
            "--filter",
            "label=fairlead.lab.spec",
            "--format",
            "{{.Names}}",
        ],
    ));
    let mut args = vec!["inspect", "--format", "{{.Id}} {{.State.StartedAt}}"];
    args.extend(names.lines());
    let mut all: BTreeSet<String> = text(&run("docker", &args))
        .lines()
        .map(str::to_owned)
        .collect();
    let folder = lab::folder::Folder::of_this_checkout().unwrap();
    all.insert(std::fs::read_to_string(folder.file("standins.pid")).unwrap());
    all
}

#[test]
fn a_second_up_changes_nothing_and_builds_nothing() {
    let up = || {
        let start = Instant::now();
        let output = run(env!("CARGO_BIN_EXE_lab"), &["up"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        start.elapsed()
    };
    // The first one may have work to do: the lab may run with one environment only, or under an older program.
    up();
    let before = what_runs();
    let elapsed = up();
    assert_eq!(what_runs(), before);
    // Building or starting anything takes minutes.
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}

#[test]
fn each_running_droplet_shows_the_host_key_that_is_pinned() {
    let Lab { droplets, .. } = lab();
    let described = |name: &str, droplet: &Droplet| {
        let address = droplet.address.to_string();
        let shown = text(&run("ssh-keyscan", &["-t", "ed25519", &address]));
        assert!(!shown.is_empty(), "{name} shows no host key");
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), shown).unwrap();
        let fingerprint = text(&run("ssh-keygen", &["-lf", &key.path().to_string_lossy()]));
        assert!(
            fingerprint.contains(&droplet.host_key),
            "{name}: {fingerprint}"
        );
    };
    assert_eq!(droplets.len(), 6);
    for name in ["dev-backend", "dev-frontend"] {
        described(name, &droplets[name]);
    }
}

#[test]
fn a_frontend_droplet_lets_root_in_by_key_to_an_engine_of_its_own() {
    let Lab { droplets, .. } = lab();
    let Droplet {
        address,
        user,
        key_file,
        ..
    } = &droplets["dev-frontend"];
    let key = key_file.as_ref().unwrap().to_string_lossy().into_owned();
    let target = format!("{user}@{address}");
    let options = [
        "-i",
        &key,
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ];
    let command = "hostname; docker info --format '{{.ID}}'";
    let output = run("ssh", &[&options[..], &[&target, command]].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen = text(&output);
    let (hostname, engine) = seen.trim().split_once('\n').unwrap();
    assert_eq!(hostname, "fairlead-lab-dev-frontend");
    assert_ne!(
        engine,
        text(&run("docker", &["info", "--format", "{{.ID}}"])).trim()
    );
}

#[test]
fn the_registries_let_in_who_has_the_password_and_nobody_else() {
    for registry in lab().registries {
        let url = format!("http://{}/v2/", registry.address);
        let status = |config: String| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), config).unwrap();
            let config = file.path().to_string_lossy().into_owned();
            text(&run(
                "curl",
                &[
                    "-s",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                    "--config",
                    &config,
                    &url,
                ],
            ))
        };
        assert_eq!(status(String::new()), "401", "{}", registry.name);
        assert_eq!(
            status(format!("user = {}:wrong", registry.username)),
            "401",
            "{}",
            registry.name
        );
        assert_eq!(
            status(format!(
                "user = {}:{}",
                registry.username, registry.password
            )),
            "200",
            "{}",
            registry.name
        );
    }
}

/// Runs `psql` in the network of a droplet, with the `DATABASE_URL` of dev's backend.
fn query_from(network: &str) -> Output {
    let app = "/home/django/ProjectMeats/backend/.env";
    let environment = text(&run(
        "docker",
        &["exec", "fairlead-lab-dev-backend", "cat", app],
    ));
    let url = environment
        .lines()
        .find_map(|line| line.strip_prefix("DATABASE_URL="))
        .unwrap();
    Command::new("docker")
        .args([
            "run",
            "--rm",
            "--network",
            network,
            "--env",
            "DATABASE_URL",
            "postgres:15",
        ])
        .args([
            "bash",
            "-c",
            "psql \"$DATABASE_URL\" -tAc 'select current_user'",
        ])
        .env("DATABASE_URL", url)
        .output()
        .unwrap()
}

#[test]
fn the_database_of_an_environment_answers_its_droplets_only() {
    let own = query_from("container:fairlead-lab-dev-backend");
    assert_eq!(text(&own).trim(), lab().postgres.databases["dev"]);
    let machine = query_from("host");
    assert!(
        String::from_utf8_lossy(&machine.stderr).contains("no pg_hba.conf entry"),
        "{machine:?}"
    );
}
