//! Deploys that go well.
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters::secrets::Source;
use domain::run::StepState;
use domain::step::Outcome;
use domain::{EnvName, ProjectName, Sha};
use faults::watch::get;
use faults::world::{config, ended_within, lead, origin};
use faults::{App, Droplet, Ended, Spec, World};
use lab::Lab;
use portal::{Config, DeployRequest, GithubConfig, Portal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_deploy_replaces_the_first_and_keeps_it_aside() {
    let world = World::new(Spec::new("second", 18100)).await;
    let portal = world.portal().await;
    let engine = portal.start_engine();
    world.deploy_first(&portal).await;
    let second = world.deploy(&portal, &App::fine("v2")).await;
    second.succeeded();
    assert_eq!(world.serves().await.as_deref(), Some("v2"));
    let containers = world.containers().await;
    let [(serving, running), (aside, stopped)] = &containers[..] else {
        panic!("{containers:?}");
    };
    assert_eq!(
        (serving.as_str(), running.as_str()),
        ("faults-second", "running")
    );
    assert!(aside.starts_with("faults-second.before-2-"), "{aside}");
    assert_eq!(stopped, "exited");
    assert_eq!(world.told().await.0, 2);
    engine.stop().await;
    world.close().await;
}

/// The sample project as the lab's portal has it: two components on two droplets, two registries, an env file, a
/// rendered file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_the_sample_project_becomes_two_healthy_containers() {
    let lab = Lab::load().expect("these tests need the lab: start it with `make lab`");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/lab");
    let data = tempfile::tempdir().unwrap();
    let portal = Portal::open(Config {
        projects_dir: projects(&files, data.path()),
        secrets: vec![Source::File(files.join("secrets.env"))],
        github: GithubConfig {
            url: lab.github.url.parse().unwrap(),
            api_url: lab.github.api_url.parse().unwrap(),
            client_id: lab.github.client_id.clone(),
            client_secret: "GITHUB_CLIENT_SECRET".into(),
            token: "GITHUB_TOKEN".into(),
        },
        ..config(data.path())
    })
    .await
    .unwrap();
    let engine = portal.start_engine();
    let request = DeployRequest {
        project: ProjectName::parse("projectmeats").unwrap(),
        environment: EnvName::parse("dev").unwrap(),
        commit: Some(first_release(&files)),
        reason: Some("a test".into()),
        override_tests: false,
        rebuild: false,
        manifest: None,
    };
    let run = portal
        .deploy(&lead(), origin(), request.clone())
        .await
        .unwrap();
    // On a new machine this is the first time that anybody installs what the two images need.
    let run = ended_within(&portal, run, Duration::from_secs(600)).await;
    run.succeeded();
    let board = portal.board(&lead(), &request.project).await.unwrap();
    let lane = board
        .lanes
        .iter()
        .find(|lane| lane.environment == request.environment)
        .unwrap();
    assert_eq!(lane.components.len(), 2);
    for component in &lane.components {
        assert_eq!(
            component.running.as_ref().unwrap().commit,
            run.view.plan.commit
        );
    }
    let [backend, frontend] = ["dev-backend", "dev-frontend"].map(|name| Droplet {
        described: lab.droplets[name].clone(),
    });
    let at = |droplet: &Droplet, port| (droplet.described.address, port).into();
    let health = get(at(&backend, 8000), "/api/v1/health/").await;
    let (status, body) = health.unwrap();
    assert!(status == 200 && body.contains("ok"), "{status} {body}");
    let rendered = get(at(&frontend, 8080), "/env-config.js").await.unwrap().1;
    let api = format!("http://{}:8000", backend.described.address);
    assert!(rendered.contains(&api), "{rendered}");
    engine.stop().await;
    put_back(&run, &backend, "pm-backend").await;
    put_back(&run, &frontend, "pm-frontend").await;
}

/// The lab's projects, with a place of this test's own in the registries: its portal knows of no release there, and where
/// the builder has removed an image since, the one that it builds again is no longer the one that has the commit's tag.
fn projects(lab: &Path, data: &Path) -> PathBuf {
    let projects = data.join("lab-projects");
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([&lab.join("projects"), &projects])
        .status();
    assert!(copied.unwrap().success());
    let manifest = projects.join("projectmeats.toml");
    let place = data.file_name().unwrap().to_str().unwrap().to_lowercase();
    let place = place.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut text = String::new();
    for line in std::fs::read_to_string(&manifest).unwrap().lines() {
        match line
            .strip_prefix("prefix = ")
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(prefix) => text += &format!("prefix = {prefix}/{place}\"\n"),
            None => text += &format!("{line}\n"),
        }
    }
    std::fs::write(&manifest, text).unwrap();
    projects
}

/// Gives a droplet the container back that the run put aside: whoever looks at the lab finds it as it was.
async fn put_back(run: &Ended, droplet: &Droplet, name: &str) {
    let ours = droplet.id(name).await;
    let replaced = run.view.steps.iter().find_map(|step| match &step.state {
        StepState::Succeeded {
            outcome:
                Outcome::Deployed {
                    container,
                    replaced,
                    ..
                },
        } if *container == ours => Some(replaced.clone()),
        _ => None,
    });
    let replaced = replaced.expect("the run deployed the container that serves");
    droplet.run(&["docker", "rm", "--force", name]).await;
    if let Some(old) = replaced {
        droplet.run(&["docker", "rename", &old, name]).await;
        droplet.run(&["docker", "start", name]).await;
    }
}

/// The sample as the lab made it. Whatever was pushed to its branch since then may be broken on purpose.
fn first_release(lab: &Path) -> Sha {
    let title = "--grep=^Deploy development from GitHub Actions$";
    let output = std::process::Command::new("git")
        .arg("--git-dir")
        .arg(lab.join("git/meats-central/projectmeats-sample.git"))
        .args(["log", "--max-count=1", "--format=%H", title, "development"])
        .output()
        .unwrap();
    Sha::parse(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
}
