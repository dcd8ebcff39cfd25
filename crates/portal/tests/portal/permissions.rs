//! Who may do and see what.
use domain::message::Channel;
use domain::policy::{Actor, Role};
use domain::push::DeliveryId;
use domain::view::Offer;
use domain::{ProjectName, RunId, StepId};
use portal::{DeployRequest, Error, LogRange, Portal};

use crate::support::{
    MANIFEST, TestPortal, admin, env, is_no, lead, origin, project, somebody, to,
};
use crate::verbs::{Stage, Verb};

const ROLES: [Role; 4] = [Role::Viewer, Role::Developer, Role::Lead, Role::Admin];

#[tokio::test]
async fn each_role_may_do_what_it_should_and_a_denied_verb_leaves_nothing() {
    let world = TestPortal::new().await;
    let mut stage = Stage::set(&world).await;
    for verb in Verb::ALL {
        for role in ROLES {
            for in_project in [Some("shop"), None] {
                let prepared = stage.prepare(&world, verb).await;
                let before = world.everything().await;
                let actor = somebody("sam", &[(in_project, role)]);
                let done = prepared.perform(&world, verb, &actor).await;
                let case = format!("{role} of {in_project:?}: {verb:?} gave {done:?}");
                if role >= verb.needs() {
                    assert!(done.is_ok(), "{case}");
                    assert_ne!(world.everything().await, before, "{case}");
                } else {
                    assert!(matches!(done, Err(Error::Denied(_))), "{case}");
                    assert_eq!(world.everything().await, before, "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn whoever_has_no_role_in_the_project_can_do_nothing_with_it() {
    let world = TestPortal::new().await;
    let mut stage = Stage::set(&world).await;
    let nobody = somebody("omar", &[]);
    let elsewhere = somebody("ada", &[(Some("other"), Role::Admin)]);
    for verb in Verb::ALL {
        for actor in [&nobody, &elsewhere] {
            let prepared = stage.prepare(&world, verb).await;
            let before = world.everything().await;
            let done = prepared.perform(&world, verb, actor).await;
            assert!(done.as_ref().is_err_and(is_no), "{verb:?} gave {done:?}");
            assert_eq!(world.everything().await, before, "{verb:?}");
        }
    }
}

/// Every way to ask about a project, and a run of it.
async fn asked(portal: &Portal, actor: &Actor, of: &ProjectName, run: RunId) -> Vec<String> {
    let (step, all) = (StepId(0), LogRange::Tail);
    let request = DeployRequest {
        project: of.clone(),
        ..to("dev")
    };
    let filter = domain::view::RunFilter {
        project: Some(of.clone()),
        ..Default::default()
    };
    let answers = [
        portal.board(actor, of).await.map(drop),
        portal.settings(actor, of).await.map(drop),
        portal.runs(actor, &filter, 10).await.map(drop),
        portal.propose(actor, &request).await.map(drop),
        portal.deploy(actor, origin(), request).await.map(drop),
        portal.bell_of_board(actor, of).await.map(drop),
        portal.run(actor, run).await.map(drop),
        portal.events_after(actor, run, 0, 10).await.map(drop),
        portal.log(actor, run, step, all, 10).await.map(drop),
        portal.search_log(actor, run, step, "x").await.map(drop),
        portal.bell_of_run(actor, run).await.map(drop),
        portal.cancel(actor, origin(), run).await,
        portal.retry(actor, origin(), run).await.map(drop),
        portal.deliveries(actor, of, None, 10).await.map(drop),
        portal.pushes(actor, of, None, 10).await.map(drop),
        portal
            .redeliver(actor, origin(), of, DeliveryId(1))
            .await
            .map(drop),
        portal.messages(actor, run).await.map(drop),
        portal.run_messages(actor, run).await.map(drop),
        portal
            .send_again(actor, origin(), run, Channel::Slack)
            .await,
    ];
    let told = answers.into_iter().map(|answer| match answer {
        Err(error @ Error::NotFound(_)) => error.to_string(),
        other => panic!("expected to be told that there is nothing, got {other:?}"),
    });
    told.collect()
}

#[tokio::test]
async fn a_hidden_project_is_not_told_from_one_that_does_not_exist() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    let stranger = somebody("ada", &[(Some("other"), Role::Admin)]);
    let of_hidden = asked(&world.portal, &stranger, &project("shop"), run).await;
    let of_nothing = asked(&world.portal, &stranger, &project("none"), RunId(99)).await;
    for (hidden, nothing) in of_hidden.iter().zip(&of_nothing) {
        let nothing = nothing
            .replace("none", "shop")
            .replace("#99", &format!("#{run}"));
        assert_eq!(*hidden, nothing);
    }
    assert_eq!(world.portal.projects(&stranger).await.unwrap(), []);
    let all = world.portal.runs(&stranger, &Default::default(), 10).await;
    assert_eq!(all.unwrap().runs, []);
}

#[tokio::test]
async fn lists_hold_the_projects_of_the_reader_alone() {
    let other = MANIFEST
        .replace("\"shop\"", "\"other\"")
        .replace("The shop", "The other");
    let world = TestPortal::with(&[("shop", MANIFEST), ("other", &other)]).await;
    let run = world.deploy().await;
    let request = DeployRequest {
        project: project("other"),
        ..to("dev")
    };
    let hidden = world.portal.deploy(&admin(), origin(), request).await;
    let hidden = hidden.unwrap();
    let page = world.portal.runs(&lead(), &Default::default(), 10).await;
    let ids: Vec<RunId> = page.unwrap().runs.into_iter().map(|row| row.id).collect();
    assert_eq!(ids, [run]);
    let projects = world.portal.projects(&lead()).await.unwrap();
    assert_eq!(projects, [project("shop")]);
    let projects = world.portal.projects(&admin()).await.unwrap();
    assert_eq!(projects, [project("other"), project("shop")]);
    let page = world.portal.runs(&admin(), &Default::default(), 10).await;
    let ids: Vec<RunId> = page.unwrap().runs.into_iter().map(|row| row.id).collect();
    assert_eq!(ids, [hidden, run]);
}

#[tokio::test]
async fn a_button_that_the_reader_may_not_press_says_why() {
    let world = TestPortal::new().await;
    let run = world.deploy().await;
    let board = async |actor: &Actor| {
        let board = world.portal.board(actor, &project("shop")).await.unwrap();
        board.lanes.into_iter().map(|lane| lane.deploy)
    };
    let refused = |needs: &str, has: &str, environment: &str| Offer::Refused {
        why: format!(
            "sam may not deploy to {environment}: it needs the role {needs}, and sam is {has}"
        ),
    };
    let viewer = somebody("sam", &[(Some("shop"), Role::Viewer)]);
    let developer = somebody("sam", &[(Some("shop"), Role::Developer)]);
    for (actor, offers) in [
        (
            &viewer,
            [
                refused("developer", "viewer", "dev"),
                refused("lead", "viewer", "prod"),
            ],
        ),
        (
            &developer,
            [Offer::Ready, refused("lead", "developer", "prod")],
        ),
        (&lead(), [Offer::Ready, Offer::Ready]),
    ] {
        assert!(board(actor).await.eq(offers), "{actor:?}");
    }
    let view = world.portal.run(&viewer, run).await.unwrap();
    assert_eq!(view.cancel, refused("developer", "viewer", "dev"));
    let view = world.portal.run(&developer, run).await.unwrap();
    assert_eq!(view.cancel, Offer::Ready);
    let why = format!("Run #{run} has not ended yet");
    assert_eq!(view.retry, Offer::Refused { why });
}

#[tokio::test]
async fn a_run_to_an_environment_that_is_gone_is_steered_by_admins_alone() {
    let world = TestPortal::new().await;
    let run = world
        .portal
        .deploy(&lead(), origin(), to("prod"))
        .await
        .unwrap();
    let start = MANIFEST.find("[environments.prod]").unwrap();
    let end = MANIFEST.find("[notify]").unwrap();
    let without = MANIFEST.replace(&MANIFEST[start..end], "");
    assert!(!without.contains(env("prod").as_str()));
    world.rewrite("shop", &without).await;
    let denied = world.portal.cancel(&lead(), origin(), run).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    world.portal.cancel(&admin(), origin(), run).await.unwrap();
}
