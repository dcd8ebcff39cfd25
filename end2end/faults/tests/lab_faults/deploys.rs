//! Deploys that go well.
use std::path::Path;

use adapters::secrets::Source;
use domain::{EnvName, ProjectName, Sha};
use faults::watch::get;
use faults::world::{config, ended, lead, origin};
use faults::{App, Spec, World};
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
        projects_dir: files.join("projects"),
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
    };
    let run = portal
        .deploy(&lead(), origin(), request.clone())
        .await
        .unwrap();
    let run = ended(&portal, run).await;
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
    let backend = get(
        (lab.droplets["dev-backend"].address, 8000).into(),
        "/api/v1/health/",
    )
    .await;
    let (status, body) = backend.unwrap();
    assert!(status == 200 && body.contains("ok"), "{status} {body}");
    let frontend = get(
        (lab.droplets["dev-frontend"].address, 8080).into(),
        "/env-config.js",
    )
    .await;
    assert!(frontend.unwrap().1.contains("http://10.77.1.10:8000"));
    engine.stop().await;
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
