//! What stands in the way of a deploy is told before anything is written, all at once, in words.
use domain::manifest::{Host, HostLogin};
use domain::plan::Blocker;
use domain::view::Proposal;
use domain::{RunId, Sha};
use portal::{Builder, DeployRequest, Error};

use crate::support::{
    MANIFEST, SECRETS, TestPortal, component, env, lead, origin, to, write_secrets,
};

/// What both `propose` and `deploy` say stands in the way; neither writes anything.
async fn blockers(world: &TestPortal, request: DeployRequest) -> Vec<Blocker> {
    let before = world.everything().await;
    let proposal = world.portal.propose(&lead(), &request).await.unwrap();
    let Proposal::Blocked {
        blockers,
        sentences,
    } = proposal
    else {
        panic!("nothing stands in the way: {proposal:?}")
    };
    let words: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    assert_eq!(sentences, words);
    let all = sentences.join(" ");
    assert!(!all.contains("hunter2"), "a secret is told: {all}");
    let refused = world.portal.deploy(&lead(), origin(), request).await;
    match refused {
        Err(Error::Blocked(same)) => assert_eq!(same, blockers),
        other => panic!("the deploy gave {other:?}"),
    }
    assert_eq!(world.everything().await, before);
    blockers
}

#[tokio::test]
async fn an_environment_that_the_manifest_does_not_describe() {
    let world = TestPortal::new().await;
    let environment = env("qa");
    assert_eq!(
        blockers(&world, to("qa")).await,
        [Blocker::NoSuchEnvironment { environment }]
    );
}

#[tokio::test]
async fn a_branch_that_does_not_exist() {
    let text = MANIFEST.replace("branch = \"development\"", "branch = \"developmnet\"");
    let world = TestPortal::with(&[("shop", &text)]).await;
    let branch = "developmnet".parse().unwrap();
    assert_eq!(
        blockers(&world, to("dev")).await,
        [Blocker::NoSuchBranch { branch }]
    );
}

#[tokio::test]
async fn a_commit_that_does_not_exist() {
    let world = TestPortal::new().await;
    let commit = "c".repeat(40);
    let request = DeployRequest {
        commit: Some(Sha::parse(&commit).unwrap()),
        ..to("dev")
    };
    assert_eq!(
        blockers(&world, request).await,
        [Blocker::NoSuchCommit { commit }]
    );
}

#[tokio::test]
async fn a_commit_that_is_not_on_the_environments_branch() {
    let world = TestPortal::new().await;
    let unmerged = world.commit("Not reviewed", &[("dockerfile", "FROM evil\n")]);
    let request = |environment| DeployRequest {
        commit: Some(unmerged.clone()),
        ..to(environment)
    };
    let found = blockers(&world, request("prod")).await;
    let commit = format!("{unmerged} on branch `main`");
    assert_eq!(found, [Blocker::NoSuchCommit { commit }]);

    let run = world.portal.deploy(&lead(), origin(), request("dev")).await;
    assert!(run.is_ok(), "{run:?}");
    world.push("development:main");
    let merged = world
        .portal
        .deploy(&lead(), origin(), request("prod"))
        .await;
    assert!(merged.is_ok(), "{merged:?}");
}

#[tokio::test]
async fn an_older_commit_of_the_branch_is_fine() {
    let world = TestPortal::new().await;
    let older = world.commit("Second", &[("a", "1")]);
    world.commit("Third", &[("a", "2")]);
    let request = DeployRequest {
        commit: Some(older.clone()),
        ..to("dev")
    };
    let run = world.portal.deploy(&lead(), origin(), request).await;
    let view = world.portal.run(&lead(), run.unwrap()).await.unwrap();
    assert_eq!(view.row.commit.sha, older);
}

#[tokio::test]
async fn a_dockerfile_that_is_not_in_the_commit() {
    let text = MANIFEST.replace(
        "dockerfile = \"dockerfile\"",
        "dockerfile = \"web/dockerfile\"",
    );
    let world = TestPortal::with(&[("shop", &text)]).await;
    let found = blockers(&world, to("dev")).await;
    let [
        Blocker::NoBuildInput {
            component: of,
            path,
            ..
        },
    ] = found.as_slice()
    else {
        panic!("{found:?}")
    };
    assert_eq!((of, path.as_str()), (&component("web"), "web/dockerfile"));
}

#[tokio::test]
async fn a_secret_of_the_builder_that_resolves_to_nothing() {
    let builder = Builder::Host(Host {
        address: "10.0.0.5".parse().unwrap(),
        port: 22,
        user: "builder".parse().unwrap(),
        login: HostLogin::Password("secret:BUILDER_PASSWORD".parse().unwrap()),
        host_key: Some("secret:HUB_PASSWORD".parse().unwrap()),
    });
    let world = TestPortal::with_builder(builder).await;
    // It belongs to no environment, so a name with the prefix of one is none of its own.
    write_secrets(
        world.root.path(),
        &format!("{SECRETS}\nDEV_BUILDER_PASSWORD=hunter2-dev\n"),
    );
    let missing = Blocker::MissingSecret {
        name: "BUILDER_PASSWORD".parse().unwrap(),
        tried: vec!["BUILDER_PASSWORD".into()],
    };
    assert_eq!(blockers(&world, to("dev")).await, [missing]);
}

#[tokio::test]
async fn secrets_that_resolve_to_nothing_and_a_host_without_a_pinned_key_are_told_together() {
    let text = MANIFEST.replacen(
        "host_key = \"SHA256:xwD+Efnhb6IYiqXNrV5PaXQKg+Eo9azHXPwIrjuN8TI\"",
        "",
        1,
    );
    let world = TestPortal::with(&[("shop", &text)]).await;
    let without: Vec<&str> = SECRETS
        .lines()
        .filter(|line| !line.starts_with("DEV_HOST") && !line.starts_with("HUB_PASSWORD"))
        .collect();
    // An empty value counts as none.
    write_secrets(
        world.root.path(),
        &(without.join("\n") + "\nHUB_PASSWORD=\n"),
    );
    let missing = |name: &str| Blocker::MissingSecret {
        name: name.parse().unwrap(),
        tried: vec![format!("DEV_{name}"), name.to_owned()],
    };
    let found = blockers(&world, to("dev")).await;
    assert_eq!(found.len(), 3, "{found:?}");
    let unpinned = Blocker::UnpinnedHost {
        environment: env("dev"),
        host: "web".parse().unwrap(),
    };
    for expected in [missing("HOST"), missing("HUB_PASSWORD"), unpinned] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
}

#[tokio::test]
async fn a_repository_that_cannot_be_read() {
    let text = MANIFEST.replace("acme/shop", "acme/shpo");
    let world = TestPortal::with(&[("shop", &text)]).await;
    let found = blockers(&world, to("dev")).await;
    let [Blocker::NoRepository { why }] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(
        why.contains("acme/shpo.git") && why.contains("check `repository`"),
        "{why}"
    );
}

#[tokio::test]
async fn a_secrets_file_that_others_can_read_is_named_without_its_values() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = TestPortal::new().await;
    let path = world.root.path().join("secrets.env");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = world.portal.propose(&lead(), &to("dev")).await;
    let text = match error {
        Ok(Proposal::Blocked { sentences, .. }) => sentences.join(" "),
        Err(error) => error.to_string(),
        Ok(plan) => panic!("{plan:?}"),
    };
    assert!(text.contains("chmod 600"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_proposal_shows_the_plan_and_writes_nothing() {
    let world = TestPortal::new().await;
    let head = world.commit("Second", &[("a", "1")]);
    let before = world.everything().await;
    let proposal = world.portal.propose(&lead(), &to("dev")).await.unwrap();
    let Proposal::Plan {
        plan,
        usual_ms,
        behind_run,
        supersedes,
        ..
    } = proposal
    else {
        panic!("{proposal:?}")
    };
    assert_eq!(supersedes, []);
    let titles: Vec<String> = plan.steps.iter().map(|step| step.step.title()).collect();
    assert_eq!(
        titles,
        [
            "Check out",
            "Build web",
            "Push web to hub",
            "Push web to spare",
            "Deploy web",
            "Notify"
        ]
    );
    assert_eq!(
        (plan.commit.sha, plan.commit.title.as_str()),
        (head, "Second")
    );
    assert_eq!((usual_ms, behind_run), (None, None));
    assert_eq!(world.everything().await, before);
    assert!(world.claim().await.is_none(), "there is work to do");
}

#[tokio::test]
async fn what_is_proposed_knows_the_image_that_was_built_and_the_run_before_it() {
    let world = TestPortal::new().await;
    world.deploy().await;
    world.drive(|_| true).await;
    let at_work = world.deploy().await;
    world.start().await;
    let waiting = world.deploy().await;
    let proposal = world.portal.propose(&lead(), &to("dev")).await.unwrap();
    let Proposal::Plan {
        plan,
        usual_ms,
        behind_run,
        supersedes,
        ..
    } = proposal
    else {
        panic!("{proposal:?}")
    };
    assert_eq!(behind_run, Some(at_work));
    assert_eq!(supersedes, [waiting]);
    assert!(usual_ms.is_some());
    assert_eq!(plan.steps[1].step.title(), "Tag web on hub");
    assert!(plan.notices[0].contains("already runs here"), "{plan:?}");
    assert_eq!(at_work, RunId(2));
}
