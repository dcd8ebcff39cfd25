//! API tokens: one role, until a day, under a name of their own.
use domain::Ms;
use domain::policy::{ActorName, Role};
use portal::{Error, NewToken};
use secrecy::{ExposeSecret as _, SecretString};

use crate::support::{TestPortal, admin, is_no, now, origin, project, somebody, to};
use crate::verbs::new_token;

async fn make(world: &TestPortal, token: NewToken) -> SecretString {
    let made = world.portal.create_token(&admin(), origin(), token).await;
    made.unwrap()
}

#[tokio::test]
async fn a_token_may_what_its_role_may_and_no_more() {
    let world = TestPortal::new().await;
    let viewer = make(&world, new_token("look")).await;
    let developer = NewToken {
        role: Role::Developer,
        ..new_token("deploy")
    };
    let developer = make(&world, developer).await;
    let viewer = world
        .portal
        .caller_of_token(&viewer)
        .await
        .unwrap()
        .unwrap();
    let name = ActorName::Token {
        name: "look".into(),
    };
    assert_eq!(viewer.actor.name, name);
    assert!(viewer.me.is_none() && viewer.session.is_none());
    world
        .portal
        .board(&viewer.actor, &project("shop"))
        .await
        .unwrap();
    let denied = world
        .portal
        .deploy(&viewer.actor, origin(), to("dev"))
        .await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");

    let developer = world
        .portal
        .caller_of_token(&developer)
        .await
        .unwrap()
        .unwrap();
    world
        .portal
        .deploy(&developer.actor, origin(), to("dev"))
        .await
        .unwrap();
    let denied = world
        .portal
        .deploy(&developer.actor, origin(), to("prod"))
        .await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
}

#[tokio::test]
async fn a_token_of_one_project_opens_no_other() {
    let world = TestPortal::new().await;
    let elsewhere = NewToken {
        project: Some(project("other")),
        role: Role::Admin,
        ..new_token("other")
    };
    let token = make(&world, elsewhere).await;
    let caller = world.portal.caller_of_token(&token).await.unwrap().unwrap();
    let seen = world.portal.board(&caller.actor, &project("shop")).await;
    assert!(seen.as_ref().is_err_and(is_no), "{seen:?}");
}

#[tokio::test]
async fn an_admin_of_one_project_makes_no_token_for_another_or_for_all() {
    let world = TestPortal::new().await;
    let here = somebody("ada", &[(Some("shop"), Role::Admin)]);
    let before = world.everything().await;
    for of in [None, Some(project("other"))] {
        let token = NewToken {
            project: of,
            ..new_token("mine")
        };
        let made = world.portal.create_token(&here, origin(), token).await;
        assert!(matches!(made, Err(Error::Denied(_))), "{made:?}");
    }
    assert_eq!(world.everything().await, before);
    let made = world
        .portal
        .create_token(&here, origin(), new_token("mine"))
        .await;
    assert!(made.is_ok());
    world
        .portal
        .revoke_token(&here, origin(), "mine")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_makes_no_tokens_so_it_cannot_outlive_itself() {
    let world = TestPortal::new().await;
    let mighty = NewToken {
        project: None,
        role: Role::Admin,
        ..new_token("mighty")
    };
    let mighty = make(&world, mighty).await;
    let caller = world
        .portal
        .caller_of_token(&mighty)
        .await
        .unwrap()
        .unwrap();
    let before = world.everything().await;
    let made = world
        .portal
        .create_token(&caller.actor, origin(), new_token("child"))
        .await;
    assert!(matches!(made, Err(Error::Invalid(_))), "{made:?}");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_its_name_is_never_used_again() {
    let world = TestPortal::new().await;
    let token = make(&world, new_token("ci")).await;
    world
        .portal
        .revoke_token(&admin(), origin(), "ci")
        .await
        .unwrap();
    assert!(
        world
            .portal
            .caller_of_token(&token)
            .await
            .unwrap()
            .is_none()
    );
    let before = world.everything().await;
    let again = world
        .portal
        .create_token(&admin(), origin(), new_token("ci"))
        .await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let again = world.portal.revoke_token(&admin(), origin(), "ci").await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    assert_eq!(world.everything().await, before);
    let listed = world.portal.tokens(&admin()).await.unwrap();
    assert!(listed.len() == 1 && listed[0].revoked.is_some());
}

#[tokio::test]
async fn a_token_ends_on_its_day() {
    let world = TestPortal::new().await;
    let soon = NewToken {
        expires: Ms(now().0 + 5_000),
        ..new_token("soon")
    };
    let token = make(&world, soon).await;
    assert!(
        world
            .portal
            .caller_of_token(&token)
            .await
            .unwrap()
            .is_some()
    );
    tokio::time::sleep(std::time::Duration::from_millis(5_100)).await;
    assert!(
        world
            .portal
            .caller_of_token(&token)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_refused() {
    let world = TestPortal::new().await;
    let year = 367 * 24 * 3_600_000;
    for bad in [
        new_token(""),
        new_token("two words"),
        new_token(&"x".repeat(61)),
        NewToken {
            expires: now(),
            ..new_token("late")
        },
        NewToken {
            expires: Ms(now().0 + year),
            ..new_token("eternal")
        },
    ] {
        let made = world.portal.create_token(&admin(), origin(), bad).await;
        assert!(matches!(made, Err(Error::Invalid(_))), "{made:?}");
    }
}

#[tokio::test]
async fn a_token_is_long_and_random_and_nothing_keeps_it() {
    let world = TestPortal::new().await;
    let one = make(&world, new_token("one")).await;
    let two = make(&world, new_token("two")).await;
    assert!(one.expose_secret().starts_with("fl_") && one.expose_secret().len() == 67);
    assert_ne!(one.expose_secret(), two.expose_secret());
    assert!(!format!("{one:?}").contains(one.expose_secret()));
    world.store.close().await;
    for file in std::fs::read_dir(&world.config.data_dir).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let found = bytes
            .windows(67)
            .any(|w| w == one.expose_secret().as_bytes());
        assert!(!found, "{} holds the token", path.display());
    }
    let wrong = SecretString::from(format!("{}0", one.expose_secret()));
    assert!(
        world
            .portal
            .caller_of_token(&wrong)
            .await
            .unwrap()
            .is_none()
    );
}
